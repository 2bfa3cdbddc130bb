"""SmallNet's shapes and counts."""

import torch

from sonoplane.models.registry import build, network_spec


def test_layers_are_the_papers() -> None:
    network = build(network_spec("smallnet", n_classes=14))
    shapes = [tuple(p.shape) for name, p in network.named_parameters() if name.endswith("weight")]
    assert shapes == [
        (32, 1, 7, 7), (64, 32, 5, 5), (128, 64, 3, 3), (128, 128, 3, 3), (64, 128, 1, 1), (14, 64, 1, 1),
    ]  # fmt: skip
    assert network.class_score_maps(torch.zeros(1, 1, 224, 288)).shape == (1, 14, 12, 16)


def test_features_only_has_no_head() -> None:
    network = build(network_spec("smallnet-4", n_classes=7, options={"features_only": True}))
    assert network(torch.zeros(1, 1, 64, 64)).shape[:2] == (1, 16)
