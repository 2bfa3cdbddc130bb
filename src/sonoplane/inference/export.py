"""A bundle's network in a form that runs without PyTorch, proven to answer the same."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, TypeAlias

import numpy as np

from sonoplane.errors import BundleError, MissingExtra
from sonoplane.inference.backends import Backend, Clips, Inputs, Logits, open_backend, open_exported
from sonoplane.inference.ways import Way, run_of, way_of
from sonoplane.models.bundle import Bundle, add_files
from sonoplane.models.ensemble import change_members

__all__ = ["ExportForm", "export"]

ExportForm: TypeAlias = Literal["onnx", "openvino"]

#: The files of each form.
_FORMS = {"onnx": ("model.onnx",), "openvino": ("model.xml", "model.bin")}
#: Largest difference of a logit from PyTorch's, as a share of the largest logit, in float32.
_TOLERANCE = 1e-3


def export(bundle: Bundle, form: ExportForm) -> tuple[Bundle, float]:
    """Add the network to the bundle as ONNX or OpenVINO IR; gives the largest difference of a logit from PyTorch's.

    The batch is free, the image size is the card's. Of a network of clips it is the form that answers a clip as a
    whole, for the clip length that the bundle says. Of an ensemble every member is exported, or none; each answers by
    itself then, and their mean is taken as before. The IR is made from the ONNX graph, which needs no converter that
    reports usage to anyone.

    Raises:
        MissingExtra: PyTorch or the ONNX exporter is not installed.
        UsageError: the bundle's clips are too short for its network.
        BundleError: the exported model does not answer as PyTorch does; the bundle is left as it was.
    """
    for needed in ("torch", "onnx", "onnxscript"):
        if not find_spec(needed):
            raise MissingExtra(f"Export needs {needed}.", advice="Run `pip install sonoplane[train]`.")
    if bundle.members:
        differences: list[float] = []
        exported = change_members(bundle, lambda member: differences.append(export(member, form)[1]))
        return exported, max(differences)
    run = run_of(bundle).model_copy(update={"mode": "clip"})
    way = way_of(bundle.spec, run)
    theirs = _logits(bundle, way, open_backend(bundle, "torch", run))
    with TemporaryDirectory() as temporary:
        model = Path(temporary) / "model.onnx"
        _write_onnx(bundle, way, model)
        if form == "openvino":
            model = _write_openvino(model)
        ours = _logits(bundle, way, open_exported(model, form))
        difference = float(np.abs(theirs - ours).max() / max(1.0, np.abs(theirs).max()))
        if not difference <= _TOLERANCE:  # NaN is no proof
            raise BundleError(
                f"The {form} model's logits differ from PyTorch's by {difference:.1e} of the largest.",
                advice="It was not kept; run the bundle with `--backend torch` and report this.",
            )
        files = {name: model.parent / name for name in _FORMS[form]}
        proof: dict[str, object] = {"precision": "float32", "largest_difference": difference}
        if way.mode == "clip":
            proof["clip_length"] = way.length
        return add_files(bundle, files, exports={form: proof}), difference


def _write_onnx(bundle: Bundle, way: Way, path: Path) -> None:
    import torch

    from sonoplane.models.registry import load_network

    network = load_network(bundle).eval()
    example = torch.from_numpy(_example(bundle, way)[:2])
    with _quiet():
        torch.onnx.export(
            network,
            (example,),
            path,
            input_names=["clips" if way.mode == "clip" else "frames"],
            output_names=["logits"],
            dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
            dynamo=True,
            external_data=False,
            verbose=False,
        )


def _write_openvino(onnx: Path) -> Path:
    import openvino

    path = onnx.with_suffix(".xml")
    openvino.save_model(openvino.Core().read_model(onnx), path, compress_to_fp16=False)
    return path


def _logits(bundle: Bundle, way: Way, backend: Backend) -> Logits:
    """What it answers to the example, and to one part of it alone."""
    inputs = _example(bundle, way)
    return np.concatenate([backend(inputs), backend(inputs[:1])])


def _example(bundle: Bundle, way: Way) -> Inputs | Clips:
    """Noise, faint noise and flat frames; for a network of clips, a clip of each."""
    draw = np.random.default_rng(0)
    frames = draw.integers(0, 256, (3, way.length, *bundle.card.size), dtype=np.uint8)
    frames[1] //= 4
    frames[2] = 0
    inputs = bundle.card.values(frames.reshape(-1, *bundle.card.size))
    return inputs if way.mode == "frame" else np.stack(np.split(inputs.swapaxes(0, 1), 3, axis=1))


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's notes on its own workings out of the output."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
