"""Are planes boxed where they are? `python -m studies.localization --out FOLDER [--smoke]`.

`sonoplane demo` simulates 24 patients and trains SonoNet-16 in 2D. With its weights, inflated, networks in 3D and
(2+1)D go on for three epochs over clips of five frames. Every fifth frame of the eight patients that none has seen is
answered as `sonoplane predict` answers it; where the answer is the plane that is there, the frame is boxed as a key
frame is, and the box is right where it overlaps the structure's own by half or more (intersection over union), as in
the paper (Baumgartner et al., IEEE TMI 36(11), 2017: 77.8 % of its own true positives). Intervals are over patients.

Beside it, on the same frames: a box of the plane's mean size in the centre of the ultrasound, and one where the plane's
structure lies in the mean, both told by the patients that were learned from; and the same networks with their kernels
shuffled. The blur, the threshold and how many neighboring frames tell a box were chosen on patients
of another seed. The table goes to
`phantom.json` beside this file, and is printed. What was trained stays in FOLDER: the command goes on where it was
stopped.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sonoplane.clips.labels import read_labels
from sonoplane.frames.cleaning import clean
from sonoplane.inference.backends import open_backend
from sonoplane.inference.localize import Localizer, box_of, near
from sonoplane.inference.predictor import Predictor
from sonoplane.inference.ways import way_of
from sonoplane.metrics.intervals import accuracy_over_patients
from sonoplane.models.bundle import Bundle, save_bundle
from sonoplane.records import Box
from sonoplane.steps.demo import TASK, demo
from sonoplane.steps.recipe import layered, read_recipe
from sonoplane.steps.train import train
from sonoplane.video.opening import open_recording
from sonoplane.video.phantom import PhantomExam, simulate

#: Every so many frames one is boxed.
EACH = 5
#: How networks of clips go on from the 2D network.
CLIPS: dict[str, dict[str, Any]] = {
    "windows": {"kind": "sliding", "length": 5, "step": 1, "stride": 4},
    "training": {"epochs": 3, "batch": 8, "learning_rate": 0.001, "precision": "bf16"},
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Boxed:
    """A frame of a patient that was not seen before, answered with the plane that is there."""

    patient: str
    plane: str
    true: Box
    within: Box
    """The ultrasound."""
    found: Box | None
    shuffled: Box | None
    """By the same network with its kernels shuffled."""


def networks(folder: Path, *, patients: int, epochs: int | None) -> dict[str, Bundle]:
    """Those that are there, and those that are not, trained."""
    recipe = read_recipe(Path("demo"))
    if not (folder / "demo" / "findings" / "index.html").exists():
        demo(folder / "demo", patients=patients)
    made = {"sononet2d-16": Bundle.load(folder / "demo" / "bundle")}
    for name in ("sononet3d-16", "sononet2plus1d-16"):
        out = folder / name
        if not (out / "bundle.json").exists():
            started = {"network": {"name": name, "start": str(folder / "demo" / "bundle")}}
            fewer = {"training": {"epochs": epochs}} if epochs else {}
            train(
                folder / "demo" / "archive",
                task=TASK,
                out=out,
                recipe=layered(recipe, started, CLIPS, fewer),
            )
        made[name] = Bundle.load(out)
    return made


def boxed(bundle: Bundle, folder: Path, exams: Sequence[PhantomExam]) -> Iterator[Boxed]:
    """The true positives among every fifth frame."""
    recipe = layered(bundle.recipe)
    way = way_of(bundle.spec, recipe.run)
    predictor = Predictor(bundle.card, open_backend(bundle, "openvino", recipe.run), way)
    localizers = [Localizer(one, recipe.run) for one in (bundle, shuffled(bundle, folder))]
    sight = localizers[0].sight
    for exam in exams:
        (path,) = (folder / "demo" / "recordings").glob(f"{exam.id}.*")
        frames = clean(open_recording(path))
        seen = list(predictor.watch(frames.read(), frames.region.box))
        inputs = bundle.card.values([one.prepared for one in seen])
        for frame in range(0, len(seen), EACH):
            plane = bundle.card.classes[int(seen[frame].logits.argmax())]
            true = exam.target(frame)
            if true is None or plane != exam.label(frame):
                continue
            clip = inputs[np.clip(sight.frames(frame), 0, len(seen) - 1)]
            number = bundle.card.classes.index(plane)
            boxes = [
                box_of(near(localizer(clip, number), sight.place), recipe.localization.blur)
                for localizer in localizers
            ]
            found, other = (box and bundle.card.placed(box, frames.region.box) for box in boxes)
            yield Boxed(
                patient=exam.patient,
                plane=plane,
                true=true,
                within=frames.region.box,
                found=found,
                shuffled=other,
            )


def shuffled(bundle: Bundle, folder: Path) -> Bundle:
    """The same network, the numbers of each kernel in another order."""
    draw = np.random.default_rng(0)
    weights = {
        name: draw.permutation(value.ravel()).reshape(value.shape) if ".conv." in name else value
        for name, value in bundle.weights().items()
    }
    place = folder / "shuffled" / bundle.spec.name
    return save_bundle(
        place,
        name="shuffled",
        version="1",
        spec=bundle.spec,
        card=bundle.card,
        weights=weights,
        recipe=bundle.recipe,
        overwrite=True,
    )


def guesses(exams: Sequence[PhantomExam]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Of each plane, a box of mean size in the centre, and the mean box, as shares of the ultrasound."""
    seen: dict[str, list[np.ndarray]] = {}
    for exam in exams:
        within = exam.recording.facts.regions[0].box
        for frame in range(0, exam.recording.n_frames or 0, EACH):
            if true := exam.target(frame):
                seen.setdefault(exam.label(frame), []).append(shares(true, within))
    told = {}
    for plane, boxes in seen.items():
        mean = np.mean(boxes, axis=0)
        size = mean[2:] - mean[:2]
        told[plane] = np.concatenate([0.5 - size / 2, 0.5 + size / 2]), mean
    return told


