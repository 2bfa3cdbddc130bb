"""The table of near-duplicates in which a person says which pairs merely look alike."""

import csv
import io
from collections.abc import Iterable
from typing import get_args

from sonoplane.clips.duplicates import Pair, Verdict, Verdicts
from sonoplane.clips.label_checks import Fault, meant, refuse
from sonoplane.errors import LabelError

__all__ = ["read_verdicts", "review_table"]

_COLUMNS = ("recording", "other", "similarity", "verdict")


def review_table(pairs: Iterable[Pair], verdicts: Verdicts | None = None) -> str:
    """The pairs as CSV, the likest first, with the verdicts so far; those of pairs not found now stay at the end.

    >>> pairs = [Pair(recording="a", other="b", similarity=0.875)]
    >>> print(review_table(pairs, {("a", "b"): "different"}), end="")
    recording,other,similarity,verdict
    a,b,0.875,different
    """
    verdicts = verdicts or {}
    likest = sorted(pairs, key=lambda pair: (-pair.similarity, pair.names))
    shown = {pair.names for pair in likest}
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(_COLUMNS)
    table.writerows((*p.names, f"{p.similarity:.3f}", verdicts.get(p.names, "")) for p in likest)
    table.writerows((*names, "", verdicts[names]) for names in sorted(verdicts.keys() - shown))
    return text.getvalue()


def read_verdicts(text: str, *, name: str = "near-duplicates.csv") -> dict[tuple[str, str], Verdict]:
    """The verdicts in a reviewed table; pairs without one are left out.

    Case and blanks are forgiven, and semicolons or tabs between the cells. LabelError that lists every wrong row, row 1
    being the header.

    >>> read_verdicts("recording;other;similarity;verdict\\nb;a;0,875; Different\\nc;a;0,5;\\n")
    {('a', 'b'): 'different'}
    """
    header, *rows = _cells(text, name)
    columns = [cell.strip().casefold() for cell in header]
    if missing := [column for column in ("recording", "other", "verdict") if column not in columns]:
        raise LabelError(
            f"The header of {name} lacks {', '.join(missing)}.",
            advice=f"Give it the columns {', '.join(_COLUMNS)}.",
        )
    verdicts: dict[tuple[str, str], Verdict] = {}
    faults: list[Fault] = []
    for row, cells in enumerate(rows, start=2):
        of = dict(zip(columns, (cell.strip() for cell in cells), strict=False))
        one, other = sorted((of.get("recording", ""), of.get("other", "")))
        if not (word := of.get("verdict", "")):
            continue
        verdict = next((known for known in get_args(Verdict) if known == word.casefold()), None)
        if verdict is None:
            faults.append(
                (row, f"an unknown verdict{meant(word, get_args(Verdict))}; write 'different' or 'same'")
            )
        elif not one or one == other:
            faults.append((row, "a verdict without two recordings; name both"))
        elif verdicts.setdefault((one, other), verdict) != verdict:
            faults.append((row, "another verdict than in an earlier row of this pair; give one"))
    refuse(faults, of=name)
    return verdicts


def _cells(text: str, name: str) -> list[list[str]]:
    text = text.removeprefix("\ufeff")
    first = text.partition("\n")[0]
    separator = max(",;\t", key=first.count)  # the first of equals: a comma
    try:
        return list(csv.reader(io.StringIO(text), delimiter=separator)) or [[]]
    except csv.Error as error:
        raise LabelError(
            f"{name} cannot be read as a table: {error}.", advice="A quote may be open: save it as CSV again."
        ) from error
