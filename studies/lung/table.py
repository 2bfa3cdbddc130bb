"""The study's numbers as Markdown: `python -m studies.lung.table [RESULTS] [--page docs/study-lung.md]`.

RESULTS is `results.json` beside this file unless it is named. With `--page` the tables go into that page, between the
two comments that mark their place; else they are printed.
"""

import argparse
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

__all__ = ["BEGIN", "END", "RESULTS", "put_into", "tables"]

#: Where the numbers of the full study are.
RESULTS = Path(__file__).with_name("results.json")

#: What marks the place of the tables in a page.
BEGIN, END = "<!-- made by python -m studies.lung.table -->", "<!-- end of what is made -->"

_NUMBERS = {
    "auroc": "AUROC",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "accuracy": "accuracy",
}
_QUESTIONS = {
    "motion": "Do networks that see time do better than 2D?",
    "start": "Is it better to begin with the fetal weights?",
    "floors": "Are networks better than the floors?",
}


def tables(results: str) -> str:
    """All tables, from the text of `results.json`."""
    found = json.loads(results)
    return "\n\n".join([_ran_on(found), *(part for task in found["tasks"] for part in _of_task(task, found))])


def put_into(page: str, made: str) -> str:
    """The page with these tables at their place.

    >>> put_into(f"a\\n{BEGIN}\\nold\\n{END}\\nb", "new") == f"a\\n{BEGIN}\\n\\nnew\\n\\n{END}\\nb"
    True
    """
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n\n{made}\n\n{END}{after}"


def _ran_on(found: Mapping[str, Any]) -> str:
    machine = found["machine"]
    networks = [one for task in found["tasks"].values() for one in task["networks"].values()]
    hours = sum(min(one["training_seconds"]) * len(one["training_seconds"]) for one in networks) / 3600
    return (
        f"{found['recordings']} recordings of {found['patients']} patients, {found['frames']:,} frames; "
        f"{found['plan']['folds']} folds; {machine['cores']} cores ({machine['processor']}, "
        f"{machine['instructions']}), {machine['threads']} threads, torch {machine['torch']}. At "
        f"the pace of each network's quickest fold, which other work slowed least, all trainings take "
        f"{hours:.1f} h."
    )


def _of_task(name: str, found: Mapping[str, Any]) -> Iterator[str]:
    task = found["tasks"][name]
    yield f"### {name}: {task['what']}"
    yield _scores(task)
    for question, asked in _QUESTIONS.items():
        mine = [one for one in task["differences"] if one["question"] == question]
        if mine:
            yield f"**{asked}**"
            yield _differences(mine, task)
    yield f"**What the files tell without an image.** {' '.join([task['facts']['words'], *task['facts']['telling']])}"
    yield "\n".join(f"- {one['beside_facts']['words']}" for one in task["networks"].values())


def _scores(task: Mapping[str, Any]) -> str:
    """A row for each network and floor."""
    with_sides = _mirrors(task["classes"]) is not None
    header = ["", *_NUMBERS.values(), "frames: AUROC", "parameters", "s a training, quickest fold"]
    rows = []
    everyone = [
        *task["networks"].values(),
        *task["floors"].values(),
        {"title": "facts of the files", **task["facts"]},
    ]
    for one in everyone:
        numbers = one["recording"]["numbers"]
        row = [one["title"], *(_with_interval(numbers[name]) for name in _NUMBERS)]
        if "frame" in one:
            row += [
                _with_interval(one["frame"]["numbers"]["auroc"]),
                f"{one['parameters']:,}",
                f"{min(one['training_seconds']):.0f}",
            ]
        else:
            row += ["", "", ""]
        rows.append(row + ([_mirrored(one["recording"]["confusion"], task["classes"])] if with_sides else []))
    return _table(header + (["wrong: of them mirrored"] if with_sides else []), rows)


def _differences(mine: list[dict[str, Any]], task: Mapping[str, Any]) -> str:
    """A row for each pair: AUROC first, then balanced accuracy."""
    titles = {name: one["title"] for part in ("networks", "floors") for name, one in task[part].items()}
    shown = ("auroc", "balanced_accuracy")
    header = ["second", "minus first"]
    header += [word for name in shown for word in (_NUMBERS[name], "p", "p corrected")]
    pairs: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for one in mine:
        pairs.setdefault((one["second"], one["first"]), {})[one["number"]] = one
    rows = []
    for (second, first), numbers in pairs.items():
        row = [titles[second], titles[first]]
        for name in shown:
            one = numbers[name]
            row += [_with_interval(one["difference"], signed=True), _p(one["p"]), _p(one["p_corrected"])]
        rows.append(row)
    return _table(header, rows)


def _mirrors(classes: list[str]) -> list[int] | None:
    """For each class that of the other side; None where classes have no sides.

    >>> _mirrors(["L1", "R1"]), _mirrors(["B-lines", "none"])
    ([1, 0], None)
    """
    other = [{"L": "R", "R": "L"}.get(name[0], "") + name[1:] for name in classes]
    return [classes.index(name) for name in other] if set(other) == set(classes) else None


def _mirrored(confusion: list[list[int]], classes: list[str]) -> str:
    """How many answers are wrong, and how many of those name the same place of the other side."""
    mirrors = _mirrors(classes) or []
    wrong = sum(sum(row) for row in confusion) - sum(confusion[i][i] for i in range(len(classes)))
    return f"{wrong}: {sum(confusion[i][j] for i, j in enumerate(mirrors))}"


def _with_interval(number: Mapping[str, Any], *, signed: bool = False) -> str:
    """A number with its interval, as cells have it.

    >>> _with_interval({"value": 0.71, "low": 0.6, "high": 0.8}), _with_interval({"value": None, "low": None})
    ('0.71 (0.60 to 0.80)', '-')
    """
    if number["value"] is None:
        return "-"
    form = "{:+.2f}" if signed else "{:.2f}"
    told = form.format(number["value"])
    if number["low"] is not None:
        told += f" ({form.format(number['low'])} to {form.format(number['high'])})"
    return told.replace("-", "−") if signed else told


def _p(p: float | None) -> str:
    return "-" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def main() -> None:
    """Print the tables, or put them into a page."""
    parser = argparse.ArgumentParser(prog="python -m studies.lung.table", description=__doc__)
    parser.add_argument("results", type=Path, nargs="?", default=RESULTS)
    parser.add_argument("--page", type=Path)
    asked = parser.parse_args()
    made = tables(asked.results.read_text(encoding="utf-8"))
    if asked.page is None:
        print(made)
    else:
        page = asked.page.read_text(encoding="utf-8")
        asked.page.write_text(put_into(page, made), encoding="utf-8")


if __name__ == "__main__":
    main()
