"""The TOML file of layouts, which a person reads and corrects; the same layout as plain values, for a recipe."""

import difflib
import re
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import tomli_w

from sonoplane.errors import UsageError
from sonoplane.frames.layout_outline import Points, box_outline, crosses_itself, encloses
from sonoplane.frames.layouts import Layout
from sonoplane.records import Box

__all__ = ["layout_from", "layout_values", "read_layouts", "write_layouts"]

_HEADER = """\
# Where the ultrasound is in the frames of each scanner. Everything outside an outline is blanked.
#
# To correct a layout, move the points of its `outline`, or take points out or put some in: [x, y] in pixels, counted
# from 0 at the top left corner of the frame, along the edge in order. The points and the edges between them are shown.
# Leave `found` as it is: by it recordings of this layout are recognized. Then run prepare again: only recordings
# of that layout are prepared anew. A corrected outline shows all that is inside it, so leave names outside.
#
# To add a layout for all recordings of a scanner and frame size that no other fits, give it `name`, `scanner` (leave it
# out where files do not say), `height`, `width` and `outline`, or `box = [left, top, right, bottom]`, the last two
# one beyond its last pixel; no `found`.
"""
_POINTS_A_LINE = 8
_KEYS = (*(field.name for field in fields(Layout)), "box")
_NEEDED = ("name", "height", "width")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def layout_values(layout: Layout) -> dict[str, Any]:
    """The layout as values that JSON and TOML know; what it does not have is left out."""
    values = {name: getattr(layout, name) for name in _KEYS if name != "box"}
    for name in ("found", "outline"):
        if values[name] is not None:
            values[name] = [list(point) for point in values[name]]
    return {name: value for name, value in values.items() if value is not None}


def layout_from(values: Mapping[str, Any], *, place: str = "a recipe") -> Layout:
    """The layout that these values describe, every one of them checked.

    >>> values = {"name": "a", "height": 90, "width": 120, "box": [10, 5, 110, 85]}
    >>> layout_from(values).outline
    ((10, 5), (10, 84), (109, 84), (109, 5))

    Raises:
        UsageError: a key is unknown or missing, a value of a wrong type, or an outline is none.
    """
    told = f"The layout {_quoted(values.get('name'))} in {place}"
    _check_keys(values, told)
    name, scanner = values["name"], values.get("scanner")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UsageError(
            f"{told} has no name that could name a file.", advice="Use letters, digits, dots and dashes only."
        )
    if not (scanner is None or isinstance(scanner, str)):
        raise UsageError(f"{told}: `scanner` must be a text.", advice='Write it in quotes: "GE LOGIQ E9".')
    height, width = (_number(values, key, told, least=1) for key in ("height", "width"))
    found = _outline(values, "found", told, height, width) if "found" in values else None
    outline = (_box if "box" in values else _outline)(
        values, "box" if "box" in values else "outline", told, height, width
    )
    return Layout(
        name=name,
        scanner=scanner or None,
        height=height,
        width=width,
        found=found,
        outline=outline,
        confidence=_confidence(values, told),
        recordings=_number(values, "recordings", told) if "recordings" in values else 0,
    )


def write_layouts(layouts: Sequence[Layout], *, after: str = "") -> str:
    """The text of the file. `after` is the text that is there by now: it stays, a person's comments too, and only
    layouts whose names are not in it are added.
    """
    before = after.rstrip() or _HEADER.rstrip()
    known = {layout.name for layout in read_layouts(after)}
    text = "\n\n".join([before, *(_block(layout) for layout in layouts if layout.name not in known)]) + "\n"
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:  # nothing can be appended to `layout = [{...}]` on one line
        return "\n\n".join([_HEADER.rstrip(), *map(_block, layouts)]) + "\n"
    return text


def read_layouts(text: str, *, name: str = "layouts.toml") -> tuple[Layout, ...]:
    """The layouts of a file's text, in their order. `name` is the file's, for errors.

    Raises:
        UsageError: it is not TOML, two layouts have one name or the same to be recognized by, or one is wrong
            (see `layout_from`).
    """
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"'{name}' is not TOML: {error}.", advice="Mend that line.") from error
    rows = tables.get("layout", [])
    if (
        set(tables) - {"layout"}
        or not isinstance(rows, list)
        or not all(isinstance(row, dict) for row in rows)
    ):
        raise UsageError(
            f"'{name}' holds something other than layouts.", advice="Begin each one with a line `[[layout]]`."
        )
    layouts = tuple(layout_from(row, place=f"'{name}'") for row in rows)
    for twice, n in Counter(layout.name for layout in layouts).items():
        if n > 1:
            raise UsageError(
                f"'{name}' has {n} layouts named '{twice}'.", advice="Take one out, or rename it."
            )
    _check_handmade(layouts, name)
    return layouts


