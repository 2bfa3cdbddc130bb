import json
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import pytest

from sonoplane.errors import BundleError, MissingExtra, UsageError
from sonoplane.inference import export as export_room
from sonoplane.inference.backends import open_backend, precision_of
from sonoplane.inference.export import Source, export
from sonoplane.inference.export_proof import Evidence
from sonoplane.inference.export_settings import ExportSettings
from sonoplane.inference.exports import Exported, Precision, Runtime, exports_of
from sonoplane.inference.openvino_runtime import has_bf16
from sonoplane.inference.passes import begin
from sonoplane.inference.settings import RunSettings
from sonoplane.inference.silent import new_core
from sonoplane.inference.ways import way_of
from sonoplane.models.bundle import Bundle, save_bundle
from sonoplane.models.card import Card
from sonoplane.models.ensemble import save_ensemble
from tests.inference.test_backends import tiny_bundle

DENSE = RunSettings(mode="dense")
needs_bf16 = pytest.mark.skipif(not has_bf16(), reason="this processor has no bf16")


def drawn(bundle: Bundle, what: Exported) -> Evidence:
    """Two runs of noise, of which one class is right wherever anybody knows."""
    runs = np.random.default_rng(3).integers(0, 256, (2, 90, 32, 32), dtype=np.uint8)
    targets = np.where(np.arange(90) < 60, 0, -1)
    told = "of noise with labels"
    return Evidence(runs=tuple(runs), told=told, targets=(targets, targets), are_real=True)


def simulated(bundle: Bundle, what: Exported) -> Evidence:
    return replace(drawn(bundle, what), are_real=False)


def few(bundle: Bundle, what: Exported) -> Evidence:
    """Two runs, one too short for any network that sees several frames."""
    whole = drawn(bundle, what)
    return replace(whole, runs=(whole.runs[0][:2], whole.runs[1][:60]), targets=None)


def sure(bundle: Bundle, folder: Path) -> Bundle:
    """The same network, with one class before all others."""
    weights = bundle.weights()
    weights["head.1.0.norm.bias"] = weights["head.1.0.norm.bias"] + np.array([5, 0, 0], np.float32)
    named = {"name": "sure", "version": "1", "spec": bundle.spec, "card": bundle.card, "recipe": {}}
    return save_bundle(folder, weights=weights, **named)  # type: ignore[arg-type]  # of several types


@pytest.fixture
def causal(tmp_path: Path) -> Bundle:
    return tiny_bundle("sononet2plus1d-2-causal", tmp_path / "causal")


def dense_answers(bundle: Bundle, run: RunSettings, choice: str = "auto") -> np.ndarray:
    values = bundle.card.values(np.random.default_rng(3).integers(0, 256, (40, 32, 32), dtype=np.uint8))
    going = begin(open_backend(bundle, choice, run), way_of(bundle.spec, run))  # type: ignore[arg-type]  # a str
    return np.concatenate([rows for rows in (going.go_on(values), going.end()) if len(rows)])


@needs_bf16
def test_what_was_proven_in_bf16_is_run_in_bf16_unless_told_otherwise(causal: Bundle) -> None:
    assert open_backend(causal).precision == "float32"
    bundle, added = export(
        causal, "openvino", ExportSettings(form="stream", precision="bf16"), evidence=drawn
    )
    assert [one.precision for one in added] == ["float32", "bf16"]
    assert open_backend(bundle).precision == "bf16"
    assert open_backend(bundle, settings=RunSettings(precision="float32")).precision == "float32"
    assert open_backend(bundle, settings=RunSettings(mode="clip")).precision == "float32"
    assert open_backend(bundle, "torch").precision == "float32"
    assert open_backend(bundle, "onnx").precision == "float32"


def test_int8_pieces_are_taken_for_the_middle_of_a_run(causal: Bundle) -> None:
    wanted = ExportSettings(form="dense", precision="int8", piece=8)
    bundle, (one,) = export(causal, "openvino", wanted, evidence=drawn, calibration=drawn)
    assert bundle.file("model-dense-int8.xml")
    assert one.proof is not None
    assert one.proof.accuracy == one.proof.accuracy_torch
    assert 100 <= one.proof.n_frames < 180  # those at the ends of the runs are not answered in int8
    ready = open_backend(bundle, settings=DENSE)
    assert ready.precision == "int8"
    at_ends = "bf16" if has_bf16() else "float32"
    assert precision_of(ready, 200) == f"int8 and {at_ends}"
    assert precision_of(ready, 8) == at_ends, "the only piece holds an end of the run"
    exact, ours = dense_answers(bundle, DENSE, "torch"), dense_answers(bundle, DENSE)
    assert 1e-5 < np.abs(ours - exact).max() < 0.3 * np.abs(exact).max()
    of_five = RunSettings(mode="dense", piece=5)
    assert open_backend(bundle, settings=of_five).precision == "float32"
    with pytest.raises(UsageError, match=r"--form dense --precision int8 --calibrate ARCHIVE --piece 5"):
        open_backend(bundle, settings=of_five.model_copy(update={"precision": "int8"}))


