"""What was found out about the background becomes tables and warnings."""

from collections.abc import Sequence
from dataclasses import replace

from sonoplane.metrics.background import READ, BackgroundMeasured, Look
from sonoplane.metrics.background_control import Control
from sonoplane.metrics.differences import Difference
from sonoplane.report.cells import Cell
from sonoplane.report.grid import Column, Row, grid_csv, grid_of
from sonoplane.report.sections import Section
from sonoplane.report.words import percent
from sonoplane.steps.background import Backgrounds

__all__ = ["background_cautions", "background_csv", "background_hints", "background_sections"]

#: Recordings on the page at most; the file holds all.
_MOST = 10
#: Classes, or recordings, that a warning names at most.
_NAMED = 3

_LOOKED, _CHANGED = "Does it look at the background?", "With another background"

_UNSURE = (
    " Its answers with other backgrounds are too few, or too unsure, to tell whether they are led by it."
)

_BACKGROUND, _TEXT, _OUTLINE = "All background", "Text", "The outline of the ultrasound"

_COLUMNS = (
    Column(key="of", head="Frames", form="text"),
    Column(key="n", head="Number", form="count"),
    Column(key="background", head="Share of the look", group=_BACKGROUND,
           told="share of what counted that lies there; what lies at the outline is left out."),
    Column(key="area", head="Of pixels", group=_BACKGROUND, told="what a look without preference would give."),
    Column(key="contrast", head="Of contrast", group=_BACKGROUND,
           told="what finding edges would give, as networks do that learned nothing."),
    Column(key="times", head="Times expected", form="decimal", group=_BACKGROUND,
           told=f"odds of the look over those of the larger of the two; surely more than {READ:g} is high."),
    Column(key="text", head="Share of the look", group=_TEXT),
    Column(key="text_area", head="Of pixels", group=_TEXT),
    Column(key="text_contrast", head="Of contrast", group=_TEXT),
    Column(key="text_times", head="Times expected", form="decimal", group=_TEXT),
    Column(key="border", head="Share of the look", group=_OUTLINE,
           told="share of all that counted within a few pixels of it: too near to tell on which side."),
    Column(key="border_area", head="Of pixels", group=_OUTLINE),
)  # fmt: skip

_CHANGED_COLUMNS = (
    Column(key="background", head="Background", form="text"),
    Column(key="accuracy", head="Accuracy"),
    Column(key="changed", head="Pixels changed",
           told="compared with the frames as they are; in the last row with a background of the same class."),
    Column(key="difference", head="Difference", form="difference", told="compared with the same."),
    Column(key="p", head="p", form="p"),
    Column(key="followed", head="Named as the strange background’s class",
           told="how often the class of the frame that lent its background, where it is another one, is answered."),
)  # fmt: skip


def background_sections(found: Backgrounds | None) -> tuple[Section, ...]:
    """The tables of the page; none where nothing was looked at."""
    if found is None:
        return ()
    sections = []
    if found.looked is not None:
        sections.append(_looked_section(found, found.looked))
    if found.control is not None:
        sections.append(_control_section(found.control))
    return tuple(sections)


def background_cautions(found: Backgrounds | None) -> list[str]:
    """What a reader must know first, a sentence or two each; none where the network reads the ultrasound.

    A look that is high is such a warning unless its answers speak against it: see `background_hints`.
    """
    if found is None:
        return []
    told = [] if found.control is None else _control_cautions(found.control)
    if found.looked is not None and found.looked.high and not _is_calm(found.looked, found.control):
        unsure = found.control is not None and not told
        told.append(_looked_caution(found.looked) + _UNSURE * unsure)
    return told


def background_hints(found: Backgrounds | None) -> list[str]:
    """What a reader should know besides: a high look that changes no answer, and what could not be found out."""
    if found is None:
        return []
    told = list(found.notes)
    if found.looked is not None and found.looked.high and _is_calm(found.looked, found.control):
        told.append(
            f"{_looked_caution(found.looked)} But its answers hold with other backgrounds, so it may look there without"
            " being led by it."
        )
    return told


def _is_calm(looked: BackgroundMeasured, control: Control | None) -> bool:
    """Whether its answers surely are not led by what it is told to look at."""
    if control is None or control.reads or control.needs:
        return False
    whole = control.calm or not looked.all.high
    return whole and set(looked.high_classes) <= set(control.calm_classes)


def background_csv(found: BackgroundMeasured) -> str:
    """A line for each recording."""
    return grid_csv(
        grid_of(_COLUMNS, [_recording_row(name, look) for name, look in found.recordings.items()])
    )


