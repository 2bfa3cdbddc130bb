"""One interface for whatever runs the network: OpenVINO, ONNX Runtime or PyTorch."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np
from jaxtyping import Float32

from sonoplane.errors import BundleError, MissingExtra, UsageError
from sonoplane.inference.settings import RunSettings
from sonoplane.models.bundle import Bundle

__all__ = ["Backend", "BackendChoice", "open_backend", "open_exported"]

BackendChoice: TypeAlias = Literal["auto", "openvino", "onnx", "torch"]
Inputs: TypeAlias = Float32[np.ndarray, "batch channel height width"]
Logits: TypeAlias = Float32[np.ndarray, "batch classes"]


@runtime_checkable
class Backend(Protocol):
    """A network, ready to answer."""

    name: str
    precision: str

    def __call__(self, inputs: Inputs) -> Logits:
        """Logits of a batch of what the card made of frames."""
        ...


def open_backend(
    bundle: Bundle, choice: BackendChoice = "auto", settings: RunSettings | None = None
) -> Backend:
    """Make the bundle's network ready on the backend of choice.

    `auto` takes the exported model where the bundle has one, since it is the fastest, else PyTorch.

    Raises:
        BundleError: the bundle holds no model of that form.
        MissingExtra: the backend is not installed.
        UsageError: the backend cannot compute in that precision.
    """
    settings = settings or RunSettings()
    if choice == "auto":
        choice = _best(bundle)
    if settings.precision != "float32" and choice != "openvino":
        raise UsageError(
            f"Backend '{choice}' computes in float32 only.",
            advice=f"For {settings.precision}, export the bundle and take `--backend openvino`.",
        )
    if choice == "torch":
        return _Torch(bundle, settings)
    return open_exported(_exported(bundle, choice), choice, settings)


def open_exported(
    model: Path, form: Literal["openvino", "onnx"], settings: RunSettings | None = None
) -> Backend:
    """Make an exported model ready.

    Raises:
        MissingExtra: its runtime is not installed.
    """
    return _RUNTIMES[form](model, settings or RunSettings())


def _best(bundle: Bundle) -> Literal["openvino", "onnx", "torch"]:
    if bundle.file("model.xml"):
        return "openvino"
    if bundle.file("model.onnx") and find_spec("onnxruntime"):
        return "onnx"
    if find_spec("torch"):
        return "torch"
    raise BundleError(
        f"Bundle '{bundle.name}' holds no exported model, and PyTorch is not installed to run its weights.",
        advice="Export it where sonoplane[train] is installed: `sonoplane export BUNDLE --to openvino`.",
    )


def _exported(bundle: Bundle, form: Literal["openvino", "onnx"]) -> Path:
    path = bundle.file({"openvino": "model.xml", "onnx": "model.onnx"}[form])
    if path is None:
        raise BundleError(
            f"Bundle '{bundle.name}' holds no {form} model.",
            advice=f"Export one first: `sonoplane export BUNDLE --to {form}`.",
        )
    return path


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

    def __call__(self, inputs: Inputs) -> Logits:
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

    def __call__(self, inputs: Inputs) -> Logits:
        return np.asarray(self._session.run(None, {self._input: inputs})[0])


class _Torch:
    name = "torch"
    precision = "float32"

    def __init__(self, bundle: Bundle, settings: RunSettings) -> None:
        if not find_spec("torch"):
            raise MissingExtra("PyTorch is not installed.", advice="Run `pip install sonoplane[train]`.")
        import torch

        from sonoplane.models.registry import load_network

        if settings.threads:
            torch.set_num_threads(settings.threads)
        torch.backends.cudnn.allow_tf32 = False  # float32 is what it says
        self._torch = torch
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        network: torch.nn.Module = load_network(bundle).to(self._device)
        self._network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # untyped in torch

    def __call__(self, inputs: Inputs) -> Logits:
        torch = self._torch
        with torch.inference_mode():
            batch = torch.from_numpy(inputs).to(self._device, memory_format=torch.channels_last)
            return np.asarray(self._network(batch).float().cpu().numpy())


_RUNTIMES: dict[str, Callable[[Path, RunSettings], Backend]] = {
    "openvino": _OpenVino,
    "onnx": _OnnxRuntime,
}
