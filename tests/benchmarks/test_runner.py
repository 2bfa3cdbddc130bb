"""The runner measures in turns, refuses unequal work and says how sure it is."""

import time
from pathlib import Path

import pytest

from benchmarks.runner import Contest, Turns, available, compare, machine, measure


def contest(baseline_s: float, ours_s: float, *, pieces: tuple[int, int] = (3, 3)) -> Contest:
    def work(seconds: float, done: int) -> int:
        time.sleep(seconds)
        return done

    return Contest(
        baseline="sleeping longer",
        piece="nap",
        run_baseline=lambda: work(baseline_s, pieces[0]),
        run_ours=lambda: work(ours_s, pieces[1]),
    )


def test_a_longer_sleep_is_slower_by_as_much() -> None:
    toy = contest(0.03, 0.01)
    turns = measure(toy, turns=7, tell=print)
    result = compare("toy", toy, turns)
    assert len(turns.baseline_s) == len(turns.ours_s) == 7
    assert turns.pieces == 3
    assert result.ratio == pytest.approx(3, rel=0.4)
    assert result.low <= result.ratio <= result.high


def test_both_begin_equally_often() -> None:
    order: list[str] = []

    def work(name: str) -> int:
        order.append(name)
        return 1

    toy = Contest(baseline="b", piece="call", run_baseline=lambda: work("b"), run_ours=lambda: work("o"))
    measure(toy, turns=4, tell=print)
    assert "".join(order) == "bo" + "boobboob"


def test_unequal_work_is_refused() -> None:
    with pytest.raises(ValueError, match="the baseline did 3 naps, ours 2: not the same work"):
        measure(contest(0, 0, pieces=(3, 2)), turns=1, tell=print)


def test_a_machine_that_slows_both_leaves_the_ratio() -> None:
    slow = [1.0, 1.0, 3.0, 3.0, 9.0, 1.0, 2.0]
    turns = Turns(baseline_s=tuple(2 * s for s in slow), ours_s=tuple(slow), pieces=1)
    result = compare("toy", contest(0, 0), turns)
    assert (result.ratio, result.low, result.high) == pytest.approx((2, 2, 2))


def test_a_row_holds_what_was_promised() -> None:
    turns = Turns(baseline_s=(2.0, 2.0), ours_s=(1.0, 1.0), pieces=1)
    row = compare("toy", contest(0, 0), turns).as_row()
    assert list(row) == ["name", "baseline", "ratio", "low", "high", "unit"]
    assert row == {
        "name": "toy",
        "baseline": "sleeping longer",
        "ratio": 2.0,
        "low": 2.0,
        "high": 2.0,
        "unit": "times as fast",
    }


def test_benchmarks_are_the_files_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "predict_2d.py").write_text('"""What it measures.\n\nMore."""\nimport nothing_like_it\n')
    (tmp_path / "runner.py").write_text("")
    assert available(tmp_path) == {"predict-2d": "What it measures."}


def test_the_machine_is_told_without_its_name() -> None:
    import platform

    assert "cores" in machine()
    assert "numpy" in machine()
    assert platform.node() not in machine()
