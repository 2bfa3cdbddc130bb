"""The docs tell of the background what the study found."""

import json
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_docs_tell_what_the_study_found() -> None:
    told = (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8")
    rows = json.loads((ROOT / "studies" / "background" / "found.json").read_text(encoding="utf-8"))
    assert len(rows) == 4
    for row in rows:
        ranges = " | ".join(f"{low:.1f} to {high:.1f}" for low, high in (row["background"], row["text"]))
        size = " x ".join(map(str, row["size"]))
        assert row["accuracy"] == [1.0, 1.0]
        assert (
            f"| {size} | {row['networks']} | all | {row['warned']} | {row['look_high']} | {ranges} |" in told
        )
