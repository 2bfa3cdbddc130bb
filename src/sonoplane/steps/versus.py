"""What networks have over the first, number by number, and how alike every two answer."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import TypeAlias

import numpy as np

from sonoplane.metrics.answers import Answers, Level
from sonoplane.metrics.differences import Difference, compare_all
from sonoplane.metrics.rates import rates
from sonoplane.report.cells import Cell
from sonoplane.report.comparison_tables import Agreement, Differences
from sonoplane.steps.measuring import Measurement

__all__ = ["NUMBERS", "Found", "agreement", "differences_of", "differences_told", "p_cell"]

#: The numbers in which networks are compared, with their heads; the scoreboard shows the first.
NUMBERS = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "macro_f1": "Macro F1",
    "auroc": "AUROC",
}

Found: TypeAlias = Mapping[Level, tuple[Difference, ...]]
"""Differences of each network to the first, by what is counted, the headline first."""


def differences_of(measurements: Sequence[Measurement]) -> Found:
    """What networks have over the first in every number, for recordings where these have one label, and for frames."""
    return {
        unit: compare_all(
            {one.name: one.counted(unit) for one in measurements},
            list(NUMBERS),
            reference=measurements[0].name,
        )
        for unit in measurements[0].units
    }


def differences_told(first: str, found: Found) -> tuple[Differences, ...]:
    """The same as rows of tables, `first` being the network compared with."""
    return tuple(
        Differences(
            unit=unit,
            first=first,
            rows=tuple(
                {
                    "network": Cell(value=one.second),
                    "number": Cell(value=NUMBERS[one.number]),
                    "own": _known(one.second_value, one),
                    "first": _known(one.first_value, one),
                    "difference": Cell.of(one.difference),
                    "p": Cell(value=one.p, why=_untested(one)),
                    "p_corrected": p_cell(one),
                    "test": Cell(value=one.test),
                }
                for one in differences
            ),
        )
        for unit, differences in found.items()
    )


def _known(value: float | None, one: Difference) -> Cell:
    return Cell(value=value, why="" if value is not None else Cell.of(one.difference).why)


def p_cell(difference: Difference) -> Cell:
    """How often chance alone makes a difference as large, corrected."""
    return Cell(value=difference.p_corrected, why=_untested(difference))


def _untested(difference: Difference) -> str:
    if difference.p is not None:
        return ""
    known = difference.difference.value is not None
    return "One patient allows no test." if known else "There is no difference to test."


def agreement(measurements: Sequence[Measurement]) -> tuple[Agreement, ...]:
    """Of every two networks, over labelled recordings where these have one label, and over labelled frames."""
    return tuple(
        one
        for unit in measurements[0].units
        for one in _agreement({each.name: each.counted(unit) for each in measurements}, unit)
    )


def _agreement(networks: Mapping[str, Answers], unit: Level) -> Iterator[Agreement]:
    for (first, one), (second, other) in combinations(networks.items(), 2):
        known = one.labelled
        a, b, truth = one.said[known], other.said[known], one.targets[known]
        n = len(one.classes)
        table = np.bincount(a * n + b, minlength=n * n).reshape(n, n).astype(np.float64)
        kappa = float(rates(table).whole["kappa"])
        shares = {
            "agreement": a == b,
            "both_right": (a == truth) & (b == truth),
            "first_only": (a == truth) & (b != truth),
            "second_only": (a != truth) & (b == truth),
            "both_wrong": (a != truth) & (b != truth),
        }
        cells = {key: Cell(value=float(share.mean())) for key, share in shares.items()}
        cells["kappa"] = (
            Cell(value=None, why="Both always say the same.") if np.isnan(kappa) else Cell(value=kappa)
        )
        yield Agreement(first=first, second=second, cells=cells, unit=unit)
