"""Recordings whose number of frames is not what their file or their labels lead to expect, a row each."""

from collections.abc import Iterable, Mapping, Sequence

from sonoplane.clips.counts import CountedRecording, Row, Table
from sonoplane.records import Label

__all__ = ["FAR", "frame_mismatches"]

#: The share of a recording after its last label from which on it is told.
FAR = 0.5


def frame_mismatches(recordings: Sequence[CountedRecording], tasks: Mapping[str, Iterable[Label]]) -> Table:
    """`recording, expected, found, from, note`: what to look at, in the recordings' order.

    The file's header claims another number of frames than were decoded; or the labels of a task (name -> rows)
    end before half of the recording is over, as those of another cut of the video would.

    >>> sweep = CountedRecording(id="a", n_frames=58, patient="p1", n_claimed=60)
    >>> [row["note"] for row in frame_mismatches([sweep], {"view": [Label(recording="a", label="x", start=0, stop=8)]})]
    ['The file claims 60 frames, 58 were decoded.', "The labels of 'view' end after frame 7 of 58."]
    """
    reach: dict[tuple[str, str], int | None] = {}
    for task, rows in tasks.items():
        for row in rows:
            key = (row.recording, task)
            last = reach.get(key, 0)
            reach[key] = None if last is None or row.stop is None else max(last, row.stop)
    found: list[Row] = []
    for item in recordings:
        if item.n_claimed is not None and item.n_claimed != item.n_frames:
            note = f"The file claims {item.n_claimed} frames, {item.n_frames} were decoded."
            found.append(_row(item, item.n_claimed, "file", note))
        for task in tasks:
            stop = reach.get((item.id, task))
            if stop is not None and item.n_frames - stop > FAR * item.n_frames:
                note = f"The labels of '{task}' end after frame {stop - 1} of {item.n_frames}."
                found.append(_row(item, stop, f"labels of {task}", note))
    return tuple(found)


def _row(item: CountedRecording, expected: int, source: str, note: str) -> Row:
    return {
        "recording": item.id,
        "expected": expected,
        "found": item.n_frames,
        "from": source,
        "note": note,
    }
