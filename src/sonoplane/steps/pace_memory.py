"""How much memory a network holds while it answers, measured in a process of its own.

In the process that asks, what answered before leaves workspace behind that the next network takes up unseen.
"""

import ctypes
import gc
import json
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from sonoplane.inference.backends import Backend, BackendChoice, open_backend
from sonoplane.inference.passes import begin
from sonoplane.inference.settings import RunSettings
from sonoplane.inference.silent import new_core, without_telemetry
from sonoplane.inference.ways import way_of
from sonoplane.models.bundle import Bundle

__all__ = ["answer_all", "memory_mb"]

_STATUS = Path("/proc/self/status")


def memory_mb(
    bundle: Bundle, choice: BackendChoice, run: RunSettings, shape: tuple[int, ...]
) -> float | None:
    """The most that a network holds while it answers inputs of this shape, weights and all, in MB.

    The runtime that serves every network does not count, nor what opening takes besides. None where the system does
    not tell, or the network cannot be opened in another process.
    """
    if not _STATUS.exists():
        return None
    asked = {"bundle": str(bundle.folder), "choice": choice, "run": run.model_dump(), "shape": shape}
    done = subprocess.run(
        [sys.executable, "-m", __name__], input=json.dumps(asked), capture_output=True, text=True
    )
    if done.returncode:
        return None
    said: float | None = json.loads(done.stdout.splitlines()[-1])
    return said


def answer_all(backend: Backend, bundle: Bundle, run: RunSettings, inputs: np.ndarray) -> None:
    """Let a backend answer all frames, in batches as in prediction."""
    passing = begin(backend, way_of(bundle.spec, run))
    for start in range(0, len(inputs), run.batch):
        passing.go_on(inputs[start : start + run.batch])
    passing.end()


def _main(asked: dict[str, Any]) -> float | None:
    bundle, run = Bundle.load(Path(asked["bundle"])), RunSettings.model_validate(asked["run"])
    inputs = np.random.default_rng(0).normal(size=asked["shape"]).astype(np.float32)
    _load_runtime(asked["choice"])
    before = _fresh_peak()
    backend = open_backend(bundle, asked["choice"], run)
    if before is None or _fresh_peak() is None:
        return None
    answer_all(backend, bundle, run, inputs)
    most = _held("VmHWM")
    return None if most is None else max(most - before, 0.0)


def _load_runtime(choice: str) -> None:
    """Let the runtime answer something small, which loads what it needs for any network."""
    if choice == "torch":
        import torch

        torch.nn.functional.conv3d(torch.zeros(1, 1, 3, 8, 8), torch.zeros(1, 1, 3, 3, 3))
    elif choice == "onnx":
        with without_telemetry():
            import onnxruntime  # noqa: F401  # loading it is what is wanted
    else:
        core = new_core()
        import openvino  # after it was told to be silent
        from openvino import opset13

        x = opset13.parameter([1, 16, 8, 8], np.float32)
        y = opset13.convolution(x, np.zeros((16, 16, 3, 3), np.float32), [1, 1], [1, 1], [1, 1], [1, 1])
        core.compile_model(openvino.Model([y], [x], "small"), "CPU")(np.zeros((1, 16, 8, 8), np.float32))


def _fresh_peak() -> float | None:
    """Give free memory back, forget the highest use so far, and tell the present one in MB; None where it cannot be."""
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return None
    return _held("VmRSS")


def _held(which: str) -> float | None:
    try:
        found = re.search(rf"^{which}:\s+(\d+) kB", _STATUS.read_text(), re.M)
    except OSError:
        return None
    return int(found[1]) * 1024 / 1e6 if found else None


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_main(json.load(sys.stdin))) + "\n")
