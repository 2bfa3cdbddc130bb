"""The card of a network that is yet to be trained, from the input settings."""

from collections.abc import Sequence

from sonoplane.models.card import Card
from sonoplane.models.normalization import Normalization
from sonoplane.training.settings import InputSettings

__all__ = ["input_card"]


def input_card(settings: InputSettings, classes: Sequence[str] = ("any",)) -> Card:
    """The card that the input settings describe; its background is the class of that name, where there is one."""
    background = next((name for name in classes if name.casefold() == "background"), None)
    numbers: dict[str, dict[str, float]] = {
        "dataset": {"mean": settings.mean, "std": settings.std},
        "standardize-image": {"scale": settings.scale},
    }
    kind = settings.normalization
    return Card(
        classes=tuple(classes),
        background=background,
        size=(settings.height, settings.width),
        fit=settings.fit,
        normalization=Normalization(kind=kind, **numbers.get(kind, {})),
    )
