"""A frame becomes the same network input in training, prediction, a live feed and an exported model."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import pytest
import torch

from sonoplane.frames.archive import Archive, open_archive
from sonoplane.frames.cleaning import clean
from sonoplane.frames.layout_toml import layout_from, layout_values
from sonoplane.inference.streaming import Streamer
from sonoplane.models.bundle import Bundle, save_bundle
from sonoplane.models.card import Card
from sonoplane.models.card_tensor import CardValues
from sonoplane.models.normalization import Normalization
from sonoplane.records import Frame
from sonoplane.steps.layouts import known_layouts
from sonoplane.steps.predict import predict
from sonoplane.steps.prepare import prepare
from sonoplane.steps.private import open_private
from sonoplane.steps.recipe import Recipe, layered
from sonoplane.training.clips_dataset import ClipDataset
from sonoplane.training.samples import Samples
from sonoplane.video.opening import open_recording
from sonoplane.video.phantom import PhantomExam, PhantomSettings, simulate
from sonoplane.video.phantom_files import write_dicom, write_mp4

N_FRAMES = 20


class Recorder:
    """A network that remembers what it is given."""

    name, precision = "test", "float32"

    def __init__(self, n_classes: int) -> None:
        self.n_classes = n_classes
        self.batches: list[np.ndarray] = []

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        self.batches.append(inputs.copy())
        return np.zeros((len(inputs), self.n_classes), np.float32)

    @property
    def inputs(self) -> np.ndarray:
        return np.concatenate(self.batches)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gray recording, one without color in a color format, and one with color."""
    folder = tmp_path_factory.mktemp("sources")
    settings = PhantomSettings(height=160, width=200, frames=N_FRAMES)
    gray, colorless, color = simulate("liver-sweep", patients=3, exams=(1, 1), seed=8, settings=settings)
    write_dicom(gray, folder / "gray.dcm")
    write_mp4(colorless, folder / "colorless.mp4")
    _write_tinted(color, folder / "color")
    return folder


def _write_tinted(exam: PhantomExam, folder: Path) -> None:
    """Frames whose channels are not quite the same."""
    folder.mkdir()
    for frame in exam.recording.frames():
        bgr = cv2.merge([frame.image, cv2.blur(frame.image, (3, 3)), frame.image // 2])
        cv2.imwrite(str(folder / f"{frame.index:03d}.png"), bgr)


@pytest.mark.parametrize(
    ("resolution", "fit", "normalization"),
    [
        ("network", "pad", Normalization(kind="standardize-image")),
        ("network", "stretch", Normalization(kind="min-max")),
        ("source", "pad", Normalization(kind="unit")),
        ("source", "stretch", Normalization(kind="dataset", mean=0.2, std=0.3)),
    ],
)
def test_all_ways_to_the_network_are_one(
    resolution: Literal["network", "source"],
    fit: Literal["stretch", "pad"],
    normalization: Normalization,
    bundle: Bundle,
    sources: Path,
    tmp_path: Path,
) -> None:
    card = replace(bundle.card, fit=fit, normalization=normalization)
    made = _under(card, bundle, tmp_path / "bundle")
    wished = {
        "input": {"height": card.size[0], "width": card.size[1], "fit": fit},
        "split": {"each_recording_is_a_patient": True},
        "store": {"resolution": resolution},
    }
    prepare([sources], tmp_path / "archive", labels={}, recipe=layered(wished))
    store = open_archive(tmp_path / "archive")
    layout = [layout_values(layout) for layout in known_layouts(store)]
    recipe = layered({"region": store.settings["region"], "layout": layout})
    mapping = open_private(tmp_path / "archive").sources
    twin = CardValues(card)
    for path in sorted(sources.iterdir()):
        predicted, streamed, prepared = _predicted_and_streamed(path, made, recipe)
        trained = _trained(store, mapping[path.stem].archive_id, card)
        assert predicted.shape == (N_FRAMES, 1, *card.size)
        assert np.array_equal(streamed, predicted)
        assert np.array_equal(card.values(trained.numpy()), predicted)
        for images in (trained, torch.from_numpy(prepared)):
            assert np.abs(twin(images).numpy() - predicted).max() < 1e-5


def _under(card: Card, bundle: Bundle, folder: Path) -> Bundle:
    """The same network under another card."""
    return save_bundle(
        folder, name="drawn", version="1", spec=bundle.spec, card=card, weights=bundle.weights(), recipe={}
    )


def _predicted_and_streamed(
    path: Path, bundle: Bundle, recipe: Recipe
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What the network is given of a file, of the same frames live; and the frames at the card's size."""
    recording = open_recording(path)
    file, live = (Recorder(len(bundle.card.classes)) for _ in range(2))
    findings, _ = predict(recording, bundle=bundle, backend=file, recipe=recipe)
    streamer = Streamer(bundle, live, recipe.run, box=findings.region.box)
    prepared = [seen.prepared for frame in _cleaned(path, recipe) for seen in streamer.see(frame)]
    return file.inputs, live.inputs, np.stack(prepared)


def _cleaned(path: Path, recipe: Recipe) -> Iterator[Frame]:
    layouts = [layout_from(values) for values in recipe.layout]
    return iter(clean(open_recording(path), settings=recipe.region, layouts=layouts))


def _trained(store: Archive, recording: str, card: Card) -> torch.Tensor:
    """The frames of a recording as a training has them, but for augmentation."""
    numbers = np.arange(N_FRAMES)[:, None]
    samples = Samples(recording=recording, frames=numbers, targets=np.zeros_like(numbers))
    return ClipDataset(store, card, [samples]).batch(np.arange(N_FRAMES)).images[:, 0]
