"""The order in which samples are learned: a pure function of seed, epoch and process, read ahead by threads."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytorch_lightning as lightning
from jaxtyping import Float64, Int64

from sonoplane.training.clips_dataset import NO_SAMPLE, Batch, ClipDataset
from sonoplane.training.samples import evening_weights
from sonoplane.training.settings import TrainingSettings

__all__ = ["ClipData", "Loader", "seed_of", "training_order", "validation_order"]

Order = Int64[np.ndarray, "batches batch"]
"""The samples of each batch of an epoch, in one of the processes."""


def seed_of(*numbers: int) -> int:
    """A seed that hangs on all of these numbers, 0 or more.

    >>> seed_of(0, 1, 2) == seed_of(0, 1, 2), seed_of(0, 1, 2) == seed_of(0, 2, 1)
    (True, False)
    """
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))


def training_order(
    n_samples: int,
    *,
    batch: int,
    seed: int,
    weights: Float64[np.ndarray, "samples"] | None = None,
    process: int = 0,
    processes: int = 1,
) -> Order:
    """All samples in drawn order, or as many drawn by weight; the last incomplete batch of several is left out.

    >>> training_order(5, batch=2, seed=0).shape
    (2, 2)
    >>> training_order(3, batch=4, seed=0).shape
    (1, 3)
    """
    dice = np.random.default_rng(seed)
    drawn = dice.permutation(n_samples) if weights is None else dice.choice(n_samples, n_samples, p=weights)
    size = min(batch, -(-n_samples // processes))
    steps = max(1, n_samples // (size * processes))
    return np.resize(drawn, (steps, size, processes))[:, :, process]


def validation_order(n_samples: int, *, batch: int, process: int = 0, processes: int = 1) -> Order:
    """Every sample once, in order; what is missing for batches of one size, in every process, is `NO_SAMPLE`.

    >>> [validation_order(5, batch=2, process=process, processes=2).tolist() for process in (0, 1)]
    [[[0, 2], [4, -1]], [[1, 3], [-1, -1]]]
    """
    size = min(batch, -(-n_samples // processes))
    steps = -(-n_samples // (size * processes))
    padded = np.full(steps * size * processes, NO_SAMPLE, np.int64)
    padded[:n_samples] = np.arange(n_samples)
    return padded.reshape(steps, size, processes)[:, :, process]


class Loader:
    """The batches of an epoch, read by threads a few batches ahead; `order` is asked when the first is wanted."""

    def __init__(self, samples: ClipDataset, order: Callable[[], Order], *, workers: int) -> None:
        self._samples = samples
        self._order = order
        self._workers = workers
        self._shape = order().shape

    def __len__(self) -> int:
        return int(self._shape[0])

    @property
    def n_samples(self) -> int:
        """Of an epoch, in this process."""
        return int(self._shape[0] * self._shape[1])

    def __iter__(self) -> Iterator[Batch]:
        order = self._order()
        if not self._workers:
            yield from map(self._samples.batch, order)
            return
        pool = ThreadPoolExecutor(self._workers)
        try:
            ahead: deque[Future[Batch]] = deque()
            for numbers in order:
                ahead.append(pool.submit(self._samples.batch, numbers))
                if len(ahead) > self._workers:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


class ClipData(lightning.LightningDataModule):
    """The loaders of a training; made when the framework knows which process this is."""

    trainer: lightning.Trainer

    def __init__(
        self, train: ClipDataset, validation: ClipDataset, *, n_classes: int, settings: TrainingSettings
    ) -> None:
        super().__init__()
        self._train = train
        self._validation = validation
        self._settings = settings
        balanced = settings.sampling == "balanced"
        self._weights = evening_weights(train.targets, n_classes) if balanced else None

    def train_dataloader(self) -> Loader:
        """Training samples, in an order of every epoch's own."""
        process, processes = self.trainer.global_rank, self.trainer.world_size

        def order() -> Order:
            return training_order(
                len(self._train),
                batch=self._settings.batch,
                seed=seed_of(self._settings.seed, self.trainer.current_epoch),
                weights=self._weights,
                process=process,
                processes=processes,
            )

        return Loader(self._train, order, workers=self._settings.workers)

    def val_dataloader(self) -> Loader:
        """Validation samples in order, always the same."""
        order = validation_order(
            len(self._validation),
            batch=self._settings.batch,
            process=self.trainer.global_rank,
            processes=self.trainer.world_size,
        )
        return Loader(self._validation, lambda: order, workers=self._settings.workers)
