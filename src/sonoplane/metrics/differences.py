"""Whether one network is better than another: differences over the same patients, with intervals and tests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product
from typing import Any, Literal, TypeAlias

import numpy as np
from jaxtyping import Float64
from scipy.stats import rankdata

from sonoplane.errors import UsageError
from sonoplane.metrics.answers import Answers, check_same_rows
from sonoplane.metrics.doubt import Statistic, Values, estimates
from sonoplane.metrics.intervals import Estimate
from sonoplane.metrics.tally import CLASS_RANKINGS, Number, Tally, tally

__all__ = ["Difference", "Test", "compare", "compare_all", "holm"]

Test: TypeAlias = Literal["exact", "drawn", "none"]

#: Up to so many patients every way of swapping answers is tried: 4,096 ways.
MOST_FOR_EXACT = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """How much better the second network is than the first, in one number."""

    number: str
    of: str
    """The class; empty for a number of the whole set."""
    first: str
    second: str
    first_value: float | None
    """None where it is undefined."""
    second_value: float | None
    difference: Estimate
    """Second minus first."""
    p: float | None
    """How often chance alone makes a difference as large; None where it cannot be told."""
    test: Test
    p_corrected: float | None = None
    """Holm's, over all pairs of networks compared in this number."""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        names = ("number", "of", "first", "second", "first_value", "second_value", "p", "p_corrected", "test")
        return {**{name: getattr(self, name) for name in names}, "difference": self.difference.to_json()}


