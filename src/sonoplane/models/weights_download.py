"""Fetch published weights once: checked against their git blob id, and cached."""

import hashlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

import pooch
import requests

from sonoplane.errors import DownloadError
from sonoplane.models.weights_known import KnownWeights, known

__all__ = ["Progress", "cache_folder", "get", "git_blob_id"]

Progress: TypeAlias = Callable[[int, int], None]
"""Told the bytes that have come and all there are (0: the server does not say)."""


def get(
    name: str,
    *,
    base_url: str | None = None,
    cache_dir: Path | None = None,
    progress: Progress | None = None,
    timeout_s: float = 30.0,
) -> Path:
    """The file of published weights, from the cache or, once, from the network.

    `base_url` (else the environment's SONOPLANE_WEIGHTS_URL, else upstream) is the address of a folder that
    holds the files. Nothing but the very bytes that were published ever gets into the cache. Raises
    DownloadError, which says how to go on by hand.
    """
    wanted = known(name)
    folder = cache_dir or cache_folder()
    path = folder / wanted.file_name
    if path.is_file() and git_blob_id(path.read_bytes()) == wanted.blob_id:
        return path
    base = base_url or os.environ.get("SONOPLANE_WEIGHTS_URL") or wanted.base_url
    url = f"{base.rstrip('/')}/{wanted.file_name}"
    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder / f".{wanted.file_name}.{secrets.token_hex(4)}"
    try:
        _download(url, fresh, wanted, progress, timeout_s)
        found = git_blob_id(fresh.read_bytes())
        if found != wanted.blob_id:
            raise _failure(wanted, f"has git blob id {found[:12]}, not {wanted.blob_id[:12]}: it was altered")
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
    return path


def cache_folder() -> Path:
    """Where downloads are kept: SONOPLANE_CACHE, else the platform's place for caches."""
    named = os.environ.get("SONOPLANE_CACHE")
    return (Path(named) if named else Path(pooch.os_cache("sonoplane"))) / "weights"


def git_blob_id(data: bytes) -> str:
    """What git calls a file of these bytes.

    >>> git_blob_id(b"")
    'e69de29bb2d1d6434b8b29ae775ad8c2e48c5391'
    """
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _download(
    url: str, fresh: Path, wanted: KnownWeights, progress: Progress | None, timeout_s: float
) -> None:
    host = urlsplit(url).hostname or "the server"
    try:
        with requests.get(url, stream=True, timeout=timeout_s) as response, fresh.open("wb") as file:
            response.raise_for_status()
            total = int(response.headers.get("Content-Length", 0))
            for chunk in response.iter_content(chunk_size=1 << 16):
                file.write(chunk)
                if progress:
                    progress(file.tell(), total)
    except requests.HTTPError as error:
        status = error.response.status_code if error.response is not None else "an error"
        raise _failure(wanted, f"cannot be had: {host} answers {status}") from error
    except requests.exceptions.ChunkedEncodingError as error:
        raise _failure(wanted, f"came incomplete from {host}: the connection broke") from error
    except requests.Timeout as error:
        raise _failure(wanted, f"cannot be had: {host} does not answer in time") from error
    except requests.RequestException as error:
        raise _failure(wanted, f"cannot be had: no connection to {host}") from error


def _failure(wanted: KnownWeights, what: str) -> DownloadError:
    return DownloadError(
        f"{wanted.file_name} {what}.",
        advice=(
            f"Try again; or open {wanted.url} in a browser, save the file, and take it in with "
            f"`sonoplane weights import {wanted.file_name} --out BUNDLE`. "
            "SONOPLANE_WEIGHTS_URL can name a mirror."
        ),
    )
