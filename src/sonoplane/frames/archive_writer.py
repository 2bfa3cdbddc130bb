"""Writes prepared recordings into an archive, whole or not at all, so that a killed job can go on."""

import hashlib
import io
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any, TypeAlias

import numpy as np
import polars as pl
import zarr
from zarr.codecs import ZstdCodec

from sonoplane.errors import DamagedRecording, LabelError, UsageError
from sonoplane.frames.archive_layout import (
    ARCHIVE,
    EXTRAS,
    FORMAT,
    MANIFEST,
    PIXELS,
    RECORDINGS,
    TIMES,
    folder_of,
    head_of,
    head_path,
    labels_path,
    text_path,
)
from sonoplane.frames.archive_place import Place, place_of
from sonoplane.frames.entries import Entry, EntryFacts, entry_to_json, is_safe_name, manifest_of
from sonoplane.records import Frame, Image, Label

__all__ = ["LABEL_COLUMNS", "ArchiveWriter", "Arrays", "create_archive"]

#: The columns of a label table.
LABEL_COLUMNS: dict[str, pl.DataType | type[pl.DataType]] = {
    "recording": pl.String, "label": pl.String, "start": pl.Int64, "stop": pl.Int64,
    "patient": pl.String, "centre": pl.String, "split": pl.String,
}  # fmt: skip

Arrays: TypeAlias = Mapping[str, np.ndarray]
"""`subsample`: indices of the chosen frames (int64); `fingerprint`: perceptual hashes (uint8, `samples bytes`)."""

_CHUNK_FRAMES = 16
_CHUNK_BYTES = 16 << 20


def create_archive(place: Path | str, *, geometry: str, settings: dict[str, Any]) -> "ArchiveWriter":
    """Start an archive in a folder or at a URL that is empty or missing, or go on with the one that is there.

    `geometry` is `source` or `card:<hash>`; `settings` (JSON values) tell how the recordings were prepared.
    An archive goes on only under the geometry and settings it was begun with. Several processes may write
    different recordings at once; the last to close writes the manifest of all.
    """
    if geometry != "source" and not (geometry.startswith("card:") and len(geometry) > len("card:")):
        raise UsageError(f"'{geometry}' is no geometry of an archive.", advice="Give source or card:<hash>.")
    head = {"format": FORMAT, "geometry": geometry, "settings": json.loads(json.dumps(settings))}
    where = place_of(place)
    others = where.names("")
    begun = where.read(ARCHIVE)
    if begun is None and others:
        raise UsageError(
            f"'{where.name}' exists and is not an archive.", advice="Choose an empty or a new folder."
        )
    if begun is None:
        where.write(ARCHIVE, json.dumps(head, indent=2).encode())
    elif _json(begun) != head:
        raise UsageError(
            f"The archive '{where.name}' was begun with another format, geometry or other settings.",
            advice="Go on with the settings it was begun with, or choose another folder.",
        )
    return ArchiveWriter(where, geometry=geometry)


class ArchiveWriter:
    """An archive being written: use it in a `with` statement, which writes the manifest at its end.

    It may be pickled: each of several processes adds recordings to its own copy, and one closes at the end.
    """

    def __init__(self, place: Place, *, geometry: str) -> None:
        self.place = place
        self.geometry = geometry

    def __enter__(self) -> "ArchiveWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def has(self, id: str) -> bool:
        """Whether this recording is already there, whole."""
        return self.place.read(head_path(id)) is not None

    def add(
        self,
        facts: EntryFacts,
        frames: Iterable[Frame],
        *,
        arrays: Callable[[], Arrays] | None = None,
        anew: bool = False,
    ) -> Entry:
        """Write one recording: it appears at once when its last frame is written, or not at all.

        All frames have one size and color; a chunk of them is in memory at a time. Times are kept where every
        frame has one. `arrays` is asked after the last frame what else to keep beside the pixels. `anew` takes the
        place of a recording that is there: in a folder, once the new one is whole.
        """
        if not anew and self.has(facts.id):
            raise UsageError(
                f"Recording '{facts.id}' is already in the archive.",
                advice="Skip what `has` says is there, or remove it first.",
            )
        with self.place.appearing(folder_of(facts.id)) as store:
            written = _Pixels(facts.id, iter(frames), store(PIXELS))
            extras = {TIMES: written.times_s} | _checked(arrays() if arrays else {}, written.n_frames)
            for name, array in extras.items():
                _write(store(name), array)
            entry = Entry(**asdict(facts) | {"box": facts.box}, **written.facts, geometry=self.geometry)
            digests = {name: hashlib.sha256(array.tobytes()).hexdigest() for name, array in extras.items()}
            attributes = {"entry": entry_to_json(entry), "arrays": digests}
            zarr.create_group(store(""), attributes=attributes, zarr_format=3)
        return entry

    def remove(self, id: str) -> None:
        """Take a recording out, so that it can be written anew; nothing happens where there is none.

        Its labels stay.
        """
        self.place.remove(folder_of(id))

    def add_labels(self, task: str, rows: Sequence[Label]) -> None:
        """Write the label table of a task, in place of the one before."""
        if not is_safe_name(task):
            raise LabelError(f"'{task}' cannot name a task.", advice="Use letters, digits and hyphens.")
        table = pl.DataFrame([asdict(row) for row in rows], schema=LABEL_COLUMNS)
        self.place.write(labels_path(task), _parquet(table))

    def write_text(self, name: str, text: str) -> None:
        """Keep a small text beside the manifest, in place of the one of that name."""
        self.place.write(text_path(name), text.encode())

    def read_text(self, name: str) -> str | None:
        """The text of that name; None where there is none."""
        content = self.place.read(text_path(name))
        return None if content is None else content.decode()

    def close(self) -> None:
        """Write the manifest of all recordings that are there."""
        heads = self._heads({})
        while True:
            entries = [head_of(id, content).entry for id, content in heads.items()]
            self.place.write(MANIFEST, _parquet(manifest_of(entries)))
            written, heads = heads, self._heads(heads)
            if heads.keys() == written.keys():  # else another process added one and may have closed meanwhile
                return

    def _heads(self, known: Mapping[str, bytes]) -> dict[str, bytes]:
        """The heads of all recordings that are there now, reading those that are not known."""
        ids = [id for id in self.place.names(RECORDINGS) if is_safe_name(id)]
        read = self.place.read_each(head_path(id) for id in ids if id not in known)
        paths = {id: head_path(id) for id in ids}
        return {id: known.get(id) or read[paths[id]] for id in ids if id in known or paths[id] in read}


