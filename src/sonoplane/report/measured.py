"""The tables that pages of one network and of several share: counted by level, planes of sweeps, recordings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sonoplane.report.cells import Cell
from sonoplane.report.grid import Column, Grid, Row, grid_csv, grid_of
from sonoplane.report.scoreboard import BOUNDED, COLUMNS

__all__ = [
    "ALL_PLANES",
    "EVENT_COLUMNS",
    "LevelScores",
    "RecordingScores",
    "events_csv",
    "events_grid",
    "levels_csv",
    "levels_grid",
    "networks_events_grid",
    "recordings_grid",
]

_PLANES, _KEYFRAMES = "Whether and when", "What a physician is shown"

#: The row that sums planes up.
ALL_PLANES = "all planes"

#: What is told of the planes of a sweep, and of all of them.
EVENT_COLUMNS = (
    Column(key="plane", head="Plane", form="text"),
    Column(key="exams", head="Recordings with it", form="count"),
    Column(key="found", head="Found", group=_PLANES,
           told="share of the recordings with the plane in which it was found at all."),
    Column(key="segment_f1_10", head="Runs F1, 10\u00a0%", group=_PLANES,
           told="F1 of runs of frames; a run counts as found where it overlaps the labelled one by that share (IoU)."),
    Column(key="segment_f1_25", head="25\u00a0%", group=_PLANES),
    Column(key="segment_f1_50", head="50\u00a0%", group=_PLANES),
    Column(key="first_hit_s", head="First hit, s", form="decimal", group=_PLANES,
           told="seconds from the plane’s first labelled frame to the first hit, where there is one (mean)."),
    Column(key="false_alarms_per_minute", head="False alarms a minute", form="decimal", group=_PLANES,
           told="runs named so where the plane is not."),
    Column(key="completeness", head="Complete", group=_PLANES, told="share of all labelled planes that were found."),
    Column(key="retrieval", head="Best key frame right", group=_KEYFRAMES,
           told="share of the planes whose surest key frame carries their label."),
    Column(key="keyframe_precision", head="Key frames right", group=_KEYFRAMES,
           told="the same for all proposed key frames."),
)  # fmt: skip

_NETWORK = Column(key="network", head="Network", form="text")

_LEVEL_COLUMNS = (
    Column(key="level", head="Counted by", form="text"),
    _NETWORK,
    Column(key="n", head="Number", form="count"),
    *(replace(column, group="", told="") for column in COLUMNS[1:]),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class LevelScores:
    """The scores where frames, clips, segments, recordings or patients are counted."""

    level: str
    network: str
    cells: Row
    """`n` (how many are counted), and keys of `scoreboard.COLUMNS`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordingScores:
    """How the networks do on one recording."""

    recording: str
    patient: str | None = None
    """A pseudonym."""
    target: str | None = None
    """The recording's label; None where its frames have several."""
    n_frames: int | None = None
    """That are labelled."""
    networks: Mapping[str, Cell] = field(default_factory=dict)
    """Name -> share of frames that are right."""
    answered: Mapping[str, str] = field(default_factory=dict)
    """Name -> what the whole recording was named; empty where recordings show several classes."""


def levels_grid(levels: Sequence[LevelScores]) -> Grid:
    """A row for each level, or for each level and network where there are several."""
    several = len({each.network for each in levels}) > 1
    order = {level: place for place, level in enumerate(dict.fromkeys(each.level for each in levels))}
    rows = [
        {"level": Cell(value=each.level), **({"network": Cell(value=each.network)} if several else {}), **each.cells}
        for each in sorted(levels, key=lambda each: order[each.level])
    ]  # fmt: skip
    return grid_of(_LEVEL_COLUMNS, rows, merged=several)


def levels_csv(levels: Sequence[LevelScores]) -> str:
    """The same as CSV, with columns for the ends of intervals even where there are none; empty without a level."""
    return grid_csv(levels_grid(levels), bounded=BOUNDED) if levels else ""


def events_grid(events: Mapping[str, Row]) -> Grid:
    """A row for each plane of one network."""
    return grid_of(EVENT_COLUMNS, [{"plane": Cell(value=plane), **row} for plane, row in events.items()])


def networks_events_grid(networks: Mapping[str, Mapping[str, Row]]) -> Grid:
    """A row for each network, of all planes together."""
    rows = [
        {"network": Cell(value=name), **events[ALL_PLANES]}
        for name, events in networks.items()
        if ALL_PLANES in events
    ]
    return grid_of([_NETWORK, replace(EVENT_COLUMNS[1], head="Recordings"), *EVENT_COLUMNS[2:]], rows)


def events_csv(networks: Mapping[str, Mapping[str, Row]]) -> str:
    """Every plane of every network as CSV; `network` where there are several, nothing where there is no event."""
    several = len(networks) > 1
    rows = [
        {**({"network": Cell(value=name)} if several else {}), "plane": Cell(value=plane), **row}
        for name, events in networks.items()
        for plane, row in events.items()
    ]
    bounded = [column.key for column in EVENT_COLUMNS if column.form in ("share", "decimal")]
    return grid_csv(grid_of([_NETWORK, *EVENT_COLUMNS], rows), bounded=bounded) if rows else ""


def recordings_grid(recordings: Sequence[RecordingScores], *, most: int | None = None) -> Grid:
    """A row for each recording and columns for each network, the worst recordings first."""
    names = list(dict.fromkeys(name for each in recordings for name in each.networks))
    one = len(names) == 1
    columns = [
        Column(key="recording", head="Recording", form="text"),
        Column(key="patient", head="Patient", form="text"),
        Column(key="target", head="Label", form="text"),
        *(
            Column(key=f"answered:{name}", head="Answered" if one else f"{name} answered", form="text")
            for name in names
        ),
        Column(key="frames", head="Labelled frames", form="count"),
        *(
            Column(key=f"network:{name}", head="Frames right" if one else f"{name}, frames right")
            for name in names
        ),
    ]
    rows = []
    for each in sorted(recordings, key=_worst)[:most]:
        known = {
            "recording": each.recording,
            "patient": each.patient,
            "target": each.target,
            "frames": each.n_frames,
            **{f"answered:{name}": answer for name, answer in each.answered.items()},
        }
        cells = {key: Cell(value=value) for key, value in known.items() if value is not None}
        rows.append({**cells, **{f"network:{name}": cell for name, cell in each.networks.items()}})
    return grid_of(columns, rows)


def _worst(each: RecordingScores) -> tuple[int, float, str]:
    """How many named it rightly, then the mean of what is a number, so that what all fail on comes first."""
    right = sum(answer == each.target for answer in each.answered.values())
    numbers = [
        float(c.value) for c in each.networks.values() if c.value is not None and not isinstance(c.value, str)
    ]
    return right, sum(numbers) / len(numbers) if numbers else 2.0, each.recording
