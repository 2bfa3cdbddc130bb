"""RECOGNISE: the networks, and the bundle and card that carry them."""
