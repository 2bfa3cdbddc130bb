import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sonoplane.errors import BundleError, MissingExtra, UsageError
from sonoplane.inference import backends, torch_runtime
from sonoplane.inference.backends import Backend, BackendChoice, DenseBackend, open_backend
from sonoplane.inference.export import export
from sonoplane.inference.passes import begin
from sonoplane.inference.passes import clips as clips_of
from sonoplane.inference.settings import RunSettings
from sonoplane.inference.ways import way_of
from sonoplane.models.bundle import Bundle, add_files, save_bundle
from sonoplane.models.card import Card
from sonoplane.models.registry import weights_of
from tests.models.tiny_networks import tiny, tiny_spec


def tiny_bundle(name: str, folder: Path, run: dict[str, object] | None = None) -> Bundle:
    return save_bundle(
        folder,
        name="tiny",
        version="1",
        spec=tiny_spec(name),
        card=Card(classes=("a", "b", "c"), size=(32, 32)),
        weights=weights_of(tiny(name)),
        recipe={"run": run or {}},
    )


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A network that claims to be exported for clips of five frames; nothing here opens that file."""
    bundle = tiny_bundle("echo3dcnn", tmp_path_factory.mktemp("b") / "clips", {"clip_length": 5})
    return add_files(bundle, {"model.xml": b"<net/>"}, exports={"openvino": {"clip_length": 5}})


@pytest.fixture(scope="module")
def sono(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A 3D SonoNet that was never exported."""
    return tiny_bundle("sononet3d-2", tmp_path_factory.mktemp("b") / "sono", {"clip_length": 6})


@pytest.fixture
def no_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the clinic's install."""
    for module in (backends, torch_runtime):
        monkeypatch.setattr(
            module, "find_spec", lambda name: None if name == "torch" else importlib.util.find_spec(name)
        )


@pytest.mark.parametrize("form", ["openvino", "onnx"])
def test_a_network_of_whole_clips_without_that_model_says_how_to_get_it(
    form: BackendChoice, tmp_path: Path
) -> None:
    with pytest.raises(BundleError, match=f"sonoplane export BUNDLE --to {form}"):
        open_backend(tiny_bundle("echo3dcnn", tmp_path / "b"), form)


@pytest.mark.parametrize(
    "run", [RunSettings(), RunSettings(mode="dense"), RunSettings(mode="dense", piece=3)], ids=str
)
@pytest.mark.parametrize("choice", ["openvino", "onnx"])
def test_a_sononet_answers_without_an_export(sono: Bundle, choice: BackendChoice, run: RunSettings) -> None:
    way = way_of(sono.spec, run)
    inputs = np.random.default_rng(0).normal(size=(21, 1, 32, 32)).astype(np.float32)

    def answers(backend: Backend) -> np.ndarray:
        going = begin(backend, way)
        rows = [going.go_on(inputs[:8]), going.go_on(inputs[8:]), going.end()]
        return np.concatenate([each for each in rows if len(each)])

    theirs = answers(open_backend(sono, "torch", run))
    assert len(theirs) == 21
    np.testing.assert_allclose(answers(open_backend(sono, choice, run)), theirs, rtol=1e-4, atol=1e-5)


#: The clinic's install: no torch, no onnxscript, no ONNX Runtime.
CLINIC = """
import sys
for name in ("torch", "onnxscript", "onnxruntime"):
    sys.modules[name] = None
from pathlib import Path
import numpy as np
from sonoplane.inference.backends import open_backend
from sonoplane.inference.settings import RunSettings
from sonoplane.models.bundle import Bundle
backend = open_backend(Bundle.load(Path(sys.argv[1])), settings=RunSettings(mode="dense"))
inputs = np.load(sys.argv[2])
np.save(sys.argv[3], backend.dense()(inputs, last=True))
print(backend.name, backend.precision)
"""


