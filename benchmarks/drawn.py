"""A network that nobody trained and that yet has something to say, made in seconds and without data.

It is a 2D SonoNet drawn from a seed. Its batch norm keeps the statistics of a few frames, so that values stay in range
from layer to layer. A network that sees time begins with it (see `models/inflation.py`), each kernel spread evenly over
its taps: a layer looks at the mean of three frames. If the 26 convolutions of a (2+1)D network were drawn one by one,
rounding to 8 bits would change its features by three quarters of their spread along the recording, not by a fifth.

The last layer is fitted, by least squares, to tell the simulated patients of one recording from each other; the
recording is cut together from a scene of each. Such labels are worth nothing beyond that, but they change along the
recording, with a margin between, as labels of a trained network do: enough to see whether arithmetic changes them. How
well a trained network bears coarse arithmetic they do not tell. It costs what a trained network costs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np

from sonoplane.frames.cleaning import clean
from sonoplane.inference.backends import BackendChoice, open_backend
from sonoplane.models.bundle import Bundle, save_bundle
from sonoplane.models.card import Card
from sonoplane.models.inflation import inflate
from sonoplane.models.plan import BATCH_NORM_EPS, KERNELS
from sonoplane.models.registry import build, network_spec, weights_of
from sonoplane.models.spec import NetworkSpec
from sonoplane.records import Frame, Timeline
from sonoplane.steps.predict import predict
from sonoplane.steps.recipe import layered
from sonoplane.video.opening import open_recording
from sonoplane.video.phantom import PhantomExam, PhantomSettings, simulate
from sonoplane.video.phantom_files import write_mp4

__all__ = [
    "CLASSES",
    "Scenes",
    "drawn_bundle",
    "images_of",
    "inputs_of",
    "plain_bundle",
    "scenes",
    "timeline",
]

CLASSES = tuple(f"patient {i}" for i in range(4))
#: How many frames, from all over the recording, batch norm keeps the statistics of.
N_FRAMES = 25
#: Least squares: how much weights cost beside errors, and by how much a class shall be ahead of the others.
RIDGE, AHEAD = 0.1, 8.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Scenes:
    """A simulated recording in a file: for each class, some frames of a sweep over another patient's liver."""

    file: Path
    labels: tuple[str, ...]
    """Of each frame."""


class Cut:
    """Gives the first frames of each exam, one after the other."""

    def __init__(self, exams: Sequence[PhantomExam], each: int) -> None:
        self._exams, self._each = exams, each

    def read(self, start: int = 0, stop: int | None = None) -> Iterator[Frame]:
        """Frames `start` to `stop` (exclusive)."""
        scenes = (frame for exam in self._exams for frame in exam.recording.frames(0, self._each))
        return islice(scenes, start, stop)


def scenes(file: Path, *, height: int, width: int, n_frames: int, seed: int = 1) -> Scenes:
    """Write such a recording as H.264, the same every time for a seed; scenes are of one length."""
    each = n_frames // len(CLASSES)
    settings = PhantomSettings(height=height, width=width, frames=max(each, 20))
    patients = len(CLASSES)
    exams = list(simulate("liver-sweep", patients=patients, exams=(1, 1), seed=seed, settings=settings))
    recording = replace(exams[0].recording, source=Cut(exams, each))
    write_mp4(replace(exams[0], recording=recording), file)
    return Scenes(file=file, labels=tuple(name for name in CLASSES for _ in range(each)))


def images_of(file: Path, card: Card) -> list[np.ndarray]:
    """A recording's frames as the card's geometry leaves them."""
    frames = clean(open_recording(file))
    return [card.geometry(frame.image, frames.region.box) for frame in frames.read()]


def inputs_of(file: Path, card: Card) -> np.ndarray:
    """What the card makes of a recording's frames, as prediction does: `time 1 height width`."""
    return card.values(images_of(file, card))


def timeline(file: Path, bundle: Bundle, run: dict[str, object], backend: BackendChoice = "auto") -> Timeline:
    """What prediction says of a recording, from opening the model on."""
    recipe = layered(bundle.recipe, {"run": run})
    opened = open_backend(bundle, backend, recipe.run)
    return predict(open_recording(file), bundle=bundle, backend=opened, recipe=recipe)[1]


