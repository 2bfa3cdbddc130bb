"""A copy of a recording is found however it was changed, and no other patient's recording is taken for one."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from sonoplane.clips.duplicates import near_duplicates
from sonoplane.frames.cleaning import clean
from sonoplane.frames.fingerprint import Fingerprint
from sonoplane.video.phantom import PhantomExam

CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "trimmed": lambda images: images[8:],
    "half the rate": lambda images: images[::2],
    "every third frame": lambda images: images[1::3],
    "smaller": lambda images: resized(images, 0.5),
    "larger": lambda images: resized(images, 2.3),
    "cropped": lambda images: images[:, 3:-3, 4:-4],
    "darker": lambda images: (255 * (images / 255) ** 1.4).astype(np.uint8),
    "brighter": lambda images: np.minimum(images * 1.2, 255).astype(np.uint8),
    "JPEG": lambda images: np.stack(
        [cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 30])[1], 0) for image in images]
    ),
}


def resized(images: np.ndarray, factor: float) -> np.ndarray:
    return np.stack(
        [cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA) for image in images]
    )


def prepared(exam: PhantomExam) -> np.ndarray:
    frames = clean(exam.recording)
    return np.stack([frame.image[frames.region.box.slices] for frame in frames])


def hashes_of(images: np.ndarray) -> np.ndarray:
    fingerprint = Fingerprint()
    for image in images:
        fingerprint.see(image)
    return fingerprint.hashes


@pytest.fixture(scope="module")
def originals(exams: list[PhantomExam]) -> dict[str, np.ndarray]:
    """One recording of each of six patients."""
    return {exam.id: prepared(exam) for exam in exams}


def test_recordings_of_different_patients_are_not_taken_for_copies(originals: dict[str, np.ndarray]):
    assert near_duplicates({name: hashes_of(images) for name, images in originals.items()}) == ()


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found(originals: dict[str, np.ndarray], change: str):
    for images in originals.values():
        copy = CHANGES[change](images)
        (pair,) = near_duplicates({"one": hashes_of(images), "two": hashes_of(copy)})
        assert pair.similarity > 0.8
