"""The command `models`."""

from sonoplane.cli.words import Json, print_json, print_line

__all__ = ["models"]


def models(name: str | None = None, /, *, classes: int = 7, as_json: Json = False) -> int:
    """Show the networks that can be trained, or the layers of one.

    Parameters
    ----------
    name
        A network: show its layers.
    classes
        How many classes the networks are to have.
    """
    from sonoplane.models.cost import layer_table, list_models
    from sonoplane.models.registry import network_spec

    if name is None:
        rows = list_models(classes)
        if as_json:
            print_json(rows)
            return 0
        print_line(f"{'name':<28} {'parameters':>11} {'GFLOP/frame':>12} {'frames seen':>12}  streams")
        for row in rows:
            print_line(
                f"{row['name']:<28} {row['parameters']:>11,} {row['gflop_per_frame']:>12.2f}"
                f" {row['receptive_field']:>12}  {'yes' if row['streams'] else 'no'}"
            )
        return 0
    layers = layer_table(network_spec(name, n_classes=classes))
    if as_json:
        print_json([layer._asdict() for layer in layers])
        return 0
    print_line(f"{'layer':<34} {'what':<18} {'output':<20} {'parameters':>11} {'GFLOP/frame':>12}")
    for layer in layers:
        output = " x ".join(map(str, layer.output))
        print_line(
            f"{layer.name:<34} {layer.layer:<18} {output:<20} {layer.parameters:>11,} {layer.gflop_per_frame:>12.3f}"
        )
    print_line(f"{'all':<34} {'':<18} {'':<20} {sum(layer.parameters for layer in layers):>11,}")
    return 0
