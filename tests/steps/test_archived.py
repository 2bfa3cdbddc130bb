"""Law: predicting a source file equals evaluating the archive, so that a figure on an archive speaks for the clinic."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sonoplane.clips.labels import write_labels
from sonoplane.errors import UsageError
from sonoplane.frames.archive import Archive, open_archive
from sonoplane.frames.layout_toml import layout_values
from sonoplane.inference.backends import open_backend
from sonoplane.models.bundle import Bundle, save_bundle
from sonoplane.models.card import Card, FixedCrop
from sonoplane.models.registry import weights_of
from sonoplane.records import Timeline
from sonoplane.steps.archived import timeline_of
from sonoplane.steps.input_card import input_card
from sonoplane.steps.layouts import known_layouts
from sonoplane.steps.predict import predict
from sonoplane.steps.prepare import prepare
from sonoplane.steps.private import open_private
from sonoplane.steps.recipe import Recipe, layered
from sonoplane.video.opening import open_recording
from sonoplane.video.phantom import PhantomExam
from tests.models.tiny_networks import tiny, tiny_spec

INPUT = {"input": {"height": 32, "width": 48}}
CLASSES = ("a", "b", "c")


@pytest.fixture(scope="module", params=["network", "source"])
def archive(
    request: pytest.FixtureRequest,
    sweeps: Path,
    exams: list[PhantomExam],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    folder = tmp_path_factory.mktemp("archived")
    write_labels(folder / "planes.csv", [row for exam in exams for row in exam.labels])
    recipe = layered(INPUT, {"store": {"resolution": request.param, "sheet": False}})
    prepare(
        sorted(sweeps.iterdir())[:4], folder / "a", labels={"planes": folder / "planes.csv"}, recipe=recipe
    )
    return folder / "a"


def bundle_of(folder: Path, name: str, card: Card | None = None) -> Bundle:
    return save_bundle(
        folder,
        name="b",
        version="1",
        spec=tiny_spec(name),
        card=card or input_card(layered(INPUT).input, CLASSES),
        weights=weights_of(tiny(name)),
        recipe={},
    )


def answers(store: Archive, name: str, bundle: Bundle, recipe: Recipe) -> Timeline:
    backend = open_backend(bundle, "torch", recipe.run)
    return timeline_of(store, name, bundle=bundle, backend=backend, recipe=recipe)


@pytest.mark.parametrize(
    ("name", "run"),
    [
        ("sononet2d-2", {}),
        ("sononet3d-2", {"mode": "clip", "clip_length": 5, "clip_step": 2}),
        ("sononet2plus1d-2", {"mode": "dense"}),
    ],
    ids=["frame", "clip", "dense"],
)
def test_the_archive_is_answered_as_the_source_is(
    archive: Path, sweeps: Path, tmp_path: Path, name: str, run: dict[str, Any]
) -> None:
    store, sources = open_archive(archive), open_private(archive).sources
    bundle = bundle_of(tmp_path / "b", name)
    layouts = [layout_values(layout) for layout in known_layouts(store)]
    smoothing = {"kind": "hysteresis", "enter": 0.36, "leave": 0.36}
    # as a bundle that was trained on it
    recipe = layered({"run": {"batch": 7, **run}, "layout": layouts, "smoothing": smoothing})
    for source in sorted(sweeps.iterdir())[:2]:
        of_source = predict(
            open_recording(source, recording_id=source.stem),
            bundle=bundle,
            backend=open_backend(bundle, "torch", recipe.run),
            recipe=recipe,
        )[1]
        of_archive = answers(store, sources[source.stem].archive_id, bundle, recipe)
        assert of_archive.n_frames == of_source.n_frames == 24
        assert np.abs(of_archive.logits - of_source.logits).max() < 1e-5
        assert np.abs(of_archive.probabilities - of_source.probabilities).max() < 1e-5
        assert of_archive.labels == of_source.labels
        assert of_archive.path is not None
        assert of_archive.times_s is not None
        assert np.allclose(of_archive.times_s, of_source.times_s)
        assert (of_archive.classes, of_archive.fps) == (CLASSES, of_source.fps)


def test_how_far_it_is_is_told_frame_by_frame(archive: Path, tmp_path: Path) -> None:
    store, bundle, told = open_archive(archive), bundle_of(tmp_path / "b", "sononet2d-2"), []
    timeline_of(
        store, store.entries[0].id, bundle=bundle, backend=open_backend(bundle, "torch"), recipe=layered({}),
        on_frame=lambda done, total: told.append((done, total)),
    )  # fmt: skip
    assert told == [(done, 24) for done in range(1, 25)]


def test_frames_that_were_resized_for_another_network_are_refused(archive: Path, tmp_path: Path) -> None:
    store = open_archive(archive)
    bundle = bundle_of(tmp_path / "b", "sononet2d-2", Card(classes=CLASSES, size=(48, 48)))
    if store.geometry == "source":
        assert answers(store, store.entries[0].id, bundle, layered({})).n_frames == 24
    else:
        with pytest.raises(UsageError, match="another input size"):
            answers(store, store.entries[0].id, bundle, layered({}))


def test_a_network_with_a_crop_of_its_own_answers_only_what_it_would_not_crop(
    archive: Path, tmp_path: Path
) -> None:
    store, plain = open_archive(archive), input_card(layered(INPUT).input, CLASSES)
    name = store.entries[0].id
    for frame, crops in (((160, 200), True), ((480, 640), False)):
        card = replace(plain, crop=FixedCrop(rows=(10, 150), columns=(10, 190), frame=frame))
        bundle = bundle_of(tmp_path / f"b{crops}", "sononet2d-2", card)
        if crops:
            with pytest.raises(UsageError, match="a crop of its own out of frames of 160 x 200"):
                answers(store, name, bundle, layered({}))
        else:
            assert answers(store, name, bundle, layered({})).n_frames == 24
