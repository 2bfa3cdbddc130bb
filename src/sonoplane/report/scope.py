"""What was measured on, and what follows for a reader: whom the numbers speak for, and whom they do not."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sonoplane.report.words import count, percent

__all__ = ["FEW_PATIENTS", "Confound", "Scope", "cautions"]

#: Below so many patients a page warns of its own intervals.
FEW_PATIENTS = 20

_CONFOUNDED = (
    "Facts of the files alone, without an image, tell the classes nearly as well: the score may not be about anatomy."
    " See “Could the files alone tell?”."
)

_SEEN = "Some of these patients were trained on: for others the numbers will be lower."
_MAYBE_SEEN = (
    "Whether the network was trained on these patients is not known; if it was, the numbers are too high."
)

#: A class seen in fewer patients is named.
_FEW_OF_A_CLASS = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    """The recordings that were measured on."""

    archive: str
    task: str
    part: str
    """Of the split, such as `test`; `all`, `out-of-fold`."""
    classes: tuple[str, ...]
    n_patients: int
    n_recordings: int
    n_frames: int
    n_labelled: int
    """Frames with a label, the only ones that count."""
    n_centres: int | None = None
    """None where centres are not known."""
    patients_known: bool = True
    """False where each recording was taken for a patient of its own."""
    unseen: bool | None = None
    """None of these patients was trained on; None where that is not known."""
    interval_caution: str = ""
    """How often intervals over so few patients held the truth, as a sentence; empty where they are enough."""
    patients_of: Mapping[str, int] = field(default_factory=dict)
    """Class -> how many patients have a label of it; empty where that was not counted."""

    @property
    def where(self) -> str:
        """The archive and what was taken of it, in words."""
        whole = {"all": f"all of {self.archive}", "out-of-fold": f"{self.archive}, out of fold"}
        return whole.get(self.part, f"{self.part} part of {self.archive}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Confound:
    """Whether facts of the files alone tell the class: what the audit without a network found."""

    flagged: bool
    """They come close to a network."""
    verdict: str
    """What was found, what it means, what to do: sentences."""
    telling: tuple[str, ...] = ()
    """Which facts tell the class, a sentence each, the most telling first."""


def cautions(scope: Scope, confound: Confound | None = None) -> tuple[str, ...]:
    """What a reader must know before believing the numbers, a sentence or two each; the gravest first."""
    told = [_CONFOUNDED] if confound and confound.flagged else []
    if not scope.unseen:
        told.append(_SEEN if scope.unseen is False else _MAYBE_SEEN)
    told += _of_patients(scope)
    told += _of_classes(scope)
    if scope.n_centres == 1:
        told.append(
            "All recordings are of one centre: how it does on other scanners and with others who scan is open."
        )
    if scope.n_labelled < scope.n_frames:
        share = percent(1 - scope.n_labelled / scope.n_frames)
        left_out = count(scope.n_frames - scope.n_labelled, "frame")
        told.append(f"{left_out} ({share}) without a label {_be(left_out)} left out.")
    return tuple(told)


def _of_patients(scope: Scope) -> list[str]:
    told = []
    if scope.n_patients == 1:
        told.append("All of this is one patient: it says nothing about others, and there are no intervals.")
    elif scope.n_patients < FEW_PATIENTS:
        doubt = scope.interval_caution or (
            f"With fewer than {FEW_PATIENTS}, a 95 % interval holds the truth less often than 95 times in 100."
        )
        told.append(
            f"Only {scope.n_patients} patients. {doubt} One unusual patient moves every number: take differences"
            " as hints."
        )
    if not scope.patients_known:
        told.append(
            "Patients are not known: each recording counts as one. Where a patient has several, the intervals are"
            " too narrow, and the same patient may have been trained on."
        )
    return told


def _of_classes(scope: Scope) -> list[str]:
    told = []
    absent = [name for name in scope.classes if scope.patients_of.get(name) == 0]
    few = {name: n for name, n in scope.patients_of.items() if 0 < n < min(_FEW_OF_A_CLASS, scope.n_patients)}
    if absent:
        told.append(f"No label here of {', '.join(absent)}: how well that is found is not known.")
    if few:
        named = ", ".join(f"{name} ({n})" for name, n in few.items())
        told.append(
            f"Seen in fewer than {_FEW_OF_A_CLASS} patients: {named}. Other patients may change that much."
        )
    return told


def _be(counted: str) -> str:
    return "was" if counted.startswith("1 ") else "were"
