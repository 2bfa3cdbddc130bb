"""The command line of the benchmarks."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import benchmarks.__main__
from benchmarks.__main__ import main
from benchmarks.runner import NOT_BENCHMARKS, available

TOY = '''"""Nothing against nothing."""
from benchmarks.runner import Contest


def prepare(folder):
    return Contest(baseline="nothing", piece="thing", run_baseline=lambda: 1, run_ours=lambda: {done})
'''


@pytest.fixture
def toys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two benchmarks, of which one cannot run, in place of ours."""
    (tmp_path / "toy_one.py").write_text(TOY.format(done=1))
    (tmp_path / "toy_two.py").write_text(TOY.format(done=2))
    monkeypatch.setattr(benchmarks, "__path__", [str(tmp_path)])
    monkeypatch.setattr(benchmarks.__main__, "__file__", str(tmp_path / "__main__.py"))
    yield
    for name in ("toy_one", "toy_two"):
        sys.modules.pop(f"benchmarks.{name}", None)


@pytest.mark.usefixtures("toys")
def test_json_is_all_that_stdout_holds(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["toy-one", "--json", "--turns", "3"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [set(row) >= {"name", "baseline", "ratio", "low", "high", "unit"} for row in rows] == [True]
    assert rows[0]["name"] == "toy-one"


@pytest.mark.usefixtures("toys")
def test_a_result_is_kept_beside_those_of_others(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    file.write_text(json.dumps([{"name": "toy-two", "ratio": 7}, {"name": "toy-one", "ratio": 7}]))
    assert main(["toy-one", "--turns", "1", "--keep", str(file)]) == 0
    rows = json.loads(file.read_text())
    assert [row["name"] for row in rows] == ["toy-one", "toy-two"]
    assert rows[0]["turns"] == 1
    assert rows[1] == {"name": "toy-two", "ratio": 7}


@pytest.mark.usefixtures("toys")
def test_one_that_cannot_run_is_told_and_the_others_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--turns", "2"]) == 1
    out, err = capsys.readouterr()
    assert "toy-one" in out
    assert "toy-two: could not run: ValueError: the baseline did 1 things, ours 2: not the same work" in err


def test_an_unknown_name_gets_a_close_match(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["decoed"]) == 2
    assert "There is no benchmark 'decoed'. Did you mean 'decode'?" in capsys.readouterr().err


def test_turns_below_one_are_wrong_usage() -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["decode", "--turns", "0"])


def test_all_benchmarks_say_what_they_measure(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    listed = capsys.readouterr().out
    told = available(Path(benchmarks.__main__.__file__).parent)
    assert all(f"{name} " in listed and what in listed and what for name, what in told.items())
    assert not NOT_BENCHMARKS & told.keys()


@pytest.mark.parametrize("name", available(Path(benchmarks.__main__.__file__).parent))
def test_every_benchmark_offers_a_contest(name: str) -> None:
    source = (Path(benchmarks.__main__.__file__).parent / f"{name.replace('-', '_')}.py").read_text()
    assert "def prepare(folder: Path) -> Contest:" in source