def shares(box: Box, within: Box) -> np.ndarray:
    """Left, top, right and bottom as shares of the ultrasound's box."""
    origin, size = np.array([within.left, within.top] * 2), np.array([within.width, within.height] * 2)
    return (np.array([box.left, box.top, box.right, box.bottom]) - origin) / size


def guessed(guess: np.ndarray, within: Box) -> Box:
    """Shares of the ultrasound's box as a box."""
    origin, size = np.array([within.left, within.top] * 2), np.array([within.width, within.height] * 2)
    left, top, right, bottom = (int(side) for side in np.round(guess * size + origin))
    return Box(left=left, top=top, right=right, bottom=bottom)


def row(found: Sequence[Box | None], frames: Sequence[Boxed]) -> dict[str, Any]:
    """The share of boxes that are right, with its interval over patients, and by plane."""
    overlaps = np.array(
        [box.overlap(frame.true) if box else 0.0 for box, frame in zip(found, frames, strict=True)]
    )
    right, planes = overlaps >= 0.5, np.array([frame.plane for frame in frames])
    share = accuracy_over_patients(right, [frame.patient for frame in frames])
    return {
        "right": round(share.value, 3),
        "low": None if share.low is None else round(share.low, 3),
        "high": None if share.high is None else round(share.high, 3),
        "mean_overlap": round(float(overlaps.mean()), 3),
        "by_plane": {
            str(plane): [int(right[planes == plane].sum()), int((planes == plane).sum())]
            for plane in np.unique(planes)
        },
    }


def measured(
    bundle: Bundle, folder: Path, exams: Sequence[PhantomExam], told: dict[str, Any]
) -> dict[str, Any]:
    """All rows of one network."""
    frames = list(boxed(bundle, folder, exams))
    return {
        "frames": len(frames),
        "patients": len({frame.patient for frame in frames}),
        "boxes": row([frame.found for frame in frames], frames),
        "centred box of mean size": row([guessed(told[f.plane][0], f.within) for f in frames], frames),
        "mean box of the plane": row([guessed(told[f.plane][1], f.within) for f in frames], frames),
        "kernels shuffled": row([frame.shuffled for frame in frames], frames),
    }


def study(folder: Path, *, patients: int = 24, epochs: int | None = None) -> dict[str, Any]:
    """All networks."""
    made = networks(folder, patients=patients, epochs=epochs)
    parts = {row.recording: row.split for row in read_labels(folder / "demo" / "labels.csv").rows}
    exams = list(simulate("liver-sweep", patients=patients, exams=(2, 2), seed=0))
    told = guesses([exam for exam in exams if parts[exam.id] != "test"])
    held_out = [exam for exam in exams if parts[exam.id] == "test"]
    return {name: measured(bundle, folder, held_out, told) for name, bundle in made.items()}


def main() -> None:
    """Run it, print the table, and keep it."""
    parser = argparse.ArgumentParser(prog="python -m studies.localization", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="where all of it is kept")
    parser.add_argument("--smoke", action="store_true", help="six patients and one epoch: does it run?")
    given = parser.parse_args()
    if given.smoke:
        found = study(given.out, patients=6, epochs=1)
    else:
        found = study(given.out)
        Path(__file__).with_name("phantom.json").write_text(
            json.dumps(found, indent=1) + "\n", encoding="utf-8"
        )
    print(table(found))


def table(found: dict[str, Any]) -> str:
    """As Markdown."""
    rows = [["network", "frames, patients", *list(next(iter(found.values())))[2:]]]
    rows.append(["---"] * len(rows[0]))
    for name, one in found.items():
        rows.append(
            [name, f"{one['frames']}, {one['patients']}", *(_cell(one[key]) for key in list(one)[2:])]
        )
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def _cell(found: dict[str, Any]) -> str:
    if found["low"] is None:
        return f"{found['right']:.2f}"
    return f"{found['right']:.2f} ({found['low']:.2f} to {found['high']:.2f})"
