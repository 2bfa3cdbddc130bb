"""An archive on any store that fsspec reaches by a URL."""

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import fsspec
from fsspec.registry import known_implementations
from zarr.storage import FsspecStore, WrapperStore

from sonoplane.errors import DownloadError, MissingExtra, SonoplaneError, UsageError
from sonoplane.frames.archive_place import HEAD, Place, WholeStore

__all__ = ["Url"]


class Url(Place):
    """A store of objects, which cannot move folders: each file appears whole, and a recording with its head."""

    def __init__(self, url: str) -> None:
        self._url = url
        last = urlsplit(url.rpartition("::")[2])
        self.name = last.path.rstrip("/").rpartition("/")[2] or last.hostname or last.scheme
        self._connection = self._connected()

    def __reduce__(self) -> tuple[Any, ...]:
        return Url, (self._url,)

    @property
    def folder(self) -> Path | None:
        """The folder, where the URL is of one on this machine."""
        files, root = self._at("")
        is_local = "file" in ((files.protocol,) if isinstance(files.protocol, str) else files.protocol)
        return Path(root) if is_local else None

    def store(self) -> Any:
        """Files for zarr to read, a missing chunk an error."""
        return WholeStore(self._zarr())

    def read(self, path: str) -> bytes | None:
        """The content of a file."""
        with _told(self.name):
            files, at = self._at(path)
            try:
                return bytes(files.cat_file(at))
            except FileNotFoundError:
                return None

    def write(self, path: str, content: bytes) -> None:
        """Write a file, whole where the store does so."""
        with _told(self.name):
            files, at = self._at(path)
            try:
                files.pipe_file(at, content)
            except (
                FileNotFoundError
            ):  # a store with true folders, or no such bucket: none is made of a mistyped name
                above = self._at("")[1].rpartition("/")[0]
                if not above or not files.exists(above):
                    raise
                files.makedirs(at.rpartition("/")[0], exist_ok=True)
                files.pipe_file(at, content)

    def names(self, folder: str) -> tuple[str, ...]:
        """What lies in a folder now, whoever put it there."""
        with _told(self.name):
            files, at = self._at(folder)
            files.invalidate_cache()
            try:
                found = files.ls(at, detail=False)
            except FileNotFoundError:
                return ()
        below = {path.rstrip("/").removeprefix(f"{at}/") for path in found if path.startswith(f"{at}/")}
        return tuple(sorted(name for name in below if name and "/" not in name and name[0] != "."))

    def remove(self, folder: str) -> None:
        """Take a recording's folder away, its head first."""
        with _told(self.name):
            files, at = self._at(folder)
            files.invalidate_cache()
            # Not rm(recursive=True), which would read an id with brackets as a pattern.
            for path in sorted(files.find(at), key=lambda path: (path != f"{at}/{HEAD}", path)):
                files.rm_file(path)

    @contextmanager
    def appearing(self, folder: str) -> Iterator[Callable[[str], Any]]:
        """A `with` block in which a recording's folder is written, the head last."""
        self.remove(folder)
        try:
            yield lambda name: self._zarr(f"{folder}/{name}".rstrip("/"))
        except Exception:
            with suppress(SonoplaneError):
                self.remove(folder)
            raise

    def _zarr(self, folder: str = "") -> "_UrlStore":
        at = self._at(folder)[1]
        return _UrlStore(FsspecStore(self._connection.for_zarr, path=at), self, folder)

    def _at(self, path: str) -> tuple[Any, str]:
        """The store, and where in it the file is."""
        if self._connection.process != os.getpid():  # no connection survives a fork
            self._connection = self._connected()
        return self._connection.files, f"{self._connection.root}/{path}".rstrip("/")

    def _connected(self) -> "_Connection":
        protocol = self._url.rpartition("::")[2].partition("://")[0]
        try:
            files, root = fsspec.url_to_fs(self._url)
            for_zarr = FsspecStore.from_url(self._url).fs
        except ImportError:
            needed = known_implementations.get(protocol, {}).get("err", "Install it")
            raise MissingExtra(
                f"To reach '{protocol}://' a package is missing.", advice=f"{needed}."
            ) from None
        except Exception as error:  # whatever the store's package makes of a wrong address
            raise UsageError(
                f"No archive can lie at this '{protocol}://' address ({type(error).__name__}).",
                advice="Give a folder, or a URL such as s3://bucket/archive.",
            ) from None
        return _Connection(os.getpid(), files, root.rstrip("/"), for_zarr)


class _Connection(NamedTuple):
    process: int
    files: Any
    root: str
    for_zarr: Any
    """The same store for zarr's event loop."""


class _UrlStore(WrapperStore[Any]):
    """A folder of the archive as a store of zarr whose errors tell no address."""

    def __init__(self, store: Any, place: Url, folder: str) -> None:
        super().__init__(store)
        self._place, self._folder = place, folder

    def _with_store(self, store: Any) -> "_UrlStore":
        return _UrlStore(store, self._place, self._folder)

    async def get(self, key: str, prototype: Any, byte_range: Any = None) -> Any:
        """The content of a file."""
        with _told(self._place.name):
            return await super().get(key, prototype, byte_range)

    async def set(self, key: str, value: Any) -> None:
        """Write a file."""
        await asyncio.to_thread(self._place.write, f"{self._folder}/{key}", value.to_bytes())

    async def exists(self, key: str) -> bool:
        """Whether there is such a file."""
        with _told(self._place.name):
            return bool(await super().exists(key))


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Turn whatever the store's package raises into an error that tells neither address nor credentials."""
    try:
        yield
    except SonoplaneError:
        raise
    except Exception as error:
        raise DownloadError(
            f"The store of the archive '{name}' does not answer as it should ({type(error).__name__}).",
            advice="Check its address, the network and your rights there, then run the same command again.",
        ) from None
