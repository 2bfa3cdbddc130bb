"""Law: the same weights give the same timeline in one pass, in pieces of any lengths, and frame by frame."""

import pytest
import torch
from torch import Tensor

from sonoplane.errors import UsageError
from sonoplane.models.registry import available, network_spec, outline
from sonoplane.models.score_maps import ScoreMapNetwork
from tests.models.tiny_networks import NAMES, tiny, tiny_spec

DENSE = [name for name in NAMES if tiny_spec(name).dense]
STREAMS = [name for name in DENSE if tiny_spec(name).streams]
NETWORKS = {name: tiny(name, n_classes=3) for name in DENSE}


def run_of(n_frames: int, *, seed: int = 0) -> Tensor:
    return torch.randn(2, 1, n_frames, 64, 64, generator=torch.Generator().manual_seed(seed))


def network(name: str) -> ScoreMapNetwork:
    found = NETWORKS[name]
    assert isinstance(found, ScoreMapNetwork)
    return found


def in_pieces(name: str, x: Tensor, lengths: list[int]) -> Tensor:
    answers, state, start = [], None, 0
    for index, length in enumerate(lengths):
        logits, state = network(name).dense_chunk(
            x[:, :, start : start + length], state, last=index == len(lengths) - 1
        )
        answers.append(logits)
        start += length
    assert state is None
    return torch.cat(answers, dim=1)


@pytest.mark.parametrize("name", DENSE)
@pytest.mark.parametrize(
    "lengths",
    [[5], [9], [1] * 18, [0, 3, 0, 1, 19, 2], [22, 0, 3], [4, 1, 0], [16, 16], [2, 7, 1, 1, 8]],
    ids=str,
)
def test_pieces_of_any_length_answer_as_one_pass(name: str, lengths: list[int]) -> None:
    x = run_of(sum(lengths))
    with torch.inference_mode():
        expected = network(name).dense(x)
        assert expected.shape == (2, sum(lengths), 3)
        assert (in_pieces(name, x, lengths) - expected).abs().max() < 1e-5


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_answers_as_one_pass(name: str) -> None:
    x = run_of(36)
    with torch.inference_mode():
        state = network(name).stream_state(batch=2, height=64, width=64)
        size = sum(memory.numel() for memory in state)
        answers = []
        for index in range(36):
            logits, state = network(name).step(x[:, :, index], state)
            answers.append(logits)
            assert sum(memory.numel() for memory in state) == size, "memory is constant"
        assert (torch.stack(answers, dim=1) - network(name).dense(x)).abs().max() < 1e-5


@pytest.mark.parametrize("name", STREAMS)
def test_a_step_leaves_the_state_it_was_given_as_it_was(name: str) -> None:
    with torch.inference_mode():
        state = network(name).stream_state(batch=2, height=64, width=64)
        _, state = network(name).step(run_of(1)[:, :, 0], state)
        before = [memory.clone() for memory in state]
        one, _ = network(name).step(run_of(1, seed=1)[:, :, 0], state)
        two, _ = network(name).step(run_of(1, seed=1)[:, :, 0], state)
        assert torch.equal(one, two)
        assert all(torch.equal(old, new) for old, new in zip(before, state, strict=True))


@pytest.mark.parametrize("name", DENSE)
def test_an_answer_comes_as_late_as_it_says(name: str) -> None:
    """And not earlier: frame t depends on frame t + delay, and on none after it."""
    found, t = network(name), 31
    x = run_of(48).requires_grad_()
    found.dense(x)[:, t].abs().sum().backward()
    assert x.grad is not None
    seen = x.grad.abs().sum(dim=(0, 1, 3, 4)).nonzero().flatten().tolist()
    assert max(seen) == t + found.delay
    assert max(seen) - min(seen) + 1 == found.receptive_field
    with torch.inference_mode():
        logits, _ = found.dense_chunk(run_of(30))
        assert logits.shape[1] == 30 - found.delay


@pytest.mark.parametrize("name", available())
def test_what_a_spec_says_of_time_is_what_the_network_does(name: str) -> None:
    spec = network_spec(name, n_classes=3)
    found = outline(spec)
    assert (found.takes_clips, found.streams) == (spec.takes_clips, spec.streams)
    assert isinstance(found, ScoreMapNetwork) == spec.dense or not spec.dense


@pytest.mark.parametrize("name", sorted(set(DENSE) - set(STREAMS)))
def test_a_network_that_looks_ahead_cannot_stream(name: str) -> None:
    with pytest.raises(UsageError, match=r"15 frames ahead.*-causal"):
        network(name).stream_state(height=64, width=64)
