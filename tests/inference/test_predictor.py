import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from sonoplane.errors import DamagedRecording, UsageError
from sonoplane.inference.predictor import Predictor
from sonoplane.inference.ways import Way
from sonoplane.models.card import Card
from sonoplane.records import Box, Frame

CARD = Card(classes=("dark", "bright"), size=(8, 8))
BOX = Box(left=0, top=0, right=16, bottom=16)


class Brightness:
    """A network that knows one thing, and how many frames it is given at a time."""

    name, precision = "test", "float32"

    def __init__(self) -> None:
        self.batches: list[int] = []

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        self.batches.append(len(inputs))
        return np.stack([inputs[:, 0, 0, 0], inputs[:, 0, -1, -1]], axis=1).astype(np.float32)


def sweep(n: int, read: list[int] | None = None) -> Iterator[Frame]:
    for index in range(n):
        if read is not None:
            read.append(index)
        yield Frame(index=index, time_s=None, image=np.full((16, 16), index % 256, np.uint8))


@pytest.mark.parametrize("n", [0, 1, 8, 9, 30])
def test_every_frame_comes_back_once_and_in_order(n: int) -> None:
    backend = Brightness()
    seen = list(Predictor(CARD, backend, batch=8).watch(sweep(n), BOX))
    assert [one.frame.index for one in seen] == list(range(n))
    assert sum(backend.batches) == n
    assert all(one.logits.shape == (2,) and one.prepared.shape == (8, 8) for one in seen)


def test_frames_are_read_only_a_few_batches_ahead() -> None:
    read: list[int] = []
    watching = Predictor(CARD, Brightness(), batch=4).watch(sweep(1000, read), BOX)
    next(watching)
    time.sleep(0.3)
    assert len(read) <= 5 * 4
    watching.close()


@pytest.mark.parametrize(
    "way", [Way(), Way(mode="clip", length=4, step=2), Way(mode="clip", length=10)], ids=str
)
def test_every_frame_is_read_and_prepared_once(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    prepared: list[int] = []
    geometry, values = Card.geometry, Card.values
    monkeypatch.setattr(
        Card,
        "geometry",
        lambda card, image, box=None: prepared.append(int(image[0, 0])) or geometry(card, image, box),
    )
    n_valued: list[int] = []
    monkeypatch.setattr(
        Card, "values", lambda card, images: n_valued.append(len(images)) or values(card, images)
    )

    class Clips(Brightness):
        def __call__(self, inputs: np.ndarray) -> np.ndarray:
            return super().__call__(inputs.reshape(len(inputs), -1, *CARD.size))

    seen = list(Predictor(CARD, Clips(), way, batch=4).watch(sweep(30, read), BOX))
    assert len(seen) == 30
    assert read == prepared == list(range(30))
    assert sum(n_valued) == 30


def test_the_decoding_thread_ends_when_the_caller_stops_early() -> None:
    watching = Predictor(CARD, Brightness(), batch=4).watch(sweep(1000), BOX)
    next(watching)
    watching.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "decode"]


def test_an_error_while_reading_rises_after_the_frames_before_it() -> None:
    def damaged() -> Iterator[Frame]:
        yield from sweep(5)
        raise DamagedRecording("It ends in the middle.")

    watching = Predictor(CARD, Brightness(), batch=2).watch(damaged(), BOX)
    assert [next(watching).frame.index for _ in range(4)] == [0, 1, 2, 3]
    with pytest.raises(DamagedRecording, match="ends in the middle"):
        next(watching)


def test_a_dense_pass_is_refused_where_the_backend_has_none() -> None:
    with pytest.raises(UsageError, match=r"'test' answers clips as a whole.*--mode clip"):
        Predictor(CARD, Brightness(), Way(mode="dense"))


def test_a_recording_shorter_than_a_clip_is_told() -> None:
    predictor = Predictor(CARD, Brightness(), Way(mode="clip", length=4, step=2))
    assert predictor.shortage(7) is None
    assert "6 frames, and the network looks at 7" in str(predictor.shortage(6))
    assert "1 frame, and" in str(predictor.shortage(1))
    assert Predictor(CARD, Brightness()).shortage(1) is None