def test_a_model_says_which_classes_it_answers_and_what_it_takes(causal: Bundle) -> None:
    stream = ExportSettings(form="stream")
    bundle, _ = export(causal, "onnx", stream, evidence=drawn)
    bundle, _ = export(bundle, "openvino", stream, evidence=drawn)
    in_onnx = onnx.load(bundle.folder / "model-stream.onnx").metadata_props
    told = {one.key: one.value for one in in_onnx}
    assert json.loads(told["classes"]) == list(bundle.card.classes)
    assert Card.from_toml(told["card"]) == bundle.card
    model = new_core().read_model(bundle.folder / "model-stream.xml")
    assert {name: model.get_rt_info(["sonoplane", name]).astype(str) for name in told} == told


def test_int8_frames(tmp_path: Path) -> None:
    bundle = sure(tiny_bundle("sononet2d-2", tmp_path / "b"), tmp_path / "sure")
    with pytest.raises(UsageError, match="--to openvino --precision int8 --calibrate ARCHIVE`"):
        open_backend(bundle, settings=RunSettings(precision="int8"))
    with pytest.raises(UsageError, match="--calibrate ARCHIVE"):
        export(bundle, "openvino", ExportSettings(precision="int8"))
    wanted = ExportSettings(precision="int8")
    bundle, _ = export(bundle, "openvino", wanted, evidence=drawn, calibration=drawn)
    assert set(bundle.hashes) >= {"model-int8.xml", "model-int8.bin"}
    assert open_backend(bundle).precision == "int8"


def test_a_model_that_answers_otherwise_is_not_kept(causal: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_room, "_TOLERANCE", 1e-12)
    before = {path.name: path.read_bytes() for path in causal.folder.iterdir()}
    with pytest.raises(BundleError, match=r"logits differ by .* 1e-12 is allowed.* It was not kept"):
        export(causal, "openvino", ExportSettings(form="stream"))
    assert {path.name: path.read_bytes() for path in causal.folder.iterdir()} == before


def test_coarse_arithmetic_that_changes_labels_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tiny_bundle("sononet2d-2", tmp_path / "b")
    monkeypatch.setattr(export_room, "_SAME", 1.01)
    with pytest.raises(BundleError, match=r"% of 180 frames of noise with labels have the same label"):
        export(bundle, "openvino", ExportSettings(precision="int8"), evidence=drawn, calibration=drawn)
    assert bundle.file("model-int8.xml") is None


def test_what_was_proven_of_a_model_goes_with_it(causal: Bundle) -> None:
    for_pieces = {n: ExportSettings(form="dense", precision="int8", piece=n) for n in (8, 10)}
    first, _ = export(causal, "openvino", for_pieces[8], evidence=drawn, calibration=drawn)
    with_clips, _ = export(first, "openvino", ExportSettings(form="clip"), evidence=drawn)
    assert {one.key: one.n_frames for one in exports_of(with_clips)} == {
        "openvino-dense-int8": 8,
        "openvino": 10,
    }
    again, _ = export(with_clips, "openvino", for_pieces[10], evidence=drawn, calibration=drawn)
    assert {one.key: one.n_frames for one in exports_of(again)} == {"openvino-dense-int8": 10, "openvino": 10}


@needs_bf16
def test_a_proof_in_bf16_goes_with_the_model_that_it_was_of(causal: Bundle) -> None:
    in_bf16 = ExportSettings(form="dense", precision="bf16", piece=8)
    first, _ = export(causal, "openvino", in_bf16, evidence=drawn)
    same, _ = export(first, "openvino", ExportSettings(form="dense", piece=8), evidence=drawn)
    assert {one.key for one in exports_of(same)} == {"openvino-dense", "openvino-dense-bf16"}
    other, _ = export(first, "openvino", ExportSettings(form="dense", piece=6), evidence=drawn)
    assert {one.key for one in exports_of(other)} == {"openvino-dense"}
    assert "bf16" not in (other.folder / "MODEL_CARD.md").read_text().partition("## Exported models")[2]


def test_the_table_of_the_model_card_is_renewed(causal: Bundle) -> None:
    for _ in range(2):
        bundle, _ = export(causal, "onnx", ExportSettings(form="stream"), evidence=drawn)
    page = (bundle.folder / "MODEL_CARD.md").read_text()
    assert page.count("## Exported models") == page.count("model-stream.onnx") == 1
    assert "100.0 % of 180 frames of noise with labels" in page
    assert "## Limits" in page
    assert len(exports_of(Bundle.load(bundle.folder))) == 1


