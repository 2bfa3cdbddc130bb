"""Finds what in an archive is not as it was written."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from sonoplane.errors import DamagedRecording, LabelError
from sonoplane.frames.archive_layout import EXTRAS, RECORDINGS, TIMES, Head, head_of, head_path
from sonoplane.frames.entries import Entry, is_safe_name

if TYPE_CHECKING:
    from sonoplane.frames.archive import Archive

__all__ = ["problems_of"]

#: How many frames are in memory at a time.
_FRAMES = 64


def problems_of(archive: "Archive") -> Iterator[str]:
    """A sentence for each problem of recordings and labels, in the order of their names, with what to do about it."""
    ids = {id for id in archive.place.names(RECORDINGS) if is_safe_name(id)}
    told = {entry.id: entry for entry in archive.entries if is_safe_name(entry.id)}
    heads = archive.place.read_each(head_path(id) for id in sorted(ids | told.keys()))
    for id in sorted(ids | told.keys()):
        content = heads.get(head_path(id))
        if id in told and content is None:
            yield f"Recording '{id}' is in the manifest but not in the archive. Prepare it again."
        elif content is not None:
            try:
                yield from _problems_of_recording(archive, told.get(id), head_of(id, content))
            except DamagedRecording as error:
                yield str(error)
    for task in archive.tasks:
        yield from _problems_of_labels(archive, task)


def _problems_of_recording(archive: "Archive", entry: Entry | None, head: Head) -> Iterator[str]:
    again, id = "Delete its folder and prepare it again.", head.entry.id
    if entry is None:
        yield f"Recording '{id}' is not in the manifest. Run the same preparation again to finish it."
        return
    if entry != head.entry:
        yield f"The manifest and the folder of recording '{id}' say different things. {again}"
        return
    if _digest_of_pixels(archive, entry) != entry.sha256:
        yield f"The pixels of recording '{id}' are not those that were written. {again}"
    for name in (TIMES, *EXTRAS):
        values = _values(archive, id, name)
        digest = None if values is None else hashlib.sha256(values.tobytes()).hexdigest()
        if digest != head.arrays.get(name):
            yield f"The array '{name}' of recording '{id}' is not the one that was written. {again}"


def _digest_of_pixels(archive: "Archive", entry: Entry) -> str:
    digest = hashlib.sha256()
    for start in range(0, entry.n_frames, _FRAMES):
        frames = archive.read(entry.id, start, min(start + _FRAMES, entry.n_frames))
        digest.update(np.ascontiguousarray(frames).data)
    return digest.hexdigest()


def _values(archive: "Archive", id: str, name: str) -> np.ndarray | None:
    if name != TIMES:
        return archive.extra(id, name)
    times = archive.times_s(id)
    return np.empty(0) if times is None else times


def _problems_of_labels(archive: "Archive", task: str) -> Iterator[str]:
    try:
        rows = archive.labels(task)
    except LabelError as error:
        yield str(error)
        return
    lengths = {entry.id: entry.n_frames for entry in archive.entries}
    absent = Counter(row.recording for row in rows if row.recording not in lengths)
    for id, count in sorted(absent.items()):
        yield (
            f"The labels of '{task}' hold {count} rows of recording '{id}', which is not in the archive."
            " Prepare it, or prepare again with labels that leave it out."
        )
    past = Counter(
        row.recording for row in rows if (row.stop or 0) > lengths.get(row.recording, row.stop or 0)
    )
    for id, count in sorted(past.items()):
        yield (
            f"The labels of '{task}' hold {count} rows past the last frame of recording '{id}'."
            " Mend them and prepare again."
        )
