"""A measured number with its doubt becomes words: the same ones in every table, page and file."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias, runtime_checkable

from sonoplane.errors import UsageError

__all__ = ["Cell", "Form", "Measured", "doubt_words", "value_words", "words"]

Form: TypeAlias = Literal["share", "difference", "p", "count", "decimal", "text"]
"""How a value is written: `share` 0.83, `difference` +0.04, `p` 0.034, `count` 930,334, `decimal` 4.13."""

#: What stands where nothing is known.
NOTHING = "–"


@runtime_checkable
class Measured(Protocol):
    """A number as the rooms that measure hand it over."""

    @property
    def value(self) -> float | None:
        """None where it is undefined."""

    @property
    def low(self) -> float | None:
        """None where there is no interval."""

    @property
    def high(self) -> float | None:
        """None where there is no interval."""

    @property
    def why(self) -> str:
        """Why the number or its interval is missing; empty where neither is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """One entry of a table: a number with its interval or spread, a word, or nothing and why."""

    value: float | int | str | None
    """None where there is none; `why` says why."""
    low: float | None = None
    high: float | None = None
    """The interval; both None where none is given."""
    spread: float | None = None
    """A standard deviation, such as over recordings; it takes the interval's place."""
    why: str = ""
    """Why the value or its interval is missing: a footnote of the table."""

    def __post_init__(self) -> None:
        numbers = [
            n for n in (self.value, self.low, self.high, self.spread) if n is not None and not isinstance(n, str)
        ]  # fmt: skip
        if not all(map(math.isfinite, numbers)):
            raise UsageError(
                "A number of a table is NaN or infinite.",
                advice="Give None for what is not known, and why in `why`.",
            )
        if (self.low is None) != (self.high is None):
            raise UsageError("An interval of a table has one end.", advice="Give both ends, or none.")

    @classmethod
    def of(cls, number: Measured) -> "Cell":
        """From any number that was measured with its doubt."""
        why = number.why and number.why[0].upper() + number.why[1:].rstrip(".") + "."
        return cls(value=number.value, low=number.low, high=number.high, why=why)


def words(cell: Cell, form: Form) -> str:
    """The value and its doubt.

    >>> words(Cell(value=0.831, low=0.79, high=0.868), "share")
    '0.83 (0.79 to 0.87)'
    >>> words(Cell(value=0.831, spread=0.124), "share"), words(Cell(value=None, why="no labels"), "share")
    ('0.83 ± 0.12', '–')
    """
    return f"{value_words(cell, form)} {doubt_words(cell, form)}".rstrip()


def value_words(cell: Cell, form: Form) -> str:
    """The value alone.

    >>> value_words(Cell(value=0.9991), "share"), value_words(Cell(value=-0.038), "difference")
    ('>0.99', '−0.04')
    >>> [value_words(Cell(value=p), "p") for p in (0.0004, 0.0342, 0.21)]
    ['<0.001', '0.034', '0.21']
    >>> value_words(Cell(value=930334), "count"), value_words(Cell(value=4.131), "decimal")
    ('930,334', '4.13')
    """
    if cell.value is None:
        return NOTHING
    return cell.value if isinstance(cell.value, str) else _WRITTEN[form](float(cell.value))


def doubt_words(cell: Cell, form: Form) -> str:
    """The interval or the spread; empty where there is none.

    >>> doubt_words(Cell(value=0.04, low=-0.01, high=0.09), "difference")
    '(−0.01 to +0.09)'
    """
    if cell.value is None:
        return ""
    write = _WRITTEN[form]
    if cell.spread is not None:
        return f"± {write(cell.spread)}".replace("+", "")
    return "" if cell.low is None or cell.high is None else f"({write(cell.low)} to {write(cell.high)})"


def _share(value: float) -> str:
    """Two decimals; never all or nothing where it is not."""
    if 0.995 <= value < 1:
        return ">0.99"
    return "<0.01" if 0 < value < 0.005 else _minus(f"{value:.2f}")


def _difference(value: float) -> str:
    return "0.00" if abs(value) < 0.005 else _minus(f"{value:+.2f}")


def _p(value: float) -> str:
    """Three decimals where it is small, two where it is not."""
    if value < 0.001:
        return "<0.001"
    return f"{value:.3f}" if value < 0.1 else ">0.99" if 0.995 <= value < 1 else f"{value:.2f}"


def _decimal(value: float) -> str:
    """Three digits, at most two of them decimals."""
    if 0 < value < 0.005:
        return "<0.01"
    return _minus(f"{value:,.0f}" if abs(value) >= 100 else f"{value:.{1 if abs(value) >= 10 else 2}f}")


def _minus(text: str) -> str:
    """With the minus of print; none before zero."""
    return text.replace("-", "−") if text.strip("-0.") else text.lstrip("-")


_WRITTEN: dict[Form, Callable[[float], str]] = {
    "share": _share,
    "difference": _difference,
    "p": _p,
    "count": lambda value: _minus(f"{value:,.0f}"),
    "decimal": _decimal,
    "text": lambda value: _minus(f"{value:g}"),
}
