"""Draws the pictures of the phantom in the docs: `python -m studies.phantom.pictures docs/images`."""

import sys
from pathlib import Path

import cv2
import numpy as np

from sonoplane.video.phantom import Preset, classes_of, simulate

_PANE = (232, 186)
"""Width and height of one frame in the picture."""


def picture(preset: Preset, *, columns: int) -> np.ndarray:
    """One frame of every class, its name below it, each of another patient where there are enough."""
    panes: dict[str, np.ndarray] = {}
    for exam in simulate(preset, exams=(3, 3), seed=11):
        for label in exam.labels:
            if label.label not in panes:
                frame = 12 if label.start is None else (label.start + (label.stop or 0)) // 2
                image = next(exam.recording.frames(frame)).image
                panes[label.label] = _captioned(
                    cv2.resize(image, _PANE, interpolation=cv2.INTER_AREA), label.label
                )
                break
    shown = [panes[name] for name in classes_of(preset)]
    shown += [np.zeros_like(shown[0])] * (-len(shown) % columns)
    return np.vstack([np.hstack(shown[i : i + columns]) for i in range(0, len(shown), columns)])


def _captioned(image: np.ndarray, text: str) -> np.ndarray:
    strip = np.zeros((18, image.shape[1]), np.uint8)
    cv2.putText(strip, text, (6, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.38, 235, 1, cv2.LINE_AA)
    return np.vstack([image, strip])


def main(folder: Path) -> None:
    """Write all pictures, in 16 grays so that they stay small."""
    folder.mkdir(parents=True, exist_ok=True)
    for preset, columns in (("liver-sweep", 4), ("vessels", 5), ("echo-views", 3)):
        coarse = (picture(preset, columns=columns) // 16) * 17
        cv2.imwrite(str(folder / f"phantom-{preset}.png"), coarse, [cv2.IMWRITE_PNG_COMPRESSION, 9])


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/images"))
