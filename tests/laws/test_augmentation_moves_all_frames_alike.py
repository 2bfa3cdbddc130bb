"""Law: augmentation is one transform for a whole clip."""

import pytest
import torch

from sonoplane.training.augment import apply, ultrasound_area
from sonoplane.training.augment_draw import EFFECTS, draw
from sonoplane.training.augmentation_settings import AugmentationSettings

SIZE = (5, 32, 40)
SHARES = {name: 1.0 for name in AugmentationSettings.model_fields if name.endswith("_share")}
ALL = AugmentationSettings.off(**SHARES, flip_horizontal=0.5, flip_vertical=0.5, speckle_moves=False)
ALONE = [AugmentationSettings.off(**{share: 1.0, "speckle_moves": False}) for share in SHARES]


def images(*shape: int) -> torch.Tensor:
    made = torch.randint(20, 256, shape, generator=torch.Generator().manual_seed(4)).float()
    made[..., :6, :] = 0
    return made


@pytest.mark.parametrize("settings", [ALL, *ALONE], ids=["all", *SHARES])
def test_equal_frames_stay_equal(settings: AugmentationSettings) -> None:
    still = images(6, 1, 1, *SIZE[1:]).expand(-1, -1, SIZE[0], -1, -1)
    varied = apply(still, draw(settings, 6, SIZE, torch.Generator().manual_seed(1)))
    assert varied.equal(varied[:, :, :1].expand_as(varied))


@pytest.mark.parametrize("moves", [True, False])
@pytest.mark.parametrize("channels", [1, 3])
def test_each_frame_is_varied_as_it_would_be_alone(channels: int, moves: bool) -> None:
    clips = images(6, channels, *SIZE)
    settings = ALL.model_copy(update={"speckle_moves": moves, "shuffle_frames": True})
    drawn = draw(settings, 6, SIZE, torch.Generator().manual_seed(1))
    assert drawn.drawn.any(dim=0).sum() == len(EFFECTS)
    area = ultrasound_area(clips)
    varied = apply(clips, drawn, area=area)
    for place in range(SIZE[0]):
        alone = torch.stack(
            [clip[:, frame] for clip, frame in zip(clips, drawn.frame_order[:, place], strict=True)]
        )
        expected = apply(alone, drawn.of_frame(place), area=area)
        assert torch.allclose(varied[:, :, place], expected, atol=1e-3)


def test_a_clip_is_varied_as_it_would_be_in_another_batch() -> None:
    clips = images(6, 1, *SIZE)
    drawn = draw(ALL, 6, SIZE, torch.Generator().manual_seed(2))
    whole = apply(clips, drawn)
    parts = [apply(clips[i : i + 2], drawn.of_clips(i, i + 2)) for i in (0, 2, 4)]
    assert torch.allclose(whole, torch.cat(parts), atol=1e-3)


def test_moving_speckle_is_all_that_differs_from_frame_to_frame() -> None:
    still = images(6, 1, 1, *SIZE[1:]).expand(-1, -1, SIZE[0], -1, -1)
    moving = ALL.model_copy(update={"speckle_moves": True})
    drawn = draw(moving, 6, SIZE, torch.Generator().manual_seed(1))
    varied = apply(still, drawn)
    assert not varied.equal(varied[:, :, :1].expand_as(varied))
    calm = apply(
        still, draw(moving.model_copy(update={"speckle": 0.0}), 6, SIZE, torch.Generator().manual_seed(1))
    )
    assert calm.equal(calm[:, :, :1].expand_as(calm))
