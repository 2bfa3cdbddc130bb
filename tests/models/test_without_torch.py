"""The clinic's install has no torch: cards, bundles, the list of networks and `.npz` weights do without."""

import subprocess
import sys
from pathlib import Path

import numpy as np

WITHOUT = """
import sys
sys.modules["torch"] = None  # as if it were not installed
from pathlib import Path
from sonoplane.errors import MissingExtra
from sonoplane.models.bundle import Bundle, save_bundle
from sonoplane.models.card import Card
from sonoplane.models.registry import available, build, network_spec
from sonoplane.models.weights import import_weights
import sonoplane.models.weights_download

folder = Path(sys.argv[1])
card = Card(classes=("a", "b"), size=(32, 32))
spec, weights, card = import_weights(folder / "w.npz", card=card)
save_bundle(folder / "b", name="b", version="1", spec=spec, card=card, weights=weights, recipe={})
assert len(Bundle.load(folder / "b").weights()) == 12
assert "smallnet" in available()
for needs in (lambda: build(spec), lambda: import_weights(folder / "w.pth")):
    try:
        needs()
    except MissingExtra as error:
        print(error)
"""


def test_everything_but_building_works(tmp_path: Path) -> None:
    widths = [(1, 2, 7), (2, 4, 5), (4, 8, 3), (8, 8, 3), (8, 4, 1), (4, 2, 1)]
    arrays = [a for n, m, k in widths for a in (np.ones((m, n, k, k), np.float32), np.ones(m, np.float32))]
    np.savez(tmp_path / "w.npz", *arrays)
    (tmp_path / "w.pth").touch()
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("sonoplane[train]") == 2
