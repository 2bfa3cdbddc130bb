"""How commands that predict recordings say what became of them."""

from pathlib import Path
from typing import TYPE_CHECKING

from sonoplane.cli.words import fields_of, print_json, print_line

if TYPE_CHECKING:
    from sonoplane.steps.predict import Predicted

__all__ = ["print_predicted"]


def print_predicted(predicted: "Predicted", out: Path, *, as_json: bool) -> int:
    """Print it, and give the exit status: 1 where some recordings failed, 2 where nothing could be done."""
    if as_json:
        print_json(
            {
                "done": [
                    {
                        "recording": entry.recording,
                        "label": entry.label,
                        "probability": entry.probability,
                        "planes": {"found": entry.found, "missing": entry.missing},
                        "frames": entry.n_frames,
                        "warnings": entry.n_warnings,
                    }
                    for entry in predicted.done
                ],
                "failures": [fields_of(failure) for failure in predicted.failures],
            }
        )
    else:
        for entry in predicted.done:
            print_line(f"{entry.recording}: {entry.label} ({entry.probability:.2f})")
        print_line(
            f"{len(predicted.done)} done, {len(predicted.failures)} failed. Open {out / 'index.html'}."
        )
    if not predicted.done:
        return 2
    return 1 if predicted.failures else 0
