"""Samples of an archive's recordings, ready for the network but for values and augmentation."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from sonoplane.clips.labels import UNLABELLED
from sonoplane.errors import UsageError
from sonoplane.frames.archive import Archive
from sonoplane.models.card import Card
from sonoplane.records import Box
from sonoplane.training.samples import Samples

__all__ = ["NO_SAMPLE", "Batch", "ClipDataset"]

#: In the place of a sample's number: one that does not count, so that every process has batches of one size.
NO_SAMPLE = -1


class Batch(NamedTuple):
    """Prepared clips and their classes."""

    images: UInt8[Tensor, "batch time height width"] | UInt8[Tensor, "batch time height width 3"]
    """Of a frame by itself, time is 1."""
    targets: Int64[Tensor, "batch answers"]
    """One, or one for each frame; -1 does not count."""
    numbers: Int64[Tensor, "batch"]
    """Which samples of the data set they are; -1: none."""


class ClipDataset:
    """The samples of some recordings, in the card's geometry, read a batch at a time.

    Recordings are kept in memory when all of them fit into `cache_bytes`; else frames are read from the archive
    as they are asked for. Gray and color recordings may be mixed: gray ones are then repeated over the channels.
    Several threads may read at once.
    """

    def __init__(
        self, archive: Archive, card: Card, samples: Sequence[Samples], *, cache_bytes: float = 0
    ) -> None:
        used = [made for made in samples if len(made)]
        if len({made.frames.shape[1] for made in used}) > 1:
            raise UsageError(
                "Clips of several lengths cannot be learned together.",
                advice="Give `windows` a kind other than whole.",
            )
        length = used[0].frames.shape[1] if used else 1
        answers = used[0].targets.shape[1] if used else 1
        self._archive = archive
        self._card = card
        self._resize = archive.geometry == "source"
        self._names = [made.recording for made in used]
        self._of = np.repeat(np.arange(len(used)), [len(made) for made in used])
        self._frames = np.concatenate([np.empty((0, length), np.int64), *(made.frames for made in used)])
        self.targets: Int64[np.ndarray, "samples answers"] = np.concatenate(
            [np.empty((0, answers), np.int64), *(made.targets for made in used)]
        )
        entries = [archive.entry(name) for name in self._names]
        self._color = any(entry.color for entry in entries)
        pixels = sum(entry.n_frames for entry in entries) * card.size[0] * card.size[1]
        fits = pixels * (3 if self._color else 1) <= cache_bytes
        self._cache = {name: self._read(name, None) for name in self._names} if fits else {}

    def __len__(self) -> int:
        return len(self._of)

    @property
    def length(self) -> int:
        """Frames of a sample."""
        return int(self._frames.shape[1])

    @property
    def recordings(self) -> tuple[str, ...]:
        """Which recording each sample is of."""
        return tuple(self._names[place] for place in self._of)

    def batch(self, numbers: Int64[np.ndarray, "batch"]) -> Batch:
        """These samples: each recording is opened once, and no frame is decoded twice."""
        frames, of = self._frames[numbers], self._of[numbers]
        shape = (len(numbers), self.length, *self._card.size, *([3] if self._color else []))
        images = np.empty(shape, np.uint8)
        for place in np.unique(of):
            mine = of == place
            wanted, where = np.unique(frames[mine], return_inverse=True)
            images[mine] = self._some(self._names[place], wanted)[where.reshape(frames[mine].shape)]
        targets = np.where(numbers[:, None] == NO_SAMPLE, UNLABELLED, self.targets[numbers])
        return Batch(torch.from_numpy(images), torch.from_numpy(targets), torch.from_numpy(numbers))

    def _some(self, name: str, frames: Int64[np.ndarray, "some"]) -> np.ndarray:
        return self._cache[name][frames] if name in self._cache else self._read(name, frames.tolist())

    def _read(self, name: str, frames: list[int] | None) -> np.ndarray:
        """Frames of one recording in the card's geometry; None reads all of them."""
        raw = self._archive.read(name, 0, None) if frames is None else self._archive.read_frames(name, frames)
        if self._resize:
            whole = Box(left=0, top=0, right=raw.shape[2], bottom=raw.shape[1])
            raw = np.stack([self._card.geometry(image, whole) for image in raw])
        return np.repeat(raw[..., None], 3, axis=-1) if self._color and raw.ndim == 3 else raw
