"""Boxes around what a network saw: where they lie, when there are none, and what becomes of them without training."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from sonoplane.errors import UsageError
from sonoplane.inference.localize import Localizer, box_of, can_localize
from sonoplane.inference.settings import RunSettings
from sonoplane.models.bundle import Bundle, save_bundle
from sonoplane.models.card import Card
from sonoplane.models.ensemble import save_ensemble
from sonoplane.models.registry import weights_of
from sonoplane.records import Box
from sonoplane.steps.weights import import_bundle
from sonoplane.video.opening import open_recording
from tests.models.tiny_networks import tiny, tiny_spec

SIZE = (48, 64)


def two_regions(left: float, right: float) -> np.ndarray:
    image = np.zeros((40, 80), np.float32)
    image[10:20, 10:20], image[10:20, 50:60] = left, right
    return image


def bundle_of(name: str, folder: Path, seed: int = 0) -> Bundle:
    network = tiny(name)
    weights = weights_of(network)
    if seed:
        draw = np.random.default_rng(seed)
        weights = {
            key: draw.permutation(value.ravel()).reshape(value.shape) for key, value in weights.items()
        }
    card = Card(classes=("heart", "liver", "other"), background="other", size=SIZE)
    return save_bundle(
        folder, name=name, version="1", spec=tiny_spec(name), card=card, weights=weights, recipe={}
    )


def test_the_region_that_counts_most_is_boxed_not_the_strongest_pixel() -> None:
    image = two_regions(1, 1.2)
    image[10:40, 10:20] = 1
    assert box_of(image, blur=0) == Box(left=10, top=10, right=20, bottom=40)


def test_blurring_joins_what_lies_close() -> None:
    image = np.zeros((40, 40), np.float32)
    image[10:30:4, 10:30] = 1
    assert box_of(image, blur=0) == Box(left=10, top=10, right=30, bottom=11)
    joined = box_of(image, blur=0.05)
    assert joined
    assert joined.overlap(Box(left=10, top=10, right=30, bottom=27)) > 0.7


def test_what_speaks_against_the_class_is_not_boxed() -> None:
    image = two_regions(1, -5)
    assert box_of(image, blur=0) == Box(left=10, top=10, right=20, bottom=20)
    assert box_of(np.minimum(two_regions(-1, -5), 0), blur=0) is None


def test_the_box_stays_with_its_region_until_another_counts_far_more() -> None:
    left, right = Box(left=10, top=10, right=20, bottom=20), Box(left=50, top=10, right=60, bottom=20)
    assert box_of(two_regions(1, 1.1), blur=0) == right
    assert box_of(two_regions(1, 1.1), blur=0, before=left) == left
    assert box_of(two_regions(1, 1.9), blur=0, before=left) == right
    assert box_of(two_regions(1, 1.1), blur=0, before=Box(left=0, top=30, right=5, bottom=35)) == right


@pytest.mark.parametrize(
    ("name", "run", "length"),
    [
        ("sononet2d-2", RunSettings(), 1),
        ("sononet3d-2", RunSettings(clip_length=6, clip_step=2), 6),
        ("sononet2plus1d-2-causal", RunSettings(), 9),
    ],
)
def test_each_frame_of_what_labels_a_frame_has_a_map(
    name: str, run: RunSettings, length: int, tmp_path: Path
) -> None:
    localizer = Localizer(bundle_of(name, tmp_path / "b"), run)
    clip = np.random.default_rng(0).normal(size=(length, 1, *SIZE)).astype(np.float32)
    told = [localizer(clip, target) for target in range(3)]
    assert localizer.sight.length == length
    assert all(maps.shape == (length, *SIZE) and maps.min() >= 0 for maps in told)
    assert max(maps[localizer.sight.place].max() for maps in told) > 0


def test_what_training_made_of_the_weights_makes_the_map(shared_data: Path, tmp_path: Path) -> None:
    """Adebayo et al., "Sanity checks for saliency maps", NeurIPS 2018: with the kernels shuffled, nothing is left."""
    fetal = import_bundle(shared_data / "sononet/SonoNet16.npz", tmp_path / "fetal")
    draw = np.random.default_rng(0)
    weights = {
        name: draw.permutation(value.ravel()).reshape(value.shape) if ".conv." in name else value
        for name, value in fetal.weights().items()
    }
    shuffled = save_bundle(
        tmp_path / "shuffled",
        name="shuffled",
        version="1",
        spec=fetal.spec,
        card=fetal.card,
        weights=weights,
        recipe={},
    )
    trained, untrained = (Localizer(one, RunSettings()) for one in (fetal, shuffled))
    for stem, label in (("FEMUR", "Femur"), ("KIDNEYS", "Kidneys"), ("BRAIN-CB", "Brain (Cb.)")):
        frame = next(open_recording(shared_data / f"sononet/images/{stem}.tiff").frames()).image
        clip = fetal.card.values([fetal.card.geometry(frame, fetal.card.fixed_box(*frame.shape[:2]))])
        number = fetal.card.classes.index(label)
        maps = [cv2.GaussianBlur(one(clip, number)[0], (0, 0), 8) for one in (trained, untrained)]
        assert not maps[1].any() or np.corrcoef(maps[0].ravel(), maps[1].ravel())[0, 1] < 0.5
        boxes = [box_of(image, blur=0) for image in maps]
        assert boxes[0]
        assert boxes[1] is None or boxes[0].overlap(boxes[1]) < 0.4


def test_networks_without_class_score_maps_are_refused(tmp_path: Path) -> None:
    echo = bundle_of("echo3dcnn", tmp_path / "echo")
    assert not can_localize(echo)
    with pytest.raises(UsageError, match="no class score maps"):
        Localizer(echo, RunSettings())


def test_an_ensemble_says_the_mean_of_what_its_members_say(tmp_path: Path) -> None:
    members = [bundle_of("sononet2d-2", tmp_path / str(seed), seed=seed) for seed in (0, 1)]
    named = {str(i): member for i, member in enumerate(members)}
    ensemble = save_ensemble(tmp_path / "both", name="both", version="1", members=named, recipe={})
    clip = np.random.default_rng(0).normal(size=(1, 1, *SIZE)).astype(np.float32)
    each = [Localizer(member, RunSettings())(clip, 1) for member in members]
    told = Localizer(ensemble, RunSettings())(clip, 1)
    totals = [float(maps.sum()) for maps in each]
    assert min(totals) > 0
    shares = np.mean([maps / total for maps, total in zip(each, totals, strict=True)], axis=0)
    np.testing.assert_allclose(told, shares * np.mean(totals), rtol=1e-3, atol=1e-5 * told.max())


@pytest.mark.parametrize(
    ("shape", "target", "told"),
    [
        ((1, 1, *SIZE), 3, "no class 3"),
        ((1, 1, *SIZE), -1, "no class -1"),
        ((2, 1, *SIZE), 0, "has 2 frames, and the network is given 1"),
        ((1, 1, 8, 8), 0, "are 8 x 8, and the network is given"),
    ],
)
def test_what_the_network_is_not_given_is_refused(
    shape: tuple[int, ...], target: int, told: str, tmp_path: Path
) -> None:
    localizer = Localizer(bundle_of("sononet2d-2", tmp_path / "b"), RunSettings())
    with pytest.raises(UsageError, match=told):
        localizer(np.zeros(shape, np.float32), target)
