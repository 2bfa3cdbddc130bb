import importlib.util
from pathlib import Path

import pytest

from sonoplane.errors import BundleError, UsageError
from sonoplane.inference import backends
from sonoplane.inference.backends import DenseBackend, open_backend
from sonoplane.inference.export import export
from sonoplane.inference.settings import RunSettings
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
    """A 3D network that claims to be exported for clips of five frames; nothing here opens that file."""
    bundle = tiny_bundle("sononet3d-2", tmp_path_factory.mktemp("b") / "clips", {"clip_length": 5})
    return add_files(bundle, {"model.xml": b"<net/>"}, exports={"openvino": {"clip_length": 5}})


@pytest.fixture
def no_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the clinic's install."""
    monkeypatch.setattr(
        backends, "find_spec", lambda name: None if name == "torch" else importlib.util.find_spec(name)
    )


@pytest.mark.parametrize("form", ["openvino", "onnx"])
def test_a_bundle_without_that_model_says_how_to_get_it(bundle: Bundle, form: str) -> None:
    with pytest.raises(BundleError, match=f"sonoplane export BUNDLE --to {form}"):
        open_backend(bundle, form)  # type: ignore[arg-type]  # a parametrized str


def test_a_precision_that_a_backend_has_not_is_refused(bundle: Bundle) -> None:
    with pytest.raises(UsageError, match="float32 only"):
        open_backend(bundle, "torch", RunSettings(precision="bf16"))


@pytest.mark.parametrize("settings", [RunSettings(mode="dense"), RunSettings(clip_length=8)], ids=str)
def test_what_an_exported_model_cannot_answer_pytorch_does(clips: Bundle, settings: RunSettings) -> None:
    backend = open_backend(clips, settings=settings)
    assert backend.name == "torch"
    assert isinstance(backend, DenseBackend)
    with pytest.raises(UsageError, match=r"clips of 5 frames, not .*--run.clip-length 5"):
        open_backend(clips, "openvino", settings)


@pytest.mark.usefixtures("no_torch")
def test_without_pytorch_a_dense_pass_of_an_exported_model_is_refused_with_advice(clips: Bundle) -> None:
    with pytest.raises(UsageError, match=r"in one dense pass\. Say `--mode clip"):
        open_backend(clips, settings=RunSettings(mode="dense"))


def test_clips_too_short_for_the_network_are_refused_with_the_shortest(clips: Bundle) -> None:
    with pytest.raises(UsageError, match="clip-length of 5 or more"):
        open_backend(clips, "torch", RunSettings(mode="clip", clip_length=4))


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
