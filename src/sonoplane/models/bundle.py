"""A bundle: a trained network as one folder whose every file is checked, and nothing is ever unpickled."""

import hashlib
import json
import secrets
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
import tomli_w
from safetensors import SafetensorError

from sonoplane.errors import BundleError, UsageError, WeightsError
from sonoplane.models.bundle_folder import (
    AGAIN,
    CALIBRATION,
    CARD,
    FORMAT,
    INDEX,
    METRICS,
    MODEL_CARD,
    RECIPE,
    WEIGHTS,
    check_place,
    fill,
    json_bytes,
    new_folder,
    parse_index,
    plain,
    put,
    read_index,
    sha256_of,
    verify,
)
from sonoplane.models.card import Card
from sonoplane.models.fit import COUNTER, check_fit, weight_shapes
from sonoplane.models.model_card import write_model_card
from sonoplane.models.spec import NetworkSpec
from sonoplane.records import BundleName

__all__ = ["FORMAT", "Bundle", "add_files", "check_place", "check_together", "save_bundle"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Bundle:
    """A checked bundle; `Bundle.load` is the only way to one.

    An ensemble is a bundle without weights of its own: its members are bundles, and they answer together. Whatever
    takes a bundle takes an ensemble.
    """

    folder: Path = field(repr=False)
    name: str
    version: str
    sha256: str
    """Of `bundle.json`, which holds the hash of every other file, and of every member's `bundle.json`."""
    spec: NetworkSpec
    """The network. Of an ensemble it is the first member's; the others go through time as it does."""
    card: Card
    exports: dict[str, Any]
    """What else the bundle answers with, such as `{"openvino": {"precision": "bf16", ...}}`."""
    hashes: dict[str, str] = field(repr=False)
    """The sha256 of each file, by name."""
    members: tuple["Bundle", ...] = field(default=(), repr=False)
    """Those of an ensemble; none of a bundle with a network of its own."""

    @classmethod
    def load(cls, folder: Path) -> "Bundle":
        """Open a bundle and check all its files; a BundleError names the one that is missing or altered."""
        index = read_index(folder)
        table = parse_index(index)
        verify(folder, table)
        members = tuple(cls.load(folder / name) for name in table.get("members", {}))
        try:
            card = Card.from_toml((folder / CARD).read_text(encoding="utf-8"))
            spec = members[0].spec if members else NetworkSpec.from_dict(table.get("network", {}))
        except UsageError as error:
            raise BundleError(f"The bundle cannot be used: {error.message}", advice=error.advice) from error
        if members:
            check_together(members, card)
        elif len(card.classes) != spec.n_classes:
            raise BundleError(
                f"The card names {len(card.classes)} classes, the network answers {spec.n_classes}.",
                advice=AGAIN,
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
            members=members,
        )

    @property
    def networks(self) -> "tuple[Bundle, ...]":
        """The bundles whose networks answer: the members of an ensemble, else this one."""
        return self.members or (self,)

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
        """The network's weights by name; a BundleError where the bundle is an ensemble, which has none."""
        if self.members:
            raise BundleError(
                f"'{self.name}' is an ensemble of {len(self.members)} networks; it has no weights of its own.",
                advice=f"Name one of its members: {', '.join(member.folder.name for member in self.members)}.",
            )
        try:
            return dict(safetensors.numpy.load(self._checked(WEIGHTS)))
        except SafetensorError as error:
            raise WeightsError(f"{WEIGHTS} is no safetensors file.", advice=AGAIN) from error

    def file(self, name: str) -> Path | None:
        """Where a file of the bundle lies; None where the bundle does not list it."""
        return self.folder / name if name in self.hashes else None

    def _checked(self, name: str) -> bytes:
        data = (self.folder / name).read_bytes()
        if hashlib.sha256(data).hexdigest() != self.hashes[name]:
            raise BundleError(f"{name} was altered since the bundle was opened.", advice=AGAIN)
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
    files: Mapping[str, Path | bytes] | None = None,
    overwrite: bool = False,
) -> Bundle:
    """Write a bundle: all of it or nothing; `files` are more to keep in it, such as plots.

    An existing folder is replaced only where it is a bundle, holds nothing else, and `overwrite` is given.
    """
    check_place(folder, name=name, version=version, overwrite=overwrite)
    kept = {key: np.array(value, order="C") for key, value in weights.items() if not key.endswith(COUNTER)}
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
        RECIPE: tomli_w.dumps(plain(recipe)).encode(),
        CALIBRATION: json_bytes(calibration),
        METRICS: json_bytes(metrics),
        MODEL_CARD: text.encode(),
    }
    _check_names(files or {}, {*contents, INDEX})
    with new_folder(folder, overwrite=overwrite) as fresh:
        fill(fresh, {**contents, **(files or {})}, name=name, version=version, network=spec.to_dict())
    return Bundle.load(folder)


def add_files(
    bundle: Bundle,
    files: Mapping[str, Path | bytes],
    *,
    exports: Mapping[str, Any] | None = None,
    gone: Collection[str] = (),
) -> Bundle:
    """Put more files into a bundle (an exported network, a calibration), the index last.

    Weights and card stay as they are; another network is another bundle. `exports` describes what was added
    and is merged by its keys; those in `gone` are listed no more. Stopped halfway, an added file is not listed
    yet and a replaced one is refused by its hash.
    """
    table = parse_index(read_index(bundle.folder))
    _check_names(files, {WEIGHTS, CARD, INDEX, *table.get("members", {})})
    kept = {key: told for key, told in table["exports"].items() if key not in gone}
    table["exports"] = kept | plain(exports or {})
    tag = secrets.token_hex(4)
    fresh = {name: bundle.folder / f".{name}.{tag}" for name in (*files, INDEX)}
    try:
        for name, source in files.items():
            put(source, fresh[name])
            table["files"][name] = sha256_of(fresh[name])
        put(json_bytes(table), fresh[INDEX])
        for name, path in fresh.items():
            path.replace(bundle.folder / name)
    finally:
        for path in fresh.values():
            path.unlink(missing_ok=True)
    return Bundle.load(bundle.folder)


def check_together(members: Sequence[Bundle], card: Card) -> None:
    """Raise a BundleError where bundles cannot answer together: under one card, going through time alike."""
    for member in members:
        if member.members:
            raise BundleError(
                f"'{member.name}' is an ensemble itself.", advice="Name its members, each by itself."
            )
        if member.card != card:
            raise BundleError(
                f"'{member.name}' has another card: other classes, or another input.",
                advice="Train all members on one task of one archive.",
            )
        if _form(member) != _form(members[0]):
            raise BundleError(
                f"'{member.name}' is a {member.spec.name}, '{members[0].name}' a {members[0].spec.name}: "
                "they do not go through time alike.",
                advice="Put networks of frames, of clips, or causal ones together, not a mixture.",
            )


def _form(bundle: Bundle) -> tuple[bool, bool, bool]:
    return bundle.spec.takes_clips, bundle.spec.dense, bundle.spec.causal


def _check_names(names: Mapping[str, Any], taken: set[str]) -> None:
    for name in names:
        if Path(name).name != name or name.startswith(".") or name in taken:
            raise UsageError(
                f"{name!r} cannot be put into a bundle.",
                advice="Use a plain file name other than those of the index, weights and card.",
            )
