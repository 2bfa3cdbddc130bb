"""Training SonoNet-16 in 3D on clips of 5 frames: clips a second of ours against a plain script (`old_training.py`).

Both train the same network on the same clips, in batches of 5 at 256 x 256, with the same kinds of augmentation
(flips, gamma, zoom, rotation), Adam and cross entropy, on two threads. The plain script opens PNG frames of
760 x 1200; ours is `fit`, as `sonoplane train` calls it, on the archive that `prepare` makes of these frames, with the
settings of `FAST`: bf16, channels-last (frames are in memory by default). A turn is ten clips of a training that is
under way; neither setting up nor validation nor saving is in it. Each way has a process of its own, so that none runs
with what another has set there. Before the turns a table on stderr tells what each measure brings.
"""

import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from benchmarks import old_training
from benchmarks.runner import Contest
from sonoplane.frames.archive import open_archive
from sonoplane.models.card import Card
from sonoplane.models.registry import build, network_spec
from sonoplane.steps.input_card import input_card
from sonoplane.steps.prepare import prepare as prepare_archive
from sonoplane.steps.private import open_private
from sonoplane.steps.recipe import layered
from sonoplane.training.clips_dataset import ClipDataset
from sonoplane.training.fit import Fitted, fit
from sonoplane.training.samples import Samples
from sonoplane.training.settings import AugmentationSettings, TrainingSettings
from sonoplane.video.phantom import PhantomSettings, classes_of, simulate
from sonoplane.video.phantom_datasets import write_labels_csv
from sonoplane.video.phantom_files import write_png_folder

__all__ = ["FAST", "FULL", "Data", "Size", "contest", "prepare", "train_ours", "write_data"]

CLASSES = classes_of("liver-sweep")
ROUNDS = 3

Work = Callable[[], int]
"""Trains for a turn; returns how many clips it saw."""

#: What is learned and how, as the plain script has it.
SAME = TrainingSettings(
    epochs=1,
    batch=5,
    optimizer="adam",
    learning_rate=5e-3,
    schedule="none",
    clip_gradient=0,
    label_smoothing=0,
    class_weights=False,
    accelerator="cpu",
    precision="float32",
    channels_last=False,
)
#: And how ours makes it fast.
FAST = {"precision": "bf16", "channels_last": True}

