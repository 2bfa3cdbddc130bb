import pytest
import torch

from sonoplane.training.augment import apply, augment
from sonoplane.training.augment_draw import EFFECTS, draw
from sonoplane.training.augmentation_settings import AugmentationSettings

SHARES = [name for name in AugmentationSettings.model_fields if name.endswith("_share")]
LOUD = dict.fromkeys(SHARES, 1.0)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def clips() -> torch.Tensor:
    return torch.randint(0, 256, (4, 1, 5, 24, 40), generator=generator(3), dtype=torch.uint8)


def sector_clip() -> torch.Tensor:
    """Gray tissue in a black frame, with a black hole in it."""
    clip = torch.zeros(1, 1, 3, 60, 80)
    clip[..., 10:50, 20:60] = 100
    clip[..., 25:35, 35:45] = 0
    return clip


def test_without_any_variation_clips_stay_as_they_are_to_the_last_bit(clips: torch.Tensor) -> None:
    assert augment(clips, AugmentationSettings.off(), generator()).equal(clips.float())


def test_without_strength_clips_stay_as_they_are_to_the_last_bit(clips: torch.Tensor) -> None:
    weak = dict.fromkeys(("gamma", "zoom", "contrast"), 1.0)
    others = ("rotation_degrees", "shift", "brightness", "attenuation", "shadow", "haze", "speckle")
    weak |= dict.fromkeys((*others, "smoothing", "sector", "time_jitter", "frame_drop"), 0.0)
    settings = AugmentationSettings.off(**LOUD, **weak)
    assert augment(clips, settings, generator()).equal(clips.float())
    assert not draw(settings, 4, (5, 24, 40), generator()).drawn.any()


@pytest.mark.parametrize("name", [effect for effect in EFFECTS if f"{effect}_share" in SHARES])
def test_every_effect_changes_something_and_knows_its_name(clips: torch.Tensor, name: str) -> None:
    settings = AugmentationSettings.off(**{f"{name}_share": 1, "frame_drop": 0.5})
    drawn = draw(settings, 4, (5, 24, 40), generator())
    assert (name,) in {drawn.names(clip) for clip in range(4)}
    assert not apply(clips, drawn).equal(clips.float())


def test_only_the_clips_that_were_drawn_change(clips: torch.Tensor) -> None:
    settings = AugmentationSettings.off(attenuation_share=0.5, speckle_share=0.5, zoom_share=0.5)
    drawn = draw(settings, 4, (5, 24, 40), generator(2))
    same = (apply(clips, drawn) == clips).flatten(1).all(dim=1)
    assert same.tolist() == [not drawn.names(clip) for clip in range(4)]
    assert 0 < same.sum() < 4


@pytest.mark.parametrize(("setting", "axis"), [("flip_horizontal", -1), ("flip_vertical", -2)])
def test_a_flip_mirrors_and_nothing_else(clips: torch.Tensor, setting: str, axis: int) -> None:
    flipped = augment(clips, AugmentationSettings.off(**{setting: 1}), generator())
    assert torch.allclose(flipped, clips.float().flip(axis), atol=1e-2)


def test_gamma_keeps_black_and_white() -> None:
    ends = torch.tensor([0.0, 255.0]).view(1, 1, 1, 2).expand(4, 1, 2, 2).contiguous()
    varied = augment(ends, AugmentationSettings.off(gamma_share=1, gamma=2), generator())
    assert torch.allclose(varied, ends, atol=1e-2)


def test_a_rotation_keeps_proportions() -> None:
    """A disc stays a disc: angles are in pixels, not in the stretched coordinates of the grid."""
    y, x = torch.meshgrid(torch.arange(48.0), torch.arange(96.0), indexing="ij")
    disc = (255.0 * (((y - 23.5) ** 2 + (x - 47.5) ** 2) < 15**2)).expand(8, 1, 48, 96)
    turned = augment(disc, AugmentationSettings.off(rotation_degrees=45, rotation_share=1), generator())
    assert (turned - disc).abs().mean() < 4


def test_gray_levels_stay_in_range_and_the_same_seed_draws_the_same(clips: torch.Tensor) -> None:
    settings = AugmentationSettings.off(**LOUD)
    one, two = (augment(clips, settings, generator(7)) for _ in range(2))
    assert one.equal(two)
    assert not one.equal(augment(clips, settings, generator(8)))
    assert one.min() >= 0
    assert one.max() <= 255


def test_a_draw_can_be_applied_again_and_leaves_its_clips_alone(clips: torch.Tensor) -> None:
    drawn = draw(AugmentationSettings.off(**LOUD), 4, (5, 24, 40), generator())
    before = clips.float()
    given = before.clone()
    assert apply(given, drawn).equal(apply(given, drawn))
    assert given.equal(before)


