"""An ensemble: bundles under one card that answer together, as one folder that is a bundle itself."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import tomli_w

from sonoplane.errors import UsageError
from sonoplane.models.bundle import Bundle, check_together
from sonoplane.models.bundle_folder import (
    CALIBRATION,
    CARD,
    INDEX,
    METRICS,
    MODEL_CARD,
    RECIPE,
    check_place,
    fill,
    json_bytes,
    new_folder,
    parse_index,
    plain,
    read_index,
    sha256_of,
)
from sonoplane.models.model_card import write_model_card

__all__ = ["change_members", "save_ensemble"]


def save_ensemble(
    folder: Path,
    *,
    name: str,
    version: str,
    members: Mapping[str, Bundle],
    recipe: Mapping[str, Any],
    metrics: Mapping[str, Any] | None = None,
    measured: str | None = None,
    files: Mapping[str, Path | bytes] | None = None,
    overwrite: bool = False,
) -> Bundle:
    """Copy bundles into a new one whose members they are, each in a folder of the name it is given: all or nothing.

    `measured` says on the model card what the metrics are of; `files` are more to keep in the folder.

    Raises:
        BundleError: the members have different cards, or go through time differently.
        UsageError: there are none, their names cannot be used, or `folder` is not free.
    """
    check_place(folder, name=name, version=version, overwrite=overwrite)
    bundles = tuple(members.values())
    if not bundles:
        raise UsageError("An ensemble of no members cannot answer.", advice="Give it some bundles.")
    card = bundles[0].card
    check_together(bundles, card)
    text = write_model_card(
        name=name,
        version=version,
        spec=bundles[0].spec,
        card=card,
        metrics=metrics,
        n_members=len(bundles),
        measured=measured,
    )
    contents = {
        CARD: card.to_toml().encode(),
        RECIPE: tomli_w.dumps(plain(recipe)).encode(),
        CALIBRATION: json_bytes(None),
        METRICS: json_bytes(metrics),
        MODEL_CARD: text.encode(),
    }
    _check_names({*members}, {*contents, INDEX, *(files or {})})
    with new_folder(folder, overwrite=overwrite) as fresh:
        for key, bundle in members.items():
            _copy(bundle, fresh / key)
        hashes = {key: sha256_of(fresh / key / INDEX) for key in members}
        fill(fresh, {**contents, **(files or {})}, name=name, version=version, members=hashes)
    return Bundle.load(folder)


def change_members(ensemble: Bundle, change: Callable[[Bundle], object]) -> Bundle:
    """Let `change` put files into a copy of every member (see `add_files`), and keep all of it or nothing."""
    with new_folder(ensemble.folder, overwrite=True) as fresh:
        shutil.copytree(ensemble.folder, fresh, dirs_exist_ok=True)
        table = parse_index(read_index(fresh))
        for key in table["members"]:
            change(Bundle.load(fresh / key))
            table["members"][key] = sha256_of(fresh / key / INDEX)
        (fresh / INDEX).write_bytes(json_bytes(table))
    return Bundle.load(ensemble.folder)


def _copy(bundle: Bundle, folder: Path) -> None:
    """The bundle's own files, and no other."""
    folder.mkdir()
    for name in (*bundle.hashes, INDEX):
        shutil.copyfile(bundle.folder / name, folder / name)


def _check_names(names: set[str], taken: set[str]) -> None:
    for name in sorted(names):
        if Path(name).name != name or name.startswith(".") or name in taken:
            raise UsageError(
                f"{name!r} cannot name a member.", advice="Use plain names that no file has, such as fold-1."
            )
