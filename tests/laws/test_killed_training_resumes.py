"""Law: on a CPU, a training that is killed and started again ends with the weights of one that never was."""

import multiprocessing
import os
import signal
from pathlib import Path

import numpy as np
import pytest

from sonoplane.frames.archive import open_archive
from sonoplane.models.registry import build, weights_of
from sonoplane.training.fit import Fitted, fit
from sonoplane.training.samples import form_of
from sonoplane.training.settings import AugmentationSettings, TrainingSettings
from tests.models.tiny_networks import tiny_spec
from tests.training.tiny_archive import CARD, parts_of, write_archive

HARD = TrainingSettings(
    epochs=4, batch=4, accumulate=2, average=0.9, schedule="plateau", schedule_epochs=1, sampling="balanced",
    monitor="macro_f1", patience=4, cache_gb=0,
)  # fmt: skip
#: All that remembers something from step to step; dense training, a network with dropout, and the layers of bf16.
CASES = {
    "sononet2plus1d-2": HARD.model_copy(update={"precision": "bf16", "channels_last": True}),
    "sononet3d-2": HARD.model_copy(update={"dense": True}),
    "echo3dcnn": HARD.model_copy(update={"optimizer": "sgd", "schedule": "cosine"}),
}


#: Of an epoch: four recordings of five clips, in batches of four.
N_BATCHES = 5


def train(folder: Path, archive: Path, name: str, die_at: int | None = None) -> Fitted:
    """Train there, or go on; die after so many batches."""
    settings = CASES[name]
    network = build(tiny_spec(name), seed=1)
    form = form_of(settings, takes_clips=network.takes_clips)

    def on_step(done: int, total: int) -> None:
        if done == die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    training, validation = parts_of(open_archive(archive), form, cache_bytes=0)
    return fit(
        network, CARD, training, validation, dense=settings.dense, training=settings,
        augmentation=AugmentationSettings(), folder=folder, fingerprint="law", on_step=on_step,
    )  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_killed_in_the_middle_of_an_epoch(name: str, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    write_archive(archive)
    undisturbed = train(tmp_path / "undisturbed", archive, name)
    process = multiprocessing.get_context("spawn").Process(
        target=train, args=(tmp_path / "killed", archive, name, 2 * N_BATCHES + 1)
    )
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert (tmp_path / "killed" / "history.csv").read_text().count("\n") == 3
    resumed = train(tmp_path / "killed", archive, name)
    assert len(resumed.history) == len(undisturbed.history) == 4
    assert resumed.best_epoch == undisturbed.best_epoch
    assert np.array_equal(resumed.logits, undisturbed.logits)
    one, other = weights_of(undisturbed.network), weights_of(resumed.network)
    assert {key: array.tobytes() for key, array in one.items()} == {
        key: array.tobytes() for key, array in other.items()
    }
    assert [row["val_loss"] for row in resumed.history] == [row["val_loss"] for row in undisturbed.history]
