"""A small archive of noise with a bright bar that stands still, moves left or moves right: labels by frame."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sonoplane.clips.windows_settings import WindowSettings
from sonoplane.frames.archive import Archive, open_archive
from sonoplane.frames.archive_place import place_of
from sonoplane.frames.archive_writer import ArchiveWriter, create_archive
from sonoplane.frames.entries import EntryFacts
from sonoplane.models.card import Card
from sonoplane.records import Box, Frame
from sonoplane.training.clips_dataset import ClipDataset
from sonoplane.training.samples import Form, cut_samples

HEIGHT, WIDTH, N_FRAMES = 48, 64, 12
CARD = Card(classes=("still", "left", "right"), size=(HEIGHT, WIDTH), background="still")


def frames_of(number: int) -> Iterator[Frame]:
    """The bar moves by 3 pixels a frame, in the second half of a recording."""
    dice = np.random.default_rng(number)
    start = int(dice.integers(16, 30))
    for index in range(N_FRAMES):
        image = dice.integers(0, 40, (HEIGHT, WIDTH)).astype(np.uint8)
        moved = max(0, index - N_FRAMES // 2 + 1) * (3 if number % 2 else -3)
        image[:, (start + moved) % WIDTH] = 255
        yield Frame(index=index, time_s=index / 10, image=image)


def labels_of(number: int) -> np.ndarray:
    """Frames at the start have no label."""
    labels = np.full(N_FRAMES, -1, np.int64)
    labels[2 : N_FRAMES // 2] = 0
    labels[N_FRAMES // 2 :] = 2 if number % 2 else 1
    return labels


def write_archive(folder: Path, n_recordings: int = 6) -> Archive:
    create_archive(folder, geometry=f"card:{CARD.geometry_hash}", settings={})
    with ArchiveWriter(place_of(folder), geometry=f"card:{CARD.geometry_hash}") as writer:
        for number in range(n_recordings):
            box = Box(left=0, top=0, right=WIDTH, bottom=HEIGHT)
            writer.add(EntryFacts(id=f"r{number}", fps=10.0, box=box), frames_of(number))
    return open_archive(folder)


def parts_of(
    archive: Archive, form: Form, *, length: int = 5, cache_bytes: float = 1e9
) -> tuple[ClipDataset, ClipDataset]:
    """All recordings but the last two, to train; those, to validate."""
    windows = WindowSettings(length=length, stride=2, policy="last")
    made = [
        cut_samples(entry.id, labels_of(int(entry.id[1:])), form=form, windows=windows)
        for entry in archive.entries
    ]
    return (
        ClipDataset(archive, CARD, made[:-2], cache_bytes=cache_bytes),
        ClipDataset(archive, CARD, made[-2:], cache_bytes=cache_bytes),
    )
