"""Numbers inside file names: they order frames, tell a sequence, and show its gaps."""

import re
from collections.abc import Sequence
from itertools import pairwise

__all__ = ["frame_numbers", "gaps", "natural_order"]


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
