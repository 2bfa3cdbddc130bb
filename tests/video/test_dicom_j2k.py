"""JPEG 2000 in DICOM, within the file format that does not belong there, and damaged: it ends, and soon."""

import contextlib
import io
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import uid

from sonoplane.errors import DamagedRecording
from sonoplane.video.dicom_color import ybr_to_rgb
from sonoplane.video.dicom_pixels import PixelForm, Undecodable, decode_stored
from tests.video.dicom_files import colors, first, opened, save_streams
from tests.video.test_dicom_htj2k import COLOR_STREAM

START = b"\xff\x4f\xff\x51"
SRGB, SYCC = (b"colr\1\0\0\0\0" + kind for kind in (b"\0\x10", b"\0\x12"))


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """Fail, rather than wait, where a decoder does not end."""
    if not hasattr(signal, "setitimer"):
        yield
        return
    before = signal.signal(signal.SIGALRM, lambda *_: pytest.fail(f"not done in {seconds} s"))
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def wrapped(*, transform: bool = True) -> bytes:
    """`colors` without loss, in the boxes of a JP2 file."""
    buffer = io.BytesIO()
    Image.fromarray(colors()[0]).save(buffer, "JPEG2000", irreversible=False, mct=int(transform))
    return buffer.getvalue()


def saved(stream: bytes, path: Path, **elements: str) -> Path:
    return save_streams([stream], path, uid.JPEG2000Lossless, (16, 24, 3), **elements)


def test_a_wrapper_without_lengths_does_not_hinder(tmp_path: Path) -> None:
    stream = wrapped()
    damaged = stream[:12] + bytes(stream.index(START) - 12) + stream[stream.index(START) :]
    with within(5):
        assert np.array_equal(first(saved(stream, tmp_path / "a")), colors()[0])
        assert np.array_equal(first(saved(damaged, tmp_path / "b")), colors()[0])


@pytest.mark.parametrize("at", [12, 40, 60])
def test_zeros_through_the_start_of_the_codestream_are_damage(tmp_path: Path, at: int) -> None:
    stream = wrapped()
    stop = stream.index(START) + 60
    recording = opened(saved(stream[:at] + bytes(stop - at) + stream[stop:], tmp_path / "a"))
    with within(5), pytest.raises(DamagedRecording, match="cannot be decoded"):
        list(recording.frames())


def test_colors_that_a_wrapper_names_are_converted_once(tmp_path: Path) -> None:
    stream = wrapped(transform=False).replace(SRGB, SYCC)
    assert SYCC in stream
    assert np.array_equal(first(saved(stream, tmp_path / "a")), ybr_to_rgb(colors()[0]))


@pytest.mark.parametrize("kind", ["2000", "high throughput"])
def test_damaged_streams_are_decoded_or_refused_at_once(kind: str) -> None:
    syntax, stream, width = {
        "2000": (uid.JPEG2000Lossless, wrapped(), 24),
        "high throughput": (uid.HTJ2KLossless, COLOR_STREAM, 16),
    }[kind]
    form = PixelForm(
        syntax=syntax, rows=16, columns=width, samples=3, bits_allocated=8, bits_stored=8, signed=False,
        planar=False, photometric="YBR_RCT",
    )  # fmt: skip
    chance = np.random.default_rng(2)
    with within(20):
        for _ in range(300):
            damaged = np.frombuffer(stream, np.uint8).copy()
            damaged[chance.integers(4, len(stream), size=4)] = chance.integers(256, size=4)
            start = chance.integers(4, len(stream))
            damaged[start : start + chance.integers(2, 50)] = 0
            with contextlib.suppress(Undecodable):
                decode_stored(damaged.tobytes(), form)
