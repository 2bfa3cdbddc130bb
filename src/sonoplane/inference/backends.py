"""One interface for whatever runs the network: OpenVINO, ONNX Runtime or PyTorch."""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Literal, Protocol, TypeAlias, get_args, runtime_checkable

import numpy as np
from jaxtyping import Float32

from sonoplane.errors import BundleError, MissingExtra, SonoplaneError, UsageError
from sonoplane.inference import onnx_runtime, openvino_runtime
from sonoplane.inference.exports import (
    Exported,
    Precision,
    Runtime,
    int8_pieces,
    is_proven_in_bf16,
    usable,
    whole_model,
)
from sonoplane.inference.graph import piece_frames
from sonoplane.inference.layers import is_chain, layers_of, lost
from sonoplane.inference.onnx_runtime import Onnx
from sonoplane.inference.openvino_runtime import DenseOpenVino, OpenVino, has_bf16
from sonoplane.inference.pieces import Answered
from sonoplane.inference.settings import RunSettings
from sonoplane.inference.torch_runtime import Torch
from sonoplane.inference.ways import Way, refuse_short, run_of, way_of
from sonoplane.models.bundle import Bundle

__all__ = [
    "Answered",
    "Backend",
    "BackendChoice",
    "BatchBackend",
    "Clips",
    "DenseAnswer",
    "DenseBackend",
    "EnsembleBackend",
    "Inputs",
    "Logits",
    "open_backend",
    "precision_of",
]

BackendChoice: TypeAlias = Literal["auto", "openvino", "onnx", "torch"]
Inputs: TypeAlias = Float32[np.ndarray, "batch channel height width"]
"""What the card made of frames."""
Clips: TypeAlias = Float32[np.ndarray, "batch channel time height width"]
"""The same, for networks that see several frames at once."""
Logits: TypeAlias = Float32[np.ndarray, "batch classes"]


@runtime_checkable
class Backend(Protocol):
    """A network, ready to answer: batches, whole runs, or both."""

    name: str
    precision: str


@runtime_checkable
class BatchBackend(Backend, Protocol):
    """A backend that answers a batch at a time."""

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
    """A backend that answers all frames of a run in one pass."""

    min_frames: int
    """The shortest run that it can answer."""

    def dense(self) -> DenseAnswer:
        """Begin a run."""
        ...


class EnsembleBackend:
    """The members of an ensemble, each on a backend of its own; `passes.begin` takes the mean of what they answer."""

    def __init__(self, members: Sequence[Backend]) -> None:
        self.members = tuple(members)
        self.name: str = self.members[0].name
        self.precision: str = " and ".join(dict.fromkeys(member.precision for member in self.members))


def precision_of(backend: Backend, n_frames: int) -> str:
    """The arithmetic in which a run of so many frames was answered: ends of a run in pieces are never in int8."""
    if isinstance(backend, EnsembleBackend):
        return " and ".join(dict.fromkeys(precision_of(member, n_frames) for member in backend.members))
    return backend.precision_of(n_frames) if isinstance(backend, DenseOpenVino) else backend.precision


def open_backend(
    bundle: Bundle, choice: BackendChoice = "auto", settings: RunSettings | None = None
) -> Backend:
    """Make the bundle's network ready on the backend of choice; settings are the bundle's, if none are given.

    OpenVINO and ONNX Runtime take the exported model, where the bundle has one that answers as the settings want it;
    the graphs of SonoNets and SmallNet are else written from the bundle's weights, for OpenVINO always, since a graph
    that is written for this processor is quicker than one that must run anywhere. `auto` takes OpenVINO where it can
    answer, since it is the fastest on a processor, then ONNX Runtime, then PyTorch; of an ensemble it takes one for all
    members. A precision that is left open is the fastest that was proven on real frames for this bundle, or for every
    member, in this mode.

    Raises:
        BundleError: the bundle holds no model of that form.
        MissingExtra: the backend is not installed.
        UsageError: the bundle, the backend or the processor has no such precision, or does not answer in that mode;
            clips are too short for the network.
    """
    settings = run_of(bundle) if settings is None else settings
    way = way_of(bundle.spec, settings)
    if bundle.members:
        return _open_ensemble(bundle.members, choice, way, settings)
    if choice == "auto":
        choice = _best(bundle, way, settings)
    precision = _precision(bundle, choice, way, settings)
    settings = settings.model_copy(update={"precision": precision})
    if choice == "torch":
        return Torch(bundle, settings, way)
    if precision == "int8":
        return _int8(bundle, way, settings)
    exported = whole_model(bundle, choice, way)
    if exported is None or (choice == "openvino" and is_chain(bundle.spec)):
        return _written(bundle, choice, settings, way)
    model = bundle.folder / exported.files[0]
    return OpenVino(model, settings) if choice == "openvino" else Onnx(model, settings)


def _open_ensemble(
    members: Sequence[Bundle], choice: BackendChoice, way: Way, settings: RunSettings
) -> EnsembleBackend:
    """All members on one backend, in one precision."""
    if settings.precision == "auto":
        proven = [_proven(member, way, settings) for member in members]
        fastest: Precision = next(
            (one for one in proven[0] if all(one in each for each in proven)), "float32"
        )
        settings = settings.model_copy(
            update={"precision": fastest if choice in ("auto", "openvino") else "float32"}
        )
    if choice == "auto":
        best = {_best(member, way, settings) for member in members}
        choice = best.pop() if len(best) == 1 else "torch"
    return EnsembleBackend([open_backend(member, choice, settings) for member in members])


