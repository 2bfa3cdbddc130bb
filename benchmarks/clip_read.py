"""A clip of 16 frames of 224 x 288: reading it from an archive against the 2D network that looks at it.

The network is SonoNet-16 as this package exports it, on OpenVINO in float32, 16 frames at once; its weights are
drawn, which changes no time. The frames are the phantom's: speckle in a sector, so that they compress as ultrasound
does. Clips are read at places drawn anew for every turn, through zstd, from a file system that has them cached.
"""

from pathlib import Path

import numpy as np

from benchmarks.runner import Contest
from sonoplane.frames.archive import Archive, open_archive
from sonoplane.frames.archive_writer import create_archive
from sonoplane.frames.entries import EntryFacts
from sonoplane.inference.backends import BatchBackend, open_backend
from sonoplane.inference.export import export
from sonoplane.models.bundle import save_bundle
from sonoplane.models.card import Card
from sonoplane.models.registry import build, network_spec, weights_of
from sonoplane.video.phantom import PhantomSettings, simulate

__all__ = ["prepare"]

HEIGHT, WIDTH = 224, 288
N_FRAMES = 16
N_CLIPS = 4


def prepare(folder: Path) -> Contest:
    """Four clips: looked at by the network, read by ours."""
    archive = _archive(folder / "archive")
    network = _network(folder / "bundle")
    draw = np.random.default_rng(0)
    inputs = _clip(archive, draw)[:, None].astype(np.float32) / 255

    def look() -> int:
        return sum(len(network(inputs)) for _ in range(N_CLIPS)) // N_FRAMES

    def read() -> int:
        return sum(len(_clip(archive, draw)) for _ in range(N_CLIPS)) // N_FRAMES

    return Contest(
        baseline="SonoNet-16 in 2D on the same frames (OpenVINO, float32)",
        piece=f"clip of {N_FRAMES} frames",
        run_baseline=look,
        run_ours=read,
    )


def _clip(archive: Archive, draw: np.random.Generator) -> np.ndarray:
    entry = archive.entries[draw.integers(len(archive))]
    start = int(draw.integers(entry.n_frames - N_FRAMES + 1))
    return archive.read(entry.id, start, start + N_FRAMES)


def _archive(folder: Path) -> Archive:
    """Four recordings of 120 frames, the same every time."""
    settings = PhantomSettings(height=HEIGHT, width=WIDTH)
    with create_archive(folder, geometry="source", settings={}) as writer:
        for exam in simulate("liver-sweep", patients=4, exams=(1, 1), seed=1, settings=settings):
            writer.add(EntryFacts(id=exam.id), exam.recording.frames())
    return open_archive(folder)


def _network(folder: Path) -> BatchBackend:
    spec = network_spec("sononet2d-16", n_classes=7)
    card = Card(classes=tuple("abcdefg"), size=(HEIGHT, WIDTH))
    weights = weights_of(build(spec, seed=0))
    bundle = save_bundle(folder, name="drawn", version="1", spec=spec, card=card, weights=weights, recipe={})
    network = open_backend(export(bundle, "openvino")[0], "openvino")
    assert isinstance(network, BatchBackend)
    return network
