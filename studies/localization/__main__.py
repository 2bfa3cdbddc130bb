"""Run the study: `python -m studies.localization`."""

from studies.localization.phantom import main

main()
