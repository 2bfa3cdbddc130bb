from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sonoplane.errors import UsageError
from sonoplane.frames.archive import Archive
from sonoplane.models.network import PlaneNetwork
from sonoplane.models.registry import build, network_spec, weights_of
from sonoplane.training.fit import EpochLine, Fitted, check_input, fit
from sonoplane.training.samples import form_of
from sonoplane.training.settings import AugmentationSettings, TrainingSettings
from tests.models.tiny_networks import NAMES, tiny_spec
from tests.training.tiny_archive import CARD, parts_of

STILL = AugmentationSettings.off()


def small(name: str = "sononet2d-4") -> PlaneNetwork:
    return build(network_spec(name, n_classes=3), seed=1)


def run(archive: Archive, network: PlaneNetwork, folder: Path, **settings: Any) -> Fitted:
    augmentation = settings.pop("augmentation", STILL)
    given = {
        name: settings.pop(name)
        for name in ("on_step", "on_epoch", "fingerprint", "restart")
        if name in settings
    }
    training = TrainingSettings(**{"epochs": 2, "batch": 6, **settings})
    form = form_of(training, takes_clips=network.takes_clips)
    parts = parts_of(archive, form)
    return fit(
        network, CARD, *parts, dense=form == "dense", training=training,
        augmentation=augmentation, folder=folder, **given,
    )  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_every_network_of_the_registry_trains(tiny_archive: Archive, name: str, tmp_path: Path) -> None:
    network = build(tiny_spec(name), seed=1)
    before = weights_of(network)
    fitted = run(tiny_archive, network, tmp_path, epochs=1, batch=16, augmentation=AugmentationSettings())
    after = weights_of(fitted.network)
    assert all(np.isfinite(array).all() for array in after.values())
    assert any(not np.array_equal(after[key], before[key]) for key in before)
    assert fitted.logits.shape == (len(fitted.logits), 1, 3)


@pytest.mark.parametrize("name", ["sononet3d-2", "sononet2plus1d-2-causal"])
def test_dense_training_answers_every_frame_and_counts_the_labelled_ones(
    tiny_archive: Archive, name: str, tmp_path: Path
) -> None:
    fitted = run(tiny_archive, build(tiny_spec(name), seed=0), tmp_path, dense=True)
    _, validation = parts_of(tiny_archive, "dense")
    assert fitted.logits.shape == (len(validation), 5, 3)
    assert fitted.confusion.sum() == (validation.targets >= 0).sum()


def test_motion_that_no_frame_shows_is_learned_by_clips(tiny_archive: Archive, tmp_path: Path) -> None:
    fitted = run(
        tiny_archive, small("sononet3d-4"), tmp_path, epochs=25, patience=25, learning_rate=0.01, batch=10,
        monitor="accuracy", label_smoothing=0,
    )  # fmt: skip
    assert fitted.history[fitted.best_epoch - 1]["val_accuracy"] > 0.85


def test_logits_are_those_of_the_network_that_is_kept(tiny_archive: Archive, tmp_path: Path) -> None:
    fitted = run(tiny_archive, small(), tmp_path, average=0.5, epochs=3)
    _, validation = parts_of(tiny_archive, "frames")
    values = CARD.values(validation.batch(np.arange(len(validation))).images[:, 0].numpy())
    with torch.inference_mode():
        answers = fitted.network(torch.from_numpy(values)).numpy()
    assert np.abs(answers - fitted.logits[:, 0]).max() < 1e-4
    assert fitted.confusion.sum() == len(validation)


def test_the_average_is_kept_and_differs_from_the_last_weights(tiny_archive: Archive, tmp_path: Path) -> None:
    plain, averaged = (
        run(tiny_archive, small(), tmp_path / str(decay), average=decay, epochs=1) for decay in (0.0, 0.9)
    )
    one, other = weights_of(plain.network), weights_of(averaged.network)
    assert plain.history[0]["train_loss"] == averaged.history[0]["train_loss"]
    assert all(not np.array_equal(one[key], other[key]) for key in one if key.endswith("conv.weight"))


@pytest.mark.parametrize("name", ["sononet2d-4", "sononet3d-4"])
def test_channels_last_changes_speed_and_not_the_numbers(
    tiny_archive: Archive, name: str, tmp_path: Path
) -> None:
    one, other = (
        run(tiny_archive, small(name), tmp_path / str(last), channels_last=last, epochs=1, optimizer="sgd")
        for last in (True, False)
    )
    assert np.abs(one.logits - other.logits).max() < 1e-3
    assert all(value.is_contiguous() for value in one.network.state_dict().values())


@pytest.mark.parametrize("name", ["sononet2d-4", "sononet3d-4", "sononet2plus1d-4-causal"])
def test_mixed_precision_stays_near_to_float32(tiny_archive: Archive, name: str, tmp_path: Path) -> None:
    losses = [
        run(tiny_archive, small(name), tmp_path / p, precision=p, epochs=1).history[0]["train_loss"]
        for p in ("float32", "bf16")
    ]
    assert losses[0] == pytest.approx(losses[1], rel=0.05)
    assert losses[0] != losses[1]


