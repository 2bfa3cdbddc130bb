import multiprocessing
import pickle
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fsspec
import pytest

from sonoplane.errors import DamagedRecording, DownloadError, MissingExtra, SonoplaneError, UsageError
from sonoplane.frames.archive import Archive, open_archive
from sonoplane.frames.archive_writer import create_archive
from sonoplane.frames.entries import EntryFacts
from tests.frames.archives import CHOSEN, COLOR, GRAY, HASHES, SETTINGS, frames_of, write_archive


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """An archive in memory: a store that cannot rename."""
    url = f"memory://{tmp_path.name}/archive"
    write_archive(url)
    yield url
    fsspec.filesystem("memory").rm(f"/{tmp_path.name}", recursive=True)


def content_of(url: str) -> dict[str, bytes]:
    files, root = fsspec.url_to_fs(url)
    return {path.removeprefix(root): files.cat_file(path) for path in files.find(root)}


def test_what_goes_in_comes_out(url: str):
    archive = open_archive(url)
    assert archive.name == "archive"
    assert [entry.id for entry in archive.entries] == ["color", "gray"]
    assert (archive.read("gray", 3, 20) == GRAY[3:20]).all()
    assert (archive.read_frames("color", [4, 0]) == COLOR[[4, 0]]).all()
    assert (archive.subsample("gray") == CHOSEN).all()
    assert (archive.fingerprint("gray") == HASHES).all()
    assert archive.times_s("color") is None
    assert archive.tasks == ("plane",)
    assert archive.labels("plane")[0].label == "liver"
    assert archive.read_text("layouts.toml") == "margin = 1\n"
    assert archive.verify() == []


def test_it_holds_the_same_bytes_as_a_folder(url: str, tmp_path: Path):
    write_archive(tmp_path / "local")
    assert content_of(url) == content_of(f"file://{tmp_path / 'local'}")


def test_a_recording_is_there_when_its_last_file_is(url: str):
    whole = content_of(url)
    files, root = fsspec.url_to_fs(url)
    files.rm_file(f"{root}/recordings/gray/zarr.json")  # as if killed before it
    files.pipe_file(f"{root}/recordings/gray/pixels/c/9/0/0", b"left")
    with create_archive(url, geometry="source", settings=SETTINGS) as writer:
        assert not writer.has("gray")
        writer.close()
        assert [entry.id for entry in open_archive(url).entries] == ["color"]
    write_archive(url)
    assert content_of(url) == whole


def test_a_recording_that_fails_leaves_nothing(url: str):
    before = content_of(url)
    with create_archive(url, geometry="source", settings=SETTINGS) as writer:
        with pytest.raises(DamagedRecording, match="shape"):
            writer.add(EntryFacts(id="mixed"), [*frames_of(GRAY), *frames_of(COLOR)])
        writer.add(EntryFacts(id="new[0]"), frames_of(GRAY))
        writer.add(EntryFacts(id="new0"), frames_of(GRAY))
        writer.remove("new[0]")
        assert writer.has("new0")
        writer.remove("new0")
    assert content_of(url) == before


def test_a_lost_chunk_is_found(url: str):
    files, root = fsspec.url_to_fs(url)
    files.rm_file(f"{root}/recordings/gray/pixels/c/1/0/0")
    (problem,) = open_archive(url).verify()
    assert problem.startswith("Recording 'gray' of the archive is damaged.")


def _sum(archive: Archive, answers: "multiprocessing.Queue[int]") -> None:
    assert len(archive.subsample("gray")) == len(CHOSEN)
    answers.put(int(archive.read("gray").sum()))


def sums_of(archive: Archive, method: str) -> list[int]:
    """What two other processes read of it."""
    context = multiprocessing.get_context(method)
    answers = context.Queue()
    workers = [context.Process(target=_sum, args=(archive, answers)) for _ in range(2)]
    for worker in workers:
        worker.start()
    found = [answers.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join()
    return found


def test_a_handle_survives_a_fork_and_a_pickle(url: str):
    archive = open_archive(url)
    assert (pickle.loads(pickle.dumps(archive)).read("gray") == GRAY).all()
    assert sums_of(archive, "fork") == [int(GRAY.sum())] * 2


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_an_archive_behind_a_web_server_is_read(tmp_path: Path, method: str):
    pytest.importorskip("aiohttp", reason="fsspec reads http:// with aiohttp")
    write_archive(tmp_path / "archive")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            archive = open_archive(f"http://127.0.0.1:{server.server_port}/archive")
            assert (archive.read("gray", 5, 25) == GRAY[5:25]).all()
            assert archive.tasks == ("plane",)
            assert archive.verify() == []
            assert sums_of(archive, method) == [int(GRAY.sum())] * 2
        finally:
            server.shutdown()
            thread.join()


def test_an_address_that_does_not_answer_is_told_without_its_password():
    pytest.importorskip("aiohttp", reason="fsspec reads http:// with aiohttp")
    with pytest.raises(DownloadError, match=r"archive 'liver' does not answer.*Check its address") as caught:
        open_archive("http://me:secret@127.0.0.1:9/data/liver?token=secret")
    assert "secret" not in str(caught.value)


def test_a_url_that_nothing_reaches_is_told_with_advice():
    with pytest.raises(UsageError, match=r"'foo://' address.*Give a folder"):
        open_archive("foo://me:secret@bucket/archive")
    with pytest.raises(MissingExtra, match=r"'oss://' a package is missing. Install ossfs"):
        open_archive("oss://me:secret@bucket/archive")
    with pytest.raises(UsageError, match="'nowhere' is not an archive"):
        open_archive("memory://nowhere")


def test_a_store_of_other_things_is_left_alone(tmp_path: Path):
    files = fsspec.filesystem("memory")
    files.pipe_file(f"/{tmp_path.name}/thesis.txt", b"mine")
    with pytest.raises(UsageError, match="exists and is not an archive"):
        create_archive(f"memory://{tmp_path.name}", geometry="source", settings={})
    files.rm(f"/{tmp_path.name}", recursive=True)


def test_an_error_of_the_store_holds_no_cause_that_tells_the_address():
    pytest.importorskip("aiohttp", reason="fsspec reads http:// with aiohttp")
    with pytest.raises(SonoplaneError) as caught:
        open_archive("http://me:secret@127.0.0.1:9/liver")
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
