"""The proof of an exported model: what it says of frames is what PyTorch says of them, and how long both take."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import TypeAlias

import numpy as np
from jaxtyping import Float32, Int64, UInt8

from sonoplane.errors import UsageError
from sonoplane.inference import onnx_runtime, openvino_runtime
from sonoplane.inference.export_models import padded, piece_of
from sonoplane.inference.exports import Exported, Proof
from sonoplane.inference.layers import layers_of, lost
from sonoplane.inference.onnx_runtime import Onnx
from sonoplane.inference.openvino_runtime import DenseOpenVino, OpenVino
from sonoplane.inference.passes import clips
from sonoplane.inference.pieces import PieceAnswer, Pieces
from sonoplane.inference.settings import RunSettings
from sonoplane.inference.silent import new_core
from sonoplane.inference.torch_runtime import Torch
from sonoplane.inference.ways import Way
from sonoplane.models.bundle import Bundle

__all__ = ["Evidence", "Prepared", "prove", "together"]

Prepared: TypeAlias = UInt8[np.ndarray, "time height width *color"]
"""A run of frames as the card's geometry leaves them: gray, or with a last axis of 3 colors."""
Answer: TypeAlias = Callable[[Prepared], Float32[np.ndarray, "rows classes"]]
"""Logits of a run's frames; of clips, of as many of its last frames as end a clip."""

_BATCH = 8
#: Both are timed in turns, so often, unless that takes longer than this, seconds.
_TURNS, _PATIENCE_S = 3, 5.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """Frames that a model is proven on, or that int8 is fitted to."""

    runs: tuple[UInt8[np.ndarray, "..."], ...] = field(repr=False)
    """Each as long as it is: time height width, and 3 behind where it has color."""
    told: str
    """Which they are: `of the archive's part validation`, ..."""
    are_real: bool = False
    """Whether patients were recorded, not a phantom or noise."""
    targets: tuple[Int64[np.ndarray, "..."], ...] | None = field(default=None, repr=False)
    """The class number of each frame, -1 where it has no label; None: nobody knows."""


def together(shown: Sequence[Evidence]) -> Evidence:
    """All runs of several."""
    each = [one.targets or tuple(np.full(len(run), -1) for run in one.runs) for one in shown]
    return Evidence(
        runs=tuple(run for one in shown for run in one.runs),
        told=" and ".join(dict.fromkeys(one.told for one in shown)),
        are_real=all(one.are_real for one in shown),
        targets=tuple(row for rows in each for row in rows) if any(one.targets for one in shown) else None,
    )


def prove(
    bundle: Bundle,
    what: Exported,
    way: Way,
    model: Path,
    evidence: Evidence | None,
    on_run: Callable[[int, int], None] = lambda done, total: None,
) -> Proof:
    """Ask PyTorch and the exported model the same, and time them.

    Noise, faint noise and flat frames are asked beside the evidence; how often labels agree is told of the evidence,
    where there is any. `on_run` hears of each run that is done.
    """
    import torch

    settings = RunSettings(
        mode="clip" if way.mode == "clip" else "dense",
        clip_length=way.length,
        clip_step=way.step,
        threads=torch.get_num_threads(),
        precision=what.precision,
    )
    evidence = _long_enough(bundle, way, evidence) if evidence else None
    theirs = _torch(bundle, settings, way)
    ours = _exported(bundle, what, way, model, settings)
    odd = _odd_runs(bundle, what, way)
    real = [_as_taken(what, run) for run in evidence.runs] if evidence else []
    answers = []
    for count, run in enumerate([*odd, *real], start=1):
        answers.append((theirs(run), ours(run)))
        on_run(count, len(odd) + len(real))
    told = _of_the_model(bundle, what, answers[len(odd) :] or answers)
    before, now = (np.concatenate(rows) for rows in zip(*told, strict=True))
    if not len(before):
        raise UsageError(
            f"No run is long enough for pieces of {what.n_frames} frames: nothing would be answered in int8.",
            advice="Give longer recordings.",
        )
    unit = (real or odd)[0][: {"frame": 1, "clip": way.span}.get(what.form)]
    ms, ms_torch = _milliseconds(ours, theirs, unit, 1 if what.form == "clip" else len(unit))
    right = _accuracies(before, now, _targets(bundle, what, evidence, answers[len(odd) :]))
    return Proof(
        largest_difference=_difference(answers),
        same_labels=float((before.argmax(1) == now.argmax(1)).mean()),
        n_frames=len(before),
        frames=evidence.told if evidence else "of noise",
        are_real=evidence is not None and evidence.are_real,
        ms=ms,
        ms_torch=ms_torch,
        threads=settings.threads,
        machine=str(new_core().get_property("CPU", "FULL_DEVICE_NAME")).strip(),
        accuracy_torch=right[0],
        accuracy=right[1],
    )


