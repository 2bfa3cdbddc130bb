"""Small drawn scanner screens with a known ultrasound mask, for the tests of this room."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from sonoplane.records import Facts, Frame, Recording, UltrasoundRegion


@dataclass(frozen=True, kw_only=True)
class Images:
    """Frames that lie in memory."""

    images: np.ndarray

    def read(self, start: int = 0, stop: int | None = None) -> Iterator[Frame]:
        for index in range(len(self.images))[start:stop]:
            yield Frame(index=index, time_s=index / 20, image=self.images[index])


def recording_of(
    images: np.ndarray, *, regions: tuple[UltrasoundRegion, ...] = (), id: str = "scene"
) -> Recording:
    return Recording(
        id=id,
        height=images.shape[1],
        width=images.shape[2],
        color=images.ndim == 4,
        fps=20.0,
        n_frames=len(images),
        facts=Facts(regions=regions, patient="p1"),
        source=Images(images=images),
    )


def sector_mask(height: int, width: int, *, convex: bool) -> np.ndarray:
    """A sector under the middle of the top edge: from a point, or from the arc of a convex probe."""
    y, x = np.mgrid[:height, :width]
    top = -0.15 * height if convex else 0.1 * height
    depth = np.hypot(x - width / 2, y - top)
    angle = np.arctan2(x - width / 2, y - top)
    nearest = 0.3 * height if convex else 0
    return (np.abs(angle) < 0.6) & (depth > nearest) & (depth < 0.95 * height - top)


def linear_mask(height: int, width: int) -> np.ndarray:
    mask = np.zeros((height, width), bool)
    mask[height // 8 : -height // 8, width // 4 : -width // 4] = True
    return mask


def writing_mask(height: int, width: int, level: int = 0) -> np.ndarray:
    """A scanner's furniture, as gray levels: a banner with a name, lines of text, ticks, a gray bar."""
    screen = np.zeros((height, width), np.uint8)
    banner = height // 14
    screen[:banner] = 70
    cv2.putText(screen, "DOE JANE 1970", (8, banner - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 255, 1)
    for row in range(3):
        place = (6, height // 4 + 16 * row)
        cv2.putText(screen, f"MI 0.{row}", place, cv2.FONT_HERSHEY_SIMPLEX, 0.4, 200, 1)
    screen[banner + 10 :: 20, -14:-9] = 220
    bar = slice(height // 2, height // 2 + height // 4)
    screen[bar, -28:-20] = np.linspace(255, 30, height // 4).astype(np.uint8)[:, None]
    return np.where(screen > 0, screen, level).astype(np.uint8)


def scene(
    mask: np.ndarray, *, n_frames: int = 12, seed: int = 0, level: int = 0, jpeg: int | None = None
) -> np.ndarray:
    """Speckle that moves inside the mask, with a shadow, on a screen with furniture."""
    rng = np.random.default_rng(seed)
    height, width = mask.shape
    screen = writing_mask(height, width, level)
    tissue = 60 + 40 * cv2.GaussianBlur(rng.standard_normal((height, width + 4 * n_frames)), (0, 0), 12) * 12
    images = []
    for index in range(n_frames):
        moved = tissue[:, 4 * index : 4 * index + width]
        speckle = cv2.GaussianBlur(rng.rayleigh(1.0, (height, width)), (0, 0), 1.0)
        image = np.clip(moved * speckle, 8, 255)
        image[height // 3 :, width // 2 : width // 2 + width // 12] *= 0.15
        frame = np.where(mask, image, screen).astype(np.uint8)
        if jpeg is not None:
            frame = cv2.imdecode(cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, jpeg])[1], 0)
        images.append(frame)
    return np.stack(images)


def paint(
    images: np.ndarray,
    text: str,
    place: tuple[int, int],
    *,
    height: int,
    style: str = "plain",
    level: int | tuple[int, int, int] = 230,
) -> tuple[np.ndarray, np.ndarray]:
    """The frames with a text painted over them at (x, y of its baseline), and which pixels its letters have."""
    letters = np.zeros(images.shape[1:3], np.uint8)
    thick = max(1, round(height / 9))
    cv2.putText(letters, text, place, cv2.FONT_HERSHEY_DUPLEX, height / 22, 255, thick, cv2.LINE_AA)
    under = np.ones(letters.shape)
    x, y, width, tall = cv2.boundingRect(letters)
    if style == "outlined":
        under[cv2.dilate(letters, np.ones((3, 3), np.uint8)) > 60] = 0
    elif style in ("panel", "glass"):
        under[max(0, y - 4) : y + tall + 4, max(0, x - 4) : x + width + 4] = 0.4 if style == "glass" else 0
    shape = (1, *letters.shape) + (1,) * (images.ndim - 3)
    share = (letters / 255).reshape(shape)
    painted = images * under.reshape(shape) * (1 - share) + share * np.asarray(level)
    return painted.round().astype(np.uint8), letters > 100


def overlap(found: np.ndarray, true: np.ndarray) -> float:
    """Intersection over union."""
    return float((found & true).sum() / (found | true).sum())
