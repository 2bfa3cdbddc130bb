from pathlib import Path

import numpy as np
import pytest

from sonoplane.errors import UsageError
from sonoplane.inference.settings import RunSettings
from sonoplane.inference.temporal_occlusion import TemporalOcclusion
from sonoplane.models.bundle import Bundle
from sonoplane.models.ensemble import save_ensemble
from tests.inference.planted import bundled, looking_at_one_cell, passing

RUN = RunSettings(mode="clip", clip_length=9, clip_step=2)


def flashing(frame: int, n_frames: int = 9) -> np.ndarray:
    """Dark but for a patch in one frame."""
    clip = np.zeros((n_frames, 1, 64, 96), np.float32)
    clip[frame, :, 8:24, 56:80] = 5
    return clip


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A SonoNet that answers bright patches, each as strongly as all others."""
    return bundled(tmp_path_factory.mktemp("b") / "sono", "sononet3d-2", passing("sononet3d-2"))


@pytest.mark.parametrize("frame", [3, 4, 5])
def test_the_frame_that_mattered_is_named(frame: int, bundle: Bundle) -> None:
    drops = TemporalOcclusion(bundle, RUN)(flashing(frame), 0)
    assert drops.shape == (9,)
    assert drops.argmax() == frame
    assert drops[frame] > 0
    assert drops[frame + 1] <= 0, "in its place the flash stands once more"
    assert not np.delete(drops, [frame, frame + 1]).any()


def test_what_spoke_against_a_class_is_below_zero(bundle: Bundle) -> None:
    assert TemporalOcclusion(bundle, RUN)(flashing(4), 2)[4] < 0


def test_a_frame_outside_of_what_the_network_looks_at_does_not_matter(tmp_path: Path) -> None:
    bundle = bundled(tmp_path / "echo", "echo3dcnn", looking_at_one_cell((1, 0, 1)))
    noise = np.random.default_rng(0).normal(size=(9, 1, 64, 96)).astype(np.float32)
    drops = TemporalOcclusion(bundle, RUN)(noise, 0)
    assert not drops[:3].any()
    assert np.all(drops[4:] != 0)


def test_an_ensemble_of_one_network_twice_says_what_the_network_says(bundle: Bundle, tmp_path: Path) -> None:
    members = {"a": bundle, "b": bundle}
    both = save_ensemble(tmp_path / "both", name="both", version="1", members=members, recipe={})
    clip = flashing(4)
    told = [TemporalOcclusion(each, RUN)(clip, 0) for each in (bundle, both)]
    np.testing.assert_allclose(told[1], told[0], rtol=1e-4, atol=1e-6)


def test_a_dense_network_is_asked_for_the_clip_that_explains_a_frame(bundle: Bundle) -> None:
    told = TemporalOcclusion(bundle, RunSettings(mode="dense"))
    assert told.sight.length == 9
    assert told(flashing(4), 0).argmax() == 4


def test_a_clip_of_another_length_and_an_unknown_class_are_refused(bundle: Bundle) -> None:
    told = TemporalOcclusion(bundle, RUN)
    with pytest.raises(UsageError, match="has 10 frames, and the network is given 9"):
        told(flashing(4, 10), 0)
    with pytest.raises(UsageError, match="from 0 to 2"):
        told(flashing(4), 3)


def test_single_frames_are_refused(tmp_path: Path) -> None:
    frames = bundled(tmp_path / "frames", "sononet2d-2", passing("sononet2d-2"))
    with pytest.raises(UsageError, match="one frame at a time"):
        TemporalOcclusion(frames, RUN)
