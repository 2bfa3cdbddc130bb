"""A folder of results appears whole: what an earlier run left is replaced only when told to."""

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sonoplane.errors import UsageError

__all__ = ["check_results", "new_results"]


def check_results(out: Path, *, mark: str, overwrite: bool) -> None:
    """Refuse, before any work, a place that is taken; `mark` is the file by which our own results are known.

    Raises:
        UsageError: something is there that may not be replaced.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if not (out / mark).exists():
        raise UsageError(
            f"'{out.name}' holds something else than results of this command.", advice="Name another --out."
        )
    if not overwrite:
        raise UsageError(
            f"'{out.name}' holds earlier results.",
            advice="Say --overwrite to replace them, or another --out.",
        )


@contextmanager
def new_results(out: Path, *, mark: str, overwrite: bool) -> Iterator[Path]:
    """A hidden folder beside `out` that takes its place at the end, or goes away on an error.

    Raises:
        UsageError: as `check_results`.
    """
    check_results(out, mark=mark, overwrite=overwrite)
    out.parent.mkdir(parents=True, exist_ok=True)
    fresh, earlier = (out.with_name(f".{uuid.uuid4().hex[:12]}.partial") for _ in range(2))
    fresh.mkdir()
    try:
        yield fresh
        check_results(out, mark=mark, overwrite=overwrite)
        if out.exists():
            out.rename(earlier)
        fresh.rename(out)
        shutil.rmtree(earlier, ignore_errors=True)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
