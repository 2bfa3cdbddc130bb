"""Law: an ensemble's probabilities are the mean of its members', in every way through time and on every backend."""

from pathlib import Path

import numpy as np
import pytest

from sonoplane.inference.backends import BackendChoice, EnsembleBackend, open_backend
from sonoplane.inference.ensembles import mean_answer
from sonoplane.inference.export import export
from sonoplane.inference.predictor import Predictor
from sonoplane.inference.settings import RunSettings
from sonoplane.inference.timeline import softmax
from sonoplane.inference.ways import way_of
from sonoplane.models.bundle import Bundle, save_bundle
from sonoplane.models.card import Card
from sonoplane.models.ensemble import save_ensemble
from sonoplane.models.registry import build, weights_of
from sonoplane.records import Box, Frame
from tests.models.tiny_networks import lived_in, tiny_spec

SIZE = (32, 48)


def ensemble(folder: Path, names: tuple[str, ...], run: dict[str, object] | None = None) -> Bundle:
    members = {}
    for seed, name in enumerate(names, start=1):
        spec = tiny_spec(name)
        members[f"fold-{seed}"] = save_bundle(
            folder / f"m{seed}",
            name=f"m{seed}",
            version="1",
            spec=spec,
            card=Card(classes=("a", "b", "c"), size=SIZE),
            weights=weights_of(lived_in(build(spec, seed=seed)).eval()),
            recipe={"run": run or {}},
        )
    return save_ensemble(folder / "e", name="e", version="1", members=members, recipe={"run": run or {}})


def answers(bundle: Bundle, choice: BackendChoice, run: RunSettings, n_frames: int = 11) -> np.ndarray:
    """The logits of some noise, in batches of three frames."""
    dice = np.random.default_rng(0)
    frames = [
        Frame(index=i, time_s=None, image=dice.integers(0, 256, SIZE, dtype=np.uint8))
        for i in range(n_frames)
    ]
    seen_by = Predictor(bundle.card, open_backend(bundle, choice, run), way_of(bundle.spec, run), batch=3)
    return np.stack([seen.logits for seen in seen_by.watch(frames, Box(left=0, top=0, right=48, bottom=32))])


WAYS = {
    "frame": (("sononet2d-2", "sononet2d-3", "sononet2d-4"), RunSettings()),
    "clip": (("sononet3d-2", "sononet2plus1d-2"), RunSettings(mode="clip", clip_length=6)),
    "dense": (("sononet3d-2", "sononet2plus1d-2"), RunSettings(mode="dense", clip_step=2)),
    "causal": (("sononet3d-2-causal", "sononet2plus1d-2-causal"), RunSettings()),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("n_frames", [2, 11])
def test_in_every_way(way: str, n_frames: int, tmp_path: Path) -> None:
    names, run = WAYS[way]
    bundle = ensemble(tmp_path, names)
    together = answers(bundle, "torch", run, n_frames)
    each = [softmax(answers(member, "torch", run, n_frames)) for member in bundle.members]
    assert together.shape == (n_frames, 3)
    assert np.abs(np.exp(together) - np.mean(each, axis=0)).max() < 1e-6
    assert np.abs(softmax(together) - np.mean(each, axis=0)).max() < 1e-6


def test_also_when_it_is_exported(tmp_path: Path) -> None:
    plain = ensemble(tmp_path, ("sononet2d-2", "sononet2d-2"))
    exported, added = export(plain, "openvino")
    assert [one.proof.largest_difference < 1e-4 for one in added if one.proof] == [True, True]
    assert exported.sha256 != plain.sha256
    assert all(member.file("model.xml") for member in exported.members)
    backend = open_backend(exported)
    assert isinstance(backend, EnsembleBackend)
    assert backend.name == "openvino"
    assert (
        np.abs(answers(exported, "auto", RunSettings()) - answers(plain, "torch", RunSettings())).max() < 1e-4
    )


def test_a_member_that_is_wholly_sure_leaves_no_infinity() -> None:
    logits = np.array([[[2000.0, 0.0]], [[1500.0, 0.0]]], np.float32)
    together = mean_answer(logits)
    assert np.isfinite(together).all()
    assert softmax(together).tolist() == [[1.0, 0.0]]
