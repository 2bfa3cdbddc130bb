"""One interface for whatever runs the network: OpenVINO, ONNX Runtime or PyTorch."""

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np
from jaxtyping import Float32

from sonoplane.errors import BundleError, MissingExtra, SonoplaneError, UsageError
from sonoplane.inference.ensembles import mean_answer
from sonoplane.inference.settings import RunSettings
from sonoplane.inference.ways import Way, run_of, way_of
from sonoplane.models.bundle import Bundle

__all__ = [
    "Answered",
    "Backend",
    "BackendChoice",
    "Clips",
    "DenseAnswer",
    "DenseBackend",
    "EnsembleBackend",
    "Inputs",
    "Logits",
    "open_backend",
    "open_exported",
]

BackendChoice: TypeAlias = Literal["auto", "openvino", "onnx", "torch"]
Form: TypeAlias = Literal["openvino", "onnx"]
Inputs: TypeAlias = Float32[np.ndarray, "batch channel height width"]
"""What the card made of frames."""
Clips: TypeAlias = Float32[np.ndarray, "batch channel time height width"]
"""The same, for networks that see several frames at once."""
Logits: TypeAlias = Float32[np.ndarray, "batch classes"]
Answered: TypeAlias = Float32[np.ndarray, "answered classes"]
"""Logits of as many frames as could be answered by now."""

#: The file of each exported form.
_MODELS: dict[Form, str] = {"openvino": "model.xml", "onnx": "model.onnx"}


@runtime_checkable
class Backend(Protocol):
    """A network, ready to answer."""

    name: str
    precision: str

    def __call__(self, inputs: Inputs | Clips) -> Logits:
        """Logits of a batch of frames, or of clips."""
        ...


@runtime_checkable
class DenseAnswer(Protocol):
    """One run of frames, which comes in pieces."""

    def __call__(self, inputs: Inputs, *, last: bool) -> Answered:
        """Take the next frames of the run, possibly none; answer those that can be answered by now, in order."""
        ...


@runtime_checkable
class DenseBackend(Backend, Protocol):
    """A backend that can also answer all frames of a run in one pass."""

    min_frames: int
    """The shortest run that it can answer."""

    def dense(self) -> DenseAnswer:
        """Begin a run."""
        ...


class EnsembleBackend:
    """The members of an ensemble, each on a backend of its own; it answers the mean of their probabilities.

    A run of frames that the members answer densely goes through each of them: see `passes.begin`.
    """

    def __init__(self, members: Sequence[Backend]) -> None:
        self.members = tuple(members)
        self.name: str = self.members[0].name
        self.precision: str = self.members[0].precision

    def __call__(self, inputs: Inputs | Clips) -> Logits:
        """Logits of the mean, of a batch of frames, or of clips."""
        return mean_answer(np.stack([member(inputs) for member in self.members]))


def open_backend(
    bundle: Bundle, choice: BackendChoice = "auto", settings: RunSettings | None = None
) -> Backend:
    """Make the bundle's network ready on the backend of choice; settings are the bundle's, if none are given.

    `auto` takes the exported model where the bundle has one that goes through time as the settings want it, since it is
    the fastest, else PyTorch; of an ensemble it takes one for all members. Exported models answer clips of one length
    as a whole.

    Raises:
        BundleError: the bundle holds no model of that form.
        MissingExtra: the backend is not installed.
        UsageError: the backend cannot compute in that precision, or does not answer in that mode; clips are too short
            for the network.
    """
    settings = run_of(bundle) if settings is None else settings
    way = way_of(bundle.spec, settings)
    if bundle.members:
        if choice == "auto":
            best = {_best(member, way) for member in bundle.members}
            choice = best.pop() if len(best) == 1 else "torch"
        return EnsembleBackend([open_backend(member, choice, settings) for member in bundle.members])
    if choice == "auto":
        choice = _best(bundle, way)
    if settings.precision != "float32" and choice != "openvino":
        raise UsageError(
            f"Backend '{choice}' computes in float32 only.",
            advice=f"For {settings.precision}, export the bundle and take `--backend openvino`.",
        )
    if choice == "torch":
        return _Torch(bundle, settings, way)
    return open_exported(_exported(bundle, choice, way), choice, settings)


def open_exported(model: Path, form: Form, settings: RunSettings | None = None) -> Backend:
    """Make an exported model ready.

    Raises:
        MissingExtra: its runtime is not installed.
    """
    return _RUNTIMES[form](model, settings or RunSettings())


