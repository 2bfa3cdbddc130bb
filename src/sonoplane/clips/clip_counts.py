"""How many clips of each class come out of each part of the split, with those that are dropped and why."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sonoplane.clips.counts import ALL, CountedRecording, Row, Table, numbered, parts_of
from sonoplane.clips.policies import Cut, cut, cut_table
from sonoplane.clips.windows_settings import WindowSettings
from sonoplane.records import Label

__all__ = ["ClipCounts", "count_clips"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipCounts:
    """An account of all the clips that were placed: `kept` and the reasons add up to them."""

    windows: WindowSettings
    by_class: Table
    """`split, class, kept, mixed, unlabelled, tie, short`: a row for every part, and for `all`, and every class,
    `(no label)` where that occurs, and `all` classes together."""
    n_unused: int
    """Frames that no clip was made of."""
    short: Table
    """`recording, n_frames, note`: recordings with too few frames for a clip, and what became of them."""


def count_clips(
    recordings: Sequence[CountedRecording],
    labels: Sequence[Label],
    classes: Sequence[str],
    *,
    windows: WindowSettings,
    parts: Sequence[str] = (),
) -> ClipCounts:
    """Cut every recording as training would, and count what comes out and what does not.

    >>> sweep = CountedRecording(id="a", n_frames=20, patient="p1", split="train")
    >>> rows = [Label(recording="a", label="liver", start=0, stop=15)]
    >>> dict(count_clips([sweep], rows, ["liver"], windows=WindowSettings(length=10, stride=5)).by_class[0])
    {'split': 'train', 'class': 'liver', 'kept': 2, 'mixed': 0, 'unlabelled': 0, 'tie': 0, 'short': 0}

    Raises:
        LabelError: labels that do not fit, as `frame_labels` tells.
    """
    n_unused = 0
    short: list[Row] = []

    def cuts(part: str) -> Iterator[Cut]:
        nonlocal n_unused
        mine = [item for item in recordings if item.part == part]
        for recording, numbers in numbered(mine, labels, classes):
            made = cut(numbers, windows=windows)
            n_unused += made.n_unused
            if made.note:
                short.append({"recording": recording.id, "n_frames": recording.n_frames, "note": made.note})
            yield made

    tables = {part: cut_table(cuts(part), classes) for part in parts_of(recordings, parts)}
    rows: list[Row] = [{"split": part, **row} for part, table in tables.items() for row in table]
    return ClipCounts(
        windows=windows,
        by_class=(*rows, *_sums(list(tables.values()), classes)),
        n_unused=n_unused,
        short=tuple(short),
    )


def _sums(tables: Sequence[Sequence[dict[str, str | int]]], classes: Sequence[str]) -> list[Row]:
    """The tables of all parts added up, row by row, as a further part."""
    sums: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for table in tables:
        for row in table:
            for column, n in row.items():
                if isinstance(n, int):
                    sums[str(row["class"])][column] += n
    named = [*classes, *(name for name in sums if name not in classes and name != ALL), ALL]
    return [{"split": ALL, "class": name, **sums[name]} for name in named if name in sums]