AUGMENTATION = AugmentationSettings.off(
    flip_horizontal=0.5, flip_vertical=0.5, gamma_share=1, zoom_share=1, rotation_share=1
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """How large all of it is."""

    frame: tuple[int, int] = (760, 1200)
    """Height and width of the PNG frames."""
    side: int = 256
    """Of the network's input."""
    length: int = 5
    """Frames of a clip."""
    exams: int = 2
    clips: int = 5
    """Of each exam."""
    turn: int = 2
    """Batches of a turn."""
    threads: int = 2


FULL = Size()


@dataclass(frozen=True, kw_only=True, slots=True)
class Data:
    """The same clips in the same order, as files and in an archive."""

    plain: old_training.FrameClips
    archive: Path
    samples: tuple[Samples, ...]
    """Of each recording in the archive."""
    card: Card

    def ours(self, times: int = 1) -> ClipDataset:
        """The clips in memory; an epoch has each of them so many times."""
        samples = [
            replace(made, frames=np.tile(made.frames, (times, 1)), targets=np.tile(made.targets, (times, 1)))
            for made in self.samples
        ]
        return ClipDataset(open_archive(self.archive), self.card, samples, cache_bytes=SAME.cache_gb * 1e9)


class ArchiveClips(Dataset[tuple[Tensor, int]]):
    """For the table: the plain script's data set, but for the frames, which come from the archive."""

    def __init__(self, clips: ClipDataset) -> None:
        self.clips = clips

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        batch = self.clips.batch(np.array([index]))
        frames = [Image.fromarray(image) for image in batch.images[0].numpy()]
        return old_training.to_tensor(old_training.vary(frames)), int(batch.targets)


class Standing:
    """A training in a process of its own, which stands still between turns and ends with the `with` block."""

    def __init__(self, train: Callable[[Callable[[int, int], None]], object], *, threads: int) -> None:
        context = get_context("forkserver")  # what torch has started does not bear a plain fork
        context.set_forkserver_preload([__name__])
        self._here, there = context.Pipe()
        self._process = context.Process(target=_stand, args=(train, there, threads), daemon=True)

    def __enter__(self) -> "Standing":
        self._process.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._here.send(None)
        self._process.join()

    def steps(self, n: int) -> None:
        """Train for so many batches."""
        self._here.send(n)
        error = self._here.recv()
        if error is not None:
            raise error


class _OverError(Exception):
    """The turns are over."""


def _stand(train: Callable[[Callable[[int, int], None]], object], parent: Connection, threads: int) -> None:
    """Train as many batches as the parent says, time and again, until it says None."""
    torch.set_num_threads(threads)
    left = parent.recv()

    def after_batch(done: int, total: int) -> None:
        nonlocal left
        left -= 1
        if not left:
            parent.send(None)
            left = parent.recv()
            if left is None:
                raise _OverError

    try:
        if left is not None:
            train(after_batch)
            raise RuntimeError("the training came to its end")
    except (_OverError, EOFError):  # EOFError: the parent is gone
        return
    except Exception as error:  # it is raised where the turn is waited for
        parent.send(error)
        parent.recv()


def prepare(folder: Path) -> Contest:
    """Ten clips a turn."""
    return contest(folder, "sononet3d-16")


def contest(folder: Path, network: str, size: Size = FULL, *, rounds: int = ROUNDS) -> Contest:
    """The plain way and ours; the table of what lies between them is told first."""
    with ExitStack() as stack:
        ways = _ways(write_data(folder, size), network, folder, size, stack)
        print(_table(network, ways, rounds=rounds), file=sys.stderr)
        end = stack.pop_all().close
    works = list(ways.values())
    return Contest(
        baseline="a plain PyTorch script (PNG each epoch, per-sample transforms, eager float32)",
        piece="clip",
        run_baseline=works[0],
        run_ours=works[-1],
        end=end,
    )


def train_ours(
    data: Data,
    network: str,
    *,
    folder: Path,
    settings: TrainingSettings,
    times: int = 1,
    on_step: Callable[[int, int], None] = lambda done, total: None,
) -> Fitted:
    """One epoch in which every clip comes so many times."""
    return fit(
        build(network_spec(network, n_classes=len(CLASSES)), seed=0),
        data.card,
        data.ours(times),
        data.ours(),
        training=settings,
        augmentation=AUGMENTATION,
        folder=folder,
        on_step=on_step,
    )


def write_data(folder: Path, size: Size) -> Data:
    """Sweeps as PNG frames, the archive that is prepared from them, and the clips of both."""
    height, width = size.frame
    n_frames = max(size.clips * size.length, 20)
    settings = PhantomSettings(height=height, width=width, frames=n_frames)
    exams = list(simulate("liver-sweep", patients=size.exams, exams=(1, 1), seed=1, settings=settings))
    for exam in exams:
        write_png_folder(exam, folder / "frames" / exam.id)
    splits = {exam.patient: "train" for exam in exams}
    labels = write_labels_csv(exams, folder / "labels.csv", splits=splits)
    geometry = {"height": size.side, "width": size.side, "fit": "stretch", "normalization": "unit"}
    recipe = layered({"input": geometry, "store": {"sheet": False}})
    archive = folder / "archive"
    prepare_archive([folder / "frames"], archive, labels={"plane": labels}, recipe=recipe)

    names = {recording: id for id, recording in open_private(archive, is_begun=True).names.items()}
    frames = np.arange(size.clips * size.length).reshape(size.clips, size.length)
    clips, samples = [], []
    for exam in exams:
        paths = sorted((folder / "frames" / exam.id).iterdir())
        targets = [CLASSES.index(exam.label(int(clip[-1]))) for clip in frames]
        clips += [([paths[i] for i in clip], target) for clip, target in zip(frames, targets, strict=True)]
        samples.append(
            Samples(recording=names[exam.id], frames=frames, targets=np.array(targets, np.int64)[:, None])
        )
    return Data(
        plain=old_training.FrameClips(clips, size.side),
        archive=archive,
        samples=tuple(samples),
        card=input_card(recipe.input, CLASSES),
    )


def _ways(data: Data, network: str, folder: Path, size: Size, stack: ExitStack) -> dict[str, Work]:
    """From the plain way to ours, a measure more with each; the trainings end with `stack`."""

    def standing(train: Callable[[Callable[[int, int], None]], object]) -> Work:
        return partial(_turn, stack.enter_context(Standing(train, threads=size.threads)), size)

    def plain(clips: Dataset[tuple[Tensor, int]]) -> Work:
        return standing(partial(_train_plainly, clips, network))

    def ours(name: str, **changes: object) -> Work:
        settings = SAME.model_copy(update=changes)
        return standing(partial(_train_ours, data, network, folder / name, settings))

    return {
        "the plain way": plain(data.plain),
        "+ archive in place of PNG": plain(ArchiveClips(data.ours())),
        "+ batched, memory is kept": ours("batched"),
        "+ channels-last": ours("channels-last", channels_last=True),
        "+ bf16": ours("bf16", **FAST),
    }


def _train_plainly(
    clips: Dataset[tuple[Tensor, int]], network: str, on_step: Callable[[int, int], None]
) -> None:
    built = build(network_spec(network, n_classes=len(CLASSES)), seed=0)
    for _ in old_training.train(built, clips, batch=SAME.batch):
        on_step(0, 0)


def _train_ours(
    data: Data, network: str, folder: Path, settings: TrainingSettings, on_step: Callable[[int, int], None]
) -> None:
    train_ours(data, network, folder=folder, settings=settings, times=10**4, on_step=on_step)


def _turn(training: Standing, size: Size) -> int:
    training.steps(size.turn)
    return size.turn * SAME.batch


def _table(network: str, ways: dict[str, Work], *, rounds: int) -> str:
    """Clips a second of every way, the median of a few rounds in turns after one to warm up."""
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(1 + rounds):
        for name, work in ways.items():
            start = time.perf_counter()
            rates[name].append(work() / (time.perf_counter() - start))
    lines = [f"{network:<28}  clips/s  times the plain way  times the row above"]
    first = before = None
    for name, found in rates.items():
        rate = float(np.median(found[1:]))
        first, before = first or rate, before or rate
        lines.append(f"{name:<28}  {rate:7.2f}  {rate / first:19.2f}  {rate / before:19.2f}")
        before = rate
    return "\n".join(lines)
