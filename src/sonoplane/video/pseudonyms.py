"""Names that stand for patients and studies, and tell nothing without the key."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field

from sonoplane.errors import UsageError

__all__ = ["Pseudonyms"]

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
        """The pseudonym of `value`, an identifier of a `kind` of thing such as `patient` or `study`."""
        message = f"{len(kind)}:{kind}:{value}".encode()
        return hmac.new(self.key, message, hashlib.sha256).hexdigest()[:16]
