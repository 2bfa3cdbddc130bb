"""Ensembles: bundles of bundles, checked as one."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from sonoplane.errors import BundleError, UsageError
from sonoplane.models.bundle import Bundle, add_files, save_bundle
from sonoplane.models.card import Card
from sonoplane.models.ensemble import change_members, save_ensemble
from sonoplane.models.fit import weight_shapes
from sonoplane.models.spec import network_spec

CARD = Card(classes=("heart", "none"), background="none", size=(64, 64))


def member(
    folder: Path, seed: int = 0, *, name: str = "smallnet-2", card: Card = CARD, overwrite: bool = False
) -> Bundle:
    spec = network_spec(name, n_classes=2)
    dice = np.random.default_rng(seed)
    weights = {key: dice.normal(size=shape).astype(np.float32) for key, shape in weight_shapes(spec).items()}
    return save_bundle(
        folder, name=folder.name, version="1", spec=spec, card=card, weights=weights, recipe={"seed": seed},
        overwrite=overwrite,
    )  # fmt: skip


@pytest.fixture
def ensemble(tmp_path: Path) -> Bundle:
    members = {f"fold-{seed}": member(tmp_path / f"m{seed}", seed) for seed in (1, 2, 3)}
    return save_ensemble(
        tmp_path / "e",
        name="three",
        version="2",
        members=members,
        recipe={"run": {"batch": 4}},
        metrics={"accuracy": 0.75},
        measured="On nobody.",
        files={"table.csv": b"a\n"},
    )


def test_what_goes_in_comes_out(ensemble: Bundle) -> None:
    loaded = Bundle.load(ensemble.folder)
    assert loaded == ensemble
    assert (loaded.name, loaded.version, loaded.card) == ("three", "2", CARD)
    assert loaded.spec == loaded.members[0].spec
    assert loaded.recipe == {"run": {"batch": 4}}
    assert loaded.metrics == {"accuracy": 0.75}
    assert [one.recipe["seed"] for one in loaded.members] == [1, 2, 3]
    assert loaded.file("table.csv") is not None
    assert not loaded.members[0].members


def test_its_model_card_says_how_many_answer_and_on_whom_it_was_measured(ensemble: Bundle) -> None:
    page = (ensemble.folder / "MODEL_CARD.md").read_text()
    assert all(words in page for words in ("ensemble of 3 networks", "On nobody.", "0.75"))


def test_it_has_no_weights_of_its_own_and_names_those_who_have(ensemble: Bundle) -> None:
    with pytest.raises(BundleError, match="Name one of its members: fold-1, fold-2, fold-3"):
        ensemble.weights()


def test_a_member_that_was_altered_exchanged_or_lost_is_named(ensemble: Bundle) -> None:
    second = ensemble.folder / "fold-2"
    (second / "weights.safetensors").write_bytes(b"other")
    with pytest.raises(BundleError, match=r"weights.safetensors in the bundle 'fold-2' was altered"):
        Bundle.load(ensemble.folder)
    shutil.rmtree(second)
    with pytest.raises(BundleError, match="fold-2 is missing from the bundle 'e'"):
        Bundle.load(ensemble.folder)
    shutil.copytree(ensemble.folder / "fold-1", second)
    with pytest.raises(BundleError, match=r"fold-2 in the bundle 'e' was altered\. .*through their ensemble"):
        Bundle.load(ensemble.folder)


@pytest.mark.parametrize("name", ["../m1", ".", "fold-1/x"])
def test_members_lie_inside_the_folder(ensemble: Bundle, name: str) -> None:
    index = ensemble.folder / "bundle.json"
    table = json.loads(index.read_text())
    table["members"][name] = table["members"]["fold-1"]
    index.write_text(json.dumps(table))
    with pytest.raises(BundleError):
        Bundle.load(ensemble.folder)


def test_an_ensemble_of_nobody_is_refused(ensemble: Bundle, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no members"):
        save_ensemble(tmp_path / "n", name="n", version="1", members={}, recipe={})
    index = ensemble.folder / "bundle.json"
    index.write_text(json.dumps(json.loads(index.read_text()) | {"members": {}}))
    with pytest.raises(BundleError):
        Bundle.load(ensemble.folder)


def test_who_does_not_belong_together_is_never_put_together(tmp_path: Path, ensemble: Bundle) -> None:
    one = member(tmp_path / "one")
    others = {
        "another card": member(tmp_path / "o1", card=CARD.with_classes(("none", "heart"))),
        "do not go through time alike": member(tmp_path / "o2", name="sononet3d-2"),
        "an ensemble itself": ensemble,
    }
    for said, other in others.items():
        with pytest.raises(BundleError, match=said):
            save_ensemble(tmp_path / "x", name="x", version="1", members={"a": one, "b": other}, recipe={})
    with pytest.raises(UsageError, match="cannot name a member"):
        save_ensemble(tmp_path / "x", name="x", version="1", members={"card.toml": one}, recipe={})
    assert not (tmp_path / "x").exists()


def test_it_is_replaced_only_when_asked_and_only_where_nothing_else_lies(
    ensemble: Bundle,
) -> None:
    with pytest.raises(UsageError, match="holds a bundle already"):
        member(ensemble.folder)
    (ensemble.folder / "fold-1" / "thesis.txt").touch()
    with pytest.raises(UsageError, match=r"such as 'fold-1/thesis\.txt'"):
        member(ensemble.folder, overwrite=True)
    (ensemble.folder / "fold-1" / "thesis.txt").unlink()
    member(ensemble.folder, overwrite=True)
    assert not Bundle.load(ensemble.folder).members
    assert not (ensemble.folder / "fold-1").exists()


def test_members_are_changed_together_or_not_at_all(ensemble: Bundle) -> None:
    def fails_at_the_second(one: Bundle) -> None:
        if one.recipe["seed"] == 2:
            raise BundleError("It does not answer the same.")
        add_files(one, {"model.xml": b"<net/>"})

    with pytest.raises(BundleError, match="the same"):
        change_members(ensemble, fails_at_the_second)
    assert Bundle.load(ensemble.folder) == ensemble
    changed = change_members(ensemble, lambda one: add_files(one, {"model.xml": b"<net/>"}))
    assert all(one.file("model.xml") for one in changed.members)
    assert changed.sha256 != ensemble.sha256
    assert [path.name for path in ensemble.folder.parent.glob(".*")] == []


def test_files_are_added_to_it_as_to_any_bundle(ensemble: Bundle) -> None:
    more = add_files(ensemble, {"calibration.json": b'{"kind": "t"}'})
    assert more.calibration == {"kind": "t"}
    assert len(more.members) == 3
    with pytest.raises(UsageError, match="cannot be put"):
        add_files(more, {"fold-1": b""})
