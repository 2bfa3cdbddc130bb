"""What `explain` leaves beside what `predict` does: boxes, maps, a page and a video of the cleaned frames."""

import csv
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sonoplane.errors import UsageError
from sonoplane.inference.attribution_settings import AttributionSettings
from sonoplane.inference.explaining import Sight, run_of_maps
from sonoplane.inference.localize import Localizer, near
from sonoplane.models.bundle import Bundle, save_bundle
from sonoplane.models.registry import build, network_spec, weights_of
from sonoplane.records import Box, Frame
from sonoplane.report.findings_json import read, validate
from sonoplane.steps.explain import Asked, explain_all
from sonoplane.steps.explaining_maps import View, mapped
from sonoplane.steps.predict import predict_all
from sonoplane.steps.recipe import Recipe, layered
from sonoplane.video.opening import open_recording
from sonoplane.video.phantom import PhantomExam

SHOWN = layered({"keyframes": {"min_probability": 0.0, "min_run": 1, "per_plane": 1}})


@pytest.fixture(scope="module")
def clips(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A small 3D SonoNet that has learned nothing."""
    return save_bundle(
        tmp_path_factory.mktemp("bundles") / "clips",
        name="clips",
        version="1",
        spec=network_spec("sononet3d-2", n_classes=len(bundle.card.classes)),
        card=bundle.card,
        weights=weights_of(build(network_spec("sononet3d-2", n_classes=len(bundle.card.classes)), seed=1)),
        recipe={},
    )


@pytest.fixture(scope="module")
def source(sweeps: Path) -> Path:
    return min(sweeps.glob("*.mp4"))


@pytest.fixture(scope="module")
def left(bundle: Bundle, source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one recording, with each frame explained for one plane."""
    out = tmp_path_factory.mktemp("explained")
    explain_all([source], bundle=bundle, out=out, recipe=SHOWN, asked=Asked(target=bundle.card.protocol[0]))
    return out / source.stem


def test_all_that_predict_leaves_is_there_and_says_the_same(
    left: Path, bundle: Bundle, source: Path, tmp_path: Path
) -> None:
    predict_all([source], bundle=bundle, out=tmp_path, recipe=SHOWN)
    before = {path.relative_to(tmp_path / source.stem) for path in (tmp_path / source.stem).rglob("*")}
    after = {path.relative_to(left) for path in left.rglob("*")}
    more = {path.parts[0] for path in after - before}
    assert before <= after
    assert more == {"overlay.mp4", "explanation.html", "maps"}
    said, told = (read(folder / "findings.json") for folder in (tmp_path / source.stem, left))
    for key in ("recording_label", "segments", "keyframes", "planes", "region"):
        assert said[key] == told[key]
    assert (left.parent / "index.html").is_file()


def test_each_frame_has_a_box_inside_the_region(left: Path, bundle: Bundle) -> None:
    findings = read(left / "findings.json")
    validate(findings)
    region = findings["region"]
    assert [box["frame"] for box in findings["boxes"]] == list(range(24))
    for told in findings["boxes"]:
        box = told["box"]
        assert told["label"] == bundle.card.protocol[0]
        assert region["left"] <= box["left"] < box["right"] <= region["right"]
        assert region["top"] <= box["top"] < box["bottom"] <= region["bottom"]


def test_the_video_has_each_frame_at_its_time_and_words_below_it(left: Path, source: Path) -> None:
    before, after = open_recording(source), open_recording(left / "overlay.mp4")
    frames = list(after.frames())
    assert after.width == before.width
    assert after.height == before.height + 22
    assert [f.time_s for f in frames] == pytest.approx([f.time_s for f in before.frames()], abs=2e-3)
    assert frames[5].image[-18:].max() > 150  # letters


def test_what_was_blanked_stays_blank_in_every_picture(left: Path, source: Path) -> None:
    """The names above the sector are in the source and in nothing that is left."""
    region = Box(
        **{side: read(left / "findings.json")["region"][side] for side in ("left", "top", "right", "bottom")}
    )
    assert next(open_recording(source).frames()).image[: region.top].max() > 100
    for path in (left / "maps").iterdir():
        picture = np.asarray(Image.open(path)).copy()
        box = next(
            k["box"] for k in read(left / "findings.json")["keyframes"] if k["image"].endswith(path.name)
        )
        assert box is not None
        picture[region.slices] = 0
        assert picture.max() == 0
    for frame in open_recording(left / "overlay.mp4").frames():
        assert frame.image[: region.top - 2].max() < 40  # but for the codec's ringing


def test_boxes_are_of_the_classes_that_frames_were_given(
    bundle: Bundle, source: Path, tmp_path: Path
) -> None:
    explain_all([source], bundle=bundle, out=tmp_path, recipe=SHOWN)
    folder = tmp_path / source.stem
    findings = read(folder / "findings.json")
    rows = list(csv.DictReader((folder / "timeline.csv").read_text(encoding="utf-8").splitlines()))
    told = {box["frame"]: box["label"] for box in findings["boxes"]}
    assert told == {int(r["frame"]): r["label"] for r in rows if r["label"] != "background"}
    assert findings["settings"]["explain"] == {
        "method": "guided-backprop",
        "target": None,
        "frames": "all",
    }


def test_key_frames_only_makes_no_video(clips: Bundle, source: Path, tmp_path: Path) -> None:
    recipe = layered({"run": {"clip_length": 6, "clip_step": 2}}, SHOWN.model_dump(include={"keyframes"}))
    asked = Asked(frames="keyframes")
    explain_all([source], bundle=clips, out=tmp_path, recipe=recipe, asked=asked)
    folder = tmp_path / source.stem
    findings = read(folder / "findings.json")
    assert findings["boxes"] == []
    assert not (folder / "overlay.mp4").exists()
    assert {path.name for path in (folder / "maps").iterdir()} == {
        Path(k["image"]).name for k in findings["keyframes"]
    }
    assert "looked at together" in (folder / "explanation.html").read_text(encoding="utf-8")


def test_the_box_of_a_key_frame_is_that_of_its_own_plane(
    bundle: Bundle, source: Path, left: Path, tmp_path: Path
) -> None:
    """Whatever class was asked for."""
    other = bundle.card.protocol[1]
    explain_all([source], bundle=bundle, out=tmp_path, recipe=SHOWN, asked=Asked(target=other))
    both = [read(folder / "findings.json") for folder in (left, tmp_path / source.stem)]
    assert both[0]["keyframes"] == both[1]["keyframes"]
    assert both[1]["settings"]["explain"]["other_keyframe_boxes"] == "guided-backprop"


def test_where_no_boxes_are_wanted_key_frames_have_none(bundle: Bundle, source: Path, tmp_path: Path) -> None:
    plain = layered(SHOWN.model_dump(include={"keyframes"}), {"localization": {"keyframes": False}})
    explain_all([source], bundle=bundle, out=tmp_path, recipe=plain, asked=Asked(frames="keyframes"))
    keyframes = read(tmp_path / source.stem / "findings.json")["keyframes"]
    assert keyframes
    assert not any(keyframe["box"] for keyframe in keyframes)


def test_integrated_gradients_that_do_not_add_up_say_so(bundle: Bundle, source: Path, tmp_path: Path) -> None:
    few = AttributionSettings(steps=2, most_steps=2, tolerance=1e-9)
    asked = Asked(method="integrated-gradients", attribution=few)
    explain_all([source], bundle=bundle, out=tmp_path, recipe=SHOWN, asked=asked)
    folder = tmp_path / source.stem
    (said,) = [one for one in read(folder / "findings.json")["warnings"] if "add up" in one]
    assert "--attribution.most-steps" in said
    assert "not add up to the change of the logit" in (folder / "explanation.html").read_text(
        encoding="utf-8"
    )


@pytest.mark.parametrize("method", ["grad-cam", "occlusion"])
def test_other_methods_draw_their_own_boxes(
    method: str, bundle: Bundle, source: Path, left: Path, tmp_path: Path
) -> None:
    asked = Asked(method=method, frames="keyframes")  # type: ignore[arg-type] # one of them
    explain_all([source], bundle=bundle, out=tmp_path, recipe=SHOWN, asked=asked)
    findings = read(tmp_path / source.stem / "findings.json")
    assert findings["settings"]["explain"]["method"] == method
    assert [k["box"] for k in findings["keyframes"]] != [
        k["box"] for k in read(left / "findings.json")["keyframes"]
    ]


def test_a_class_that_the_network_does_not_know_is_refused(
    bundle: Bundle, source: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="knows no class 'spleen'"):
        explain_all([source], bundle=bundle, out=tmp_path, recipe=Recipe(), asked=Asked(target="spleen"))
    assert not list(tmp_path.iterdir())


def test_one_bad_file_does_not_end_the_batch(bundle: Bundle, source: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    shutil.copy(source, tmp_path / "good.mp4")
    out = tmp_path / "out"
    done = explain_all([tmp_path], bundle=bundle, out=out, recipe=Recipe(), asked=Asked(frames="keyframes"))
    assert [entry.recording for entry in done.done] == ["good"]
    assert [failure.recording for failure in done.failures] == ["empty"]
    assert sorted(path.name for path in out.iterdir()) == ["failures.csv", "good", "index.html"]


def test_no_name_of_a_patient_is_in_what_is_left(left: Path, exams: list[PhantomExam]) -> None:
    written = b"".join(path.read_bytes() for path in left.rglob("*") if path.is_file())
    for exam in exams:
        for secret in (exam.banner.name, exam.banner.patient_id, exam.date):
            assert secret.encode() not in written


def noise(n_frames: int) -> list[Frame]:
    draw = np.random.default_rng(0).integers(0, 256, (n_frames, 40, 60), dtype=np.uint8)
    return [Frame(index=i, time_s=None, image=image) for i, image in enumerate(draw)]


def view_of(bundle: Bundle, *, clip_length: int = 1, clip_step: int = 1) -> View:
    run = layered({"run": {"clip_length": clip_length, "clip_step": clip_step}}).run
    region = Box(left=4, top=2, right=56, bottom=38)
    return View(card=bundle.card, explainer=Localizer(bundle, run), region=region, blur=0.06)


def test_maps_do_not_depend_on_how_a_recording_is_cut(clips: Bundle) -> None:
    view, frames = view_of(clips, clip_length=6, clip_step=2), noise(59)
    seen = [one.relevance for one in mapped(frames, [1] * 59, view)]
    inputs = clips.card.values([view.prepared(frame) for frame in frames])
    maps = [*run_of_maps(view.explainer, inputs, 1)]
    for place, one in enumerate(seen):
        clip = place - place % 12
        assert one is not None
        np.testing.assert_allclose(one, view.spread(near(maps[clip : clip + 12], place - clip)), atol=1e-6)


def test_the_box_stays_with_its_structure_though_another_counts_a_little_more(clips: Bundle) -> None:
    """Two patches that count nearly alike, and take turns in which counts most."""

    class Turning:
        method = "none"
        sight = Sight(length=5, step=1, place=4)

        def __call__(self, clip: np.ndarray, target: int) -> np.ndarray:
            height, width = clip.shape[2:]
            maps = np.zeros((len(clip), height, width), np.float32)
            maps[:, 2:8, 2:8] = 1
            self.rounds = 1.2 if getattr(self, "rounds", 0.8) == 0.8 else 0.8
            maps[:, -8:-2, -8:-2] = self.rounds
            return maps

        def notes(self) -> tuple[str, ...]:
            return ()

    view = replace(view_of(clips), explainer=Turning(), blur=0.0)
    boxes = [one.box for one in mapped(noise(60), [0] * 60, view)]
    assert len(set(boxes)) == 1
    assert boxes[0] is not None
    alone = {view.placed(view.box(Turning()(np.zeros((5, 1, *clips.card.size), np.float32), 0)[0]))}
    assert alone == set(boxes)


def test_few_frames_are_read_ahead_however_long_the_recording_is(bundle: Bundle) -> None:
    read_ahead, count = 0, 0

    def coming() -> Iterator[Frame]:
        nonlocal count
        for frame in noise(100):
            count += 1
            yield frame

    targets = [0] * 40 + [None] * 20 + [1] * 40
    for done, one in enumerate(mapped(coming(), targets, view_of(bundle)), start=1):
        read_ahead = max(read_ahead, count - done)
        assert (one.relevance is None) == (targets[done - 1] is None)
        assert one.frame.index == done - 1
    assert read_ahead < 40


@pytest.mark.parametrize("step", [1, 2, 4])
@pytest.mark.parametrize("mode", ["clip", "dense"])
def test_key_frames_are_boxed_as_predict_boxes_them(
    mode: str, step: int, clips: Bundle, source: Path, tmp_path: Path
) -> None:
    run = {"mode": mode, "clip_length": 5, "clip_step": step}
    many = {"min_probability": 0.0, "min_run": 1, "per_plane": 9, "apart_s": 0.0}
    recipe = layered({"run": run, "keyframes": many})
    asked = Asked(frames="keyframes")
    predict_all([source], bundle=clips, out=tmp_path / "predicted", recipe=recipe)
    explain_all([source], bundle=clips, out=tmp_path / "explained", recipe=recipe, asked=asked)
    said, told = (
        read(tmp_path / folder / source.stem / "findings.json")["keyframes"]
        for folder in ("predicted", "explained")
    )
    assert len(said) > 3
    assert any(keyframe["box"] for keyframe in said)
    assert said == told


def test_a_run_shorter_than_a_clip_reaches_back_into_what_was_before_it() -> None:
    asked: list[list[int]] = []

    class Remembering:
        method = "none"
        sight = Sight(length=4, step=2, place=3)

        def __call__(self, clip: np.ndarray, target: int) -> np.ndarray:
            asked.append(clip[:, 0, 0, 0].astype(int).tolist())
            return clip[:, 0]

        def notes(self) -> tuple[str, ...]:
            return ()

    inputs = np.arange(12, dtype=np.float32).reshape(-1, 1, 1, 1)
    maps = run_of_maps(Remembering(), inputs[:9], 0, before=6)
    assert [int(one.item()) for one in maps] == [6, 7, 8]
    assert asked == [[1, 3, 5, 7], [2, 4, 6, 8]]
    asked.clear()
    assert [int(one.item()) for one in run_of_maps(Remembering(), inputs[:3], 0)] == [0, 1, 2]
    assert asked == [[0, 0, 0, 1], [0, 0, 0, 2]]
    assert [int(one.item()) for one in run_of_maps(Remembering(), inputs, 0)] == list(range(12))
