import subprocess
import sys
from pathlib import Path

import numpy as np

from sonoplane.inference.backends import DenseBackend, open_backend
from sonoplane.inference.export import export
from sonoplane.inference.export_settings import ExportSettings
from sonoplane.inference.timeline import softmax
from sonoplane.models.bundle import save_bundle
from sonoplane.models.card import Card
from sonoplane.models.registry import weights_of
from tests.models.tiny_networks import tiny, tiny_spec

EXAMPLE = Path(__file__).parents[2] / "examples" / "stream_onnx.py"


def test_a_feed_is_told_what_one_dense_pass_says(tmp_path: Path) -> None:
    bundle = save_bundle(
        tmp_path / "liver",
        name="liver",
        version="1",
        spec=tiny_spec("sononet2plus1d-2-causal"),
        card=Card(classes=("a", "b", "c"), size=(32, 48)),
        weights=weights_of(tiny("sononet2plus1d-2-causal")),
        recipe={},
    )
    bundle, (model,) = export(bundle, "onnx", ExportSettings(form="stream", values="inside"))
    frames = np.random.default_rng(0).integers(0, 256, (12, 32, 48), dtype=np.uint8)
    done = subprocess.run(
        [sys.executable, EXAMPLE, bundle.folder / model.files[0]],
        input=frames.tobytes(), capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    lines = [line.split() for line in done.stdout.decode().splitlines()]
    told = np.array([line[1:] for line in lines], float)
    dense = open_backend(bundle, "torch")
    assert isinstance(dense, DenseBackend)
    expected = np.array([softmax(row) for row in dense.dense()(bundle.card.values(frames), last=True)])
    np.testing.assert_allclose(told, expected, atol=1e-5)
    assert [line[0] for line in lines] == ["abc"[best] for best in expected.argmax(axis=1)]
