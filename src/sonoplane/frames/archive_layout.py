"""What lies where in an archive, and of which type: the one table that its writer and its readers share."""

import json
from typing import Any, NamedTuple

from sonoplane.errors import DamagedRecording, UsageError
from sonoplane.frames.archive_place import HEAD
from sonoplane.frames.entries import Entry, entry_from_json, is_safe_name

__all__ = [
    "ARCHIVE", "EXTRAS", "FORMAT", "LABELS", "MANIFEST", "PIXELS", "RECORDINGS", "TIMES", "Head", "array_problem",
    "damaged", "folder_of", "head_of", "head_path", "labels_path", "text_path",
]  # fmt: skip

#: The version of the layout.
FORMAT = 2

ARCHIVE, MANIFEST, RECORDINGS, LABELS = "archive.json", "manifest.parquet", "recordings", "labels"

#: The arrays that every recording has.
PIXELS, TIMES = "pixels", "times_s"

#: The arrays that a recording may have besides: type, number of axes.
EXTRAS: dict[str, tuple[str, int]] = {"subsample": ("int64", 1), "fingerprint": ("uint8", 2)}


class Head(NamedTuple):
    """What the head of a recording's folder says, which is written last."""

    entry: Entry
    arrays: dict[str, str]
    """Name -> sha256 of all arrays but the pixels, whose digest the entry holds."""


def folder_of(id: str) -> str:
    """The folder of a recording."""
    if not is_safe_name(id):
        raise UsageError(
            f"'{id}' cannot be a recording's id in an archive.", advice="See its manifest for its ids."
        )
    return f"{RECORDINGS}/{id}"


def head_path(id: str) -> str:
    """The file that a recording is there with."""
    return f"{folder_of(id)}/{HEAD}"


def labels_path(task: str) -> str:
    """The label table of a task."""
    return f"{LABELS}/{task}.parquet"


def text_path(name: str) -> str:
    """A small file beside the manifest.

    >>> text_path("layouts.toml")
    'layouts.toml'
    """
    if not is_safe_name(name) or name in (ARCHIVE, MANIFEST, RECORDINGS, LABELS, HEAD):
        raise UsageError(
            f"'{name}' cannot name a text in an archive.", advice="Give another name, such as notes.csv."
        )
    return name


def head_of(id: str, content: bytes) -> Head:
    """The head of a recording as it lies in the archive; a DamagedRecording where it is none."""
    try:
        attributes: dict[str, Any] = json.loads(content)["attributes"]
        head = Head(entry_from_json(attributes["entry"]), dict(attributes["arrays"]))
    except Exception:  # whatever is wrong with it
        raise damaged(id) from None
    if head.entry.id != id:
        raise damaged(id)
    return head


def array_problem(entry: Entry, name: str, shape: tuple[int, ...], dtype: str) -> str | None:
    """What is wrong with an array of this recording, in a word or two.

    >>> gray = {"color": False, "gray_mean": 2.5, "gray_std": 0.5}
    >>> entry = Entry(id="a", n_frames=2, height=4, width=6, sha256="0", geometry="source", **gray)
    >>> array_problem(entry, "pixels", (2, 4, 6), "uint8")
    >>> array_problem(entry, "times_s", (3,), "float64")
    'the wrong length'
    """
    n_frames = entry.n_frames
    if name == PIXELS:
        colors = (3,) if entry.color else ()
        is_right, wanted = shape == (n_frames, entry.height, entry.width, *colors), "uint8"
    elif name == TIMES:
        is_right, wanted = shape in ((0,), (n_frames,)), "float64"
    else:
        wanted, n_axes = EXTRAS[name]
        is_right = len(shape) == n_axes and shape[0] <= n_frames and all(size <= 4096 for size in shape[1:])
    if dtype != wanted:
        return "the wrong type"
    return None if is_right else "the wrong length"


def damaged(id: str, what: str = "") -> DamagedRecording:
    """The error of a recording that is not as it was written."""
    return DamagedRecording(
        f"Recording '{id}' of the archive is damaged{what}.",
        advice="Delete its folder and prepare it again.",
    )
