"""LEARN: an archive becomes a bundle."""