def _long_enough(bundle: Bundle, way: Way, evidence: Evidence) -> Evidence:
    """The runs that the network can answer without repeating frames."""
    least = lost(layers_of(bundle.spec, bundle.weights())) + 1 if way.mode == "dense" else 1
    kept = [i for i, run in enumerate(evidence.runs) if len(run) >= least]
    if not kept:
        raise UsageError(
            f"No run to prove the model on has the {least} frames that the network needs.",
            advice="Give --verify longer recordings.",
        )
    targets = evidence.targets and tuple(evidence.targets[i] for i in kept)
    return replace(evidence, runs=tuple(evidence.runs[i] for i in kept), targets=targets)


def _torch(bundle: Bundle, settings: RunSettings, way: Way) -> Answer:
    backend = Torch(bundle, settings, way)
    if way.mode == "dense":
        return lambda run: backend.dense()(bundle.card.values(run), last=True)
    return lambda run: _in_batches(backend, _units(bundle.card.values(run), way))


def _exported(bundle: Bundle, what: Exported, way: Way, model: Path, settings: RunSettings) -> Answer:
    """The model as a program is expected to use it."""

    def given(run: Prepared) -> np.ndarray:
        return run if what.values == "inside" else bundle.card.values(run)

    if what.form in ("frame", "clip"):
        one_by_one = settings.model_copy(update={"piece": 1})
        backend = (OpenVino if what.runtime == "openvino" else Onnx)(model, one_by_one)
        return lambda run: _in_batches(backend, _units(given(run), way))
    if what.precision == "int8":
        layers = layers_of(bundle.spec, bundle.weights())
        dense = DenseOpenVino(layers, bundle.card.size, settings, what.n_frames, model)
        return lambda run: dense.dense()(given(run), last=True)
    piece = piece_of(bundle, what)
    assert piece is not None
    engine = (
        openvino_runtime.engines(model, settings)
        if what.runtime == "openvino"
        else onnx_runtime.engines(model, piece, settings)
    )
    return lambda run: PieceAnswer(Pieces(piece=piece, engine=engine))(given(run), last=True)


def _units(given: np.ndarray, way: Way) -> np.ndarray:
    """What goes through the network by itself: frames, or every clip of a run."""
    if way.mode == "frame":
        return given
    given = padded(given, way)
    if given.dtype != np.uint8:
        return clips(given, way)
    seen = np.lib.stride_tricks.sliding_window_view(given, way.span, axis=0)[..., :: way.step]
    return np.array(np.moveaxis(seen, -1, 1), order="C")


def _in_batches(backend: Callable[[np.ndarray], np.ndarray], units: np.ndarray) -> np.ndarray:
    """The first by itself, the others in batches: a model must take any number."""
    starts = [0, *range(1, len(units), _BATCH)]
    stops = [*starts[1:], len(units)]
    return np.concatenate([backend(units[start:stop]) for start, stop in zip(starts, stops, strict=True)])


