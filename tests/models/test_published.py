"""The published weights answer on real images as they did when they were published."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from sonoplane.models.bundle import save_bundle
from sonoplane.models.card import builtin_card
from sonoplane.models.registry import load_network
from sonoplane.models.weights import KNOWN, import_weights
from sonoplane.models.weights_download import git_blob_id


@pytest.fixture(scope="module")
def published(shared_data: Path) -> Path:
    return shared_data / "sononet"


@pytest.fixture(scope="module")
def expected(published: Path) -> dict[str, Any]:
    table: dict[str, Any] = json.loads((published / "expected.json").read_text())
    return table


def answer(published: Path, file_name: str, images: list[str], folder: Path) -> np.ndarray:
    """Logits of each image, by way of a bundle."""
    spec, weights, card = import_weights(published / file_name)
    bundle = save_bundle(
        folder / "b", name="fetal", version="1", spec=spec, card=card, weights=weights, recipe={}
    )
    frames = [np.array(Image.open(published / "images" / f"{name}.tiff")) for name in images]
    sized = [card.geometry(frame, card.fixed_box(*frame.shape[:2])) for frame in frames]
    with torch.inference_mode():
        logits: np.ndarray = load_network(bundle)(torch.from_numpy(card.values(np.stack(sized)))).numpy()
    return logits


def test_sononet16_answers_as_published(published: Path, expected: dict[str, Any], tmp_path: Path) -> None:
    images = expected["images"]
    logits = answer(published, "SonoNet16.npz", list(images), tmp_path)
    assert np.abs(logits - [image["logits"] for image in images.values()]).max() < 1e-3
    names = [builtin_card("fetal").classes[i] for i in logits.argmax(axis=1)]
    assert names == [image["predicted"] for image in images.values()]


def test_smallnet_names_all_seven_images(published: Path, expected: dict[str, Any], tmp_path: Path) -> None:
    images = expected["images"]
    logits = answer(published, "SmallNet.npz", list(images), tmp_path)
    names = [builtin_card("fetal").classes[i] for i in logits.argmax(axis=1)]
    right = sum(name == image["truth"] for name, image in zip(names, images.values(), strict=True))
    assert right == 7


def test_the_fetal_card_is_what_the_weights_expect(expected: dict[str, Any]) -> None:
    card = builtin_card("fetal")
    assert card.classes == tuple(expected["classes"])
    assert card.size == (expected["size"]["height"], expected["size"]["width"])
    assert card.crop is not None
    assert [*card.crop.rows, *card.crop.columns] == expected["crop"]["rows"] + expected["crop"]["columns"]


def test_the_blob_ids_are_those_of_the_published_files(published: Path) -> None:
    ids = {weights.file_name: weights.blob_id for weights in KNOWN}
    for name in ("SonoNet16.npz", "SmallNet.npz"):
        assert git_blob_id((published / name).read_bytes()) == ids[name]
