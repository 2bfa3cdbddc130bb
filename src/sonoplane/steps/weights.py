"""Bring networks in from outside: files of the known layouts, and the published downloads."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sonoplane.errors import BundleError, UsageError
from sonoplane.models.bundle import Bundle, save_bundle
from sonoplane.models.card import Card, builtin_card
from sonoplane.models.model_card import write_model_card
from sonoplane.models.spec import NetworkSpec
from sonoplane.models.weights import ImportedWeights, import_weights, list_known
from sonoplane.models.weights_download import get, git_blob_id
from sonoplane.steps.progress import progress

__all__ = ["card_named", "download", "import_bundle"]


def card_named(name_or_path: str) -> Card:
    """A built-in card by its name, or a card from a TOML file.

    Raises:
        UsageError: it is neither.
    """
    path = Path(name_or_path)
    if path.suffix == ".toml":
        try:
            return Card.from_toml(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise UsageError(
                f"The card '{path.name}' cannot be read: {error.strerror}.", advice="Check its path."
            ) from error
        except UnicodeDecodeError as error:
            raise UsageError(
                f"The card '{path.name}' is not UTF-8 text.", advice="Save it as UTF-8."
            ) from error
    return builtin_card(name_or_path)


def import_bundle(
    path: Path,
    out: Path,
    *,
    card: Card | None = None,
    classes: Sequence[str] | None = None,
    name: str | None = None,
    overwrite: bool = False,
) -> Bundle:
    """Make a bundle of a weights file; see `models/weights.py` for the layouts that are known.

    Where `out` holds a bundle of the very same weights, card and name, it stays, exports and all.
    """
    imported = import_weights(path, card=card, classes=classes)
    named = name or out.resolve().name
    if not overwrite and _is_same(out, named, imported):
        return Bundle.load(out)
    return save_bundle(
        out,
        name=named,
        version="1",
        spec=imported.spec,
        card=imported.card,
        weights=imported.weights,
        recipe=_recipe_of(imported.spec),
        model_card=write_model_card(
            name=named, version="1", spec=imported.spec, card=imported.card, source=_source(path)
        ),
        overwrite=overwrite,
    )


def _recipe_of(spec: NetworkSpec) -> dict[str, Any]:
    """How a foreign network is run.

    It saw all that was inside its card's crop: to blank text there would change its answers. The Kinetics networks saw
    clips of 16 frames.
    """
    run = {"run": {"clip_length": 16}} if spec.kind.startswith("resnext") else {}
    return {"region": {"writing": False}, **run}


def _is_same(out: Path, name: str, imported: ImportedWeights) -> bool:
    try:
        there = Bundle.load(out)
    except BundleError:
        return False
    weights = there.weights()
    return (there.name, there.spec, there.card) == (name, imported.spec, imported.card) and all(
        np.array_equal(weights[key], value) for key, value in imported.weights.items() if key in weights
    )


def _source(path: Path) -> str:
    """Whose weights they are, where the file is one of the published; else its name."""
    blob_id = git_blob_id(path.read_bytes())
    for known in list_known():
        if known.blob_id == blob_id:
            return f"{known.file_name} ({known.license}). {known.citation}"
    return path.name


def download(name: str) -> Path:
    """Fetch published weights into the cache, with a progress bar; see `models/weights_download.py`."""
    with progress(f"get {name}", "kB") as tell:
        return get(name, progress=lambda done, total: tell(done // 1000, total and total // 1000))
