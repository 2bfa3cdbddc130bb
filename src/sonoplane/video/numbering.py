"""Names of image files: their numbers order frames, tell which are of one recording, and show its gaps."""

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import PurePath

__all__ = [
    "frame_numbers",
    "gaps",
    "has_image_name",
    "lies_loose",
    "natural_order",
    "recordings_among",
    "split_number",
]

#: What the names of images end in.
SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")


def has_image_name(file: PurePath) -> bool:
    """Whether a file is an image by its name, and not hidden."""
    return file.suffix.lower() in SUFFIXES and not file.name.startswith(".")


def natural_order(name: str) -> tuple[list[str | int], str]:
    """A key that sorts numbers inside names by their value.

    >>> sorted(["img10", "IMG2", "img1"], key=natural_order)
    ['img1', 'IMG2', 'img10']
    """
    parts: list[str | int] = list(re.split(r"(\d+)", name.casefold()))
    parts[1::2] = [int(part) for part in parts[1::2]]
    return parts, name


def frame_numbers(names: Sequence[str]) -> list[int] | None:
    """The numbers of frames whose names differ in one number alone; None where they do not.

    >>> frame_numbers(["us7_08.png", "us7_09.png", "us7_11.png"])
    [8, 9, 11]
    >>> frame_numbers(["3VV.png", "LIPS.png"])
    """
    split = [re.split(r"(\d+)", name.casefold()) for name in names]
    if len(split) < 2 or len({tuple(parts[::2]) for parts in split}) > 1:
        return None
    columns = [
        [int(number) for number in column] for column in zip(*(parts[1::2] for parts in split), strict=True)
    ]
    varying = [column for column in columns if len(set(column)) > 1]
    if len(varying) != 1 or len(set(varying[0])) < len(names):
        return None
    return varying[0]


def gaps(names: Sequence[str]) -> tuple[str, ...]:
    """A warning where numbers are missing from an otherwise even sequence.

    >>> gaps(["us_05.png", "us_10.png", "us_25.png"])
    ('The frame numbers have gaps: 15 to 20 missing.',)
    """
    numbers = frame_numbers(names)
    if numbers is None:
        return ()
    pairs = list(pairwise(numbers))
    step = min(after - before for before, after in pairs)
    missing = [(before + step, after - step) for before, after in pairs if after - before > step]
    if not missing:
        return ()
    listed = ", ".join(f"{first}" if first == last else f"{first} to {last}" for first, last in missing[:5])
    more = f" and {len(missing) - 5} more gaps" if len(missing) > 5 else ""
    return (f"The frame numbers have gaps: {listed}{more} missing.",)


def split_number(name: str) -> tuple[str, int] | None:
    """The recording's part of a frame's file name and the frame's number; None where it ends in no number.

    >>> split_number("exam_1_007.png"), split_number("apex12.png")
    (('exam_1', 7), None)
    """
    match = re.fullmatch(r"(.+)[_-]([0-9]{1,9})", PurePath(name).stem)
    return (match[1], int(match[2])) if match else None


def recordings_among(
    names: Sequence[str], *, folder: str = "", loose: bool = False
) -> dict[str, tuple[str, ...]]:
    """Which images of one folder make which recording: recording -> its images, in the order of their numbers.

    Images whose names differ in one number alone are one recording, the folder itself (`""`), and the few beside
    them without any number are left out. Else those that are numbered alike (`<recording>_<n>`) are one recording
    each, and every other image is one by its own name. `loose`: the folders beside this one hold several recordings
    each, so that a single one is named as it is there, unless it is called as the `folder` is.

    >>> recordings_among(["a_1.jpg", "b_10.jpg", "b_9.jpg", "a_2.jpg", "c.jpg"])
    {'a': ('a_1.jpg', 'a_2.jpg'), 'b': ('b_9.jpg', 'b_10.jpg'), 'c.jpg': ('c.jpg',)}
    >>> recordings_among(["f2.png", "f1.png", "logo.png"])
    {'': ('f1.png', 'f2.png')}
    """
    ordered = sorted(names, key=natural_order)
    numbered = [name for name in ordered if re.search(r"[0-9]", PurePath(name).stem)]
    alike: dict[str, list[tuple[int, str]]] = {}
    for name in ordered:
        prefix, number = split_number(name) or (name, 0)
        alike.setdefault(prefix, []).append((number, name))
    is_one = 2 * len(numbered) > len(names) and frame_numbers([PurePath(name).stem for name in numbered])
    if is_one:
        prefixes = {(split_number(name) or ("",))[0] for name in numbered}
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
