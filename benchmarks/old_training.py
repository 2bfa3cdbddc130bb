"""The plain way to train on clips, as research scripts have it: the baseline of `training`, which is never tuned.

Every frame is a PNG file, opened and resized whenever its clip comes up; each clip is varied by itself, frame after
frame, with Pillow; the loader has its defaults; the arithmetic is float32, and Adam learns.
"""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

__all__ = ["FrameClips", "train", "vary"]

BILINEAR = Image.Resampling.BILINEAR


class FrameClips(Dataset[tuple[Tensor, int]]):
    """Clips of PNG frames, each with the number of its class."""

    def __init__(self, clips: Sequence[tuple[Sequence[Path], int]], side: int) -> None:
        self.clips = clips
        self.side = side

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        paths, target = self.clips[index]
        frames = [Image.open(path).convert("L").resize((self.side, self.side), BILINEAR) for path in paths]
        return to_tensor(vary(frames)), target


def vary(frames: Sequence[Image.Image]) -> list[Image.Image]:
    """Flip, gamma, zoom with crop or pad, rotation: drawn for the clip, the same for each of its frames."""
    mirrored, upside_down = random.random() < 0.5, random.random() < 0.5
    gamma, zoom, angle = random.uniform(0.7, 1.4), random.uniform(0.8, 1.2), random.uniform(-10, 10)
    levels = [round(255 * (level / 255) ** gamma) for level in range(256)]
    varied = []
    for frame in frames:
        side = frame.width
        if mirrored:
            frame = frame.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if upside_down:
            frame = frame.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
        frame = frame.point(levels)
        larger = round(side * zoom)
        edge = (larger - side) // 2
        frame = frame.resize((larger, larger), BILINEAR).crop((edge, edge, edge + side, edge + side))
        varied.append(frame.rotate(angle, BILINEAR))
    return varied


def to_tensor(frames: Sequence[Image.Image]) -> Tensor:
    """One channel, gray levels 0 to 1: `1 time height width`."""
    return torch.stack([torch.from_numpy(np.array(frame, dtype=np.float32) / 255) for frame in frames])[None]


def train(network: nn.Module, clips: Dataset[tuple[Tensor, int]], *, batch: int) -> Iterator[float]:
    """Epoch after epoch; gives the loss of each step."""
    loader = DataLoader(clips, batch_size=batch, shuffle=True)
    optimizer = torch.optim.Adam(network.parameters(), lr=5e-3)
    criterion = nn.CrossEntropyLoss()
    network.train()
    while True:
        for images, targets in loader:
            optimizer.zero_grad()
            loss = criterion(network(images), targets)
            loss.backward()
            optimizer.step()
            yield loss.item()
