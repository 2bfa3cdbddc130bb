"""The phantom, as its pictures in the docs show it."""
