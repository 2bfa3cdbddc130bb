import multiprocessing
import pickle
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sonoplane.errors import DamagedRecording, LabelError, UsageError
from sonoplane.frames.archive import Archive, open_archive
from sonoplane.frames.archive_writer import create_archive
from sonoplane.frames.entries import EntryFacts
from sonoplane.records import Box, Frame, Label

SETTINGS = {"region": {"margin_px": 1}}


def images_of(n_frames: int, *shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (n_frames, *shape)).astype(np.uint8)


def frames_of(images: np.ndarray, *, fps: float | None = 10.0) -> Iterator[Frame]:
    for index, image in enumerate(images):
        yield Frame(index=index, time_s=None if fps is None else index / fps, image=image)


GRAY, COLOR = images_of(37, 20, 30), images_of(5, 8, 9, 3, seed=1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "archive"
    box = Box(left=1, top=2, right=31, bottom=22)
    with create_archive(folder, geometry="source", settings=SETTINGS) as writer:
        writer.add(
            EntryFacts(id="gray", patient="p1", split="train", box=box, warnings=("odd",)), frames_of(GRAY)
        )
        writer.add(EntryFacts(id="color", fps=10.0), frames_of(COLOR, fps=None))
        writer.add_labels("plane", [Label(recording="gray", label="liver", start=0, stop=9)])
    return folder


def test_what_goes_in_comes_out(folder: Path):
    archive = open_archive(folder)
    assert [entry.id for entry in archive.entries] == ["color", "gray"]
    assert (archive.read("gray") == GRAY).all()
    assert (archive.read("color") == COLOR).all()
    assert archive.geometry == "source"
    assert archive.settings == SETTINGS
    entry = archive.entry("gray")
    assert (entry.n_frames, entry.height, entry.width, entry.color) == (37, 20, 30, False)
    assert entry.box == Box(left=1, top=2, right=31, bottom=22)
    assert (entry.patient, entry.split, entry.warnings, entry.fps) == ("p1", "train", ("odd",), None)
    assert archive.entry("color").color


def test_frames_are_read_by_number(folder: Path):
    archive = open_archive(folder)
    assert (archive.read("gray", 15, 18) == GRAY[15:18]).all()
    assert (archive.read_frames("gray", [30, 2, 2, 16]) == GRAY[[30, 2, 2, 16]]).all()
    assert archive.read_frames("color", []).shape == (0, 8, 9, 3)
    assert archive.read("gray", 5, 5).shape == (0, 20, 30)
    for start, stop in [(-1, 3), (0, 38), (5, 4)]:
        with pytest.raises(UsageError, match="37 frames"):
            archive.read("gray", start, stop)
    with pytest.raises(UsageError, match="37 frames"):
        archive.read_frames("gray", [3, 37])


def test_times_are_kept_where_there_are_any(folder: Path):
    archive = open_archive(folder)
    assert np.allclose(archive.times_s("gray"), np.arange(37) / 10)
    assert archive.times_s("color") is None


def test_labels_come_back(folder: Path):
    archive = open_archive(folder)
    assert archive.tasks == ("plane",)
    assert archive.labels("plane") == (Label(recording="gray", label="liver", start=0, stop=9),)
    with pytest.raises(LabelError, match=r"no labels for the task 'zone'.* plane"):
        archive.labels("zone")


def test_an_archive_goes_on_where_it_stopped(folder: Path):
    with create_archive(folder, geometry="source", settings=SETTINGS) as writer:
        assert writer.has("gray")
        assert not writer.has("new")
        with pytest.raises(UsageError, match="already"):
            writer.add(EntryFacts(id="gray"), frames_of(GRAY))
        writer.add(EntryFacts(id="new"), frames_of(COLOR))
    assert [entry.id for entry in open_archive(folder).entries] == ["color", "gray", "new"]


def test_a_recording_that_fails_leaves_nothing(folder: Path):
    def broken() -> Iterator[Frame]:
        yield from frames_of(GRAY)
        raise DamagedRecording("It ends here.", advice="Copy it again.")

    with create_archive(folder, geometry="source", settings=SETTINGS) as writer:
        with pytest.raises(DamagedRecording):
            writer.add(EntryFacts(id="broken"), broken())
        with pytest.raises(DamagedRecording, match="no frame"):
            writer.add(EntryFacts(id="empty"), iter(()))
        with pytest.raises(DamagedRecording, match="shape"):
            writer.add(EntryFacts(id="mixed"), [*frames_of(GRAY), *frames_of(COLOR)])
    assert sorted(path.name for path in (folder / "recordings").iterdir()) == ["color", "gray"]


def test_the_leavings_of_a_killed_writer_are_cleared(folder: Path):
    (folder / "recordings" / ".new.x1.part").mkdir()
    with create_archive(folder, geometry="source", settings=SETTINGS) as writer:
        writer.add(EntryFacts(id="new"), frames_of(GRAY))
    assert open_archive(folder).verify() == []
    assert not list((folder / "recordings").glob(".*"))


def test_other_settings_do_not_mix(folder: Path):
    with pytest.raises(UsageError, match="begun with another"):
        create_archive(folder, geometry="source", settings={})
    with pytest.raises(UsageError, match="begun with another"):
        create_archive(folder, geometry="card:12ab", settings=SETTINGS)
    with pytest.raises(UsageError, match="no geometry"):
        create_archive(folder, geometry="card:", settings=SETTINGS)


def test_a_damaged_head_stops_the_writer_with_advice(folder: Path):
    (folder / "recordings" / "gray" / "zarr.json").write_text("{")
    writer = create_archive(folder, geometry="source", settings=SETTINGS)
    with pytest.raises(DamagedRecording, match=r"'gray' .* damaged. Delete"):
        writer.close()
    (folder / "archive.json").write_text("{")
    with pytest.raises(UsageError, match="begun with another"):
        create_archive(folder, geometry="source", settings=SETTINGS)


def test_a_folder_of_other_things_is_left_alone(tmp_path: Path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="not an archive"):
        create_archive(tmp_path, geometry="source", settings={})
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden", "a\nb", "x" * 201])
def test_an_id_that_could_leave_the_archive_is_refused(name: str):
    with pytest.raises(UsageError, match="cannot be a recording's id"):
        EntryFacts(id=name)


def test_missing_and_damaged_archives_say_what_to_do(folder: Path, tmp_path: Path):
    with pytest.raises(UsageError, match=r"not an archive.*sonoplane prepare"):
        open_archive(tmp_path / "nowhere")
    manifest = folder / "manifest.parquet"
    manifest.write_bytes(manifest.read_bytes()[:50])
    with pytest.raises(UsageError, match=r"manifest .* is damaged"):
        open_archive(folder)
    manifest.unlink()
    with pytest.raises(UsageError, match="was not finished"):
        open_archive(folder)
    with create_archive(folder, geometry="source", settings=SETTINGS):
        pass
    assert len(open_archive(folder)) == 2
    archive_json = folder / "archive.json"
    archive_json.write_text(archive_json.read_text().replace('"format": 1', '"format": 9'))
    with pytest.raises(UsageError, match="format 9"):
        open_archive(folder)


def test_verify_finds_lost_altered_and_broken_pixels(folder: Path):
    assert open_archive(folder).verify() == []
    chunk = next(
        path for path in (folder / "recordings" / "gray" / "pixels" / "c").rglob("*") if path.is_file()
    )
    whole = chunk.read_bytes()
    chunk.write_bytes(whole[:10])
    assert open_archive(folder).verify() == ["Recording 'gray' of the archive is damaged."]
    chunk.unlink()
    assert open_archive(folder).verify() == [
        "The pixels of recording 'gray' are not those that were written."
    ]
    shutil.rmtree(folder / "recordings" / "color")
    assert open_archive(folder).verify()[0] == "Recording 'color' of the archive is damaged."


def _sum(archive: Archive, id: str, answers: "multiprocessing.Queue[int]") -> None:
    answers.put(int(archive.read(id).sum()))


def test_a_handle_survives_a_fork_and_a_pickle(folder: Path):
    archive = open_archive(folder)
    archive.read("gray", 0, 3)
    copy = pickle.loads(pickle.dumps(archive))
    assert copy.entries == archive.entries
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    workers = [context.Process(target=_sum, args=(archive, "gray", answers)) for _ in range(2)]
    for worker in workers:
        worker.start()
    assert [answers.get(timeout=30) for _ in workers] == [int(GRAY.sum())] * 2
    for worker in workers:
        worker.join()
