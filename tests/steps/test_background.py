"""A network that reads the text beside the ultrasound is caught; one that reads the tissue is not warned of."""

import csv
import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from sonoplane.cli.main import app
from sonoplane.frames.archive import Archive, open_archive
from sonoplane.frames.archive_writer import create_archive
from sonoplane.frames.entries import EntryFacts
from sonoplane.metrics.background import FrameLook, Places, Shares, measure_background
from sonoplane.metrics.background_settings import BackgroundSettings
from sonoplane.metrics.calibration_record import Calibration
from sonoplane.models.bundle import Bundle, add_files, save_bundle
from sonoplane.models.card import Card
from sonoplane.models.registry import weights_of
from sonoplane.records import Frame, Label
from sonoplane.steps.answering import Answered, answer, networks_of
from sonoplane.steps.asked import ask
from sonoplane.steps.background import look_at_background
from sonoplane.steps.background_places import border_px, places_of
from sonoplane.steps.background_run import BackgroundRun
from sonoplane.steps.background_samples import samples_of
from sonoplane.steps.background_swaps import with_background
from sonoplane.steps.background_told import background_cautions, background_hints
from sonoplane.steps.evaluate import Evaluated, evaluate
from sonoplane.steps.recipe import layered
from studies.background.archives import CARD, Telling, frames_of, sector_mask, trained, write_archive
from tests.models.tiny_networks import tiny, tiny_spec

