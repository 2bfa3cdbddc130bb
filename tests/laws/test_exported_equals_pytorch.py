"""Law: what an exported network answers is what PyTorch answers, for every family, form, runtime and batch.

The models are run here as their page says, with nothing of ours: by ONNX Runtime and OpenVINO alone.
"""

from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnxruntime
import openvino
import pytest

from sonoplane.errors import UsageError
from sonoplane.inference.backends import open_backend
from sonoplane.inference.export import export
from sonoplane.inference.export_settings import ExportSettings
from sonoplane.inference.exports import Exported, exports_of
from sonoplane.inference.settings import RunSettings
from sonoplane.models.bundle import Bundle, save_bundle
from sonoplane.models.card import Card
from sonoplane.models.normalization import Normalization
from sonoplane.models.registry import weights_of
from tests.models.tiny_networks import NAMES, tiny, tiny_spec

SIZE = (48, 56)
LENGTH, PIECE = 6, 9
RUNTIMES: tuple[Literal["onnx", "openvino"], ...] = ("onnx", "openvino")
CHAINS = tuple(name for name in NAMES if name.startswith(("sononet", "smallnet")))


def made(name: str, folder: Path) -> Bundle:
    return save_bundle(
        folder / "drawn",
        name="drawn",
        version="1",
        spec=tiny_spec(name),
        card=Card(
            classes=("a", "b", "c"), size=SIZE, normalization=Normalization(kind="dataset", mean=0.3, std=0.2)
        ),
        weights=weights_of(tiny(name)),
        recipe={"run": {"mode": "clip", "clip_length": LENGTH}},
    )


def some_frames(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*shape, *SIZE), dtype=np.uint8)


def ask(
    bundle: Bundle, one: Exported, inputs: dict[str, np.ndarray], state: Any = None
) -> tuple[np.ndarray, Any]:
    """One call of the model: its logits, and what the next call of the same run needs."""
    model = bundle.folder / one.files[0]
    if one.runtime == "openvino":
        state = (
            state
            or openvino.compile_model(
                model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
            ).create_infer_request()
        )
        return np.array(state.infer(inputs)[0]), state
    if state is None:
        session = onnxruntime.InferenceSession(model)
        pasts = [each for each in session.get_inputs() if each.name.startswith("past")]
        state = session, {each.name: np.zeros(each.shape, np.float32) for each in pasts}
    session, memory = state
    logits, *nexts = session.run(None, inputs | memory)
    return logits, (session, dict(zip(memory, nexts, strict=True)))


