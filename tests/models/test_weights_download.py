"""Downloads against a real server on this machine: good, broken in every way, and absent."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sonoplane.errors import DownloadError, UsageError
from sonoplane.models import weights_download
from sonoplane.models.weights_download import cache_folder, get, git_blob_id
from sonoplane.models.weights_known import KNOWN

GOOD = b"weights" * 50_000


@dataclass
class Upstream:
    """A server of one file, which counts how often it was asked."""

    url: str = ""
    data: bytes = GOOD
    length: int | None = None
    status: int = 200
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def upstream(monkeypatch: pytest.MonkeyPatch) -> Iterator[Upstream]:
    """The server; `SonoNet16.npz` is taken to be GOOD, so that no real weights are needed."""
    monkeypatch.setattr(weights_download, "known", lambda _: replace(KNOWN[0], blob_id=git_blob_id(GOOD)))
    monkeypatch.setenv("NO_PROXY", "*")
    state = Upstream()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append(self.path)
            self.send_response(state.status)
            self.send_header("Content-Length", str(state.length or len(state.data)))
            self.end_headers()
            self.wfile.write(state.data)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        state.url = f"http://127.0.0.1:{server.server_port}/weights/"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield state
        server.shutdown()
        thread.join()


def refused(upstream: Upstream, folder: Path, said: str) -> None:
    """The message says what happened and how to go on, and nothing is left behind."""
    with pytest.raises(DownloadError) as caught:
        get("sononet16", base_url=upstream.url, cache_dir=folder)
    assert said in str(caught.value)
    assert KNOWN[0].url in caught.value.advice
    assert "weights import SonoNet16.npz" in caught.value.advice
    assert str(folder) not in str(caught.value)
    assert not list(folder.iterdir())


def test_a_good_file_is_fetched_once_and_progress_told(upstream: Upstream, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    path = get(
        "sononet16", base_url=upstream.url, cache_dir=tmp_path, progress=lambda *step: told.append(step)
    )
    assert path == tmp_path / "SonoNet16.npz"
    assert path.read_bytes() == GOOD
    assert told[-1] == (len(GOOD), len(GOOD))
    assert sorted(told) == told
    assert get("sononet16", base_url=upstream.url, cache_dir=tmp_path) == path
    assert upstream.asked == ["/weights/SonoNet16.npz"]
    assert [p.name for p in tmp_path.iterdir()] == ["SonoNet16.npz"]


def test_a_spoiled_cache_is_fetched_again(upstream: Upstream, tmp_path: Path) -> None:
    (tmp_path / "SonoNet16.npz").write_bytes(b"half")
    assert get("sononet16", base_url=upstream.url, cache_dir=tmp_path).read_bytes() == GOOD


def test_the_environment_names_mirror_and_cache(
    upstream: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SONOPLANE_WEIGHTS_URL", upstream.url.rstrip("/"))
    monkeypatch.setenv("SONOPLANE_CACHE", str(tmp_path))
    assert get("sononet16").parent == cache_folder() == tmp_path / "weights"


def test_a_truncated_file_is_refused(upstream: Upstream, tmp_path: Path) -> None:
    upstream.data, upstream.length = GOOD[:1000], len(GOOD)
    refused(upstream, tmp_path, "came incomplete")


def test_an_altered_file_is_refused(upstream: Upstream, tmp_path: Path) -> None:
    upstream.data = GOOD[:-1] + b"!"
    refused(upstream, tmp_path, "it was altered")


def test_a_missing_file_is_refused(upstream: Upstream, tmp_path: Path) -> None:
    upstream.status = 404
    refused(upstream, tmp_path, "127.0.0.1 answers 404")


def test_no_network_says_what_to_do(upstream: Upstream, tmp_path: Path) -> None:
    upstream.url = "http://127.0.0.1:9/"
    refused(upstream, tmp_path, "no connection to 127.0.0.1")


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UsageError, match="sononet16, sononet32, sononet64, smallnet"):
        get("sononet128")