def _best(bundle: Bundle, way: Way) -> Literal["openvino", "onnx", "torch"]:
    if _misfit(bundle, "openvino", way) is None:
        return "openvino"
    if _misfit(bundle, "onnx", way) is None and find_spec("onnxruntime"):
        return "onnx"
    if find_spec("torch"):
        return "torch"
    exported = [form for form in _MODELS if bundle.file(_MODELS[form])]
    if exported:
        raise _misfit(bundle, exported[0], way) or MissingExtra(
            "ONNX Runtime is not installed.", advice="Run `pip install sonoplane[onnx]`."
        )
    raise BundleError(
        f"Bundle '{bundle.name}' holds no exported model, and PyTorch is not installed to run its weights.",
        advice="Export it where sonoplane[train] is installed: `sonoplane export BUNDLE --to openvino`.",
    )


def _exported(bundle: Bundle, form: Form, way: Way) -> Path:
    misfit = _misfit(bundle, form, way)
    if misfit:
        raise misfit
    return bundle.folder / _MODELS[form]


def _misfit(bundle: Bundle, form: Form, way: Way) -> SonoplaneError | None:
    """Why the exported model cannot answer in this way; None where it can."""
    if bundle.file(_MODELS[form]) is None:
        return BundleError(
            f"Bundle '{bundle.name}' holds no {form} model.",
            advice=f"Export one first: `sonoplane export BUNDLE --to {form}`.",
        )
    length = bundle.exports.get(form, {}).get("clip_length")
    if way.mode == "frame" or (way.mode == "clip" and length == way.length):
        return None
    asked = "in one dense pass" if way.mode == "dense" else f"from clips of {way.length} frames"
    return UsageError(
        f"The {form} model of bundle '{bundle.name}' answers clips of {length} frames, not each frame {asked}.",
        advice=f"Say `--mode clip --run.clip-length {length}`, or `--backend torch` where sonoplane[train] is"
        " installed.",
    )


class _OpenVino:
    name = "openvino"

    def __init__(self, model: Path, settings: RunSettings) -> None:
        import openvino

        hints: dict[str, object] = {
            "INFERENCE_PRECISION_HINT": {"float32": "f32", "bf16": "bf16"}[settings.precision],
            "PERFORMANCE_HINT": "LATENCY",
        }
        if settings.threads:
            hints["INFERENCE_NUM_THREADS"] = settings.threads
        core = openvino.Core()
        self.precision: str = settings.precision
        self._request = core.compile_model(core.read_model(model), "CPU", hints).create_infer_request()

    def __call__(self, inputs: Inputs | Clips) -> Logits:
        return np.array(self._request.infer([inputs], share_inputs=True)[0])


class _OnnxRuntime:
    name = "onnx"
    precision = "float32"

    def __init__(self, model: Path, settings: RunSettings) -> None:
        if not find_spec("onnxruntime"):
            raise MissingExtra("ONNX Runtime is not installed.", advice="Run `pip install sonoplane[onnx]`.")
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = settings.threads
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name

    def __call__(self, inputs: Inputs | Clips) -> Logits:
        return np.asarray(self._session.run(None, {self._input: inputs})[0])


class _Torch:
    name = "torch"
    precision = "float32"

    def __init__(self, bundle: Bundle, settings: RunSettings, way: Way) -> None:
        if not find_spec("torch"):
            raise MissingExtra("PyTorch is not installed.", advice="Run `pip install sonoplane[train]`.")
        import torch

        from sonoplane.models.registry import load_network

        if settings.threads:
            torch.set_num_threads(settings.threads)
        torch.backends.cudnn.allow_tf32 = False  # float32 is what it says
        network: Any = load_network(bundle)
        if way.mode == "clip" and way.length < network.min_frames:
            raise UsageError(
                f"'{bundle.spec.name}' cannot answer clips of {way.length} frames.",
                advice=f"Give a --run.clip-length of {network.min_frames} or more.",
            )
        self.min_frames: int = network.min_frames
        self._torch = torch
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._layout = torch.channels_last_3d if network.takes_clips else torch.channels_last
        self._network = network.to(self._device).to(memory_format=self._layout)

    def __call__(self, inputs: Inputs | Clips) -> Logits:
        with self._torch.inference_mode():
            return self._array(self._network(self._tensor(inputs)))

    def dense(self) -> DenseAnswer:
        state = None

        def answer(inputs: Inputs, *, last: bool) -> Answered:
            nonlocal state
            with self._torch.inference_mode():
                run = self._tensor(np.moveaxis(inputs, 0, 1)[None])
                logits, state = self._network.dense_chunk(run, state, last=last)
                return self._array(logits[0])

        return answer

    def _tensor(self, inputs: Inputs | Clips) -> Any:
        return self._torch.from_numpy(inputs).to(self._device, memory_format=self._layout)

    def _array(self, logits: Any) -> Answered:
        return np.asarray(logits.float().cpu().numpy())


_RUNTIMES: dict[str, Callable[[Path, RunSettings], Backend]] = {
    "openvino": _OpenVino,
    "onnx": _OnnxRuntime,
}
