"""Whole simulated data sets on disk: the layouts that research groups keep their recordings in, and a label table."""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import cv2

from sonoplane.errors import UsageError
from sonoplane.records import Image
from sonoplane.video.phantom import PhantomExam, classes_of
from sonoplane.video.phantom_files import write_avi, write_dicom, write_png_folder

__all__ = [
    "split_patients",
    "write_e1_layout",
    "write_labels_csv",
    "write_s1_frames_layout",
    "write_s1_layout",
]

_COLUMNS = ("recording", "start", "stop", "label", "patient", "centre", "split")


def split_patients(exams: Iterable[PhantomExam], *, test: float = 1 / 3) -> dict[str, str]:
    """For each patient `train` or `test`; the last patients are tested.

    >>> from sonoplane.video.phantom import simulate
    >>> split_patients(simulate(patients=3))
    {'p00': 'train', 'p01': 'train', 'p02': 'test'}
    """
    patients = list(dict.fromkeys(exam.patient for exam in exams))
    first = len(patients) - max(1, round(test * len(patients)))
    return {patient: "train" if i < first else "test" for i, patient in enumerate(patients)}


def write_labels_csv(
    exams: Iterable[PhantomExam], path: Path, *, splits: Mapping[str, str] | None = None
) -> Path:
    """Write the label table `recording, start, stop, label, patient, centre, split`; `splits` goes by patient."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(_COLUMNS)
        for exam in exams:
            split = (splits or {}).get(exam.patient, "")
            for label in exam.labels:
                rows.writerow(
                    [exam.id, label.start, label.stop, label.label, exam.patient, exam.centre, split]
                )
    return path


def write_s1_layout(exams: Iterable[PhantomExam], folder: Path, *, test: float = 1 / 3) -> Path:
    """Write liver sweeps as PNG frames with one text file per frame, for the last patients under `test`.

    `{train,test}/videos/<exam>/<exam>_NNN.png`, `{train,test}/labels/<exam>/<exam>_NNN.txt`, `classes.json` (name to
    number), `exams.json` (a list of exam ids for each patient) and `{train,test}-infos.csv`, where the
    centre is what stands before the first `-` of `name-cvat`.
    """
    exams = list(exams)
    splits = _begin(exams, folder, test)
    for exam in exams:
        split = splits[exam.patient]
        write_png_folder(exam, folder / split / "videos" / exam.id)
        _write_frame_labels(exam, folder / split / "labels" / exam.id)
    return folder


def write_s1_frames_layout(exams: Iterable[PhantomExam], folder: Path, *, test: float = 1 / 3) -> Path:
    """Write liver sweeps as the 2D split of single frames, `{train,test}/<class number>/<exam>_NNN.png`.

    An exam's frames are spread over the folders of their classes. The tables beside are those of `write_s1_layout`.
    """
    exams = list(exams)
    splits = _begin(exams, folder, test)
    numbers = {name: i for i, name in enumerate(classes_of(exams[0].preset))}
    for exam in exams:
        for frame in exam.recording.frames():
            place = folder / splits[exam.patient] / str(numbers[exam.label(frame.index)])
            _write_image(place / f"{exam.id}_{frame.index:03d}.png", frame.image)
    return folder


def write_e1_layout(
    exams: Iterable[PhantomExam], folder: Path, *, files: Literal["dicom", "avi", "jpeg"] = "dicom"
) -> Path:
    """Write heart recordings as `<view>/<recording>.dcm` or `.avi` (15 frames a second), or as loose gray frames.

    The frames of `jpeg` are `<view>/<recording>_<n>.jpg`, n from 0 without leading zeros, all recordings of a view in
    its folder.
    """
    for exam in exams:
        place = folder / exam.label(0)
        if files == "dicom":
            write_dicom(exam, place / f"{exam.id}.dcm")
        elif files == "avi":
            write_avi(exam, place / f"{exam.id}.avi")
        else:
            for frame in exam.recording.frames():
                _write_image(place / f"{exam.id}_{frame.index}.jpg", frame.image)
    return folder


def _begin(exams: Sequence[PhantomExam], folder: Path, test: float) -> dict[str, str]:
    """Write the tables of a data set of sweeps, and tell each patient's part."""
    if not exams:
        raise UsageError("There is no exam to write.", advice="Simulate at least one patient.")
    splits = split_patients(exams, test=test)
    folder.mkdir(parents=True, exist_ok=True)
    infos: dict[str, list[list[str]]] = {"train": [], "test": []}
    for exam in exams:
        rows = infos[splits[exam.patient]]
        day = f"{exam.date[:4]}-{exam.date[4:6]}-{exam.date[6:]}"
        rows.append([str(len(rows)), exam.id, f"{exam.centre}-{exam.id}", day])
    for split, rows in infos.items():
        with (folder / f"{split}-infos.csv").open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(["id-video", "name-video", "name-cvat", "date"])
            table.writerows(rows)
    classes = {name: i for i, name in enumerate(classes_of(exams[0].preset))}
    (folder / "classes.json").write_text(json.dumps(classes, indent=1) + "\n", encoding="utf-8")
    lists = [[exam.id for exam in exams if exam.patient == patient] for patient in splits]
    (folder / "exams.json").write_text(json.dumps(lists, indent=1) + "\n", encoding="utf-8")
    return splits


def _write_image(path: Path, image: Image) -> None:
    """Write a frame in the format that the path's suffix names: PNG fast, JPEG at a quality where little is lost."""
    path.parent.mkdir(parents=True, exist_ok=True)
    how = [cv2.IMWRITE_PNG_COMPRESSION, 1] if path.suffix == ".png" else [cv2.IMWRITE_JPEG_QUALITY, 95]
    path.write_bytes(cv2.imencode(path.suffix, image, how)[1].tobytes())


def _write_frame_labels(exam: PhantomExam, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for frame in range(exam.recording.n_frames or 0):
        (folder / f"{exam.id}_{frame:03d}.txt").write_text(exam.label(frame) + "\n", encoding="utf-8")
