"""Which bundles are one method trained again."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sonoplane.models.bundle import Bundle, save_bundle
from sonoplane.models.card import Card
from sonoplane.models.registry import weights_of
from sonoplane.steps.retrained import methods_of
from tests.models.tiny_networks import tiny, tiny_spec

Make = Callable[..., Bundle]


@pytest.fixture
def made(tmp_path: Path) -> Make:
    """A bundle that was trained with a seed, `epochs` and more."""

    def make(
        name: str, seed: int | None, metrics: dict[str, Any] | None = None, **training: object
    ) -> Bundle:
        learned = {"epochs": 3, **training} | ({} if seed is None else {"seed": seed})
        return save_bundle(
            tmp_path / name,
            name=name,
            version="1",
            spec=tiny_spec("sononet2d-2", n_classes=2),
            card=Card(classes=("left", "right"), size=(32, 48)),
            weights=weights_of(tiny("sononet2d-2", n_classes=2)),
            recipe={"training": learned},
            metrics={"task": "sides", "split": "abc"} if metrics is None else metrics,
        )

    return make


def test_bundles_that_differ_in_their_seed_alone_are_one_method(made: Make) -> None:
    bundles = [
        made("a0", 0),
        made("b0", 0, epochs=9),
        made("a1", 1),
        made("b5", 5, epochs=9),
        made("a2", 2),
        made("c0", 0, epochs=1),
    ]
    assert methods_of(bundles) == [(0, 2, 4), (1, 3)]


def test_how_fast_a_training_was_makes_no_other_method(made: Make) -> None:
    assert methods_of([made("slow", 0), made("fast", 1, workers=0, cache_gb=0.5)]) == [(0, 1)]


def test_the_same_seed_again_is_no_other_training(made: Make) -> None:
    one, other = made("one", 0), made("other", 0)
    assert methods_of([one, other, one]) == []
    assert methods_of([one, other, made("third", 1)]) == [(0, 2)]


def test_another_split_task_or_an_unknown_seed_is_no_training_of_the_same_method(made: Make) -> None:
    first = made("first", 0)
    others = [
        made("split", 1, metrics={"task": "sides", "split": "xyz"}),
        made("task", 2, metrics={"task": "zone", "split": "abc"}),
        made("fold", 4, metrics={"task": "sides", "split": "abc", "validation": {"labels": [3, 5]}}),
        made("imported", 3, metrics={}),
        made("unknown", None),
    ]
    assert methods_of([first, *others]) == []
