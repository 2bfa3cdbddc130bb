"""Whole screens with a moving sector and a word beside it: one of the two tells the class, the other says nothing."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal, TypeAlias

import cv2
import numpy as np
import torch
from torch.nn.functional import cross_entropy

from sonoplane.frames.archive import Archive, open_archive
from sonoplane.frames.archive_writer import create_archive
from sonoplane.frames.entries import EntryFacts
from sonoplane.models.bundle import Bundle, save_bundle
from sonoplane.models.card import Card
from sonoplane.models.registry import build, network_spec, weights_of
from sonoplane.records import Frame, Label

Telling: TypeAlias = Literal["tissue", "text"]

CARD = Card(classes=("cyst", "stone"), size=(64, 80))
HEIGHT, WIDTH, N_FRAMES, N_RECORDINGS = 128, 160, 24, 24
WORDS = ("CYST", "STONE 2 MM")
SECTOR = np.array([[74, 22], [118, 22], [150, 118], [42, 118]])
"""Corners: column, row."""


def sector_mask() -> np.ndarray:
    """Which pixels of the screen are ultrasound."""
    return np.asarray(cv2.fillConvexPoly(np.zeros((HEIGHT, WIDTH), np.uint8), SECTOR, 1) > 0)


def frames_of(shows: int, says: int, seed: int) -> Iterator[Frame]:
    """Speckle with a dark or a bright spot that wanders, and a word at the upper left that does not."""
    dice = np.random.default_rng(seed)
    inside = sector_mask()
    place = dice.integers((82, 50), (110, 100))
    for index in range(N_FRAMES):
        speckle = cv2.GaussianBlur(dice.rayleigh(60, (HEIGHT, WIDTH)).astype(np.float32), (0, 0), 1)
        place = np.clip(place + dice.integers(-2, 3, 2), (78, 45), (114, 105))
        spot = cv2.circle(np.zeros((HEIGHT, WIDTH), np.float32), place.tolist(), 12, 1.0, -1)
        image = np.where(inside, speckle * (1 - spot) + spot * (250 if shows else 5), 0)
        image = np.clip(image, 0, 255).astype(np.uint8)
        cv2.putText(image, WORDS[says], (3, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.4, 235, 1, cv2.LINE_AA)
        yield Frame(index=index, time_s=index / 10, image=image)


def write_archive(folder: Path, telling: Telling) -> Archive:
    """A patient each; two in three train."""
    dice = np.random.default_rng(3)
    with create_archive(folder, geometry="source", settings={}) as writer:
        labels = []
        for number in range(N_RECORDINGS):
            right, chance = number % 2, int(dice.integers(2))
            shows, says = (right, chance) if telling == "tissue" else (chance, right)
            part = "test" if number >= 2 * N_RECORDINGS // 3 else "train"
            name = f"r{number:02d}"
            writer.add(
                EntryFacts(id=name, fps=10.0, patient=f"p{number:02d}", split=part),
                frames_of(shows, says, number),
            )
            labels.append(Label(recording=name, label=CARD.classes[right]))
        writer.add_labels("kind", labels)
    return open_archive(folder)


def trained(
    archive: Archive, folder: Path, *, steps: int = 40, seed: int = 0, size: tuple[int, int] = CARD.size
) -> Bundle:
    """A small SonoNet that has learned from some frames of the training part."""
    torch.set_num_threads(1)
    card = replace(CARD, size=size)
    entries = [entry for entry in archive.entries if entry.split == "train"]
    images = [
        card.geometry(image) for entry in entries for image in archive.read_frames(entry.id, [0, 8, 16])
    ]
    right = {row.recording: CARD.classes.index(row.label) for row in archive.labels("kind")}
    inputs = torch.from_numpy(card.values(images))
    targets = torch.tensor([right[entry.id] for entry in entries for _ in range(3)])
    spec = network_spec("sononet2d-4", n_classes=2)
    network = build(spec, seed=seed)
    optimizer = torch.optim.AdamW(network.parameters(), lr=5e-3)
    draw = torch.Generator().manual_seed(0)
    for _ in range(steps):
        batch = torch.randperm(len(inputs), generator=draw)[:16]
        optimizer.zero_grad()
        cross_entropy(network(inputs[batch]), targets[batch]).backward()
        optimizer.step()
    return save_bundle(
        folder, name=folder.name, version="1", spec=spec, card=card, weights=weights_of(network), recipe={}
    )
