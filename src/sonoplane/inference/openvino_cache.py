"""Compiled models are kept, so that the next process need not compile them; what was damaged is never taken."""

import hashlib
import os
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platformdirs import user_cache_dir

if TYPE_CHECKING:
    import openvino

__all__ = ["compiled", "compiled_folder"]

#: Models of fewer bytes compile as quickly as they are read.
_WORTH = 2**20
#: So many are kept, those that were used last.
_KEPT = 16
_N_DIGEST = 32
#: A file that was begun so long ago, seconds, will not be finished.
_STALE_S = 24 * 3600


def compiled(
    core: "openvino.Core",
    content: Sequence[bytes],
    make: "Callable[[], openvino.Model]",
    hints: Mapping[str, Any],
) -> "openvino.CompiledModel":
    """The model made ready for this processor, from the cache where the same was made ready here before.

    `content` is all that tells one model from another; `make` reads it, where that is needed. OpenVINO has a cache of
    its own, but it takes a file with altered weights for whole: here, a digest goes before them. Where the folder
    cannot be written to, or what is there is damaged, the model is compiled as if there were no cache.
    """
    if sum(map(len, content)) < _WORTH:
        return core.compile_model(make(), "CPU", dict(hints))
    path = compiled_folder() / f"{_key(core, content, hints)}.blob"
    if (blob := _kept(path)) is not None:
        with suppress(RuntimeError):
            return core.import_model(blob, "CPU", dict(hints))
    ready = core.compile_model(make(), "CPU", dict(hints))
    with suppress(OSError, RuntimeError):
        _keep(path, ready.export_model().getvalue())
    return ready


def compiled_folder() -> Path:
    """Where they are kept: below SONOPLANE_CACHE, else below the platform's place for caches."""
    return Path(os.environ.get("SONOPLANE_CACHE") or user_cache_dir("sonoplane")) / "compiled"


def _key(core: "openvino.Core", content: Sequence[bytes], hints: Mapping[str, Any]) -> str:
    """Of this very model, for this very processor, by this very version."""
    import openvino

    told = [openvino.__version__, core.get_property("CPU", "FULL_DEVICE_NAME"), sorted(hints.items())]
    told += [core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"), [len(part) for part in content]]
    digest = hashlib.sha256(repr(told).encode())
    for part in content:
        digest.update(part)
    return digest.hexdigest()


def _kept(path: Path) -> bytes | None:
    try:
        data = path.read_bytes()
    except OSError:
        return None
    digest, blob = data[:_N_DIGEST], data[_N_DIGEST:]
    if hashlib.sha256(blob).digest() != digest:
        return None
    with suppress(OSError):
        os.utime(path)
    return blob


def _keep(path: Path, blob: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        fresh.write_bytes(hashlib.sha256(blob).digest() + blob)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
    latest = sorted(path.parent.glob("*.blob"), key=lambda each: each.stat().st_mtime, reverse=True)
    for old in latest[_KEPT:]:
        old.unlink(missing_ok=True)
    for begun in path.parent.glob(".*.blob.*"):
        if begun.stat().st_mtime < time.time() - _STALE_S:
            begun.unlink(missing_ok=True)
