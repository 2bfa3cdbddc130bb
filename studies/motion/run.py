"""Do 3D and (2+1)D tell what a single frame cannot? `python -m studies.motion [--seeds 0 1 2] [--preset vessels]`.

In the phantom's sweeps, aorta and vena cava are the same tube: only how fast it beats tells them apart. A 2D SonoNet
learns frames. With its weights, inflated for 3D and (2+1)D, three networks go on: for as many passes over the same
frames, 80 to a batch. 2D does it frame by frame, the others label every frame of clips of 1.3 s. All are asked for
every frame of patients that none has seen. Scores are macro F1 over the pair and over the other classes, with 95 %
intervals over patients (percentiles of a bootstrap). The table goes to `run.json` beside this file, and is printed.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sonoplane.clips.windows_settings import WindowSettings
from sonoplane.frames.archive import Archive, open_archive
from sonoplane.frames.archive_place import place_of
from sonoplane.frames.archive_writer import ArchiveWriter, create_archive
from sonoplane.frames.entries import EntryFacts
from sonoplane.metrics.scores import confusion, scores_of
from sonoplane.models.card import Card
from sonoplane.models.card_tensor import normalize
from sonoplane.models.network import PlaneNetwork
from sonoplane.models.registry import build, network_spec, start_from, weights_of
from sonoplane.records import Box, Frame
from sonoplane.training.clips_dataset import ClipDataset
from sonoplane.training.fit import fit
from sonoplane.training.samples import cut_samples
from sonoplane.training.settings import AugmentationSettings, TrainingSettings
from sonoplane.video.phantom import MOTION_PAIR, PhantomSettings, Preset, classes_of, simulate

KINDS = ("2d", "3d", "2plus1d")


@dataclass(frozen=True, kw_only=True, slots=True)
class Setup:
    """How large the experiment is; a sweep a patient."""

    preset: Preset = "vessels"
    train: int = 48
    """Patients to learn from."""
    validation: int = 6
    """Patients that choose the epoch."""
    test: int = 24
    """Patients that the scores are of."""
    frames: int = 72
    """Of a sweep."""
    fps: float = 6.0
    height: int = 40
    width: int = 48
    channels: int = 8
    """Width of the networks."""
    first_epochs: int = 6
    """Of the 2D network that all begin with, over every second frame."""
    epochs: int = 6
    """Of each kind after that, over all frames."""
    length: int = 8
    """Frames of a clip; `frames` is a multiple of it."""
    first_rate: float = 5e-3
    rate: float = 4e-3
    """Learning rates."""

    @property
    def patients(self) -> int:
        """All of them."""
        return self.train + self.validation + self.test

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in order."""
        return classes_of(self.preset)

    @property
    def card(self) -> Card:
        """What the networks see of a frame."""
        return Card(
            classes=self.classes, background="background", size=(self.height, self.width), fit="stretch"
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Sweep:
    """One patient's sweep, prepared."""

    id: str
    frames: np.ndarray
    """time height width, uint8."""
    labels: np.ndarray
    """The class number of every frame."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """How well one network does."""

    pair: float
    pair_interval: tuple[float, float]
    others: float
    others_interval: tuple[float, float]
    confusion: list[list[int]]
    """A row for each true class, a column for each answer."""
    seconds: float
    """Processor time that its training took."""


def sweeps(setup: Setup, seed: int) -> list[Sweep]:
    """A sweep of each patient, simulated at a size that suffices for small networks."""
    settings = PhantomSettings(
        height=160, width=200, beams=64, samples=128, frames=setup.frames, fps=setup.fps
    )
    exams = simulate(setup.preset, patients=setup.patients, exams=(1, 1), seed=seed, settings=settings)
    made = []
    for exam in exams:
        box = exam.recording.facts.regions[0].box
        shown = (np.where(exam.mask, one.image, 0) for one in exam.recording.frames())
        frames = np.stack([setup.card.geometry(image, box) for image in shown])
        labels = np.array([setup.classes.index(exam.label(index)) for index in range(len(frames))])
        made.append(Sweep(id=exam.id, frames=frames, labels=labels))
    return made


def stored(made: Sequence[Sweep], setup: Setup, folder: Path) -> Archive:
    """The sweeps as an archive, which training reads."""
    card = setup.card
    create_archive(folder, geometry=f"card:{card.geometry_hash}", settings={})
    box = Box(left=0, top=0, right=card.size[1], bottom=card.size[0])
    with ArchiveWriter(place_of(folder), geometry=f"card:{card.geometry_hash}") as writer:
        for sweep in made:
            frames = (
                Frame(index=i, time_s=i / setup.fps, image=image) for i, image in enumerate(sweep.frames)
            )
            writer.add(EntryFacts(id=sweep.id, fps=setup.fps, box=box), frames)
    return open_archive(folder)


def learned(
    kind: str,
    archive: Archive,
    made: Sequence[Sweep],
    setup: Setup,
    seed: int,
    start: PlaneNetwork | None = None,
) -> PlaneNetwork:
    """Train one network; `start` is the 2D network that it goes on from."""
    spec = network_spec(f"sononet{kind}-{setup.channels}", n_classes=len(setup.classes))
    network = build(spec, seed=seed)
    if start is not None:
        start_from(network, spec, weights_of(start))
    dense, every = spec.takes_clips, 1 if start is not None else 2
    windows = WindowSettings(kind="sliding", length=setup.length, step=1, stride=setup.length)
    parts = made[: setup.train], made[setup.train : setup.train + setup.validation]
    train, validation = (
        ClipDataset(
            archive,
            setup.card,
            [
                cut_samples(
                    one.id, one.labels, form="dense" if dense else "frames", windows=windows, every=every
                )
                for one in part
            ],
            cache_bytes=1e9,
        )
        for part in parts
    )
    epochs = setup.first_epochs if start is None else setup.epochs
    with tempfile.TemporaryDirectory() as folder:
        return fit(
            network,
            setup.card,
            train,
            validation,
            dense=dense,
            training=TrainingSettings(
                epochs=epochs,
                patience=epochs,
                batch=80 // setup.length if dense else 80,
                learning_rate=setup.first_rate if start is None else setup.rate,
                seed=seed,
                workers=0,
                accelerator="cpu",
            ),
            augmentation=AugmentationSettings.off(flip_horizontal=0.5),
            folder=Path(folder),
            on_epoch=lambda line: print(f"  {spec.name}: {line}", flush=True),
        ).network


def answers(network: PlaneNetwork, sweep: Sweep, setup: Setup) -> np.ndarray:
    """The class of every frame; a network of clips is shown the sweep in clips as long as those it learned."""
    values = normalize(torch.from_numpy(sweep.frames).float(), setup.card.normalization)[:, None]
    with torch.no_grad():
        if network.takes_clips:
            clips = values.unflatten(0, (-1, setup.length)).transpose(1, 2)
            return network.dense(clips).flatten(0, 1).argmax(dim=1).numpy()
        return network(values).argmax(dim=1).numpy()


def scored(counts: np.ndarray, setup: Setup, seconds: float = 0.0) -> Score:
    """Scores of confusion matrices, one for each patient."""
    dice = np.random.default_rng(0)
    drawn = [counts[dice.integers(0, len(counts), len(counts))].sum(axis=0) for _ in range(2000)]
    low, high = np.percentile([f1_of(one, setup) for one in drawn], [2.5, 97.5], axis=0)
    pair, others = f1_of(counts.sum(axis=0), setup)
    return Score(
        pair=round(pair, 3),
        pair_interval=(round(float(low[0]), 3), round(float(high[0]), 3)),
        others=round(others, 3),
        others_interval=(round(float(low[1]), 3), round(float(high[1]), 3)),
        confusion=counts.sum(axis=0).tolist(),
        seconds=round(seconds, 1),
    )


def f1_of(counts: np.ndarray, setup: Setup) -> tuple[float, float]:
    """Macro F1 over the pair, and over the other classes."""
    f1 = {one.name: one.f1 or 0.0 for one in scores_of(counts, setup.classes).classes}
    pair = [f1.pop(name) for name in MOTION_PAIR]
    return float(np.mean(pair)), float(np.mean(list(f1.values())))


def study(seed: int, setup: Setup | None = None, kinds: Sequence[str] = KINDS) -> dict[str, Score]:
    """The score of each kind of network on the patients held out."""
    setup = setup or Setup()
    made = sweeps(setup, seed)
    scores: dict[str, Score] = {}
    with tempfile.TemporaryDirectory() as folder:
        archive = stored(made, setup, Path(folder) / "archive")
        first = learned("2d", archive, made, setup, seed)
        for kind in kinds:
            began = time.process_time()
            network = learned(kind, archive, made, setup, seed, first)
            seconds = time.process_time() - began
            counts = [
                confusion(sweep.labels, answers(network, sweep, setup), len(setup.classes))
                for sweep in made[setup.train + setup.validation :]
            ]
            scores[kind] = scored(np.stack(counts), setup, seconds)
    return scores


def text(seed: int, scores: dict[str, Score]) -> str:
    """A row for each network."""
    rows = [
        f"{seed:>4}  {kind:<8} {one.pair:.3f} ({one.pair_interval[0]:.2f} to {one.pair_interval[1]:.2f})"
        f"   {one.others:.3f} ({one.others_interval[0]:.2f} to {one.others_interval[1]:.2f}) {one.seconds:>8.0f}"
        for kind, one in scores.items()
    ]
    return "\n".join(rows)


def main() -> None:
    """Run all seeds, print the table and keep it."""
    parser = argparse.ArgumentParser(description="2D, 3D and (2+1)D on planes that only motion tells apart.")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--preset", choices=["vessels", "liver-sweep"], default="vessels")
    asked = parser.parse_args()
    setup = Setup(preset=asked.preset)
    found: dict[str, Any] = {"setup": asdict(setup), "seeds": {}}
    for seed in asked.seeds:
        scores = study(seed, setup)
        found["seeds"][seed] = {kind: asdict(one) for kind, one in scores.items()}
        print(f"{'seed':>4}  {'network':<8} {'pair, macro F1':<22} {'others, macro F1':<22} {'seconds':>8}")
        print(text(seed, scores), flush=True)
        name = "run.json" if asked.preset == "vessels" else f"run-{asked.preset}.json"
        Path(__file__).with_name(name).write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