def _check_handmade(layouts: Sequence[Layout], name: str) -> None:
    seen: dict[Any, Layout] = {}
    for layout in layouts:
        if layout.found is not None:
            continue
        other = seen.setdefault(layout.kind, layout)
        if other is not layout:
            raise UsageError(
                f"'{name}': '{other.name}' and '{layout.name}' are for the same scanner and frame size, and neither"
                " has `found`.",
                advice="Which one a recording has could not be told: keep one of them.",
            )


def _block(layout: Layout) -> str:
    """One layout, its polygons in few lines."""
    values = layout_values(layout)
    polygons = [(key, values.pop(key)) for key in ("outline", "found") if key in values]
    lines = ["[[layout]]", tomli_w.dumps(values).rstrip()]
    for key, points in polygons:
        lines.append(f"{key} = [")
        for first in range(0, len(points), _POINTS_A_LINE):
            part = points[first : first + _POINTS_A_LINE]
            lines.append("  " + " ".join(f"[{x}, {y}]," for x, y in part))
        lines.append("]")
    return "\n".join(lines)


def _check_keys(values: Mapping[str, Any], told: str) -> None:
    for key in values:
        if key not in _KEYS:
            guess = difflib.get_close_matches(str(key), _KEYS, n=1)
            advice = f"Did you mean `{guess[0]}`?" if guess else f"Known are {', '.join(_KEYS)}."
            raise UsageError(f"{told} has an unknown key {_quoted(key)}.", advice=advice)
    missing = [key for key in _NEEDED if key not in values]
    if missing:
        raise UsageError(f"{told} lacks {', '.join(missing)}.", advice="Give every layout its own.")
    if ("box" in values) == ("outline" in values):
        raise UsageError(f"{told} needs `outline` or `box`, one of them.", advice="Keep the one to be used.")


def _outline(values: Mapping[str, Any], key: str, told: str, height: int, width: int) -> Points:
    value = values[key]
    is_list = isinstance(value, list | tuple)
    if not is_list or not all(_is_whole_numbers(point, 2) for point in value):
        raise UsageError(f"{told}: `{key}` must be a list of points.", advice="Write [[x, y], [x, y], ...].")
    points = tuple((point[0], point[1]) for point in value)
    if len(points) < 3:
        raise UsageError(f"{told}: `{key}` has {len(points)} points.", advice="Give three or more.")
    for x, y in points:
        if not (0 <= x < width and 0 <= y < height):
            raise UsageError(
                f"{told}: the point [{x}, {y}] of `{key}` is outside its frame of {width} x {height} pixels.",
                advice=f"Give x from 0 to {width - 1} and y from 0 to {height - 1}.",
            )
    if not encloses(points):
        raise UsageError(f"{told}: `{key}` encloses nothing.", advice="Give points that are not on one line.")
    if crosses_itself(points):
        raise UsageError(
            f"{told}: `{key}` crosses itself.", advice="Give its points in order along the edge, once around."
        )
    return points


def _box(values: Mapping[str, Any], key: str, told: str, height: int, width: int) -> Points:
    value = values[key]
    if not _is_whole_numbers(value, 4):
        raise UsageError(
            f"{told}: `{key}` must be four whole numbers.", advice="Write [left, top, right, bottom]."
        )
    left, top, right, bottom = value
    if not (0 <= left < right - 1 < width and 0 <= top < bottom - 1 < height):
        raise UsageError(
            f"{told}: `{key}` does not lie inside its frame of {width} x {height} pixels.",
            advice=f"Give [left, top, right, bottom] within [0, 0, {width}, {height}].",
        )
    return box_outline(Box(left=left, top=top, right=right, bottom=bottom))


def _is_whole_numbers(value: Any, n: int) -> bool:
    return isinstance(value, list | tuple) and len(value) == n and all(type(item) is int for item in value)


def _number(values: Mapping[str, Any], key: str, told: str, *, least: int = 0) -> int:
    value = values[key]
    if type(value) is not int or value < least:
        raise UsageError(
            f"{told}: `{key}` must be a whole number from {least} on.", advice="Write it without a point."
        )
    return int(value)


def _confidence(values: Mapping[str, Any], told: str) -> float:
    value = values.get("confidence", 1.0)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise UsageError(
            f"{told}: `confidence` must be from 0 to 1.", advice="It says how surely it was found: leave it."
        )
    return float(value)


def _quoted(value: Any) -> str:
    return f"'{value}'" if isinstance(value, str) else "without a name"
