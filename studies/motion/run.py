"""Do 3D and (2+1)D tell what a single frame cannot? `python -m studies.motion [--seeds 0 1 2]`.

In the phantom's liver sweeps, aorta and vena cava are the same tube: only how fast it beats tells them apart. A 2D
SonoNet learns the planes from frames; 3D and (2+1)D begin with its weights, inflated, and learn clips of 0.5 s.
All are asked for every frame of patients that none has seen. Scores are macro F1 over the pair and over the other
classes, with 95 % intervals over patients (percentiles of a bootstrap). The table goes to `run.json` beside this file.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
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
from sonoplane.training.module import laid_out
from sonoplane.training.samples import Form, cut_samples
from sonoplane.training.settings import AugmentationSettings, TrainingSettings
from sonoplane.video.phantom import MOTION_PAIR, PhantomExam, classes_of, simulate

CLASSES = classes_of("liver-sweep")
KINDS = ("2d", "3d", "2plus1d")


@dataclass(frozen=True, kw_only=True, slots=True)
class Setup:
    """How large the experiment is; a sweep of 120 frames a patient."""

    train: int = 40
    """Patients to learn from."""
    validation: int = 4
    """Patients that choose the epoch."""
    test: int = 20
    """Patients that the scores are of."""
    height: int = 64
    width: int = 80
    channels: int = 8
    """Width of the networks."""
    epochs_frames: int = 6
    """Of 2D."""
    epochs_clips: int = 8
    """Of 3D and (2+1)D, after 2D."""
    every: int = 3
    """2D learns every third frame: neighbors say the same."""
    length: int = 5
    """Frames of a clip, which has the class of the one in its middle."""
    step: int = 3
    """From one frame of a clip to the next: 0.12 s."""
    stride: int = 9
    """From one clip to the next."""

    @property
    def patients(self) -> int:
        """All of them."""
        return self.train + self.validation + self.test

    @property
    def card(self) -> Card:
        """What the networks see of a frame."""
        return Card(classes=CLASSES, background="background", size=(self.height, self.width), fit="pad")


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
    """That its training took."""


def sweeps(setup: Setup, seed: int) -> list[Sweep]:
    """A sweep of each patient, simulated on all cores."""
    exams = list(simulate("liver-sweep", patients=setup.patients, exams=(1, 1), seed=seed))
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        return list(pool.map(partial(_prepared, card=setup.card), exams, chunksize=2))


def _prepared(exam: PhantomExam, card: Card) -> Sweep:
    box = exam.recording.facts.regions[0].box
    frames = [card.geometry(np.where(exam.mask, one.image, 0), box) for one in exam.recording.frames()]
    labels = [CLASSES.index(exam.label(index)) for index in range(len(frames))]
    return Sweep(id=exam.id, frames=np.stack(frames), labels=np.array(labels))


def stored(made: Sequence[Sweep], card: Card, folder: Path) -> Archive:
    """The sweeps as an archive, which training reads."""
    create_archive(folder, geometry=f"card:{card.geometry_hash}", settings={})
    box = Box(left=0, top=0, right=card.size[1], bottom=card.size[0])
    with ArchiveWriter(place_of(folder), geometry=f"card:{card.geometry_hash}") as writer:
        for sweep in made:
            frames = (Frame(index=i, time_s=i / 25, image=image) for i, image in enumerate(sweep.frames))
            writer.add(EntryFacts(id=sweep.id, fps=25.0, box=box), frames)
    return open_archive(folder)


def learned(
    kind: str, archive: Archive, made: Sequence[Sweep], setup: Setup, seed: int, start: PlaneNetwork | None
) -> PlaneNetwork:
    """Train one network; `start` is the 2D network that 3D and (2+1)D begin with."""
    spec = network_spec(f"sononet{kind}-{setup.channels}", n_classes=len(CLASSES))
    network = build(spec, seed=seed)
    clips = spec.takes_clips
    if start is not None:
        start_from(network, spec, weights_of(start))
    windows = WindowSettings(
        kind="sliding", length=setup.length, step=setup.step, stride=setup.stride, policy="centre"
    )
    parts = made[: setup.train], made[setup.train : setup.train + setup.validation]
    form: Form = "clips" if clips else "frames"
    train, validation = (
        ClipDataset(
            archive,
            setup.card,
            [
                cut_samples(one.id, one.labels, form=form, windows=windows, every=1 if clips else setup.every)
                for one in part
            ],
            cache_bytes=1e9,
        )
        for part in parts
    )
    epochs = setup.epochs_clips if clips else setup.epochs_frames
    with tempfile.TemporaryDirectory() as folder:
        return fit(
            network,
            setup.card,
            train,
            validation,
            training=TrainingSettings(
                epochs=epochs,
                patience=epochs,
                batch=16 if clips else 80,
                learning_rate=1e-3 if clips else 5e-3,
                seed=seed,
                workers=0,
                accelerator="cpu",
            ),
            augmentation=AugmentationSettings.off(flip_horizontal=0.5),
            folder=Path(folder),
            on_epoch=lambda line: print(f"  {spec.name}: {line}", flush=True),
        ).network


def answers(network: PlaneNetwork, sweep: Sweep, setup: Setup) -> np.ndarray:
    """The class of every frame; a network of clips is shown the clip around it, the outermost frames repeated."""
    values = normalize(torch.from_numpy(sweep.frames).float(), setup.card.normalization)[:, None]
    network = laid_out(network, channels_last=True)
    with torch.no_grad():
        if not network.takes_clips:
            return network(values).argmax(dim=1).numpy()
        reach = setup.step * (torch.arange(setup.length) - setup.length // 2)
        around = (torch.arange(len(values))[:, None] + reach).clamp(0, len(values) - 1)
        clips = (values[some].transpose(1, 2) for some in around.split(16))
        laid = (clip.contiguous(memory_format=torch.channels_last_3d) for clip in clips)
        return torch.cat([network(clip).argmax(dim=1) for clip in laid]).numpy()


def scored(counts: np.ndarray, seconds: float = 0.0) -> Score:
    """Scores of confusion matrices, one for each patient."""
    dice = np.random.default_rng(0)
    drawn = [counts[dice.integers(0, len(counts), len(counts))].sum(axis=0) for _ in range(2000)]
    low, high = np.percentile([f1_of(one) for one in drawn], [2.5, 97.5], axis=0)
    pair, others = f1_of(counts.sum(axis=0))
    return Score(
        pair=round(pair, 3),
        pair_interval=(round(float(low[0]), 3), round(float(high[0]), 3)),
        others=round(others, 3),
        others_interval=(round(float(low[1]), 3), round(float(high[1]), 3)),
        confusion=counts.sum(axis=0).tolist(),
        seconds=round(seconds, 1),
    )


def f1_of(counts: np.ndarray) -> tuple[float, float]:
    """Macro F1 over the pair, and over the other classes."""
    f1 = {one.name: one.f1 or 0.0 for one in scores_of(counts, CLASSES).classes}
    pair = [f1.pop(name) for name in MOTION_PAIR]
    return float(np.mean(pair)), float(np.mean(list(f1.values())))


def study(seed: int, setup: Setup | None = None) -> dict[str, Score]:
    """The score of each kind of network on the patients held out."""
    setup = setup or Setup()
    made = sweeps(setup, seed)
    scores: dict[str, Score] = {}
    flat: PlaneNetwork | None = None
    with tempfile.TemporaryDirectory() as folder:
        archive = stored(made, setup.card, Path(folder) / "archive")
        for kind in KINDS:
            began = time.monotonic()
            network = learned(kind, archive, made, setup, seed, flat)
            flat = flat or network
            seconds = time.monotonic() - began
            counts = [
                confusion(sweep.labels, answers(network, sweep, setup), len(CLASSES))
                for sweep in made[setup.train + setup.validation :]
            ]
            scores[kind] = scored(np.stack(counts), seconds)
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
    setup = Setup()
    found: dict[str, Any] = {"setup": asdict(setup), "seeds": {}}
    for seed in parser.parse_args().seeds:
        scores = study(seed, setup)
        found["seeds"][seed] = {kind: asdict(one) for kind, one in scores.items()}
        print(f"{'seed':>4}  {'network':<8} {'pair, macro F1':<22} {'others, macro F1':<22} {'seconds':>8}")
        print(text(seed, scores), flush=True)
        Path(__file__).with_name("run.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