def test_color_and_gray_evidence_serve_either_model(tmp_path: Path) -> None:
    bundle = tiny_bundle("sononet2d-2", tmp_path / "b")
    mixed = np.random.default_rng(0).integers(0, 256, (9, 32, 32, 3), dtype=np.uint8)

    def both(member: Bundle, what: Exported) -> Evidence:
        return Evidence(runs=(mixed, mixed[..., 0]), told="drawn")

    for color in (False, True):
        wanted = ExportSettings(values="inside", color=color)
        bundle, (one,) = export(bundle, "onnx", wanted, evidence=both)
        assert one.proof is not None
        assert one.proof.n_frames == 18


@pytest.mark.parametrize("frames", [simulated, few])
def test_int8_that_few_or_simulated_frames_have_proven_is_run_only_when_asked_for(
    causal: Bundle, frames: Source
) -> None:
    wanted = ExportSettings(form="dense", precision="int8", piece=8)
    bundle, _ = export(causal, "openvino", wanted, evidence=frames, calibration=drawn)
    assert open_backend(bundle, settings=DENSE).precision == "float32"
    asked = DENSE.model_copy(update={"precision": "int8"})
    assert open_backend(bundle, settings=asked).precision == "int8"


@needs_bf16
def test_bf16_is_proven_for_clips_of_one_length(tmp_path: Path) -> None:
    bundle = tiny_bundle("sononet3d-2", tmp_path / "b", {"clip_length": 6})
    bundle, _ = export(bundle, "openvino", ExportSettings(precision="bf16"), evidence=drawn)
    for length, precision in ((6, "bf16"), (7, "float32")):
        assert open_backend(bundle, settings=RunSettings(clip_length=length)).precision == precision


def test_an_ensemble_computes_in_one_precision(tmp_path: Path) -> None:
    first, second = (tiny_bundle("sononet2d-2", tmp_path / name) for name in "ab")
    exact = save_ensemble(
        tmp_path / "exact", name="e", version="1", members={"a": first, "b": second}, recipe={}
    )
    wanted = ExportSettings(precision="int8")
    first, _ = export(sure(first, tmp_path / "sure"), "openvino", wanted, evidence=drawn, calibration=drawn)
    mixed = save_ensemble(
        tmp_path / "mixed", name="e", version="1", members={"a": first, "b": second}, recipe={}
    )
    assert open_backend(first).precision == "int8"
    assert open_backend(mixed).precision == open_backend(exact).precision == "float32"


def test_int8_is_fitted_to_runs_shorter_than_a_clip(tmp_path: Path) -> None:
    bundle = tiny_bundle("sononet3d-2", tmp_path / "b", {"clip_length": 6})

    def short(member: Bundle, what: Exported) -> Evidence:
        return Evidence(runs=tuple(run[:4] for run in drawn(member, what).runs), told="drawn")

    bundle, _ = export(
        bundle, "openvino", ExportSettings(precision="int8"), evidence=short, calibration=short
    )
    assert bundle.file("model-int8.xml")


def test_only_dense_models_have_pieces(causal: Bundle) -> None:
    with pytest.raises(UsageError, match="has no pieces"):
        export(causal, "onnx", ExportSettings(form="stream", piece=4))


def test_answers_that_are_no_numbers_are_no_proof(causal: Bundle) -> None:
    _, (one,) = export(causal, "openvino", ExportSettings(form="stream"), evidence=drawn)
    assert one.proof is not None
    broken = replace(one.proof, largest_difference=float("nan"))
    for precision in ("bf16", "int8"):
        coarse = replace(one, precision=precision)
        assert export_room._problem(coarse, one.proof) is None
        assert export_room._problem(coarse, broken) == "some of its logits are no numbers"


@pytest.mark.parametrize(
    ("to", "precision", "missing"), [("onnx", "float32", "onnxruntime"), ("openvino", "int8", "nncf")]
)
def test_what_an_export_needs_is_asked_for_before_any_work(
    causal: Bundle, monkeypatch: pytest.MonkeyPatch, to: Runtime, precision: Precision, missing: str
) -> None:
    monkeypatch.setattr(export_room, "find_spec", lambda name: None if name == missing else find_spec(name))
    with pytest.raises(MissingExtra, match=missing):
        export(causal, to, ExportSettings(precision=precision), evidence=unasked, calibration=unasked)


def unasked(bundle: Bundle, what: Exported) -> Evidence:
    raise AssertionError
