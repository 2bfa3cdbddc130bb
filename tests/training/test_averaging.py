import torch

from sonoplane.models.registry import build, network_spec
from sonoplane.training.averaging import averaged_copy, move_average


def test_an_average_follows_weights_and_statistics_but_is_not_trained() -> None:
    network = build(network_spec("sononet2d-2", n_classes=3), seed=0).train()
    average = averaged_copy(network)
    assert not average.training
    assert not any(p.requires_grad for p in average.parameters())
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with torch.no_grad():
        for value in network.state_dict().values():
            value.add_(1)
    move_average(average, network, decay=0.9, step=1000)
    for name, value in average.state_dict().items():
        moved = 1.0 if value.dtype == torch.int64 else 0.1
        assert torch.allclose(value.double(), before[name].double() + moved, atol=1e-6)


def test_early_steps_count_for_more() -> None:
    network = build(network_spec("sononet2d-2", n_classes=3), seed=0)
    average = averaged_copy(network)
    with torch.no_grad():
        next(network.parameters()).add_(1)
    before = next(average.parameters()).clone()
    move_average(average, network, decay=0.999, step=1)
    assert torch.allclose(next(average.parameters()) - before, torch.tensor(9 / 11))
