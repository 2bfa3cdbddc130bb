"""What a training leaves in its bundle about where it learned, so that an evaluation knows whom it has not seen."""

import hashlib
from typing import Any

from sonoplane.frames.archive import Archive
from sonoplane.models.bundle import Bundle

__all__ = ["is_its_archive", "task_of", "trained_on"]


def trained_on(store: Archive, task: str) -> dict[str, Any]:
    """For a bundle's metrics: the task, and a digest of the archive's recordings with their parts."""
    return {"task": task, "split": _split(store)}


def task_of(bundle: Bundle) -> str | None:
    """The task that a bundle was trained on; None where it does not say."""
    return (bundle.metrics or {}).get("task")


def is_its_archive(bundle: Bundle, store: Archive) -> bool:
    """Whether the bundle was trained on this archive, its recordings and its parts being as they were then."""
    return (bundle.metrics or {}).get("split") == _split(store)


def _split(store: Archive) -> str:
    rows = sorted((entry.id, entry.split or "") for entry in store.entries)
    return hashlib.sha256(repr(rows).encode()).hexdigest()[:16]