Made = dict[Telling, tuple[Evaluated, Path]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Networks that learned the class from what tells it, each evaluated on patients that it did not see."""
    folder = tmp_path_factory.mktemp("background")
    found: Made = {}
    for telling in ("tissue", "text"):
        archive = write_archive(folder / telling, telling)
        bundle = trained(archive, folder / f"reads-{telling}")
        out = folder / f"{telling}-evaluated"
        found[telling] = (
            evaluate(folder / telling, bundle=bundle, out=out, recipe=layered({}), timelines=0),
            folder / telling,
        )
    return found


@pytest.fixture(scope="module")
def archive(made: Made) -> Archive:
    return open_archive(made["text"][1])


def answered_by(bundle: Bundle, archive: Path, **recipe: object) -> Answered:
    asked = ask(archive, [bundle], part="test", task=None, background_is_a_view=True)
    (network,) = networks_of([bundle], [layered(recipe)], "auto", by_fold=False)
    return answer(network, replace(asked, names=asked.names[:4]))


def drawn(folder: Path, name: str) -> Bundle:
    spec, weights = tiny_spec(name, n_classes=2), weights_of(tiny(name, n_classes=2))
    return save_bundle(folder, name="drawn", version="1", spec=spec, card=CARD, weights=weights, recipe={})


def test_both_networks_are_right_so_accuracy_does_not_tell_them_apart(made: Made) -> None:
    for evaluated, _ in made.values():
        assert (evaluated.measurement.levels["frame"].numbers["accuracy"].value or 0) > 0.9


def test_a_network_that_reads_the_text_is_caught_by_other_backgrounds(made: Made) -> None:
    evaluated, _ = made["text"]
    assert "It reads the background" in "\n".join(evaluated.lines())
    found = evaluated.background
    assert found is not None
    assert found.looked is not None
    assert found.control is not None
    assert (found.control.reading.difference.value or 0) < -0.8
    assert (found.control.followed.value or 0) > 0.8
    assert found.control.changed["other"] > 0.01


def test_a_network_that_reads_the_tissue_is_not_warned_of(made: Made) -> None:
    evaluated, _ = made["tissue"]
    assert "background" not in "\n".join(evaluated.cautions)
    found = evaluated.background
    assert found is not None
    assert found.looked is not None
    assert found.control is not None
    assert not found.looked.high
    assert (found.control.followed.value or 0) < 0.5


def looked_at(n: int, background: float, said: str = "cyst") -> list[FrameLook]:
    area = Shares(outside=0.3, text=0.0, border=0.1)
    return [
        FrameLook(
            recording=f"{said}{i}",
            patient=f"{said}{i}",
            said=said,
            right=True,
            seen=Shares(outside=background + 0.001 * i, text=0.0, border=0.1),
            area=area,
            contrast=area,
        )
        for i in range(n)
    ]


def test_a_high_look_is_a_hint_only_where_answers_surely_do_not_follow_the_background(made: Made) -> None:
    tissue = made["tissue"][0].background
    assert tissue is not None
    assert tissue.control is not None
    read = replace(tissue, looked=measure_background(looked_at(8, 0.6), CARD.classes), notes=())
    calm = replace(read, control=replace(tissue.control, calm=True, calm_classes=CARD.classes))
    assert background_cautions(calm) == []
    (hint,) = background_hints(calm)
    assert hint.startswith("It looks at the background more")
    assert hint.endswith("without being led by it.")
    (unasked,) = background_cautions(replace(read, control=None))
    assert hint.startswith(unasked)
    unsure = replace(read, control=replace(tissue.control, calm=False, calm_classes=()))
    (warning,) = background_cautions(unsure)
    assert warning.endswith("to tell whether they are led by it.")
    assert background_hints(unsure) == []


def test_where_one_class_alone_is_looked_for_around_it_that_one_is_named(made: Made) -> None:
    found = made["tissue"][0].background
    assert found is not None
    looked = measure_background([*looked_at(20, 0.1), *looked_at(3, 0.7, "stone")], CARD.classes)
    (told,) = background_cautions(replace(found, looked=looked, control=None))
    assert told.startswith("In frames named stone, it looks")
    assert "cyst" not in told


def test_the_page_leads_with_the_warning_and_has_the_tables(made: Made) -> None:
    out = made["text"][1].with_name("text-evaluated")
    page = json.loads((out / "evaluation.json").read_text(encoding="utf-8"))
    assert page["cautions"][0].startswith("It reads the background")
    shown = page["sections"]["With another background"]
    assert [row["background"] for row in shown] == [
        "its own",
        "black",
        "of the same class",
        "of another class",
    ]
    rows = page["sections"]["Does it look at the background?"]
    assert [row["of"] for row in rows[:3]] == ["all", "named cyst", "named stone"]
    table = list(csv.DictReader((out / "background.csv").read_text(encoding="utf-8").splitlines()))
    assert len(table) == 8
    assert page["settings"]["background"] == {"asked": "all", "frames": 4, "recordings": 200, "seed": 0}
    json.dumps(made["text"][0].to_json(), allow_nan=False)


def test_sector_and_text_are_found_in_the_archives_own_frames(archive: Archive) -> None:
    places = places_of(archive, "r01", CARD)
    true = CARD.geometry(np.where(sector_mask(), 255, 0).astype(np.uint8)) > 127
    inside = ~places.background & ~places.border
    assert (inside & ~true).sum() == 0
    assert (true & places.background).sum() == 0
    written = CARD.geometry(archive.read("r01", 0, 1)[0]) > 60
    assert (places.text & written & ~true).sum() > 0.95 * (written & ~true).sum()
    assert places.text.mean() < 0.15


def test_a_box_in_which_text_was_blanked_is_text_and_a_dark_spot_is_not(tmp_path: Path) -> None:
    frames = [replace(frame, image=frame.image.copy()) for frame in frames_of(0, 0, 5)]
    for frame in frames:
        frame.image[60:72, 70:90] = 0
        cv2.circle(frame.image, (110, 100), 9, 0, -1)
    with create_archive(tmp_path / "a", geometry="source", settings={}) as writer:
        writer.add(EntryFacts(id="r", fps=10.0), iter(frames))
    card = Card(classes=CARD.classes, size=(128, 160))
    text = places_of(open_archive(tmp_path / "a"), "r", card).text & sector_mask()
    assert text[60:72, 70:90].all()
    assert text.sum() == 12 * 20


def test_what_fills_up_the_input_is_background(archive: Archive) -> None:
    tall = Card(classes=CARD.classes, size=(160, 80), fit="pad")
    assert places_of(archive, "r01", tall).outside[:20].all()


def test_the_border_is_as_wide_on_both_sides_and_grows_with_the_input() -> None:
    assert [border_px(size) for size in ((48, 64), (96, 96), (224, 288))] == [2, 2, 4]


PICTURES = (np.full((4, 6), 9, np.uint8),)
LEFT, RIGHT = np.zeros((4, 6), bool), np.zeros((4, 6), bool)
LEFT[:, :2], RIGHT[:, 4:] = True, True
NONE = np.zeros((4, 6), bool)


def test_blanking_takes_the_background_and_nothing_else() -> None:
    (black,) = with_background(PICTURES, ~(LEFT | RIGHT))
    assert black[0].tolist() == [0, 0, 9, 9, 0, 0]


def test_a_strange_background_shows_but_lends_no_tissue() -> None:
    lent, shown = Places(outside=RIGHT, text=NONE, border=NONE), ~(LEFT | RIGHT)
    (swapped,) = with_background(PICTURES, shown, (np.full((4, 6), 5, np.uint8),), lent)
    assert swapped[0].tolist() == [0, 0, 9, 9, 5, 5]
    colored = np.dstack([np.full((4, 6), level, np.uint8) for level in (1, 2, 3)])
    (swapped,) = with_background(PICTURES, shown, (colored,), lent)
    assert swapped[0, :, 2].tolist() == [0, 0, 9, 9, 3, 3]
    (swapped,) = with_background((colored,), shown, PICTURES, lent)
    assert swapped[0, :, 2].tolist() == [0, 0, 3, 3, 9, 9]


@pytest.mark.parametrize(
    ("name", "run", "frame"),
    [
        ("sononet3d-2", {"mode": "clip", "clip_length": 5, "clip_step": 2}, 12),
        ("sononet2plus1d-2-causal", {"mode": "dense"}, 16),
        ("echo3dcnn", {"mode": "clip", "clip_length": 5}, 12),
    ],
)
def test_networks_with_time_are_asked_as_they_are_run(
    made: Made, tmp_path: Path, name: str, run: dict[str, object], frame: int
) -> None:
    bundle = drawn(tmp_path / "b", name)
    answers = answered_by(bundle, made["text"][1], run=run)
    found = look_at_background(answers, "all", BackgroundSettings(frames=1))
    assert found is not None
    assert found.looked is not None
    assert found.control is not None
    assert found.looked.all.n == found.control.n == 4
    asking = BackgroundRun(bundle=bundle, backend=answers.network.backend, run=answers.network.recipe.run)
    store, place = answers.asked.store, answers.asked.names[0]
    (mine,) = asking.logits([asking.pictures(store, place, frame)])
    seen, at = asking.sight.frames(frame), asking.sight.place
    if answers.network.way.mode == "dense":  # as if there were no other frames
        answers = answered_by(bundle, cut_to(tmp_path / "few", store, place, seen), run=run)
        frame = at
    assert np.allclose(mine, answers.watched[place].raw.logits[frame], atol=1e-4)


def cut_to(folder: Path, store: Archive, recording: str, numbers: Sequence[int]) -> Path:
    """An archive of some frames of a recording."""
    images = enumerate(store.read_frames(recording, list(numbers)))
    with create_archive(folder, geometry="source", settings={}) as writer:
        writer.add(
            EntryFacts(id=recording, fps=10.0, patient="p", split="test"),
            (Frame(index=index, time_s=index / 10, image=image) for index, image in images),
        )
        writer.add_labels("kind", [Label(recording=recording, label="cyst")])
    return folder


def test_nothing_is_looked_at_where_nothing_is_asked_and_a_share_alone_where_that_is(
    made: Made, tmp_path: Path
) -> None:
    answers = answered_by(drawn(tmp_path / "b", "sononet2d-2"), made["text"][1])
    assert look_at_background(answers, "none") is None
    found = look_at_background(answers, "share")
    assert found is not None
    assert found.looked is not None
    assert found.control is None
    json.dumps(found.to_json(), allow_nan=False)


def test_an_evaluation_without_it_is_the_same_but_for_it(made: Made, tmp_path: Path) -> None:
    archive = made["text"][1]
    bundle = Bundle.load(archive.with_name("reads-text"))
    out = tmp_path / "e"
    without = evaluate(archive, bundle=bundle, out=out, recipe=layered({}), background="none", timelines=0)
    assert without.background is None
    assert not (out / "background.csv").exists()
    warned = made["text"][0].cautions
    assert [told for told in warned if "background" not in told] == list(without.cautions)


def test_a_recording_alone_has_no_other_background_and_that_is_said(made: Made, tmp_path: Path) -> None:
    answers = answered_by(drawn(tmp_path / "b", "sononet2d-2"), made["text"][1])
    alone = answers.only(answers.asked.names[:1])
    found = look_at_background(alone, "all")
    assert found is not None
    assert found.control is None
    assert "two patients of each" in found.notes[0]


def written(folder: Path, pictures: Sequence[np.ndarray]) -> Path:
    """Recordings of 8 frames, a patient each, of two classes by turns; each a picture with noise for 255."""
    dice, labels = np.random.default_rng(0), []
    with create_archive(folder, geometry="source", settings={}) as writer:
        for number, picture in enumerate(pictures):
            name = f"r{number}"
            noise = dice.rayleigh(60, (8, *picture.shape)).clip(0, 255).astype(np.uint8)
            frames = (
                Frame(index=i, time_s=i / 10, image=np.where(picture == 255, noise[i], picture))
                for i in range(8)
            )
            writer.add(EntryFacts(id=name, fps=10.0, patient=f"p{number}", split="test"), frames)
            labels.append(Label(recording=name, label=CARD.classes[number % 2]))
        writer.add_labels("kind", labels)
    return folder


def test_where_all_is_ultrasound_there_is_no_question(tmp_path: Path) -> None:
    archive = written(tmp_path / "a", [np.full((64, 80), 255, np.uint8)] * 2)
    found = look_at_background(answered_by(drawn(tmp_path / "b", "sononet2d-2"), archive), "all")
    assert found is not None
    assert (found.looked, found.control) == (None, None)
    assert found.notes[0].endswith("frames show nothing but ultrasound.")


def test_backgrounds_that_are_all_alike_clear_no_network(tmp_path: Path) -> None:
    picture = np.where(CARD.geometry(np.where(sector_mask(), 255, 0).astype(np.uint8)) > 127, 255, 0)
    archive = written(tmp_path / "a", [picture.astype(np.uint8)] * 4)
    found = look_at_background(answered_by(drawn(tmp_path / "b", "sononet2d-2"), archive), "all")
    assert found is not None
    assert found.looked is not None
    assert found.control is None
    assert "could be given to 0 of 4 frames" in found.notes[0]


def test_frames_that_tell_nothing_are_counted_and_an_error_ends_nothing(made: Made, tmp_path: Path) -> None:
    spec = tiny_spec("sononet2d-2", n_classes=2)
    weights = {name: 0 * value for name, value in weights_of(tiny("sononet2d-2", n_classes=2)).items()}
    folder = tmp_path / "b"
    dead = save_bundle(folder, name="dead", version="1", spec=spec, card=CARD, weights=weights, recipe={})
    shutil.copytree(made["text"][1], tmp_path / "lost")
    answers = answered_by(dead, tmp_path / "lost")
    found = look_at_background(answers, "share")
    assert found is not None
    assert found.looked is None
    assert found.notes[0].startswith("4 of 4 frames tell nothing of where it looks")
    shutil.rmtree(tmp_path / "lost" / "recordings")
    found = look_at_background(answers, "all")
    assert found is not None
    assert found.notes[0].startswith("Where the background is could not be found out: ")
    assert str(tmp_path) not in found.notes[0]


def test_out_of_fold_each_frame_is_asked_of_the_network_that_did_not_learn_it(
    made: Made, tmp_path: Path
) -> None:
    archive = made["text"][1]
    bundles = (drawn(tmp_path / "b", "sononet2d-2"), Bundle.load(archive.with_name("reads-text")))
    apart = [answered_by(bundle, archive) for bundle in bundles]
    network = replace(
        apart[0].network,
        bundle=replace(bundles[0], members=bundles),
        members=tuple(one.network.backend for one in apart),
    )
    folds = {name: 1 + place % 2 for place, name in enumerate(apart[0].asked.names)}
    held = look_at_background(answer(network, replace(apart[0].asked, folds=folds)), "all")
    assert held is not None
    assert held.looked is not None
    assert held.control is not None
    for fold, one in enumerate(apart, start=1):
        alone = look_at_background(one, "share")
        assert alone is not None
        assert alone.looked is not None
        for name in (name for name, mine in folds.items() if mine == fold):
            assert held.looked.recordings[name].to_json() == alone.looked.recordings[name].to_json()


def test_answers_are_calibrated_as_those_that_are_measured(made: Made, tmp_path: Path) -> None:
    bundle, store = drawn(tmp_path / "b", "sononet2d-2"), open_archive(made["text"][1])
    (network,) = networks_of([bundle], [layered({})], "auto", by_fold=False)
    known = Calibration(classes=CARD.classes, kind="vector", bias=(9.0, 0.0), scale=(1.0, 1.0))
    plain, moved = (
        BackgroundRun(bundle=one, backend=network.backend, run=network.recipe.run)
        for one in (
            bundle,
            add_files(
                drawn(tmp_path / "c", "sononet2d-2"),
                {"calibration.json": json.dumps(known.to_dict()).encode()},
            ),
        )
    )
    pictures = plain.pictures(store, store.entries[0].id, 0)
    assert np.allclose(moved.logits([pictures]) - plain.logits([pictures]), [[9, 0]], atol=1e-4)


def test_recordings_are_drawn_class_by_class_and_patient_by_patient(made: Made, tmp_path: Path) -> None:
    answers = answered_by(drawn(tmp_path / "b", "sononet2d-2"), made["text"][1])
    for seed in range(6):
        drawn_ones = samples_of(answers, BackgroundSettings(recordings=2, seed=seed))
        assert {sample.target for sample in drawn_ones} == {0, 1}
    assert (
        len(
            {
                samples_of(answers, BackgroundSettings(recordings=1, seed=seed))[0].recording
                for seed in range(9)
            }
        )
        > 1
    )


def test_how_many_frames_are_looked_at_can_be_said(made: Made, tmp_path: Path) -> None:
    archive = made["text"][1]
    words = ["--bundle", archive.with_name("reads-text"), "--out", tmp_path / "e", "--timelines", 0]
    words += ["--background", "share", "--background-frames", 1]
    app([str(word) for word in ("evaluate", archive, *words)], result_action="return_value")
    page = json.loads((tmp_path / "e" / "evaluation.json").read_text(encoding="utf-8"))
    assert page["settings"]["background"] == {"asked": "share", "frames": 1, "recordings": 200, "seed": 0}


@pytest.mark.slow
@pytest.mark.parametrize("telling", ["tissue", "text"])
def test_other_backgrounds_tell_what_networks_read_whatever_weights_they_began_with(
    tmp_path: Path, telling: Telling
) -> None:
    archive = write_archive(tmp_path / "a", telling)
    for seed in range(6):
        bundle = trained(archive, tmp_path / f"b{seed}", steps=60, seed=seed)
        asked = ask(tmp_path / "a", [bundle], part="test", task=None, background_is_a_view=True)
        answers = answer(networks_of([bundle], [layered({})], "auto", by_fold=False)[0], asked)
        found = look_at_background(answers, "all")
        assert found is not None
        assert found.control is not None
        assert found.control.reads == (telling == "text")
