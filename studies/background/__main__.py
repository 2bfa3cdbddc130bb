"""Run the study: `python -m studies.background`."""

from studies.background.run import main

main()
