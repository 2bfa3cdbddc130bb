"""Frames that lie as numbered image files are counted in natural order, as folders of them are read."""

import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import TypeVar

from sonoplane.clips.label_checks import place_order

__all__ = ["IMAGES", "in_frame_order", "natural", "split_number"]

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
