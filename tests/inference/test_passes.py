import numpy as np
import pytest

from sonoplane.errors import UsageError
from sonoplane.inference import onnx_runtime, openvino_runtime
from sonoplane.inference.backends import BatchBackend, DenseBackend
from sonoplane.inference.layers import layers_of
from sonoplane.inference.passes import begin
from sonoplane.inference.settings import RunSettings
from sonoplane.inference.ways import Way
from sonoplane.models.registry import weights_of
from tests.models.tiny_networks import tiny, tiny_spec

NAME = "sononet3d-2"


@pytest.mark.parametrize("runtime", [openvino_runtime, onnx_runtime], ids=["openvino", "onnx"])
@pytest.mark.parametrize("mode", ["clip", "dense"])
def test_what_a_backend_was_not_opened_for_it_does_not_have(runtime, mode):
    layers, clips = layers_of(tiny_spec(NAME), weights_of(tiny(NAME))), Way(mode="clip", length=6)
    opened, other = (clips, Way(mode="dense")) if mode == "clip" else (Way(mode="dense"), clips)
    backend = runtime.from_layers(layers, (32, 48), RunSettings(threads=1), opened, 4)
    assert isinstance(backend, BatchBackend) == (mode == "clip")
    assert isinstance(backend, DenseBackend) == (mode == "dense")
    with pytest.raises(UsageError, match="no dense form" if mode == "clip" else "opened for dense passes"):
        begin(backend, other).go_on(np.zeros((8, 1, 32, 48), np.float32))
