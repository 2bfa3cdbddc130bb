"""What was found out about the background becomes tables and warnings."""

from collections.abc import Sequence
from dataclasses import replace

from sonoplane.metrics.background import READ, TEXT_READ, BackgroundMeasured, Look
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
           told=f"odds of the look over those of the larger of the two; {READ:g} and more is high."),
    Column(key="text", head="Share of the look", group=_TEXT),
    Column(key="text_area", head="Of pixels", group=_TEXT),
    Column(key="text_contrast", head="Of contrast", group=_TEXT),
    Column(key="text_times", head="Times expected", form="decimal", group=_TEXT,
           told=f"{TEXT_READ:g} and more is high."),
    Column(key="border", head="Share of the look", group=_OUTLINE,
           told="share of all that counted within a few pixels of it: too near to tell on which side."),
    Column(key="border_area", head="Of pixels", group=_OUTLINE),
)  # fmt: skip

_CHANGED_COLUMNS = (
    Column(key="background", head="Background", form="text"),
    Column(key="accuracy", head="Accuracy"),
    Column(key="difference", head="Difference", form="difference",
           told="to the frames as they are; in the last row to a background of the same class, which hides as much."),
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

    A look that is high is such a warning only where its answers do not speak against it: see `background_hints`.
    """
    if found is None:
        return []
    told = [] if found.control is None else _control_cautions(found.control)
    if found.looked is not None and found.looked.high and (told or found.control is None):
        told.append(_looked_caution(found.looked))
    return told


def background_hints(found: Backgrounds | None) -> list[str]:
    """What a reader should know besides: a high look that changes no answer, and what could not be found out."""
    if found is None:
        return []
    told = list(found.notes)
    if found.looked is not None and found.looked.high and not background_cautions(found):
        told.append(
            f"{_looked_caution(found.looked)} But its answers hold with other backgrounds, so it may look there without"
            " being led by it."
        )
    return told


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
        lead=f"Where guided back-propagation from the class that was named finds what counted, in {found.n_frames}"
        f" frames of {found.n_recordings} recordings. The background is all but ultrasound: screen, text, what was"
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
    reading = _difference_cells(control.reading)
    return Section(
        title=_CHANGED,
        lead=f"{control.n} frames, answered four times: as they are, with all background black, and with the background"
        " of another patient’s frame of the same class and of another. Where a network reads the ultrasound alone, the"
        " last two do not differ. Where the lender’s ultrasound is smaller, its outline hides some of the frame’s own.",
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
            },
            {"background": Cell(value="of the same class"), "accuracy": Cell.of(control.same)},
            {
                "background": Cell(value="of another class"),
                "accuracy": Cell.of(control.other),
                **reading,
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
    high = [looked.all, *(looked.classes[name] for name in looked.high_classes)]
    look = looked.all if looked.all.high else max(high, key=lambda look: look.degree)
    text = look.on_text
    seen, place = (look.text, "text") if text else (look.background, "the background")
    expected = max(look.text_area, look.text_contrast) if text else max(look.area, look.contrast)
    recordings = [name for name, one in looked.recordings.items() if one.high]
    most = sorted(looked.classes, key=lambda name: -looked.classes[name].degree)
    return (
        f"It looks at {place} more than networks that read ultrasound mostly do: {_share(seen.value)} of what counted"
        f" lies there, where {_share(expected)} is to be expected of any. Classes with the most: {_named(most)}."
        f" Recordings: {_named(recordings or list(looked.recordings))}. See “{_LOOKED}”."
    )


def _named(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _share(value: float | None) -> str:
    return "none" if value is None else percent(value)
