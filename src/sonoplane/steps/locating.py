"""Key frames get a box around what the network saw."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from sonoplane.inference.keyframes import Locate
from sonoplane.inference.localize import Localizer, box_of, can_localize, near
from sonoplane.models.bundle import Bundle
from sonoplane.records import Box
from sonoplane.steps.recipe import Recipe

__all__ = ["Locator", "locator_of"]


class Locator:
    """Says where a frame shows a plane, in pixels of the recording's own frames.

    Nothing is compiled before the first frame is asked about; one serves any number of recordings.
    """

    def __init__(self, bundle: Bundle, recipe: Recipe) -> None:
        self._card = bundle.card
        self._blur = recipe.localization.blur
        self._localizer = Localizer(bundle, recipe.run, recipe.localization.precision)
        self.sight = self._localizer.sight

    def within(self, box: Box) -> Locate:
        """For frames that are prepared from this ultrasound region."""
        return partial(self.box, box)

    def box(self, within: Box, prepared: Sequence[np.ndarray], plane: str) -> Box | None:
        """Of the frame that the prepared frames are looked at for; `within` is the region that they come from."""
        maps = self._localizer(self._card.values(prepared), self._card.classes.index(plane))
        box = box_of(near(maps, self.sight.place), self._blur)
        return None if box is None else self._card.placed(box, within)


def locator_of(bundle: Bundle, recipe: Recipe) -> Locator | None:
    """A bundle's locator; None where the settings want no boxes, or its network cannot tell them."""
    wanted = recipe.localization.keyframes and can_localize(bundle)
    return Locator(bundle, recipe) if wanted else None
