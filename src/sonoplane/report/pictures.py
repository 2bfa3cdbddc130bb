"""A picture that was drawn elsewhere, ready to stand inside a page."""

import base64
from dataclasses import dataclass, field

from sonoplane.errors import UsageError

__all__ = ["Picture"]

#: What the bytes of a kind of picture begin with.
_KINDS = (
    (b"\x89PNG", "image/png"),
    (b"\xff\xd8", "image/jpeg"),
    (b"<?xml", "image/svg+xml"),
    (b"<svg", "image/svg+xml"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """A drawing with its words.

    >>> Picture(title="Reliability", caption="", data=b"<svg/>").address
    'data:image/svg+xml;base64,PHN2Zy8+'
    """

    title: str
    caption: str
    """How to read it, in plain words."""
    data: bytes = field(repr=False)
    """PNG, JPEG or SVG."""
    wide: bool = False
    """It needs the whole width of a page."""

    def __post_init__(self) -> None:
        if not self.data.startswith(tuple(start for start, _ in _KINDS)):
            raise UsageError(
                "A picture is neither PNG, JPEG nor SVG.", advice="Give the bytes of such a file."
            )

    @property
    def address(self) -> str:
        """The picture itself as an address, so that a page needs no other file."""
        kind = next(kind for start, kind in _KINDS if self.data.startswith(start))
        return f"data:{kind};base64,{base64.b64encode(self.data).decode('ascii')}"
