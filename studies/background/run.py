"""How surely does `evaluate` tell what a network reads? `python -m studies.background [--seeds 6]`.

Small SonoNets learn to tell a cyst from a stone in simulated screens where either the tissue (a dark or a bright spot)
or a word beside it tells the class, and the other is drawn by lot; with each of several seeds for their first weights.
All are looked at as `sonoplane evaluate` does, on patients that they have not seen. The table goes to `found.json`
beside this file, and is printed.
"""

import argparse
import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import get_args

from sonoplane.models.bundle import Bundle
from sonoplane.steps.answering import answer, networks_of
from sonoplane.steps.asked import ask
from sonoplane.steps.background import Backgrounds, look_at_background
from sonoplane.steps.recipe import layered
from studies.background.archives import Telling, trained, write_archive

#: Height and width of the networks' input.
SIZES = ((64, 80), (48, 60))


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """What was told of some networks that learned from the same."""

    tells: Telling
    size: tuple[int, int]
    networks: int
    accuracy: tuple[float, float]
    """Of frames: the least and the most."""
    warned: int
    """By answers with other backgrounds."""
    look_high: int
    background: tuple[float, float]
    """Look at it, times expected: the least and the most."""
    text: tuple[float, float]
    """Likewise at text."""


def row(folder: Path, tells: Telling, size: tuple[int, int], n_seeds: int) -> Row:
    """Train and look."""
    archive = write_archive(folder / "archive", tells)
    found = [
        looked(folder / "archive", trained(archive, folder / f"{seed}", steps=60, seed=seed, size=size))
        for seed in range(n_seeds)
    ]
    rights = [right for right, _ in found]
    looks = [one.looked for _, one in found if one.looked]
    backgrounds = [look.all.times for look in looks]
    texts = [look.all.text_times or 0.0 for look in looks]
    return Row(
        tells=tells,
        size=size,
        networks=n_seeds,
        accuracy=(min(rights), max(rights)),
        warned=sum(bool(one.control and one.control.reads) for _, one in found),
        look_high=sum(look.high for look in looks),
        background=(min(backgrounds), max(backgrounds)),
        text=(min(texts), max(texts)),
    )


def looked(archive: Path, bundle: Bundle) -> tuple[float, Backgrounds]:
    """The share of frames that are named rightly, and what is told of the background."""
    asked = ask(archive, [bundle], part="test", task=None, background_is_a_view=True)
    answered = answer(networks_of([bundle], [layered({})], "auto", by_fold=False)[0], asked)
    frames = answered.frames()
    found = look_at_background(answered, "all")
    assert found
    return float((frames.said == frames.targets).mean()), found


def table(rows: list[Row]) -> str:
    """As Markdown."""
    lines = [
        "| told by | input | networks | frames named rightly | warned of | look is high | background, times expected |"
        " text, times expected |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in rows:
        height, width = one.size
        ranges = [f"{low:.1f} to {high:.1f}" for low, high in (one.background, one.text)]
        lines.append(
            f"| {one.tells} | {height} x {width} | {one.networks} | {one.accuracy[0]:.2f} to {one.accuracy[1]:.2f} |"
            f" {one.warned} | {one.look_high} | {' | '.join(ranges)} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Train and look at all of them, keep the table and print it."""
    parser = argparse.ArgumentParser(prog="python -m studies.background", description=__doc__)
    parser.add_argument("--seeds", type=int, default=6)
    n_seeds = parser.parse_args().seeds
    rows = []
    for tells in get_args(Telling):
        for size in SIZES:
            with tempfile.TemporaryDirectory() as folder:
                rows.append(row(Path(folder), tells, size, n_seeds))
    kept = json.dumps([asdict(one) for one in rows], indent=1) + "\n"
    Path(__file__).with_name("found.json").write_text(kept, encoding="utf-8")
    print(table(rows))