def _looked_section(found: Backgrounds, looked: BackgroundMeasured) -> Section:
    groups = {
        "all": looked.all,
        **{f"named {name}": look for name, look in looked.classes.items()},
        "rightly named": looked.right,
        "wrongly named": looked.wrong,
    }
    more = len(looked.recordings) - _MOST
    return Section(
        title=_LOOKED,
        lead=f"Where guided back-propagation from the class that was named finds what counted, in {looked.all.n}"
        f" frames of {looked.all.n_recordings} recordings. The background is all but ultrasound: screen, text, what was"
        " blanked. A share says little by itself, so beside it stands what could be expected of any network;"
        " `sonoplane explain` draws the maps."
        f" Recordings with the most come last{f'; {more} more are in background.csv' if more > 0 else ''}.",
        columns=_COLUMNS,
        rows=(
            *(_row(name, look) for name, look in groups.items() if look is not None),
            *(_recording_row(name, look) for name, look in list(looked.recordings.items())[:_MOST]),
        ),
    )


def _row(name: str, look: Look) -> Row:
    text: Row = {}
    if look.text_times is not None:
        text = {
            "text": Cell.of(look.text),
            "text_area": Cell(value=look.text_area),
            "text_contrast": Cell(value=look.text_contrast),
            "text_times": Cell(value=look.text_times),
        }
    return {
        "of": Cell(value=name),
        "n": Cell(value=look.n),
        "background": Cell.of(look.background),
        **{key: Cell(value=getattr(look, key)) for key in ("area", "contrast", "times", "border", "border_area")},
        **text,
    }  # fmt: skip


def _recording_row(name: str, look: Look) -> Row:
    """One patient says nothing of others, so without intervals."""
    row = _row(name, look)
    return {key: replace(cell, low=None, high=None, why="") for key, cell in row.items()}


def _control_section(control: Control) -> Section:
    return Section(
        title=_CHANGED,
        lead=f"{control.n} frames, answered four times: as they are, with all background black, and with the background"
        " of another patient’s frame of the same class and of another. The last two show as much ultrasound, that which"
        " all three frames have, so a network that reads it alone answers both alike."
        + f" {control.n_asked - control.n} more frames are left out: both backgrounds are alike."
        * (control.n < control.n_asked),
        columns=_CHANGED_COLUMNS,
        rows=(
            {
                "background": Cell(value="its own"),
                "accuracy": Cell.of(control.plain),
                "followed": Cell.of(control.followed_before),
            },
            {
                "background": Cell(value="black"),
                "accuracy": Cell.of(control.blanked),
                **_difference_cells(control.blanking),
                "changed": Cell(value=control.changed["blanked"]),
            },
            {
                "background": Cell(value="of the same class"),
                "accuracy": Cell.of(control.same),
                "changed": Cell(value=control.changed["same"]),
            },
            {
                "background": Cell(value="of another class"),
                "accuracy": Cell.of(control.other),
                **_difference_cells(control.reading),
                "changed": Cell(value=control.changed["other"]),
                "followed": Cell.of(control.followed),
            },
        ),
    )


def _difference_cells(one: Difference) -> Row:
    p = Cell(value=None, why="One patient tells no p.") if one.p is None else Cell(value=one.p)
    return {"difference": Cell.of(one.difference), "p": p}


def _control_cautions(control: Control) -> list[str]:
    told = []
    if control.reads:
        told.append(
            f"It reads the background: of {control.n} frames, {_share(control.same.value)} are named rightly with the"
            f" background of another patient’s frame of the same class, {_share(control.other.value)} with that of"
            f" another class, and {_share(control.followed.value)} are then named as that class. Its scores are not"
            f" about the ultrasound alone. See “{_CHANGED}”."
        )
    if control.needs:
        told.append(
            f"With the background black, {_share(control.blanked.value)} of {control.n} frames are named rightly,"
            f" not {_share(control.plain.value)}: it leans on what lies around the ultrasound, or black that it never"
            f" saw throws it off. See “{_CHANGED}”."
        )
    return told


def _looked_caution(looked: BackgroundMeasured) -> str:
    high = sorted(looked.high_classes, key=lambda name: -looked.classes[name].times)
    look = looked.all if looked.all.high else looked.classes[high[0]]
    who, named = "It", f" Classes with the most: {_named(high)}." if high else ""
    if not looked.all.high:
        who, named = (
            f"In frames named {high[0]}, it",
            f" So it does for {_named(high[1:])}." if high[1:] else "",
        )
    recordings = [name for name, one in looked.recordings.items() if one.times > READ]
    expected = max(look.area, look.contrast)
    return (
        f"{who} looks at the background more than networks that read ultrasound mostly do:"
        f" {_share(look.background.value)} of what counted lies there, where {_share(expected)} is to be expected of"
        f" any.{named} Recordings with the most: {_named(recordings or list(looked.recordings))}. See “{_LOOKED}”."
    )


def _named(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _share(value: float | None) -> str:
    return "none" if value is None else percent(value)
