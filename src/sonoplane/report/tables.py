"""Timelines and failures become CSV: UTF-8, a header row, numbers in plain decimal."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Float32

from sonoplane.records import Timeline
from sonoplane.report.index import Failure

__all__ = ["write_failures", "write_logits", "write_timeline"]


def write_timeline(path: Path, timeline: Timeline) -> None:
    """`frame, time_s, label, probability`, then the probability of every class; a row for every frame.

    `probability` is that of the label. `time_s` is empty where the source has no frame times.
    """
    frames = np.arange(timeline.n_frames)
    leading = [
        *_moments(timeline),
        pl.Series("label", timeline.labels, dtype=pl.String),
        pl.Series("probability", timeline.probabilities[frames, timeline.numbers], dtype=pl.Float64),
    ]
    header = ["frame", "time_s", "label", "probability", *timeline.classes]
    _write(path, header, leading, timeline.probabilities)


def write_logits(path: Path, timeline: Timeline) -> None:
    """`frame, time_s`, then the raw logit of every class; a row for every frame."""
    _write(path, ["frame", "time_s", *timeline.classes], _moments(timeline), timeline.logits)


def write_failures(path: Path, failures: Sequence[Failure]) -> None:
    """`recording, reason, what_to_do`, a row for each recording that failed; the header alone if none did."""
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["recording", "reason", "what_to_do"])
        rows.writerows([failure.recording, failure.reason, failure.what_to_do] for failure in failures)


def _moments(timeline: Timeline) -> list[pl.Series]:
    n_frames = timeline.n_frames
    times_s = np.full(n_frames, np.nan) if timeline.times_s is None else timeline.times_s
    return [
        pl.Series("frame", np.arange(n_frames)),
        pl.Series("time_s", times_s, dtype=pl.Float64).fill_nan(None),
    ]


def _write(
    path: Path,
    header: Sequence[str],
    leading: Sequence[pl.Series],
    values: Float32[np.ndarray, "time classes"],
) -> None:
    """Header and rows apart, since a class may be called `label` as well."""
    columns = dict(enumerate([*leading, *values.astype(np.float64).T]))
    rows = pl.DataFrame({str(place): column for place, column in columns.items()})
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerow(header)
    with path.open("ab") as file:
        rows.write_csv(file, include_header=False, float_precision=6, float_scientific=False)
