"""The events of many sweeps as numbers, each with its doubt."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from jaxtyping import Float64

from sonoplane.errors import UsageError
from sonoplane.metrics.doubt import Scale, estimates
from sonoplane.metrics.events import SweepEvents
from sonoplane.metrics.intervals import Estimate
from sonoplane.metrics.rates import mean_of_known, share
from sonoplane.metrics.tally import Number

__all__ = ["EventsMeasured", "measure_events"]

_SCALES: dict[str, Scale] = {"false_alarms_per_minute": "positive", "first_hit_s": "positive"}


@dataclass(frozen=True, kw_only=True, slots=True)
class EventsMeasured:
    """Numbers of all sweeps together."""

    n_recordings: int
    n_patients: int
    numbers: Mapping[str, Estimate]
    """completeness, retrieval, keyframe_precision, false_alarms_per_minute, first_hit_s, segment_f1_10, ..."""
    planes: Mapping[str, Mapping[str, Estimate]]
    """Of each plane of the protocol: found, retrieval, first_hit_s, segment_f1_10, ..."""
    sweeps: tuple[SweepEvents, ...] = field(repr=False)
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "n_recordings": self.n_recordings,
            "n_patients": self.n_patients,
            "numbers": {name: number.to_json() for name, number in self.numbers.items()},
            "planes": {
                plane: {name: number.to_json() for name, number in numbers.items()}
                for plane, numbers in self.planes.items()
            },
            "sweeps": [sweep.to_json() for sweep in self.sweeps],
            "notes": list(self.notes),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class _Ratio:
    """One number of a sweep: sums of parts over sums of wholes, known where there is a case."""

    part: float
    whole: float
    cases: float


def measure_events(
    sweeps: Sequence[SweepEvents], *, level: float = 0.95, draws: int = 1000, seed: int = 0
) -> EventsMeasured:
    """Numbers over all sweeps, with intervals over patients.

    completeness             planes found, of the planes present
    retrieval                planes whose best key frame is labelled so, of the planes present (unlabelled key frames
                             left out), after Baumgartner et al. (2017), who let experts judge
    keyframe_precision       key frames labelled as what they are said to show, of the labelled key frames
    false_alarms_per_minute  of labelled frames
    first_hit_s              mean seconds from when a plane is first labelled to its first hit, over planes hit
    segment_f1_10, 25, 50    2 right / (2 right + false + missed) over all sweeps; the mean over planes, background
                             left out

    Raises UsageError where there is no sweep, or classes differ.
    """
    if not sweeps or len({(sweep.classes, sweep.background, sweep.overlaps) for sweep in sweeps}) > 1:
        raise UsageError(
            "There is no sweep, or sweeps are of different classes.", advice="Score one network at a time."
        )
    rows = [_ratios(sweep) for sweep in sweeps]
    numbers = list(rows[0])
    table = np.array([[(row[n].part, row[n].whole, row[n].cases) for n in numbers] for row in rows])
    names, whose = np.unique([sweep.patient for sweep in sweeps], return_inverse=True)
    by_patient = np.zeros((len(names), *table.shape[1:]))
    np.add.at(by_patient, whose, table)
    means = _means(numbers)

    shown = (by_patient[:, :, 2] > 0).sum(axis=0).tolist()
    shown += [int((by_patient[:, of, 2] > 0).any(axis=1).sum()) for of in means.values()]
    numbers += [(name, "") for name in means]
    found = estimates(
        partial(_values, by_patient, tuple(means.values())),
        n_patients=len(names),
        shown=shown,
        scales=[_SCALES.get(name, "share") for name, _ in numbers],
        level=level,
        draws=draws,
        seed=seed,
    )
    known = dict(zip(numbers, found, strict=True))
    return EventsMeasured(
        n_recordings=len(sweeps),
        n_patients=len(names),
        numbers={name: estimate for (name, of), estimate in known.items() if not of},
        planes={
            plane.plane: {name: estimate for (name, of), estimate in known.items() if of == plane.plane}
            for plane in sweeps[0].planes
        },
        sweeps=tuple(sweeps),
        notes=_notes(sweeps),
    )


def _values(
    by_patient: Float64[np.ndarray, "patients numbers 3"],
    means: Sequence[npt.NDArray[np.int64]],
    weights: Float64[np.ndarray, "draws patients"],
) -> npt.NDArray[np.float64]:
    """Every ratio for any weights of the patients, then the means of some of them."""
    part, whole, cases = (weights @ by_patient[:, :, i] for i in range(3))
    known = np.where(cases > 0, share(part, whole), np.nan)
    return np.concatenate([known, *(mean_of_known(known[:, of])[:, None] for of in means)], axis=1)


def _ratios(sweep: SweepEvents) -> dict[Number, _Ratio]:
    """The sweep's share in every number, in one order for all sweeps of a network."""
    found: dict[Number, _Ratio] = {}
    present = [plane for plane in sweep.planes if plane.present]
    found["completeness", ""] = _of([plane.found for plane in present])
    found["retrieval", ""] = _of([p.keyframe_right for p in present])
    found["keyframe_precision", ""] = _plain(sweep.keyframes_right, sweep.keyframes_judged)
    timed = sweep.minutes is not None
    found["false_alarms_per_minute", ""] = _plain(sweep.false_alarms if timed else 0, sweep.minutes or 0)
    found["first_hit_s", ""] = _of([plane.first_hit_s for plane in present])
    for plane in sweep.planes:
        own = [plane] if plane.present else []
        found["found", plane.plane] = _of([one.found for one in own])
        found["retrieval", plane.plane] = _of([one.keyframe_right for one in own])
        found["first_hit_s", plane.plane] = _of([one.first_hit_s for one in own])
    for overlap, counts in zip(sweep.overlaps, sweep.segments, strict=True):
        for name, (right, false, missed) in zip(sweep.classes, counts.tolist(), strict=True):
            if name != sweep.background:
                whole = 2 * right + false + missed
                found[_f1(overlap), name] = _Ratio(part=2 * right, whole=whole, cases=right + missed)
    return found


def _f1(overlap: float) -> str:
    return f"segment_f1_{overlap * 100:g}"


def _of(values: Sequence[float | None]) -> _Ratio:
    """The mean of what is known."""
    known = [float(value) for value in values if value is not None]
    return _plain(sum(known), len(known))


def _plain(part: float, whole: float) -> _Ratio:
    return _Ratio(part=part, whole=whole, cases=whole)


def _means(numbers: Sequence[Number]) -> dict[str, npt.NDArray[np.int64]]:
    """The columns that each mean over planes is of."""
    names = dict.fromkeys(name for name, _ in numbers if name.startswith("segment_f1"))
    return {name: np.array([i for i, (kind, _) in enumerate(numbers) if kind == name]) for name in names}


def _notes(sweeps: Sequence[SweepEvents]) -> tuple[str, ...]:
    untimed = sum(sweep.minutes is None for sweep in sweeps)
    present = {plane.plane for sweep in sweeps for plane in sweep.planes if plane.present}
    absent = [plane.plane for plane in sweeps[0].planes if plane.plane not in present]
    notes = []
    if untimed:
        notes.append(
            f"{untimed} of {len(sweeps)} recordings have no frame times: left out of seconds and minutes."
        )
    if absent:
        notes.append(f"Never labelled: {', '.join(absent)}; whether they would be found is not known.")
    return tuple(notes)
