"""The floors find what a plain rule can find, and no more."""

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from sonoplane.errors import UsageError
from sonoplane.metrics.floors import majority_floor, mean_frame_floor, thumbnail_floor, thumbnails

Images = list[npt.NDArray[np.uint8]]


def blobs(n: int, *, seed: int, tell: bool = True) -> tuple[Images, npt.NDArray[np.int64]]:
    """Noisy frames with a bright patch at the left or the right, or nowhere that the class tells."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    images = []
    for side in labels if tell else rng.integers(0, 2, n):
        image = rng.integers(0, 120, (48, 64), dtype=np.uint8)
        image[10:30, 8 + 32 * side : 24 + 32 * side] += 100
        images.append(image)
    return images, labels


def test_thumbnails_are_area_means() -> None:
    image = np.random.default_rng(0).integers(0, 256, (96, 128), dtype=np.uint8)
    theirs = cv2.resize(image.astype(np.float32), (32, 32), interpolation=cv2.INTER_AREA)
    assert np.allclose(thumbnails([image])[0].reshape(32, 32), theirs, atol=1e-3)


@pytest.mark.parametrize("shape", [(75, 101), (20, 7), (50, 60, 3)])
def test_thumbnails_keep_the_mean_of_any_size(shape: tuple[int, ...]) -> None:
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    assert thumbnails([image]).shape == (1, 1024)
    assert thumbnails([image]).mean() == pytest.approx(image.mean(), abs=1e-3)


def test_what_one_frame_tells_is_found() -> None:
    floor = thumbnail_floor(*blobs(60, seed=0), *blobs(40, seed=1))
    assert floor.accuracy > 0.95
    assert floor.answers.shape == (40,)


def test_what_no_frame_tells_is_not_found() -> None:
    assert thumbnail_floor(*blobs(200, seed=0, tell=False), *blobs(200, seed=1, tell=False)).accuracy < 0.62


def test_the_mean_frame_hides_motion() -> None:
    left, right = (np.full((32, 32), fill, dtype=np.uint8) for fill in (40, 200))
    runs = [[left, right] if i % 2 else [right, left] for i in range(20)]
    labels = [i % 2 for i in range(20)]
    assert mean_frame_floor(runs, labels, runs, labels).accuracy == 0.5
    still = [[left, left] if i % 2 else [right, right] for i in range(20)]
    assert mean_frame_floor(still, labels, still, labels).accuracy == 1.0


def test_unlabelled_items_are_left_out() -> None:
    images, labels = blobs(60, seed=0)
    labels[:20] = -1
    floor = thumbnail_floor(images, labels, images, labels)
    assert floor.accuracy == 1.0
    assert len(floor.answers) == 60
    assert majority_floor([-1, -1, 2], [2, -1, 1]).accuracy == 0.5


def test_floors_without_labels_or_with_one_class_are_refused() -> None:
    images, labels = blobs(4, seed=0)
    with pytest.raises(UsageError, match="fewer than two classes"):
        thumbnail_floor(images, [1] * 4, images, labels)
    with pytest.raises(UsageError, match="has no label"):
        thumbnail_floor(images, [0, 1, 0, 1], images, [-1] * 4)
