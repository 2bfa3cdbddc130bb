"""Writes prepared recordings into an archive, whole or not at all, so that a killed job can go on."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import polars as pl
import zarr
from zarr.codecs import ZstdCodec

from sonoplane.errors import DamagedRecording, LabelError, UsageError
from sonoplane.frames.entries import (
    Entry,
    EntryFacts,
    entry_from_json,
    entry_to_json,
    is_safe_name,
    manifest_of,
)
from sonoplane.records import Frame, Image, Label

__all__ = ["FORMAT", "LABEL_COLUMNS", "ArchiveWriter", "create_archive"]

#: The version of the layout on disk.
FORMAT = 1

#: The columns of a label table.
LABEL_COLUMNS: dict[str, pl.DataType | type[pl.DataType]] = {
    "recording": pl.String, "label": pl.String, "start": pl.Int64, "stop": pl.Int64,
    "patient": pl.String, "centre": pl.String, "split": pl.String,
}  # fmt: skip

_CHUNK_FRAMES = 16
_CHUNK_BYTES = 16 << 20


def create_archive(folder: Path, *, geometry: str, settings: dict[str, Any]) -> "ArchiveWriter":
    """Start an archive in a folder that is empty or missing, or go on with the one that is there.

    `geometry` is `source` or `card:<hash>`; `settings` (JSON values) tell how the recordings were prepared.
    An archive goes on only under the geometry and settings it was begun with. Several processes may write
    different recordings at once; the last to close writes the manifest of all.
    """
    if geometry != "source" and not (geometry.startswith("card:") and len(geometry) > len("card:")):
        raise UsageError(f"'{geometry}' is no geometry of an archive.", advice="Give source or card:<hash>.")
    head = {"format": FORMAT, "geometry": geometry, "settings": json.loads(json.dumps(settings))}
    file = folder / "archive.json"
    if file.is_file():
        if _json(file) != head:
            raise UsageError(
                f"The archive '{folder.name}' was begun with another format, geometry or other settings.",
                advice="Go on with the settings it was begun with, or choose another folder.",
            )
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(
            f"'{folder.name}' exists and is not an archive.", advice="Choose an empty or a new folder."
        )
    else:
        write_whole(file, json.dumps(head, indent=2).encode())
    (folder / "recordings").mkdir(exist_ok=True)
    return ArchiveWriter(folder, geometry=geometry)


class ArchiveWriter:
    """An archive being written: use it in a `with` statement, which writes the manifest at its end."""

    def __init__(self, folder: Path, *, geometry: str) -> None:
        self.folder = folder
        self.geometry = geometry

    def __enter__(self) -> "ArchiveWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def has(self, id: str) -> bool:
        """Whether this recording is already there, whole."""
        return (self.folder / "recordings" / id / "zarr.json").is_file()

    def add(
        self,
        facts: EntryFacts,
        frames: Iterable[Frame],
        *,
        subsample: Callable[[], Sequence[int]] | None = None,
    ) -> Entry:
        """Write one recording: it appears at once when its last frame is written, or not at all.

        All frames have one size and color; a chunk of them is in memory at a time. Times are kept where every
        frame has one. `subsample` is asked after the last frame which of them a sub-sampling chose; all are stored.
        """
        if self.has(facts.id):
            raise UsageError(
                f"Recording '{facts.id}' is already in the archive.", advice="Skip what `has` says is there."
            )
        place = self.folder / "recordings" / facts.id
        for left in place.parent.glob(f".{_escaped(facts.id)}.*.part"):
            shutil.rmtree(left, ignore_errors=True)
        part = Path(tempfile.mkdtemp(prefix=f".{facts.id}.", suffix=".part", dir=place.parent))
        try:
            entry = self._write(part, facts, iter(frames), subsample)
            part.chmod(0o755)
            part.replace(place)
        finally:
            shutil.rmtree(part, ignore_errors=True)
        return entry

    def add_labels(self, task: str, rows: Sequence[Label]) -> None:
        """Write the label table of a task, in place of the one before."""
        if not is_safe_name(task):
            raise LabelError(f"'{task}' cannot name a task.", advice="Use letters, digits and hyphens.")
        table = pl.DataFrame([asdict(row) for row in rows], schema=LABEL_COLUMNS)
        write_table(self.folder / "labels" / f"{task}.parquet", table)

    def close(self) -> None:
        """Write the manifest of all recordings that are there."""
        heads = (self.folder / "recordings").glob("[!.]*/zarr.json")
        entries = [_entry(head) for head in heads]
        write_table(self.folder / "manifest.parquet", manifest_of(entries))

    def _write(
        self,
        part: Path,
        facts: EntryFacts,
        frames: Iterator[Frame],
        subsample: Callable[[], Sequence[int]] | None,
    ) -> Entry:
        first = next(frames, None)
        if first is None:
            raise DamagedRecording(f"Recording '{facts.id}' has no frame.", advice="Leave it out.")
        shape = first.image.shape
        n_chunk = max(1, min(_CHUNK_FRAMES, _CHUNK_BYTES // first.image.nbytes))
        group = zarr.open_group(part, mode="w", zarr_format=3)
        pixels = group.create_array(
            "pixels",
            shape=(0, *shape),
            chunks=(n_chunk, *shape),
            dtype="uint8",
            compressors=ZstdCodec(level=3),
        )
        digest, times = hashlib.sha256(), list[float | None]()
        images: list[Image] = []
        for frame in chain([first], frames):
            if frame.image.shape != shape:
                raise DamagedRecording(
                    f"Frame {frame.index} of '{facts.id}' has the shape {frame.image.shape}, not {shape}.",
                    advice="Leave the recording out, or cut it where its size changes.",
                )
            digest.update(frame.image.tobytes())
            times.append(frame.time_s)
            images.append(frame.image)
            if len(images) == n_chunk:
                pixels.append(np.stack(images))
                images.clear()
        if images:
            pixels.append(np.stack(images))
        known = [time_s for time_s in times if time_s is not None]
        group.create_array("times_s", data=np.array(known if len(known) == len(times) else [], np.float64))
        if subsample is not None:
            group.create_array("subsample", data=np.array(subsample(), np.int64))
        entry = Entry(
            **asdict(facts) | {"box": facts.box},
            n_frames=len(times),
            height=shape[0],
            width=shape[1],
            color=len(shape) == 3,
            sha256=digest.hexdigest(),
            geometry=self.geometry,
        )
        group.attrs["entry"] = entry_to_json(entry)
        return entry


def write_whole(file: Path, content: bytes) -> None:
    """Write a file so that no reader ever sees half of it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    part.write_bytes(content)
    part.replace(file)


def write_table(file: Path, table: pl.DataFrame) -> None:
    """Write a table as Parquet so that no reader ever sees half of it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    table.write_parquet(part)
    part.replace(file)


def _json(file: Path) -> Any:
    """What the file holds; None where that is no JSON."""
    try:
        return json.loads(file.read_text("utf-8"))
    except ValueError:
        return None


def _entry(head: Path) -> Entry:
    """The entry that is kept beside the pixels of a recording."""
    try:
        return entry_from_json(_json(head)["attributes"]["entry"])
    except (KeyError, TypeError) as error:
        raise DamagedRecording(
            f"Recording '{head.parent.name}' of the archive is damaged.",
            advice="Delete its folder and prepare it again.",
        ) from error


def _escaped(name: str) -> str:
    """The name with what a glob pattern would read as a wildcard taken literally."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)
