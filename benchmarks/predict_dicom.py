"""A DICOM cine of 30 frames, from the command line to its report: models that were kept ready, against compiling them.

The network is SonoNet-16 in 3D at 224 x 288, in dense mode and float32, from an exported bundle; its weights are drawn.
Both sides are `sonoplane predict` in a new process; the baseline finds no compiled model in its cache. The facts say
where the seconds go (`benchmarks/stages.py`), and how long `sonoplane --help` takes. Any frame may become a key frame,
however unsure, so that there are some, with boxes.
"""

import json
import os
import subprocess
import sys
import time
from itertools import count
from pathlib import Path

import numpy as np

from benchmarks.drawn import plain_bundle
from benchmarks.runner import Contest, Facts
from benchmarks.stages import BOXES, STAGES
from sonoplane.inference.export import export
from sonoplane.video.phantom import PhantomSettings, simulate
from sonoplane.video.phantom_files import write_dicom

__all__ = ["prepare"]

N_FRAMES = 30
ROOT = Path(__file__).parents[1]


def prepare(folder: Path) -> Contest:
    """One recording, predicted in a process of its own, with a cache of its own or with one that is kept."""
    cine, bundle = (
        _cine(folder / "cine.dcm"),
        export(plain_bundle(folder / "bundle", "sononet3d-16"), "openvino")[0],
    )
    numbers = count()
    told: dict[str, list[dict[str, float]]] = {"first": [], "kept": []}

    def predict(which: str) -> list[float]:
        number = next(numbers)
        cache = folder / ("cache" if which == "kept" else f"cache-{number}")
        words = ["predict", cine, "--bundle", bundle.folder, "--mode", "dense", "--run.precision", "float32"]
        words += ["--keyframes.min-probability", "0", "--keyframes.min-run", "1"]
        seconds = _stages(cache, *words, "--out", folder / f"out-{number}")
        told[which].append(seconds)
        return [seconds["all"]]

    def facts() -> Facts:
        found: dict[str, float | str] = {"help_s": float(np.median([_help() for _ in range(5)]))}
        for which, runs in told.items():
            for stage in (
                ("all", "network")
                if which == "first"
                else ("all", "python", "imports", *STAGES, BOXES, "other")
            ):
                found[f"{which}_{stage}_s"] = float(np.median([run[stage] for run in runs[1:]]))
        return found

    return Contest(
        baseline="the same with no compiled model in the cache",
        piece="recording",
        run_baseline=lambda: predict("first"),
        run_ours=lambda: predict("kept"),
        facts=facts,
    )


def _stages(cache: Path, *words: str | Path) -> dict[str, float]:
    """Seconds of each stage of `sonoplane WORDS...`."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.stages", str(time.time()), *map(str, words)],
        cwd=ROOT,
        env={**os.environ, "SONOPLANE_CACHE": str(cache)},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"sonoplane predict ended with {done.returncode}: {done.stderr.strip()[-400:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _help() -> float:
    """Seconds of `sonoplane --help`."""
    began = time.perf_counter()
    command = [sys.executable, "-c", "from sonoplane.cli.main import main; main()", "--help"]
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began


def _cine(path: Path) -> Path:
    """The same file every time."""
    settings = PhantomSettings(height=480, width=640, frames=N_FRAMES, fps=30)
    return write_dicom(
        next(simulate("liver-sweep", patients=1, exams=(1, 1), seed=1, settings=settings)), path
    )
