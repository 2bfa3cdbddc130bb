"""What was said of recordings that were held out of training becomes CSV: a row a frame, or a row a recording."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Float, Int64

from sonoplane.records import Timeline

__all__ = ["HeldOut", "write_frame_table", "write_recording_table"]


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldOut:
    """What a network said of a recording that it had never seen, beside what it should have said."""

    timeline: Timeline
    targets: Int64[np.ndarray, "time"]
    """The class number of every frame; -1 where it has none."""
    label: str
    """The answer for the recording as a whole."""
    fold: int | None = None
    """The fold of a cross-validation that it is in, from 1."""
    patient: str | None = None
    """A pseudonym."""
    left_out: str | None = None
    """The class that is no answer for a recording, such as the background."""

    @property
    def target(self) -> int:
        """The class number of the recording as a whole; -1 where its frames have several labels, or none."""
        skip = -1 if self.left_out is None else self.timeline.classes.index(self.left_out)
        known = np.unique(self.targets[(self.targets >= 0) & (self.targets != skip)])
        return int(known[0]) if len(known) == 1 else -1

    @property
    def answer(self) -> int:
        """The class number of the answer for the recording; -1 where it is `unknown`."""
        return self.timeline.classes.index(self.label) if self.label in self.timeline.classes else -1

    @property
    def means(self) -> Float[np.ndarray, "classes"]:
        """The mean probability of each class over all frames."""
        return np.asarray(self.timeline.probabilities.mean(axis=0, dtype=np.float64))


def write_frame_table(path: Path, answers: Sequence[HeldOut], classes: Sequence[str]) -> None:
    """`recording, fold, frame, time_s, target, label, probability`, then the probability of every class.

    A row for every frame; `target` is empty where nobody labelled it, `time_s` where the source has no frame times.
    """
    header = ["recording", "fold", "frame", "time_s", "target", "label", "probability", *classes]
    _write(path, header, (_frames(each) for each in answers))


def write_recording_table(path: Path, answers: Sequence[HeldOut], classes: Sequence[str]) -> None:
    """`recording, fold, patient, target, label, probability`, then the mean probability of every class.

    `target` is empty where the labelled frames of a recording do not all have one label.
    """
    header = ["recording", "fold", "patient", "target", "label", "probability", *classes]
    means = np.array([each.means for each in answers]).reshape(-1, len(classes))
    columns = [
        pl.Series([each.timeline.recording for each in answers], dtype=pl.String),
        pl.Series([each.fold for each in answers], dtype=pl.Int64),
        pl.Series([each.patient for each in answers], dtype=pl.String),
        _named([each.target for each in answers], classes),
        pl.Series([each.label for each in answers], dtype=pl.String),
        pl.Series(
            [float(each.means[each.answer]) if each.answer >= 0 else None for each in answers],
            dtype=pl.Float64,
        ),
        *(pl.Series(column) for column in means.T),
    ]
    _write(path, header, iter([columns]))


def _frames(each: HeldOut) -> list[pl.Series]:
    timeline = each.timeline
    n_frames = timeline.n_frames
    times_s = np.full(n_frames, np.nan) if timeline.times_s is None else timeline.times_s
    probabilities = timeline.probabilities.astype(np.float64)
    return [
        pl.Series([timeline.recording] * n_frames, dtype=pl.String),
        pl.Series([each.fold] * n_frames, dtype=pl.Int64),
        pl.Series(np.arange(n_frames)),
        pl.Series(times_s, dtype=pl.Float64).fill_nan(None),
        _named(each.targets.tolist(), timeline.classes),
        pl.Series(timeline.labels, dtype=pl.String),
        pl.Series(probabilities[np.arange(n_frames), timeline.numbers]),
        *(pl.Series(column) for column in probabilities.T),
    ]


def _named(numbers: Sequence[int], classes: Sequence[str]) -> pl.Series:
    """Class numbers by name; -1 is empty."""
    return pl.Series([classes[number] if number >= 0 else None for number in numbers], dtype=pl.String)


def _write(path: Path, header: Sequence[str], blocks: Iterator[Sequence[pl.Series]]) -> None:
    """Header and rows apart, since a class may be called `label` as well."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerow(header)
    with path.open("ab") as file:
        for columns in blocks:
            rows = pl.DataFrame({str(place): column for place, column in enumerate(columns)})
            rows.write_csv(file, include_header=False, float_precision=6, float_scientific=False)
