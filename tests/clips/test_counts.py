"""Frames, recordings and patients per class: the tables add up, and what a part lacks is told."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from sonoplane.clips.clip_counts import count_clips
from sonoplane.clips.counts import NO_LABEL, CountedRecording, Counts, count_classes, count_parts
from sonoplane.clips.gray_levels import GrayLevels, pool_gray
from sonoplane.clips.labels import frame_labels
from sonoplane.clips.mismatches import frame_mismatches
from sonoplane.clips.policies import cut
from sonoplane.clips.windows_settings import Policy, WindowSettings
from sonoplane.errors import LabelError, UsageError
from sonoplane.records import Label

CLASSES = ("background", "kidney", "liver")


def sweep(name: str, n_frames: int, patient: str, split: str | None = "train") -> CountedRecording:
    return CountedRecording(id=name, n_frames=n_frames, patient=patient, split=split)


def run(name: str, label: str, start: int | None = None, stop: int | None = None) -> Label:
    return Label(recording=name, label=label, start=start, stop=stop)


SWEEPS = (
    replace(sweep("a", 10, "p1"), subsample=[0, 4, 9], centre="Bern"),
    sweep("b", 5, "p1"),
    sweep("c", 8, "p2"),
    sweep("d", 6, "p3", "test"),
    sweep("e", 7, "p4", "test"),
)
ROWS = (
    run("a", "liver", 0, 4),
    run("a", "kidney", 4, 9),
    run("b", "liver"),
    run("c", "kidney"),
    run("d", "liver"),
)


def cell(counts: Counts, split: str, name: str) -> tuple[object, ...]:
    row = next(row for row in counts.by_class if (row["split"], row["class"]) == (split, name))
    return tuple(row[what] for what in ("patients", "recordings", "frames", "subsampled"))


def test_classes_are_counted_per_part() -> None:
    counts = count_classes(SWEEPS, ROWS, CLASSES)
    assert cell(counts, "train", "liver") == (1, 2, 9, 6)
    assert cell(counts, "train", "kidney") == (2, 2, 13, 9)
    assert cell(counts, "train", NO_LABEL) == (1, 1, 1, 1)
    assert cell(counts, "test", NO_LABEL) == (1, 1, 7, 7)
    assert cell(counts, "all", "liver") == (2, 3, 15, 12)
    assert cell(counts, "test", "kidney") == (0, 0, 0, 0)


def test_every_patient_has_a_row_for_each_class_that_he_shows() -> None:
    first, *_ = rows = count_classes(SWEEPS, ROWS, CLASSES).by_patient
    assert first == {
        "split": "train", "centre": "", "patient": "p1", "class": "liver",
        "recordings": 1, "frames": 5, "subsampled": 5,
    }  # fmt: skip
    assert [row["class"] for row in rows if row["centre"] == "Bern"] == ["kidney", "liver", NO_LABEL]


def test_a_class_without_patients_or_with_only_one_is_told() -> None:
    counts = count_classes(SWEEPS, ROWS, CLASSES, parts=("train", "validation", "test"))
    assert counts.parts == ("train", "validation", "test")
    assert counts.warnings == (
        "'background' has no patient in 'train'.",
        "'liver' has only one patient in 'train'.",
        "No recording is in 'validation'.",
        "'background' has no patient in 'test'.",
        "'kidney' has no patient in 'test'.",
        "'liver' has only one patient in 'test'.",
    )


def test_imbalance_is_the_commonest_over_the_rarest() -> None:
    counts = count_classes(SWEEPS, ROWS, CLASSES[1:])
    assert counts.imbalance == {"train": 1.44, "test": None, "all": 1.15}


@pytest.mark.parametrize("seed", range(20))
def test_the_tables_of_any_archive_add_up(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sweeps, rows = random_archive(rng)
    counts = count_classes(sweeps, rows, CLASSES)
    whole = count_parts(sweeps)
    for part in (*counts.parts, "all"):
        mine = [row for row in counts.by_class if row["split"] == part]
        total = next(row for row in whole if row["split"] == part)
        for what in ("frames", "subsampled"):
            assert sum(row[what] for row in mine) == total[what]
    assert sum(row["frames"] for row in counts.by_patient) == whole[-1]["frames"]
    numbers = [frame_labels(rows, item.id, item.n_frames, CLASSES) for item in sweeps]
    for number, name in enumerate(CLASSES):
        assert cell(counts, "all", name)[2] == sum(int((mine == number).sum()) for mine in numbers)


@pytest.mark.parametrize("policy", ["one-label-only", "centre", "last", "majority", "per-frame"])
def test_kept_and_dropped_clips_are_all_that_were_placed(policy: Policy) -> None:
    sweeps, rows = random_archive(np.random.default_rng(1))
    windows = WindowSettings(length=8, stride=3, policy=policy)
    made = [cut(frame_labels(rows, item.id, item.n_frames, CLASSES), windows=windows) for item in sweeps]
    clips = count_clips(sweeps, rows, CLASSES, windows=windows)
    for part in ("train", "test", "all"):
        total = next(row for row in clips.by_class if (row["split"], row["class"]) == (part, "all"))
        mine = [one for one, item in zip(made, sweeps, strict=True) if part in (item.split, "all")]
        assert total["kept"] == sum(len(one) for one in mine)
        assert sum(total[why] for why in ("mixed", "unlabelled", "tie", "short")) == sum(
            one.n_dropped for one in mine
        )
    assert clips.n_unused == sum(one.n_unused for one in made)
    assert len(clips.short) == sum(item.n_frames < 8 for item in sweeps)


def test_a_short_recording_has_a_row() -> None:
    clips = count_clips(SWEEPS[1:2], ROWS, CLASSES, windows=WindowSettings(length=10))
    assert clips.short == (
        {"recording": "b", "n_frames": 5, "note": "Too short for a clip (5 of 10 frames): skipped."},
    )


def test_an_unknown_class_is_refused() -> None:
    with pytest.raises(LabelError, match="no such class"):
        count_classes(SWEEPS, ROWS, ["liver"])


def test_an_archive_without_split_is_one_part() -> None:
    counts = count_classes([sweep("a", 10, "p1", None)], ROWS, CLASSES)
    assert counts.parts == ("(no part)",)
    assert count_parts([])[-1]["recordings"] == 0


def test_the_length_is_known_only_if_that_of_every_recording_is() -> None:
    timed = [replace(item, duration_s=0.5) for item in SWEEPS]
    assert count_parts(timed)[-1]["duration_s"] == 2.5
    assert count_parts([*timed, sweep("f", 4, "p5")])[-1]["duration_s"] is None


def test_pooled_gray_levels_are_those_of_all_pixels_together() -> None:
    rng = np.random.default_rng(0)
    pixels = [rng.integers(low, 256, size) for low, size in [(0, 900), (200, 50), (90, 3000)]]
    sweeps = [sweep(str(place), 1, str(place)) for place in range(3)]
    levels = [GrayLevels(n_pixels=p.size, mean=p.mean(), std=p.std()) for p in pixels]
    pooled = pool_gray(sweeps, levels)[0]
    together = np.concatenate(pixels) / 255
    assert pooled["mean"] == pytest.approx(together.mean(), abs=1e-6)
    assert pooled["std"] == pytest.approx(together.std(), abs=1e-6)
    with pytest.raises(UsageError):
        pool_gray(sweeps, levels[:2])


def test_a_part_without_pixels_has_no_gray_level() -> None:
    assert pool_gray(SWEEPS[:1], [GrayLevels(n_pixels=0, mean=0.0, std=0.0)])[0]["mean"] is None


def test_frame_counts_that_do_not_match_are_told() -> None:
    sweeps = [replace(sweep("a", 10, "p1"), n_claimed=12), replace(sweep("b", 5, "p1"), n_claimed=5)]
    tasks = {"view": [run("a", "liver", 0, 4), run("b", "liver")], "other": [run("a", "liver", 2, 5)]}
    assert [(row["recording"], row["expected"], row["from"]) for row in frame_mismatches(sweeps, tasks)] == [
        ("a", 12, "file"),
        ("a", 4, "labels of view"),
    ]


def random_archive(rng: np.random.Generator) -> tuple[list[CountedRecording], list[Label]]:
    """Some recordings, of which some are labelled in runs, some as a whole, and some not."""
    sweeps, rows = [], []
    for place in range(12):
        n_frames = int(rng.integers(2, 60))
        chosen = np.flatnonzero(rng.random(n_frames) < 0.5)
        item = sweep(f"r{place}", n_frames, f"p{rng.integers(5)}", ("train", "test")[place % 2])
        sweeps.append(replace(item, subsample=chosen))
        edges = sorted({int(edge) for edge in rng.integers(0, n_frames + 1, 4)})
        if place % 4 == 0:
            rows.append(run(item.id, str(rng.choice(CLASSES))))
        elif place % 4 != 1:
            rows += [run(item.id, str(rng.choice(CLASSES)), *ends) for ends in pairwise(edges)]
    return sweeps, rows
