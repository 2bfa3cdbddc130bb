"""Live feeds of frames that are at hand, and what is left of them once they were streamed."""

import csv
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sonoplane.inference.backends import open_backend
from sonoplane.models.bundle import Bundle
from sonoplane.records import Frame
from sonoplane.report.findings_json import validate
from sonoplane.steps.recipe import Recipe, layered
from sonoplane.steps.stream import LiveAnswer, Streamed, stream
from sonoplane.video.live import LiveFacts, LiveKind, LiveSettings, LiveSource

FAST = LiveSettings(pace="fast")
ALL = {"keyframes": {"min_probability": 0.0, "min_run": 1}}


@dataclass
class Feed:
    """A live feed of frames that are at hand."""

    given: list[Frame]
    kind: LiveKind = "network"
    wait_s: float = 0.0
    """Between two frames."""
    fails: Exception | None = None
    """After the last frame."""
    closed: threading.Event = field(default_factory=threading.Event)

    @property
    def facts(self) -> LiveFacts:
        height, width = self.given[0].image.shape[:2] if self.given else (160, 200)
        return LiveFacts(
            kind=self.kind,
            height=height,
            width=width,
            color=False,
            fps=25.0,
            container="test",
            codec="none",
        )

    def frames(self) -> Iterator[Frame]:
        for frame in self.given:
            if self.closed.wait(self.wait_s):
                return
            yield frame
        if self.fails:
            raise self.fails

    def close(self) -> None:
        self.closed.set()


def numbered(images: list[np.ndarray]) -> list[Frame]:
    return [Frame(index=i, time_s=i / 25, image=image) for i, image in enumerate(images)]


def follow(
    source: LiveSource, bundle: Bundle, recipe: Recipe | None = None, **options: Any
) -> tuple[list[LiveAnswer], Streamed]:
    recipe = recipe or layered(ALL)
    answers: list[LiveAnswer] = []
    streamed = stream(
        source,
        bundle=bundle,
        backend=open_backend(bundle, "torch", recipe.run),
        recipe=recipe,
        **{"drop": False, "on_answer": answers.append} | options,
    )
    return answers, streamed


def findings(folder: Path | None) -> dict[str, Any]:
    assert folder
    found: dict[str, Any] = json.loads((folder / "findings.json").read_text())
    validate(found)
    return found


def rows(folder: Path | None) -> list[dict[str, str]]:
    assert folder
    with (folder / "timeline.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
