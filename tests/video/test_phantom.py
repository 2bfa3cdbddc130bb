"""The simulated recordings: seeded, labelled, boxed, and as hard as they are meant to be."""

import itertools
import pickle

import numpy as np
import pytest
from scipy.stats import ks_2samp

from sonoplane.errors import UsageError
from sonoplane.video.phantom import MOTION_PAIR, PhantomSettings, classes_of, simulate

PRESETS = ("liver-sweep", "vessels", "echo-views")
SMALL = PhantomSettings(height=160, width=200, beams=64, samples=128)
"""For what does not hang on pixels."""


@pytest.mark.parametrize("preset", PRESETS)
def test_a_frame_is_the_same_whenever_it_is_read(preset) -> None:
    first = next(simulate(preset, patients=1, seed=5)).recording
    again = next(simulate(preset, patients=3, seed=5)).recording
    run = [frame.image for frame in first.frames(30, 40)]
    alone = next(again.frames(37)).image
    assert np.array_equal(run[7], alone)


def test_another_seed_shows_something_else() -> None:
    one, other = (next(next(simulate(seed=s)).recording.frames()).image for s in (1, 2))
    assert not np.array_equal(one, other)


def test_an_exam_travels_to_another_process() -> None:
    exam = next(simulate(seed=1))
    there = pickle.loads(pickle.dumps(exam))
    assert np.array_equal(next(exam.recording.frames()).image, next(there.recording.frames()).image)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_frame_has_one_class(preset) -> None:
    for exam in simulate(preset, patients=6):
        frames = [
            frame
            for label in exam.labels
            for frame in range(label.start or 0, label.stop or exam.recording.n_frames)
        ]
        assert frames == list(range(exam.recording.n_frames))
        assert {label.label for label in exam.labels} <= set(classes_of(preset))


def test_patients_differ_in_their_number_of_exams_and_centres() -> None:
    exams = list(simulate(patients=12))
    counts = {p: sum(e.patient == p for e in exams) for p in {e.patient for e in exams}}
    assert set(counts.values()) == {1, 2, 3}
    assert len({exam.centre for exam in exams}) == 3
    assert all(len({e.banner.patient_id for e in exams if e.patient == p}) == 1 for p in counts)


def test_all_planes_and_background_are_about_as_frequent_as_said() -> None:
    labels = [exam.label(f) for exam in simulate(patients=24) for f in range(120)]
    shares = {name: labels.count(name) / len(labels) for name in classes_of("liver-sweep")}
    assert 0.24 < shares.pop("background") < 0.32
    assert all(0.09 < share < 0.15 for share in shares.values())


def test_frames_have_the_size_asked_for() -> None:
    exam = next(simulate(settings=PhantomSettings(height=760, width=1200, frames=20)))
    frames = list(exam.recording.frames())
    assert len(frames) == 20
    assert frames[-1].image.shape == (760, 1200)
    assert frames[-1].time_s == pytest.approx(19 / 25)


def test_no_patients_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="at least one patient"):
        next(simulate(patients=0))


@pytest.mark.parametrize("preset", PRESETS)
def test_boxes_lie_in_the_sectors_box(preset) -> None:
    for exam in simulate(preset, patients=4):
        (region,) = exam.recording.facts.regions
        for frame in range(0, 120, 17):
            for box in exam.structures(frame).values():
                assert region.box.left <= box.left
                assert box.right <= region.box.right
                assert region.box.top <= box.top
                assert box.bottom <= region.box.bottom


@pytest.mark.parametrize("preset", ["liver-sweep", "vessels"])
def test_a_plane_has_its_structure_in_every_frame_and_background_in_none(preset) -> None:
    planes = set(classes_of(preset)) - {"background"}
    for exam in simulate(preset, patients=4, exams=(1, 1)):
        for frame in range(120):
            shown = planes & set(exam.structures(frame))
            assert shown == {exam.label(frame)} - {"background"}