def compare(
    first: Answers,
    second: Answers,
    numbers: Sequence[str | Number] = ("accuracy", "balanced_accuracy", "macro_f1", "auroc"),
    *,
    names: tuple[str, str] = ("first", "second"),
    top: Sequence[int] = (),
    level: float = 0.95,
    draws: int = 1000,
    swaps: int = 4999,
    seed: int = 0,
) -> tuple[Difference, ...]:
    """The differences of two networks' numbers on the same rows, second minus first.

    A number is named as in `measure`, or with its class, such as `("recall", "liver")`. The interval is that of
    `estimates`: the same patients are drawn for both networks. The test asks how often the difference would be as
    large if it were all one which network gave a patient's answers: they are swapped patient by patient, in every way
    up to 12 patients, else `swaps` times at random with p = (b + 1) / (m + 1) (Phipson and Smyth 2010). With n
    patients no p is below 2 / 2^n. For AUROC and AUPRC each network's probabilities become ranks before they are
    swapped (Venkatraman and Begg 1996), since two networks may be differently sure.

    Raises UsageError where rows differ, or a number is not known.
    """
    check_same_rows(first, second)
    wanted = [(number, "") if isinstance(number, str) else number for number in numbers]
    pair = _pair(first, second, wanted, top)
    found = estimates(
        pair.difference,
        n_patients=pair.n_patients,
        shown=[(pair.both.shown[column] + 1) // 2 for column in pair.columns],
        scales=["signed"] * len(wanted),
        level=level,
        draws=draws,
        seed=seed,
    )
    ps, test = _swapped(pair.swapped, pair.n_patients, swaps, seed)
    all_of, none_of = np.ones((1, pair.n_patients)), np.zeros((1, pair.n_patients))
    own = pair.values(all_of, none_of)[0], pair.values(none_of, all_of)[0]
    return tuple(
        Difference(
            number=number,
            of=of,
            first=names[0],
            second=names[1],
            first_value=_known(own[0][i]),
            second_value=_known(own[1][i]),
            difference=found[i],
            p=ps[i],
            test=test if ps[i] is not None else "none",
        )
        for i, (number, of) in enumerate(wanted)
    )


def compare_all(
    networks: Mapping[str, Answers],
    numbers: Sequence[str | Number] = ("accuracy", "balanced_accuracy", "macro_f1", "auroc"),
    *,
    reference: str | None = None,
    level: float = 0.95,
    draws: int = 1000,
    swaps: int = 4999,
    seed: int = 0,
) -> tuple[Difference, ...]:
    """Every pair of networks, or each against the `reference`; p is corrected over the pairs of each number."""
    if reference is not None and reference not in networks:
        raise UsageError(
            "The reference is not among the networks.", advice=f"Take one of {', '.join(networks)}."
        )
    pairs = (
        list(combinations(networks, 2))
        if reference is None
        else [(reference, name) for name in networks if name != reference]
    )
    found = [
        one
        for pair in pairs
        for one in compare(
            networks[pair[0]],
            networks[pair[1]],
            numbers,
            names=pair,
            level=level,
            draws=draws,
            swaps=swaps,
            seed=seed,
        )
    ]
    return _corrected(found)


def _corrected(found: Sequence[Difference]) -> tuple[Difference, ...]:
    """With p corrected in each number."""
    families: dict[Number, list[int]] = {}
    for place, one in enumerate(found):
        families.setdefault((one.number, one.of), []).append(place)
    corrected = [one.p for one in found]
    for places in families.values():
        for place, p in zip(places, holm([found[place].p for place in places]), strict=True):
            corrected[place] = p
    return tuple(replace(one, p_corrected=p) for one, p in zip(found, corrected, strict=True))


def holm(ps: Sequence[float | None]) -> tuple[float | None, ...]:
    """Holm's (1979) correction for several comparisons; what is None is not counted.

    >>> holm([0.01, None, 0.04, 0.03])
    (0.03, None, 0.06, 0.06)
    """
    order = sorted((p, place) for place, p in enumerate(ps) if p is not None)
    made: list[float | None] = [None] * len(ps)
    highest = 0.0
    for rank, (p, place) in enumerate(order):
        highest = max(highest, min(1.0, p * (len(order) - rank)))
        made[place] = highest
    return tuple(made)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Pair:
    """Two networks' numbers for any weights of the patients."""

    both: Tally
    """Their rows, counted as those of twice as many patients: first all by the first, then all by the second."""
    columns: tuple[int, ...]
    """Of the numbers asked for."""

    @property
    def n_patients(self) -> int:
        return len(self.both.patients) // 2

    def values(self, by_first: Values, by_second: Values) -> Values:
        """The numbers where patients count with these weights as the first, and as the second, answered for them."""
        found: Values = self.both.values(np.concatenate([by_first, by_second], axis=1))[:, list(self.columns)]
        return found

    def difference(self, weights: Float64[np.ndarray, "draws patients"]) -> Values:
        """Second minus first."""
        none = np.zeros_like(weights)
        return self.values(none, weights) - self.values(weights, none)

    def swapped(self, swap: Float64[np.ndarray, "draws patients"]) -> Values:
        """Second minus first, had they swapped their answers for some patients."""
        return self.values(swap, 1 - swap) - self.values(1 - swap, swap)


def _pair(first: Answers, second: Answers, wanted: Sequence[Number], top: Sequence[int]) -> _Pair:
    stacked = replace(
        first,
        targets=np.concatenate([first.targets, second.targets]),
        said=np.concatenate([first.said, second.said]),
        probabilities=np.concatenate([first.probabilities, second.probabilities]),
        recordings=np.concatenate([first.recordings, second.recordings]),
        patients=np.concatenate([first.patients, second.patients]),
        tied=np.concatenate([first.tied, second.tied]),
    )
    _, owner = np.unique(first.patients, return_inverse=True)
    whose = np.concatenate([owner, owner + owner.max(initial=0) + 1])
    both = tally(stacked, top=top, ranked=(), whose=whose)
    ranked = [name for name in CLASS_RANKINGS if any(name == number for number, _ in wanted)]
    if ranked:
        ranks = [
            rankdata(one.probabilities[one.labelled], axis=0) / one.labelled.sum() for one in (first, second)
        ]
        leveled = replace(stacked.only(stacked.labelled), probabilities=np.concatenate(ranks))
        ranking = tally(leveled, ranked=ranked, whose=whose[stacked.labelled])
        both = replace(both, ranked=ranking.ranked, rankings=ranking.rankings)
    return _Pair(both=both, columns=both.columns(wanted))


def _swapped(
    difference: Statistic, n_patients: int, swaps: int, seed: int
) -> tuple[list[float | None], Test]:
    """For each number, how often a swapped difference is as large as the one seen."""
    seen = np.abs(difference(np.zeros((1, n_patients)))[0])
    exact = n_patients <= MOST_FOR_EXACT
    ways = (
        np.array(list(product((0.0, 1.0), repeat=n_patients)))
        if exact
        else np.random.default_rng(seed).integers(0, 2, (swaps, n_patients)).astype(np.float64)
    )
    smaller = np.abs(difference(ways)) < seen - 1e-12  # never where swapping leaves the number undefined
    as_large = (~smaller).sum(axis=0)
    ps = as_large / len(ways) if exact else (as_large + 1) / (len(ways) + 1)
    told = [
        None if np.isnan(value) or n_patients == 1 else float(p) for value, p in zip(seen, ps, strict=True)
    ]
    return told, "exact" if exact else "drawn"


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
