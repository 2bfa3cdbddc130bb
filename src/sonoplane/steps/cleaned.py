"""A recording's frames as a network may see them, cleaned as the recipe says."""

from sonoplane.frames.cleaning import Frames, clean
from sonoplane.frames.layout_toml import layout_from
from sonoplane.models.card import Card
from sonoplane.records import Recording
from sonoplane.steps.recipe import Recipe

__all__ = ["cleaned", "crop_notes"]


def cleaned(recording: Recording, card: Card, recipe: Recipe) -> Frames:
    """Find the ultrasound region in the first frames, then offer all frames blanked outside it.

    Raises:
        RecordingError: no region was found.
    """
    return clean(
        recording,
        card_box=card.fixed_box(height=recording.height, width=recording.width),
        settings=recipe.region,
        layouts=[layout_from(values) for values in recipe.layout],
        layout_settings=recipe.layouts,
    )


def crop_notes(card: Card, *, height: int, width: int) -> tuple[str, ...]:
    """What is to be said where the card's crop is not for frames of this size."""
    if not card.crop or card.fixed_box(height=height, width=width) is not None:
        return ()
    return (
        f"The network's own crop is not for frames of {height} x {width}; "
        "the ultrasound region that was found took its place.",
    )
