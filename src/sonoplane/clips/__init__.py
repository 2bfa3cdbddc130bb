"""CUT: labels, windows and splits: which frames of which patients are learned together."""
