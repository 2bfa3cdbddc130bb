"""Where the seconds of `sonoplane predict` go: `python -m benchmarks.stages BEGAN ARGUMENTS...` prints them as JSON.

It runs `sonoplane ARGUMENTS...` itself, with a watch on the functions that `predict` calls. BEGAN is when the process
was started, in seconds of `time.time()`.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

__all__ = ["BOXES", "STAGES"]

#: Stage -> the functions of `sonoplane.steps.predict` whose time it is.
STAGES = {
    "network": ("open_backend",),
    "recording": ("find_recordings", "open_recording", "content_digest", "clean"),
    "answers": ("watch",),
    "report": ("fill_folder", "write_index"),
}
#: A part of `answers` that is told by itself: where key frames show their planes.
BOXES = "boxes"


def _main(began: float, arguments: list[str]) -> dict[str, float]:
    """Seconds of each stage, and of all."""
    taken = dict.fromkeys(["python", "imports", *STAGES, BOXES, "other", "all"], 0.0)
    taken["python"] = time.time() - began

    @contextmanager
    def stage(name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        taken[name] += time.perf_counter() - start

    def watched(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*inputs: Any, **named: Any) -> Any:
            with stage(name):
                return function(*inputs, **named)

        return call

    with stage("imports"):
        import av  # noqa: F401  # predict imports it when it opens a video, which would count as that
        import openvino  # noqa: F401  # likewise, when it makes the network ready
        import pydicom  # noqa: F401  # likewise, when it opens a DICOM file

        from sonoplane.cli.main import main
        from sonoplane.steps import locating, predict
    for name, functions in STAGES.items():
        for function in functions:
            setattr(predict, function, watched(name, getattr(predict, function)))
    locating.Locator.box = watched(BOXES, locating.Locator.box)
    sys.argv = ["sonoplane", *arguments]
    try:
        with redirect_stdout(sys.stderr):
            main()
    except SystemExit as ended:
        if ended.code:
            raise
    taken["answers"] -= taken[BOXES]
    taken["all"] = time.time() - began
    taken["other"] = taken["all"] - sum(
        seconds for name, seconds in taken.items() if name not in ("other", "all")
    )
    return taken


if __name__ == "__main__":
    print(json.dumps(_main(float(sys.argv[1]), sys.argv[2:])))
