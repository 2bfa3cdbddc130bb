"""Runs the cross-validations one after the other, each where it was stopped, and tells how far all of them are."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sonoplane.steps.folds import train_folds
from sonoplane.steps.progress import say
from studies.lung.plan import VARIANTS, Plan

__all__ = ["seconds_of", "train_all"]

#: The clock of a cross-validation is kept on disk every so many seconds: a kill costs no more.
_TICK_S = 2.0


def train_all(archive: Path, folder: Path, plan: Plan, fetal: Path) -> dict[tuple[str, str], Path]:
    """The ensemble of each task and variant; those that are there already are left as they are."""
    bundles = {(task, name): folder / f"{task}-{name}" for task, name in plan.jobs()}
    course = _Course(plan, bundles)
    for (task, name), out in bundles.items():
        if not (out / "bundle.json").exists():
            recipe = plan.recipe(archive, task, name, fetal)
            with _watched(course, task, name, out):
                train_folds(archive, task=task, out=out, n_folds=plan.n_folds, recipe=recipe)
    return bundles


def seconds_of(bundle: Path) -> float | None:
    """How long a cross-validation took in all, answers and restarts included; None where nobody measured."""
    clock = _clock(bundle)
    return float(json.loads(clock.read_text())["seconds"]) if clock.exists() else None


class _Course:
    """How many trainings are done, and how long the others will take at the pace of this run."""

    def __init__(self, plan: Plan, bundles: dict[tuple[str, str], Path]) -> None:
        self._n_folds = plan.n_folds
        self._left = {job: plan.n_folds - len(_folds_done(out, plan.n_folds)) for job, out in bundles.items()}
        self._n = plan.n_folds * len(bundles)
        self._began = time.monotonic()
        self._earned = 0.0

    def one_more(self, task: str, name: str, fold: int, seconds: float) -> None:
        """A training is done: say so, and how long the rest will take."""
        self._left[task, name] -= 1
        self._earned += VARIANTS[name].planned_s
        pace = (time.monotonic() - self._began) / self._earned
        rest = pace * sum(VARIANTS[job[1]].planned_s * n for job, n in self._left.items())
        done = self._n - sum(self._left.values())
        left = f"{rest / 60:.0f} min" if rest < 5400 else f"{rest / 3600:.1f} h"
        say(
            f"{time.strftime('%H:%M:%S')} {task}, {VARIANTS[name].title}, fold {fold} of {self._n_folds}: "
            f"{seconds:.0f} s. {done} of {self._n} trainings done, about {left} left."
        )

    def folds_done(self, out: Path) -> set[int]:
        """The folds of a cross-validation whose network is trained."""
        return _folds_done(out, self._n_folds)


@contextmanager
def _watched(course: _Course, task: str, name: str, out: Path) -> Iterator[None]:
    """Tell of every fold that is done meanwhile, and keep the time on disk."""
    ended = threading.Event()
    told = course.folds_done(out)
    before = seconds_of(out) or 0.0
    began = last = time.monotonic()

    def look() -> None:
        nonlocal last
        now = time.monotonic()
        _keep(_clock(out), before + now - began)
        for fold in sorted(course.folds_done(out) - told):
            told.add(fold)
            course.one_more(task, name, fold, now - last)
            last = now

    def watch() -> None:
        while not ended.wait(_TICK_S):
            look()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        look()


def _folds_done(out: Path, n_folds: int) -> set[int]:
    """All of them once the ensemble is there; before that, those in its working folder."""
    if (out / "bundle.json").exists():
        return set(range(1, n_folds + 1))
    work = out.with_name(f"{out.name}.folds")
    return {fold for fold in range(1, n_folds + 1) if (work / f"fold-{fold}" / "bundle.json").exists()}


def _clock(out: Path) -> Path:
    return out.with_name(f"{out.name}.seconds.json")


def _keep(path: Path, seconds: float) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps({"seconds": round(seconds, 1)}))
    fresh.replace(path)
