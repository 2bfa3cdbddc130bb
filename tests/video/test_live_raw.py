"""Raw frames in a pipe become frames, whole or not."""

import io
import os
import threading
import time

import numpy as np
import pytest

from sonoplane.errors import RecordingError, UsageError
from sonoplane.video.live import RawFormat, open_live

RNG = np.random.default_rng(0)


def pixels(n: int, *, color: bool) -> np.ndarray:
    return RNG.integers(0, 256, (n, 6, 8, 3) if color else (n, 6, 8), dtype=np.uint8)


@pytest.mark.parametrize("kind", ["gray", "rgb", "bgr"])
def test_frames_come_out_as_they_went_in(kind):
    images = pixels(3, color=kind != "gray")
    source = open_live("-", raw=RawFormat(height=6, width=8, pixels=kind), stdin=io.BytesIO(images.tobytes()))
    frames = list(source.frames())
    wanted = images[..., ::-1] if kind == "bgr" else images
    assert np.array_equal([frame.image for frame in frames], wanted)
    assert [frame.index for frame in frames] == [0, 1, 2]
    assert (source.facts.kind, source.facts.color, source.facts.fps) == ("raw", kind != "gray", None)


def test_a_stated_rate_gives_the_times():
    raw = RawFormat(height=6, width=8, fps=20)
    source = open_live("-", raw=raw, stdin=io.BytesIO(pixels(3, color=False).tobytes()))
    assert [frame.time_s for frame in source.frames()] == [0, 0.05, 0.1]


def test_frames_with_a_rate_are_not_given_before_they_are_due():
    raw = RawFormat(height=6, width=8, fps=50)
    source = open_live("-", raw=raw, stdin=io.BytesIO(pixels(6, color=False).tobytes()))
    began = time.monotonic()
    late = [time.monotonic() - began - frame.time_s for frame in source.frames()]
    assert len(late) == 6
    assert min(late) >= 0


def test_closing_ends_a_source_that_holds_a_frame_back():
    raw = RawFormat(height=6, width=8, fps=0.001)
    source = open_live("-", raw=raw, stdin=io.BytesIO(pixels(6, color=False).tobytes()))
    threading.Timer(0.2, source.close).start()
    assert len(list(source.frames())) == 1


def test_without_a_rate_frames_are_timed_as_they_arrive():
    out, into = os.pipe()
    images = pixels(3, color=False)

    def write() -> None:
        with os.fdopen(into, "wb", buffering=0) as pipe:
            for image in images:
                pipe.write(image.tobytes()[:20])
                pipe.write(image.tobytes()[20:])
                time.sleep(0.1)

    threading.Thread(target=write).start()
    with os.fdopen(out, "rb") as stdin:
        frames = list(open_live("-", raw=RawFormat(height=6, width=8), stdin=stdin).frames())
    assert np.array_equal([frame.image for frame in frames], images)
    times_s = [frame.time_s for frame in frames]
    assert times_s[0] == 0
    assert 0.05 < times_s[-1] < 5
    assert (np.diff(times_s) > 0).all()


def test_a_short_last_frame_is_noted():
    images = pixels(2, color=False)
    stdin = io.BytesIO(images.tobytes()[:-10])
    frames = list(open_live("-", raw=RawFormat(height=6, width=8), stdin=stdin).frames())
    assert frames[0].note is None
    assert frames[1].note is not None
    assert "black" in frames[1].note
    assert np.array_equal(frames[1].image[:4], images[1, :4])
    assert not frames[1].image.ravel()[-10:].any()


@pytest.mark.parametrize(("n_bytes", "said"), [(0, "No raw frame"), (30, "30 raw bytes")])
def test_less_than_one_frame_is_an_error(n_bytes, said):
    source = open_live("-", raw=RawFormat(height=6, width=8), stdin=io.BytesIO(bytes(n_bytes)))
    with pytest.raises(RecordingError, match=said):
        list(source.frames())


def test_closing_ends_it_while_it_waits_for_bytes():
    out, into = os.pipe()
    with os.fdopen(out, "rb") as stdin, os.fdopen(into, "wb", buffering=0) as pipe:
        source = open_live("-", raw=RawFormat(height=6, width=8), stdin=stdin)
        pipe.write(bytes(48 + 10))
        threading.Timer(0.1, source.close).start()
        started_s = time.monotonic()
        assert len(list(source.frames())) <= 1
        assert time.monotonic() - started_s < 1
        pipe.write(bytes(48))  # sets the thread free


def test_what_frames_look_like_must_be_said():
    with pytest.raises(UsageError, match="height"):
        open_live("-")
    with pytest.raises(UsageError, match="stdin"):
        open_live("sweep.mp4", raw=RawFormat(height=6, width=8))
