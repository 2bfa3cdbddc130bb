import pytest

from sonoplane.models.reach import frames_ahead, frames_seen
from sonoplane.models.registry import available, network_spec, outline

DENSE = [name for name in available() if network_spec(name, n_classes=3).dense]


@pytest.mark.parametrize("name", DENSE)
def test_what_is_told_without_the_network_is_what_it_does(name: str) -> None:
    spec = network_spec(name, n_classes=3)
    network = outline(spec)
    assert (frames_seen(spec), frames_ahead(spec)) == (network.receptive_field, network.delay)
