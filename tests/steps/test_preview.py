"""What is seen and told of a training before it begins."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from sonoplane.errors import UsageError, WeightsError
from sonoplane.frames.archive import open_archive
from sonoplane.frames.archive_writer import create_archive
from sonoplane.frames.entries import EntryFacts
from sonoplane.records import Frame, Label
from sonoplane.steps.input_card import input_card
from sonoplane.steps.preview import preview
from sonoplane.steps.recipe import layered
from sonoplane.steps.train import recipe_for

SMALL = {
    "input": {"height": 32, "width": 48},
    "network": {"name": "sononet2d-2"},
    "training": {"batch": 4, "epochs": 3},
}
CLIPS = {"network": {"name": "sononet3d-2"}, "windows": {"length": 5, "stride": 5}}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four patients of noise, twelve frames each: `left` at first, then `right`; one of them validates."""
    out = tmp_path_factory.mktemp("preview") / "archive"
    card = input_card(layered(SMALL).input)
    dice = np.random.default_rng(0)
    with create_archive(
        out, geometry=f"card:{card.geometry_hash}", settings={"input": SMALL["input"]}
    ) as writer:
        for number in range(4):
            split = "train" if number else "validation"
            facts = EntryFacts(id=f"r{number}", patient=f"p{number}", split=split)
            images = dice.integers(0, 255, (12, 32, 48), np.uint8)
            writer.add(facts, [Frame(index=i, time_s=None, image=image) for i, image in enumerate(images)])
        writer.add_labels(
            "side",
            [
                Label(recording=f"r{number}", label=label, start=start, stop=start + 6)
                for number in range(4)
                for label, start in (("left", 0), ("right", 6))
            ],
        )
    return out


def shown(archive: Path, out: Path, *layers: dict[str, Any]) -> tuple[str, tuple[int, ...]]:
    told = preview(archive, task="side", recipe=recipe_for(archive, SMALL, *layers), out=out)
    with Pillow.open(out) as sheet:
        return "\n".join(told.lines()), sheet.size


def test_frames_clips_and_dense_clips_are_shown_and_told(archive: Path, tmp_path: Path) -> None:
    frames, _ = shown(archive, tmp_path / "a.png")
    assert "side: 36 frames to train on, 12 to validate, 2 classes." in frames
    assert "sononet2d-2: " in frames
    assert "all of them learn." in frames
    assert "9 batches an epoch, 3 epochs at most." in frames
    clips, size = shown(archive, tmp_path / "b.png", CLIPS)
    assert "clips of 5 frames" in clips
    assert size[0] == 6 * (48 * 4 + 4)
    dense, _ = shown(archive, tmp_path / "c.png", CLIPS, {"training": {"dense": True, "batch": 2}})
    assert "sononet3d-2: " in dense
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png", "c.png"]


def test_the_same_recipe_shows_the_same_sheet_and_nothing_is_trained(archive: Path, tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        shown(archive, tmp_path / name)
    shown(archive, tmp_path / "c.png", {"training": {"seed": 1}})
    first, again, other = (path.read_bytes() for path in sorted(tmp_path.iterdir()))
    assert first == again != other


def test_what_is_frozen_is_told(archive: Path, tmp_path: Path) -> None:
    told, _ = shown(archive, tmp_path / "a.png", {"network": {"trained": "head"}})
    assert "name a --network.start" in told
    assert "all of them learn" not in told


def test_what_training_would_refuse_is_refused_before_it(archive: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "w.npz", weird=np.zeros(3))
    with pytest.raises(WeightsError, match="no known layout"):
        shown(archive, tmp_path / "a.png", {"network": {"start": str(tmp_path / "w.npz")}})
    with pytest.raises(UsageError, match="No labelled frame or clip"):
        shown(archive, tmp_path / "a.png", CLIPS, {"windows": {"length": 50, "stride": 5}})
    with pytest.raises(UsageError, match=r"ends in \.png"):
        shown(archive, tmp_path / "a.jpg")
    assert len(open_archive(archive)) == 4
    assert not (tmp_path / "a.png").exists()
