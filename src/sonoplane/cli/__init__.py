"""The command line: one command per step, each in a file of its own."""
