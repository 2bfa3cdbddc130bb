"""READ FIRST: one straight-line file per verb."""