def in_pieces(bundle: Bundle, one: Exported, run: np.ndarray) -> np.ndarray:
    """A whole run through a dense or streaming model; the first row stands for frames before it, the last likewise."""
    n = len(run)
    rows, state = [], None
    for start in range(0, n + one.delay, one.n_frames):
        frames = run[start : start + one.n_frames]
        frames = np.concatenate([frames, np.zeros((one.n_frames - len(frames), *run.shape[1:]), run.dtype)])
        if one.values == "outside":
            frames = np.ascontiguousarray(bundle.card.values(frames).swapaxes(0, 1)[None])
        ends = {"start": np.array([start]), "length": np.array([n])} if one.form == "dense" else {}
        logits, state = ask(bundle, one, {"frames": frames, **ends}, state)
        rows.append(logits)
    answered = np.concatenate(rows)[one.delay : one.delay + n]
    lost = 0 if bundle.spec.causal else 4
    inner = answered[lost // 2 : n - lost // 2]
    return np.concatenate([np.repeat(inner[:1], lost // 2, 0), inner, np.repeat(inner[-1:], lost // 2, 0)])


def torchs(bundle: Bundle, inputs: np.ndarray, mode: Literal["clip", "dense"] = "clip") -> np.ndarray:
    backend = open_backend(bundle, "torch", RunSettings(mode=mode, clip_length=LENGTH))
    if mode == "dense":
        return backend.dense()(inputs, last=True)  # type: ignore[attr-defined]
    return backend(inputs)


def assert_same(ours: np.ndarray, theirs: np.ndarray) -> None:
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() < 1e-4 * max(1, np.abs(theirs).max())


def check_whole(bundle: Bundle, one: Exported, batch: int) -> None:
    """Frames or clips, from pixels or from the card's values of them."""
    clips = bundle.spec.takes_clips
    pixels = some_frames(batch, LENGTH) if clips else some_frames(batch)
    if one.color:
        pixels = np.stack([pixels, pixels // 2, 255 - pixels], axis=-1)
    values = bundle.card.values(pixels.reshape(-1, *SIZE, *[3] * one.color))
    if clips:
        values = np.ascontiguousarray(values.reshape(batch, LENGTH, 1, *SIZE).swapaxes(1, 2))
    given = pixels if one.values == "inside" else values
    logits, _ = ask(bundle, one, {"clips" if clips else "frames": given})
    assert_same(logits, torchs(bundle, values))


@pytest.mark.parametrize("name", CHAINS)
def test_every_form_of_a_sononet_or_smallnet(name: str, tmp_path: Path) -> None:
    bundle = made(name, tmp_path)
    forms = ["auto", *["dense"] * bundle.spec.dense, *["stream"] * bundle.spec.streams]
    for form in forms if bundle.spec.takes_clips else ["auto"]:
        for runtime in RUNTIMES:
            for values in ("outside", "inside") if form == forms[-1] else ("outside",):
                piece = PIECE if form == "dense" else 0
                wanted = ExportSettings.model_validate({"form": form, "values": values, "piece": piece})
                bundle, (one,) = export(bundle, runtime, wanted)
                if one.form in ("frame", "clip"):
                    check_whole(bundle, one, 1)
                    check_whole(bundle, one, 5)
                    continue
                run = some_frames(2 * PIECE + 4)
                assert_same(in_pieces(bundle, one, run), torchs(bundle, bundle.card.values(run), "dense"))


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("name", ["sononet2d-2", "sononet3d-2"])
def test_in_color_and_of_any_size(name: str, runtime: Literal["onnx", "openvino"], tmp_path: Path) -> None:
    bundle = made(name, tmp_path)
    bundle, (one,) = export(bundle, runtime, ExportSettings(values="inside", color=True))
    check_whole(bundle, one, 2)
    bundle, (one,) = export(bundle, runtime, ExportSettings(any_size=True))
    shape = (2, 1, LENGTH, 64, 72) if bundle.spec.takes_clips else (2, 1, 64, 72)
    larger = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    logits, _ = ask(bundle, one, {"clips" if bundle.spec.takes_clips else "frames": larger})
    assert_same(logits, torchs(bundle, larger))


def test_a_network_that_answers_clips_as_a_whole(tmp_path: Path) -> None:
    bundle, (one,) = export(made("echo3dcnn", tmp_path), "openvino")
    check_whole(bundle, one, 1)
    check_whole(bundle, one, 3)
    clips = np.random.default_rng(0).normal(size=(2, 1, LENGTH, *SIZE)).astype(np.float32)
    backend = open_backend(bundle, settings=RunSettings(clip_length=LENGTH))
    assert backend.name == "openvino"
    assert_same(backend(clips), torchs(bundle, clips))
    assert open_backend(bundle, settings=RunSettings(clip_length=LENGTH + 1)).name == "torch"


@pytest.mark.slow
@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("name", [name for name in NAMES if name not in CHAINS])
def test_every_network_that_answers_clips_as_a_whole(
    name: str, runtime: Literal["onnx", "openvino"], tmp_path: Path
) -> None:
    for values in ("outside", "inside"):
        bundle, (one,) = export(
            made(name, tmp_path / values), runtime, ExportSettings.model_validate({"values": values})
        )
        check_whole(bundle, one, 3)


def test_an_export_is_hashed_and_its_proof_is_kept(tmp_path: Path) -> None:
    bundle = made("sononet3d-2", tmp_path)
    for runtime in RUNTIMES:
        bundle, _ = export(bundle, runtime)
    loaded = Bundle.load(bundle.folder)
    assert {"model.onnx", "model.xml", "model.bin"} <= set(loaded.hashes)
    for one in exports_of(loaded):
        assert one.proof is not None
        assert 0 <= one.proof.largest_difference < 1e-3
        assert one.proof.n_frames == 3
        assert one.n_frames == LENGTH
    page = (loaded.folder / "MODEL_CARD.md").read_text()
    assert page.count("## Exported models") == 1
    assert "| `model.xml` | clip, 6 frames | float32 |" in page


def test_an_older_exports_record_is_understood() -> None:
    table = {"precision": "float32", "largest_difference": 1e-6, "clip_length": 6}
    assert Exported.from_dict("onnx", table) == Exported(runtime="onnx", form="clip", n_frames=6)


@pytest.mark.parametrize(
    ("name", "wanted", "told"),
    [
        ("sononet2d-2", {"form": "stream"}, "each frame by itself"),
        ("sononet3d-2", {"form": "stream"}, r"looks ahead.*sononet3d-2-causal.*--form dense"),
        ("sononet3d-2", {"form": "frame"}, "--form clip"),
        ("echo3dcnn", {"form": "dense"}, "clips as a whole"),
        ("echo3dcnn", {"any_size": True}, "--any-size"),
        ("sononet2d-2", {"color": True}, "--values inside"),
        ("sononet2d-2", {"precision": "bf16"}, "--to openvino"),
    ],
)
def test_what_a_network_has_not_is_refused(
    name: str, wanted: dict[str, Any], told: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=told):
        export(made(name, tmp_path), "onnx", ExportSettings.model_validate(wanted))


def test_an_answer_does_not_change_when_the_next_batch_comes(tmp_path: Path) -> None:
    bundle, _ = export(made("sononet2d-2", tmp_path), "openvino")
    backend = open_backend(bundle, "openvino")
    first, second = (bundle.card.values(some_frames(2, seed=seed)) for seed in (1, 2))
    kept = backend(first)
    copy = kept.copy()
    backend(second)
    assert np.array_equal(kept, copy)
