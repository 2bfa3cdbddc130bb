"""What a network costs is the same whenever it is measured, and grows with what it is given."""

from pathlib import Path

import pytest

from sonoplane.clips.labels import write_labels
from sonoplane.frames.archive import Archive, open_archive
from sonoplane.inference.settings import RunSettings
from sonoplane.models.bundle import Bundle, save_bundle
from sonoplane.models.card import Card
from sonoplane.models.cost import cost
from sonoplane.models.ensemble import save_ensemble
from sonoplane.models.registry import build, network_spec, weights_of
from sonoplane.steps.answering import Network, networks_of
from sonoplane.steps.pace import Pace, measure_pace, pace_cells
from sonoplane.steps.pace_memory import memory_mb
from sonoplane.steps.prepare import prepare
from sonoplane.steps.recipe import layered
from sonoplane.steps.scored import cost_cells
from sonoplane.video.phantom import PhantomExam


@pytest.fixture(scope="module")
def store(sweeps: Path, exams: list[PhantomExam], tmp_path_factory: pytest.TempPathFactory) -> Archive:
    folder = tmp_path_factory.mktemp("paced")
    write_labels(folder / "planes.csv", [row for exam in exams for row in exam.labels])
    recipe = layered({"store": {"sheet": False, "resolution": "source"}})
    prepare(
        sorted(sweeps.iterdir())[:3], folder / "a", labels={"planes": folder / "planes.csv"}, recipe=recipe
    )
    return open_archive(folder / "a")


def bundle_of(folder: Path, size: tuple[int, int] = (96, 120)) -> Bundle:
    spec = network_spec("sononet2d-8", n_classes=3)
    return save_bundle(
        folder,
        name=folder.name,
        version="1",
        spec=spec,
        card=Card(classes=("a", "b", "c"), size=size),
        weights=weights_of(build(spec, seed=0)),
        recipe={},
    )


def opened(bundle: Bundle, *, by_fold: bool = False) -> Network:
    return networks_of([bundle], [layered({"run": {"threads": 2}})], "openvino", by_fold=by_fold)[0]


def paced(store: Archive, network: Network) -> Pace:
    (pace,) = measure_pace([network], store, store.entries[0].id, rounds=1)
    return pace


def test_memory_is_the_same_however_much_was_answered_before_and_grows_with_the_input(
    store: Archive, tmp_path: Path
) -> None:
    small, large = (
        opened(bundle_of(tmp_path / name, size)) for name, size in (("s", (48, 60)), ("l", (432, 540)))
    )
    first, again, more = (paced(store, network).memory_mb for network in (large, large, small))
    weights = sum(array.nbytes for array in large.bundle.weights().values()) / 1e6
    if first is None or again is None or more is None:
        pytest.skip("the system does not tell")
    assert again == pytest.approx(first, rel=0.4)
    assert min(first, again) > more > weights


def test_measuring_memory_leaves_nothing_in_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where OpenVINO would leave an id of its user, unless it is kept from it."""
    bundle, home = bundle_of(tmp_path / "b", (48, 60)), tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("SONOPLANE_CACHE", str(tmp_path / "cache"))
    memory_mb(bundle, "openvino", RunSettings(), (4, 1, 48, 60))
    assert not list(home.rglob("*"))


def test_a_cross_validation_costs_what_one_of_its_networks_does(store: Archive, tmp_path: Path) -> None:
    one = bundle_of(tmp_path / "one")
    three = save_ensemble(
        tmp_path / "three",
        name="three",
        version="1",
        members={f"fold-{n}": one for n in (1, 2, 3)},
        recipe={},
    )
    by_fold, together, alone = opened(three, by_fold=True), opened(three), opened(one)
    for key in ("parameters", "gflop_per_frame"):
        mine, all_of_them, single = (cost_cells(each)[key] for each in (by_fold, together, alone))
        assert mine.value == single.value
        assert all_of_them.value == pytest.approx(3 * float(single.value or 0))
        assert "one network of the cross-validation" in mine.why
        assert "cross-validation" not in all_of_them.why
    assert all("one network" in cell.why for cell in pace_cells(paced(store, by_fold)).values())
    assert not any("one network" in cell.why for cell in pace_cells(paced(store, alone)).values())


def test_gflop_are_those_of_the_networks_own_input(tmp_path: Path) -> None:
    network = opened(bundle_of(tmp_path / "b", (96, 120)))
    told = cost_cells(network)["gflop_per_frame"]
    assert told.value == pytest.approx(cost(network.bundle.spec, (96, 120)).gflop_per_frame)
    assert told.why == "For the network’s input, 96 x 120."
