"""Show what the filters of a network look for: the first layer's as they are, others by what they answer most."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sonoplane.errors import UsageError
from sonoplane.inference.activation import maximize_activation
from sonoplane.inference.activation_settings import ActivationSettings
from sonoplane.inference.filters import check_filter, first_filters, layers
from sonoplane.inference.settings import RunSettings
from sonoplane.models.bundle import Bundle
from sonoplane.report.filters import FilterView, filters_html
from sonoplane.report.folder import write_page
from sonoplane.steps.predict import check_out
from sonoplane.steps.progress import progress

__all__ = ["FIRST", "FilterChoice", "chosen_filters", "show_filters"]

#: The word for the filters of the first layer, as they are.
FIRST = "first"
#: Filters of a layer that are shown where none is named.
_SOME = 9
PAGE = "filters.html"


@dataclass(frozen=True, kw_only=True, slots=True)
class FilterChoice:
    """Which filters are shown."""

    first: bool
    """Those of the first layer, as they are."""
    named: tuple[tuple[str, int], ...]
    """Layers and filters for which a picture is made."""


def chosen_filters(words: Sequence[str], bundle: Bundle) -> FilterChoice:
    """What words such as `first`, `LAYER` (some filters of it) and `LAYER:0,5` mean for a network.

    Raises:
        UsageError: there is no such layer or filter; the bundle is an ensemble.
    """
    if bundle.members:
        raise UsageError(
            f"'{bundle.name}' is an ensemble, and its networks have filters of their own.",
            advice=f"Name one of its members: {', '.join(member.folder.name for member in bundle.members)}.",
        )
    there = layers(bundle)
    named = []
    for word in words:
        layer, _, numbers = word.partition(":")
        if word == FIRST:
            continue
        if layer == FIRST:
            raise UsageError("The first layer's filters are shown all at once.", advice=f"Say '{FIRST}'.")
        check_filter(bundle, layer, 0)
        several = numbers.split(",") if numbers else map(str, range(min(_SOME, there[layer])))
        for number in several:
            if not number.isdecimal():
                raise UsageError(
                    f"'{number}' is no number of a filter.",
                    advice=f"Say such as {layer}:0,{there[layer] - 1}.",
                )
            check_filter(bundle, layer, int(number))
            named.append((layer, int(number)))
    return FilterChoice(first=FIRST in words, named=tuple(dict.fromkeys(named)))


def show_filters(
    bundle: Bundle,
    choice: FilterChoice,
    out: Path,
    *,
    run: RunSettings,
    seed: int = 0,
    settings: ActivationSettings | None = None,
) -> Path:
    """Write `out/filters.html`, and return it.

    Raises:
        UsageError: `out` cannot be written to.
        MissingExtra: a picture is to be made, and torch is not installed.
    """
    check_out(out)
    there = layers(bundle)
    answers = next(reversed(there))
    views = []
    with progress("filters", "filters", len(choice.named)) as tell:
        for count, (layer, number) in enumerate(choice.named, start=1):
            pixels = maximize_activation(bundle, layer, number, run=run, seed=seed, settings=settings)
            name = bundle.card.classes[number] if layer == answers else str(number)
            views.append(FilterView(layer=layer, name=name, pixels=pixels))
            tell(count, None)
    page = filters_html(
        bundle.name_record,
        bundle.spec.name,
        first=first_filters(bundle) if choice.first else (),
        views=views,
        layers=tuple(there.items()),
        seed=seed,
    )
    return write_page(out / PAGE, page)
