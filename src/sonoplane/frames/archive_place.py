"""Where an archive lies: a local folder, or a URL of any store that fsspec reaches."""

import secrets
import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

from zarr.storage import LocalStore, WrapperStore

from sonoplane.errors import UsageError

__all__ = ["HEAD", "Place", "WholeStore", "place_of"]

#: The file of a recording's folder that is written last: without it the folder counts as not there.
HEAD = "zarr.json"

#: Files of a store that are read at once.
_AT_ONCE = 16
#: A half-written small file of this age was left by a killed job; none takes so long.
_LEFT_AFTER_S = 3600


class Place(ABC):
    """The files of an archive, by their paths below it; several processes may read and write them.

    A missing file is None or left out, never an error; a file whose name starts with a dot is not there yet.
    """

    name: str
    """The last part of where it lies: the only part that a message may hold."""

    @abstractmethod
    def store(self) -> Any:
        """The same files as a store of zarr, to read; an array's missing chunk is an error, not black pixels."""

    @abstractmethod
    def read(self, path: str) -> bytes | None:
        """The content of a file."""

    @abstractmethod
    def write(self, path: str, content: bytes) -> None:
        """Write a file so that no reader ever sees half of it."""

    @abstractmethod
    def names(self, folder: str) -> tuple[str, ...]:
        """What lies in a folder, in order."""

    @abstractmethod
    def remove(self, folder: str) -> None:
        """Take a recording's folder away, at once or its head first."""

    @abstractmethod
    def appearing(self, folder: str) -> AbstractContextManager[Callable[[str], Any]]:
        """A `with` block in which a recording's folder is written, the head last.

        It gives a function from the name of an array, or "" for the group of all, to the store of zarr to write it
        to: one for each, since zarr writes the heads of all groups above an array at once. The folder is there when
        the block has ended, nothing where it ended with an error; what killed jobs have left of it is replaced.
        """

    def read_each(self, paths: Iterable[str]) -> dict[str, bytes]:
        """The contents of those files that are there."""
        asked = list(paths)
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            found = zip(asked, threads.map(self.read, asked), strict=True)
            return {path: content for path, content in found if content is not None}


def place_of(where: Path | str) -> Place:
    """The place of a folder or a URL.

    >>> place_of(Path("studies/liver")).name, place_of("memory://studies/liver/").name
    ('liver', 'liver')

    Raises:
        MissingExtra: the package that reaches such a URL is not installed.
        UsageError: nothing reaches such a URL.
    """
    if isinstance(where, Path) or "://" not in where:
        return Folder(Path(where))
    from sonoplane.frames.archive_url import Url

    place = Url(where)
    return Folder(place.folder) if place.folder else place


class Folder(Place):
    """A local folder: recordings and files are written under another name, then moved."""

    def __init__(self, folder: Path) -> None:
        self.name = folder.absolute().name
        self._folder = folder

    def store(self) -> Any:
        return WholeStore(LocalStore(self._folder, read_only=True))

    def read(self, path: str) -> bytes | None:
        try:
            return (self._folder / path).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def write(self, path: str, content: bytes) -> None:
        file = self._folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        for left in _parts_of(file):
            with suppress(FileNotFoundError):
                if time.time() - left.stat().st_mtime > _LEFT_AFTER_S:
                    left.unlink()
        part = _part_of(file)
        try:
            part.write_bytes(content)
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)

    def names(self, folder: str) -> tuple[str, ...]:
        try:
            return tuple(
                sorted(path.name for path in (self._folder / folder).iterdir() if path.name[0] != ".")
            )
        except FileNotFoundError:
            return ()
        except NotADirectoryError:
            raise UsageError(
                f"'{self.name}' is a file, not an archive.", advice="Choose an empty or a new folder."
            ) from None

    def remove(self, folder: str) -> None:
        whole = self._folder / folder
        with suppress(FileNotFoundError):
            whole.replace(_part_of(whole))
        self._clear(whole)

    @contextmanager
    def appearing(self, folder: str) -> Iterator[Callable[[str], Any]]:
        whole = self._folder / folder
        self._clear(whole)
        part = _part_of(whole)
        part.mkdir(parents=True)
        try:
            yield lambda name: LocalStore(part / name)
            with suppress(FileNotFoundError):
                whole.replace(_part_of(whole))
            part.replace(whole)
        finally:
            shutil.rmtree(part, ignore_errors=True)
            self._clear(whole)

    def _clear(self, whole: Path) -> None:
        for left in _parts_of(whole):
            shutil.rmtree(left, ignore_errors=True)


class WholeStore(WrapperStore[Any]):
    """A store of zarr whose arrays have all their chunks: a missing one is an error, where zarr reads zeros."""

    async def get(self, key: str, prototype: Any, byte_range: Any = None) -> Any:
        """The content of a file."""
        content = await super().get(key, prototype, byte_range)
        if content is None and "/c/" in key:
            raise FileNotFoundError("A chunk is missing.")
        return content


def _part_of(whole: Path) -> Path:
    """Another name beside it, for what is not whole yet."""
    return whole.with_name(f".{whole.name}.{secrets.token_hex(4)}.part")


def _parts_of(whole: Path) -> list[Path]:
    """What this and other processes have begun under such names."""
    start = f".{whole.name}."
    try:
        found = list(whole.parent.iterdir())
    except FileNotFoundError:
        return []
    return [
        path
        for path in found
        if path.name.startswith(start)
        and path.name.endswith(".part")
        and "." not in path.name[len(start) : -len(".part")]
    ]
