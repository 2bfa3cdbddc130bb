"""Still images become a recording: a folder of numbered frames, the pages of a TIFF, or one picture."""

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
from PIL import ExifTags, ImageOps
from PIL import Image as Pillow

from sonoplane.errors import DamagedRecording, RecordingError, UsageError
from sonoplane.records import Facts, Frame, Image, Recording
from sonoplane.video.numbering import gaps, has_image_name, natural_order, recordings_among
from sonoplane.video.pixels import over_black
from sonoplane.video.signatures import kind_of, read_head

__all__ = ["FolderSource", "open_folder", "open_frames", "open_image"]

#: What Pillow raises on broken images.
BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error, Pillow.DecompressionBombError)

GRAY_MODES = ("1", "L", "LA", "La", "I;16", "I;16B", "I;16L", "I;16N")
BOTTOMLESS_MODES = ("I", "F")


@dataclass(frozen=True, kw_only=True, slots=True)
class Still:
    """One frame on disk: an image file, or a page of a TIFF."""

    path: Path
    page: int
    height: int
    width: int
    """As displayed, after the camera's rotation."""
    color: bool
    codec: str

    @property
    def name(self) -> str:
        """The file's name, and the page where it is not the first."""
        return f"{self.path.name}, page {self.page + 1}" if self.page else self.path.name


@dataclass(frozen=True, slots=True)
class FolderSource:
    """Frames that lie on disk as images, in order."""

    stills: tuple[Still, ...]
    color: bool
    fps: float | None

    def read(self, start: int = 0, stop: int | None = None) -> Iterator[Frame]:
        """Frames `start` to `stop` (exclusive), each file opened when it is asked for."""
        if start < 0 or (stop is not None and stop < start):
            raise UsageError(f"There are no frames {start} to {stop}.", advice="Give 0 <= start <= stop.")
        return self._frames(start, stop)

    def _frames(self, start: int, stop: int | None) -> Iterator[Frame]:
        numbered = list(enumerate(self.stills))[start:stop]
        for path, pages in groupby(numbered, key=lambda item: item[1].path):
            with _opened(path) as file:
                for index, still in pages:
                    time_s = index / self.fps if self.fps else None
                    yield Frame(index=index, time_s=time_s, image=_pixels(file, still, color=self.color))


def open_folder(path: Path, *, recording_id: str, fps: float | None = None) -> Recording:
    """Open a folder of PNG, JPEG, TIFF or BMP frames, in natural order; other files in it are passed over.

    Beside numbered frames the few images without a number are left aside, with a warning. Frames have times only where
    `fps` is given. `RecordingError` where the folder holds no image or images of several sizes; `DamagedRecording`
    where a file is an image by its name alone, since every frame after it would have a wrong number without it.
    """
    files = [file for file in path.iterdir() if has_image_name(file) or _is_frame(file)]
    if not files:
        raise RecordingError(
            f"The folder {path.resolve().name} holds no images.",
            advice="Give a folder of PNG, JPEG, TIFF or BMP frames, or name the recordings in it.",
        )
    found = recordings_among([file.name for file in files])
    names = found.get("") or sorted((file.name for file in files), key=natural_order)
    return open_frames(
        [path / name for name in names],
        recording_id=recording_id,
        fps=fps,
        warnings=_left_aside(len(files) - len(names)),
    )


def open_frames(
    files: Sequence[Path], *, recording_id: str, fps: float | None = None, warnings: tuple[str, ...] = ()
) -> Recording:
    """Open image files as the frames of one recording, in the order they are given; missing numbers are told.

    Errors as for `open_folder`.
    """
    for file in files:
        if not _is_frame(file):
            raise DamagedRecording(
                f"{file.name} in the folder {file.parent.name} is not an image.",
                advice="Bring that frame back, or take the file away if it is none.",
            )
    return _recording(
        tuple(still for file in files for still in _stills(file)),
        recording_id=recording_id,
        fps=fps,
        container="folder",
        warnings=(*warnings, *gaps([file.name for file in files])),
    )


def _left_aside(n: int) -> tuple[str, ...]:
    """A warning about images that are no frames; it names none, since warnings travel."""
    images = "1 image" if n == 1 else f"{n} images"
    return (f"{images} without a number left aside.",) if n else ()


