import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from sonoplane.training.loss import LabelLoss, class_weights

LOGITS = torch.randn(4, 3, 5, generator=torch.Generator().manual_seed(0))
TARGETS = torch.tensor([[0, 1, 2], [3, 4, -1], [-1, -1, 0], [2, 2, 2]])
WEIGHTS = torch.tensor([1.0, 2.0, 0.5, 1.5, 3.0])


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_without_gamma_it_is_weighted_cross_entropy(smoothing: float) -> None:
    total, weight = LabelLoss(WEIGHTS, smoothing=smoothing)(LOGITS, TARGETS)
    wanted = cross_entropy(
        LOGITS.flatten(0, 1), TARGETS.flatten(), WEIGHTS, ignore_index=-1, label_smoothing=smoothing
    )
    assert float(total / weight) == pytest.approx(float(wanted), rel=1e-6)


def test_parts_add_up_to_the_whole() -> None:
    loss = LabelLoss(WEIGHTS, smoothing=0.05, gamma=2)
    whole = torch.stack(loss(LOGITS, TARGETS))
    parts = [torch.stack(loss(LOGITS[i : i + 2], TARGETS[i : i + 2])) for i in (0, 2)]
    assert torch.allclose(whole, parts[0] + parts[1])


def test_focal_loss_counts_what_is_easy_for_less() -> None:
    """Lin et al. 2017: with gamma 2 an answer of probability 0.9 counts a hundredth of its cross entropy."""
    logits = torch.tensor([[[0.9, 0.1]]]).log()
    plain, _ = LabelLoss(torch.ones(2))(logits, torch.tensor([[0]]))
    focal, _ = LabelLoss(torch.ones(2), gamma=2)(logits, torch.tensor([[0]]))
    assert float(focal / plain) == pytest.approx(0.01, rel=1e-4)


def test_what_has_no_label_has_no_gradient() -> None:
    logits = LOGITS.clone().requires_grad_()
    total, _ = LabelLoss(WEIGHTS, gamma=1.5)(logits, TARGETS)
    total.backward()
    assert logits.grad is not None
    assert torch.equal((logits.grad.abs().sum(dim=2) == 0), TARGETS == -1)


def test_a_batch_without_labels_has_no_loss_and_no_weight() -> None:
    total, weight = LabelLoss(WEIGHTS, gamma=2)(LOGITS, torch.full_like(TARGETS, -1))
    assert (float(total), float(weight)) == (0.0, 0.0)


def test_class_weights_are_1_on_average_over_the_labels() -> None:
    targets = np.array([[0, 0], [0, 1], [-1, 3]])
    weights = class_weights(targets, 5)
    known = targets[targets >= 0]
    assert float(weights[torch.from_numpy(known)].mean()) == pytest.approx(1)
    assert float(weights[2]) == 1
