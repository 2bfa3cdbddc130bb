"""PyTorch runs the network, on a GPU where there is one."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np

from sonoplane.errors import MissingExtra, UsageError
from sonoplane.inference.pieces import Answered, Inputs
from sonoplane.inference.settings import RunSettings
from sonoplane.inference.ways import Way, refuse_short
from sonoplane.models.bundle import Bundle

__all__ = ["Torch"]


class Torch:
    """A bundle's network as it was trained: frames, clips, and runs in pieces of any length.

    Raises:
        MissingExtra: PyTorch is not installed.
        UsageError: there is no such device; clips are too short for the network.
    """

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
        refuse_short(bundle.spec.name, way, network.min_frames)
        self.min_frames: int = network.min_frames
        self._torch = torch
        self._device = torch.device(_device(torch, settings.device))
        self.name = "torch" if self._device.type == "cpu" else f"torch on {self._device.type}"
        self._layout = torch.channels_last_3d if network.takes_clips else torch.channels_last
        self._network = network.to(self._device).to(memory_format=self._layout)

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        """Logits of a batch of frames, or of clips."""
        with self._torch.inference_mode():
            return self._array(self._network(self._tensor(inputs)))

    def dense(self) -> Callable[..., Answered]:
        """Begin a run; its pieces are as long as they come."""
        state = None

        def answer(inputs: Inputs, *, last: bool) -> Answered:
            nonlocal state
            with self._torch.inference_mode():
                run = self._tensor(np.moveaxis(inputs, 0, 1)[None])
                logits, state = self._network.dense_chunk(run, state, last=last)
                return self._array(logits[0])

        return answer

    def _tensor(self, inputs: np.ndarray) -> Any:
        return self._torch.from_numpy(inputs).to(self._device, memory_format=self._layout)

    def _array(self, logits: Any) -> Answered:
        return np.asarray(logits.float().cpu().numpy())


def _device(torch: Any, wished: str) -> str:
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wished == "auto":
        return next(name for name, is_there in there.items() if is_there)
    if not there[wished]:
        raise UsageError(
            f"PyTorch finds no {wished} device on this machine.",
            advice=f"Say `--run.device {next(name for name, is_there in there.items() if is_there)}`.",
        )
    return wished