def test_the_same_seed_trains_the_same_whatever_reads(tiny_archive: Archive, tmp_path: Path) -> None:
    noisy = AugmentationSettings()
    one = run(tiny_archive, small(), tmp_path / "a", workers=0, augmentation=noisy)
    two = run(tiny_archive, small(), tmp_path / "b", workers=3, augmentation=noisy)
    other = run(tiny_archive, small(), tmp_path / "c", seed=7, augmentation=noisy)
    assert np.array_equal(one.logits, two.logits)
    assert not np.array_equal(one.logits, other.logits)


def test_training_leaves_the_random_numbers_of_others_alone(tiny_archive: Archive, tmp_path: Path) -> None:
    network = small()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    run(tiny_archive, network, tmp_path, epochs=1)
    assert torch.rand(3).equal(expected)


def test_two_batches_added_up_are_one_of_twice_the_size(tiny_archive: Archive, tmp_path: Path) -> None:
    """Of a network without batch norm; the sum of gradients is the mean over both."""
    settings = {"class_weights": False, "optimizer": "sgd", "epochs": 1, "momentum": 0.9, "clip_gradient": 0}
    network = network_spec("smallnet-4", n_classes=3)
    fits = [
        run(tiny_archive, build(network, seed=0), tmp_path / str(n), batch=batch, accumulate=n, **settings)
        for n, batch in ((1, 20), (2, 10))
    ]
    assert np.abs(fits[0].logits - fits[1].logits).max() < 1e-4


def test_only_the_part_that_is_to_be_trained_changes(tiny_archive: Archive, tmp_path: Path) -> None:
    network = small()
    network.trainable("head", statistics="keep")
    before = weights_of(network)
    after = weights_of(run(tiny_archive, network, tmp_path).network)
    changed = {key for key in before if not np.array_equal(before[key], after[key])}
    assert changed == {key for key in before if key.startswith("head")}


def test_shuffled_frames_hide_motion_from_validation_too(tiny_archive: Archive, tmp_path: Path) -> None:
    shuffled = AugmentationSettings.off(shuffle_frames=True, shuffle_validation=True)
    still, moved = (
        run(tiny_archive, small("sononet3d-2"), tmp_path / str(i), epochs=1, dense=True, augmentation=a)
        for i, a in enumerate((STILL, shuffled))
    )
    assert not np.array_equal(still.logits, moved.logits)


def test_every_epoch_is_told_and_logged(tiny_archive: Archive, tmp_path: Path) -> None:
    lines: list[EpochLine] = []
    steps: list[tuple[int, int]] = []
    run(tiny_archive, small(), tmp_path, on_epoch=lines.append, on_step=lambda *s: steps.append(s))
    assert [line.epoch for line in lines] == [1, 2]
    assert steps == [(done, len(steps)) for done in range(1, len(steps) + 1)]
    assert (tmp_path / "train.log").read_text() == "".join(f"{line}\n" for line in lines)
    head, *rows = (tmp_path / "history.csv").read_text().splitlines()
    assert head.startswith(
        "epoch,train_loss,train_accuracy,train_macro_f1,val_loss,val_accuracy,val_macro_f1"
    )
    assert [row.split(",")[0] for row in rows] == ["1", "2"]
    assert "clips/s" in str(lines[0])


def test_a_stop_by_hand_keeps_what_was_done_and_a_later_call_goes_on(
    tiny_archive: Archive, tmp_path: Path
) -> None:
    def stop(done: int, total: int) -> None:
        if done > total / 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tiny_archive, small(), tmp_path, on_step=stop)
    lines: list[EpochLine] = []
    run(tiny_archive, small(), tmp_path, on_epoch=lines.append)
    assert [line.epoch for line in lines] == [2]


def test_what_is_done_is_not_done_again(tiny_archive: Archive, tmp_path: Path) -> None:
    once = run(tiny_archive, small(), tmp_path, fingerprint="a")
    lines: list[EpochLine] = []
    again = run(tiny_archive, small(), tmp_path, fingerprint="a", on_epoch=lines.append)
    assert lines == []
    assert np.array_equal(once.logits, again.logits)


def test_another_training_is_not_gone_on_with_unless_begun_anew(
    tiny_archive: Archive, tmp_path: Path
) -> None:
    run(tiny_archive, small(), tmp_path, fingerprint="a")
    with pytest.raises(UsageError, match="--restart"):
        run(tiny_archive, small(), tmp_path, fingerprint="b")
    assert len(run(tiny_archive, small(), tmp_path, fingerprint="b", restart=True).history) == 2


def test_a_damaged_checkpoint_is_told(tiny_archive: Archive, tmp_path: Path) -> None:
    (tmp_path / "last.ckpt").write_bytes(b"no checkpoint")
    with pytest.raises(UsageError, match="damaged"):
        run(tiny_archive, small(), tmp_path)


def test_training_that_diverges_is_told(tiny_archive: Archive, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="diverged"):
        run(tiny_archive, small(), tmp_path, learning_rate=1e30, optimizer="sgd")


@pytest.mark.parametrize(
    ("name", "n_frames", "dense", "match"),
    [
        ("smallnet", 1, False, "too small"),
        ("sononet3d-2", 3, False, "too short"),
        ("echo3dcnn", 9, True, "dense form"),
    ],
)
def test_an_input_that_the_network_cannot_take_is_told(
    name: str, n_frames: int, dense: bool, match: str
) -> None:
    network = build(network_spec(name, n_classes=3))
    with pytest.raises(UsageError, match=match):
        check_input(network, replace(CARD, size=(32, 48)), n_frames, dense=dense)
