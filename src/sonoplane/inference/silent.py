"""Libraries that would note or report their use for their makers are imported so that they cannot."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnxruntime
    import openvino

__all__ = ["new_core", "new_session", "without_telemetry"]


@contextmanager
def without_telemetry() -> Iterator[None]:
    """Within it, what is imported does not find OpenVINO's reporter, which nncf uses too, and goes on without.

    OpenVINO would otherwise leave an id of its user in the home folder as soon as it is imported. So would ONNX Runtime
    from 1.31 on, which looks up its makers' host besides; it is told not to, as is every process started from here.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    name = "openvino_telemetry"
    known = sys.modules.get(name)
    sys.modules[name] = None  # type: ignore[assignment] # what the import system documents for this
    try:
        yield
    finally:
        sys.modules.pop(name, None)
        if known is not None:
            sys.modules[name] = known


def new_core() -> "openvino.Core":
    """OpenVINO, imported when it is first needed."""
    with without_telemetry():
        import openvino
    return openvino.Core()


def new_session(model: Path | bytes, threads: int) -> "onnxruntime.InferenceSession":
    """A model made ready by ONNX Runtime, which is imported when it is first needed; 0 threads: as it sees fit."""
    with without_telemetry():
        import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