@pytest.mark.parametrize("name", ["gallbladder", "aorta", "ivc"])
def test_a_box_of_fluid_is_darker_than_what_lies_around_it(name) -> None:
    darker = []
    for exam, label in _labels("liver-sweep", name, patients=6):
        frame = (label.start + label.stop) // 2
        box = exam.target(frame)
        image = next(exam.recording.frames(frame)).image
        outside = exam.mask.copy()
        outside[box.slices] = False
        middle = image[
            box.top + box.height // 3 : box.bottom - box.height // 3,
            box.left + box.width // 3 : box.right - box.width // 3,
        ]
        darker.append(middle.mean() < 0.75 * image[outside].mean())
    assert np.mean(darker) >= 0.8


@pytest.mark.parametrize("preset", PRESETS)
def test_banner_and_furniture_stay_outside_the_sector(preset) -> None:
    for exam in simulate(preset, patients=3, exams=(1, 1)):
        frames = np.stack([frame.image for frame in exam.recording.frames(0, 30)])
        box = exam.recording.facts.regions[0].box
        moving = frames.std(axis=0) > 0
        assert not moving[~exam.mask].any()
        assert not frames[:, ~exam.mask & _inside(box, exam.mask.shape)].any()
        banner = frames[0, : box.top]
        assert (banner > 150).sum() > 200


def test_speckle_decorrelates_from_frame_to_frame_but_not_at_once() -> None:
    exam = next(simulate(seed=3))
    run = max(exam.labels, key=lambda label: label.stop - label.start)
    frames = np.stack([f.image[exam.mask] for f in exam.recording.frames(run.start + 3, run.stop - 2)])
    near = np.corrcoef(frames[0], frames[1])[0, 1]
    far = np.corrcoef(frames[0], frames[-1])[0, 1]
    assert near > 0.75
    assert far < near - 0.1


@pytest.mark.parametrize(("preset", "patients"), [("liver-sweep", 60), ("vessels", 240)])
def test_the_motion_pair_swings_alike_but_not_at_one_pace(preset, patients) -> None:
    radii = {name: [] for name in MOTION_PAIR}
    pace = {name: [] for name in MOTION_PAIR}
    for name in MOTION_PAIR:
        for exam, label in _labels(preset, name, patients=patients, settings=SMALL):
            stage = exam.source.stage
            run = np.array([stage.scene.radius_mm(f) for f in range(label.start, label.stop)])
            radii[name].extend(run)
            pace[name].append(np.abs(np.diff(run)).max())
    fast, slow = (np.quantile(radii[name], [0.05, 0.25, 0.5, 0.75, 0.95]) for name in MOTION_PAIR)
    assert np.allclose(fast, slow, rtol=0.06)
    assert np.quantile(pace["aorta"], 0.02) > np.quantile(pace["ivc"], 0.98)


def test_nothing_but_pace_tells_the_motion_pair_apart() -> None:
    seen = {name: [] for name in MOTION_PAIR}
    for name in MOTION_PAIR:
        for exam, label in _labels("vessels", name, patients=200, settings=SMALL):
            box = exam.structures((label.start + label.stop) // 2)[name]
            scene = exam.source.stage.scene
            loud = scene.motion((label.start + label.stop) // 2).gain_db
            middle = (box.left + box.right) / 2, (box.top + box.bottom) / 2
            seen[name].append((label.start, label.stop - label.start, *middle, box.width, box.height, loud))
    for fast, slow in zip(*(np.array(seen[name], float).T for name in MOTION_PAIR), strict=True):
        assert ks_2samp(fast, slow).pvalue > 0.01


def test_a_heart_beats() -> None:
    exam = next(simulate("echo-views", patients=1, seed=4))
    areas = [
        box.width * box.height
        for frame in range(50)
        if (box := exam.structures(frame).get("left-ventricle")) is not None
    ]
    assert min(areas) < 0.8 * max(areas)


def _labels(preset, name, *, patients, settings=None):
    return [
        (exam, label)
        for exam in itertools.islice(simulate(preset, patients=patients, settings=settings), 3 * patients)
        for label in exam.labels
        if label.label == name
    ]


def _inside(box, shape):
    inside = np.zeros(shape, bool)
    inside[box.slices] = True
    return inside
