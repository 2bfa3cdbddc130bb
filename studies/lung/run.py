"""The whole study, in order: prepare, train, measure, write."""

import json
from pathlib import Path

from sonoplane.errors import UsageError
from studies.lung.material import archive_of
from studies.lung.plan import Plan
from studies.lung.results import results_of
from studies.lung.trainings import train_all

__all__ = ["study"]


def study(data: Path, folder: Path, plan: Plan, fetal: Path) -> Path:
    """Go on with the study in `folder` until its numbers are there, and say where: `results.json`.

    Raises:
        UsageError: the folder was begun with another plan, or the data set or the weights are not there.
    """
    if not fetal.is_file():
        raise UsageError(f"There is no file '{fetal.name}'.", advice="Name SonoNet16.npz with --fetal.")
    _check_plan(folder, plan)
    archive = archive_of(data, folder, plan)
    bundles = train_all(archive, folder, plan, fetal)
    out = folder / "results.json"
    fresh = out.with_suffix(".new")
    fresh.write_text(json.dumps(results_of(archive, bundles, plan), indent=1) + "\n", encoding="utf-8")
    return fresh.replace(out)


def _check_plan(folder: Path, plan: Plan) -> None:
    """A folder serves one plan: trainings that are done are not looked at again."""
    files = sorted(Path(__file__).parent.glob("*.toml"))
    text = "\n".join([repr(plan), *(file.read_text(encoding="utf-8") for file in files)])
    kept = folder / "plan.txt"
    if kept.exists() and kept.read_text(encoding="utf-8") != text:
        raise UsageError(
            "The study was begun here with other settings.", advice="Name another folder with --out."
        )
    folder.mkdir(parents=True, exist_ok=True)
    kept.write_text(text, encoding="utf-8")