def test_mixed_precision_of_the_network_does_not_reach_the_pixels(clips: torch.Tensor) -> None:
    drawn = draw(AugmentationSettings.off(**LOUD), 4, (5, 24, 40), generator())
    with torch.autocast("cpu", torch.bfloat16):
        mixed = apply(clips, drawn)
    assert mixed.equal(apply(clips, drawn))


def test_black_around_the_tissue_stays_black() -> None:
    geometry = {f"{name}_share": 0.0 for name in ("rotation", "zoom", "shift")}
    settings = AugmentationSettings.off(**{**LOUD, **geometry})
    clip = sector_clip()
    for seed in range(8):
        varied = augment(clip, settings, generator(seed))
        outside = torch.ones(60, 80, dtype=torch.bool)
        outside[10:50, 20:60] = False
        assert not varied[..., outside].any()


def test_haze_fills_dark_places_inside_the_tissue() -> None:
    settings = AugmentationSettings.off(haze_share=1, haze=1)
    hazy = [augment(sector_clip(), settings, generator(seed))[..., 25:35, 35:45].max() for seed in range(8)]
    assert max(hazy) > 50


def test_attenuation_takes_more_from_the_deep() -> None:
    dim = augment(sector_clip(), AugmentationSettings.off(attenuation_share=1), generator())
    assert dim[0, 0, 0, 12, 40] > dim[0, 0, 0, 48, 40] > 0


def test_smoothing_takes_speckle_and_keeps_edges() -> None:
    clip = sector_clip()
    rough = clip * (1 + 0.2 * torch.randn(clip.shape, generator=generator(1)))
    smooth = apply(
        rough.clamp(0, 255),
        draw(AugmentationSettings.off(smoothing_share=1), 1, (3, 60, 80), generator(), full=True),
    )
    inside = (..., slice(14, 21), slice(24, 56))
    assert smooth[inside].std() < 0.4 * rough[inside].std()
    assert smooth[..., 10, 30:50].mean() > 70


def test_another_sector_cuts_the_outline_and_leaves_the_rest() -> None:
    clip = sector_clip()
    cut = augment(clip, AugmentationSettings.off(sector_share=1, sector=1), generator())
    assert ((cut == 0) | (cut == clip)).float().mean() > 0.95
    assert (cut > 0).sum() < 0.95 * (clip > 0).sum()


@pytest.mark.parametrize("channels", [1, 3])
def test_frames_and_colors_are_varied_as_clips_are(channels: int) -> None:
    frames = torch.randint(0, 256, (3, channels, 24, 40), generator=generator(), dtype=torch.uint8)
    settings = AugmentationSettings.off(**LOUD)
    one = augment(frames, settings, generator(5))
    assert one.shape == frames.shape
    assert one.equal(augment(frames[:, :, None], settings, generator(5))[:, :, 0])


def test_labels_of_frames_follow_the_order_of_frames(clips: torch.Tensor) -> None:
    for changes in (
        {"time_jitter_share": 1},
        {"frame_drop_share": 1, "frame_drop": 0.5},
        {"shuffle_frames": 1},
    ):
        drawn = draw(AugmentationSettings.off(**changes), 4, (5, 24, 40), generator(1))
        varied, marks = apply(clips, drawn), clips.float()[:, 0, :, 0, 0]
        assert varied[:, 0, :, 0, 0].equal(marks.gather(1, drawn.frame_order))
        assert not drawn.frame_order.equal(torch.arange(5).expand(4, 5))


def test_jitter_and_loss_keep_the_last_frame_and_shuffling_keeps_all() -> None:
    loud = AugmentationSettings.off(time_jitter_share=1, time_jitter=3, frame_drop_share=1, frame_drop=0.5)
    order = draw(loud, 64, (9, 4, 4), generator()).frame_order
    assert (order[:, -1] == 8).all()
    assert (order.diff(dim=1) >= 0).all()
    shuffled = draw(AugmentationSettings.off(shuffle_frames=True), 64, (9, 4, 4), generator()).frame_order
    assert shuffled.sort(dim=1).values.equal(torch.arange(9).expand(64, 9))


def test_validation_is_shuffled_on_request_and_else_left_alone() -> None:
    shuffling = AugmentationSettings(shuffle_frames=True)
    assert shuffling.for_validation() == AugmentationSettings.off()
    asked = AugmentationSettings(shuffle_frames=True, shuffle_validation=True)
    assert asked.for_validation() == AugmentationSettings.off(shuffle_frames=True)


def test_an_empty_clip_stays_empty() -> None:
    black = torch.zeros(2, 1, 3, 16, 16)
    assert not augment(black, AugmentationSettings.off(**{**LOUD, "haze_share": 0}), generator()).any()
    assert not augment(black, AugmentationSettings.off(**LOUD), generator()).isnan().any()
