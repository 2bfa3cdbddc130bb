"""Which of several networks is better on the same frames, how surely that can be said, and at what cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sonoplane.errors import UsageError
from sonoplane.inference.backends import BackendChoice
from sonoplane.inference.smoothing import kind_of
from sonoplane.inference.smoothing_transitions import transitions_of
from sonoplane.metrics.answers import Answers, Level
from sonoplane.models.bundle import Bundle
from sonoplane.report.cells import Cell
from sonoplane.report.comparison import Comparison, write_comparison
from sonoplane.report.folder import Failure
from sonoplane.report.scoreboard import Contender, Scoreboard
from sonoplane.report.tables import write_failures
from sonoplane.report.words import count
from sonoplane.steps.answering import Answered, answer, networks_of
from sonoplane.steps.archived import check_input_fits
from sonoplane.steps.asked import Asked, Part, ask
from sonoplane.steps.drawn import draw_belief, draw_timelines, mistakes_in
from sonoplane.steps.evaluate import write_answers
from sonoplane.steps.floors import audit, floors
from sonoplane.steps.measuring import Measurement, measure_network
from sonoplane.steps.pace import Pace, measure_pace, pace_cells, threads_in_force
from sonoplane.steps.recipe import Recipe
from sonoplane.steps.results import check_results, new_results
from sonoplane.steps.retrained import Retrained, retrained, retrained_sections
from sonoplane.steps.scored import (
    class_rows,
    confound_of,
    event_rows,
    floor_rows,
    level_rows,
    provenance_of,
    recording_rows,
    scope_of,
    score_cells,
)
from sonoplane.steps.versus import Found, agreement, differences_of, differences_told, p_cell

__all__ = ["PAGE", "Compared", "compare"]

#: The page, and the document beside it, by which a comparison is known.
PAGE, _MARK = "comparison.html", "comparison.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Compared:
    """What came out, network by network."""

    measurements: tuple[Measurement, ...]
    differences: Found
    """Of each network to the first, by what is counted, the headline first."""
    paces: tuple[Pace, ...]
    methods: tuple[Retrained, ...]
    """Those that were trained with several seeds."""
    failures: tuple[Failure, ...]

    def to_json(self) -> dict[str, Any]:
        """The main numbers as plain values."""
        return {
            "networks": {
                one.name: {**one.to_json(), "pace": pace.to_json()}
                for one, pace in zip(self.measurements, self.paces, strict=True)
            },
            "differences": [
                {"unit": unit, **one.to_json()} for unit, found in self.differences.items() for one in found
            ],
            "retrained": [one.to_json() for one in self.methods],
            "failures": [{"recording": one.recording, "reason": one.reason} for one in self.failures],
        }

    def lines(self) -> list[str]:
        """The main numbers in words."""
        unit = self.measurements[0].units[0]
        told = [f"{m.name}: {unit} accuracy {m.levels[unit].numbers['accuracy']}" for m in self.measurements]
        for one in self.differences[unit]:
            if one.number == "accuracy" and one.difference.value is not None:
                p = "" if one.p_corrected is None else f", p = {one.p_corrected:.3f}"
                ends = one.difference.low, one.difference.high
                known = f" ({ends[0]:+.2f} to {ends[1]:+.2f})" if None not in ends else ""
                told.append(f"{one.second} minus {one.first}: {one.difference.value:+.2f}{known}{p}")
        told += [
            f"{', '.join(one.names)} on average: frame accuracy {one.numbers['accuracy'].mean}"
            for one in self.methods
        ]
        return told


def compare(
    archive: Path | str,
    *,
    bundles: Sequence[Bundle],
    recipes: Sequence[Recipe],
    out: Path,
    part: Part = "test",
    task: str | None = None,
    backend: BackendChoice = "auto",
    rounds: int = 5,
    timelines: int = 100,
    overwrite: bool = False,
) -> Compared:
    """Answer the recordings of one part with every bundle, and write how they differ from the first into `out`.

    Each is run and smoothed as its recipe says. A recording that one of them cannot answer counts for none. `rounds` is
    how often each is timed. Bundles that differ in nothing but the seed of their training are one method besides.

    Raises:
        UsageError: there are fewer than two bundles, they answer other classes or need other inputs than the archive
            has, `out` is not free, or nothing can be answered.
        LabelError: the archive has no such task.
    """
    check_results(out, mark=_MARK, overwrite=overwrite)
    _check_together(bundles)
    asked = ask(
        archive, bundles, part=part, task=task, background_is_a_view=recipes[0].findings.background_is_a_view
    )
    for bundle in bundles:
        _check_input(asked, bundle)
    networks = networks_of(bundles, recipes, backend, by_fold=part == "out-of-fold")
    answered, failures = _answered_by_all([answer(network, asked) for network in networks])
    paces = measure_pace(networks, asked.store, next(iter(answered[0].watched)), rounds=rounds)
    measurements = tuple(measure_network(one) for one in answered)
    compared = Compared(
        measurements=measurements,
        differences=differences_of(measurements),
        paces=tuple(paces),
        methods=retrained(measurements),
        failures=tuple(failures),
    )
    with new_results(out, mark=_MARK, overwrite=overwrite) as folder:
        write_comparison(folder, _page(folder, asked, compared, timelines))
        (folder / "answers").mkdir()
        for place, one in enumerate(answered, start=1):
            write_answers(folder / "answers", one, stem=f"{place}-{_plain(one.network.name)}-")
        write_failures(folder / "failures.csv", failures)
    return compared


def _check_together(bundles: Sequence[Bundle]) -> None:
    if len(bundles) < 2:
        raise UsageError("One network cannot be compared.", advice="Say --bundle twice or more.")
    for bundle in bundles[1:]:
        if set(bundle.card.classes) != set(bundles[0].card.classes):
            raise UsageError(
                f"'{bundle.name}' answers other classes than '{bundles[0].name}': {', '.join(bundle.card.classes)}.",
                advice="Compare networks of one task.",
            )


def _check_input(asked: Asked, bundle: Bundle) -> None:
    try:
        check_input_fits(asked.store, bundle.card)
    except UsageError as error:
        raise UsageError(
            f"'{bundle.name}' cannot answer: {error.message}",
            advice="Prepare the archive with `--store.resolution source`, which serves every input.",
        ) from error


def _answered_by_all(answered: Sequence[Answered]) -> tuple[list[Answered], list[Failure]]:
    """Of the recordings that every network answered, and those that some did not, each once."""
    names = [name for name in answered[0].asked.names if all(name in one.watched for one in answered)]
    failures = {failure.recording: failure for one in reversed(answered) for failure in one.failures}
    if not names:
        raise UsageError(
            "No recording was answered by all.", advice="Evaluate each network alone to see why."
        )
    return [one.only(names) for one in answered], list(failures.values())


def _page(folder: Path, asked: Asked, compared: Compared, timelines: int) -> Comparison:
    measurements, methods = compared.measurements, compared.methods
    answered = [one.answered for one in measurements]
    names = list(answered[0].watched)
    made, missing = floors(asked, names)
    audited, unknown = audit(asked, names)
    mean = {
        name: np.mean([m.recordings.values[name] for m in measurements])
        for name in measurements[0].recordings.values
    }
    pictures, n_drawn = draw_timelines(folder, answered, sorted(mean, key=lambda name: mean[name]), timelines)
    found, shown = mistakes_in(answered, named=True)
    first, n_failed = measurements[0], len(compared.failures)
    notes = tuple(dict.fromkeys(note for one in measurements for note in one.notes))
    failed = [f"{n_failed} recordings could not be answered by all: see failures.csv."] * bool(n_failed)
    return Comparison(
        scope=scope_of(asked, first.frames, first.levels["frame"]),
        boards=tuple(_board(asked, compared, made, unit) for unit in compared.differences),
        n_networks=len(measurements),
        differences=differences_told(first.name, compared.differences),
        events={one.name: event_rows(one.events) for one in measurements if one.events is not None},
        cautions=(*(one.caution for one in methods), *notes, *missing, *filter(None, [unknown]), *failed),
        confound=confound_of(audited, measurements),
        levels=tuple(row for one in measurements for row in level_rows(one)),
        sections=retrained_sections(methods) if methods else (),
        agreement=agreement(measurements),
        belief=draw_belief(folder, measurements),
        recordings=recording_rows(measurements),
        mistakes=found,
        shown_mistakes=shown,
        timelines=pictures,
        n_timelines=n_drawn,
        provenance={
            one.name: _provenance(one, pace) for one, pace in zip(measurements, compared.paces, strict=True)
        },
        settings={
            one.name: one.answered.network.recipe.model_dump(include={"run", "smoothing", "findings"})
            for one in measurements
        },
        measured=compared.to_json(),
    )


def _board(asked: Asked, compared: Compared, floors: Mapping[str, Answers], unit: Level) -> Scoreboard:
    """Networks and floors, counted by frame or by recording."""
    return Scoreboard(
        contenders=(*_contenders(compared, unit), *floor_rows(floors, unit, asked.leave_out)),
        classes=tuple(row for one in compared.measurements for row in class_rows(one, unit)),
        unit=unit,
        facts={"archive": asked.store.name, "task": asked.task, "part": asked.part},
    )


def _contenders(compared: Compared, unit: Level) -> list[Contender]:
    """The networks as rows of the scoreboard; what they cost stands with the headline."""
    against = {one.second: one for one in compared.differences[unit] if one.number == "accuracy"}
    rows = []
    for one, pace in zip(compared.measurements, compared.paces, strict=True):
        cells = {**score_cells(one, unit), **(pace_cells(pace) if unit == one.units[0] else {})}
        if one.name in against:
            cells["difference"] = Cell.of(against[one.name].difference)
            cells["p"] = p_cell(against[one.name])
        rows.append(Contender(name=one.name, cells=cells))
    return rows


def _provenance(one: Measurement, pace: Pace) -> dict[str, str]:
    network = one.answered.network
    kind = kind_of(network.recipe.smoothing, transitions_of(network.bundle))
    return {
        **provenance_of(one, kind),
        "Timed": f"{pace.n_frames} frames, {count(len(pace.ms_per_frame), 'round')} in turns,"
        f" {threads_in_force(network)}, batch {network.recipe.run.batch}",
    }


def _plain(name: str) -> str:
    """A network's name as part of a file's.

    >>> _plain("liver 3D (2)")
    'liver-3D-2'
    """
    words = "".join(letter if letter.isalnum() else " " for letter in name).split()
    return "-".join(words) or "network"
