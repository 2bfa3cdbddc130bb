"""MEASURE: how right the answers are, and how sure that can be said."""
