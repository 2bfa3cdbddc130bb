"""Long recordings through SonoNet-16 in 3D, `--mode dense` in bf16: 18,000 frames against 1,800, time for each.

Memory is that of `sonoplane predict` in a process of its own; with `--long` also of 108,000 frames, which is an hour at
30 frames a second. The recording is a simulated one of 160 x 200, again and again; the network sees 96 x 128.
"""

from collections.abc import Callable
from pathlib import Path

import av

from benchmarks.alone import peak_mb
from benchmarks.drawn import drawn_bundle, scenes
from benchmarks.runner import Contest, Facts
from sonoplane.inference.backends import open_backend
from sonoplane.steps.predict import predict
from sonoplane.steps.recipe import layered
from sonoplane.video.opening import open_recording

__all__ = ["prepare"]

FPS, SCENE = 25, 300
RUN = {"mode": "dense", "precision": "bf16"}


def prepare(folder: Path) -> Contest:
    """Ten times as many frames against as many."""
    seen = scenes(folder / "scene.mp4", height=160, width=200, n_frames=SCENE)
    bundle = drawn_bundle(folder, "sononet3d-16", (96, 128), seen, mode="dense")
    recipe = layered(bundle.recipe, {"run": RUN})
    backend = open_backend(bundle, "auto", recipe.run)
    short, long = (_again(seen.file, folder / f"{n}.mp4", n // SCENE) for n in (1_800, 18_000))

    def predicting(file: Path) -> Callable[[], int]:
        return lambda: (
            predict(open_recording(file), bundle=bundle, backend=backend, recipe=recipe)[1].n_frames
        )

    def memory(file: Path) -> float:
        flags = ("--mode", RUN["mode"], "--run.precision", RUN["precision"])
        return peak_mb("predict", file, "--bundle", bundle.folder, "--out", folder / "out", *flags)

    def facts() -> Facts:
        return {"peak_of_1800_frames_mb": memory(short), "peak_of_18000_frames_mb": memory(long)}

    def long_facts() -> Facts:
        return {"peak_of_108000_frames_mb": memory(_again(seen.file, folder / "hour.mp4", 108_000 // SCENE))}

    return Contest(
        baseline="a recording of 1,800 frames",
        piece="frame",
        run_baseline=predicting(short),
        run_ours=predicting(long),
        same_work=False,
        facts=facts,
        long_facts=long_facts,
    )


def _again(scene: Path, file: Path, times: int) -> Path:
    """The same recording so many times over in one file, its packets as they are."""
    with av.open(file, "w") as out, av.open(scene) as first:
        stream = out.add_stream_from_template(first.streams.video[0])
        for turn in range(times):
            with av.open(scene) as again:
                video = again.streams.video[0]
                assert video.time_base is not None
                later = round(turn * SCENE / FPS / video.time_base)
                for packet in again.demux(video):
                    if packet.dts is None:
                        continue
                    packet.pts, packet.dts = (packet.pts or 0) + later, packet.dts + later
                    packet.stream = stream
                    out.mux(packet)
    return file
