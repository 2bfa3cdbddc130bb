"""Any video that FFmpeg decodes gives its frames in order, with true times and colors, whatever its header says."""

import gc
import io
import tracemalloc
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition
from PIL import Image

from sonoplane.errors import DamagedRecording, UsageError
from sonoplane.video.container import decode, open_container, probe

N = 30

#: FFmpeg's numbers for color matrices and ranges.
BT709, SMPTE170M = 1, 6
LIMITED, FULL = 1, 2

MAKES = {
    "h264.mp4": ("libx264", "yuv420p"),
    "h264.mkv": ("libx264", "yuv420p"),
    "h264.ts": ("libx264", "yuv420p"),
    "mjpeg.avi": ("mjpeg", "yuvj420p"),
    "mpeg2.mpg": ("mpeg2video", "yuv420p"),
    "mpeg4.avi": ("mpeg4", "yuv420p"),
    "ffv1.mkv": ("ffv1", "gray"),
}


def picture(number: int, *, height: int = 48, width: int = 64) -> np.ndarray:
    """A gray field whose brightness is its number, with a bright mark at the left of the top."""
    pixels = np.full((height, width, 3), 30 + 6 * (number % 35), np.uint8)
    pixels[: height // 4, : width // 4] = 250
    return pixels


def write(path: Path, codec: str = "libx264", pixel_format: str = "yuv420p", *, n: int = N, **how) -> Path:
    """Write a video of `n` numbered pictures, 20 a second unless `times_ms` says otherwise."""
    height, width, times_ms = how.get("height", 48), how.get("width", 64), how.get("times_ms")
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=20)
        stream.height, stream.width, stream.pix_fmt = height, width, pixel_format
        if times_ms:
            stream.codec_context.time_base = Fraction(1, 1000)
        if "turn" in how:
            stream.set_display_rotation(how["turn"], how.get("mirror", False))
        if codec == "libx264":
            stream.options = {"g": "10", "bf": "2"}
        for number in range(len(times_ms or range(n))):
            frame = av.VideoFrame.from_ndarray(picture(number, height=height, width=width), format="rgb24")
            if times_ms:
                frame.pts, frame.time_base = times_ms[number], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def packets(path: Path) -> list[tuple[int, int]]:
    with av.open(str(path)) as container:
        return [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]


def damage(path: Path, *numbers: int) -> Path:
    """Overwrite packets with zeros."""
    data, places = bytearray(path.read_bytes()), packets(path)
    for position, size in (places[number] for number in numbers):
        data[position : position + size] = bytes(size)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("name", MAKES)
def test_every_frame_comes_once_and_in_order(name, tmp_path):
    recording = open_container(write(tmp_path / name, *MAKES[name]), recording_id="r")
    frames = list(recording.frames())
    assert [frame.index for frame in frames] == list(range(N))
    levels = [int(np.median(frame.image)) for frame in frames]
    assert np.allclose(levels, [30 + 6 * number for number in range(N)], atol=6)
    assert np.allclose([frame.time_s for frame in frames], np.arange(N) / 20, atol=1e-3)
    assert recording.fps == pytest.approx(20)
    assert not any(frame.note for frame in frames)


@pytest.mark.parametrize("name", ["h264.mp4", "mpeg2.mpg", "mjpeg.avi"])
def test_frame_n_is_the_nth_decoded_frame_wherever_reading_starts(name, tmp_path):
    path = str(write(tmp_path / name, *MAKES[name]))
    whole = list(decode(path))
    part = list(decode(path, start=13, stop=17))
    assert [frame.index for frame in part] == [13, 14, 15, 16]
    assert all(np.array_equal(a.image, b.image) for a, b in zip(part, whole[13:17], strict=True))
    assert [frame.time_s for frame in part] == [frame.time_s for frame in whole[13:17]]
    assert list(decode(path, start=N)) == []
    assert list(decode(path, stop=0)) == []
    with pytest.raises(UsageError):
        decode(path, start=5, stop=3)


def test_bytes_decode_like_the_file(tmp_path):
    path = write(tmp_path / "v.mp4")
    data = io.BytesIO(path.read_bytes())
    assert probe(data) == probe(str(path))
    for _ in range(2):
        assert all(
            np.array_equal(a.image, b.image) for a, b in zip(decode(data), decode(str(path)), strict=True)
        )


