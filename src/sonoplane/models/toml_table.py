"""TOML tables read strictly: every key is checked, none is overlooked or guessed."""

from collections.abc import Callable
from typing import Any

from sonoplane.errors import UsageError

__all__ = ["COMPARE", "number", "one_of", "pair", "take", "text", "texts"]

COMPARE = "Compare it with the card.toml of a bundle that works."


def take(table: Any, prefix: str, keys: dict[str, tuple[Any, bool]]) -> dict[str, Any]:
    """The values of a TOML table, each checked; a UsageError names what is unknown, missing or of another type.

    `keys` says of each key how it is read and whether it must be there; `prefix` is the table's own name.

    >>> take({"size": [2, 3]}, "", {"size": (pair, True)})
    {'size': (2, 3)}
    """
    if not isinstance(table, dict):
        raise UsageError(f"`{prefix[:-1]}` in the card must be a table.", advice=COMPARE)
    unknown = [prefix + key for key in table if key not in keys]
    missing = [prefix + key for key, (_, needed) in keys.items() if needed and key not in table]
    if unknown or missing:
        parts = [("unknown", unknown), ("missing", missing)]
        raise UsageError(
            "The card does not fit: " + "; ".join(f"{what} {', '.join(k)}" for what, k in parts if k) + ".",
            advice=COMPARE,
        )
    found = {}
    for key, value in table.items():
        try:
            found[key] = keys[key][0](value)
        except TypeError as error:
            raise UsageError(f"`{prefix}{key}` in the card must be {error}.", advice=COMPARE) from error
    return found


def texts(value: Any) -> tuple[str, ...]:
    """A list of strings, as a tuple."""
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise TypeError("a list of texts")
    return tuple(value)


def pair(value: Any) -> tuple[int, int]:
    """Two whole numbers."""
    if not isinstance(value, list) or len(value) != 2 or not all(type(item) is int for item in value):
        raise TypeError("two whole numbers")
    return value[0], value[1]


def text(value: Any) -> str:
    """A string."""
    if not isinstance(value, str):
        raise TypeError("a text")
    return value


def one_of(*choices: str) -> Callable[[Any], str]:
    """One of these strings."""

    def read(value: Any) -> str:
        if value not in choices:
            raise TypeError(f"one of {', '.join(choices)}, not {value!r}")
        return str(value)

    return read


def number(value: Any) -> float:
    """A number, as a float."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("a number")
    return float(value)
