"""The phantom's pictures in the docs, and how far one gets on it without a network."""
