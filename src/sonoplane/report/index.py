"""The page that lists all recordings of one run, and those that failed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from PIL import Image as Pillow

from sonoplane.records import Box, Findings
from sonoplane.report import findings_json
from sonoplane.report.html import render
from sonoplane.report.images import best_key_frame, inline_jpeg

__all__ = ["Failure", "IndexEntry", "index_html"]

_THUMBNAIL = {"longest": 200, "quality": 80}


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """A recording that could not be read, why, and what to do about it."""

    recording: str
    reason: str
    what_to_do: str


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexEntry:
    """What the index says of one recording: a few hundred bytes and a thumbnail, however long it is."""

    recording: str
    label: str
    probability: float
    found: tuple[str, ...]
    missing: tuple[str, ...]
    n_frames: int
    n_warnings: int
    thumbnail: str | None
    """The best key frame as an inline picture; None where there is no key frame."""

    @property
    def address(self) -> str:
        """The recording's report, relative to the index."""
        return f"{quote(self.recording)}/report.html"

    @classmethod
    def of(cls, findings: Findings) -> "IndexEntry":
        """From findings at hand."""
        best = best_key_frame(findings.keyframes)
        return cls(
            recording=findings.recording,
            label=findings.label,
            probability=findings.probability,
            found=findings.found,
            missing=findings.missing,
            n_frames=findings.n_frames,
            n_warnings=len(findings.warnings),
            thumbnail=inline_jpeg(best.image, box=findings.region.box, **_THUMBNAIL) if best else None,
        )

    @classmethod
    def read(cls, folder: Path) -> "IndexEntry":
        """From the folder of a recording that an earlier run wrote."""
        document = findings_json.read(folder / "findings.json")
        return cls(
            recording=document["recording"],
            label=document["recording_label"]["label"],
            probability=float(document["recording_label"]["probability"]),
            found=tuple(document["planes"]["found"]),
            missing=tuple(document["planes"]["missing"]),
            n_frames=document["frames"],
            n_warnings=len(document["warnings"]),
            thumbnail=_saved_thumbnail(folder, document),
        )


def index_html(entries: Sequence[IndexEntry], failures: Sequence[Failure]) -> str:
    """The index as one page: a row for each recording, in the order given, then the failures."""
    return render("index.html.j2", entries=entries, failures=failures)


def _saved_thumbnail(folder: Path, document: dict[str, Any]) -> str | None:
    best = max(document["keyframes"], key=lambda keyframe: keyframe["probability"], default=None)
    if best is None or not (folder / best["image"]).is_file():
        return None
    with Pillow.open(folder / best["image"]) as picture:
        image = np.asarray(picture)
    region = document["region"]
    box = Box(**{side: region[side] for side in ("left", "top", "right", "bottom")})
    return inline_jpeg(image, box=box, **_THUMBNAIL)
