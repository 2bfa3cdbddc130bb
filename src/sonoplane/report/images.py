"""Key frames become PNG files of their own, and small pictures inside a page."""

import base64
import io
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from PIL import Image as Pillow

from sonoplane.records import Box, Image, KeyFrame

__all__ = ["best_key_frame", "image_names", "inline_jpeg", "write_png"]

#: Longest name of a class inside a file's name: keeps paths short enough for every file system.
_LONGEST = 60

#: Of 9: ultrasound is hardly smaller with more, and takes more than twice the time.
_PNG_EFFORT = 3


def image_names(keyframes: Sequence[KeyFrame]) -> tuple[str, ...]:
    """A file name for each key frame, unique, in plain ASCII: the frame's number and its plane.

    >>> import numpy as np
    >>> shown = dict(frame=123, time_s=None, probability=0.9, sharpness=1.0, reason="")
    >>> planes = ("Brain (Cb.)", "Brain Cb", "Abdomen", "肝")
    >>> image_names([KeyFrame(label=plane, image=np.zeros((2, 2), np.uint8), **shown) for plane in planes])
    ('0123-brain-cb.png', '0123-brain-cb-2.png', '0123-abdomen.png', '0123-plane.png')
    """
    names: list[str] = []
    for keyframe in keyframes:
        stem = f"{keyframe.frame:04d}-{_plain(keyframe.label)}"
        name, turn = f"{stem}.png", 1
        while name in names:
            turn += 1
            name = f"{stem}-{turn}.png"
        names.append(name)
    return tuple(names)


def write_png(path: Path, image: Image) -> None:
    """Save a frame pixel for pixel, gray or RGB, with nothing but pixels in the file."""
    Pillow.fromarray(image).save(path, format="PNG", compress_level=_PNG_EFFORT)


def inline_jpeg(image: Image, *, box: Box | None = None, longest: int = 800, quality: int = 85) -> str:
    """A picture as a `data:` address: `box` of the image, at most `longest` pixels wide or high.

    A box that does not fit the image is left out of account.

    >>> import numpy as np
    >>> inline_jpeg(np.zeros((2, 2), np.uint8))[:27]
    'data:image/jpeg;base64,/9j/'
    """
    if box is not None and box.fits(height=image.shape[0], width=image.shape[1]):
        image = image[box.slices]
    picture = Pillow.fromarray(image)
    picture.thumbnail((longest, longest), Pillow.Resampling.LANCZOS)
    memory = io.BytesIO()
    picture.save(memory, format="JPEG", quality=quality, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(memory.getvalue()).decode("ascii")


def best_key_frame(keyframes: Sequence[KeyFrame]) -> KeyFrame | None:
    """The key frame of the largest probability, the first of equals; None where there is none."""
    return max(keyframes, key=lambda keyframe: keyframe.probability, default=None)


def _plain(label: str) -> str:
    """A class name in lower-case ASCII letters, digits and single hyphens."""
    ascii_only = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode("ascii")
    return re.sub(r"[^a-z0-9]+", "-", ascii_only.lower())[:_LONGEST].strip("-") or "plane"
