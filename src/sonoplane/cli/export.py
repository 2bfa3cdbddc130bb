"""The command `export`."""

from pathlib import Path
from typing import Literal

from sonoplane.cli.words import Json, print_json, print_line

__all__ = ["export"]


def export(bundle: Path, /, *, to: Literal["onnx", "openvino"] = "openvino", as_json: Json = False) -> int:
    """Add a form of the network to its bundle that runs without PyTorch, and prove that it answers the same."""
    from sonoplane.inference.export import export as run
    from sonoplane.models.bundle import Bundle

    exported, difference = run(Bundle.load(bundle), to)
    if as_json:
        print_json({"bundle": bundle.name, "to": to, "largest_difference": difference})
    else:
        print_line(
            f"{exported.name}: {to}, logits within {difference:.1e} of PyTorch's (share of the largest)."
        )
    return 0
