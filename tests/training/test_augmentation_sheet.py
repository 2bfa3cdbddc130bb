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
    """Seven rows of pictures: as they are, two draws, and 17 effects in four rows of 6; small ones are enlarged."""
    settings = AugmentationSettings(flip_vertical=0.1, shuffle_frames=True)
    plain = augmentation_sheet(clips(3), settings, 1, draws=2)
    assert plain.shape[1] == 6 * (160 + 4)
    enlarged = clips(3)[1, :, 2].movedim(0, -1).numpy().repeat(4, axis=0).repeat(4, axis=1)
    assert np.array_equal(plain[:96, 164:324], enlarged)
    fewer = augmentation_sheet(clips(3), settings.model_copy(update={"zoom_share": 0.0}), 1, draws=2)
    assert len(EFFECTS) == 17
    assert (len(plain) - 96) // 96 >= 5
    assert len(fewer) < len(plain) + 14


def test_captions_stand_above_and_the_footer_below() -> None:
    settings = AugmentationSettings.off()
    plain = augmentation_sheet(clips(), settings, draws=1)
    told = augmentation_sheet(clips(), settings, draws=1, captions=["one", "other"], footer=["a", "b"])
    above = len(told) - len(plain) - 2 * (14 + 4)
    assert np.array_equal(told[above : above + len(plain)], plain)
    assert (told[:above] < 128).any()
    assert (told[-18:] < 128).any()


def test_an_effect_that_cannot_befall_a_still_is_not_shown_alone() -> None:
    still = clips()[:, :, :1]
    jitter = AugmentationSettings.off(time_jitter_share=1)
    nothing = AugmentationSettings.off()
    assert np.array_equal(
        augmentation_sheet(still, jitter, draws=1), augmentation_sheet(still, nothing, draws=1)
    )


def test_the_same_seed_gives_the_same_sheet() -> None:
    one, two, other = (augmentation_sheet(clips(), AugmentationSettings(), seed) for seed in (1, 1, 2))
    assert np.array_equal(one, two)
    assert one.shape != other.shape or not np.array_equal(one, other)


def test_a_sheet_of_no_clips_is_refused() -> None:
    with pytest.raises(UsageError, match="at least one clip"):
        augmentation_sheet(clips()[:0], AugmentationSettings())
