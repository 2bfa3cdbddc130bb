from pathlib import Path

import numpy as np
import pytest

from sonoplane.errors import UsageError
from sonoplane.frames.archive import Archive, open_archive
from sonoplane.frames.archive_place import place_of
from sonoplane.frames.archive_writer import ArchiveWriter, create_archive
from sonoplane.frames.entries import EntryFacts
from sonoplane.records import Box, Frame
from sonoplane.training.clips_dataset import NO_SAMPLE, ClipDataset
from sonoplane.training.samples import Samples
from tests.training.tiny_archive import CARD, parts_of


def sample(recording: str, *frames: int) -> Samples:
    return Samples(recording=recording, frames=np.array([frames]), targets=np.array([[1]]))


def test_a_batch_holds_the_frames_of_the_archive_in_the_order_asked_for(tiny_archive: Archive) -> None:
    data = ClipDataset(tiny_archive, CARD, [sample("r0", 3, 3, 1), sample("r2", 0, 1, 2)])
    batch = data.batch(np.array([1, 0]))
    assert np.array_equal(batch.images[0], tiny_archive.read("r2", 0, 3))
    assert np.array_equal(batch.images[1], tiny_archive.read_frames("r0", [3, 3, 1]))
    assert batch.targets.tolist() == [[1], [1]]
    assert data.recordings == ("r0", "r2")


@pytest.mark.parametrize("form", ["frames", "clips", "dense"])
def test_what_is_kept_in_memory_equals_what_is_read(tiny_archive: Archive, form: str) -> None:
    kept, read = (parts_of(tiny_archive, form, cache_bytes=size)[0] for size in (1e9, 0))  # type: ignore[arg-type]  # a plain word
    numbers = np.array([5, 0, 13, 2])
    one, other = kept.batch(numbers), read.batch(numbers)
    assert one.images.equal(other.images)
    assert one.targets.equal(other.targets)


def test_what_is_no_sample_has_no_label(tiny_archive: Archive) -> None:
    batch = parts_of(tiny_archive, "dense")[0].batch(np.array([0, NO_SAMPLE]))
    assert (batch.targets[1] == -1).all()
    assert batch.numbers.tolist() == [0, -1]


def test_each_recording_is_read_once_in_a_batch_and_no_frame_twice(tiny_archive: Archive) -> None:
    reads: list[tuple[str, list[int]]] = []

    class Counting(Archive):
        def read_frames(self, id: str, indices: list[int]) -> np.ndarray:  # type: ignore[override]  # counts
            reads.append((id, list(indices)))
            return super().read_frames(id, indices)

    archive = Counting(tiny_archive.place)
    parts_of(archive, "clips", cache_bytes=0)[0].batch(np.arange(10))
    assert [name for name, _ in reads] == ["r0", "r1"]
    assert all(len(frames) == len(set(frames)) == 12 for _, frames in reads)


def test_gray_and_color_recordings_mix_and_are_resized(tmp_path: Path) -> None:
    create_archive(tmp_path / "a", geometry="source", settings={})
    dice = np.random.default_rng(0)
    images = {
        "color": dice.integers(0, 256, (20, 30, 3)).astype(np.uint8),
        "gray": dice.integers(0, 256, (20, 30)).astype(np.uint8),
    }
    with ArchiveWriter(place_of(tmp_path / "a"), geometry="source") as writer:
        for name, image in images.items():
            facts = EntryFacts(id=name, fps=1.0, box=Box(left=0, top=0, right=30, bottom=20))
            writer.add(facts, iter([Frame(index=0, time_s=0.0, image=image)]))
    archive = open_archive(tmp_path / "a")
    data = ClipDataset(archive, CARD, [sample("gray", 0), sample("color", 0)], cache_bytes=1e6)
    batch = data.batch(np.array([0, 1]))
    assert tuple(batch.images.shape) == (2, 1, *CARD.size, 3)
    assert np.array_equal(batch.images[1, 0], CARD.geometry(images["color"]))
    assert np.array_equal(batch.images[0, 0, ..., 2], CARD.geometry(images["gray"]))


def test_clips_of_several_lengths_are_refused(tiny_archive: Archive) -> None:
    with pytest.raises(UsageError, match="several lengths"):
        ClipDataset(tiny_archive, CARD, [sample("r0", 0, 1), sample("r1", 0)])
