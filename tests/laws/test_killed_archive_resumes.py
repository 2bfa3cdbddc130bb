"""A writer that is killed and run again leaves the bytes of one that never was; so do two that write at once."""

import hashlib
import multiprocessing
import os
import signal
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from sonoplane.frames.archive import open_archive
from sonoplane.frames.archive_place import Place, place_of
from sonoplane.frames.archive_url import Url
from sonoplane.frames.archive_writer import ArchiveWriter, Arrays, create_archive
from sonoplane.frames.entries import EntryFacts
from sonoplane.records import Box, Frame, Label

IDS = ("r0", "r1", "r2", "r3")
N_FRAMES = 40

When = tuple[str, int]
"""A recording, and the frame of it that is never given; `N_FRAMES` is after the last, before the head is written."""


def frames_of(id: str, die: When | None) -> Iterator[Frame]:
    images = np.random.default_rng(int(id[1])).integers(0, 90, (N_FRAMES, 24, 32, 3)).astype(np.uint8)
    for index, image in enumerate(images):
        if (id, index) == die:
            os.kill(os.getpid(), signal.SIGKILL)
        yield Frame(index=index, time_s=index / 7, image=image)


def arrays_of(id: str, die: When | None) -> Arrays:
    if (id, N_FRAMES) == die:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"subsample": np.arange(0, N_FRAMES, 3), "fingerprint": np.full((3, 8), int(id[1]), np.uint8)}


def write(folder: Path, kind: str, ids: Sequence[str], die: When | None = None) -> None:
    """Write what is missing of these recordings; `store` writes as to a URL, where no folder can be renamed."""
    create_archive(folder, geometry="source", settings={"b": 1, "a": [0.5]})
    place: Place = Url(folder.as_uri()) if kind == "store" else place_of(folder)
    with ArchiveWriter(place, geometry="source") as writer:
        writer.write_text("layouts.toml", "margin = 1\n")
        for id in ids:
            if not writer.has(id):
                facts = EntryFacts(id=id, fps=7.0, box=Box(left=1, top=2, right=33, bottom=26))
                writer.add(facts, frames_of(id, die), arrays=partial(arrays_of, id, die))
        writer.add_labels("plane", [Label(recording=id, label="liver") for id in IDS])


def digests_of(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def start(*arguments: object) -> multiprocessing.process.BaseProcess:
    process = multiprocessing.get_context("spawn").Process(target=write, args=arguments)
    process.start()
    return process


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("undisturbed") / "archive"
    write(folder, "folder", IDS)
    assert open_archive(folder).verify() == []
    return digests_of(folder)


@pytest.mark.parametrize("kind", ["folder", "store"])
def test_killed_again_and_again(kind: str, tmp_path: Path, undisturbed: dict[str, str]) -> None:
    folder = tmp_path / "elsewhere"
    for die in (("r0", 0), ("r1", 17), ("r2", N_FRAMES)):
        killed = start(folder, kind, IDS, die)
        killed.join()
        assert killed.exitcode == -signal.SIGKILL
        assert digests_of(folder) != undisturbed
    write(folder, kind, IDS)
    assert digests_of(folder) == undisturbed


@pytest.mark.parametrize("kind", ["folder", "store"])
def test_two_at_once(kind: str, tmp_path: Path, undisturbed: dict[str, str]) -> None:
    folder = tmp_path / "shared"
    writers = [start(folder, kind, ids) for ids in (IDS[2:], IDS[1::-1])]
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert digests_of(folder) == undisturbed
