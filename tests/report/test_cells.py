"""Numbers with their doubt read the same everywhere, and never say more than is known."""

import math

import pytest

from sonoplane.errors import UsageError
from sonoplane.metrics.intervals import interval
from sonoplane.report.cells import Cell, value_words, words


def test_nothing_is_a_dash_whatever_its_form():
    assert {
        words(Cell(value=None), form) for form in ("share", "difference", "p", "count", "decimal", "text")
    } == {"–"}


@pytest.mark.parametrize(
    ("value", "form", "said"),
    [
        (1.0, "share", "1.00"), (0.999, "share", ">0.99"), (0.001, "share", "<0.01"), (0.0, "share", "0.00"),
        (-0.03, "share", "−0.03"), (0.004, "difference", "0.00"), (0.05, "difference", "+0.05"),
        (0.0, "p", "<0.001"), (0.05, "p", "0.050"), (0.999, "p", ">0.99"), (1.0, "p", "1.00"),
        (12345.6, "decimal", "12,346"), (26.14, "decimal", "26.1"), (0.42, "decimal", "0.42"),
        (0.001, "decimal", "<0.01"), (-0.001, "decimal", "0.00"), (3, "count", "3"), ("h264", "text", "h264"),
    ],
)  # fmt: skip
def test_values_read_well(value, form, said):
    assert value_words(Cell(value=value), form) == said


def test_a_spread_has_no_sign():
    assert words(Cell(value=0.04, spread=0.02), "difference") == "+0.04 ± 0.02"


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_what_is_no_number_is_refused(number):
    with pytest.raises(UsageError, match="NaN"):
        Cell(value=number)
    with pytest.raises(UsageError, match="NaN"):
        Cell(value=0.5, low=number, high=0.6)


def test_half_an_interval_is_refused():
    with pytest.raises(UsageError, match="one end"):
        Cell(value=0.5, low=0.4)


def test_a_measured_number_comes_with_its_reason():
    cell = Cell.of(interval([48], [50]))
    assert (cell.value, cell.low, cell.why) == (0.96, None, "One patient says nothing about others.")
    assert Cell.of(interval([45, 50, 38], [50] * 3)).why == ""
