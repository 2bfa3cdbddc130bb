"""Bring networks in from outside: files of the known layouts, and the published downloads."""

from collections.abc import Sequence
from pathlib import Path

from sonoplane.errors import UsageError
from sonoplane.models.bundle import Bundle, save_bundle
from sonoplane.models.card import Card, builtin_card
from sonoplane.models.model_card import write_model_card
from sonoplane.models.weights import import_weights
from sonoplane.models.weights_download import get
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
    return builtin_card(name_or_path)


def import_bundle(
    path: Path,
    out: Path,
    *,
    card: Card | None = None,
    classes: Sequence[str] | None = None,
    name: str | None = None,
) -> Bundle:
    """Make a bundle of a weights file; see `models/weights.py` for the layouts that are known."""
    imported = import_weights(path, card=card, classes=classes)
    named = name or out.name
    return save_bundle(
        out,
        name=named,
        version="1",
        spec=imported.spec,
        card=imported.card,
        weights=imported.weights,
        recipe={},
        model_card=write_model_card(
            name=named, version="1", spec=imported.spec, card=imported.card, source=path.name
        ),
        overwrite=True,
    )


def download(name: str) -> Path:
    """Fetch published weights into the cache, with a progress bar; see `models/weights_download.py`."""
    with progress(f"get {name}", "kB") as tell:
        return get(name, progress=lambda done, total: tell(done // 1000, total and total // 1000))
