"""Ways of running a network, of gathering its answers and of withholding them, side by side as tables."""

from collections.abc import Sequence

from sonoplane.report.cells import Cell
from sonoplane.report.grid import Column, Row
from sonoplane.report.scoreboard import COLUMNS
from sonoplane.report.sections import Section
from sonoplane.steps.measuring import Measurement, Variant

__all__ = ["aggregation_section", "given_section", "variants_section"]

_RIGHT = ("accuracy", "balanced_accuracy", "macro_f1")

_VARIANT_COLUMNS = (
    Column(key="way", head="Run", form="text"),
    *(column for column in COLUMNS if column.key in _RIGHT),
    Column(key="segment_f1_50", head="Runs F1, 50\u00a0%", told="F1 of runs of frames that overlap by half or more."),
    Column(key="ece", head="Calibration error", told="mean gap between probability and share that is right (ECE)."),
)  # fmt: skip

_POOLED_COLUMNS = (
    Column(key="how", head="Frames become one answer by", form="text"),
    Column(key="recording", head="Recordings right"),
    Column(key="patient", head="Patients right"),
    Column(key="tied", head="Recordings tied", form="count",
           told="two classes were equal first; the likelier by mean probability was taken."),
)  # fmt: skip

_HOW = {"mean": "mean probability, as predict does", "logits": "sum of logits, never calibrated or smoothed",
        "vote": "majority vote", "max": "surest frame"}  # fmt: skip


def variants_section(variants: Sequence[Variant], why: Sequence[str] = ()) -> Section:
    """Ways of running and smoothing, beside each other."""
    lead = (
        "The same network, run and smoothed in other ways; the first row is how it answers on the rest of this"
        " page. Clip and dense are not equal where layers pad time with zeros."
    )
    return Section(
        title="Run and smoothed in other ways",
        lead=" ".join([lead, *why]),
        columns=_VARIANT_COLUMNS,
        rows=tuple(
            {
                "way": Cell(value=one.name),
                **{key: Cell.of(one.measured.numbers[key]) for key in _RIGHT},
                **({} if one.segment_f1 is None else {"segment_f1_50": Cell.of(one.segment_f1)}),
                "ece": Cell(value=one.ece),
            }
            for one in variants
        ),
    )


def aggregation_section(measurement: Measurement) -> Section:
    """How frames become one answer for a recording, and for a patient."""
    return Section(
        title="From frames to recordings",
        lead="Accuracy where the frames of a recording become one answer in different ways; a patient’s answer is"
        " gathered from those for the recordings.",
        columns=_POOLED_COLUMNS,
        rows=tuple(
            {
                "how": Cell(value=_HOW[how]),
                **{level: Cell.of(one.numbers["accuracy"]) for level, one in levels.items()},
                "tied": Cell(value=levels["recording"].n_tied),
            }
            for how, levels in measurement.pooled.items()
        ),
    )


def given_section(measurement: Measurement) -> Section:
    """What share of recordings is answered where it may be `unknown`."""
    given, settings = measurement.given, measurement.answered.network.recipe.findings
    rows: tuple[Row, ...] = ()
    if given is not None:
        accuracy = (
            Cell(value=None, why="None was given.") if given.accuracy is None else Cell.of(given.accuracy)
        )
        rows = (
            {
                "wished": Cell(value=settings.precision),
                "n": Cell(value=given.n),
                "given": Cell(value=given.n_given),
                "accuracy": accuracy,
            },
        )
    return Section(
        title="Answers and unknowns",
        lead="Recordings of which labels so sure are too seldom right are told to be unknown.",
        columns=(
            Column(key="wished", head="Precision wished for"),
            Column(key="n", head="Recordings", form="count"),
            Column(key="given", head="Answered", form="count"),
            Column(key="accuracy", head="Right, of those"),
        ),
        rows=rows,
    )
