"""Names that stand for patients and studies, and tell nothing without the key."""

import csv
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sonoplane.errors import UsageError
from sonoplane.video.discovery import RESERVED, safe_id

__all__ = ["KINDS", "Pseudonyms", "read_pseudonyms"]

#: What can be given a name of one's own choice.
KINDS = ("patient", "study", "recording")

#: NIST SP 800-107 asks for a key of at least 112 bits.
SHORTEST_KEY = 14


@dataclass(frozen=True, kw_only=False, slots=True)
class Pseudonyms:
    """Turns an identifier into 16 hexadecimal digits: a keyed hash (HMAC-SHA256, RFC 2104).

    Equal identifiers of one kind give equal pseudonyms as long as the key is the same.

    >>> names = Pseudonyms(b"a key that stays in the clinic")
    >>> names.of("patient", "4711") == names.of("patient", "4711")
    True
    >>> names.of("patient", "4711") == names.of("study", "4711")
    False
    >>> print(names)
    Pseudonyms()
    """

    key: bytes = field(repr=False)
    given: Mapping[tuple[str, str], str] = field(default_factory=dict, repr=False)
    """(kind, identifier) -> the name that somebody chose for it."""

    def __post_init__(self) -> None:
        if len(self.key) < SHORTEST_KEY:
            raise UsageError(
                f"A key of {len(self.key)} bytes can be guessed.",
                advice=f"Give at least {SHORTEST_KEY} random bytes.",
            )

    @classmethod
    def fresh(cls) -> "Pseudonyms":
        """With a random key, thrown away at the end: pseudonyms hold for one run only."""
        return cls(secrets.token_bytes(32))

    def of(self, kind: str, value: str) -> str:
        """The pseudonym of `value`, an identifier of a `kind` of thing: the one that was given, else the keyed hash."""
        if (kind, value) in self.given:
            return self.given[kind, value]
        message = f"{len(kind)}:{kind}:{value}".encode()
        return hmac.new(self.key, message, hashlib.sha256).hexdigest()[:16]


def read_pseudonyms(path: Path) -> dict[tuple[str, str], str]:
    """A table of chosen names: CSV with the columns `kind` (patient, study, recording), `original`, `pseudonym`.

    `original` is what DICOM or the label table calls the patient, DICOM's study UID, or a recording's id. Several
    patients may be given one name (they are one person then), but two recordings may not. No message repeats an
    original.

    Raises:
        UsageError: what is wrong, by row.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, skipinitialspace=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(
            f"The table of pseudonyms '{path.name}' cannot be read ({type(error).__name__}).",
            advice="Give a CSV file in UTF-8 with the columns kind, original, pseudonym.",
        ) from error
    given: dict[tuple[str, str], str] = {}
    for number, row in enumerate(rows, start=2):
        kind, original, name = (
            (row.get(column) or "").strip() for column in ("kind", "original", "pseudonym")
        )
        wrong = _fault(kind, original, name, given)
        if wrong:
            raise UsageError(f"Row {number} of '{path.name}': {wrong[0]}.", advice=wrong[1])
        given[kind, original] = name
    return given


def _fault(
    kind: str, original: str, name: str, given: Mapping[tuple[str, str], str]
) -> tuple[str, str] | None:
    """What is wrong with a row, and what to do; None where nothing is."""
    if kind not in KINDS:
        return f"'{kind}' is no kind of thing", f"Write one of {', '.join(KINDS)} into the column 'kind'."
    if not original or not name:
        return "it lacks the original or the pseudonym", "Fill both in, or delete the row."
    if name == original:
        return "the pseudonym is the original", "Choose a name that tells nothing."
    if safe_id(name) != name or RESERVED.match(name):
        return f"'{name}' is no safe name", "Use letters, digits, hyphens and underscores."
    if given.get((kind, original), name) != name:
        return f"this {kind} has another pseudonym in an earlier row", "Give it one."
    taken = any(key[0] == kind != "patient" and known == name for key, known in given.items())
    if taken and (kind, original) not in given:
        return f"'{name}' is another {kind}'s pseudonym", "Choose another name."
    return None
