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
from sonoplane.inference.backends import Backend, open_backend, open_exported
from sonoplane.models.bundle import Bundle, add_files
from sonoplane.models.card import Card

__all__ = ["ExportForm", "export"]

ExportForm: TypeAlias = Literal["onnx", "openvino"]

#: The files of each form.
_FORMS = {"onnx": ("model.onnx",), "openvino": ("model.xml", "model.bin")}
#: Largest difference of a logit from PyTorch's, as a share of the largest logit, in float32.
_TOLERANCE = 1e-3


def export(bundle: Bundle, form: ExportForm) -> tuple[Bundle, float]:
    """Add the network to the bundle as ONNX or OpenVINO IR; gives the largest difference of a logit from PyTorch's.

    The batch is free, the image size is the card's. The IR is made from the ONNX graph, which needs no converter
    that reports usage to anyone.

    Raises:
        MissingExtra: PyTorch or the ONNX exporter is not installed.
        BundleError: the exported model does not answer as PyTorch does; the bundle is left as it was.
    """
    for needed in ("torch", "onnx", "onnxscript"):
        if not find_spec(needed):
            raise MissingExtra(f"Export needs {needed}.", advice="Run `pip install sonoplane[train]`.")
    with TemporaryDirectory() as temporary:
        model = Path(temporary) / "model.onnx"
        _write_onnx(bundle, model)
        if form == "openvino":
            model = _write_openvino(model)
        difference = _difference(bundle, model, form)
        if not difference <= _TOLERANCE:  # NaN is no proof
            raise BundleError(
                f"The {form} model's logits differ from PyTorch's by {difference:.1e} of the largest.",
                advice="It was not kept; run the bundle with `--backend torch` and report this.",
            )
        files = {name: model.parent / name for name in _FORMS[form]}
        proof: dict[str, object] = {form: {"precision": "float32", "largest_difference": difference}}
        return add_files(bundle, files, exports=proof), difference


def _write_onnx(bundle: Bundle, path: Path) -> None:
    import torch

    from sonoplane.models.registry import load_network

    network = load_network(bundle).eval()
    example = torch.zeros(2, bundle.spec.in_channels, *bundle.card.size)
    with _quiet():
        torch.onnx.export(
            network,
            (example,),
            path,
            input_names=["frames"],
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


def _difference(bundle: Bundle, model: Path, form: ExportForm) -> float:
    """Largest difference of a logit from PyTorch's over noise and flat frames, as a share of the largest logit."""
    theirs = _logits(bundle.card, open_backend(bundle, "torch"))
    ours = _logits(bundle.card, open_exported(model, form))
    return float(np.abs(theirs - ours).max() / max(1.0, np.abs(theirs).max()))


def _logits(card: Card, backend: Backend) -> np.ndarray:
    draw = np.random.default_rng(0)
    frames = draw.integers(0, 256, (3, *card.size), dtype=np.uint8)
    frames[1] //= 4
    frames[2] = 0
    inputs = card.values(frames)
    return np.concatenate([backend(inputs), backend(inputs[:1])])


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
