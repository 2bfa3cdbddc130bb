"""How well the speckle of two recordings of an archive agrees: measured once, for as long as both are as they were."""

import hashlib
import math
from collections.abc import Mapping, Sequence

from sonoplane.clips.duplicates import Hashes, Pair, likeliest_samples
from sonoplane.errors import UsageError
from sonoplane.frames.archive import Archive
from sonoplane.frames.entries import Entry
from sonoplane.frames.fingerprint import FINGERPRINT_VERSION, step_of
from sonoplane.frames.speckle import speckle_agreement

__all__ = ["SPECKLE", "Speckle", "speckle_of"]

#: The table of what was measured, in the archive.
SPECKLE = "speckle.csv"

#: Changes with how speckle is compared: what another version measured is measured anew.
_VERSION = 1

#: For each frame that is looked up, no more than so many frames of the other recording are compared.
_MOST_FRAMES = 12


class Speckle:
    """Measures how well the speckle of pairs agrees, and remembers it by what the two recordings hold.

    What `prepare` measured is in the archive. It counts only where the pixels' digests, sizes and fingerprints of both
    recordings are still the same, so whatever was added or replaced since is looked at, and no setting matters.
    """

    def __init__(self, archive: Archive, hashes: Mapping[str, Hashes]) -> None:
        self._archive = archive
        self._hashes = hashes
        self._known = _read(_text(archive))
        self._asked: dict[str, float] = {}

    def of(self, pair: Pair) -> float:
        """-1 to 1; see `speckle_of`."""
        key = self._key(pair)
        if key not in self._asked:
            known = self._known.get(key)
            self._asked[key] = speckle_of(pair, self._archive, self._hashes) if known is None else known
        return self._asked[key]

    @property
    def text(self) -> str:
        """All that was asked for, as the table that is kept."""
        rows = (f"{key},{agreement!r}\n" for key, agreement in sorted(self._asked.items()))
        return "".join(["pair,agreement\n", *rows])

    def _key(self, pair: Pair) -> str:
        digest = hashlib.sha256(repr((_VERSION, FINGERPRINT_VERSION)).encode())
        for name in pair.names:
            entry = self._archive.entry(name)
            digest.update(repr((entry.sha256, entry.n_frames, entry.height, entry.width)).encode())
            digest.update(hashlib.sha256(self._hashes[name].tobytes()).digest())
        return digest.hexdigest()


def speckle_of(pair: Pair, archive: Archive, hashes: Mapping[str, Hashes]) -> float:
    """How well the speckle of two recordings agrees, -1 to 1: frames of the shorter one, each at its best match."""
    short, long = sorted(pair.names, key=lambda name: archive.entry(name).n_frames)
    sought = [
        (
            sample * _step(archive, short, hashes),
            _around(places, _step(archive, long, hashes), archive.entry(long)),
        )
        for sample, places in likeliest_samples(hashes[short], hashes[long])
    ]
    indices = sorted({index for _, near in sought for index in near})
    place = {index: at for at, index in enumerate(indices)}
    probes = zip(archive.read_frames(short, [index for index, _ in sought]), sought, strict=True)
    return speckle_agreement(
        [(image, [place[index] for index in near]) for image, (_, near) in probes],
        archive.read_frames(long, indices),
    )


def _step(archive: Archive, name: str, hashes: Mapping[str, Hashes]) -> int:
    return step_of(archive.entry(name).n_frames, len(hashes[name]))


def _around(samples: Sequence[int], step: int, entry: Entry) -> list[int]:
    """The frames of these samples and those between them and the next ones, the likeliest first."""
    frames = [
        sample * step + apart
        for sample in samples
        for apart in sorted(range(1 - step, step), key=abs)
        if 0 <= sample * step + apart < entry.n_frames
    ]
    return list(dict.fromkeys(frames))[:_MOST_FRAMES]


def _text(archive: Archive) -> str:
    try:
        return archive.read_text(SPECKLE) or ""
    except UsageError:  # damaged
        return ""


def _read(text: str) -> dict[str, float]:
    """What a table holds; a row that is not as it was written is left out, and so is measured anew.

    >>> _read("pair,agreement\\nab,0.25\\ncd,nan\\nef,\\ngh")
    {'ab': 0.25}
    """
    known = {}
    for row in text.splitlines():
        key, _, value = row.partition(",")
        try:
            agreement = float(value)
        except ValueError:
            continue
        if math.isfinite(agreement):
            known[key] = agreement
    return known
