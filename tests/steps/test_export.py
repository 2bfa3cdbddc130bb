import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sonoplane.cli.main import app
from sonoplane.errors import UsageError
from sonoplane.frames.archive_writer import create_archive
from sonoplane.frames.entries import EntryFacts
from sonoplane.inference.export_settings import ExportSettings
from sonoplane.inference.exports import Exported
from sonoplane.models.bundle import Bundle, save_bundle
from sonoplane.models.ensemble import save_ensemble
from sonoplane.models.registry import build, weights_of
from sonoplane.records import Frame, Label
from sonoplane.steps.evidence import of_place, of_training
from sonoplane.steps.export import export

FRAME = Exported(runtime="openvino", form="frame")
N_FRAMES = 50


@pytest.fixture
def copy(bundle: Bundle, tmp_path: Path) -> Bundle:
    return Bundle.load(shutil.copytree(bundle.folder, tmp_path / "copy"))


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three recordings of noise; half of the frames of the one for validation have a label."""
    place = tmp_path_factory.mktemp("archives") / "noise"
    dice = np.random.default_rng(0)
    with create_archive(place, geometry="source", settings={}) as writer:
        for name, split in (("a", "train"), ("b", "train"), ("c", "validation")):
            images = dice.integers(0, 256, (N_FRAMES, 40, 52), dtype=np.uint8)
            frames = (Frame(index=i, time_s=None, image=image) for i, image in enumerate(images))
            writer.add(EntryFacts(id=name, split=split), frames)
        writer.add_labels("planes", [Label(recording="c", label="background", start=0, stop=25)])
    return place


def test_frames_of_validation_come_with_their_labels(archive: Path, bundle: Bundle) -> None:
    evidence = of_place(archive, bundle, FRAME)
    assert evidence.told == "of the archive's part validation"
    assert evidence.targets is not None
    assert {run.shape[1:] for run in evidence.runs} == {(32, 48)}
    assert [len(run) for run in evidence.runs] == [len(targets) for targets in evidence.targets]
    assert {*np.concatenate(evidence.targets).tolist()} == {-1, bundle.card.classes.index("background")}


def test_frames_to_fit_to_are_of_all_training_recordings(archive: Path, bundle: Bundle) -> None:
    evidence = of_training(archive, bundle, FRAME)
    assert evidence.told == "of the archive's part train"
    assert len({run.tobytes() for run in evidence.runs}) == len(evidence.runs) == 32


def test_an_export_is_proven_on_recordings_and_on_an_archive(
    copy: Bundle, sweeps: Path, archive: Path
) -> None:
    for place, told in ((sweeps, "of recordings"), (archive, "of the archive's part validation")):
        copy, (one,) = export(copy, "openvino", ExportSettings(), verify=place)
        assert one.proof is not None
        assert one.proof.frames == told
        assert one.proof.n_frames > 40
    assert one.proof.accuracy is not None
    assert one.proof.accuracy == one.proof.accuracy_torch


def test_int8_is_proven_on_validation_whatever_else_it_is_proven_on(
    copy: Bundle, sweeps: Path, archive: Path
) -> None:
    wanted = ExportSettings(precision="int8")
    exported, (one,) = export(copy, "openvino", wanted, calibrate=archive, verify=sweeps)
    assert one.proof is not None
    assert one.proof.frames == "of recordings and of the archive's part validation"
    assert one.proof.accuracy is not None, "the archive's labels count"
    assert exported.file("model-int8.xml")


def test_an_archive_at_a_url_proves_as_one_in_a_folder_does(archive: Path, bundle: Bundle) -> None:
    near, far = (of_place(place, bundle, FRAME) for place in (archive, archive.as_uri()))
    np.testing.assert_array_equal(np.concatenate(far.runs), np.concatenate(near.runs))
    assert of_training(archive.as_uri(), bundle, FRAME).told == "of the archive's part train"


def test_a_folder_without_recordings_proves_nothing(copy: Bundle, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="neither an archive nor recordings"):
        export(copy, "onnx", ExportSettings(), verify=tmp_path / "empty")


def test_the_command_takes_its_settings_from_a_recipe(
    copy: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "device.toml").write_text('[export]\nvalues = "inside"\ncolor = true\n')
    words = [
        "export",
        str(copy.folder),
        "--to",
        "onnx",
        "--recipe",
        str(tmp_path / "device.toml"),
        "--no-color",
    ]
    assert app(words, result_action="return_value") == 0
    assert "model-values.onnx, float32" in capsys.readouterr().out


def test_the_command_tells_what_it_has_proven(copy: Bundle, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["export", str(copy.folder), "--to", "onnx", "--values", "inside", "--color"]
    assert app(words, result_action="return_value") == 0
    told = capsys.readouterr().out
    assert "model-values-color.onnx, float32: logits within" in told
    assert "100.0 % of 64 labels the same (of the phantom)" in told


@pytest.fixture(scope="module")
def unshared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two recordings, one for testing and one of no part."""
    place = tmp_path_factory.mktemp("archives") / "unshared"
    with create_archive(place, geometry="source", settings={}) as writer:
        for value, (name, split) in enumerate((("a", None), ("b", "test"))):
            frames = (
                Frame(index=i, time_s=None, image=np.full((40, 52), value, np.uint8)) for i in range(20)
            )
            writer.add(EntryFacts(id=name, split=split), frames)
    return place


def test_int8_is_not_fitted_to_an_archive_without_training_recordings(unshared: Path, bundle: Bundle) -> None:
    with pytest.raises(UsageError, match="has no training recordings; prepare it with a split"):
        of_training(unshared, bundle, FRAME)


def test_test_recordings_prove_nothing(unshared: Path, bundle: Bundle) -> None:
    evidence = of_place(unshared, bundle, FRAME)
    assert (evidence.told, evidence.are_real) == ("of the archive", True)
    assert {value for run in evidence.runs for value in np.unique(run)} == {0}


def test_the_recordings_that_int8_was_fitted_to_do_not_prove_it(tmp_path: Path, bundle: Bundle) -> None:
    place = tmp_path / "train"
    with create_archive(place, geometry="source", settings={}) as writer:
        frames = (Frame(index=i, time_s=None, image=np.zeros((40, 52), np.uint8)) for i in range(20))
        writer.add(EntryFacts(id="a", split="train"), frames)
    with pytest.raises(UsageError, match="no validation recordings"):
        of_place(place, bundle, replace(FRAME, precision="int8"))
    assert of_place(place, bundle, FRAME).runs


def test_a_network_without_classes_is_not_exported(tmp_path: Path, bundle: Bundle) -> None:
    spec = replace(bundle.spec, options={"features_only": True})
    bare = save_bundle(
        tmp_path / "bare",
        name="bare",
        version="1",
        spec=spec,
        card=bundle.card,
        weights=weights_of(build(spec)),
        recipe={},
    )
    with pytest.raises(UsageError, match="no classes"):
        export(bare, "onnx", ExportSettings())


def test_the_command_names_members_and_says_what_calibrate_was_for(
    copy: Bundle,
    archive: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    both = save_ensemble(
        tmp_path / "both", name="both", version="1", members={"one": copy, "two": copy}, recipe={}
    )
    monkeypatch.chdir(both.folder)
    assert app(["export", ".", "--json"], result_action="return_value") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["bundle"] == "both"
    assert [model["member"] for model in told["models"]] == ["one", "two"]
    monkeypatch.chdir(tmp_path)
    words = ["export", str(copy.folder), "--calibrate", str(archive)]
    assert app(words, result_action="return_value") == 0
    assert "--calibrate served as --verify" in capsys.readouterr().out
