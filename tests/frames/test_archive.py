import multiprocessing
import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sonoplane.errors import DamagedRecording, LabelError, UsageError
from sonoplane.frames.archive import Archive, open_archive
from sonoplane.frames.archive_writer import create_archive
from sonoplane.frames.entries import EntryFacts, facts_of
from sonoplane.records import Facts, Frame, Label
from sonoplane.video.phantom import simulate
from tests.frames.archives import (
    BOX,
    CHOSEN,
    COLOR,
    GRAY,
    HASHES,
    SETTINGS,
    frames_of,
    images_of,
    write_archive,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_archive(tmp_path / "archive")
    return tmp_path / "archive"


def test_what_goes_in_comes_out(folder: Path):
    archive = open_archive(folder)
    assert [entry.id for entry in archive.entries] == ["color", "gray"]
    assert (archive.read("gray") == GRAY).all()
    assert (archive.read("color") == COLOR).all()
    assert archive.geometry == "source"
    assert archive.settings == SETTINGS
    entry = archive.entry("gray")
    assert (entry.n_frames, entry.height, entry.width, entry.color) == (37, 20, 30, False)
    assert entry.box == BOX
    assert (entry.patient, entry.split, entry.warnings, entry.fps) == ("p1", "train", ("odd",), None)
    assert (entry.scanner, entry.layout, entry.n_claimed) == ("Philips EPIQ", "epiq-1-0f3a", 40)
    assert (entry.region_origin, entry.region_confidence) == ("pixels", 0.75)
    assert archive.entry("color").color
    assert archive.name == "archive"


@pytest.mark.parametrize("shape", [(31, 17, 23), (6, 17, 23, 3), (3, 4, 4)])
def test_gray_levels_are_those_of_all_pixels(tmp_path: Path, shape: tuple[int, ...]):
    images = images_of(*shape)
    with create_archive(tmp_path, geometry="source", settings={}) as writer:
        entry = writer.add(EntryFacts(id="a"), frames_of(images))
    gray = images.mean(axis=-1) if len(shape) == 4 else images
    assert entry.gray_mean == pytest.approx(gray.mean(), rel=1e-12)
    assert entry.gray_std == pytest.approx(gray.std(), rel=1e-12)
    assert open_archive(tmp_path).entry("a") == entry


def test_a_black_recording_is_stored_and_read(tmp_path: Path):
    with create_archive(tmp_path, geometry="source", settings={}) as writer:
        entry = writer.add(EntryFacts(id="a"), frames_of(np.zeros((20, 4, 6), np.uint8)))
    assert (entry.gray_mean, entry.gray_std) == (0, 0)
    assert not open_archive(tmp_path).read("a").any()


def test_a_recording_tells_its_own_facts():
    recording = next(simulate("liver-sweep", patients=1)).recording
    facts = facts_of(recording, box=BOX, split="test", warnings=["odd"])
    own: Facts = recording.facts
    assert (facts.scanner, facts.n_claimed) == (own.scanner, recording.n_claimed)
    assert (facts.id, facts.box, facts.split, facts.warnings) == (recording.id, BOX, "test", ("odd",))


def test_arrays_beside_the_pixels_come_back(folder: Path):
    archive = open_archive(folder)
    assert (archive.subsample("gray") == CHOSEN).all()
    assert (archive.fingerprint("gray") == HASHES).all()
    assert (archive.subsample("color") == np.arange(5)).all()
    assert archive.fingerprint("color").shape[0] == 0


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"mask": CHOSEN}, "no array 'mask'"),
        ({"fingerprint": CHOSEN}, "shape"),
        ({"subsample": np.arange(6)}, "shape"),
    ],
)
def test_other_arrays_are_refused(folder: Path, arrays: dict[str, np.ndarray], message: str):
    with create_archive(folder, geometry="source", settings=SETTINGS) as writer:
        with pytest.raises(UsageError, match=message):
            writer.add(EntryFacts(id="new"), frames_of(COLOR), arrays=lambda: arrays)
        assert not writer.has("new")


def test_a_recording_is_taken_out_and_written_anew(folder: Path):
    with create_archive(folder, geometry="source", settings=SETTINGS) as writer:
        writer.remove("gray")
        assert not writer.has("gray")
        writer.remove("gray")
        writer.close()
        assert [entry.id for entry in open_archive(folder).entries] == ["color"]
        writer.add(EntryFacts(id="gray"), frames_of(COLOR))
        with pytest.raises(UsageError, match="cannot be"):
            writer.remove("../labels")
    assert (open_archive(folder).read("gray") == COLOR).all()
    assert not list((folder / "recordings").glob(".*"))


def test_texts_come_back(folder: Path):
    archive = open_archive(folder)
    assert archive.read_text("layouts.toml") == "margin = 1\n"
    assert archive.read_text("notes.csv") is None
    writer = create_archive(folder, geometry="source", settings=SETTINGS)
    writer.write_text("layouts.toml", "übrig\r\n")
    assert writer.read_text("layouts.toml") == archive.read_text("layouts.toml") == "übrig\r\n"
    for name in ("archive.json", "recordings", "../x", ".x"):
        with pytest.raises(UsageError, match="cannot name a text"):
            writer.write_text(name, "")


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
    (folder / "recordings" / ".new.2.x1.part").mkdir()  # of the recording `new.2`
    with create_archive(folder, geometry="source", settings=SETTINGS) as writer:
        writer.add(EntryFacts(id="new"), frames_of(GRAY))
    assert open_archive(folder).verify() == []
    assert [path.name for path in (folder / "recordings").glob(".*")] == [".new.2.x1.part"]


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
    archive_json.write_text(archive_json.read_text().replace('"format": 2', '"format": 9'))
    with pytest.raises(UsageError, match="format 9"):
        open_archive(folder)


def _sum(pickled: bytes, id: str, answers: "multiprocessing.Queue[int]") -> None:
    archive: Archive = pickle.loads(pickled)
    answers.put(int(archive.read(id).sum()))


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.parametrize("scheme", ["", "file://"])
def test_a_handle_is_used_in_other_processes(folder: Path, scheme: str, method: str):
    archive = open_archive(f"{scheme}{folder}")
    archive.read("gray", 0, 3)
    copy = pickle.loads(pickle.dumps(archive))
    assert copy.entries == archive.entries
    context = multiprocessing.get_context(method)
    answers = context.Queue()
    workers = [context.Process(target=_sum, args=(pickle.dumps(archive), "gray", answers)) for _ in range(2)]
    for worker in workers:
        worker.start()
    assert [answers.get(timeout=30) for _ in workers] == [int(GRAY.sum())] * 2
    for worker in workers:
        worker.join()
