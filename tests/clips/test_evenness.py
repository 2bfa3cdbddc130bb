"""Swaps of patients make parts evener, and never fill a part more or less."""

from collections import Counter

import numpy as np

from sonoplane.clips.evenness import Evenness


def test_swaps_bring_a_class_into_every_part_and_keep_their_sizes() -> None:
    counts = {f"p{i}": Counter({(0, "rare" if i < 3 else "usual"): 1}) for i in range(12)}
    part_of = {f"p{i}": "abc"[i // 4] for i in range(12)}
    scale = Evenness.of(counts, [*part_of.values()])
    swapped = scale.swapped(part_of, list(part_of), np.random.default_rng(0))
    assert Counter(swapped.values()) == Counter(part_of.values())
    assert {swapped[f"p{i}"] for i in range(3)} == {"a", "b", "c"}
    assert scale.of_parts(swapped) < 1e-9 < scale.of_parts(part_of)


def test_only_the_free_are_swapped() -> None:
    counts = {f"p{i}": Counter({(0, "x" if i < 2 else "y"): 1}) for i in range(4)}
    part_of = {"p0": "a", "p1": "a", "p2": "b", "p3": "b"}
    scale = Evenness.of(counts, ["a", "b"])
    assert scale.swapped(part_of, ["p0", "p1"], np.random.default_rng(0)) == {"p0": "a", "p1": "a"}
    assert scale.swapped(part_of, ["p0", "p2"], np.random.default_rng(0)) == {"p0": "b", "p2": "a"}


def test_what_is_not_known_need_not_be_everywhere() -> None:
    named = {"p0": Counter({(0, "x"): 1}), "p1": Counter({(0, "x"): 1}), "p2": Counter({(0, "y"): 1})}
    part_of = {"p0": "a", "p1": "a", "p2": "b"}
    lacking = Evenness.of(named, ["a", "b"]).of_parts(part_of)
    unknown = {
        name: Counter({(0, key[1].replace("x", "")): 1 for key in mine}) for name, mine in named.items()
    }
    assert Evenness.of(unknown, ["a", "b"]).of_parts(part_of) < 1e3 < lacking
