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
