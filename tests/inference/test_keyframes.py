from collections.abc import Sequence

import numpy as np
import pytest

from sonoplane.inference.explaining import Sight
from sonoplane.inference.keyframes import KeyFrameChooser, sharpness
from sonoplane.inference.predictor import Seen
from sonoplane.inference.settings import KeyFrameSettings
from sonoplane.records import Box, Frame, KeyFrame, Segment

CLASSES = ("background", "kidney", "liver")
SHARP = np.random.default_rng(0).integers(0, 256, (32, 48), dtype=np.uint8)
FLAT = np.tile(np.linspace(0, 255, 48).astype(np.uint8), (32, 1))


def seen(
    index: int, label: str, *, logit: float = 4.0, image: np.ndarray = SHARP, fps: float | None = 10
) -> Seen:
    logits = np.zeros(3, np.float32)
    logits[CLASSES.index(label)] = logit
    frame = Frame(index=index, time_s=index / fps if fps else None, image=image)
    return Seen(frame=frame, prepared=image, logits=logits)


def choose(sweep: list[Seen], segments: list[Segment], **settings: float) -> tuple[KeyFrame, ...]:
    chooser = KeyFrameChooser(CLASSES, CLASSES[1:], KeyFrameSettings.model_validate(settings))
    for one in sweep:
        chooser.add(one)
    return chooser.choose(segments)


def run(start: int, stop: int, label: str) -> Segment:
    return Segment(start=start, stop=stop, label=label, probability=0.9)


def test_the_surest_frame_of_a_run_comes_first() -> None:
    sweep = [seen(i, "kidney", logit=6.0 if i == 7 else 4.0) for i in range(12)]
    keyframes = choose(sweep, [run(0, 12, "kidney")], apart_s=0.5)
    assert keyframes[0].frame == 7
    assert "run of 12 frames (0 to 11)" in keyframes[0].reason


def test_key_frames_of_a_plane_are_apart_in_time() -> None:
    sweep = [seen(i, "kidney", logit=4 + 0.01 * (i % 7)) for i in range(60)]
    keyframes = choose(sweep, [run(0, 60, "kidney")], apart_s=1.0, per_plane=4)
    times = sorted(k.time_s or 0 for k in keyframes)
    assert len(times) == 4
    assert min(np.diff(times)) >= 1.0


def test_without_frame_times_key_frames_are_apart_in_frames() -> None:
    sweep = [seen(i, "kidney", fps=None) for i in range(60)]
    keyframes = choose(sweep, [run(0, 60, "kidney")], apart_frames=15)
    frames = sorted(k.frame for k in keyframes)
    assert all(k.time_s is None for k in keyframes)
    assert min(np.diff(frames)) >= 15


def test_a_sharp_frame_is_preferred_to_a_blurred_one_that_is_slightly_surer() -> None:
    sweep = [seen(i, "kidney") for i in range(10)]
    sweep[4] = seen(4, "kidney", logit=4.5, image=FLAT)
    keyframes = choose(sweep, [run(0, 10, "kidney")], per_plane=1)
    assert keyframes[0].frame != 4


def test_a_blurred_frame_is_shown_where_it_is_all_there_is() -> None:
    sweep = [seen(i, "background") for i in range(20)] + [seen(20, "liver", image=FLAT)]
    keyframes = choose(sweep, [run(0, 20, "background"), run(20, 21, "liver")], min_run=1)
    assert [k.frame for k in keyframes] == [20]


def test_a_plane_that_flashes_up_for_a_frame_is_not_found() -> None:
    sweep = [seen(i, "liver" if i == 5 else "background") for i in range(20)]
    segments = [run(0, 5, "background"), run(5, 6, "liver"), run(6, 20, "background")]
    assert choose(sweep, segments) == ()


