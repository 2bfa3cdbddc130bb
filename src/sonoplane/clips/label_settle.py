"""What a reader found in a foreign source becomes a label table, or one error that lists all that is wrong with it."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sonoplane.clips.label_checks import (
    LISTED,
    Fault,
    Place,
    contradictions,
    gaps,
    listed,
    meant,
    overlaps,
    refuse,
    where,
)
from sonoplane.clips.labels import LabelTable
from sonoplane.records import Label

__all__ = ["Item", "Source", "settle"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """A label as it stands in a source, before it is checked."""

    place: Place
    recording: str
    label: str
    start: int | None = None
    stop: int | None = None
    """Frames from 0, stop exclusive; both None: the whole recording."""
    is_frame: bool = False
    """A label of one frame, which joins those of its neighbors."""
    patient: str | None = None
    centre: str | None = None
    split: str | None = None


@dataclass(kw_only=True, slots=True)
class Source:
    """All that a reader found; readers fill it, `settle` judges it."""

    name: str
    """What the source is called in messages: the last part of its path."""
    items: list[Item] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seen: dict[str, tuple[range, ...]] = field(default_factory=dict)
    """Recording -> the frames that were looked at, where the source says so."""
    classes: tuple[str, ...] = ()
    """The classes that the source itself declares; empty where it declares none."""

    def fault(self, place: Place, text: str) -> None:
        """Remember what is wrong at a place, and what to do."""
        self.faults.append((place, text))

    def note(self, text: str, places: Sequence[Place] = ()) -> None:
        """Remember what was forgiven or is odd, and where."""
        self.notes.append(f"{text} ({listed(places)})." if places else f"{text}.")


def settle(source: Source, *, classes: Iterable[str] | None = None, exhaustive: bool = False) -> LabelTable:
    """Spell the classes one way, join the labels of single frames into runs, and check every row.

    `classes`: the classes that there are, else those that the source declares, else any. Raises LabelError that
    lists every fault by its place, with what to do.
    """
    known = tuple(source.classes if classes is None else classes)
    items = _spelled(source, known)
    items = [item for item in items if _is_usable(source, item, known)]
    rows = _joined(source, items)
    for fault in contradictions(rows) + overlaps(rows):
        source.fault(*fault)
    if not exhaustive:
        source.notes += gaps(rows)
    refuse(source.faults, of=source.name, notes=source.notes)
    return LabelTable(
        rows=tuple(rows.values()),
        notes=tuple(source.notes),
        places=tuple(rows),
        exhaustive=exhaustive,
        seen=dict(source.seen),
    )


def _spelled(source: Source, known: Sequence[str]) -> list[Item]:
    """The items with blanks dropped and case put right; what was forgiven is noted."""
    trimmed: list[Item] = []
    padded: list[Place] = []
    for item in source.items:
        label, recording = item.label.strip(), item.recording.strip()
        if (label, recording) != (item.label, item.recording):
            padded.append(item.place)
        trimmed.append(replace(item, label=label, recording=recording))
    if padded:
        source.note(f"Blanks around the names of {_labels(len(padded))} were dropped", padded)
    spellings = _spellings(trimmed, known)
    changed: dict[str, list[Place]] = defaultdict(list)
    for item in trimmed:
        if spellings[item.label] != item.label:
            changed[item.label].append(item.place)
    for label, places in changed.items():
        read = f"'{label}' was read as '{spellings[label]}' in {_labels(len(places))}"
        if label.isprintable():
            source.note(read, places)
    return [replace(item, label=spellings[item.label]) for item in trimmed]


def _labels(n: int) -> str:
    return "1 label" if n == 1 else f"{n} labels"


def _spellings(items: Sequence[Item], known: Sequence[str]) -> dict[str, str]:
    """Class as written -> as declared, else as most items spell it (among equals the first)."""
    counts = Counter(item.label for item in items)
    best = {name.casefold(): name for name in reversed(known)}
    for label, _ in counts.most_common():
        best.setdefault(label.casefold(), label)
    return {label: label if label in known else best[label.casefold()] for label in counts}


def _is_usable(source: Source, item: Item, known: Sequence[str]) -> bool:
    """Whether an item is whole; what it lacks is told."""
    problems = []
    if not item.label:
        problems.append("the class is empty; name it, or delete the label")
    elif not item.label.isprintable():
        problems.append("the class holds characters that cannot be shown; type its name again")
    elif known and item.label not in known:
        classes = {name.casefold(): name for name in known}
        guess = meant(item.label, classes)
        there = "" if guess else f"; there are {', '.join(known[:LISTED])}{' ...' * (len(known) > LISTED)}"
        problems.append(f"there is no class '{item.label}'{guess}{there}; correct it, or declare the class")
    if not item.recording:
        problems.append("the recording has no name; name it, or delete the label")
    elif not item.recording.isprintable():
        problems.append("the recording's name holds characters that cannot be shown; rename it")
    for problem in problems:
        source.fault(item.place, problem)
    return not problems


def _joined(source: Source, items: Sequence[Item]) -> dict[Place, Label]:
    """Rows by place: neighboring frames of one class are one run, from its first frame to its last."""
    rows: dict[Place, Label] = {}
    single: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        if item.is_frame:
            single[item.recording].append(item)
        elif item.place in rows:
            source.fault(item.place, "told twice at one place; give one class")
        else:
            rows[item.place] = _label(item, item.stop)
    for recording, frames in single.items():
        steps = {frame: r.step for r in source.seen.get(recording, ()) for frame in r}
        run: list[Item] = []
        for item in sorted(frames, key=lambda item: item.start or 0):
            if run and item.start == run[-1].start:
                text = "has this label twice" if item.label == run[-1].label else "has another class too"
                remedy = f"the frame {text}, in {where(run[-1].place)}; delete one of the two"
                source.fault(item.place, remedy)
                continue
            if run and not _follows(run[-1], item, steps):
                rows[run[0].place] = _label(run[0], run[-1].stop)
                run = []
            run.append(item)
        if run:
            rows[run[0].place] = _label(run[0], run[-1].stop)
    return rows


def _follows(before: Item, item: Item, steps: Mapping[int, int]) -> bool:
    """Whether two frames' labels are of one run: nothing that was looked at lies between."""
    gap = (item.start or 0) - (before.start or 0)
    facts = (item.label, item.patient, item.centre, item.split)
    return gap == steps.get(before.start or 0, 1) and facts == (
        before.label,
        before.patient,
        before.centre,
        before.split,
    )


def _label(item: Item, stop: int | None) -> Label:
    return Label(
        recording=item.recording,
        label=item.label,
        start=item.start,
        stop=stop,
        patient=item.patient,
        centre=item.centre,
        split=item.split,
    )
