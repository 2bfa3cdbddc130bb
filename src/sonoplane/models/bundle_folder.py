"""The folder of a bundle: an index with the hash of every file, checked when it is read, and replaced as a whole."""

import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sonoplane import __version__
from sonoplane.errors import BundleError, SonoplaneError, UsageError

__all__ = [
    "AGAIN",
    "CALIBRATION",
    "CARD",
    "FORMAT",
    "INDEX",
    "METRICS",
    "MODEL_CARD",
    "RECIPE",
    "WEIGHTS",
    "check_place",
    "fill",
    "json_bytes",
    "new_folder",
    "parse_index",
    "plain",
    "put",
    "read_index",
    "sha256_of",
    "verify",
]

#: Of the folder; a bundle of another format is refused, never guessed at.
FORMAT = 1

INDEX = "bundle.json"
WEIGHTS, CARD, RECIPE = "weights.safetensors", "card.toml", "recipe.toml"
CALIBRATION, METRICS, MODEL_CARD = "calibration.json", "metrics.json", "MODEL_CARD.md"
#: What every bundle has; one with a network of its own has weights, too.
_NEEDED = (CARD, RECIPE, CALIBRATION, METRICS, MODEL_CARD)
AGAIN = "Copy the bundle again from where it was made, or import or train it anew."


def check_place(folder: Path, *, name: str, version: str = "1", overwrite: bool = False) -> None:
    """Raise a UsageError where a bundle could not be saved there under that name; good to know before training.

    An existing folder may be replaced only where it is a bundle, holds nothing else, and `overwrite` is given.
    """
    if not re.fullmatch(r"[\w.+ -]{1,100}", name) or not re.fullmatch(r"[\w.+-]{1,40}", version):
        raise UsageError(
            f"{name!r}, {version!r} cannot name a bundle and its version.",
            advice="Use letters, digits, dots and dashes.",
        )
    _may_replace(folder, overwrite=overwrite)


def read_index(folder: Path) -> bytes:
    """The bytes of bundle.json."""
    try:
        return (folder / INDEX).read_bytes()
    except OSError as error:
        raise BundleError(
            f"{folder.name!r} is no bundle: it holds no readable {INDEX}.",
            advice="Give the folder that `sonoplane train` or `sonoplane weights import` wrote.",
        ) from error


def parse_index(index: bytes) -> dict[str, Any]:
    """bundle.json, its own shape checked: it describes a `network`, or lists `members` with their hashes."""
    try:
        table: dict[str, Any] = json.loads(index)
        found = table["format"]
        if found == FORMAT:
            what = "members" if "members" in table else "network"
            kinds = {"name": str, "version": str, what: dict, "exports": dict, "files": dict}
            if not all(isinstance(table[key], kind) for key, kind in kinds.items()):
                raise TypeError
    except (ValueError, KeyError, TypeError) as error:
        raise BundleError(f"{INDEX} cannot be understood.", advice=AGAIN) from error
    if found != FORMAT:
        raise BundleError(
            f"The bundle has format {found!r}; this version of sonoplane reads {FORMAT}.",
            advice="Use the version of sonoplane that wrote it, or update.",
        )
    return table


def verify(folder: Path, table: Mapping[str, Any]) -> None:
    """Raise a BundleError at the first file, or member's index, that is missing, altered or outside the folder."""
    files, members = table["files"], table.get("members", {})
    needed = _NEEDED if "members" in table else (WEIGHTS, *_NEEDED)
    for name in dict.fromkeys([*needed, *files, *members]):
        if name not in {**files, **members} or Path(name).name != name:
            raise BundleError(f"{INDEX} does not list its files properly ({name}).", advice=AGAIN)
    for name in files:
        _verify(folder, name, folder / name, files[name], AGAIN)
    for name in members:
        advice = (
            "Members are changed through their ensemble alone, as by `sonoplane export ENSEMBLE`. " + AGAIN
        )
        _verify(folder, name, folder / name / INDEX, members[name], advice)


def fill(
    folder: Path,
    contents: Mapping[str, bytes | Path],
    *,
    name: str,
    version: str,
    network: Mapping[str, Any] | None = None,
    members: Mapping[str, str] | None = None,
) -> None:
    """Write the files of a bundle, then its index with their hashes: of a network, or of an ensemble of members."""
    hashes = {}
    for file_name, source in contents.items():
        put(source, folder / file_name)
        hashes[file_name] = sha256_of(folder / file_name)
    table = {
        "format": FORMAT,
        "name": name,
        "version": version,
        "sonoplane": __version__,
        **({"members": members} if members else {"network": network}),
        "exports": {},
        "files": hashes,
    }
    (folder / INDEX).write_bytes(json_bytes(table))


def put(source: bytes | Path, place: Path) -> None:
    """Write bytes, or copy a file, to a place."""
    if isinstance(source, bytes):
        place.write_bytes(source)
    else:
        shutil.copyfile(source, place)


@contextmanager
def new_folder(folder: Path, *, overwrite: bool) -> Iterator[Path]:
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


def sha256_of(path: Path) -> str:
    """Of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def plain(table: Mapping[str, Any]) -> dict[str, Any]:
    """Values that TOML knows: keys that hold None are left out, as TOML has no null."""
    return {
        key: plain(value) if isinstance(value, Mapping) else value
        for key, value in table.items()
        if value is not None
    }


def json_bytes(value: Any) -> bytes:
    """Readable JSON, the same bytes for the same value."""
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


def _verify(folder: Path, name: str, path: Path, sha256: Any, advice: str) -> None:
    try:
        found = sha256_of(path)
    except OSError as error:
        raise BundleError(f"{name} is missing from the bundle {folder.name!r}.", advice=AGAIN) from error
    if found != sha256:
        raise BundleError(f"{name} in the bundle {folder.name!r} was altered.", advice=advice)


def _may_replace(folder: Path, *, overwrite: bool) -> None:
    """Refuse to write over anything that is not a bundle, or that was not asked to go."""
    if not os.path.lexists(folder):
        return
    if not folder.is_dir() or folder.is_symlink():
        raise UsageError(f"{folder.name!r} is there already.", advice="Choose another name for the bundle.")
    if not any(folder.iterdir()):
        return
    if stranger := next(_strangers(folder), None):
        raise UsageError(
            f"{folder.name!r} holds other files than a bundle's, such as {stranger!r}.",
            advice="Choose another folder for the bundle.",
        )
    if not overwrite:
        raise UsageError(
            f"{folder.name!r} holds a bundle already.",
            advice="Choose another folder, or say --overwrite.",
        )


def _strangers(folder: Path) -> Iterator[str]:
    """What lies there and is not the bundle's, members and all."""
    own, members = set(), {}
    with suppress(SonoplaneError):
        table = parse_index(read_index(folder))
        own, members = {INDEX, *table["files"]}, table.get("members", {})
    for entry in sorted(folder.iterdir()):
        if entry.name in members and entry.is_dir() and not entry.is_symlink():
            yield from (f"{entry.name}/{name}" for name in _strangers(entry))
        elif entry.name not in own:
            yield entry.name
