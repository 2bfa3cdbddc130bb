"""The ultrasound region of a feed, kept in a file from one run to the next: no pixel of it, only where it is."""

import base64
import hashlib
import json
import uuid
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from sonoplane.errors import SonoplaneError
from sonoplane.models.bundle import Bundle
from sonoplane.records import Box, Region
from sonoplane.steps.progress import say
from sonoplane.steps.recipe import Recipe
from sonoplane.video.live_source import LiveFacts

__all__ = ["RegionCache"]

_FORMAT = 1
_ORIGINS = ("card", "dicom", "pixels")


class RegionCache:
    """A region on disk that is believed only for frames of the same size and kind, searched in the same way.

    What it cannot know is whether the scanner's screen still looks as it did: where that has changed, remove the file.
    """

    def __init__(self, path: Path, facts: LiveFacts, *, bundle: Bundle, recipe: Recipe) -> None:
        self._path = path
        self._size = facts.height, facts.width
        self._made_for = _digest(facts, bundle, recipe)

    def read(self) -> Region | None:
        """What is kept; None where there is nothing, or something that is not for this feed, which is then said."""
        try:
            values = json.loads(self._path.read_bytes())
            if values["format"] == _FORMAT and values["made_for"] == self._made_for:
                return _region(values, *self._size)
            why = "for another source, frame size, network or search"
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError, AttributeError, SonoplaneError):
            why = "damaged"
        say(f"The region in '{self._path.name}' is {why}; it is searched anew.")
        return None

    def write(self, region: Region) -> None:
        """Keep a region for the next run; one that is the whole frame, for want of any, is not kept."""
        if region.origin == "whole":
            return
        values = {
            "format": _FORMAT,
            "made_for": self._made_for,
            "origin": region.origin,
            "confidence": region.confidence,
            "box": asdict(region.box),
            "writing": [asdict(box) for box in region.writing],
            "mask": None
            if region.mask is None
            else base64.b64encode(np.packbits(region.mask).tobytes()).decode(),
        }
        fresh = self._path.with_name(f".{uuid.uuid4().hex[:12]}.partial")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            fresh.write_text(json.dumps(values) + "\n", encoding="utf-8")
            fresh.replace(self._path)
        except OSError as error:  # the feed goes on all the same
            say(f"The region could not be kept in '{self._path.name}': {error.strerror}.")
        finally:
            fresh.unlink(missing_ok=True)


def _region(values: dict[str, Any], height: int, width: int) -> Region:
    mask = None
    if values["mask"] is not None:
        bits = np.unpackbits(np.frombuffer(base64.b64decode(values["mask"], validate=True), np.uint8))
        if not 0 <= len(bits) - height * width < 8:
            raise ValueError("the mask is of another size")
        mask = bits[: height * width].reshape(height, width).astype(bool)
    box, *writing = [Box(**each) for each in (values["box"], *values["writing"])]
    if values["origin"] not in _ORIGINS or not all(
        b.fits(height=height, width=width) for b in (box, *writing)
    ):
        raise ValueError("the region leaves the frame")
    return Region(
        box=box,
        origin=values["origin"],
        mask=mask,
        writing=tuple(writing),
        confidence=float(values["confidence"]),
    )


def _digest(facts: LiveFacts, bundle: Bundle, recipe: Recipe) -> str:
    """Of all that the search hangs on, but the pixels."""
    crop = bundle.card.fixed_box(height=facts.height, width=facts.width)
    told = {
        "source": [facts.kind, facts.height, facts.width, facts.color, facts.container, facts.scanner],
        "declared": [asdict(region) for region in facts.regions],
        "crop": asdict(crop) if crop else None,
        "region": recipe.region.model_dump(),
        "layouts": recipe.layouts.model_dump(),
        "layout": recipe.layout,
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()
