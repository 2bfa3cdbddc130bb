"""The command `demo`."""

from pathlib import Path

from sonoplane.cli.words import Json, print_json, print_line

__all__ = ["demo"]


def demo(*, out: Path = Path("demo-output"), patients: int = 24, seed: int = 0, as_json: Json = False) -> int:
    """Simulate sweeps, train a small network on two thirds of the patients, and find the planes of the others.

    Parameters
    ----------
    out
        Where recordings, archive, bundle and findings go.
    patients
        How many patients to simulate.
    seed
        Another seed simulates other patients.
    """
    from sonoplane.steps.demo import demo as run

    result = run(out, patients=patients, seed=seed)
    if as_json:
        print_json(result.to_json())
    else:
        print_line(result.text())
    return 0
