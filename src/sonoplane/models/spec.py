"""What a network is, as data: enough to build the same one again."""

import difflib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, TypeAlias

from sonoplane.errors import BundleError, UsageError

__all__ = ["FAMILIES", "Family", "NetworkSpec", "Option", "available", "network_spec"]

Option: TypeAlias = bool | int | float | str


@dataclass(frozen=True, kw_only=True, slots=True)
class Family:
    """Networks that differ by nothing but their width."""

    kind: str
    """The row of `blocks.KERNELS`, or the network's own name."""
    widths: tuple[int, ...]
    """The published widths; any other can be spelled in the name."""
    default_width: int | None = None
    """The width of the bare name, where the bare name is a network."""
    options: tuple[str, ...] = ()
    """What else can be chosen."""


#: Every family of networks, by the first part of its members' names.
FAMILIES = {
    "sononet2d": Family(kind="2d", widths=(16, 32, 64), options=("features_only",)),
    "smallnet": Family(kind="smallnet", widths=(32,), default_width=32, options=("features_only",)),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkSpec:
    """Which network: made by `network_spec`, kept in every bundle."""

    name: str
    """As in the registry, such as `sononet2d-16`."""
    kind: str
    width: int
    """Channels of the first layer."""
    n_classes: int
    in_channels: int = 1
    options: dict[str, Option] = field(default_factory=dict)

    def __post_init__(self) -> None:
        family, width = _parse(self.name)
        if (self.kind, self.width) != (family.kind, width):
            raise UsageError(
                f"A {self.name!r} is of kind {family.kind!r} and width {width}, "
                f"not {self.kind!r} and {self.width}.",
                advice="Make the spec with network_spec(name, n_classes=...).",
            )
        if self.n_classes < 1 or self.in_channels < 1:
            raise UsageError(
                f"A network of {self.in_channels} channels and {self.n_classes} classes is impossible.",
                advice="Give at least one of each.",
            )
        unknown = sorted(set(self.options) - set(family.options))
        if unknown:
            raise UsageError(
                f"{self.name!r} has no option {', '.join(unknown)}.",
                advice=f"Its options are {', '.join(family.options)}.",
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON or TOML."""
        return asdict(self)

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> "NetworkSpec":
        """Read `to_dict` back.

        >>> spec = network_spec("sononet2d-16", n_classes=7)
        >>> NetworkSpec.from_dict(spec.to_dict()) == spec
        True
        """
        try:
            return cls(**table)
        except TypeError as error:
            raise BundleError(
                "The description of the network has unknown or missing keys.",
                advice="Use the version of sonoplane that wrote it.",
            ) from error


def network_spec(
    name: str, *, n_classes: int, in_channels: int = 1, options: Mapping[str, Option] | None = None
) -> NetworkSpec:
    """The spec of a network by its name in the registry; any width can be spelled in the name.

    >>> network_spec("sononet2d-8", n_classes=7).width
    8
    """
    family, width = _parse(name)
    if width == family.default_width:
        name = name.partition("-")[0]
    return NetworkSpec(
        name=name,
        kind=family.kind,
        width=width,
        n_classes=n_classes,
        in_channels=in_channels,
        options=dict(options or {}),
    )


def available() -> tuple[str, ...]:
    """The names of the registered networks.

    >>> available()
    ('sononet2d-16', 'sononet2d-32', 'sononet2d-64', 'smallnet')
    """
    return tuple(
        prefix if width == family.default_width else f"{prefix}-{width}"
        for prefix, family in FAMILIES.items()
        for width in family.widths
    )


def _parse(name: str) -> tuple[Family, int]:
    """The family and the width that a name spells."""
    match = re.fullmatch(r"(?P<prefix>[a-z0-9]+)(-(?P<width>[1-9][0-9]{0,3}))?", name)
    family = FAMILIES.get(match["prefix"]) if match else None
    if match and family:
        width = int(match["width"]) if match["width"] else family.default_width
        if width is not None:
            return family, width
    close = difflib.get_close_matches(name, available(), n=3, cutoff=0.5)
    raise UsageError(
        f"There is no network {name!r}.",
        advice=f"Did you mean {' or '.join(close)}?" if close else f"Use one of {', '.join(available())}.",
    )