def drawn_bundle(folder: Path, network: str, size: tuple[int, int], seen: Scenes, *, mode: str) -> Bundle:
    """The network with such weights as a bundle, for input of this height and width, fitted to what it says in a mode.

    Needs torch.
    """
    spec = network_spec(network, n_classes=len(CLASSES))
    card = Card(classes=CLASSES, size=size)
    weights, n_features = _body(spec, inputs_of(seen.file, card))
    handing_on = _save(
        folder / "features",
        network_spec(network, n_classes=n_features),
        card.with_classes(tuple(f"feature {i}" for i in range(n_features))),
        weights | _last(spec, np.eye(n_features), np.zeros(n_features)),
    )
    features = timeline(seen.file, handing_on, {"mode": mode}).logits.astype(np.float64)
    fitted = _fitted(features, np.array([CLASSES.index(label) for label in seen.labels]))
    return _save(folder / "drawn", spec, card, weights | _last(spec, *fitted))


def plain_bundle(folder: Path, network: str) -> Bundle:
    """A network of seven classes at 224 x 288 whose weights are drawn and nothing more: it only takes its time."""
    spec = network_spec(network, n_classes=7)
    card = Card(classes=tuple("abcdefg"), size=(224, 288))
    return _save(folder, spec, card, weights_of(build(spec, seed=0)))


def _save(folder: Path, spec: NetworkSpec, card: Card, weights: dict[str, np.ndarray]) -> Bundle:
    return save_bundle(folder, name="drawn", version="1", spec=spec, card=card, weights=weights, recipe={})


def _body(spec: NetworkSpec, inputs: np.ndarray) -> tuple[dict[str, np.ndarray], int]:
    """All but the last layer, drawn and in range; and how many features it gives to that layer."""
    import torch
    from torch import nn

    flat = build(network_spec(f"sononet2d-{spec.width}", n_classes=spec.n_classes), seed=0)
    for module in flat.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0  # the statistics become those of what it sees now
    frames = inputs[np.linspace(0, len(inputs) - 1, N_FRAMES).astype(int)]
    with torch.inference_mode():
        flat.train()(torch.from_numpy(frames))
    weights = {name: _spread(array) for name, array in inflate(weights_of(flat), spec).items()}
    n_features = weights["head.1.0.conv.weight"].shape[1]
    return {name: array for name, array in weights.items() if not name.startswith("head.1.")}, n_features


def _spread(array: np.ndarray) -> np.ndarray:
    """Of a kernel over time, as much at every tap; others as they are."""
    if array.ndim < 5:
        return array
    return np.repeat(array.mean(axis=2, keepdims=True), array.shape[2], axis=2)


def _fitted(features: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights and biases with which features answer `AHEAD` for their class and 0 for the others."""
    wanted = np.eye(len(CLASSES))[targets] * AHEAD
    mean, spread = features.mean(axis=0), features.std(axis=0) + 1e-6
    x = (features - mean) / spread
    cost = RIDGE * len(x) * np.eye(x.shape[1])
    weight = (np.linalg.solve(x.T @ x + cost, x.T @ (wanted - wanted.mean(axis=0))) / spread[:, None]).T
    return weight, wanted.mean(axis=0) - weight @ mean


def _last(spec: NetworkSpec, weight: np.ndarray, bias: np.ndarray) -> dict[str, np.ndarray]:
    """The last layer with this weight and bias; where it is two convolutions, the second hands on."""
    n_out = len(bias)
    arrays: dict[str, np.ndarray] = {}
    for unit in range(len(KERNELS[spec.kind])):
        name = f"head.1.{unit}"
        kernel, shift = (np.eye(n_out), np.zeros(n_out)) if unit else (weight, bias)
        arrays |= {
            f"{name}.conv.weight": kernel.reshape(*kernel.shape, 1, 1, 1),
            f"{name}.norm.weight": np.ones(n_out),
            f"{name}.norm.bias": shift,
            f"{name}.norm.running_mean": np.zeros(n_out),
            f"{name}.norm.running_var": np.full(n_out, 1 - BATCH_NORM_EPS),
        }
    return {name: np.ascontiguousarray(array, np.float32) for name, array in arrays.items()}
