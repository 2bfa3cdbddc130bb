"""Law: a batch answers as its frames, or clips, do alone."""

import pytest
import torch

from sonoplane.models.spec import FAMILIES
from tests.models.tiny_networks import NAMES, TINY, some_input, tiny


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_answers_as_its_members_do(name: str) -> None:
    network = tiny(name)
    batch = some_input(name, batch=4)
    with torch.inference_mode():
        together = network(batch)
        alone = torch.cat([network(one[None]) for one in batch])
    assert together.shape == (4, 3)
    assert torch.allclose(together, alone, rtol=1e-4, atol=1e-5)


def test_every_family_is_under_the_laws() -> None:
    assert set(TINY) == set(FAMILIES)
