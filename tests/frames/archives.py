"""What the tests of archives share: recordings of noise, written the same every time."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sonoplane.frames.archive_writer import create_archive
from sonoplane.frames.entries import EntryFacts
from sonoplane.records import Box, Frame, Label

SETTINGS = {"region": {"margin_px": 1}}


def images_of(n_frames: int, *shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (n_frames, *shape)).astype(np.uint8)


def frames_of(images: np.ndarray, *, fps: float | None = 10.0) -> Iterator[Frame]:
    for index, image in enumerate(images):
        yield Frame(index=index, time_s=None if fps is None else index / fps, image=image)


GRAY, COLOR = images_of(37, 20, 30), images_of(5, 8, 9, 3, seed=1)
BOX = Box(left=1, top=2, right=31, bottom=22)
CHOSEN, HASHES = np.array([0, 3, 8]), images_of(3, 8, seed=2)


def write_archive(place: Path | str) -> None:
    """A gray recording with all arrays and a color one without times, labels and a text; or what is missing of them."""
    gray = EntryFacts(
        id="gray",
        patient="p1",
        split="train",
        box=BOX,
        scanner="Philips EPIQ",
        layout="epiq-1-0f3a",
        region_origin="pixels",
        region_confidence=0.75,
        n_claimed=40,
        warnings=("odd",),
    )
    with create_archive(place, geometry="source", settings=SETTINGS) as writer:
        if not writer.has("gray"):
            writer.add(gray, frames_of(GRAY), arrays=lambda: {"subsample": CHOSEN, "fingerprint": HASHES})
        if not writer.has("color"):
            writer.add(EntryFacts(id="color", fps=10.0), frames_of(COLOR, fps=None))
        writer.add_labels("plane", [Label(recording="gray", label="liver", start=0, stop=9)])
        writer.write_text("layouts.toml", "margin = 1\n")
