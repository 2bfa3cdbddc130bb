import csv
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

import pytest

from sonoplane.cli.stream import _ended_by_signals
from sonoplane.errors import UsageError
from sonoplane.models.bundle import Bundle, save_bundle
from sonoplane.report.findings_json import validate
from sonoplane.video.opening import open_recording
from sonoplane.video.phantom import PhantomExam
from tests.video.live_senders import jpegs, sending_jpegs, web_server

Command = Callable[..., int]
SIZE = "200x160"


@pytest.fixture(scope="module")
def raw(exams: list[PhantomExam]) -> bytes:
    return b"".join(frame.image.tobytes() for frame in exams[0].recording.frames())


def started(*words: object) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "sonoplane", "stream", *map(str, words)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"COLUMNS": "200"},
    )


def feed(process: "subprocess.Popen[bytes]", raw: bytes) -> None:
    """Write the frames again and again, until nobody reads them."""
    assert process.stdin
    with suppress(BrokenPipeError, ValueError):
        while True:
            process.stdin.write(raw)


def write_all(pipe: IO[bytes], raw: bytes) -> None:
    """As fast as it is read."""
    with pipe:
        pipe.write(raw)


def is_whole(folder: Path, n_frames: int) -> None:
    findings = json.loads((folder / "findings.json").read_text())
    validate(findings)
    with (folder / "timeline.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    n_recorded = len(list(open_recording(folder / "video.mp4").frames()))
    assert findings["frames"] == len(rows) == n_recorded == n_frames
    assert "</html>" in (folder / "report.html").read_text()
    assert not list(folder.parent.glob(".*")), "nothing is left over"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly_with_all_outputs_whole(
    number: signal.Signals, raw: bytes, bundle: Bundle, tmp_path: Path
) -> None:
    process = started(
        "-", "--raw", SIZE, "--bundle", bundle.folder, "--record", tmp_path / "out", "--json", "--fps", 25
    )
    threading.Thread(target=feed, args=(process, raw), daemon=True).start()
    assert process.stdout
    lines = [process.stdout.readline() for _ in range(80)]
    process.send_signal(number)
    lines += process.stdout.readlines()  # not by communicate, which passes over what readline has read ahead
    _, told = process.communicate(timeout=60)
    answers = [json.loads(line) for line in lines]
    assert process.returncode == 0, told.decode()
    assert [answer["frame"] for answer in answers] == list(range(len(answers)))
    assert set(answers[0]) == {
        "frame",
        "time_s",
        "plane",
        "probability",
        "probabilities",
        "latency_ms",
        "fps",
        "dropped",
        "keyframe",
    }
    assert list(answers[0]["probabilities"]) == list(bundle.card.classes)
    is_whole(tmp_path / "out" / "stream", len(answers))
    assert f"{len(answers)} frames answered" in told.decode()
    assert b"Traceback" not in told


def test_raw_frames_on_standard_input_are_told_line_by_line(raw: bytes, bundle: Bundle) -> None:
    process = started("-", "--raw", f"{SIZE}:gray", "--bundle", bundle.folder, "--pace", "fast")
    out, told = process.communicate(raw * 2, timeout=60)
    lines = out.decode().splitlines()
    assert process.returncode == 0, told.decode()
    assert " fps " in lines[0]
    assert lines[-1].startswith("48 frames answered, 0 dropped.")
    planes = [line.split("  ")[1].split()[0] for line in lines[:-1]]
    assert all(one != other for one, other in pairwise(planes)), "only changes"


def test_raw_frames_with_a_rate_are_held_back_and_none_is_dropped(raw: bytes, bundle: Bundle) -> None:
    held = ("--fps", 30, "--region.first-frames", 8, "--waiting.ahead", 96)
    process = started("-", "--raw", f"{SIZE}:gray", "--bundle", bundle.folder, "--json", *held)
    assert process.stdin
    assert process.stdout
    threading.Thread(target=write_all, args=(process.stdin, raw * 4), daemon=True).start()
    assert process.stderr
    with process.stdout, process.stderr:
        told_s = [time.monotonic() for _ in process.stdout]
        told = process.stderr.read().decode()
    assert process.wait(timeout=60) == 0, told
    assert "96 frames answered, 0 dropped" in told
    assert told_s[-1] - told_s[0] > 2, "the 88 after those in which the region was found take 2.9 s"


def test_a_recipe_says_how_a_feed_is_followed(
    command: Command, sweeps: Path, bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "device.toml"
    recipe.write_text('[live]\npace = "fast"\n[waiting]\nahead = 8\n[keyframes]\nmin_probability = 0.0\n')
    source = min(sweeps.glob("*.mp4"))
    assert command("stream", source, "--bundle", bundle.folder, "--recipe", recipe, "--json") == 0
    told = capsys.readouterr()
    assert "24 frames answered, 0 dropped" in told.err
    answers = [json.loads(line) for line in told.out.splitlines()]
    seen = [answer for answer in answers if answer["keyframe"] is not None]
    assert seen
    assert all(answer["keyframe"] < answer["frame"] for answer in seen)
    recipe.write_text('[live]\npace = "slow"\n')
    with pytest.raises(UsageError, match=r"live\.pace"):
        command("stream", source, "--bundle", bundle.folder, "--recipe", recipe)


def test_an_address_has_a_pace_of_its_own(command: Command, bundle: Bundle) -> None:
    sender = web_server(sending_jpegs(jpegs(30), fps=20))
    with sender as (host, _), pytest.raises(UsageError, match="Leave --pace and --fps out"):
        command("stream", f"http://{host}/live", "--bundle", bundle.folder, "--fps", 12)


def test_a_reader_that_goes_away_ends_it_quietly(raw: bytes, bundle: Bundle, tmp_path: Path) -> None:
    process = started("-", "--raw", SIZE, "--bundle", bundle.folder, "--json", "--record", tmp_path)
    writing = threading.Thread(target=feed, args=(process, raw), daemon=True)
    writing.start()
    assert process.stdout
    assert process.stdin
    assert process.stderr
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=60) == 0
    writing.join()
    with process.stderr, suppress(BrokenPipeError):
        assert b"Broken" not in process.stderr.read()
        process.stdin.close()
    assert json.loads((tmp_path / "stream" / "findings.json").read_text())["frames"] >= 1


def test_a_recording_is_recorded_under_its_own_name(
    command: Command, sweeps: Path, bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = min(sweeps.glob("*.mp4"))
    words = ("--bundle", bundle.folder, "--record", tmp_path, "--pace", "fast", "--json")
    assert command("stream", source, *words, "--keyframes.min-probability", 0, "--waiting.ahead", 8) == 0
    told = capsys.readouterr()
    answers: list[dict[str, Any]] = [json.loads(line) for line in told.out.splitlines()]
    assert [answer["frame"] for answer in answers] == list(range(24))
    assert "24 frames answered" in told.err
    is_whole(tmp_path / source.stem, 24)


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_letters_that_the_output_cannot_show_end_nothing(
    words: list[str],
    command: Command,
    sweeps: Path,
    bundle: Bundle,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    classes = tuple(f"{name} \N{GREEK SMALL LETTER ALPHA}" for name in bundle.card.classes)
    card = replace(bundle.card, classes=classes, background=None, protocol=classes)
    save_bundle(
        tmp_path / "greek",
        name="greek",
        version="1",
        spec=bundle.spec,
        card=card,
        weights=bundle.weights(),
        recipe={},
    )
    out = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(out, encoding="ascii", write_through=True))
    words = ["--bundle", str(tmp_path / "greek"), "--pace", "fast", *words]
    assert command("stream", min(sweeps.glob("*.mp4")), *words) == 0
    assert b"\\u03b1" in out.getvalue()


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system knows no hangup")
def test_a_hangup_ends_it_unless_it_is_to_outlive_its_terminal() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with _ended_by_signals() as ended:
            os.kill(os.getpid(), signal.SIGHUP)
        assert not ended.is_set()
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        with _ended_by_signals() as ended:
            os.kill(os.getpid(), signal.SIGHUP)
            assert ended.wait(5)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["-"], "--raw 640x480:gray"),
        (["-", "--raw", "640:480"], "does not say what raw frames are"),
        (["-", "--raw", "8x8", "--fps", "0"], "Give --fps above 0"),
        (["sweep.mp4", "--raw", "8x8"], "Only raw frames on stdin"),
        (["no-such-sweep.mp4"], "no-such-sweep.mp4"),
        (["http;//10.0.0.7/live?token=x"], "There is no such file. An address begins with rtsp://"),
        (["/dev/video97"], "video97"),
        (["http://127.0.0.1:9/live"], "cannot be followed"),
    ],
)
def test_a_source_that_cannot_be_followed_is_told_with_status_2(
    words: list[str],
    told: str,
    bundle: Bundle,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    from sonoplane.cli.main import main

    monkeypatch.setattr(
        sys,
        "argv",
        ["sonoplane", "stream", *words, "--bundle", str(bundle.folder), "--record", str(tmp_path)],
    )
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert told in " ".join(capsys.readouterr().err.split())
    assert list(tmp_path.iterdir()) == []
