"""Bundles: written whole, checked whole."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sonoplane.errors import BundleError, UsageError, WeightsError
from sonoplane.models.bundle import Bundle, add_files, save_bundle
from sonoplane.models.card import Card
from sonoplane.models.fit import weight_shapes
from sonoplane.models.spec import network_spec

SPEC = network_spec("smallnet-2", n_classes=2)
CARD = Card(classes=("heart", "none"), background="none", size=(64, 64))
WEIGHTS = {
    name: np.random.default_rng(0).normal(size=shape).astype(np.float32)
    for name, shape in weight_shapes(SPEC).items()
}


def save(folder: Path, **changed: Any) -> Bundle:
    parts: dict[str, Any] = {
        "name": "test",
        "version": "1.0",
        "spec": SPEC,
        "card": CARD,
        "weights": WEIGHTS,
        "recipe": {"train": {"seed": 3, "note": None, "rates": [0.1, 0.2]}},
    }
    return save_bundle(folder, **parts | changed)


def test_what_goes_in_comes_out(tmp_path: Path) -> None:
    saved = save(tmp_path / "b", metrics={"accuracy": 0.91, "classes": {"heart": 1}})
    bundle = Bundle.load(tmp_path / "b")
    assert bundle == saved
    assert (bundle.name, bundle.version, bundle.spec, bundle.card) == ("test", "1.0", SPEC, CARD)
    assert bundle.recipe == {"train": {"seed": 3, "rates": [0.1, 0.2]}}
    assert bundle.metrics == {"accuracy": 0.91, "classes": {"heart": 1}}
    assert bundle.calibration is None
    assert all(np.array_equal(bundle.weights()[name], WEIGHTS[name]) for name in WEIGHTS)
    assert bundle.sha256 == hashlib.sha256((tmp_path / "b" / "bundle.json").read_bytes()).hexdigest()
    assert bundle.name_record.sha256 == bundle.sha256


def test_the_same_parts_make_the_same_bytes(tmp_path: Path) -> None:
    assert save(tmp_path / "a").sha256 == save(tmp_path / "b").sha256


def test_nothing_but_the_listed_files_is_left(tmp_path: Path) -> None:
    bundle = save(tmp_path / "deep" / "b")
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["b"]
    assert {p.name for p in bundle.folder.iterdir()} == {*bundle.hashes, "bundle.json"}


def test_the_model_card_speaks_of_use_and_limits(tmp_path: Path) -> None:
    bundle = save(tmp_path / "b", metrics={"accuracy": 0.91234})
    page = (bundle.folder / "MODEL_CARD.md").read_text()
    assert all(
        word in page
        for word in ["not a medical device", "heart", "64 x 64", "0.9123", "Training data", "Limits"]
    )


FILES = [
    "weights.safetensors",
    "card.toml",
    "recipe.toml",
    "calibration.json",
    "metrics.json",
    "MODEL_CARD.md",
]


@pytest.mark.parametrize("name", FILES)
def test_an_altered_or_missing_file_is_named(tmp_path: Path, name: str) -> None:
    folder = save(tmp_path / "b").folder
    data = bytearray((folder / name).read_bytes() or b"x")
    data[-1] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(BundleError, match=f"{name} .*altered.*again"):
        Bundle.load(folder)
    (folder / name).unlink()
    with pytest.raises(BundleError, match=f"{name} is missing"):
        Bundle.load(folder)


def test_weights_altered_after_opening_are_refused(tmp_path: Path) -> None:
    bundle = save(tmp_path / "b")
    (bundle.folder / "weights.safetensors").write_bytes(b"other")
    with pytest.raises(BundleError, match=r"weights.safetensors was altered"):
        bundle.weights()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda table: table.pop("files"), "cannot be understood"),
        (lambda table: table.update(files=[]), "cannot be understood"),
        (lambda table: table.update(format=99), "format 99"),
        (lambda table: table["files"].pop("card.toml"), "does not list"),
        (lambda table: table["files"].update({"../up": "0"}), "does not list"),
        (lambda table: table["network"].update(n_classes=3), "names 2 classes, the network answers 3"),
        (lambda table: table["network"].update(name="newnet-3"), "newnet-3"),
        (lambda table: table["network"].pop("kind"), "unknown or missing keys"),
    ],
)
def test_a_damaged_index_is_refused(tmp_path: Path, change: Any, said: str) -> None:
    path = save(tmp_path / "b").folder / "bundle.json"
    table = json.loads(path.read_text())
    change(table)
    path.write_text(json.dumps(table))
    with pytest.raises(BundleError, match=said):
        Bundle.load(path.parent)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "\xff"])
def test_an_index_that_is_no_index_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "bundle.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(BundleError, match="cannot be understood"):
        Bundle.load(tmp_path)


def test_a_folder_without_an_index_is_no_bundle(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(BundleError, match="no bundle") as caught:
            Bundle.load(folder)
        assert str(tmp_path.parent) not in str(caught.value)


def test_only_a_bundle_is_ever_replaced_and_only_when_asked(tmp_path: Path) -> None:
    save(tmp_path / "b")
    with pytest.raises(UsageError, match="holds a bundle already"):
        save(tmp_path / "b", version="2")
    assert save(tmp_path / "b", version="2", overwrite=True).version == "2"
    (tmp_path / "b" / "thesis.txt").write_text("precious")
    with pytest.raises(UsageError, match=r"thesis\.txt"):
        save(tmp_path / "b", version="3", overwrite=True)
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="there already"):
        save(tmp_path / "file", overwrite=True)
    assert Bundle.load(tmp_path / "b").version == "2"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b", "file"]


def test_an_empty_folder_may_become_a_bundle(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    assert save(tmp_path / "b").name == "test"


def test_what_does_not_belong_together_is_never_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="one name for each output"):
        save(tmp_path / "b", card=CARD.with_classes(("a", "b", "c")))
    with pytest.raises(WeightsError, match=r"missing: blocks\.0\.0\.0\.conv\.weight"):
        save(tmp_path / "b", weights={})
    with pytest.raises(UsageError, match="name a bundle"):
        save(tmp_path / "b", name="../up")
    assert not list(tmp_path.iterdir())


def test_files_can_be_added_and_are_checked_from_then_on(tmp_path: Path) -> None:
    bundle = save(tmp_path / "b")
    (tmp_path / "made.xml").write_bytes(b"<net/>")
    more = add_files(
        bundle,
        {"openvino.xml": tmp_path / "made.xml", "openvino.bin": b"123", "calibration.json": b'{"kind": "t"}'},
        exports={"openvino": {"precision": "float32", "files": ["openvino.xml", "openvino.bin"]}},
    )
    assert more.sha256 != bundle.sha256
    assert more.exports["openvino"]["precision"] == "float32"
    assert more.calibration == {"kind": "t"}
    path = more.file("openvino.xml")
    assert path is not None
    assert path.read_bytes() == b"<net/>"
    assert more.file("model.onnx") is None
    assert {p.name for p in more.folder.iterdir()} == {*more.hashes, "bundle.json"}
    path.write_bytes(b"<not/>")
    with pytest.raises(BundleError, match=r"openvino\.xml"):
        Bundle.load(more.folder)


@pytest.mark.parametrize("name", ["weights.safetensors", "card.toml", "bundle.json", "../x", "a/b", ".x"])
def test_some_files_are_never_replaced(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be put"):
        add_files(save(tmp_path / "b"), {name: b""})
