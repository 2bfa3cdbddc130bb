"""Frames that lie as numbered image files are counted in natural order, as folders of them are read."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import PurePath, PurePosixPath
from typing import TypeVar

from sonoplane.clips.label_checks import place_order

__all__ = ["IMAGES", "in_frame_order", "lies_loose", "natural", "recordings_among", "split_number"]

#: What the names of frames end in.
IMAGES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")

Member = TypeVar("Member")


def natural(name: str) -> tuple[list[str | int], str]:
    """A key that sorts numbers inside names by their value, letter case aside.

    >>> sorted(["a10.png", "A2.png"], key=natural)
    ['A2.png', 'a10.png']
    """
    return place_order(name.casefold()), name


def in_frame_order(named: Iterable[tuple[str, Member]]) -> list[tuple[str, list[Member]]]:
    """Members by the folder of their names, each folder's in the order of its frames.

    >>> in_frame_order([("a/f10.png", 1), ("a/f2.png", 2), ("b/f1.png", 3)])
    [('a', [2, 1]), ('b', [3])]
    """
    folders: dict[str, list[tuple[str, Member]]] = defaultdict(list)
    for name, member in named:
        path = PurePosixPath(name.replace("\\", "/"))
        folder = path.parent.as_posix()
        folders["" if folder == "." else folder].append((path.name, member))
    return [
        (folder, [member for _, member in sorted(members, key=lambda item: natural(item[0]))])
        for folder, members in folders.items()
    ]


def split_number(stem: str) -> tuple[str, int] | None:
    """The recording's part of a frame's name and the frame's number; None where it ends in no number.

    >>> split_number("exam_1_007"), split_number("apex12"), split_number("apex")
    (('exam_1', 7), None, None)
    """
    match = re.fullmatch(r"(.+)[_-]([0-9]{1,9})", stem)
    return (match[1], int(match[2])) if match else None


def recordings_among(
    names: Sequence[str], *, folder: str = "", loose: bool = False
) -> dict[str, tuple[str, ...]]:
    """Which images of one folder make which recording: recording -> its images, in the order of their numbers.

    Images whose names differ in one number alone are one recording, the folder itself (`""`), and the few beside
    them without any number are left out. Else those that are numbered alike (`<recording>_<n>`) are one recording
    each, and every other image is one by its own name. `loose`: the folders beside this one hold several recordings
    each, so that a single one is named as it is there, unless it is called as the `folder` is. Recordings are found
    by the same rule; a law holds the two together.

    >>> list(recordings_among(["a_1.jpg", "b_10.jpg", "b_9.jpg", "a_2.jpg", "c.jpg"]))
    ['a', 'b', 'c.jpg']
    >>> recordings_among(["f2.png", "f1.png", "logo.png"])
    {'': ('f1.png', 'f2.png')}
    """
    ordered = sorted(names, key=natural)
    numbered = [name for name in ordered if re.search(r"[0-9]", PurePath(name).stem)]
    alike: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for name in ordered:
        prefix, number = split_number(PurePath(name).stem) or (name, 0)
        alike[prefix].append((number, name))
    if 2 * len(numbered) > len(names) and _is_sequence([PurePath(name).stem for name in numbered]):
        prefixes = {(split_number(PurePath(name).stem) or ("",))[0] for name in numbered}
        if not loose or len(prefixes) > 1 or prefixes <= {"", folder}:
            return {"": tuple(numbered)}
    return {
        prefix if len(members) > 1 else members[0][1]: tuple(name for _, name in sorted(members))
        for prefix, members in alike.items()
    }


def lies_loose(names: Sequence[str]) -> bool:
    """Whether these images of one folder are the frames of several recordings.

    >>> lies_loose(["a_1.jpg", "a_2.jpg", "b_1.jpg", "b_2.jpg"]), lies_loose(["a_1.jpg", "a_2.jpg", "b.jpg"])
    (True, False)
    """
    return sum(len(members) > 1 for members in recordings_among(names).values()) > 1


def _is_sequence(stems: Sequence[str]) -> bool:
    """Whether names differ in one number alone, which none shares with another."""
    split = [re.split(r"([0-9]+)", stem.casefold()) for stem in stems]
    if len(split) < 2 or len({tuple(parts[::2]) for parts in split}) > 1:
        return False
    columns = [{int(number) for number in column} for column in zip(*(p[1::2] for p in split), strict=True)]
    return [len(column) for column in columns if len(column) > 1] == [len(stems)]
