"""The two ways to train that are compared do the same work."""

import itertools
import math
import multiprocessing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import old_training
from benchmarks.training import CLASSES, FAST, SAME, Data, Size, contest, train_ours, write_data
from sonoplane.frames.archive import open_archive
from sonoplane.models.registry import build, network_spec

TINY = Size(frame=(160, 200), side=32, turn=1, threads=1)
NETWORK = "sononet3d-2"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    return write_data(tmp_path_factory.mktemp("data"), TINY)


def test_both_train_on_the_same_clips(data: Data) -> None:
    ours = data.ours()
    assert len(ours) == len(data.plain) == 10
    assert ours.targets[:, 0].tolist() == [target for _, target in data.plain.clips]
    boxes = {entry.id: entry.box for entry in open_archive(data.archive).entries}
    for number, (paths, _) in enumerate(data.plain.clips):
        box = boxes[ours.recordings[number]]
        prepared = ours.batch(np.array([number])).images[0].numpy()
        for path, image in zip(paths, prepared, strict=True):
            cut = np.asarray(Image.open(path))[box.slices]
            expected = data.card.geometry(cut)
            assert np.median(np.abs(expected.astype(int) - image)[image > 0]) <= 1


def test_both_learn_with_a_finite_loss(data: Data, tmp_path: Path) -> None:
    network = build(network_spec(NETWORK, n_classes=len(CLASSES)), seed=0)
    losses = list(itertools.islice(old_training.train(network, data.plain, batch=SAME.batch), 4))
    assert all(map(math.isfinite, losses))
    fitted = train_ours(data, NETWORK, folder=tmp_path, settings=SAME.model_copy(update=FAST), times=2)
    assert math.isfinite(fitted.history[0]["train_loss"])


def test_a_plain_clip_is_varied_alike_in_all_frames(data: Data) -> None:
    frame = Image.open(data.plain.clips[0][0][0])
    for varied in (old_training.vary([frame, frame]) for _ in range(5)):
        assert varied[0].tobytes() == varied[1].tobytes()


def test_a_turn_is_as_many_clips_for_both(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    toy = contest(tmp_path, NETWORK, TINY, rounds=1)
    assert toy.run_baseline() == toy.run_ours() == 5
    toy.end()
    assert not multiprocessing.active_children()
    lines = capsys.readouterr().err.splitlines()
    assert [line.split("  ")[0] for line in lines[-5:]] == [
        "the plain way", "+ archive in place of PNG", "+ batched, memory is kept", "+ channels-last", "+ bf16",
    ]  # fmt: skip
