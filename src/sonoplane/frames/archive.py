"""Prepared recordings on disk, read by frame number."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import polars as pl
import zarr
from jaxtyping import Float64, Int64, UInt8

from sonoplane.errors import DamagedRecording, LabelError, UsageError
from sonoplane.frames.archive_writer import FORMAT
from sonoplane.frames.entries import Entry, read_manifest
from sonoplane.records import Label

__all__ = ["Archive", "open_archive"]

Pixels: TypeAlias = UInt8[np.ndarray, "time height width *color"]
"""Consecutive or chosen frames: gray, or with a last axis of 3 colors."""

_VERIFY_FRAMES = 64


def open_archive(folder: Path) -> "Archive":
    """Open a finished archive for reading."""
    return Archive(folder)


class Archive:
    """An archive open for reading; it may be pickled and used after a fork.

    On disk: `archive.json`, `manifest.parquet`, `labels/<task>.parquet`, and for each recording a zarr group
    `recordings/<id>` with the arrays `pixels` (uint8, time height width [3], zstd), `times_s` and, where frames were
    sub-sampled, `subsample`: their indices.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        head = _head(folder)
        self.geometry: str = head["geometry"]
        self.settings: dict[str, Any] = head["settings"]
        try:
            self.entries: tuple[Entry, ...] = read_manifest(pl.read_parquet(folder / "manifest.parquet"))
        except FileNotFoundError:
            raise UsageError(
                f"The archive '{folder.name}' was not finished.",
                advice="Prepare it again with the same settings: what is there is kept.",
            ) from None
        except (pl.exceptions.PolarsError, OSError, KeyError, TypeError) as error:
            raise UsageError(
                f"The manifest of the archive '{folder.name}' is damaged.",
                advice="Prepare it again with the same settings: the recordings are kept.",
            ) from error
        self._by_id = {entry.id: entry for entry in self.entries}
        self._open: dict[str, Any] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return Archive, (self.folder,)

    def __len__(self) -> int:
        return len(self.entries)

    def entry(self, id: str) -> Entry:
        """The entry of this recording."""
        try:
            return self._by_id[id]
        except KeyError:
            raise UsageError(
                f"The archive has no recording '{id}'.", advice="See its manifest for the ids it has."
            ) from None

    def read(self, id: str, start: int = 0, stop: int | None = None) -> Pixels:
        """Frames `start` to `stop` (exclusive; None: to the end) of a recording."""
        n_frames = self.entry(id).n_frames
        stop = n_frames if stop is None else stop
        if not 0 <= start <= stop <= n_frames:
            raise UsageError(
                f"Recording '{id}' has {n_frames} frames; {start} to {stop} were asked for.",
                advice="Ask for frames between 0 and the recording's length.",
            )
        return self._pixels(id, slice(start, stop))

    def read_frames(self, id: str, indices: Sequence[int]) -> Pixels:
        """These frames of a recording, in this order; a frame may be asked for more than once."""
        n_frames = self.entry(id).n_frames
        wanted = np.asarray(indices, dtype=np.int64)
        if wanted.size and (wanted.min() < 0 or wanted.max() >= n_frames):
            raise UsageError(
                f"Recording '{id}' has {n_frames} frames; others were asked for.",
                advice="Ask for frames between 0 and the recording's length.",
            )
        if not wanted.size:
            return self._pixels(id, slice(0, 0))
        unique, places = np.unique(wanted, return_inverse=True)
        return np.asarray(self._pixels(id, unique)[places])

    def times_s(self, id: str) -> Float64[np.ndarray, "time"] | None:
        """Seconds of every frame since frame 0; None where the source has no frame times."""
        times = np.asarray(self._array(id, "times_s")[:])
        return times if len(times) == self.entry(id).n_frames else None

    def subsample(self, id: str) -> Int64[np.ndarray, "chosen"]:
        """The frames that the sub-sampling chose, ascending; all of them where there was none."""
        self.entry(id)
        if not (self.folder / "recordings" / id / "subsample").exists():
            return np.arange(self.entry(id).n_frames)
        return np.asarray(self._array(id, "subsample")[:])

    @property
    def tasks(self) -> tuple[str, ...]:
        """The names of the label tables."""
        return tuple(sorted(file.stem for file in (self.folder / "labels").glob("[!.]*.parquet")))

    def labels(self, task: str) -> tuple[Label, ...]:
        """The label table of a task."""
        if task not in self.tasks:
            raise LabelError(
                f"The archive has no labels for the task '{task}'.",
                advice=f"It has: {', '.join(self.tasks) or 'none'}.",
            )
        table = pl.read_parquet(self.folder / "labels" / f"{task}.parquet")
        return tuple(Label(**row) for row in table.iter_rows(named=True))

    def verify(self) -> list[str]:
        """Read everything; a sentence for every recording whose pixels are not what was written."""
        problems = []
        for entry in self.entries:
            try:
                digest, n_frames = hashlib.sha256(), 0
                for start in range(0, entry.n_frames, _VERIFY_FRAMES):
                    frames = self.read(entry.id, start, min(start + _VERIFY_FRAMES, entry.n_frames))
                    n_frames += len(frames)
                    digest.update(frames.tobytes())
            except DamagedRecording as error:
                problems.append(error.message)
                continue
            if n_frames != entry.n_frames or digest.hexdigest() != entry.sha256:
                problems.append(f"The pixels of recording '{entry.id}' are not those that were written.")
        return problems

    def _pixels(self, id: str, which: Any) -> Pixels:
        pixels = self._array(id, "pixels")
        try:
            return np.asarray(pixels.oindex[which])
        except (OSError, ValueError, RuntimeError) as error:
            raise _damaged(id) from error

    def _array(self, id: str, name: str) -> Any:
        self.entry(id)
        key = f"{id}/{name}"
        if key not in self._open:
            try:
                self._open[key] = zarr.open_array(self.folder / "recordings" / id / name, mode="r")
            except (OSError, ValueError, KeyError) as error:
                raise _damaged(id) from error
        return self._open[key]


def _head(folder: Path) -> dict[str, Any]:
    try:
        head = json.loads((folder / "archive.json").read_text("utf-8"))
        found = head["format"], head["geometry"], head["settings"]
    except (OSError, ValueError, KeyError, TypeError):
        raise UsageError(
            f"'{folder.name}' is not an archive.",
            advice="Give a folder made by `sonoplane prepare SOURCE --out ARCHIVE`.",
        ) from None
    if found[0] != FORMAT:
        raise UsageError(
            f"The archive '{folder.name}' has format {found[0]}; this version reads format {FORMAT}.",
            advice="Use the version of sonoplane that made it, or prepare it again.",
        )
    return dict(head)


def _damaged(id: str) -> DamagedRecording:
    return DamagedRecording(
        f"Recording '{id}' of the archive is damaged.", advice="Delete its folder and prepare it again."
    )
