"""Run the study: `python -m studies.motion`."""

from studies.motion.run import main

main()
