"""A bundle: a trained network as one folder whose every file is checked, and nothing is ever unpickled."""

import hashlib
import json
import os
import re
import secrets
import shutil
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
import tomli_w
from safetensors import SafetensorError

from sonoplane import __version__
from sonoplane.errors import BundleError, SonoplaneError, UsageError, WeightsError
from sonoplane.models.card import Card
from sonoplane.models.fit import COUNTER, check_fit, weight_shapes
from sonoplane.models.model_card import write_model_card
from sonoplane.models.spec import NetworkSpec
from sonoplane.records import BundleName

__all__ = ["FORMAT", "Bundle", "add_files", "check_place", "save_bundle"]

#: Of the folder; a bundle of another format is refused, never guessed at.
FORMAT = 1

INDEX = "bundle.json"
WEIGHTS, CARD, RECIPE = "weights.safetensors", "card.toml", "recipe.toml"
CALIBRATION, METRICS, MODEL_CARD = "calibration.json", "metrics.json", "MODEL_CARD.md"
_NEEDED = (WEIGHTS, CARD, RECIPE, CALIBRATION, METRICS, MODEL_CARD)
_AGAIN = "Copy the bundle again from where it was made, or import or train it anew."


@dataclass(frozen=True, kw_only=True, slots=True)
class Bundle:
    """A checked bundle; `Bundle.load` is the only way to one."""

    folder: Path = field(repr=False)
    name: str
    version: str
    sha256: str
    """Of `bundle.json`, which holds the hash of every other file."""
    spec: NetworkSpec
    card: Card
    exports: dict[str, Any]
    """What else the bundle answers with, such as `{"openvino": {"precision": "bf16", ...}}`."""
    hashes: dict[str, str] = field(repr=False)
    """The sha256 of each file, by name."""

    @classmethod
    def load(cls, folder: Path) -> "Bundle":
        """Open a bundle and check all its files; a BundleError names the one that is missing or altered."""
        index = _index(folder)
        table = _parse(index)
        _verify(folder, table["files"])
        try:
            card = Card.from_toml((folder / CARD).read_text(encoding="utf-8"))
            spec = NetworkSpec.from_dict(table["network"])
        except UsageError as error:
            raise BundleError(f"The bundle cannot be used: {error.message}", advice=error.advice) from error
        if len(card.classes) != spec.n_classes:
            raise BundleError(
                f"The card names {len(card.classes)} classes, the network answers {spec.n_classes}.",
                advice=_AGAIN,
            )
        return cls(
            folder=folder,
            name=table["name"],
            version=table["version"],
            sha256=hashlib.sha256(index).hexdigest(),
            spec=spec,
            card=card,
            exports=table["exports"],
            hashes=table["files"],
        )

    @property
    def name_record(self) -> BundleName:
        """What findings say of the model that answered."""
        return BundleName(name=self.name, version=self.version, sha256=self.sha256)

    @property
    def recipe(self) -> dict[str, Any]:
        """The settings of every step that made it."""
        return tomllib.loads(self._checked(RECIPE).decode())

    @property
    def metrics(self) -> dict[str, Any] | None:
        """How well it did, where that was measured."""
        metrics: dict[str, Any] | None = json.loads(self._checked(METRICS))
        return metrics

    @property
    def calibration(self) -> dict[str, Any] | None:
        """How its probabilities are corrected; None until that was fitted."""
        calibration: dict[str, Any] | None = json.loads(self._checked(CALIBRATION))
        return calibration

    def weights(self) -> dict[str, np.ndarray]:
        """The network's weights by name."""
        try:
            return dict(safetensors.numpy.load(self._checked(WEIGHTS)))
        except SafetensorError as error:
            raise WeightsError(f"{WEIGHTS} is no safetensors file.", advice=_AGAIN) from error

    def file(self, name: str) -> Path | None:
        """Where a file of the bundle lies; None where the bundle does not list it."""
        return self.folder / name if name in self.hashes else None

    def _checked(self, name: str) -> bytes:
        data = (self.folder / name).read_bytes()
        if hashlib.sha256(data).hexdigest() != self.hashes[name]:
            raise BundleError(f"{name} was altered since the bundle was opened.", advice=_AGAIN)
        return data


