"""Addresses and devices are followed across drops, and no message tells an address."""

import io
import re
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice, pairwise

import av
import numpy as np
import pytest

from sonoplane.errors import RecordingError
from sonoplane.records import Frame
from sonoplane.video.live import LiveSettings, Newest, open_live
from sonoplane.video.live_address import Address
from sonoplane.video.live_feed import FeedSource
from tests.video.live_senders import (
    CYCLE,
    UdpSender,
    free_port,
    jpegs,
    mpeg_ts,
    number_of,
    own_certificate,
    refusing,
    rtsp_server,
    sending,
    sending_jpegs,
    web_server,
    with_sound,
)

QUICK = LiveSettings(connect_s=2, stall_s=0.6, reconnect_s=0.05, longest_wait_s=0.2, give_up_s=0.8)
ONCE = QUICK.model_copy(update={"give_up_s": 0})


def followed(source: str, settings: LiveSettings = ONCE, *, most: int | None = None) -> list[Frame]:
    """The frames of a source until it is lost, or has given enough."""
    live, frames = open_live(source, settings), []
    try:
        frames.extend(islice(live.frames(), most)) if most else [frames.append(f) for f in live.frames()]
    except RecordingError:
        assert most is None
    finally:
        live.close()
    return frames


@contextmanager
def no_longer_than(seconds: float) -> Iterator[None]:
    started_s = time.monotonic()
    yield
    assert time.monotonic() - started_s < seconds


def numbers(frames: list[Frame]) -> list[int]:
    return [number_of(frame.image) for frame in frames]


def test_a_transport_stream_over_http_is_followed():
    with web_server(sending(mpeg_ts(25))) as (at, _):
        live = open_live(f"http://{at}/live", ONCE)
        frames = list(islice(live.frames(), 20))
        live.close()
    assert numbers(frames) == list(range(20))
    assert [frame.index for frame in frames] == list(range(20))
    assert [frame.time_s for frame in frames] == pytest.approx(np.arange(20) / 30, abs=1e-3)
    facts = live.facts
    assert (facts.kind, facts.height, facts.width, facts.color) == ("network", 48, 64, True)
    assert (facts.container, facts.codec, facts.fps) == ("mpeg-ts", "h264", 30)


def test_pictures_come_in_the_order_in_which_they_are_shown():
    with web_server(sending(mpeg_ts(30, codec="mpeg2video"), then_wait_s=0.3)) as (at, _):
        frames = followed(f"http://{at}/live", most=20)
    assert np.allclose(numbers(frames), np.arange(20), atol=1)
    assert [frame.time_s for frame in frames] == pytest.approx(np.arange(20) / 30, abs=1e-3)
    assert not any(frame.note for frame in frames)


def test_jpeg_pictures_over_http_are_timed_as_they_arrive():
    with web_server(sending_jpegs(jpegs(16), fps=40)) as (at, _):
        live = open_live(f"http://{at}/live", ONCE)
        frames = list(islice(live.frames(), 16))
        live.close()
    assert len(frames) == 16
    assert (live.facts.container, live.facts.fps) == ("mpjpeg", None)
    assert 0.2 < frames[-1].time_s < 3
    assert all(later.time_s > frame.time_s for frame, later in pairwise(frames))


def test_a_finished_file_over_http_comes_at_its_own_pace_and_ends():
    with web_server(sending(mpeg_ts(12), sized=True)) as (at, seen), no_longer_than(5):
        started_s = time.monotonic()
        assert numbers(followed(f"http://{at}/sweep.ts", QUICK)) == list(range(12))
        assert time.monotonic() - started_s >= 11 / 30
    assert len(seen) == 1


def test_rtsp_is_followed_with_its_password():
    with rtsp_server(mpeg_ts(25)) as at:
        assert numbers(followed(f"rtsp://user:secret@{at}", most=20)) == list(range(20))