@pytest.mark.parametrize("name", ["v.mp4", "v.mkv"])
def test_a_variable_frame_rate_keeps_its_true_times(name, tmp_path):
    times_ms = [0, 40, 120, 130, 500]
    recording = open_container(write(tmp_path / name, times_ms=times_ms), recording_id="r")
    assert [frame.time_s for frame in recording.frames()] == pytest.approx([t / 1000 for t in times_ms])
    assert recording.fps == pytest.approx(8)


def test_times_count_from_the_first_frame(tmp_path):
    recording = open_container(write(tmp_path / "v.mkv", times_ms=[700, 750, 800]), recording_id="r")
    assert [frame.time_s for frame in recording.frames()] == pytest.approx([0, 0.05, 0.1])


def test_a_bare_stream_has_no_times(tmp_path):
    write(tmp_path / "v.mp4")
    with av.open(str(tmp_path / "v.mp4")) as source, av.open(str(tmp_path / "v.h264"), "w") as bare:
        stream = bare.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                bare.mux(packet)
    recording = open_container(tmp_path / "v.h264", recording_id="r")
    assert recording.fps is None
    assert [frame.time_s for frame in recording.frames()] == [None] * N


@pytest.mark.parametrize(("height", "width"), [(47, 64), (48, 61), (37, 53)])
def test_odd_sizes_are_kept(height, width, tmp_path):
    path = write(tmp_path / "v.mp4", "libx264", "yuv444p", n=3, height=height, width=width)
    facts = probe(str(path))
    assert (facts.height, facts.width) == (height, width)
    assert all(frame.image.shape == (height, width, 3) for frame in decode(str(path)))


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize(("turn", "corner"), [(0, (0, 0)), (90, (-1, 0)), (180, (-1, -1)), (270, (0, -1))])
def test_frames_stand_upright(turn, corner, mirror, tmp_path):
    path = write(tmp_path / "v.mp4", n=1, turn=turn, mirror=mirror)
    recording = open_container(path, recording_id="r")
    image = next(recording.frames()).image
    assert (
        image.shape[:2] == (recording.height, recording.width) == ((48, 64) if turn % 180 == 0 else (64, 48))
    )
    # FFmpeg mirrors after turning; the bright mark stands at the top left of the coded picture.
    row, column = corner
    expected = (row, -1 - column if mirror else column)
    corners = {(r, c): int(image[r, c].mean()) for r in (0, -1) for c in (0, -1)}
    assert max(corners, key=corners.__getitem__) == expected


def test_the_default_stream_is_read_and_the_others_are_told(tmp_path):
    with av.open(str(tmp_path / "two.mp4"), "w") as container:
        streams = [container.add_stream("libx264", rate=10) for _ in range(2)]
        for stream, width in zip(streams, (64, 32), strict=True):
            stream.height, stream.width, stream.pix_fmt = 48, width, "yuv420p"
        for number in range(4):
            for stream in streams:
                pixels = picture(number, width=stream.width)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        for stream in streams:
            container.mux(stream.encode())
    recording = open_container(tmp_path / "two.mp4", recording_id="r")
    assert recording.warnings == ("The file holds 2 video streams; only stream 0 (64 x 48) is read.",)
    assert [frame.image.shape for frame in recording.frames()] == [(48, 64, 3)] * 4


def test_a_cover_picture_is_no_recording(tmp_path):
    cover = io.BytesIO()
    Image.fromarray(np.zeros((200, 300, 3), np.uint8)).save(cover, "PNG")
    write(tmp_path / "v.mp4", n=4)
    with av.open(str(tmp_path / "v.mp4")) as source, av.open(str(tmp_path / "c.mp4"), "w") as target:
        picture_stream = target.add_stream("png", rate=1)
        picture_stream.height, picture_stream.width, picture_stream.pix_fmt = 200, 300, "rgb24"
        picture_stream.disposition = Disposition.attached_pic
        video_stream = target.add_stream_from_template(source.streams.video[0])
        packet = av.Packet(cover.getvalue())
        packet.stream, packet.pts, packet.dts, packet.time_base = picture_stream, 0, 0, Fraction(1, 1)
        target.mux(packet)
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = video_stream
                target.mux(packet)
    with av.open(str(tmp_path / "c.mp4")) as container:
        assert len(container.streams.video) == 2
    recording = open_container(tmp_path / "c.mp4", recording_id="r")
    assert (recording.height, recording.width, recording.warnings) == (48, 64, ())
    assert len(list(recording.frames())) == 4