def save_bundle(
    folder: Path,
    *,
    name: str,
    version: str,
    spec: NetworkSpec,
    card: Card,
    weights: Mapping[str, np.ndarray],
    recipe: Mapping[str, Any],
    metrics: Mapping[str, Any] | None = None,
    calibration: Mapping[str, Any] | None = None,
    model_card: str | None = None,
    overwrite: bool = False,
) -> Bundle:
    """Write a bundle: all of it or nothing.

    An existing folder is replaced only where it is a bundle, holds nothing else, and `overwrite` is given.
    """
    check_place(folder, name=name, version=version, overwrite=overwrite)
    kept = {key: np.array(value) for key, value in weights.items() if not key.endswith(COUNTER)}
    check_fit(weight_shapes(spec), kept)
    if len(card.classes) != spec.n_classes:
        raise UsageError(
            f"The card names {len(card.classes)} classes, the network answers {spec.n_classes}.",
            advice="Give a card with one name for each output, in order.",
        )
    text = model_card or write_model_card(name=name, version=version, spec=spec, card=card, metrics=metrics)
    contents = {
        WEIGHTS: safetensors.numpy.save(kept),
        CARD: card.to_toml().encode(),
        RECIPE: tomli_w.dumps(_plain(recipe)).encode(),
        CALIBRATION: _json(calibration),
        METRICS: _json(metrics),
        MODEL_CARD: text.encode(),
    }
    with _new_folder(folder, overwrite=overwrite) as fresh:
        for file_name, data in contents.items():
            (fresh / file_name).write_bytes(data)
        hashes = {file_name: hashlib.sha256(data).hexdigest() for file_name, data in contents.items()}
        index = {
            "format": FORMAT,
            "name": name,
            "version": version,
            "sonoplane": __version__,
            "network": spec.to_dict(),
            "exports": {},
            "files": hashes,
        }
        (fresh / INDEX).write_bytes(_json(index))
    return Bundle.load(folder)


def check_place(folder: Path, *, name: str, version: str = "1", overwrite: bool = False) -> None:
    """Raise a UsageError where `save_bundle` would refuse the folder or the name; good to know before training."""
    if not re.fullmatch(r"[\w.+ -]{1,100}", name) or not re.fullmatch(r"[\w.+-]{1,40}", version):
        raise UsageError(
            f"{name!r}, {version!r} cannot name a bundle and its version.",
            advice="Use letters, digits, dots and dashes.",
        )
    _may_replace(folder, overwrite=overwrite)


def add_files(
    bundle: Bundle, files: Mapping[str, Path | bytes], *, exports: Mapping[str, Any] | None = None
) -> Bundle:
    """Put more files into a bundle (an exported network, a calibration), the index last.

    Weights and card stay as they are; another network is another bundle. `exports` describes what was added
    and is merged by its keys. Stopped halfway, an added file is not listed yet and a replaced one is refused
    by its hash.
    """
    table = _parse(_index(bundle.folder))
    for name in files:
        if Path(name).name != name or name.startswith(".") or name in (WEIGHTS, CARD, INDEX):
            raise UsageError(
                f"{name!r} cannot be put into a bundle.",
                advice="Use a plain file name other than those of the index, weights and card.",
            )
    for name, source in files.items():
        fresh = bundle.folder / f".{name}.{secrets.token_hex(4)}"
        try:
            if isinstance(source, bytes):
                fresh.write_bytes(source)
            else:
                shutil.copyfile(source, fresh)
            table["files"][name] = _sha256(fresh)
            fresh.replace(bundle.folder / name)
        finally:
            fresh.unlink(missing_ok=True)
    table["exports"] |= _plain(exports or {})
    fresh = bundle.folder / f".{INDEX}.{secrets.token_hex(4)}"
    fresh.write_bytes(_json(table))
    fresh.replace(bundle.folder / INDEX)
    return Bundle.load(bundle.folder)


