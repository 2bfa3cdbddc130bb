"""Labelled frames of an archive, ready for the network but for values and augmentation."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor
from torch.utils.data import Dataset

from sonoplane.frames.archive import Archive
from sonoplane.models.card import Card
from sonoplane.records import Box

__all__ = ["Batch", "FrameDataset"]


class Batch(NamedTuple):
    """Prepared frames and their classes."""

    images: UInt8[Tensor, "batch height width"] | UInt8[Tensor, "batch height width 3"]
    targets: Int64[Tensor, "batch"]


class FrameDataset(Dataset[Batch]):
    """Every labelled frame of some recordings, in the card's geometry.

    Recordings are kept in memory when all of them fit into `cache_bytes`; else frames are read from the archive
    as they are asked for. Gray and color recordings may be mixed: gray ones are then repeated over the channels.
    """

    def __init__(
        self,
        archive: Archive,
        card: Card,
        targets: dict[str, Int64[np.ndarray, "time"]],
        *,
        every: int = 1,
        cache_bytes: float = 0,
    ) -> None:
        self._archive = archive
        self._card = card
        self._resize = archive.geometry == "source"
        entries = [archive.entry(name) for name in targets]
        self._color = any(entry.color for entry in entries)
        self._where = [
            (name, int(frame)) for name in targets for frame in np.flatnonzero(targets[name] >= 0)[::every]
        ]
        self.targets = np.array([targets[name][frame] for name, frame in self._where], dtype=np.int64)
        pixels = sum(entry.n_frames for entry in entries) * card.size[0] * card.size[1]
        fits = pixels * (3 if self._color else 1) <= cache_bytes
        self._cache = {name: self._read(name, None) for name in targets} if fits else {}

    @property
    def recordings(self) -> tuple[str, ...]:
        """Which recording each frame is of."""
        return tuple(name for name, _ in self._where)

    def __len__(self) -> int:
        return len(self._where)

    def __getitem__(self, index: int) -> Batch:
        return self.__getitems__([index])

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """One batch: each recording is opened once, however many of its frames are asked for."""
        images: dict[int, np.ndarray] = {}
        for name in {self._where[i][0] for i in indices}:
            mine = [i for i in indices if self._where[i][0] == name]
            frames = [self._where[i][1] for i in mine]
            read = self._cache[name][frames] if name in self._cache else self._read(name, frames)
            images.update(zip(mine, read, strict=True))
        return Batch(
            images=torch.from_numpy(np.stack([images[i] for i in indices])),
            targets=torch.from_numpy(self.targets[list(indices)]),
        )

    def _read(self, name: str, frames: list[int] | None) -> np.ndarray:
        """Frames of one recording in the card's geometry; None reads all of them."""
        raw = self._archive.read(name, 0, None) if frames is None else self._archive.read_frames(name, frames)
        if self._resize:
            whole = Box(left=0, top=0, right=raw.shape[2], bottom=raw.shape[1])
            raw = np.stack([self._card.geometry(image, whole) for image in raw])
        return np.repeat(raw[..., None], 3, axis=-1) if self._color and raw.ndim == 3 else raw