def _odd_runs(bundle: Bundle, what: Exported, way: Way) -> list[Prepared]:
    """Noise, faint noise and flat frames; where sizes are free, of another size, too."""
    length = max(what.n_frames, 8) if what.form in ("dense", "stream") else way.span
    color = (3,) * what.color
    draw = np.random.default_rng(0)
    frames = draw.integers(0, 256, (3, length, *bundle.card.size, *color), dtype=np.uint8)
    frames[1] //= 4
    frames[2] = 0
    if what.form in ("dense", "stream"):
        return [frames.reshape(-1, *frames.shape[2:])]
    runs = [frames.reshape(-1, *frames.shape[2:])] if what.form == "frame" else list(frames)
    if what.any_size:
        height, width = bundle.card.size
        larger = (height + height // 4, width + width // 2)
        runs.append(draw.integers(0, 256, (length, *larger, *color), dtype=np.uint8))
    return runs


def _as_taken(what: Exported, run: Prepared) -> UInt8[np.ndarray, "..."]:
    """Frames in color or gray, whichever the model takes."""
    if what.values == "outside" or (run.ndim == 4) == what.color:
        return run
    if what.color:
        return np.repeat(run[..., None], 3, axis=-1)
    return np.asarray((run.sum(axis=-1, dtype=np.uint16) + 1) // 3, np.uint8)


def _difference(answers: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
    """The largest, as a share of the largest logit."""
    before, now = (np.concatenate(rows) for rows in zip(*answers, strict=True))
    return float(np.abs(before - now).max() / max(1.0, np.abs(before).max()))


def _of_the_model(
    bundle: Bundle, what: Exported, rows: Sequence[tuple[np.ndarray, ...]]
) -> list[tuple[np.ndarray, ...]]:
    """The rows that the model itself has answered: of int8 pieces, those between the ends of a run."""
    if what.form != "dense" or what.precision != "int8":
        return list(rows)
    with_ends = piece_of(bundle, replace(what, precision="float32"))
    assert with_ends is not None
    n_frames = what.n_frames
    start = max(0, -(-with_ends.before // n_frames) * n_frames - what.delay)
    return [
        tuple(each[start : max(start, len(each) // n_frames * n_frames - what.delay)] for each in answers)
        for answers in rows
    ]


def _targets(
    bundle: Bundle, what: Exported, evidence: Evidence | None, answers: Sequence[tuple[np.ndarray, ...]]
) -> Int64[np.ndarray, "rows"] | None:
    """Of the frames that the model has answered; clips are answered from the last frame of the first of them on."""
    if evidence is None or evidence.targets is None:
        return None
    each = [
        (targets[len(targets) - len(rows[0]) :],)
        for targets, rows in zip(evidence.targets, answers, strict=True)
    ]
    return np.concatenate([targets for (targets,) in _of_the_model(bundle, what, each)])


def _accuracies(
    before: np.ndarray, now: np.ndarray, targets: Int64[np.ndarray, "rows"] | None
) -> tuple[float | None, float | None]:
    """Shares of right labels among the frames that have one: PyTorch's, and the exported model's."""
    if targets is None or not (known := targets >= 0).any():
        return None, None
    first, second = (float((rows.argmax(1) == targets)[known].mean()) for rows in (before, now))
    return first, second


def _milliseconds(ours: Answer, theirs: Answer, run: Prepared, n: int) -> tuple[float, float]:
    """Medians of one unit of the run's n, taken in turns."""
    taken: tuple[list[float], list[float]] = [], []
    began = time.perf_counter()
    for answer in (ours, theirs):
        answer(run)
    for _ in range(_TURNS):
        for seconds, answer in zip(taken, (ours, theirs), strict=True):
            start = time.perf_counter()
            answer(run)
            seconds.append(time.perf_counter() - start)
        if time.perf_counter() - began > _PATIENCE_S:
            break
    mine, torchs = (1000 * median(seconds) / n for seconds in taken)
    return mine, torchs