def test_an_encrypted_source_must_show_a_trusted_certificate(tmp_path):
    context, certificate = own_certificate(tmp_path)
    with web_server(sending(mpeg_ts(12), sized=True), tls=context) as (at, _):
        with pytest.raises(RecordingError, match="The https source cannot be followed") as caught:
            open_live(f"https://{at}/live", QUICK)
        assert "`certificates`" in caught.value.advice
        for how in ({"certificates": certificate}, {"verify": False}):
            assert len(followed(f"https://{at}/live", QUICK.model_copy(update=how), most=5)) == 5


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_udp_that_is_joined_midway_begins_with_a_whole_picture(codec):
    whole, port = mpeg_ts(90, codec=codec, keys=20), free_port()
    data = whole[188 * (len(whole) // 188 // 8) :]
    with av.open(io.BytesIO(data)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    n_before = next(index for index, packet in enumerate(packets) if packet.is_keyframe)
    assert n_before > 0
    first = 90 - len(packets) + n_before
    with UdpSender(port, data, n=80, fps=60):
        frames = followed(f"udp://127.0.0.1:{port}", most=30)
    told = np.array(numbers(frames)) - (first + np.arange(30)) % CYCLE
    assert (abs(told) <= 1).all()  # that codec blurs them a little
    assert not any(frame.note for frame in frames)


def test_pictures_after_lost_data_have_a_note_until_the_next_whole_one():
    how = {"keys": 20, "height": 240, "width": 320}
    data, port = mpeg_ts(120, **how), free_port()
    n_pieces = -(-len(data) // (7 * 188))
    with UdpSender(port, data, n=120, fps=60, skip={n_pieces // 4}):
        frames = followed(f"udp://127.0.0.1:{port}", most=80)
    first = numbers(frames)[0]
    true = [(first + round(frame.time_s * 30)) % CYCLE for frame in frames]
    noted = {frame.index for frame in frames if frame.note}
    wrong = {index for index, number in enumerate(numbers(frames)) if number != true[index]}
    assert wrong <= noted
    assert noted == set(range(min(noted), max(noted) + 1))
    next_whole = max(noted) + 1
    assert (round(frames[next_whole].time_s * 30) + first) % 20 == 0


def test_a_udp_sender_that_pauses_is_followed_on():
    data, port = mpeg_ts(60, keys=5), free_port()
    with UdpSender(port, data, n=60, fps=60):
        frames = Newest(
            open_live(f"udp://127.0.0.1:{port}", QUICK.model_copy(update={"give_up_s": 10})), ahead=99
        )
        next(frames)
    time.sleep(1)
    with UdpSender(port, data, n=60, fps=60), no_longer_than(5):
        notes = (arrived.frame.note for arrived in frames)
        assert "came back" in next(note for note in notes if note)
    frames.close()


def test_a_sender_that_drops_and_comes_back_is_reconnected():
    with web_server(sending(mpeg_ts(20)), refusing(503), refusing(503), sending(mpeg_ts(20))) as (at, seen):
        frames = followed(f"http://user:secret@{at}/live", QUICK, most=35)
    assert numbers(frames) == [*range(20), *range(15)]
    assert [frame.index for frame in frames] == list(range(35))
    times_s = [frame.time_s for frame in frames]
    assert all(later > earlier for earlier, later in pairwise(times_s))
    assert times_s[-1] - times_s[20] == pytest.approx(14 / 30, abs=1e-3)
    (noted,) = [frame for frame in frames if frame.note]
    assert noted.index == 20
    assert "The http source was lost, and came back" in noted.note
    assert len(seen) >= 4


def test_a_sender_that_falls_silent_is_reached_again():
    with web_server(sending(mpeg_ts(60), then_wait_s=5), sending(mpeg_ts(60))) as (at, _), no_longer_than(5):
        frames = followed(f"http://{at}/live", QUICK, most=70)
    note = next(frame.note for frame in frames if frame.note) or ""
    told = re.search(r"came back ([0-9.]+) s after", note)
    assert told
    assert float(told[1]) >= QUICK.stall_s, "what came late out of the decoder had come before the silence"


def test_a_sender_that_stays_away_is_given_up():
    with web_server(sending(mpeg_ts(10)), refusing(404)) as (at, seen), no_longer_than(5):
        live = open_live(f"http://user:secret@{at}/live", QUICK)
        with pytest.raises(RecordingError, match=r"The http source was lost: .*404") as caught:
            list(live.frames())
    assert "give_up_s" in caught.value.advice
    assert 4 < len(seen) < 40


def test_a_sender_is_given_up_so_long_after_it_was_last_heard():
    soon = QUICK.model_copy(update={"give_up_s": 0.5})
    silent = sending(mpeg_ts(30), then_wait_s=2)
    with web_server(silent, refusing(404)) as (at, seen), no_longer_than(1.9):
        assert numbers(followed(f"http://{at}/live", soon)) == list(range(30))
    assert len(seen) == 1, "the silence in which it was lost counts, although frames came out at its end"


def test_time_in_which_frames_come_does_not_count_until_a_sender_is_given_up():
    soon = QUICK.model_copy(update={"give_up_s": 0.3})
    with web_server(sending_jpegs(jpegs(20), fps=40), sending_jpegs(jpegs(20), fps=40)) as (at, seen):
        assert len(followed(f"http://{at}/live", soon, most=75)) == 75
    assert len(seen) >= 4


def test_a_sender_whose_pictures_stop_while_its_sound_goes_on_is_lost():
    port, patient = free_port(), ONCE.model_copy(update={"connect_s": 1})
    with UdpSender(port, with_sound(20, seconds=6), n=6, fps=1), no_longer_than(4):
        assert len(followed(f"udp://127.0.0.1:{port}", patient)) > 5


def test_the_same_screen_in_another_size_is_scaled_back():
    with web_server(sending(mpeg_ts(10)), sending(mpeg_ts(10, height=96, width=128))) as (at, _):
        frames = followed(f"http://{at}/live", QUICK, most=18)
    assert {frame.image.shape for frame in frames} == {(48, 64, 3)}
    assert numbers(frames) == [*range(10), *range(8)]
    noted = [frame.index for frame in frames if frame.note and "128 x 96" in frame.note]
    assert noted == [10]


def test_a_picture_of_another_shape_is_an_error():
    with web_server(sending(mpeg_ts(10)), sending(mpeg_ts(10, height=64, width=64))) as (at, _):
        live = open_live(f"http://{at}/live", QUICK)
        with pytest.raises(RecordingError, match="from 64 x 48 to 64 x 64"):
            list(live.frames())


def test_no_message_tells_an_address(capfd):
    told = []
    with web_server(refusing(401)) as (at, _):
        sources = [
            f"http://user:secret@{at}/?token=secret",
            f"rtsp://user:secret@{at}",
            "tcp://user:secret@127.0.0.1:1",
        ]
        for source in sources:
            with pytest.raises(RecordingError) as caught:
                open_live(source, QUICK)
            told += ["".join(traceback.format_exception(caught.value)), caught.value.advice]
            assert caught.value.__context__ is None
    with web_server(sending(mpeg_ts(10)), refusing(401)) as (at, _):
        live = open_live(f"http://user:secret@{at}/live", QUICK)
        with pytest.raises(RecordingError) as caught:
            told += [frame.note or "" for frame in live.frames()]
        told += ["".join(traceback.format_exception(caught.value)), repr(live), repr(live.facts)]
    captured = capfd.readouterr()
    told += [captured.out, captured.err]
    assert not [text for text in told if "secret@" in text or "127.0.0.1" in text or "token=" in text]


@pytest.mark.parametrize("silent", ["while it is read", "while it reconnects"])
def test_closing_ends_it_at_once(silent):
    before = set(threading.enumerate())
    patient = LiveSettings(connect_s=2, stall_s=1.5, reconnect_s=30, longest_wait_s=30)
    wait_s = 1.5 if silent == "while it is read" else 0
    with web_server(sending(mpeg_ts(10), then_wait_s=wait_s)) as (at, _):
        live = open_live(f"http://{at}/live", patient)
        threading.Timer(0.3, live.close).start()
        with no_longer_than(1):
            assert 1 <= len(list(live.frames())) <= 10
        if silent == "while it reconnects":
            time.sleep(0.1)
            assert not [
                thread for thread in set(threading.enumerate()) - before if thread.name == "live source"
            ]


def test_an_address_that_gives_nothing_is_an_error_in_time():
    with (
        no_longer_than(3),
        pytest.raises(RecordingError, match="The udp source cannot be followed: no data came"),
    ):
        open_live(f"udp://127.0.0.1:{free_port()}", QUICK.model_copy(update={"connect_s": 0.4}))


def test_a_web_page_and_a_playlist_are_no_video():
    for data, kind in (
        (b"<html>hello</html>" * 99, "text/html"),
        (b"#EXTM3U\nfile:///etc/passwd\n", "audio/mpegurl"),
    ):
        with (
            web_server(sending(data, kind=kind)) as (at, _),
            pytest.raises(RecordingError, match="cannot be followed"),
        ):
            open_live(f"http://{at}/live.m3u8", QUICK)


def test_a_slow_reader_gets_the_newest_frames_of_an_address():
    with web_server(sending_jpegs(jpegs(30), fps=60)) as (at, _):
        newest = Newest(open_live(f"http://{at}/live", ONCE), ahead=1)
        got = []
        for arrived in islice(newest, 6):
            got.append(arrived.frame.index)
            time.sleep(0.08)
        newest.close()
    assert newest.n_dropped > 5
    assert got[-1] - got[0] > 12


def test_a_device_is_followed():
    """FFmpeg's virtual capture device, read in the way of real ones."""
    address = Address(
        kind="device", name="The capture device", advice="", url="testsrc=size=64x48:rate=30", format="lavfi"
    )
    live = FeedSource(address, QUICK)
    frames = list(islice(live.frames(), 10))
    live.close()
    assert [frame.time_s for frame in frames] == pytest.approx(np.arange(10) / 30, abs=1e-3)
    assert (live.facts.kind, live.facts.height, live.facts.width, live.facts.fps) == ("device", 48, 64, 30)
