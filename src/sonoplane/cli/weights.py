"""The commands of `weights`."""

from pathlib import Path

from cyclopts import App

from sonoplane.cli.words import Json, Overwrite, fields_of, print_json, print_line

__all__ = ["weights"]


weights = App(name="weights", help="Bring published or foreign networks in.")


@weights.command(name="import")
def import_weights(
    file: Path,
    /,
    *,
    out: Path,
    card: str | None = None,
    classes: str | None = None,
    name: str | None = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> int:
    """Make a bundle of a weights file: `.npz`, `.pth`, `.ckpt` or `.safetensors` of the known layouts.

    Example: `sonoplane weights import SonoNet16.npz --out fetal16`

    Parameters
    ----------
    file
        The weights.
    out
        The bundle: a folder that is made.
    card
        What the network expects: a built-in card's name, or a TOML file. The published weights bring theirs.
    classes
        Names of the network's outputs in order, separated by commas.
    name
        The bundle's name; else that of the folder.
    """
    from sonoplane.steps.weights import card_named, import_bundle

    names = [part.strip() for part in classes.split(",")] if classes else None
    made = import_bundle(
        file,
        out,
        card=card_named(card) if card else None,
        classes=names,
        name=name,
        overwrite=overwrite,
    )
    if as_json:
        print_json({"bundle": made.name, "network": made.spec.name, "classes": made.card.classes})
    else:
        print_line(f"{made.name}: {made.spec.name} with {len(made.card.classes)} classes. Bundle: {out}")
    return 0


@weights.command(name="list")
def list_weights(*, as_json: Json = False) -> int:
    """Show the published weights that can be fetched.

    Example: `sonoplane weights list`
    """
    from sonoplane.models.weights import list_known

    if as_json:
        print_json([{**fields_of(known), "url": known.url} for known in list_known()])
    else:
        for known in list_known():
            print_line(f"{known.name:12} {known.network:14} {known.license:12} {known.url}")
    return 0


@weights.command(name="get")
def get_weights(name: str, /, *, as_json: Json = False) -> int:
    """Fetch published weights, check them, and keep them in the cache.

    Example: `sonoplane weights get SonoNet16`
    """
    from sonoplane.steps.weights import download

    path = download(name)
    if as_json:
        print_json({"name": name, "file": str(path)})
    else:
        print_line(str(path))
    return 0
