import numpy as np
import pytest

from sonoplane.errors import UsageError
from sonoplane.inference.backends import open_backend
from sonoplane.inference.predictor import Predictor
from sonoplane.inference.settings import RunSettings
from sonoplane.inference.streaming import Streamer
from sonoplane.inference.timeline import softmax
from sonoplane.metrics.calibration_record import Calibration
from sonoplane.models.bundle import Bundle, save_bundle
from sonoplane.models.card import Card
from sonoplane.models.ensemble import save_ensemble
from sonoplane.models.registry import weights_of
from sonoplane.records import Box, Frame
from tests.models.tiny_networks import tiny, tiny_spec

CARD = Card(classes=("a", "b", "c"), size=(32, 48))
BOX = Box(left=3, top=5, right=61, bottom=45)


def draw(n: int) -> list[np.ndarray]:
    return list(np.random.default_rng(0).integers(0, 256, (n, 50, 64), dtype=np.uint8))


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Bundle]:
    folder = tmp_path_factory.mktemp("bundles")
    names = ["sononet2d-2", "sononet3d-2", "sononet3d-2-causal"]
    made = {
        name: save_bundle(
            folder / name,
            name=name,
            version="1",
            spec=tiny_spec(name),
            card=CARD,
            weights=weights_of(tiny(name)),
            recipe={},
            calibration=Calibration(classes=CARD.classes, kind="temperature", temperature=2.5).to_dict(),
        )
        for name in names
    }
    members = {"one": made["sononet3d-2-causal"], "two": made["sononet3d-2-causal"]}
    made["ensemble"] = save_ensemble(folder / "both", name="both", version="1", members=members, recipe={})
    return made


def streamer(bundle: Bundle, run: RunSettings | None = None) -> Streamer:
    return Streamer(bundle, open_backend(bundle, "torch", run), run, box=BOX)


@pytest.mark.parametrize("name", ["sononet2d-2", "sononet3d-2-causal", "ensemble"])
def test_every_push_answers_the_frame_pushed(name: str, bundles: dict[str, Bundle]) -> None:
    live = streamer(bundles[name])
    frames = [Frame(index=i, time_s=None, image=image) for i, image in enumerate(draw(6))]
    file = Predictor(live.card, live.backend, live.way).watch(iter(frames), BOX)
    for frame, one in zip(frames, file, strict=True):
        pushed = live.push(frame.image)
        assert pushed is not None
        assert np.abs(pushed - softmax(live.calibration.apply(one.logits))).max() < 1e-5
    assert live.finish() == ()


def test_probabilities_are_calibrated(bundles: dict[str, Bundle]) -> None:
    live = streamer(bundles["sononet2d-2"])
    (seen,) = live.see(Frame(index=0, time_s=None, image=draw(1)[0]))
    assert np.allclose(live.probabilities(seen), softmax(seen.logits / 2.5), atol=1e-6)


def test_clips_of_a_feed_are_those_of_a_recording(bundles: dict[str, Bundle]) -> None:
    run = RunSettings(mode="clip", clip_length=6, clip_step=2)
    live = streamer(bundles["sononet3d-2"], run)
    assert (live.delay, live.receptive_field) == (0, 11)
    frames = [Frame(index=i, time_s=None, image=image) for i, image in enumerate(draw(14))]
    expected = [one.logits for one in Predictor(CARD, live.backend, live.way).watch(iter(frames), BOX)]
    got = [seen.logits for frame in frames for seen in live.see(frame)]
    assert np.abs(np.stack(got) - np.stack(expected)).max() < 1e-5


@pytest.mark.parametrize("step", [1, 2])
def test_a_network_that_looks_ahead_answers_when_it_has_seen_enough(
    step: int, bundles: dict[str, Bundle]
) -> None:
    live = streamer(bundles["sononet3d-2"], RunSettings(mode="dense", clip_step=step))
    assert live.delay == 15 * step
    images = draw(live.delay + 9)
    frames = [Frame(index=i, time_s=None, image=image) for i, image in enumerate(images)]
    all_seen = [one for frame in frames for one in live.see(frame)] + [*live.finish()]
    pushed = [live.push(image) for image in images]
    n_none = next(index for index, answer in enumerate(pushed) if answer is not None)
    assert live.delay <= n_none <= live.delay + 3 * step
    for index, answer in enumerate(pushed[n_none:], start=n_none - live.delay):
        assert answer is not None
        assert np.abs(answer - live.probabilities(all_seen[index])).max() < 1e-6


def test_what_waits_does_not_grow(bundles: dict[str, Bundle]) -> None:
    live = streamer(bundles["sononet3d-2"], RunSettings(mode="dense"))
    for image in draw(40):
        live.push(image)
    assert len(live._waiting) == live.delay


def test_a_mode_that_the_network_does_not_have_is_refused(bundles: dict[str, Bundle]) -> None:
    class Clips:
        name, precision = "test", "float32"

        def __call__(self, inputs: np.ndarray) -> np.ndarray:
            return np.zeros((len(inputs), 3), np.float32)

    with pytest.raises(UsageError, match="no dense form"):
        Streamer(bundles["sononet3d-2"], Clips(), RunSettings(mode="dense"))


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((50, 64), np.uint16),
        np.zeros((50, 64)),
        np.zeros((0, 0), np.uint8),
        np.zeros((50, 64, 4), np.uint8),
        np.zeros((3, 50, 64), np.uint8),
    ],
)
def test_what_is_no_frame_is_refused_and_changes_nothing(
    image: np.ndarray, bundles: dict[str, Bundle]
) -> None:
    spoilt, whole = streamer(bundles["sononet3d-2-causal"]), streamer(bundles["sononet3d-2-causal"])
    for count, good in enumerate(draw(4)):
        if count == 2:
            with pytest.raises(UsageError, match="A frame is uint8, height x width"):
                spoilt.push(image)
        answers = [one.push(good) for one in (spoilt, whole)]
        assert answers[0] is not None
        np.testing.assert_array_equal(*answers)


def test_where_the_network_fails_a_new_feed_begins(bundles: dict[str, Bundle]) -> None:
    broken, fresh = streamer(bundles["sononet3d-2-causal"]), streamer(bundles["sononet3d-2-causal"])
    first, second = draw(2)
    broken.push(first)
    values, broken.card = broken.card, Card(classes=CARD.classes, size=(1, 1))
    with pytest.raises(Exception, match=r"."):
        broken.push(first)
    broken.card = values
    np.testing.assert_array_equal(broken.push(second), fresh.push(second))
