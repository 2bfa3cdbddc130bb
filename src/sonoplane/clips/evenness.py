"""How evenly the parts of a split share classes and centres, and swaps of patients that make them evener."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

__all__ = ["Evenness"]

#: What a part without any patient of a class costs, where there are enough of them: more than any unevenness.
MISSING = 1e6

#: So often all patients are tried, and so many of them at a time.
SWEEPS, TRIED = 8, 400


@dataclass(frozen=True, slots=True)
class Evenness:
    """Recordings of each patient in each stratum: the scale on which splits are compared."""

    names: tuple[str, ...]
    counts: Float64[np.ndarray, "patients strata"]
    parts: tuple[str, ...]
    is_class: tuple[bool, ...]
    """Strata that tell something: an empty one means that it is not known, and need not be everywhere."""

    @classmethod
    def of(cls, counts: Mapping[str, Counter[tuple[int, str]]], parts: Sequence[str]) -> "Evenness":
        """`counts`: patient -> (number of the stratification, stratum) -> recordings."""
        names = tuple(sorted(counts))
        keys = sorted({key for mine in counts.values() for key in mine})
        table = np.array([[counts[name][key] for key in keys] for name in names], dtype=np.float64)
        return cls(
            names,
            table.reshape(len(names), len(keys)),
            tuple(sorted({*parts})),
            tuple(key[1] != "" for key in keys),
        )

    def of_parts(self, part_of: Mapping[str, str]) -> float:
        """How far from even a whole split is, 0 at best: chi squared, and much more where a part lacks a class."""
        place = self._places(part_of)
        return float(
            self._cost(self._held(place, self.counts), self._held(place, self.counts > 0), place).sum()
        )

    def swapped(
        self, part_of: Mapping[str, str], free: Sequence[str], rng: np.random.Generator
    ) -> dict[str, str]:
        """The free patients' parts after swaps of two that make the split evener, while there are any."""
        place = self._places(part_of)
        index = {name: i for i, name in enumerate(self.names)}
        movable = np.array([index[name] for name in free], dtype=np.int64)
        for _ in range(SWEEPS):
            moved = [self._swap(int(i), movable, place) for i in rng.permutation(movable)[:TRIED]]
            if not any(moved):
                break
        return {name: self.parts[place[index[name]]] for name in free}

    def _swap(
        self, i: int, movable: Int64[np.ndarray, " free"], place: Int64[np.ndarray, " patients"]
    ) -> bool:
        """Swap a patient with the one of another part with whom it helps most; whether it did."""
        others = movable[place[movable] != place[i]]
        if not len(others):
            return False
        shown = (self.counts > 0).astype(np.float64)
        sums, present = self._held(place, self.counts), self._held(place, shown)
        a, b = place[i], place[others]
        before = self._cost(sums, present, place)
        gained, seen = self.counts[others] - self.counts[i], shown[others] - shown[i]
        here = self._cost(sums[a] + gained, present[a] + seen, place, np.full(len(others), a))
        there = self._cost(sums[b] - gained, present[b] - seen, place, b)
        change = here + there - before[a] - before[b]
        best = int(change.argmin())
        if change[best] > -1e-9:
            return False
        place[i], place[others[best]] = b[best], a
        return True

    def _places(self, part_of: Mapping[str, str]) -> Int64[np.ndarray, " patients"]:
        return np.array([self.parts.index(part_of[name]) for name in self.names], dtype=np.int64)

    def _held(
        self, place: Int64[np.ndarray, " patients"], table: np.ndarray
    ) -> Float64[np.ndarray, "parts strata"]:
        """What the patients of each part have together."""
        held = np.zeros((len(self.parts), table.shape[1]))
        np.add.at(held, place, table)
        return held

    def _cost(
        self,
        sums: Float64[np.ndarray, "rows strata"],
        present: Float64[np.ndarray, "rows strata"],
        place: Int64[np.ndarray, " patients"],
        parts: Int64[np.ndarray, " rows"] | None = None,
    ) -> Float64[np.ndarray, " rows"]:
        """What each row costs, where its part (else the part of its number) holds these recordings and patients."""
        sizes = np.bincount(place, minlength=len(self.parts))
        n_filled = int((sizes > 0).sum())
        share = (sizes / len(place))[np.arange(len(sums)) if parts is None else parts]
        wanted = share[:, None] * self.counts.sum(axis=0)
        uneven = np.where(wanted > 0, (sums - wanted) ** 2 / np.maximum(wanted, 1e-12), 0).sum(axis=1)
        enough = ((self.counts > 0).sum(axis=0) >= n_filled) & np.array(self.is_class, dtype=bool)
        lacking = ((present < 0.5) & enough & (wanted > 0)).sum(axis=1)
        return np.asarray(uneven + MISSING * lacking, dtype=np.float64)
