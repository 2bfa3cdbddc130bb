import pytest
import torch
from torch import Tensor, nn

from sonoplane.training.bf16_loops import can_run
from sonoplane.training.fused_norm import can_fuse, norm_relu

pytestmark = pytest.mark.skipif(not can_run(), reason="torch's threads are not GNU OpenMP's here")

#: `batch channel *space`: few and many channels, sizes that fill no whole row of a loop, images and clips.
SHAPES = [(2, 16, 3, 16, 18), (3, 7, 1, 5, 3), (2, 600, 2, 3, 3), (4, 32, 9, 11), (1, 1, 2, 9, 9)]


def maps(shape: tuple[int, ...], seed: int = 0) -> Tensor:
    """Channels-last, with another mean and spread in each channel."""
    drawn = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    channel = torch.arange(shape[1]).view(-1, *[1] * (len(shape) - 2))
    layout = torch.channels_last if len(shape) == 4 else torch.channels_last_3d
    return ((drawn + channel % 5) * (1 + channel % 3)).bfloat16().contiguous(memory_format=layout)


def norm_of(shape: tuple[int, ...]) -> nn.BatchNorm2d | nn.BatchNorm3d:
    """With weights of its own, as after some training."""
    draw = torch.Generator().manual_seed(1)
    norm = (nn.BatchNorm2d if len(shape) == 4 else nn.BatchNorm3d)(shape[1], eps=1e-4, momentum=0.2)
    with torch.no_grad():
        norm.weight.copy_(torch.randn(shape[1], generator=draw))
        norm.bias.copy_(torch.randn(shape[1], generator=draw))
    return norm


def off(found: Tensor, exact: Tensor) -> float:
    """The distance, as a share of what is exact."""
    return float(((found.double() - exact).norm() / exact.norm().clamp(min=1e-6)).detach())


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("training", [True, False], ids=["training", "frozen"])
def test_it_is_batch_norm_and_relu_of_exact_numbers_but_for_rounding(
    shape: tuple[int, ...], training: bool
) -> None:
    ours, plain = norm_of(shape).train(training), norm_of(shape).train(training).double()
    x = maps(shape).requires_grad_()
    exact_x = x.detach().double().requires_grad_()
    gradient = maps(shape, seed=2)
    assert can_fuse(ours, x)
    answer, exact = norm_relu(ours, x), torch.relu(plain(exact_x))
    answer.backward(gradient)
    exact.backward(gradient.double())
    assert answer.dtype == torch.bfloat16
    assert off(answer, exact) < 2e-3
    for tensor, true in ((x.grad, exact_x.grad), (ours.weight.grad, plain.weight.grad)):
        assert tensor is not None
        assert true is not None
    assert x.grad is not None
    assert exact_x.grad is not None
    assert off(x.grad, exact_x.grad) < 4e-3
    for name, parameter in ours.named_parameters():
        true = plain.get_parameter(name).grad
        assert parameter.grad is not None
        assert true is not None
        assert off(parameter.grad, true) < 1e-5
    for name, kept in ours.state_dict().items():
        torch.testing.assert_close(kept.double(), plain.state_dict()[name].double(), rtol=1e-5, atol=1e-6)


def test_what_is_frozen_gets_no_gradient() -> None:
    norm = norm_of((2, 8, 2, 4, 4)).requires_grad_(False)
    x = maps((2, 8, 2, 4, 4)).requires_grad_()
    norm_relu(norm, x).float().sum().backward()
    assert norm.weight.grad is None
    assert x.grad is not None


def test_statistics_lose_no_digit_far_from_zero() -> None:
    x = (maps((2, 16, 2, 32, 32)).float() * 0.01 + 100).bfloat16()
    x = x.contiguous(memory_format=torch.channels_last_3d)
    norm = nn.BatchNorm3d(16, momentum=1.0)
    norm_relu(norm, x)
    assert norm.running_var is not None
    torch.testing.assert_close(norm.running_var.double(), x.double().var((0, 2, 3, 4)), rtol=1e-5, atol=0)


def test_not_a_number_stays_one() -> None:
    x = maps((1, 2, 1, 4, 4))
    x[0, 1, 0, 0, 0] = torch.nan
    found = norm_relu(nn.BatchNorm3d(2), x)
    assert found[0, 1].isnan().all()
    assert not found[0, 0].isnan().any()


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_any_number_of_threads_gives_the_same(threads: int) -> None:
    x, before = maps((2, 16, 2, 32, 32)), torch.get_num_threads()
    one = norm_relu(norm_of(x.shape), x)
    try:
        torch.set_num_threads(threads)
        assert norm_relu(norm_of(x.shape), x).equal(one)
    finally:
        torch.set_num_threads(before)


def test_other_numbers_and_orders_are_left_to_torch() -> None:
    x = maps((2, 16, 2, 8, 8))
    assert can_fuse(nn.BatchNorm3d(16), x)
    assert not can_fuse(nn.BatchNorm3d(16), x.float())
    assert not can_fuse(nn.BatchNorm3d(16), x.contiguous())
    assert not can_fuse(nn.BatchNorm3d(16, track_running_stats=False), x)
    assert not can_fuse(nn.BatchNorm3d(16), x[:1, :, :1, :1, :1])
