import numpy as np
import pytest
import torch

from sonoplane.errors import UsageError
from sonoplane.training.augment_draw import EFFECTS
from sonoplane.training.augmentation_settings import AugmentationSettings
from sonoplane.training.augmentation_sheet import augmentation_sheet


def clips(channels: int = 1) -> torch.Tensor:
    noise = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (2, channels, 4, 24, 40), generator=noise, dtype=torch.uint8)


def test_a_sheet_shows_each_clip_its_draws_and_each_effect_alone() -> None:
    settings = AugmentationSettings(flip_vertical=0.1, shuffle_frames=True)
    sheet = augmentation_sheet(clips(3), settings, 1, draws=2)
    assert sheet.shape[1] == (40 + 4) * (1 + 2 + len(EFFECTS))
    assert np.array_equal(sheet[:24, :40], clips(3)[0, :, 2].movedim(0, -1).numpy())


def test_the_same_seed_gives_the_same_sheet() -> None:
    one, two, other = (augmentation_sheet(clips(), AugmentationSettings(), seed) for seed in (1, 1, 2))
    assert np.array_equal(one, two)
    assert one.shape != other.shape or not np.array_equal(one, other)


def test_a_sheet_of_no_clips_is_refused() -> None:
    with pytest.raises(UsageError, match="at least one clip"):
        augmentation_sheet(clips()[:0], AugmentationSettings())
