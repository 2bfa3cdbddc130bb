"""The runner measures in turns, refuses unequal work and says how sure it is."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

import benchmarks
from benchmarks.runner import Contest, Turns, available, compare, machine, measure, run, table

TOY = '''"""Nothing against nothing."""
import os
from benchmarks.runner import Contest


def prepare(folder):
    return Contest(
        baseline="nothing",
        piece="thing",
        run_baseline=lambda: 1,
        run_ours=lambda: 1,
        facts=lambda: {"peak_memory_mb": 12.0, "cache": str(os.environ["SONOPLANE_CACHE"] == str(folder / "cache"))},
        long_facts=lambda: {"growth_percent": 0.5},
    )
'''


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a benchmark with facts."""
    (tmp_path / "toy_facts.py").write_text(TOY)
    monkeypatch.setattr(benchmarks, "__path__", [str(tmp_path)])
    return "toy-facts"


def contest(
    baseline_s: float, ours_s: float, *, pieces: tuple[int, int] = (3, 3), same_work: bool = True
) -> Contest:
    def work(seconds: float, done: int) -> int:
        time.sleep(seconds)
        return done

    return Contest(
        baseline="sleeping longer",
        piece="nap",
        run_baseline=lambda: work(baseline_s, pieces[0]),
        run_ours=lambda: work(ours_s, pieces[1]),
        same_work=same_work,
    )


def test_a_longer_sleep_is_slower_by_as_much() -> None:
    toy = contest(0.03, 0.01)
    turns = measure(toy, turns=7, tell=print)
    result = compare("toy", toy, turns)
    assert len(turns.baseline_s) == len(turns.ours_s) == 7
    assert turns.ours_s[0] >= 0.01 / 3
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
    with pytest.raises(ValueError, match="not the same work"):
        measure(contest(0, 0, pieces=(3, 0), same_work=False), turns=1, tell=print)


def test_turns_of_unlike_length_are_compared_by_the_piece() -> None:
    toy = contest(0.03, 0.03, pieces=(1, 4), same_work=False)
    result = compare("toy", toy, measure(toy, turns=5, tell=print))
    assert result.ratio == pytest.approx(4, rel=0.3)


def test_a_turn_of_pieces_that_were_timed_stands_for_their_median() -> None:
    def pieces() -> Sequence[float]:
        return [1.0, 2.0, 90.0]

    toy = Contest(baseline="b", piece="frame", run_baseline=pieces, run_ours=lambda: [1.0])
    with pytest.raises(ValueError, match="not the same work"):
        measure(toy, turns=1, tell=print)
    same = Contest(baseline="b", piece="frame", run_baseline=pieces, run_ours=pieces)
    assert measure(same, turns=2, tell=print) == Turns(baseline_s=(2.0, 2.0), ours_s=(2.0, 2.0))


def test_facts_are_told_and_long_ones_only_when_asked_for(toy: str) -> None:
    said: list[str] = []
    before = dict(os.environ)
    result = run(toy, turns=2, tell=said.append)
    assert os.environ == before
    row = result.as_row()
    assert row["peak_memory_mb"] == 12.0
    assert row["turns"] == 2
    assert row["piece"] == "thing"
    assert row["cache"] == "True"
    assert row["machine"] == machine()
    assert "growth_percent" not in row
    assert "peak memory mb: 12" in said
    assert "\n  peak memory mb: 12" in table([result])
    assert run(toy, turns=1, long=True, tell=said.append).facts["growth_percent"] == 0.5


def test_a_machine_that_slows_both_leaves_the_ratio() -> None:
    slow = [1.0, 1.0, 3.0, 3.0, 9.0, 1.0, 2.0]
    turns = Turns(baseline_s=tuple(2 * s for s in slow), ours_s=tuple(slow))
    result = compare("toy", contest(0, 0), turns)
    assert (result.ratio, result.low, result.high) == pytest.approx((2, 2, 2))


def test_a_row_holds_what_was_promised() -> None:
    turns = Turns(baseline_s=(2.0, 2.0), ours_s=(1.0, 1.0))
    row = compare("toy", contest(0, 0), turns).as_row()
    assert list(row) == ["name", "baseline", "ratio", "low", "high", "unit", "machine"]
    assert row == {
        "name": "toy",
        "baseline": "sleeping longer",
        "ratio": 2.0,
        "low": 2.0,
        "high": 2.0,
        "unit": "times as fast",
        "machine": "",
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
