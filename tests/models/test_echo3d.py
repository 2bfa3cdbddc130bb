"""The modular 3D network: its list notation, its cells, its shapes, counts and exported form."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from sonoplane.errors import UsageError
from sonoplane.models.blocks import initialize
from sonoplane.models.echo3d import CellMean, Echo3d
from sonoplane.models.echo_plan import PRESETS, echo_plan, echo_shapes
from tests.models.exported import exported_answers

CLIP = (5, 16, 20)
NOTATION = "[16,16,M,32,32,M,32,32,M,64,64,64,M]"


@pytest.fixture(autouse=True)
def same_noise() -> None:
    torch.manual_seed(0)


def test_the_notation_of_the_research_system_is_the_default() -> None:
    plan = echo_plan(NOTATION, classifier="[200, 0.5, 150, 0.5]", cells="(7,5,5)")
    assert plan == echo_plan() == PRESETS["six-view"]
    assert plan == echo_plan([16, 16, "M", 32, 32, "M", 32, 32, "M", 64, 64, 64, "M"])
    assert plan == echo_plan('16, 16, "M", 32, 32, "M", 32, 32, "M", 64, 64, 64, "M",')


def test_the_six_view_network_has_the_parameters_of_its_layers() -> None:
    convs = [(1, 16), (16, 16), (16, 32), (32, 32), (32, 32), (32, 32), (32, 64), (64, 64), (64, 64)]
    count = sum(27 * before * after + 2 * after for before, after in convs)
    count += (64 * 7 * 5 * 5 + 1) * 200 + 201 * 150 + 151 * 6
    with torch.device("meta"):
        network = Echo3d(n_classes=6)
    assert sum(p.numel() for p in network.parameters()) == count == 2_652_552


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ("[16, N, M]", "Entry 2 of the plan is N"),
        ("[16, 0, M]", "Entry 2 of the plan is 0"),
        ("[16, M, 0.5]", "Entry 3 of the plan is 0.5"),
        ("[16,, M]", "Entry 2 of the plan is empty"),
        ("[M, 16]", "begins with no convolution"),
        ("[]", "begins with no convolution"),
        ("six-vew", "Use one of six-view, six-view-half, tiny"),
    ],
)
def test_a_wrong_plan_is_refused_by_position(plan: str | list, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        echo_plan(plan)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"classifier": [200, 1.5]}, "Entry 2 of the classifier is 1.5"),
        ({"classifier": "200, -1"}, "Entry 2 of the classifier is -1"),
        ({"cells": "7, 0, 5"}, "Entry 2 of the cells is 0"),
        ({"cells": [7, 5]}, "The cells are 2 numbers"),
    ],
)
def test_a_wrong_classifier_is_refused_by_position(given: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        echo_plan(**given)


def test_a_classifier_may_be_empty_and_named_plans_keep_the_rest() -> None:
    assert echo_plan("tiny", classifier="[]").classifier == ()
    assert echo_plan("tiny", classifier="[]").cells == (2, 2, 2)
    assert Echo3d(plan="tiny", classifier=(), n_classes=3)(torch.zeros(1, 1, *CLIP)).shape == (1, 3)


def test_four_pools_leave_six_of_ten_frames() -> None:
    network = Echo3d(plan=[2, "M", 2, "M", 2, "M", 2, "M"], features_only=True, n_classes=6)
    assert network(torch.zeros(1, 1, 10, 100, 100)).shape == (1, 2, 6, 6, 6)
    assert network.min_frames == 5
    assert network(torch.zeros(1, 1, 5, 16, 16)).shape == (1, 2, 1, 1, 1)


@pytest.mark.parametrize("size", [(4, 100, 100), (10, 15, 100), (10, 100, 15)])
def test_a_clip_too_small_for_the_pools_is_refused(size: tuple[int, int, int]) -> None:
    network = Echo3d(plan=[2, "M", 2, "M", 2, "M", 2, "M"], n_classes=6)
    with pytest.raises(UsageError, match="at least 5 frames of 16 x 16"):
        network(torch.zeros(1, 1, *size))


@pytest.mark.parametrize("cells", [(7, 5, 5), (2, 3, 4), (1, 1, 1)])
def test_cells_are_adaptive_average_pooling(cells: tuple[int, int, int]) -> None:
    own, torch_own = CellMean(cells), nn.AdaptiveAvgPool3d(cells)
    for sizes in [(1, 1, 1), (6, 6, 6), (7, 5, 5), (13, 9, 4), (12, 15, 8), (3, 20, 11)]:
        x = torch.randn(2, 3, *sizes)
        assert torch.allclose(own(x), torch_own(x), atol=1e-6), sizes
    lines = [(size, n) for size in range(1, 24) for n in range(1, 10)]
    for size, n in lines:
        x = torch.randn(1, 1, size, 1, 1)
        assert torch.allclose(CellMean((n, 1, 1))(x), nn.AdaptiveAvgPool3d((n, 1, 1))(x), atol=1e-6), (
            size,
            n,
        )


@pytest.mark.parametrize("features_only", [False, True])
@pytest.mark.parametrize(
    ("plan", "classifier"), [("tiny", None), ([3, 4, "M", "M", 5], [0.1, 6, 7, 0.2]), ("six-view-half", [])]
)
def test_shapes_are_known_without_building(
    plan: str | list, classifier: Sequence[int | float] | None, features_only: bool
) -> None:
    known = echo_plan(plan, classifier=classifier)
    with torch.device("meta"):
        network = Echo3d(plan=known, n_classes=5, in_channels=2, features_only=features_only)
    shapes = {key: tuple(value.shape) for key, value in network.state_dict().items() if "tracked" not in key}
    assert echo_shapes(known, n_classes=5, in_channels=2, features_only=features_only) == shapes


def test_every_parameter_learns() -> None:
    network = drawn(0)
    network(torch.randn(4, 1, *CLIP)).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


def test_frozen_blocks_neither_learn_nor_drift() -> None:
    network = drawn(0)
    network.trainable(1)
    network.train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    optimizer = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=0.1)
    network(torch.randn(4, 1, *CLIP)).square().sum().backward()
    optimizer.step()
    changed = {name for name, value in network.state_dict().items() if not torch.equal(before[name], value)}
    assert {name.split(".")[0] + name.split(".")[1] for name in changed} == {"blocks1", "head0", "head3"}


def test_a_saved_network_answers_the_same(tmp_path: Path) -> None:
    one, two = drawn(1).eval(), drawn(2).eval()
    x = torch.randn(2, 1, *CLIP)
    torch.save(one.state_dict(), tmp_path / "w.pth")
    two.load_state_dict(torch.load(tmp_path / "w.pth", weights_only=True))
    assert torch.equal(one(x), two(x))


def test_the_exported_network_answers_the_same(tmp_path: Path) -> None:
    network = Echo3d(plan="tiny", cells="3, 3, 3", n_classes=6).eval()
    initialize(network, generator=torch.Generator().manual_seed(0))
    clips = torch.randn(3, 1, *CLIP)
    for form, answers in exported_answers(network, clips, tmp_path).items():
        assert np.abs(answers - network(clips).detach().numpy()).max() < 1e-5, form


def drawn(seed: int) -> Echo3d:
    network = Echo3d(plan="tiny", n_classes=6)
    initialize(network, generator=torch.Generator().manual_seed(seed))
    return network
