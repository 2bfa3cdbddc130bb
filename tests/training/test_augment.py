import pytest
import torch

from sonoplane.training.augment import augment
from sonoplane.training.settings import AugmentationSettings

STILL = {"flip_horizontal": 0, "flip_vertical": 0, "gamma": 1, "zoom": 1, "rotation_degrees": 0}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randint(0, 256, (4, 1, 24, 40), generator=generator(3)).float()


def test_without_any_variation_images_stay_as_they_are(images: torch.Tensor) -> None:
    same = augment(images, AugmentationSettings.model_validate(STILL), generator())
    assert torch.allclose(same, images, atol=1e-2)


@pytest.mark.parametrize(("setting", "axis"), [("flip_horizontal", -1), ("flip_vertical", -2)])
def test_a_flip_mirrors_and_nothing_else(images: torch.Tensor, setting: str, axis: int) -> None:
    flipped = augment(images, AugmentationSettings.model_validate({**STILL, setting: 1}), generator())
    assert torch.allclose(flipped, images.flip(axis), atol=1e-2)


def test_gamma_keeps_black_and_white(images: torch.Tensor) -> None:
    ends = torch.tensor([0.0, 255.0]).view(1, 1, 1, 2).expand(4, 1, 2, 2).contiguous()
    varied = augment(ends, AugmentationSettings.model_validate({**STILL, "gamma": 2}), generator())
    assert torch.allclose(varied, ends, atol=1e-2)


def test_a_rotation_keeps_proportions() -> None:
    """A disc stays a disc: angles are in pixels, not in the stretched coordinates of the grid."""
    y, x = torch.meshgrid(torch.arange(48.0), torch.arange(96.0), indexing="ij")
    disc = (255.0 * (((y - 23.5) ** 2 + (x - 47.5) ** 2) < 15**2)).expand(8, 1, 48, 96)
    turned = augment(
        disc, AugmentationSettings.model_validate({**STILL, "rotation_degrees": 45}), generator()
    )
    assert (turned - disc).abs().mean() < 4


def test_gray_levels_stay_in_range_and_the_same_seed_draws_the_same(images: torch.Tensor) -> None:
    settings = AugmentationSettings(flip_vertical=0.5)
    one, two = (augment(images, settings, generator(7)) for _ in range(2))
    assert torch.equal(one, two)
    assert not torch.equal(one, augment(images, settings, generator(8)))
    assert one.min() >= 0
    assert one.max() <= 255
