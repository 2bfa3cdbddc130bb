"""What a network is, as data: enough to build the same one again."""

import difflib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias

from sonoplane.errors import BundleError, UsageError

__all__ = ["CAUSAL", "CHOICES", "FAMILIES", "Family", "NetworkSpec", "Option", "available", "network_spec"]

Option: TypeAlias = bool | int | float | str

#: What a causal network's name ends in.
CAUSAL = "-causal"


@dataclass(frozen=True, kw_only=True, slots=True)
class Family:
    """Networks that differ by nothing but their width and, where they see runs of frames, whether they are causal."""

    kind: str
    """The row of `plan.KERNELS`, or the network's own name."""
    widths: tuple[int, ...]
    """The published widths; any other can be spelled in the name, unless `fixed`."""
    fixed: bool = False
    """Whether its members have no other widths: their sizes are options."""
    sees: Literal["frame", "run", "clip"] = "frame"
    """One frame at a time; a run of frames, with an answer for each; or a clip, with one answer for all of it."""
    default_width: int | None = None
    """The width of the bare name, where the bare name is a network."""
    options: tuple[str, ...] = ()
    """What else can be chosen."""


#: Every family of networks, by the first part of its members' names.
FAMILIES = {
    "sononet2d": Family(kind="2d", widths=(16, 32, 64), options=("features_only",)),
    "sononet3d": Family(kind="3d", widths=(16, 32, 64), sees="run", options=("features_only",)),
    "sononet2plus1d": Family(
        kind="2plus1d", widths=(16, 32, 64), sees="run", options=("features_only", "mid_channels")
    ),
    "smallnet": Family(kind="smallnet", widths=(32,), default_width=32, options=("features_only",)),
    "echo3dcnn": Family(
        kind="echo3dcnn",
        widths=(16,),
        fixed=True,
        sees="clip",
        default_width=16,
        options=("features_only", "plan", "classifier", "cells"),
    ),
} | {
    f"resnext3d-{depth}": Family(
        kind="resnext3d",
        widths=(64,),
        fixed=True,
        sees="clip",
        default_width=64,
        options=(
            "features_only",
            "cardinality",
            "group_width",
            "stem",
            "stem_frames",
            "stem_stride",
            "stem_pool",
            "shortcut",
        ),
    )
    for depth in (50, 101, 152)
}

#: The values of options that have few.
CHOICES: dict[str, tuple[Option, ...]] = {
    "features_only": (False, True),
    "mid_channels": ("out", "paper"),
    "stem_pool": (False, True),
    "shortcut": ("A", "B"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkSpec:
    """Which network: made by `network_spec`, kept in every bundle."""

    name: str
    """As in the registry, such as `sononet2d-16`."""
    kind: str
    width: int
    """Channels of the first layer, if no option says otherwise."""
    n_classes: int
    in_channels: int = 1
    options: dict[str, Option] = field(default_factory=dict)

    def __post_init__(self) -> None:
        family, width, _ = _parse(self.name)
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
        for option, value in self.options.items():
            choices = CHOICES.get(option)
            if choices and value not in choices:
                raise UsageError(
                    f"The option {option} is {value!r}.",
                    advice=f"Give one of {', '.join(map(str, choices))}.",
                )

    @property
    def family(self) -> str:
        """The first part of the name: a key of `FAMILIES`."""
        return _split(self.name)[0]

    @property
    def causal(self) -> bool:
        """Whether its layers see the past only."""
        return self.name.endswith(CAUSAL)

    @property
    def takes_clips(self) -> bool:
        """Whether its input has time."""
        return FAMILIES[self.family].sees != "frame"

    @property
    def dense(self) -> bool:
        """Whether it can answer each frame of a run in one pass."""
        return FAMILIES[self.family].sees != "clip"

    @property
    def streams(self) -> bool:
        """Whether it answers each frame as it comes."""
        return self.causal or not self.takes_clips

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

    A network of single frames is causal as it is.

    >>> network_spec("sononet3d-8-causal", n_classes=7).width
    8
    >>> network_spec("sononet2d-8-causal", n_classes=7).name
    'sononet2d-8'
    """
    family, width, causal = _parse(name)
    return NetworkSpec(
        name=_name(_split(name)[0], width, causal=causal and family.sees == "run"),
        kind=family.kind,
        width=width,
        n_classes=n_classes,
        in_channels=in_channels,
        options=dict(options or {}),
    )


def available() -> tuple[str, ...]:
    """The names of the registered networks.

    >>> available()[:6]
    ('sononet2d-16', 'sononet2d-32', 'sononet2d-64', 'sononet3d-16', 'sononet3d-32', 'sononet3d-64')
    >>> [name for name in available() if "16-causal" in name]
    ['sononet3d-16-causal', 'sononet2plus1d-16-causal']
    """
    return tuple(
        _name(prefix, width, causal=causal)
        for prefix, family in FAMILIES.items()
        for causal in ((False, True) if family.sees == "run" else (False,))
        for width in family.widths
    )


def _name(prefix: str, width: int, *, causal: bool) -> str:
    bare = prefix if width == FAMILIES[prefix].default_width else f"{prefix}-{width}"
    return bare + CAUSAL if causal else bare


def _split(name: str) -> tuple[str, str | None, bool]:
    """The family's name, the width as it is spelled, and whether the network is causal."""
    bare = name.removesuffix(CAUSAL)
    if bare in FAMILIES:
        return bare, None, bare != name
    match = re.fullmatch(r"(?P<prefix>.+?)(-(?P<width>[1-9][0-9]{0,3}))?", bare)
    return (match["prefix"], match["width"], bare != name) if match else (name, None, False)


def _parse(name: str) -> tuple[Family, int, bool]:
    """The family, the width and the direction that a name spells."""
    prefix, spelled, causal = _split(name)
    family = FAMILIES.get(prefix)
    if family and not (causal and family.sees == "clip"):
        width = int(spelled) if spelled else family.default_width
        if width is not None and (width in family.widths or not family.fixed):
            return family, width, causal
    close = difflib.get_close_matches(name, available(), n=3, cutoff=0.5)
    raise UsageError(
        f"There is no network {name!r}.",
        advice=f"Did you mean {' or '.join(close)}?" if close else f"Use one of {', '.join(available())}.",
    )
