"""The published weights: where they lie upstream, what they must hash to, and whom to cite."""

from dataclasses import dataclass

from sonoplane.errors import UsageError

__all__ = ["KNOWN", "KnownWeights", "known", "list_known"]

_BASE = "https://raw.githubusercontent.com/baumgach/SonoNet-weights/6c4df39927e42f5b873c09a733bc658ff1ff419c/"
_CITATION = (
    "Baumgartner et al., SonoNet: Real-Time Detection and Localisation of Fetal Standard Scan Planes in "
    "Freehand Ultrasound, IEEE TMI 36(11), 2017, arXiv 1612.05601"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownWeights:
    """One file of published weights."""

    name: str
    """What `sonoplane weights get` calls it."""
    file_name: str
    network: str
    """Its name in the registry."""
    blob_id: str
    """The git blob id: sha1 of `blob <size>`, a zero byte, and the file."""
    card: str = "fetal"
    """The built-in card that it needs."""
    base_url: str = _BASE
    """The address of its folder, at one commit, with a slash at the end."""
    license: str = "Apache-2.0"
    citation: str = _CITATION

    @property
    def url(self) -> str:
        """Where it can be downloaded, by a browser too."""
        return self.base_url + self.file_name


#: Everything that `sonoplane weights get` can fetch.
KNOWN = tuple(
    KnownWeights(name=file_name.lower(), file_name=f"{file_name}.npz", network=network, blob_id=blob_id)
    for file_name, network, blob_id in [
        ("SonoNet16", "sononet2d-16", "0227172ddbae62e67c0e309ebfb93f0e7ea1b1f0"),
        ("SonoNet32", "sononet2d-32", "b8c9f0614266d99fcec6fa3800bd5ec10c0cdec9"),
        ("SonoNet64", "sononet2d-64", "e8b7981b3997e221d1d4bfdcb68f73d436c5856c"),
        ("SmallNet", "smallnet", "8aaad20d82e64c9fba52cf35eebf1ce523293dde"),
    ]
)


def list_known() -> tuple[KnownWeights, ...]:
    """All published weights that can be fetched.

    >>> [weights.name for weights in list_known()]
    ['sononet16', 'sononet32', 'sononet64', 'smallnet']
    """
    return KNOWN


def known(name: str) -> KnownWeights:
    """Published weights by name, in any case and with or without `.npz`.

    >>> known("SonoNet16.npz").network
    'sononet2d-16'
    """
    short = name.lower().removesuffix(".npz")
    for weights in KNOWN:
        if weights.name == short:
            return weights
    raise UsageError(
        f"There are no known weights {name!r}.", advice=f"Use one of {', '.join(w.name for w in KNOWN)}."
    )