class _Pixels:
    """The pixels of a recording, written to the last frame, and all that is known of them."""

    def __init__(self, id: str, frames: Iterator[Frame], store: Any) -> None:
        first = next(frames, None)
        if first is None:
            raise DamagedRecording(f"Recording '{id}' has no frame.", advice="Leave it out.")
        self._shape = first.image.shape
        self._digest, self._times = hashlib.sha256(), list[float | None]()
        self._counts = np.zeros(766, np.int64)
        n_chunk = max(1, min(_CHUNK_FRAMES, _CHUNK_BYTES // first.image.nbytes))
        pixels = _array(store, (0, *self._shape), (n_chunk, *self._shape), "uint8")
        images: list[Image] = []
        for frame in chain([first], frames):
            if frame.image.shape != self._shape:
                raise DamagedRecording(
                    f"Frame {frame.index} of '{id}' has the shape {frame.image.shape}, not {self._shape}.",
                    advice="Leave the recording out, or cut it where its size changes.",
                )
            self._see(frame)
            images.append(frame.image)
            if len(images) == n_chunk:
                pixels.append(np.stack(images))
                images.clear()
        if images:
            pixels.append(np.stack(images))

    def _see(self, frame: Frame) -> None:
        image = np.ascontiguousarray(frame.image)
        self._digest.update(image.data)
        self._times.append(frame.time_s)
        # Counts of gray levels, or of sums of three channels: exact, and no threads of a BLAS beside the caller's.
        levels = image if image.ndim == 2 else image[..., 0].astype(np.uint16) + image[..., 1] + image[..., 2]
        self._counts += np.bincount(levels.ravel(), minlength=len(self._counts))

    @property
    def n_frames(self) -> int:
        return len(self._times)

    @property
    def times_s(self) -> np.ndarray:
        known = [time_s for time_s in self._times if time_s is not None]
        return np.array(known if len(known) == len(self._times) else [], np.float64)

    @property
    def facts(self) -> dict[str, Any]:
        """What an entry holds of them."""
        height, width, *colors = self._shape
        counts, scale = self._counts.tolist(), 3 if colors else 1
        n = sum(counts)
        total = sum(count * level for level, count in enumerate(counts))
        squares = sum(count * level**2 for level, count in enumerate(counts))
        return {
            "n_frames": self.n_frames,
            "height": height,
            "width": width,
            "color": bool(colors),
            "gray_mean": total / (n * scale),
            "gray_std": math.sqrt(n * squares - total**2) / (n * scale),
            "sha256": self._digest.hexdigest(),
        }


def _checked(arrays: Arrays, n_frames: int) -> dict[str, np.ndarray]:
    """The arrays in the types that they are kept in, in the order of their names."""
    kept = {}
    for name in sorted(arrays):
        if name not in EXTRAS:
            raise UsageError(f"An archive keeps no array '{name}'.", advice=f"It keeps: {', '.join(EXTRAS)}.")
        dtype, n_axes = EXTRAS[name]
        kept[name] = np.ascontiguousarray(arrays[name], dtype)
        if kept[name].ndim != n_axes or len(kept[name]) > n_frames:
            raise UsageError(
                f"The array '{name}' has the shape {kept[name].shape}.",
                advice=f"Give {n_axes} axes, of which the first is no longer than the {n_frames} frames.",
            )
    return kept


def _write(store: Any, values: np.ndarray) -> None:
    shape = values.shape
    _array(store, shape, tuple(max(1, size) for size in shape), str(values.dtype))[...] = values


def _array(store: Any, shape: tuple[int, ...], chunks: tuple[int, ...], dtype: str) -> Any:
    """An empty array; every chunk of it will be a file with a checksum of its own."""
    return zarr.create_array(
        store,
        shape=shape,
        chunks=chunks,
        dtype=dtype,
        compressors=ZstdCodec(level=3, checksum=True),
        fill_value=0,
        zarr_format=3,
        config={"write_empty_chunks": True},
    )


def _parquet(table: pl.DataFrame) -> bytes:
    content = io.BytesIO()
    table.write_parquet(content)
    return content.getvalue()


def _json(content: bytes) -> Any:
    """What the file holds; None where that is no JSON."""
    try:
        return json.loads(content)
    except ValueError:
        return None