def _written(bundle: Bundle, runtime: Runtime, settings: RunSettings, way: Way) -> Backend:
    """The network as a graph that is written from the bundle's weights."""
    if not is_chain(bundle.spec):
        raise _misfit(bundle, runtime, way)
    layers = layers_of(bundle.spec, bundle.weights())
    refuse_short(bundle.spec.name, way, lost(layers) + 1)
    n_frames = settings.piece or piece_frames(layers, bundle.card.size)
    make = openvino_runtime.from_layers if runtime == "openvino" else onnx_runtime.from_layers
    return make(layers, bundle.card.size, settings, way, n_frames)


def _int8(bundle: Bundle, way: Way, settings: RunSettings) -> Backend:
    """The exported int8 model; of a run in pieces, those with an end of it are answered in float32."""
    if exported := _int8_model(bundle, way, settings):
        model = bundle.folder / exported.files[0]
        if way.mode != "dense":
            return OpenVino(model, settings)
        layers = layers_of(bundle.spec, bundle.weights())
        return DenseOpenVino(layers, bundle.card.size, settings, exported.n_frames, model)
    words = ["--precision int8", "--calibrate ARCHIVE"]
    if way.mode == "dense":
        words.insert(0, "--form stream" if settings.piece == 1 and bundle.spec.causal else "--form dense")
        words += [f"--piece {settings.piece}"] * (settings.piece > 0 and "--form dense" in words)
    raise UsageError(
        f"Bundle '{bundle.name}' holds no int8 model that answers {_asked(way)}.",
        advice=f"Export one first: `sonoplane export BUNDLE --to openvino {' '.join(words)}`, or say"
        " `--run.precision float32`.",
    )


def _precision(
    bundle: Bundle, choice: Literal["openvino", "onnx", "torch"], way: Way, settings: RunSettings
) -> Precision:
    """What the settings say, else the fastest that an export has proven and this processor has."""
    wished = settings.precision
    if choice != "openvino" and wished not in ("auto", "float32"):
        raise UsageError(
            f"Backend '{choice}' computes in float32 only.",
            advice=f"For {wished}, take `--backend openvino`; else say `--run.precision float32`.",
        )
    if wished == "bf16" and not has_bf16():
        raise UsageError(
            "This processor does not compute in bf16.",
            advice="Say `--run.precision float32`, or export the bundle in int8.",
        )
    if wished != "auto":
        return wished
    return _proven(bundle, way, settings)[0] if choice == "openvino" else "float32"


def _proven(bundle: Bundle, way: Way, settings: RunSettings) -> list[Precision]:
    """What may be taken on OpenVINO without being asked for, the fastest first."""
    coarse = _int8_model(bundle, way, settings)
    proven: list[Precision] = ["int8"] if coarse and coarse.is_well_proven else []
    proven += ["bf16"] if is_proven_in_bf16(bundle, way) and has_bf16() else []
    return [*proven, "float32"]


def _int8_model(bundle: Bundle, way: Way, settings: RunSettings) -> Exported | None:
    if way.mode == "dense":
        return int8_pieces(bundle, settings.piece)
    return whole_model(bundle, "openvino", way, int8=True)


def _best(bundle: Bundle, way: Way, settings: RunSettings) -> Literal["openvino", "onnx", "torch"]:
    if is_chain(bundle.spec) or whole_model(bundle, "openvino", way):
        return "openvino"
    coarse = _int8_model(bundle, way, settings)
    if coarse and (settings.precision == "int8" or (settings.precision == "auto" and coarse.is_well_proven)):
        return "openvino"
    if whole_model(bundle, "onnx", way) and find_spec("onnxruntime"):
        return "onnx"
    if find_spec("torch"):
        return "torch"
    for runtime in get_args(Runtime):
        if _any(bundle, runtime):
            raise _misfit(bundle, runtime, way)
    raise BundleError(
        f"Bundle '{bundle.name}' holds no exported model in float32, and PyTorch is not installed to run its weights.",
        advice="Export it where sonoplane[train] is installed: `sonoplane export BUNDLE --to openvino`.",
    )


def _misfit(bundle: Bundle, runtime: Runtime, way: Way) -> SonoplaneError:
    """Why no exported model of a network that answers clips as a whole can answer in this way."""
    found = _any(bundle, runtime)
    if found is None:
        return BundleError(
            f"Bundle '{bundle.name}' holds no {runtime} model.",
            advice=f"Export one first: `sonoplane export BUNDLE --to {runtime}`.",
        )
    if found.form == way.mode and found.n_frames == way.length:
        return MissingExtra("ONNX Runtime is not installed.", advice="Run `pip install sonoplane[onnx]`.")
    return UsageError(
        f"The {runtime} model of bundle '{bundle.name}' answers clips of {found.n_frames} frames, not"
        f" {_asked(way)}.",
        advice=f"Say `--mode clip --run.clip-length {found.n_frames}`, or `--backend torch` where"
        " sonoplane[train] is installed.",
    )


def _any(bundle: Bundle, runtime: Runtime) -> Exported | None:
    """An exported model of that runtime in float32, whatever it answers."""
    return next((one for one in usable(bundle, runtime) if one.precision == "float32"), None)


def _asked(way: Way) -> str:
    if way.mode == "dense":
        return "each frame in one dense pass"
    return "each frame" if way.mode == "frame" else f"each frame from clips of {way.length} frames"
