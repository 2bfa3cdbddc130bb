"""How right a network is on an archive, how surely that is known, and how far its answers may be believed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from sonoplane.inference.backends import BackendChoice
from sonoplane.inference.smoothing import kind_of
from sonoplane.inference.smoothing_transitions import transitions_of
from sonoplane.models.bundle import Bundle
from sonoplane.report.evaluation import Counted, Evaluation, write_evaluation
from sonoplane.report.folder import Failure
from sonoplane.report.held_out import write_frame_table, write_recording_table
from sonoplane.report.tables import write_failures
from sonoplane.steps.answering import Answered, answer, networks_of, other_modes
from sonoplane.steps.asked import Asked, Part, ask
from sonoplane.steps.background import BackgroundChoice, Backgrounds, look_at_background
from sonoplane.steps.background_told import (
    background_cautions,
    background_csv,
    background_hints,
    background_sections,
)
from sonoplane.steps.drawn import draw_belief, draw_timelines, mistakes_in
from sonoplane.steps.floors import audit, floors
from sonoplane.steps.measuring import Measurement, Variant, measure_network, variants_of
from sonoplane.steps.recipe import Recipe
from sonoplane.steps.results import check_results, new_results
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
from sonoplane.steps.scored_sections import aggregation_section, given_section, variants_section

__all__ = ["PAGE", "Evaluated", "evaluate"]

#: The page, and the document beside it, by which an evaluation is known.
PAGE, _MARK = "evaluation.html", "evaluation.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluated:
    """What came out."""

    measurement: Measurement
    variants: tuple[Variant, ...]
    background: Backgrounds | None
    """Whether the network reads the background; None where that was not asked."""
    failures: tuple[Failure, ...]
    cautions: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The main numbers as plain values."""
        asked = self.measurement.answered.asked
        return {
            "network": self.measurement.name,
            "task": asked.task,
            "part": asked.part,
            "unseen": asked.unseen,
            **self.measurement.to_json(),
            "ways": [variant.to_json() for variant in self.variants],
            "background": None if self.background is None else self.background.to_json(),
            "notes": list(self.measurement.notes),
            "failures": [{"recording": one.recording, "reason": one.reason} for one in self.failures],
        }

    def lines(self) -> list[str]:
        """The main numbers in words, the headline first."""
        levels = self.measurement.levels
        return [
            *(
                f"{level} accuracy {levels[level].numbers['accuracy']}"
                for level in dict.fromkeys((self.measurement.units[0], *levels))
            ),
            *(
                f"{variant.name}: frame accuracy {variant.measured.numbers['accuracy']}"
                for variant in self.variants[1:]
            ),
            *self.cautions,
        ]


def evaluate(
    archive: Path | str,
    *,
    bundle: Bundle,
    out: Path,
    recipe: Recipe,
    part: Part = "test",
    task: str | None = None,
    backend: BackendChoice = "auto",
    modes: Literal["both", "one"] = "both",
    background: BackgroundChoice = "all",
    timelines: int = 100,
    overwrite: bool = False,
) -> Evaluated:
    """Answer the recordings of one part as `predict` would, and write how right that is into `out`.

    Networks that can answer both clip by clip and densely are measured in both ways, unless `modes` is `one`. A
    recording that cannot be answered is listed in `failures.csv`. `background` says how much is found out, on
    some frames, about whether the network reads what lies around the ultrasound. `timelines` is how many are drawn at
    most, those of the worst recordings first.

    Raises:
        UsageError: there is nothing to measure on, `out` is not free, or the network cannot answer here.
        LabelError: the archive has no such task.
    """
    check_results(out, mark=_MARK, overwrite=overwrite)
    asked = ask(
        archive, [bundle], part=part, task=task, background_is_a_view=recipe.findings.background_is_a_view
    )
    (network,) = networks_of([bundle], [recipe], backend, by_fold=part == "out-of-fold")
    answered = answer(network, asked)
    others, why = other_modes(network) if modes == "both" else ([], [])
    measurement = measure_network(answered)
    variants = tuple(variants_of([answered, *(answer(other, asked) for other in others)]))
    around = recipe.background
    backgrounds = look_at_background(answered, background, around)
    with new_results(out, mark=_MARK, overwrite=overwrite) as folder:
        page = _page(folder, measurement, variants, why, backgrounds, timelines)
        asked_around = {"asked": background, **around.model_dump()}
        page = replace(page, settings={**page.settings, "background": asked_around})
        evaluated = Evaluated(
            measurement=measurement,
            variants=variants,
            background=backgrounds,
            failures=answered.failures,
            cautions=(*page.grave, *page.cautions),
        )
        write_evaluation(folder, replace(page, measured=evaluated.to_json()))
        if backgrounds is not None and backgrounds.looked is not None:
            text = background_csv(backgrounds.looked)
            (folder / "background.csv").write_text(text, encoding="utf-8", newline="\n")
        write_answers(folder, answered)
        write_failures(folder / "failures.csv", answered.failures)
    return evaluated


def write_answers(folder: Path, answered: Answered, stem: str = "") -> None:
    """Write what was said and what is true: `frames.csv`, a row a frame, and `recordings.csv`, a row a recording."""
    held, classes = answered.held_out(), answered.asked.classes
    write_frame_table(folder / f"{stem}frames.csv", held, classes)
    write_recording_table(folder / f"{stem}recordings.csv", held, classes)


def _page(
    folder: Path,
    measurement: Measurement,
    variants: Sequence[Variant],
    why: Sequence[str],
    backgrounds: Backgrounds | None,
    timelines: int,
) -> Evaluation:
    answered = measurement.answered
    asked: Asked = answered.asked
    names = list(answered.watched)
    made, missing = floors(asked, names)
    audited, unknown = audit(asked, names)
    worst_first = sorted(measurement.recordings.values, key=lambda name: measurement.recordings.values[name])
    pictures, n_drawn = draw_timelines(folder, [answered], worst_first, timelines)
    found, shown = mistakes_in([answered], named=False)
    bundle, recipe = answered.network.bundle, answered.network.recipe
    return Evaluation(
        network=measurement.name,
        scope=scope_of(asked, measurement.frames, measurement.levels["frame"]),
        counted=tuple(
            Counted(
                unit=unit,
                scores=score_cells(measurement, unit),
                floors=floor_rows(made, unit, asked.leave_out),
                classes=class_rows(measurement, unit),
                confusion=measurement.levels[unit].confusion,
            )
            for unit in measurement.units
        ),
        grave=tuple(background_cautions(backgrounds)),
        cautions=(
            *measurement.notes,
            *missing,
            *filter(None, [unknown]),
            *background_hints(backgrounds),
            *_failed(answered),
        ),
        confound=confound_of(audited, [measurement]),
        levels=level_rows(measurement),
        sections=(
            variants_section(variants if len(variants) > 1 else (), why),
            aggregation_section(measurement),
            given_section(measurement),
            *background_sections(backgrounds),
        ),
        events=event_rows(measurement.events),
        belief=draw_belief(folder, [measurement]),
        recordings=recording_rows([measurement]),
        mistakes=found,
        shown_mistakes=shown,
        timelines=pictures,
        n_timelines=n_drawn,
        provenance=provenance_of(measurement, kind_of(recipe.smoothing, transitions_of(bundle))),
        settings=recipe.model_dump(include={"run", "smoothing", "findings", "keyframes"}),
    )


def _failed(answered: Answered) -> list[str]:
    n = len(answered.failures)
    return [f"{n} of {len(answered.asked.names)} recordings could not be answered: see failures.csv."] * bool(
        n
    )
