"""From the answers of all networks to the numbers that are published: counts and estimates, and nothing of anyone."""

import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from jaxtyping import Int64

from sonoplane import __version__
from sonoplane.frames.archive import Archive, open_archive
from sonoplane.metrics.answers import Answers, answers_of
from sonoplane.metrics.confound_verdict import judge_confounds
from sonoplane.metrics.confounds import ConfoundAudit, audit_confounds
from sonoplane.metrics.differences import Difference, compare, holm
from sonoplane.metrics.levels import to_recordings
from sonoplane.metrics.measure import measure
from sonoplane.models.bundle import Bundle
from sonoplane.models.cost import cost
from sonoplane.steps.progress import say
from studies.lung.floors import facts_of, features_of, floor_answers
from studies.lung.plan import FLOORS, TASKS, VARIANTS, Plan, comparisons
from studies.lung.trainings import seconds_of

__all__ = ["results_of"]

#: The numbers in which networks are compared, the first above all.
_COMPARED = ("auroc", "balanced_accuracy", "macro_f1", "accuracy")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Told:
    """What one network said of the recordings it never saw."""

    frames: Answers
    recordings: Answers
    folds: Int64[np.ndarray, "recordings"]


def results_of(archive: Path, bundles: Mapping[tuple[str, str], Path], plan: Plan) -> dict[str, Any]:
    """All numbers of the study as plain values: no name of a patient or a recording is among them."""
    store = open_archive(archive)
    found = {
        "recordings": len(store),
        "patients": len({entry.patient for entry in store.entries}),
        "frames": sum(entry.n_frames for entry in store.entries),
        "plan": {
            "folds": plan.n_folds,
            "size": plan.size,
            "draws": plan.draws,
            "swaps": plan.swaps,
            "recipe_changes": plan.changes,
        },
        "machine": _machine(),
        "tasks": {task: _of_task(task, names, store, bundles, plan) for task, names in plan.variants.items()},
    }
    rounded: dict[str, Any] = _rounded(found)
    return rounded


def _of_task(
    task: str, names: tuple[str, ...], store: Archive, bundles: Mapping[tuple[str, str], Path], plan: Plan
) -> dict[str, Any]:
    """Networks, floors, facts of the files, and the differences between them."""
    say(f"Measure {task}.")
    told = {name: _told(Bundle.load(bundles[task, name]), store) for name in names}
    like, folds = told[names[0]].recordings, told[names[0]].folds
    order = like.recordings.tolist()
    seen = features_of(store, order)
    floors = {name: floor_answers(seen[name], folds, like) for name in FLOORS}
    audit = audit_confounds(
        facts_of(store, order),
        classes=like.classes,
        targets=like.targets,
        recordings=order,
        patients=like.patients.tolist(),
        folds=plan.n_folds,
    )
    everything = {name: one.recordings for name, one in told.items()} | floors
    return {
        "what": TASKS[task],
        "classes": list(like.classes),
        "networks": {name: _network(bundles[task, name], told[name], audit, name, plan) for name in names},
        "floors": {
            name: {"title": FLOORS[name], "recording": _measured(answers, plan)}
            for name, answers in floors.items()
        },
        "facts": {
            "recording": _measured(audit.answers, plan),
            "names": list(audit.facts),
            "p": audit.p,
            "words": judge_confounds(audit, draws=plan.draws).reached,
            "telling": [one.sentence for one in audit.telling],
        },
        "differences": _differences(everything, names, plan),
    }


def _told(bundle: Bundle, store: Archive) -> _Told:
    """The answers that the cross-validation left, beside the truth; `bundle` is its ensemble."""
    n_classes = len(bundle.card.classes)
    table = pl.read_csv(bundle.folder / "out_of_fold.csv", has_header=False, skip_rows=1, infer_schema=False)
    recordings, folds = table[:, 0].to_numpy(), table[:, 1].cast(pl.Int64).to_numpy()
    numbers = {name: number for number, name in enumerate(bundle.card.classes)}
    frames = answers_of(
        level="frame",
        classes=bundle.card.classes,
        targets=[numbers.get(name, -1) for name in table[:, 4]],
        probabilities=table[:, -n_classes:].cast(pl.Float64).to_numpy(),
        recordings=recordings,
        patients=[store.entry(name).patient or "" for name in recordings],
    )
    whole = to_recordings(frames)
    fold_of = dict(zip(recordings.tolist(), folds.tolist(), strict=True))
    return _Told(
        frames=frames, recordings=whole, folds=np.array([fold_of[name] for name in whole.recordings.tolist()])
    )


def _network(folder: Path, told: _Told, audit: ConfoundAudit, name: str, plan: Plan) -> dict[str, Any]:
    """The numbers of one network, what it cost, and how it stands beside the facts of the files."""
    bundle = Bundle.load(folder)
    verdict = judge_confounds(audit, told.recordings, name=VARIANTS[name].title, draws=plan.draws)
    histories = [(member.metrics or {})["history"] for member in bundle.members]
    total = seconds_of(folder)
    return {
        "title": VARIANTS[name].title,
        "network": bundle.spec.name,
        "fetal": VARIANTS[name].fetal,
        "parameters": cost(bundle.spec).parameters,
        "training_seconds": [sum(row["seconds"] for row in history) for history in histories],
        "all_seconds": total,
        "best_epochs": [(member.metrics or {})["best_epoch"] for member in bundle.members],
        "recording": _measured(told.recordings, plan),
        "frame": _measured(told.frames, plan),
        "beside_facts": {"close": verdict.flagged, "words": verdict.meaning},
    }


def _measured(answers: Answers, plan: Plan) -> dict[str, Any]:
    return measure(answers, top=(), draws=plan.draws).to_json()


def _differences(
    everything: Mapping[str, Answers], networks: tuple[str, ...], plan: Plan
) -> list[dict[str, Any]]:
    """The differences asked for; p is corrected over those of one question, in each number by itself."""
    asked = comparisons(networks)
    made = [
        compare(
            everything[one.first],
            everything[one.second],
            _COMPARED,
            names=(one.first, one.second),
            draws=plan.draws,
            swaps=plan.swaps,
        )
        for one in asked
    ]
    told = []
    for question in dict.fromkeys(one.question for one in asked):
        mine = [found for one, found in zip(asked, made, strict=True) if one.question == question]
        columns = [_corrected([found[place] for found in mine]) for place in range(len(_COMPARED))]
        told += [{"question": question, **one.to_json()} for row in zip(*columns, strict=True) for one in row]
    return told


def _corrected(column: list[Difference]) -> list[Difference]:
    ps = holm([one.p for one in column])
    return [replace(one, p_corrected=p) for one, p in zip(column, ps, strict=True)]


def _machine() -> dict[str, Any]:
    """What it ran on; not which machine."""
    return {
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "processor": platform.machine(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "sonoplane": __version__,
    }


def _rounded(value: Any) -> Any:
    """Four digits after the point: more are noise."""
    walk: dict[type, Callable[[Any], Any]] = {
        float: lambda number: round(number, 4),
        dict: lambda table: {key: _rounded(one) for key, one in table.items()},
        list: lambda row: [_rounded(one) for one in row],
    }
    return walk.get(type(value), lambda one: one)(value)
