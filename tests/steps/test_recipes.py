from pathlib import Path
from typing import Any

import pytest

from sonoplane.clips.labels import write_labels
from sonoplane.errors import UsageError
from sonoplane.models.bundle import Bundle
from sonoplane.models.registry import load_network
from sonoplane.steps.prepare import prepare
from sonoplane.steps.recipe import layered, read_recipe
from sonoplane.steps.recipes import shipped, shipped_recipe
from sonoplane.steps.train import recipe_for, train
from sonoplane.video.phantom import PhantomSettings, Preset, simulate
from sonoplane.video.phantom_files import write_dicom

#: What makes each recipe small: the network of its kind, and how it is cut down.
TINY: dict[str, dict[str, Any]] = {
    "demo": {"network": {"name": "sononet2d-2"}},
    "liver-sweep-2d": {"network": {"name": "sononet2d-2"}},
    "liver-sweep-3d": {"network": {"name": "sononet3d-2"}},
    "liver-sweep-2plus1d": {"network": {"name": "sononet2plus1d-2"}},
    "echo-view-3dcnn": {"network": {"options": {"plan": "tiny"}}},
    "echo-view-resnext": {
        "network": {
            "name": "resnext3d-50",
            "options": {"cardinality": 2, "group_width": 1, "stem": 4},
        }
    },
    "small-data": {"network": {"name": "sononet2d-2"}},
    "stream-3d": {"network": {"name": "sononet3d-2-causal"}, "windows": {"length": 16}},
    "stream-2plus1d": {"network": {"name": "sononet2plus1d-2-causal"}, "windows": {"length": 16}},
}
SMALL = {"input": {"height": 32, "width": 48}, "training": {"epochs": 1, "batch": 8, "every": 2}}


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One of sweeps and one of echo views, at the source's resolution: any input can be made of them."""
    made = {}
    for preset, frames in (("liver-sweep", 24), ("echo-views", 50)):
        made[preset] = archive_of(preset, frames, tmp_path_factory.mktemp(preset))
    return made


def archive_of(preset: Preset, frames: int, folder: Path) -> Path:
    settings = PhantomSettings(height=160, width=200, beams=32, samples=64, frames=frames)
    exams = list(simulate(preset, patients=4, exams=(1, 1), seed=5, settings=settings))
    (folder / "recordings").mkdir()
    for exam in exams:
        write_dicom(exam, folder / "recordings" / f"{exam.id}.dcm")
    write_labels(folder / "task.csv", [row for exam in exams for row in exam.labels])
    recipe = layered(
        {"store": {"resolution": "source"}, "split": {"train": 0.5, "validation": 0.5, "test": 0}}
    )
    prepare([folder / "recordings"], folder / "archive", labels={"task": folder / "task.csv"}, recipe=recipe)
    return folder / "archive"


def tiny(recipe: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The recipe made small; what it says of the network stays, where it is not what makes it large."""
    small = {**changes, "network": {**recipe["network"], **changes["network"]}}
    for section, settings in SMALL.items():
        small[section] = {**recipe.get(section, {}), **settings}
    return {**recipe, **{name: {**recipe.get(name, {}), **small[name]} for name in small}}


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_recipe_trains_to_a_bundle_that_loads(
    name: str, archives: dict[str, Path], tmp_path: Path
) -> None:
    archive = archives["echo-views" if name.startswith("echo") else "liver-sweep"]
    layer = tiny(read_recipe(Path(name)), TINY[name])
    trained = train(archive, task="task", out=tmp_path / "b", recipe=recipe_for(archive, layer))
    bundle = Bundle.load(trained.folder)
    assert load_network(bundle).takes_clips == bundle.spec.takes_clips
    assert bundle.recipe["training"]["optimizer"] == layered(layer).training.optimizer


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_recipe_says_what_it_is_for(name: str) -> None:
    assert shipped_recipe(name).startswith("# ")


def test_a_recipe_that_is_neither_a_file_nor_shipped_is_told_with_those_that_are() -> None:
    with pytest.raises(UsageError, match=r"no recipe 'liver'.*liver-sweep-3d"):
        read_recipe(Path("liver"))
