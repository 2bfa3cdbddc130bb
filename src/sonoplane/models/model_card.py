"""The page that tells a reader what a bundle is for, what it answers, and where it ends."""

from collections.abc import Iterator, Mapping
from typing import Any

from sonoplane.models.card import Card
from sonoplane.models.spec import NetworkSpec

__all__ = ["write_model_card"]


def write_model_card(
    *,
    name: str,
    version: str,
    spec: NetworkSpec,
    card: Card,
    metrics: Mapping[str, Any] | None = None,
    training_data: str | None = None,
    source: str | None = None,
    n_members: int = 0,
    measured: str | None = None,
) -> str:
    """The bundle's MODEL_CARD.md, for a reader without code.

    `n_members` is how many networks an ensemble has; `measured` says what the metrics are of.

    >>> from sonoplane.models.card import builtin_card
    >>> from sonoplane.models.spec import network_spec
    >>> spec = network_spec("sononet2d-16", n_classes=14)
    >>> page = write_model_card(name="fetal16", version="1", spec=spec, card=builtin_card("fetal"))
    >>> "not a medical device" in page
    True
    """
    height, width = card.size
    lines = [
        f"# {name} {version}",
        "",
        f"{_who(spec, n_members)} which standard plane an ultrasound frame shows. Made with sonoplane.",
        "",
        "## Intended use",
        "",
        "Research: finding candidate frames in ultrasound recordings, for a trained person to look at.",
        "**It is not a medical device** and must not be used for diagnosis or to steer treatment.",
        "",
        "## Classes",
        "",
        *[f"- {label}" + (" (background)" if label == card.background else "") for label in card.classes],
        "",
        f"Planes to look for: {', '.join(card.protocol) or 'none'}.",
        "",
        "## Input",
        "",
        f"{_crop(card)}, resized to {height} x {width} (height x width, {card.fit}), gray as the mean of the "
        f"color channels, normalized by `{card.normalization.kind}`. `card.toml` has the exact numbers.",
        "",
        "## Training data",
        "",
        training_data or "Not recorded in this bundle beyond what `recipe.toml` says.",
        *(["", f"Source of the weights: {source}"] if source else []),
        "",
        "## Metrics",
        "",
        *([measured, ""] if measured else []),
        *(_rows(metrics) if metrics else ["None were measured on this bundle."]),
        "",
        "## Limits",
        "",
        "- It was never shown what its training data lack: other scanners, presets, probes or populations "
        "need a check of their own before use.",
        "- It always answers one of its classes, also for images that show none of them.",
        "- Its probabilities are calibrated only where `calibration.json` names a kind other than `identity`.",
        "",
    ]
    return "\n".join(lines)


def _who(spec: NetworkSpec, n_members: int) -> str:
    if not n_members:
        return f"A `{spec.name}` network that says"
    return (
        f"An ensemble of {n_members} networks (`{spec.name}`), each a bundle in a folder of its own. They say "
        "together, by the mean of their probabilities,"
    )


def _crop(card: Card) -> str:
    if card.crop is None:
        return "The ultrasound region of each recording"
    rows, columns = card.crop.rows, card.crop.columns
    text = f"Rows {rows[0]} to {rows[1]} and columns {columns[0]} to {columns[1]} (stops exclusive)"
    if card.crop.frame:
        text += f" of frames of {card.crop.frame[0]} x {card.crop.frame[1]}, else the ultrasound region"
    return text


def _rows(metrics: Mapping[str, Any]) -> list[str]:
    """The single figures as a table; metrics.json has the rest."""
    single = {k: v for k, v in _flat(metrics) if isinstance(v, int | float | str) or v is None}
    rows = [f"| {key} | {_figure(value)} |" for key, value in single.items()]
    return ["| figure | value |", "|---|---|", *rows, "", "`metrics.json` has all figures."]


def _flat(metrics: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested figures by their path; one with a text of its own (`0.93 (95 % CI ...)`) is told by it alone."""
    for key, value in metrics.items():
        if isinstance(value, Mapping) and "text" in value:
            yield f"{prefix}{key}", value["text"]
        elif isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key} ")
        else:
            yield f"{prefix}{key}", value


def _figure(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