def _index(folder: Path) -> bytes:
    """The bytes of bundle.json."""
    try:
        return (folder / INDEX).read_bytes()
    except OSError as error:
        raise BundleError(
            f"{folder.name!r} is no bundle: it holds no readable {INDEX}.",
            advice="Give the folder that `sonoplane train` or `sonoplane weights import` wrote.",
        ) from error


def _parse(index: bytes) -> dict[str, Any]:
    """bundle.json, its own shape checked."""
    try:
        table: dict[str, Any] = json.loads(index)
        found = table["format"]
        if found == FORMAT:
            kinds = {"name": str, "version": str, "network": dict, "exports": dict, "files": dict}
            if not all(isinstance(table[key], kind) for key, kind in kinds.items()):
                raise TypeError
    except (ValueError, KeyError, TypeError) as error:
        raise BundleError(f"{INDEX} cannot be understood.", advice=_AGAIN) from error
    if found != FORMAT:
        raise BundleError(
            f"The bundle has format {found!r}; this version of sonoplane reads {FORMAT}.",
            advice="Use the version of sonoplane that wrote it, or update.",
        )
    return table


def _verify(folder: Path, hashes: Mapping[str, Any]) -> None:
    """Raise a BundleError at the first file that is missing, altered or outside the folder."""
    for name in dict.fromkeys([*_NEEDED, *hashes]):
        if name not in hashes or Path(name).name != name:
            raise BundleError(f"{INDEX} does not list its files properly ({name}).", advice=_AGAIN)
        try:
            found = _sha256(folder / name)
        except OSError as error:
            raise BundleError(f"{name} is missing from the bundle {folder.name!r}.", advice=_AGAIN) from error
        if found != hashes[name]:
            raise BundleError(f"{name} in the bundle {folder.name!r} was altered.", advice=_AGAIN)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _new_folder(folder: Path, *, overwrite: bool) -> Iterator[Path]:
    """A folder beside, that takes its place when all went well."""
    _may_replace(folder, overwrite=overwrite)
    folder.parent.mkdir(parents=True, exist_ok=True)
    tag = secrets.token_hex(4)
    fresh, old = (folder.parent / f".{folder.name}.{what}-{tag}" for what in ("new", "old"))
    fresh.mkdir()
    try:
        yield fresh
        if folder.exists():
            folder.replace(old)
        try:
            fresh.replace(folder)
        except OSError:
            if old.exists():
                old.replace(folder)
            raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def _may_replace(folder: Path, *, overwrite: bool) -> None:
    """Refuse to write over anything that is not a bundle, or that was not asked to go."""
    if not os.path.lexists(folder):
        return
    if not folder.is_dir() or folder.is_symlink():
        raise UsageError(f"{folder.name!r} is there already.", advice="Choose another name for the bundle.")
    inside = {entry.name for entry in folder.iterdir()}
    if not inside:
        return
    try:
        own = {INDEX, *_parse(_index(folder))["files"]}
    except SonoplaneError:
        own = set()
    if inside - own:
        raise UsageError(
            f"{folder.name!r} holds other files than a bundle's, such as {min(inside - own)!r}.",
            advice="Choose another folder for the bundle.",
        )
    if not overwrite:
        raise UsageError(
            f"{folder.name!r} holds a bundle already.",
            advice="Choose another folder, or say --overwrite.",
        )


def _plain(table: Mapping[str, Any]) -> dict[str, Any]:
    """Values that TOML knows: keys that hold None are left out, as TOML has no null."""
    return {
        key: _plain(value) if isinstance(value, Mapping) else value
        for key, value in table.items()
        if value is not None
    }


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()
