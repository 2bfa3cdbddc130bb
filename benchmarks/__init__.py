"""Few, named, repeatable: each benchmark is one file here, and prints a ratio against a stated baseline.

A file `some_name.py` is the benchmark `some-name`. Its docstring's first line tells what it measures, and its
function `prepare(folder: Path) -> Contest` makes whatever it needs in an empty folder and returns the two ways
to do the same work.
"""
