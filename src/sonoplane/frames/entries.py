"""What an archive knows of each prepared recording besides its pixels."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import polars as pl

from sonoplane.errors import UsageError
from sonoplane.records import Box, Facts, Recording

__all__ = [
    "Entry",
    "EntryFacts",
    "entry_from_json",
    "entry_to_json",
    "facts_of",
    "is_safe_name",
    "manifest_of",
    "read_manifest",
]

_COLUMNS: dict[str, pl.DataType | type[pl.DataType]] = {
    "id": pl.String, "n_frames": pl.Int64, "height": pl.Int64, "width": pl.Int64, "color": pl.Boolean,
    "fps": pl.Float64, "patient": pl.String, "study": pl.String, "centre": pl.String, "split": pl.String,
    "scanner": pl.String, "layout": pl.String, "region_origin": pl.String, "region_confidence": pl.Float64,
    "source_height": pl.Int64, "source_width": pl.Int64,
    "left": pl.Int64, "top": pl.Int64, "right": pl.Int64, "bottom": pl.Int64,
    "container": pl.String, "codec": pl.String, "n_claimed": pl.Int64, "gray_mean": pl.Float64, "gray_std": pl.Float64,
    "warnings": pl.List(pl.String), "sha256": pl.String, "geometry": pl.String,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class EntryFacts:
    """What the one who prepares a recording says about it."""

    id: str
    """A name that is safe as a folder's name."""
    fps: float | None = None
    patient: str | None = None
    study: str | None = None
    centre: str | None = None
    split: str | None = None
    box: Box | None = None
    """The region in the source's frames, of which this is the crop."""
    source_height: int | None = None
    """Rows of the source's frames."""
    source_width: int | None = None
    """Columns of the source's frames."""
    scanner: str | None = None
    """Manufacturer and model, as the scanner writes them."""
    container: str | None = None
    """What the source was: `dicom`, `mp4`, `folder`, ...; None in archives that did not keep it."""
    codec: str | None = None
    """How its pixels were coded; likewise."""
    layout: str | None = None
    """The layout of this scanner's screen whose mask was used: its name and a digest of the outline."""
    region_origin: str | None = None
    """Who said where the ultrasound is, as `Region.origin` tells it."""
    region_confidence: float | None = None
    """0 to 1."""
    n_claimed: int | None = None
    """How many frames the source's header claims, right or wrong."""
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not is_safe_name(self.id):
            raise UsageError(
                f"'{self.id}' cannot be a recording's id in an archive.",
                advice="Give an id without slashes and control characters that does not start with a dot.",
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry(EntryFacts):
    """One prepared recording of an archive."""

    n_frames: int
    height: int
    width: int
    color: bool
    gray_mean: float
    """Of all pixels, 0 to 255; a color counts by the mean of its channels."""
    gray_std: float
    """Likewise their standard deviation (of the pixels as they are, not an estimate for others)."""
    sha256: str
    """Of the pixels, frame after frame, row after row."""
    geometry: str
    """`source`: cropped at the source's resolution; `card:<hash>`: exactly that card's geometry."""


def is_safe_name(name: str) -> bool:
    """Whether this can name one file or folder on any system.

    >>> is_safe_name("p01_liver-2"), is_safe_name("../p01"), is_safe_name("")
    (True, False, False)
    """
    plain = name.isprintable() and not set(name) & set('/\\:*?"<>|')
    return plain and 0 < len(name.encode()) <= 200 and name[0] != "." and name == name.strip()


def facts_of(
    recording: Recording, *, box: Box | None = None, split: str | None = None, warnings: Sequence[str] = ()
) -> EntryFacts:
    """What a recording itself says, to prepare it under its own id."""
    facts: Facts = recording.facts
    return EntryFacts(
        id=recording.id,
        fps=recording.fps,
        patient=facts.patient,
        study=facts.study,
        centre=facts.centre,
        split=split,
        box=box,
        source_height=recording.height,
        source_width=recording.width,
        scanner=facts.scanner,
        container=facts.container,
        codec=facts.codec,
        n_claimed=recording.n_claimed,
        warnings=tuple(warnings),
    )


def entry_to_json(entry: Entry) -> dict[str, Any]:
    """The entry as plain values that JSON knows."""
    return asdict(entry) | {"warnings": list(entry.warnings)}


def entry_from_json(values: dict[str, Any]) -> Entry:
    """The entry that `entry_to_json` wrote; fields of later versions are passed over."""
    known = {field.name for field in fields(Entry)}
    kept = {name: value for name, value in values.items() if name in known}
    box = kept.get("box")
    return Entry(**kept | {"box": Box(**box) if box else None, "warnings": tuple(kept["warnings"])})


def manifest_of(entries: Sequence[Entry]) -> pl.DataFrame:
    """A table with one row per entry, in the order of the ids."""
    rows = []
    for entry in sorted(entries, key=lambda entry: entry.id):
        row = entry_to_json(entry)
        box = row.pop("box") or dict.fromkeys(("left", "top", "right", "bottom"))
        rows.append(row | box)
    return pl.DataFrame(rows, schema=_COLUMNS)


def read_manifest(table: pl.DataFrame) -> tuple[Entry, ...]:
    """The entries of a manifest.

    >>> gray = {"color": False, "gray_mean": 2.5, "gray_std": 0.5}
    >>> entry = Entry(id="a", n_frames=2, height=4, width=6, sha256="0", geometry="source", **gray)
    >>> read_manifest(manifest_of([entry])) == (entry,)
    True
    """
    sides = ("left", "top", "right", "bottom")
    return tuple(
        entry_from_json(row | {"box": None if row["left"] is None else {side: row[side] for side in sides}})
        for row in table.iter_rows(named=True)
    )
