"""What networks have over the first, number by number, and how alike every two answer."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from sonoplane.metrics.answers import Answers
from sonoplane.metrics.differences import Difference
from sonoplane.metrics.rates import rates
from sonoplane.report.cells import Cell
from sonoplane.report.comparison import Agreement
from sonoplane.report.grid import Column
from sonoplane.report.sections import Section
from sonoplane.steps.measuring import Measurement

__all__ = ["NUMBERS", "agreement", "differences_section", "p_cell"]

#: The numbers in which networks are compared, with their heads; the scoreboard shows the first.
NUMBERS = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "macro_f1": "Macro F1",
    "auroc": "AUROC",
}

_COLUMNS = (
    Column(key="network", head="Network", form="text"),
    *(Column(key=key, head=head, form="difference") for key, head in NUMBERS.items()),
    Column(key="p", head="p, accuracy", form="p", told="corrected for the number of networks (Holm)."),
)


def differences_section(
    first: str, measurements: Sequence[Measurement], differences: Sequence[Difference]
) -> Section:
    """What the networks have over the first, in every number."""
    found = {(one.second, one.number): one for one in differences}
    return Section(
        title=f"Against {first}",
        lead="Each network’s figure minus the first’s, on the same patients, who are drawn for both alike.",
        columns=_COLUMNS,
        rows=tuple(
            {
                "network": Cell(value=one.name),
                **{number: Cell.of(found[one.name, number].difference) for number in NUMBERS},
                "p": p_cell(found[one.name, "accuracy"]),
            }
            for one in measurements[1:]
        ),
    )


def p_cell(difference: Difference) -> Cell:
    """How often chance alone makes a difference as large, corrected."""
    p = difference.p_corrected
    return Cell(value=p, why="" if p is not None else "One patient allows no test.")


def agreement(networks: Mapping[str, Answers]) -> tuple[Agreement, ...]:
    """Of every two networks, over labelled frames."""
    made = []
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
        made.append(Agreement(first=first, second=second, cells=cells))
    return tuple(made)
