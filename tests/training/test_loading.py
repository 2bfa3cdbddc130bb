import numpy as np
import pytest

from sonoplane.frames.archive import Archive
from sonoplane.training.loading import Loader, training_order, validation_order
from tests.training.tiny_archive import parts_of


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_processes_share_an_epoch_without_overlap(processes: int) -> None:
    orders = [
        training_order(50, batch=4, seed=3, process=process, processes=processes)
        for process in range(processes)
    ]
    assert {order.shape for order in orders} == {(50 // (4 * processes), 4)}
    seen = np.concatenate([order.ravel() for order in orders])
    assert len(set(seen.tolist())) == len(seen)


@pytest.mark.parametrize("processes", [1, 2, 3])
@pytest.mark.parametrize("n_samples", [1, 2, 7, 24])
def test_validation_sees_every_sample_once_in_as_many_batches_everywhere(
    n_samples: int, processes: int
) -> None:
    orders = [
        validation_order(n_samples, batch=4, process=process, processes=processes)
        for process in range(processes)
    ]
    assert len({order.shape for order in orders}) == 1
    seen = np.concatenate([order.ravel() for order in orders])
    assert sorted(seen[seen >= 0].tolist()) == list(range(n_samples))


def test_the_order_hangs_on_the_seed_alone() -> None:
    one, same, other = (training_order(30, batch=5, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_few_samples_make_one_batch_that_every_process_has_a_part_of() -> None:
    orders = [training_order(3, batch=8, seed=0, process=process, processes=2) for process in (0, 1)]
    assert [order.shape for order in orders] == [(1, 2), (1, 2)]
    assert {int(number) for order in orders for number in order.ravel()} == {0, 1, 2}


def test_weighted_draws_even_out_the_classes() -> None:
    weights = np.array([1 / 18] * 9 + [1 / 2])
    drawn = np.concatenate([training_order(10, batch=5, seed=s, weights=weights).ravel() for s in range(100)])
    assert 0.45 < (drawn == 9).mean() < 0.55


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_batches_come_in_order_however_many_threads_read(tiny_archive: Archive, workers: int) -> None:
    data, _ = parts_of(tiny_archive, "clips", cache_bytes=0)
    order = training_order(len(data), batch=3, seed=0)
    loader = Loader(data, lambda: order, workers=workers)
    assert len(loader) == len(order)
    assert loader.n_samples == order.size
    assert [batch.numbers.tolist() for batch in loader] == order.tolist()


def test_an_epoch_may_be_left_before_its_end(tiny_archive: Archive) -> None:
    data, _ = parts_of(tiny_archive, "clips", cache_bytes=0)
    batches = iter(Loader(data, lambda: training_order(len(data), batch=2, seed=0), workers=2))
    next(batches)
    batches.close()  # type: ignore[attr-defined]  # a generator
    assert list(batches) == []
