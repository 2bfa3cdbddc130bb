"""Real workers that really die."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import psutil
import pytest

from sonoplane.errors import DamagedRecording, RecordingError, UsageError
from sonoplane.steps import jobs_cluster, jobs_foreman
from sonoplane.steps.jobs import run_jobs


class Stubborn(Exception):
    """It cannot be pickled."""

    def __reduce__(self) -> NoReturn:
        raise TypeError("no")


def trouble(item: Any) -> Any:
    """What a recording may do to the process that reads it; `item` is what it does, and where."""
    match item:
        case ("damaged", name):
            raise DamagedRecording(f"{name} is cut short.", advice="Copy it again.")
        case ("stubborn", _):
            raise Stubborn("/home/anna/scan")
        case ("exit", _):
            sys.exit(3)
        case ("big", n):
            return bytes(n)
        case ("killed", _):
            os.kill(os.getpid(), signal.SIGKILL)
        case ("segfault", _):
            ctypes.string_at(0)
        case ("unlucky", marker) if not Path(marker).exists():
            Path(marker).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        case ("slow", _):
            time.sleep(0.02)
    return os.getpid()


def run(items: list[Any], **where: Any) -> dict[Any, Any]:
    return dict(run_jobs(trouble, items, what="try", **where))


def children() -> set[str]:
    """The processes below this one, without those that the interpreter keeps for itself."""
    below = psutil.Process().children(recursive=True)
    own = ("multiprocessing.resource_tracker", "multiprocessing.forkserver")
    return {str(child.pid) for child in below if not any(name in " ".join(child.cmdline()) for name in own)}


def test_without_workers_jobs_are_done_here_in_order_and_dask_is_not_loaded() -> None:
    script = """
        import sys
        from sonoplane.steps.jobs import run_jobs
        print(list(run_jobs(lambda x: 1 // x, [1, 0], what="try")), "distributed" in sys.modules)
    """
    done = python(script)
    assert done.communicate()[0].split("\n")[0] == (
        "[(1, 1), (0, ZeroDivisionError('integer division or modulo by zero'))] False"
    )


def test_no_items_start_no_cluster() -> None:
    assert list(run_jobs(trouble, [], what="try", scheduler="tcp://127.0.0.1:1")) == []


def test_workers_and_a_scheduler_are_too_much() -> None:
    with pytest.raises(UsageError, match="either"):
        run(["a"], workers=1, scheduler="tcp://127.0.0.1:1")


def test_trouble_stays_with_the_recording_that_makes_it(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    environment = dict(os.environ)
    bad = [("killed", 0), ("segfault", 0)]
    odd = [("damaged", "a.mp4"), ("stubborn", 0), ("exit", 0), ("unlucky", str(tmp_path / "marker"))]
    good = [("slow", n) for n in range(20)]
    locked = (line for line in "not to be pickled")

    done = run([*bad, *odd, *good, ("big", 5_000_000), locked], workers=2)

    assert len(done) == 28
    assert all(isinstance(done[item], int) for item in good)
    assert isinstance(done[("unlucky", str(tmp_path / "marker"))], int)
    for item in bad:
        assert isinstance(done[item], RecordingError)
        assert done[item].message == "Reading it ended the process 3 times."
    damaged = done[("damaged", "a.mp4")]
    assert type(damaged) is DamagedRecording
    assert damaged.advice == "Copy it again."
    assert "trouble" in str(damaged.__cause__)
    assert str(done[("stubborn", 0)]).startswith("An error that sonoplane has no word for (Stubborn).")
    assert str(done[("exit", 0)]).startswith("An error that sonoplane has no word for (SystemExit).")
    assert done[("big", 5_000_000)] == bytes(5_000_000)
    assert isinstance(done[locked], TypeError)
    assert not children()
    assert [path.name for path in tmp_path.iterdir()] == ["marker"]
    assert dict(os.environ) == environment
    out, err = capfd.readouterr()
    assert out == ""
    assert all(line.startswith("try: ") for line in err.splitlines())


def look_around(ports: list[int]) -> dict[str, Any]:
    import cv2
    import numba

    process = psutil.Process()
    return {
        "threads": [cv2.getNumThreads(), numba.get_num_threads()],
        "variable": os.environ["SONOPLANE_DECODE_THREADS"],
        "listens": [c.laddr[:2] for c in process.net_connections() if c.status == "LISTEN"],
        "memory": process.memory_info().rss,
    }


def test_a_worker_has_one_core_and_a_door_that_others_cannot_open() -> None:
    for _, found in run_jobs(look_around, [[]], what="try", workers=8):
        assert isinstance(found, dict)
        assert found["threads"] == [1, 1]
        assert found["variable"] == "1"
        assert len(children()) == 1
        own = [c.laddr[:2] for c in psutil.Process().net_connections() if c.status == "LISTEN"]
        doors = [*found["listens"], *own]
        assert len(doors) >= 4
        assert {host for host, _ in doors} == {"127.0.0.1"}
        assert not [door for door in doors if speaks_dask(door)]


def speaks_dask(door: tuple[str, int]) -> bool:
    """Whether a stranger without a key gets further than hello there."""
    with socket.create_connection(door, timeout=5) as stream:
        stream.settimeout(0.2)
        try:
            return bool(stream.recv(100))
        except TimeoutError:
            return False


def python(script: str, scratch: Path | None = None) -> "subprocess.Popen[str]":
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(script)]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | ({"TMPDIR": str(scratch)} if scratch else {}),
    )


#: A shell starts background commands, such as these tests, with Ctrl-C ignored; here it shall count.
SLEEPERS = """
    import os, signal, sys, time
    from sonoplane.steps.jobs import run_jobs

    signal.signal(signal.SIGINT, signal.default_int_handler)

    def sleep(seconds):
        os.write(1, f"begun {os.getpid()}\\n".encode())  # in one piece: the other worker writes there too
        time.sleep(seconds)

    list(run_jobs(sleep, [100, 100, 100], what="sleep", workers=2))
"""


def begun(process: "subprocess.Popen[str]") -> list[psutil.Process]:
    """The worker processes, once both are at work."""
    assert process.stdout is not None
    return [psutil.Process(int(process.stdout.readline().split()[1])) for _ in range(2)]


def test_interrupted_all_end_at_once(tmp_path: Path) -> None:
    process = python(SLEEPERS, tmp_path)
    workers = begun(process)
    assert list(tmp_path.iterdir())
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert psutil.wait_procs(workers, timeout=1)[1] == []
    assert err.count("Traceback") == err.count("KeyboardInterrupt\n") == 1
    assert not list(tmp_path.iterdir())


def test_when_the_parent_is_killed_the_workers_end(tmp_path: Path) -> None:
    process = python(SLEEPERS, tmp_path)
    workers = begun(process)
    process.kill()
    assert psutil.wait_procs(workers, timeout=10)[1] == []
    process.communicate()


@pytest.mark.slow
def test_a_script_without_a_guard_is_told_what_to_do(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from sonoplane.steps.jobs import run_jobs\nlist(run_jobs(len, ['a'], what='count', workers=1))\n",
        encoding="utf-8",
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith(
        "In a script, call this below `if __name__ == '__main__':`; or work with `--workers 0`."
    )


@pytest.fixture(scope="module")
def running() -> Iterator[Any]:
    """A cluster that somebody else has started: two processes of two threads, and Dask's own settings."""
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2,
        threads_per_worker=2,
        memory_limit=0,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        silence_logs=50,
    ) as cluster:
        yield cluster


def test_a_running_cluster_is_used_and_left_as_it_was(running: Any) -> None:
    good = [("slow", n) for n in range(20)]
    done = run(good, scheduler=running.scheduler_address)
    assert len(set(done.values())) == 2
    scheduler = running.scheduler
    deadline = time.monotonic() + 5
    while scheduler.tasks and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not scheduler.tasks
    assert len(scheduler.workers) == 2


@pytest.mark.slow
def test_on_a_running_cluster_only_the_killer_is_blamed(running: Any) -> None:
    good = [("slow", n) for n in range(20)]
    done = run([("killed", 0), *good], scheduler=running.scheduler_address)
    assert isinstance(done.pop(("killed", 0)), RecordingError)
    assert len(done) == 20
    assert all(isinstance(result, int) for result in done.values())


def test_a_cluster_with_another_version_is_refused(running: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sonoplane.__version__", "99.0")
    with pytest.raises(UsageError, match=r"and 99.0 is here. Install sonoplane 99.0 on every worker"):
        run(["a"], scheduler=running.scheduler_address)


def test_workers_short_of_memory_do_not_hold_up_the_run(
    running: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from distributed import Client, Status

    def pause(dask_worker: Any) -> None:
        dask_worker.status = Status.paused

    def resume(dask_worker: Any) -> None:
        dask_worker.status = Status.running

    monkeypatch.setattr(jobs_foreman, "PAUSE_S", 0.5)
    monkeypatch.setattr(jobs_foreman, "PATIENCE_S", 1.0)
    items = [("slow", n) for n in range(100)]
    with Client(running, set_as_default=False) as client:
        client.wait_for_workers(2)
        address = running.scheduler_address
        paused = next(iter(running.scheduler.workers))
        answers = run_jobs(trouble, items, what="try", scheduler=address)
        done = [next(answers)]
        client.run(pause, workers=[paused])
        done += answers
        assert len(done) == 100
        client.run(pause)
        with pytest.raises(UsageError, match="No worker takes work"):
            run(items, scheduler=address)
        client.run(resume)


def test_an_address_where_nobody_answers_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs_cluster, "ANSWER_S", 0.5)
    for address in ("tcp://127.0.0.1:1", "nonsense://x"):
        with pytest.raises(UsageError, match="No Dask scheduler answers"):
            run(["a"], scheduler=address)
