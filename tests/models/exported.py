"""What a network answers once it is exported for a clip size, in each form that runs without PyTorch."""

import logging
import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import openvino
import torch
from torch import nn


def exported_answers(network: nn.Module, clips: torch.Tensor, folder: Path) -> dict[str, np.ndarray]:
    """ONNX and OpenVINO in float32, made from two clips and asked for any number of them."""
    path = folder / "model.onnx"
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(action="ignore"):
        torch.onnx.export(
            network.eval(),
            (torch.zeros(2, *clips.shape[1:]),),
            path,
            input_names=["clips"],
            output_names=["logits"],
            dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    core = openvino.Core()
    exact = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    compiled = core.compile_model(core.read_model(path), "CPU", exact)
    return {
        "onnx": np.asarray(session.run(None, {"clips": clips.numpy()})[0]),
        "openvino": np.asarray(compiled(clips.numpy())[0]),
    }
