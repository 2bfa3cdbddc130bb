import pytest

from sonoplane.steps import progress as module
from sonoplane.steps.progress import progress


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def test_short_work_shows_nothing(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with progress("read", "frames", 10) as tell:
        for done in range(10):
            clock[0] += 0.1
            tell(done, None)
    assert capsys.readouterr().err == ""


def test_without_a_terminal_long_work_is_told_in_lines_some_seconds_apart(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with progress("read", "frames", 100) as tell:
        for done in range(1, 101):
            clock[0] += 0.125
            tell(done, None)
    assert capsys.readouterr().err.splitlines() == [
        "read: 16 of 100 frames, 8.0 frames/s, 10 s left",
        "read: 56 of 100 frames, 8.0 frames/s, 6 s left",
        "read: 96 of 100 frames, 8.0 frames/s, 0 s left",
    ]


def test_the_total_may_become_known_on_the_way(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with progress("read", "frames") as tell:
        clock[0] = 4.0
        tell(8, None)
        clock[0] = 10.0
        tell(20, 40)
    assert capsys.readouterr().err.splitlines()[-1] == "read: 20 of 40 frames, 2.0 frames/s, 10 s left"


def test_the_rate_is_that_of_late_not_from_the_start(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with progress("prepare", "recordings", 1000) as tell:
        tell(500, None)  # done by an earlier run
        for done in range(501, 601):
            clock[0] += 1.0
            tell(done, None)
    assert capsys.readouterr().err.splitlines()[-1] == (
        "prepare: 597 of 1000 recordings, 1.0 recordings/s, 7 min left"
    )


def test_parallel_work_that_comes_in_bursts_has_a_steady_rate(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with progress("prepare", "recordings", 100) as tell:
        for second in range(1, 401):
            clock[0] = float(second)
            tell(4 * (second // 20), None)
    rates = [float(line.split(", ")[1].split()[0]) for line in capsys.readouterr().err.splitlines()[4:]]
    assert min(rates) > 10
    assert max(rates) < 15


def test_nothing_is_foretold_before_anything_is_done(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with progress("prepare", "recordings", 10) as tell:
        clock[0] = 3.0
        tell(0, None)
    assert capsys.readouterr().err == "prepare: 0 of 10 recordings\n"