def test_flickers_of_great_certainty_do_not_crowd_out_a_long_run() -> None:
    sweep = [seen(i, "liver" if i % 20 == 10 else "background", logit=9.0) for i in range(200)]
    sweep += [seen(200 + i, "liver", logit=2.5) for i in range(100)]
    segments = [run(i, i + 1, "liver" if i % 20 == 10 else "background") for i in range(200)]
    keyframes = choose(sweep, [*segments, run(200, 300, "liver")])
    assert len(keyframes) == 3
    assert all(k.frame >= 200 for k in keyframes)


def test_a_still_image_is_its_own_key_frame() -> None:
    (keyframe,) = choose([seen(0, "liver", fps=None)], [run(0, 1, "liver")])
    assert (keyframe.frame, keyframe.label, keyframe.sharpness) == (0, "liver", 1.0)
    assert keyframe.reason == "The only frame."


def test_an_unsure_frame_and_the_background_are_never_key_frames() -> None:
    sweep = [seen(i, "background" if i % 2 else "kidney", logit=0.2) for i in range(20)]
    assert choose(sweep, [run(i, i + 1, "kidney") for i in range(20)], min_run=1) == ()


def test_candidates_do_not_grow_with_the_recording() -> None:
    chooser = KeyFrameChooser(CLASSES, CLASSES[1:], KeyFrameSettings(per_plane=2))
    for i in range(500):
        chooser.add(seen(i, "kidney", logit=4 + np.sin(i)))
    assert sum(len(held) for held in chooser._candidates.values()) <= 4


def test_what_is_known_of_sharpness_stops_growing_and_stays_about_right(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sonoplane.inference.keyframes._MOST_REMEMBERED", 64)
    chooser = KeyFrameChooser(CLASSES, CLASSES[1:])
    for sharp in np.random.default_rng(0).permutation(5000):
        chooser._remember(float(sharp))
        assert len(chooser._sharpness_so_far) <= 64
    assert chooser._rank(2500.0) == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("gain", [0.25, 0.5])
def test_gain_does_not_change_sharpness(gain: float) -> None:
    darker = (SHARP * gain).astype(np.uint8)
    assert sharpness(darker) == pytest.approx(sharpness(SHARP), rel=0.02)


def test_a_frame_of_one_value_has_no_sharpness() -> None:
    assert sharpness(np.full((8, 8), 7, np.uint8)) == 0


@pytest.mark.parametrize(
    ("sight", "best", "expected"),
    [
        (Sight(), 5, [5]),
        (Sight(length=4, place=3), 7, [4, 5, 6, 7]),
        (Sight(length=4, place=3), 2, [0, 0, 1, 2]),
        (Sight(length=3, step=3, place=2), 8, [2, 5, 8]),
        (Sight(length=3, step=3, place=2), 4, [0, 1, 4]),
        (Sight(length=5, place=2), 6, [4, 5, 6, 7, 8]),
        (Sight(length=5, place=2), 11, [9, 10, 11, 11, 11]),
        (Sight(length=5, step=2, place=2), 9, [5, 7, 9, 11, 11]),
    ],
)
def test_a_key_frame_is_located_by_the_frames_that_are_looked_at_with_it(
    sight: Sight, best: int, expected: list[int]
) -> None:
    asked: list[list[int]] = []

    def locate(prepared: Sequence[np.ndarray], plane: str) -> Box:
        assert plane == "kidney"
        asked.append([int(image[0, 0]) for image in prepared])
        return Box(left=best, top=0, right=best + 1, bottom=1)

    chooser = KeyFrameChooser(CLASSES, CLASSES[1:], KeyFrameSettings(per_plane=1), sight=sight)
    for i in range(12):
        image = SHARP.copy()
        image[0, 0] = i
        chooser.add(seen(i, "kidney", logit=6.0 if i == best else 4.0, image=image))
    (keyframe,) = chooser.choose([run(0, 12, "kidney")], locate)
    assert keyframe.frame == best
    assert asked == [expected]
    assert keyframe.box
    assert keyframe.box.left == best
