"""From the data set's folder to an archive that all networks of the study learn from."""

import csv
import os
import re
from collections import defaultdict
from pathlib import Path

from sonoplane.errors import UsageError
from sonoplane.steps.jobs import Jobs
from sonoplane.steps.prepare import prepare
from sonoplane.steps.private import Secrets
from sonoplane.steps.recipe import layered
from studies.lung.plan import TASKS, Plan

__all__ = ["archive_of", "videos_of"]

_NAME = re.compile(r"(patient_\d+)_([LR]\d)")

#: The data set is public and names no one. A key that all know gives its patients the same pseudonyms on all machines,
#: and so the same folds.
_KEY = b"COVID-BLUES is public: this key hides nothing"


def archive_of(data: Path, folder: Path, plan: Plan) -> Path:
    """Prepare the videos, with a label table for each task; what is done already is passed over.

    Raises:
        UsageError: the data set is not there, or one of its videos cannot be read.
    """
    videos = videos_of(data, plan)
    archive = folder / "archive"
    folder.mkdir(parents=True, exist_ok=True)
    key = folder / "key"
    key.write_bytes(_KEY)
    recipe = {
        **plan.input,
        "split": {"patient_pattern": r"(patient_\d+)_", "train": 0.85, "validation": 0.15, "test": 0.0},
    }
    done = prepare(
        videos,
        archive,
        labels=_label_tables(data, videos, folder),
        recipe=layered(recipe),
        jobs=Jobs(workers=0 if plan.patients else os.cpu_count() or 0),
        secrets=Secrets(key=key),
    )
    if done.failures or done.n_done < len(videos):
        raise UsageError(
            f"{len(videos) - done.n_done} of {len(videos)} videos could not be prepared.",
            advice=f"See '{done.private}/failures.csv'.",
        )
    return archive


def videos_of(data: Path, plan: Plan) -> list[Path]:
    """The videos, sorted by name: all, or as few as the plan says."""
    of_patient: dict[str, list[Path]] = defaultdict(list)
    for path in sorted((data / "lus_videos").glob("*.mp4")):
        match = _NAME.match(path.stem)
        if match and match[2] in plan.zones:
            of_patient[match[1]].append(path)
    if not of_patient:
        raise UsageError(
            f"There are no videos of COVID-BLUES in '{data.name}'.",
            advice="Name the folder that holds lus_videos/ and severity.csv.",
        )
    return [path for patient in sorted(of_patient)[: plan.patients] for path in of_patient[patient]]


def _label_tables(data: Path, videos: list[Path], folder: Path) -> dict[str, Path]:
    """A label for each video and task: the experts' verdict, and the zone that the name tells."""
    with (data / "severity.csv").open(encoding="utf-8", newline="") as file:
        verdicts = {row["video_file"].strip(): row["B-lines"].strip() for row in csv.DictReader(file)}
    words = {"yes": "B-lines", "no": "none"}
    tables = {}
    for task in TASKS:
        tables[task] = folder / f"{task}.csv"
        with tables[task].open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(["recording", "start", "stop", "label"])
            for video in videos:
                match = _NAME.match(video.stem)
                zone = match[2] if match else ""
                label = words[verdicts[video.stem]] if task == "blines" else zone
                rows.writerow([video.stem, "", "", label])
    return tables
