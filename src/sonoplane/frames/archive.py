"""Prepared recordings on disk or at a URL, read by frame number."""

import io
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import polars as pl
import zarr
from jaxtyping import Float64, Int64, UInt8

from sonoplane.errors import LabelError, SonoplaneError, UsageError
from sonoplane.frames.archive_check import problems_of
from sonoplane.frames.archive_layout import (
    ARCHIVE,
    EXTRAS,
    FORMAT,
    LABELS,
    MANIFEST,
    PIXELS,
    TIMES,
    array_problem,
    damaged,
    folder_of,
    labels_path,
    text_path,
)
from sonoplane.frames.archive_place import HEAD, Place, place_of
from sonoplane.frames.entries import Entry, read_manifest
from sonoplane.records import Label

__all__ = ["Archive", "open_archive"]

Pixels: TypeAlias = UInt8[np.ndarray, "time height width *color"]
"""Consecutive or chosen frames: gray, or with a last axis of 3 colors."""


def open_archive(place: Path | str) -> "Archive":
    """Open a finished archive for reading: a folder, or a URL such as `s3://bucket/archive`.

    Raises:
        UsageError: no archive is there, or it was not finished, or it is of another format.
        DownloadError: the URL cannot be reached.
        MissingExtra: the package that reaches such a URL is not installed.
    """
    return Archive(place_of(place))


class Archive:
    """An archive open for reading; it may be pickled, and its recordings may be read after a fork.

    Its label tables may not: polars, which reads them, hangs in a forked process. Read them before, or start
    processes by `spawn`.

    It holds `archive.json`, `manifest.parquet`, `labels/<task>.parquet`, small texts, and for each recording a zarr
    group `recordings/<id>` with the arrays `pixels` (uint8, time height width [3], zstd), `times_s` and, where they
    were given, `subsample` (the indices of the frames that were chosen) and `fingerprint`.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        head = _head(place)
        self.geometry: str = head["geometry"]
        self.settings: dict[str, Any] = head["settings"]
        self.entries: tuple[Entry, ...] = _entries(place)
        self._by_id = {entry.id: entry for entry in self.entries}
        self._open: dict[tuple[int, str, str], Any] = {}

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_open": {}}

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def name(self) -> str:
        """The last part of where it lies."""
        return self.place.name

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
        return self._read(id, PIXELS, slice(start, stop))

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
            return self._read(id, PIXELS, slice(0, 0))
        unique, places = np.unique(wanted, return_inverse=True)
        return np.asarray(self._read(id, PIXELS, unique)[places])

    def times_s(self, id: str) -> Float64[np.ndarray, "time"] | None:
        """Seconds of every frame since frame 0; None where the source has no frame times."""
        times = self._read(id, TIMES, slice(None))
        return times if len(times) else None

    def subsample(self, id: str) -> Int64[np.ndarray, "chosen"]:
        """The frames that the sub-sampling chose, ascending; all of them where there was none."""
        chosen = self.extra(id, "subsample")
        return np.arange(self.entry(id).n_frames) if chosen is None else chosen

    def fingerprint(self, id: str) -> UInt8[np.ndarray, "samples bytes"]:
        """Perceptual hashes of some of its frames; none where none were kept."""
        hashes = self.extra(id, "fingerprint")
        return np.empty((0, 0), np.uint8) if hashes is None else hashes

    def extra(self, id: str, name: str) -> np.ndarray | None:
        """An array that was kept beside the pixels; None where it was not."""
        self.entry(id)
        if name not in EXTRAS or self.place.read(f"{folder_of(id)}/{name}/{HEAD}") is None:
            return None
        return self._read(id, name, slice(None))

    @property
    def tasks(self) -> tuple[str, ...]:
        """The names of the label tables."""
        names = self.place.names(LABELS)
        return tuple(sorted(name.removesuffix(".parquet") for name in names if name.endswith(".parquet")))

    def labels(self, task: str) -> tuple[Label, ...]:
        """The label table of a task."""
        if task not in self.tasks:
            raise LabelError(
                f"The archive has no labels for the task '{task}'.",
                advice=f"It has: {', '.join(self.tasks) or 'none'}.",
            )
        try:
            table = _table(self.place, labels_path(task))
            return tuple(Label(**row) for row in table.iter_rows(named=True))
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError, TypeError):
            raise LabelError(
                f"The labels of the task '{task}' are damaged.", advice="Prepare the archive again with them."
            ) from None

    def read_text(self, name: str) -> str | None:
        """A small text that was kept beside the manifest; None where there is none of that name."""
        content = self.place.read(text_path(name))
        try:
            return None if content is None else content.decode()
        except ValueError:
            raise UsageError(f"'{name}' of the archive is damaged.", advice="Write it again.") from None

    def verify(self) -> list[str]:
        """Read everything; for each thing that is not as it was written, a sentence with what to do about it.

        Raises:
            DownloadError: the archive cannot be reached.
        """
        return list(problems_of(self))

    def _read(self, id: str, name: str, which: Any) -> np.ndarray:
        array = self._array(id, name)
        try:
            return np.asarray(array.oindex[which])
        except SonoplaneError:
            raise
        except Exception as error:  # whatever zarr and its codecs make of altered files
            raise damaged(id) from error

    def _array(self, id: str, name: str) -> Any:
        entry = self.entry(id)
        key = os.getpid(), id, name  # no connection to a store survives a fork
        if key not in self._open:
            try:
                path = f"{folder_of(id)}/{name}"
                array = zarr.open_array(self.place.store(), path=path, mode="r", zarr_format=3)
            except SonoplaneError:
                raise
            except Exception as error:
                raise damaged(id) from error
            if problem := array_problem(entry, name, array.shape, str(array.dtype)):
                raise damaged(id, f": its array '{name}' has {problem}")
            self._open[key] = array
        return self._open[key]


def _head(place: Place) -> dict[str, Any]:
    try:
        head = json.loads(place.read(ARCHIVE) or b"")
        found = head["format"], head["geometry"], head["settings"]
    except (OSError, ValueError, KeyError, TypeError):
        raise UsageError(
            f"'{place.name}' is not an archive.",
            advice="Give a folder or URL made by `sonoplane prepare SOURCE --out ARCHIVE`.",
        ) from None
    if found[0] != FORMAT:
        raise UsageError(
            f"The archive '{place.name}' has format {found[0]}; this version reads format {FORMAT}.",
            advice="Use the version of sonoplane that made it, or prepare it again.",
        )
    return dict(head)


def _entries(place: Place) -> tuple[Entry, ...]:
    try:
        return read_manifest(_table(place, MANIFEST))
    except FileNotFoundError:
        raise UsageError(
            f"The archive '{place.name}' was not finished.",
            advice="Prepare it again with the same settings: what is there is kept.",
        ) from None
    except SonoplaneError:
        raise
    except (Exception, pl.exceptions.PanicException) as error:
        raise UsageError(
            f"The manifest of the archive '{place.name}' is damaged.",
            advice="Prepare it again with the same settings: the recordings are kept.",
        ) from error


def _table(place: Place, path: str) -> pl.DataFrame:
    content = place.read(path)
    if content is None:
        raise FileNotFoundError
    return pl.read_parquet(io.BytesIO(content))