def test_gray_stays_gray_and_loses_only_its_low_bits(tmp_path):
    ramp = np.tile(np.arange(64, dtype=np.uint16) * 1000, (48, 1))
    with av.open(str(tmp_path / "v.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "gray16le"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(ramp, format="gray16le")))
        container.mux(stream.encode())
    facts = probe(str(tmp_path / "v.mkv"))
    assert not facts.color
    assert np.array_equal(next(decode(str(tmp_path / "v.mkv"))).image, (ramp >> 8).astype(np.uint8))


@pytest.mark.parametrize(
    ("space", "value_range", "rgb"),
    [
        (SMPTE170M, LIMITED, (156, 114, 65)),
        (BT709, LIMITED, (161, 115, 62)),
        (SMPTE170M, FULL, (151, 114, 70)),
        (BT709, FULL, (155, 115, 68)),
    ],
)
def test_matrix_and_range_of_the_stream_are_undone(space, value_range, rgb, tmp_path):
    yuv = np.concatenate([np.full(48 * 64, v, np.uint8) for v in (120, 100, 150)]).reshape(-1, 64)
    with av.open(str(tmp_path / "v.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv444p"
        stream.codec_context.colorspace, stream.codec_context.color_range = space, value_range
        container.mux(stream.encode(av.VideoFrame.from_ndarray(yuv.reshape(3, 48, 64), format="yuv444p")))
        container.mux(stream.encode())
    image = next(decode(str(tmp_path / "v.mkv"))).image
    assert np.abs(image.astype(int) - rgb).max() <= 1


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le"])
@pytest.mark.parametrize("height", [48, 47])
def test_gray_levels_are_right_to_one_in_any_format_and_size(pixel_format, height, tmp_path):
    ramp = np.repeat(np.arange(16, 236, dtype=np.uint8)[None], height, 0)
    luma = np.rint(16 + ramp * (219 / 255)).astype(np.uint16)
    frame = av.VideoFrame(220, height, pixel_format)
    deep = pixel_format.endswith("10le")
    for plane, level in zip(frame.planes, (luma, 128, 128), strict=True):
        kind, shift = (np.uint16, 2) if deep else (np.uint8, 0)
        rows = np.zeros((plane.height, plane.line_size // kind().itemsize), kind)
        rows[:, : plane.width] = np.left_shift(level, shift)
        plane.update(rows.tobytes())
    with av.open(str(tmp_path / "v.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.height, stream.width, stream.pix_fmt = height, 220, pixel_format
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    image = next(decode(str(tmp_path / "v.mkv"))).image
    assert np.abs(image.astype(int) - ramp[..., None]).max() <= 1
    assert np.ptp(image, axis=2).max() == 0


@pytest.mark.parametrize("disposal", [0, 1, 2, 3])
def test_gif_frames_are_composed_and_keep_their_delays(disposal, tmp_path):
    stills = []
    for number in range(4):
        pixels = np.zeros((40, 50, 4), np.uint8)
        pixels[5:15, 5 + 8 * number : 15 + 8 * number] = (200, 100, 50, 255)
        stills.append(Image.fromarray(pixels))
    path = tmp_path / "v.gif"
    delays_ms = [100, 200, 50, 300]
    stills[0].save(path, save_all=True, append_images=stills[1:], duration=delays_ms, disposal=disposal)
    frames = list(open_container(path, recording_id="r").frames())
    assert [frame.time_s for frame in frames] == pytest.approx([0, 0.1, 0.3, 0.35])
    with Image.open(path) as gif:
        for frame in frames:
            gif.seek(frame.index)
            rgba = np.asarray(gif.convert("RGBA"))
            assert np.array_equal(frame.image, np.where(rgba[..., 3:] > 0, rgba[..., :3], 0))


def test_damaged_packets_are_passed_over_with_a_note(tmp_path):
    path = damage(write(tmp_path / "v.avi", "mjpeg", "yuvj420p"), 5, 6)
    frames = list(decode(str(path)))
    assert [frame.index for frame in frames] == list(range(N - 2))
    assert [frame.index for frame in frames if frame.note] == [5]
    assert frames[5].time_s == pytest.approx(7 / 20)


def test_damage_at_the_end_costs_no_whole_frame(tmp_path):
    path = damage(write(tmp_path / "v.mp4"), N - 1)
    assert len(list(decode(str(path)))) == N - 1


def test_a_change_of_size_is_scaled_back_with_a_note(tmp_path):
    """A bare MJPEG stream may change its size from one picture to the next."""
    stills = [io.BytesIO() for _ in range(4)]
    for number, still in enumerate(stills):
        shape = (48, 64) if number != 2 else (96, 128)
        Image.fromarray(np.full(shape, 40 * number, np.uint8)).convert("RGB").save(still, "JPEG")
    (tmp_path / "v.mjpeg").write_bytes(b"".join(still.getvalue() for still in stills))
    frames = list(decode(str(tmp_path / "v.mjpeg")))
    assert [frame.image.shape for frame in frames] == [(48, 64, 3)] * 4
    assert [round(float(frame.image.mean()) / 40) for frame in frames] == [0, 1, 2, 3]
    assert [frame.index for frame in frames if frame.note] == [2]
    (alone,) = decode(str(tmp_path / "v.mjpeg"), start=2, stop=3)
    assert np.array_equal(alone.image, frames[2].image)


def test_a_file_cut_short_gives_what_it_holds(tmp_path):
    path = write(tmp_path / "v.avi", "mjpeg", "yuvj420p")
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    frames = list(open_container(path, recording_id="r").frames())
    assert 0 < len(frames) < N


def test_an_index_beyond_the_end_is_told(tmp_path):
    write(tmp_path / "v.mp4")
    path = tmp_path / "front.mp4"
    front = {"movflags": "faststart"}
    with av.open(str(tmp_path / "v.mp4")) as source, av.open(str(path), "w", options=front) as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                target.mux(packet)
    path.write_bytes(path.read_bytes()[:-400])
    recording = open_container(path, recording_id="r")
    assert "cut short" in recording.warnings[0]
    assert 0 < len(list(recording.frames())) < N


@pytest.mark.parametrize("content", [b"", b"no video at all" * 50, b"\x00\x00\x01\xba" + bytes(500)])
def test_what_holds_no_frame_is_damaged(content, tmp_path):
    (tmp_path / "v.mp4").write_bytes(content)
    with pytest.raises(DamagedRecording, match=r"v\.mp4"):
        open_container(tmp_path / "v.mp4", recording_id="r")
    with pytest.raises(DamagedRecording, match="The video"):
        list(decode(io.BytesIO(content)))


def test_a_playlist_opens_no_other_file(tmp_path):
    write(tmp_path / "v.ts")
    playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1.5,\nv.ts\n#EXT-X-ENDLIST\n"
    (tmp_path / "v.m3u8").write_text(playlist)
    with pytest.raises(DamagedRecording):
        open_container(tmp_path / "v.m3u8", recording_id="r")


def test_sound_alone_is_no_recording(tmp_path):
    with av.open(str(tmp_path / "v.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=8000, layout="mono")
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), format="fltp", layout="mono")
        silence.sample_rate = 8000
        container.mux(stream.encode(silence))
        container.mux(stream.encode())
    with pytest.raises(DamagedRecording, match="no video"):
        open_container(tmp_path / "v.mp4", recording_id="r")


def test_nothing_is_written_to_stderr(tmp_path, capfd):
    path = damage(write(tmp_path / "v.mp4"), 4, 5)
    list(decode(str(path)))
    assert capfd.readouterr().err == ""


def test_memory_does_not_grow_with_length(tmp_path):
    path = write(tmp_path / "v.avi", "mpeg4", n=300, height=240, width=320)
    gc.collect()
    tracemalloc.start()
    for _ in decode(str(path)):
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 * 240 * 320 * 3


def test_a_read_left_early_lets_the_file_go(tmp_path):
    path = write(tmp_path / "v.mp4")
    frames = decode(str(path))
    next(frames)
    frames.close()
    path.unlink()
    assert not path.exists()
