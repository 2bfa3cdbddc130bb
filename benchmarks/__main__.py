"""`python -m benchmarks [NAME...]`: run benchmarks and print what they found."""

import argparse
import json
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from functools import partial
from pathlib import Path

from benchmarks.runner import TURNS, Result, available, machine, run, table

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0: all ran; 1: some could not; 2: wrong usage."""
    known = available(Path(__file__).parent)
    asked = _parse(arguments)
    if asked.list:
        for name, told in known.items():
            print(f"{name:<23} {told}")
        return 0
    for name in asked.names:
        if name not in known:
            close = get_close_matches(name, known, n=1, cutoff=0.4)
            meant = f" Did you mean '{close[0]}'?" if close else ""
            print(f"There is no benchmark '{name}'.{meant} `--list` shows them all.", file=sys.stderr)
            return 2
    print(machine(), file=sys.stderr)
    results, failed = _run_all(asked, asked.names or list(known))
    print(json.dumps([result.as_row() for result in results], indent=2) if asked.json else table(results))
    return 1 if failed else 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure ours against a stated baseline, in turns. Close other programs first.",
        epilog="example: python -m benchmarks decode --json",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="which benchmarks; all if none is given")
    parser.add_argument(
        "--json", action="store_true", help="print [{name, baseline, ratio, low, high, unit, ...}]"
    )
    parser.add_argument(
        "--keep",
        type=Path,
        metavar="FILE",
        help="put each result into this JSON file as soon as it is there; those of other benchmarks stay in it",
    )
    parser.add_argument("--list", action="store_true", help="name the benchmarks and run none")
    parser.add_argument("--turns", type=_positive, help=f"turns of each side (default: {TURNS})")
    parser.add_argument("--long", action="store_true", help="also find out what takes many minutes")
    return parser.parse_args(arguments)


def _positive(text: str) -> int:
    """At least one turn."""
    if (turns := int(text)) < 1:
        raise ValueError
    return turns


def _run_all(asked: argparse.Namespace, names: Sequence[str]) -> tuple[list[Result], bool]:
    """Run one after the other; one that cannot run is told and passed over."""
    results, failed = [], False
    for name in names:
        try:
            results.append(run(name, turns=asked.turns, long=asked.long, tell=partial(_tell, name)))
        except Exception as error:  # whatever ails one benchmark, the others run
            _tell(name, f"could not run: {type(error).__name__}: {error}")
            failed = True
        else:
            if asked.keep:
                _keep(asked.keep, results[-1])
    return results, failed


def _keep(file: Path, result: Result) -> None:
    """Put one result among those of the file, in the order of their names."""
    rows = json.loads(file.read_text(encoding="utf-8")) if file.exists() else []
    others = [row for row in rows if row["name"] != result.name]
    rows = sorted([*others, result.as_row()], key=lambda row: row["name"])
    fresh = file.with_name(f".{file.name}")
    fresh.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    fresh.replace(file)


def _tell(name: str, text: str) -> None:
    """Progress and times go to stderr; stdout holds the result alone."""
    print(f"{name}: {text}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
