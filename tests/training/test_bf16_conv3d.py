import pytest
import torch
from torch.nn.functional import conv3d

from sonoplane.training.bf16_conv3d import SafeConv3d

CASES = [
    {"n_in": 32, "n_out": 40, "kernel": (3, 3, 3), "padding": (1, 1, 1)},
    {"n_in": 32, "n_out": 32, "kernel": (3, 3, 3), "padding": (0, 1, 1)},
    {"n_in": 32, "n_out": 32, "kernel": (3, 1, 1), "padding": (1, 0, 0)},
    {"n_in": 32, "n_out": 33, "kernel": (1, 3, 3), "padding": (0, 1, 1)},
    {"n_in": 1, "n_out": 4, "kernel": (3, 3, 3), "padding": (1, 1, 1)},
    {"n_in": 64, "n_out": 64, "kernel": (3, 3, 3), "padding": (1, 1, 1), "stride": 2, "groups": 2},
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_answers_and_gradients_are_those_of_float32_but_for_rounding(case: dict[str, object]) -> None:
    draw = torch.Generator().manual_seed(0)
    n_in, n_out, groups = int(case["n_in"]), int(case["n_out"]), int(case.get("groups", 1))  # type: ignore[call-overload]  # numbers
    x = torch.randn(2, n_in, 4, 9, 10, generator=draw).requires_grad_()
    weight = torch.randn(n_out, n_in // groups, *case["kernel"], generator=draw).requires_grad_()  # type: ignore[misc]  # a tuple
    how = {name: case[name] for name in ("padding", "stride", "groups") if name in case}
    wanted = conv3d(x, weight, **how)  # type: ignore[arg-type]  # as the case has them
    gradient = torch.randn(wanted.shape, generator=draw)
    exact = torch.autograd.grad(wanted, (x, weight), gradient)
    with SafeConv3d():
        found = conv3d(x, weight, **how)  # type: ignore[arg-type]  # as the case has them
    assert found.dtype == torch.bfloat16
    for one, other in zip(
        (wanted, *exact), (found, *torch.autograd.grad(found, (x, weight), gradient)), strict=True
    ):
        assert float(((one - other).norm() / one.norm()).detach()) < 0.01


def test_a_frozen_weight_gets_no_gradient() -> None:
    x = torch.randn(1, 2, 3, 5, 5).requires_grad_()
    with SafeConv3d():
        conv3d(x, torch.randn(3, 2, 3, 3, 3), padding=1).float().sum().backward()
    assert x.grad is not None


def test_a_size_at_which_onednn_writes_outside_its_memory_is_survived() -> None:
    for _ in range(3):
        weight = torch.randn(32, 32, 3, 3, 3).requires_grad_()
        with torch.autocast("cpu", torch.bfloat16), SafeConv3d():
            conv3d(torch.randn(1, 32, 3, 128, 128), weight, padding=1).float().sum().backward()
        assert weight.grad is not None