def open_image(path: Path, *, recording_id: str, fps: float | None = None) -> Recording:
    """Open one image as a recording of one frame, or a TIFF as a recording of its pages."""
    return _recording(
        tuple(_stills(path)), recording_id=recording_id, fps=fps, container="image", warnings=()
    )


def _is_frame(file: Path) -> bool:
    """Whether this is an image that is not hidden."""
    try:
        return not file.name.startswith(".") and file.is_file() and kind_of(read_head(file)) == "image"
    except OSError:
        return False


def _recording(
    stills: tuple[Still, ...],
    *,
    recording_id: str,
    fps: float | None,
    container: str,
    warnings: tuple[str, ...],
) -> Recording:
    first = stills[0]
    for still in stills:
        if (still.height, still.width) != (first.height, first.width):
            raise RecordingError(
                f"{still.name} is {still.width} x {still.height} pixels, but {first.name} before it is "
                f"{first.width} x {first.height}.",
                advice="Keep frames of one size in a folder, or give the images one by one.",
            )
    color = any(still.color for still in stills)
    return Recording(
        id=recording_id,
        height=first.height,
        width=first.width,
        color=color,
        fps=fps,
        n_frames=len(stills),
        facts=Facts(container=container, codec=first.codec),
        warnings=warnings,
        source=FolderSource(stills, color, fps),
    )


@contextmanager
def _opened(path: Path) -> Iterator[Pillow.Image]:
    """An image file, its header read.

    Pillow gets an open file, since from a path it maps uncompressed TIFFs into memory and then forgets to turn them.
    """
    with path.open("rb") as data:
        try:
            image = Pillow.open(data, formats=("PNG", "JPEG", "TIFF", "BMP"))
        except BROKEN as error:
            raise _broken(path.name) from error
        with image:
            yield image


def _broken(name: str) -> DamagedRecording:
    return DamagedRecording(
        f"The image {name} cannot be read.", advice="It is damaged or cut short: make or copy it again."
    )


def _stills(path: Path) -> list[Still]:
    """The frames in one image file, from its header alone."""
    with _opened(path) as file:
        try:
            n_pages = getattr(file, "n_frames", 1) if file.format == "TIFF" else 1
            return [_still(file, path, page) for page in range(n_pages)]
        except BROKEN as error:
            raise _broken(path.name) from error


def _still(file: Pillow.Image, path: Path, page: int) -> Still:
    if page:
        file.seek(page)
    if file.mode in BOTTOMLESS_MODES:
        raise RecordingError(
            f"The pixels of {path.name} have 32 bits, for which no white is defined.",
            advice="Save it with 8 or 16 bits a channel.",
        )
    width, height = file.size
    # Pillow turns the pages of a TIFF by itself, and tells their size accordingly.
    if file.format != "TIFF" and file.getexif().get(ExifTags.Base.Orientation, 1) > 4:
        width, height = height, width
    color = file.mode not in GRAY_MODES
    codec = str(file.format).lower()
    return Still(path=path, page=page, height=height, width=width, color=color, codec=codec)


def _pixels(file: Pillow.Image, still: Still, *, color: bool) -> Image:
    """The pixels of a still, upright, gray or RGB as the whole recording is."""
    try:
        file.seek(still.page)
        image = _eight_bits(ImageOps.exif_transpose(file))
    except BROKEN as error:
        raise _broken(still.name) from error
    return np.repeat(image[..., None], 3, axis=2) if color and image.ndim == 2 else image


def _eight_bits(file: Pillow.Image) -> Image:
    """Gray or RGB bytes: the top eight of sixteen bits, palettes looked up, transparency over black."""
    if file.mode.startswith("I;16"):
        return (np.asarray(file).astype(np.uint16) >> 8).astype(np.uint8)
    transparent = file.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in file.info
    if not transparent:
        return np.array(file.convert("L" if file.mode in GRAY_MODES else "RGB"))
    rgba = np.asarray(file.convert("RGBA"))
    image = over_black(rgba[..., :3], rgba[..., 3])
    return np.ascontiguousarray(image[..., 0]) if file.mode in GRAY_MODES else image
