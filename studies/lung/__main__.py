"""Run the study: `python -m studies.lung DATA --out FOLDER [--fetal SonoNet16.npz] [--smoke]`.

DATA is the folder of COVID-BLUES, with lus_videos/ and severity.csv. The same command goes on where it was stopped.
"""

import argparse
import sys
from pathlib import Path

from sonoplane.errors import SonoplaneError
from sonoplane.steps.weights import download
from studies.lung.plan import FULL, SMOKE
from studies.lung.run import study
from studies.lung.table import tables


def main() -> int:
    """Run it, print the tables, and say where the numbers are."""
    parser = argparse.ArgumentParser(prog="python -m studies.lung", description=__doc__)
    parser.add_argument("data", type=Path, help="the folder of COVID-BLUES")
    parser.add_argument("--out", type=Path, required=True, help="where all of it is kept")
    parser.add_argument("--fetal", type=Path, help="SonoNet16.npz; else it is fetched once")
    parser.add_argument("--smoke", action="store_true", help="a few videos in two minutes: does it run?")
    asked = parser.parse_args()
    try:
        fetal = asked.fetal or download("sononet16")
        path = study(asked.data, asked.out, SMOKE if asked.smoke else FULL, fetal)
    except SonoplaneError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    print(tables(path.read_text(encoding="utf-8")))
    print(f"\nNumbers: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
