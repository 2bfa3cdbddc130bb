"""What `prepare` promises beyond what the training tests need of it."""

import csv
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import sonoplane.steps.prepare as prepare_step
from sonoplane.clips.labels import write_labels
from sonoplane.errors import SplitError, UsageError
from sonoplane.frames.archive import open_archive
from sonoplane.steps.jobs import Jobs
from sonoplane.steps.prepare import Prepared, prepare, verify
from sonoplane.steps.private import Secrets, open_private
from sonoplane.steps.recipe import layered
from sonoplane.steps.train import train
from sonoplane.video.phantom import PhantomExam

SMALL = {
    "input": {"height": 32, "width": 48},
    "network": {"name": "sononet2d-4"},
    "training": {"epochs": 1, "batch": 8, "every": 4},
    "split": {"train": 0.5, "validation": 0.25, "test": 0.25},
}
KEY = b"a key that all archives of this test share"


@pytest.fixture(scope="module")
def labels(exams: list[PhantomExam], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("labels") / "planes.csv"
    write_labels(path, [row for exam in exams for row in exam.labels])
    return path


@pytest.fixture
def secrets(tmp_path: Path) -> Secrets:
    (tmp_path / "key").write_bytes(KEY)
    return Secrets(key=tmp_path / "key")


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_worker_processes_leave_the_same_bytes_as_this_process_alone(
    sweeps: Path, labels: Path, secrets: Secrets, tmp_path: Path
) -> None:
    archives = []
    for name, jobs in (("alone", Jobs()), ("two", Jobs(workers=2))):
        out = tmp_path / name / "archive"
        done = prepare(
            [sweeps], out, labels={"planes": labels}, recipe=layered(SMALL), jobs=jobs, secrets=secrets
        )
        assert (done.n_done, done.failures) == (6, ())
        archives.append(digests(out))
    assert archives[0] == archives[1]


def test_a_prepare_that_was_killed_goes_on_to_the_same_bytes(
    sweeps: Path, labels: Path, secrets: Secrets, tmp_path: Path
) -> None:
    whole, killed = tmp_path / "whole" / "archive", tmp_path / "killed" / "archive"
    prepare([sweeps], whole, labels={"planes": labels}, recipe=layered(SMALL), secrets=secrets)
    command = [
        sys.executable, "-m", "sonoplane", "prepare", str(sweeps), "--out", str(killed), "--labels",
        f"planes={labels}", "--key", "key", "--workers", "0", "--input.height", "32", "--input.width", "48",
        "--train", "0.5", "--validation", "0.25", "--test", "0.25",
    ]  # fmt: skip
    one = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    recordings = killed / "recordings"
    while one.poll() is None and len(list(recordings.glob("[!.]*"))) < 2:
        time.sleep(0.005)
    one.send_signal(signal.SIGKILL)
    one.wait()
    assert len(list(recordings.glob("[!.]*"))) < 6
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    assert digests(killed) == digests(whole)


def test_a_job_that_was_done_twice_is_done(
    sweeps: Path, labels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def twice(job, items, **settings):  # as when a worker stores a recording and is given up before it tells
        for item in items:
            job(item)
            yield item, job(item)

    monkeypatch.setattr(prepare_step, "run_jobs", twice)
    done = prepare([sweeps], tmp_path / "a", labels={"planes": labels}, recipe=layered(SMALL))
    assert done.n_new
    assert not done.failures


def test_a_second_run_reads_no_source(sweeps: Path, labels: Path, tmp_path: Path) -> None:
    source = Path(shutil.copytree(sweeps, tmp_path / "source"))
    prepare([source], tmp_path / "a", labels={"planes": labels}, recipe=layered(SMALL))
    for path in source.iterdir():  # as large and as old as before, but nothing that could be opened
        stat = path.stat()
        path.write_bytes(bytes(stat.st_size))
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    again = prepare([source], tmp_path / "a", labels={"planes": labels}, recipe=layered(SMALL))
    assert (again.n_done, again.n_new, again.failures) == (6, 0, ())


def test_a_source_that_could_not_be_read_is_taken_once_it_is_whole(
    sweeps: Path, labels: Path, tmp_path: Path
) -> None:
    source = Path(shutil.copytree(sweeps, tmp_path / "source"))
    one = min(source.glob("*.dcm"))
    whole = one.read_bytes()
    one.write_bytes(whole[: len(whole) // 3])
    first = prepare([source], tmp_path / "a", labels={"planes": labels}, recipe=layered(SMALL))
    assert (first.n_done, [failure.recording for failure in first.failures]) == (5, [one.stem])
    one.write_bytes(whole)
    second = prepare([source], tmp_path / "a", labels={"planes": labels}, recipe=layered(SMALL))
    assert (second.n_done, second.n_new, second.failures) == (6, 1, ())


def test_two_archives_of_one_key_share_pseudonyms_and_a_table_chooses_them(
    sweeps: Path, labels: Path, exams: list[PhantomExam], secrets: Secrets, tmp_path: Path
) -> None:
    recipe = layered(SMALL)
    prepare([sweeps], tmp_path / "a", labels={"planes": labels}, recipe=recipe, secrets=secrets)
    names = tmp_path / "names.csv"
    first = exams[0]
    names.write_text(f"kind,original,pseudonym\npatient,{first.patient},liver-1\nrecording,{first.id},one\n")
    chosen = replace(secrets, pseudonyms=names)
    prepare([sweeps], tmp_path / "b", labels={"planes": labels}, recipe=recipe, secrets=chosen)
    a, b = (open_archive(tmp_path / name) for name in "ab")
    assert b.entry("one").patient == "liver-1"
    assert len({entry.id for entry in a.entries} & {entry.id for entry in b.entries}) == 5
    again = prepare([sweeps], tmp_path / "b", labels={"planes": labels}, recipe=recipe)
    assert (again.n_done, again.n_new) == (6, 0), "chosen names hold without being given again"
    with pytest.raises(UsageError, match="renames 2 of what the archive holds"):
        prepare([sweeps], tmp_path / "a", labels={"planes": labels}, recipe=recipe, secrets=chosen)
    again = prepare([sweeps], tmp_path / "a", labels={"planes": labels}, recipe=recipe)
    assert (again.n_done, again.n_new) == (6, 0), "names that were refused are not kept"


def test_another_key_than_the_archives_is_refused(sweeps: Path, labels: Path, tmp_path: Path) -> None:
    prepare([sweeps], tmp_path / "a", labels={"planes": labels}, recipe=layered(SMALL))
    (tmp_path / "key").write_bytes(KEY)
    with pytest.raises(UsageError, match="begun with another key"):
        prepare(
            [sweeps], tmp_path / "a", labels={"planes": labels}, recipe=layered(SMALL),
            secrets=Secrets(key=tmp_path / "key"),
        )  # fmt: skip


def test_labels_that_now_tell_another_patient_are_refused(
    sweeps: Path, labels: Path, exams: list[PhantomExam], tmp_path: Path
) -> None:
    prepare([sweeps], tmp_path / "a", labels={"planes": labels}, recipe=layered(SMALL))
    rows = [replace(row, patient="p99") for row in exams[0].labels]
    write_labels(tmp_path / "other.csv", rows)
    with pytest.raises(SplitError, match="another patient for 1 of the recordings"):
        prepare([sweeps], tmp_path / "a", labels={"planes": tmp_path / "other.csv"}, recipe=layered(SMALL))


def test_check_finds_a_flipped_byte(sweeps: Path, labels: Path, tmp_path: Path) -> None:
    prepare([sweeps], tmp_path / "a", labels={"planes": labels}, recipe=layered(SMALL))
    assert verify(tmp_path / "a") == []
    chunk = max((tmp_path / "a" / "recordings").rglob("pixels/c/*/*/*"), key=lambda path: path.stat().st_size)
    damaged = bytearray(chunk.read_bytes())
    damaged[len(damaged) // 2] ^= 0xFF
    chunk.write_bytes(damaged)
    assert len(verify(tmp_path / "a")) == 1


def test_frames_without_a_label_are_background_where_the_source_is_exhaustive(
    sweeps: Path, exams: list[PhantomExam], tmp_path: Path
) -> None:
    shown = [row for exam in exams for row in exam.labels if row.label != "background"]
    write_labels(tmp_path / "planes.csv", shown)
    recipe = layered(SMALL, {"labels": {"exhaustive": ("planes",)}})
    prepare([sweeps], tmp_path / "a", labels={"planes": tmp_path / "planes.csv"}, recipe=recipe)
    store = open_archive(tmp_path / "a")
    n_labelled = sum((row.stop or 0) - (row.start or 0) for row in store.labels("planes"))
    assert n_labelled == sum(entry.n_frames for entry in store.entries)
    assert "background" in {row.label for row in store.labels("planes")}


def test_color_is_kept_unless_told_and_then_its_cost_is(exams: list[PhantomExam], tmp_path: Path) -> None:
    from PIL import Image as Pillow

    for exam in exams[:4]:
        folder = tmp_path / "sweeps" / exam.id
        folder.mkdir(parents=True)
        for frame in exam.recording.frames(0, 8):
            tinted = np.stack([frame.image, frame.image, np.minimum(frame.image, 254) // 2 * 2], axis=-1)
            Pillow.fromarray(tinted).save(folder / f"{frame.index:03d}.png")
    owner = {"split": {**SMALL["split"], "each_recording_is_a_patient": True}}
    for name, store in (("color", {}), ("grey", {"store": {"grey": True}})):
        done = prepare([tmp_path / "sweeps"], tmp_path / name, labels={}, recipe=layered(SMALL, owner, store))
        assert {entry.color for entry in open_archive(tmp_path / name).entries} == {name == "color"}
        assert any("gray levels were rounded by" in note for note in done.notes) == (name == "grey")


def twins(sweeps: Path, tmp_path: Path) -> Path:
    """Sweeps of which one is there twice, under the names of two patients."""
    source = Path(shutil.copytree(sweeps, tmp_path / "source"))
    shutil.copy(min(source.glob("*.mp4")), source / "p77-e0.mp4")
    return source


def owned(exams: list[PhantomExam], path: Path) -> Path:
    row = replace(exams[1].labels[0], recording="p77-e0", patient="p77", start=None, stop=None)
    write_labels(path, [*(row for exam in exams for row in exam.labels), row])
    return path


def test_one_recording_under_two_patients_stops_the_run_until_somebody_has_looked(
    sweeps: Path, exams: list[PhantomExam], tmp_path: Path
) -> None:
    source, tables = twins(sweeps, tmp_path), {"planes": owned(exams, tmp_path / "planes.csv")}
    with pytest.raises(SplitError, match=r"near-duplicates\.csv"):
        prepare([source], tmp_path / "a", labels=tables, recipe=layered(SMALL))
    with pytest.raises(SplitError):
        train(tmp_path / "a", task="planes", out=tmp_path / "b", recipe=layered(SMALL))
    review = tmp_path / "a-private" / "near-duplicates.csv"
    with review.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [{row["recording"], row["other"]} for row in rows] == [{exams[1].id, "p77-e0"}]
    review.write_text(review.read_text().replace(",\n", ",different\n"))
    done = prepare([source], tmp_path / "a", labels=tables, recipe=layered(SMALL))
    assert (done.n_done, done.n_new) == (7, 0)
    train(tmp_path / "a", task="planes", out=tmp_path / "b", recipe=layered(SMALL))


def test_a_corrected_outline_prepares_its_recordings_anew_and_no_others(
    sweeps: Path, labels: Path, tmp_path: Path
) -> None:
    prepare([sweeps], tmp_path / "a", labels={"planes": labels}, recipe=layered(SMALL))
    before = open_archive(tmp_path / "a")
    path = tmp_path / "a" / "layouts.toml"
    first = before.entries[0]
    assert first.box is not None
    assert first.layout is not None
    corrected = corrected_outline(
        path.read_text(), first.layout.partition("@")[0], "[[60, 60], [140, 60], [140, 120], [60, 120]]"
    )
    path.write_text(corrected)
    done = prepare([sweeps], tmp_path / "a", labels={"planes": labels}, recipe=layered(SMALL))
    after = open_archive(tmp_path / "a")
    anew = [entry.id for entry in after.entries if entry.sha256 != before.entry(entry.id).sha256]
    assert first.id in anew
    assert len(anew) == done.n_new < 6
    box = after.entry(first.id).box
    assert box is not None
    assert (box.left, box.top, box.right, box.bottom) == (60, 60, 141, 121)


def corrected_outline(text: str, layout: str, outline: str) -> str:
    """The layouts with another outline for one of them, as an editor would leave them."""
    lines, mine, skipping = [], False, False
    for line in text.splitlines():
        if line.startswith("name"):
            mine = f'"{layout}"' in line
        if mine and line.startswith("outline"):
            lines.append(f"outline = {outline}")
            skipping = not line.rstrip().endswith("]]")
            continue
        if skipping:
            skipping = line.strip() != "]"
            continue
        lines.append(line)
    return "\n".join(lines) + "\n"


def test_what_was_prepared_is_told(sweeps: Path, labels: Path, tmp_path: Path) -> None:
    done: Prepared = prepare([sweeps], tmp_path / "a", labels={"planes": labels}, recipe=layered(SMALL))
    sheet = (tmp_path / done.private / "sheet.html").read_text()
    page = (tmp_path / "a" / "statistics.html").read_text()
    for entry in open_archive(tmp_path / "a").entries:
        assert f"sheet/{entry.id}.jpg" in sheet
        assert (tmp_path / done.private / "sheet" / f"{entry.id}.jpg").exists()
    assert "kidney" in page
    assert set(open_private(tmp_path / "a").sources) == {path.stem for path in sweeps.iterdir()}


def test_what_was_not_stored_yet_keeps_its_part(
    sweeps: Path, exams: list[PhantomExam], secrets: Secrets, tmp_path: Path
) -> None:
    """Labels that come in two parts, as public data sets do, have validation drawn among those who train."""
    parts = {exam.id: "test" if exam is exams[-1] else "train" for exam in exams}
    write_labels(
        tmp_path / "planes.csv",
        [replace(row, split=parts[exam.id]) for exam in exams for row in exam.labels],
    )
    archive = tmp_path / "a"

    def run() -> dict[str, str]:
        tables = {"planes": tmp_path / "planes.csv"}
        prepare([sweeps], archive, labels=tables, recipe=layered(SMALL), secrets=secrets)
        return digests(archive)

    whole = run()
    validates = [entry.id for entry in open_archive(archive).entries if entry.split == "validation"]
    assert validates
    for id in validates:  # as if killed before these
        shutil.rmtree(archive / "recordings" / id)
    assert run() == whole


def test_a_part_that_the_labels_gainsay_by_now_is_drawn_anew(
    sweeps: Path, labels: Path, exams: list[PhantomExam], tmp_path: Path
) -> None:
    prepare([sweeps], tmp_path / "a", labels={"planes": labels}, recipe=layered(SMALL))
    entries = open_archive(tmp_path / "a").entries
    names = open_private(tmp_path / "a").names
    train_id = next(entry.id for entry in entries if entry.split == "train")
    test_id = next(entry.id for entry in entries if entry.split == "test")
    of = {exam.id: exam for exam in exams}
    shutil.rmtree(tmp_path / "a" / "recordings" / test_id)
    rows = [
        replace(row, patient=of[names[train_id]].patient if exam.id == names[test_id] else row.patient)
        for exam in exams
        for row in exam.labels
    ]
    write_labels(tmp_path / "one.csv", rows)
    prepare([sweeps], tmp_path / "a", labels={"planes": tmp_path / "one.csv"}, recipe=layered(SMALL))
    assert open_archive(tmp_path / "a").entry(test_id).split == "train"


def test_a_folder_without_recordings_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="There is no recording"):
        prepare([tmp_path / "empty"], tmp_path / "a", labels={}, recipe=layered(SMALL))
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_a_name_that_is_no_text_is_a_row_among_the_failures(
    sweeps: Path, labels: Path, tmp_path: Path
) -> None:
    source = Path(shutil.copytree(sweeps, tmp_path / "source"))
    try:
        Path(os.fsdecode(os.fsencode(source) + b"/\xff.mp4")).write_bytes(b"no recording")
    except OSError:
        pytest.skip("file names must be text here")
    done = prepare([source], tmp_path / "a", labels={"planes": labels}, recipe=layered(SMALL))
    assert (done.n_done, len(done.failures)) == (6, 1)
    assert r"\udcff.mp4" in (tmp_path / "a-private" / "failures.csv").read_text(encoding="utf-8")


def test_two_at_once_into_one_archive_are_refused(sweeps: Path, labels: Path, tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    prepare([sweeps], tmp_path / "a", labels={"planes": labels}, recipe=layered(SMALL))
    with open_private(tmp_path / "a").alone(), pytest.raises(UsageError, match="Another process"):
        prepare([sweeps], tmp_path / "a", labels={"planes": labels}, recipe=layered(SMALL))
    again = prepare([sweeps], tmp_path / "a", labels={"planes": labels}, recipe=layered(SMALL))
    assert again.n_done == 6


def test_a_lost_list_of_sources_is_written_again(
    sweeps: Path, labels: Path, secrets: Secrets, tmp_path: Path
) -> None:
    prepare([sweeps], tmp_path / "a", labels={"planes": labels}, recipe=layered(SMALL), secrets=secrets)
    whole, listed = digests(tmp_path / "a"), tmp_path / "a-private" / "recordings.csv"
    told = listed.read_text()
    listed.unlink()
    done = prepare([sweeps], tmp_path / "a", labels={"planes": labels}, recipe=layered(SMALL))
    assert (done.n_done, done.n_new, done.failures) == (6, 6, ())
    assert (digests(tmp_path / "a"), listed.read_text()) == (whole, told)
    listed.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="not as it was written"):
        prepare([sweeps], tmp_path / "a", labels={"planes": labels}, recipe=layered(SMALL))


def test_recordings_of_a_corrected_layout_whose_sources_are_gone_are_told(
    sweeps: Path, labels: Path, tmp_path: Path
) -> None:
    source = Path(shutil.copytree(sweeps, tmp_path / "source"))
    prepare([source], tmp_path / "a", labels={"planes": labels}, recipe=layered(SMALL))
    first = open_archive(tmp_path / "a").entries[0]
    assert first.layout is not None
    path = tmp_path / "a" / "layouts.toml"
    outline = "[[60, 60], [140, 60], [140, 120], [60, 120]]"
    path.write_text(corrected_outline(path.read_text(), first.layout.partition("@")[0], outline))
    next(source.glob(f"{open_private(tmp_path / 'a').names[first.id]}.*")).unlink()
    done = prepare([source], tmp_path / "a", labels={"planes": labels}, recipe=layered(SMALL))
    assert [note for note in done.notes if note.startswith("1 recording is blanked as before layouts.toml")]


def test_a_source_named_by_another_folder_is_told(sweeps: Path, labels: Path, tmp_path: Path) -> None:
    source = Path(shutil.copytree(sweeps, tmp_path / "above" / "source"))
    prepare([source], tmp_path / "a", labels={"planes": labels}, recipe=layered(SMALL))
    done = prepare([source.parent], tmp_path / "a", labels={"planes": labels}, recipe=layered(SMALL))
    assert any("6 of these recordings are in the archive under other names" in note for note in done.notes)


def test_a_task_that_cannot_name_a_file_is_told_before_any_work(
    sweeps: Path, labels: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="cannot name a task"):
        prepare([sweeps], tmp_path / "a", labels={"a/b": labels}, recipe=layered(SMALL))
    assert not (tmp_path / "a-private").exists()