def test_the_clinics_install_predicts_a_sononet_densely_without_an_export(
    sono: Bundle, tmp_path: Path
) -> None:
    inputs = np.random.default_rng(0).normal(size=(37, 1, 32, 32)).astype(np.float32)
    np.save(tmp_path / "in.npy", inputs)
    done = subprocess.run(
        [sys.executable, "-c", CLINIC, sono.folder, tmp_path / "in.npy", tmp_path / "out.npy"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["openvino", "float32"]
    theirs = open_backend(sono, "torch", RunSettings(mode="dense"))
    assert isinstance(theirs, DenseBackend)
    np.testing.assert_allclose(
        np.load(tmp_path / "out.npy"), theirs.dense()(inputs, last=True), rtol=1e-4, atol=1e-5
    )


def test_a_precision_that_a_backend_has_not_is_refused(bundle: Bundle) -> None:
    with pytest.raises(UsageError, match="float32 only"):
        open_backend(bundle, "torch", RunSettings(precision="bf16"))


def test_what_an_exported_model_cannot_answer_pytorch_does(clips: Bundle) -> None:
    settings = RunSettings(clip_length=8)
    assert open_backend(clips, settings=settings).name == "torch"
    with pytest.raises(UsageError, match=r"clips of 5 frames, not .*--run.clip-length 5"):
        open_backend(clips, "openvino", settings)


@pytest.mark.usefixtures("no_torch")
def test_without_pytorch_what_an_exported_model_cannot_answer_is_refused_with_advice(clips: Bundle) -> None:
    with pytest.raises(UsageError, match=r"from clips of 8 frames\. Say `--mode clip"):
        open_backend(clips, settings=RunSettings(clip_length=8))


@pytest.mark.usefixtures("no_torch")
def test_without_pytorch_a_network_that_was_not_exported_says_where_to_do_it(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"where sonoplane\[train\] is installed"):
        open_backend(tiny_bundle("echo3dcnn", tmp_path / "b"))


@pytest.mark.usefixtures("no_torch")
def test_without_pytorch_its_backend_says_so(sono: Bundle) -> None:
    with pytest.raises(MissingExtra, match="PyTorch"):
        open_backend(sono, "torch")


@pytest.mark.parametrize("choice", ["torch", "openvino", "onnx"])
def test_clips_too_short_for_the_network_are_refused_with_the_shortest(
    sono: Bundle, choice: BackendChoice
) -> None:
    with pytest.raises(UsageError, match="clip-length of 5 or more"):
        open_backend(sono, choice, RunSettings(mode="clip", clip_length=4))


def test_clips_too_short_for_the_network_are_not_exported(tmp_path: Path) -> None:
    bundle = tiny_bundle("sononet3d-2", tmp_path / "b", {"clip_length": 3})
    with pytest.raises(UsageError, match="clip-length of 5 or more"):
        export(bundle, "onnx")


def test_a_network_of_whole_clips_has_no_dense_form(tmp_path: Path) -> None:
    bundle = tiny_bundle("echo3dcnn", tmp_path / "b")
    with pytest.raises(UsageError, match=r"no dense form.*--mode clip"):
        open_backend(bundle, settings=RunSettings(mode="dense"))


def test_a_bundle_says_how_its_network_is_run(tmp_path: Path) -> None:
    bundle = tiny_bundle("sononet3d-2", tmp_path / "b", {"mode": "clip", "clip_length": 4})
    with pytest.raises(UsageError, match="clips of 4 frames"):
        open_backend(bundle)
    strange = tiny_bundle("sononet3d-2", tmp_path / "c", {"colour": 4})
    with pytest.raises(BundleError, match=r"not understood: run\.colour"):
        open_backend(strange)


@pytest.mark.parametrize("run", [RunSettings(), RunSettings(threads=1), RunSettings(batch=3)], ids=str)
def test_recordings_that_go_on_at_the_same_time_each_get_their_own_answers(
    run: RunSettings, sono: Bundle
) -> None:
    run = run.model_copy(update={"clip_length": 6})
    backend, way = open_backend(sono, "openvino", run), way_of(sono.spec, run)
    feeds = np.random.default_rng(1).normal(size=(2, 25, 1, 32, 32)).astype(np.float32)
    alone = [backend(clips_of(np.concatenate([feed[:1].repeat(5, 0), feed]), way)) for feed in feeds]

    going = [begin(backend, way) for _ in feeds]
    rows: list[list[np.ndarray]] = [[], []]
    for batch in (slice(0, 1), slice(1, 8), slice(8, 25)):
        for found, one, feed in zip(rows, going, feeds, strict=True):
            found.extend(one.go_on(feed[batch]))
    for found, one, whole in zip(rows, going, alone, strict=True):
        found.extend(one.end())
        np.testing.assert_allclose(found, whole, rtol=1e-5, atol=1e-6)


def test_in_a_live_feed_no_answer_waits_for_the_next_frame(sono: Bundle) -> None:
    way = way_of(sono.spec, RunSettings(clip_length=6))
    going = begin(open_backend(sono, "openvino", RunSettings(clip_length=6)), way, live=True)
    frames = np.random.default_rng(1).normal(size=(9, 1, 1, 32, 32)).astype(np.float32)
    assert [len(going.go_on(frame)) for frame in frames] == [1] * 9
