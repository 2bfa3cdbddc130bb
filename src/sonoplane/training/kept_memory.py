"""Memory that a training step lets go of is kept for the next one.

By default glibc hands large blocks back to the system, which clears every page anew when the next step asks for them:
a third of a step's time on a processor.
"""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["kept_memory"]

#: glibc's options by their numbers in malloc.h: what they are set to, and what they are by default.
_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8
_OPTIONS = {_TRIM_THRESHOLD: (-1, 128 * 1024), _MMAP_MAX: (0, 65536), _ARENA_MAX: (1, 0)}


@contextmanager
def kept_memory() -> Iterator[None]:
    """Inside it the process keeps what it has had, and at the end gives it back; nothing changes without glibc."""
    try:
        c = ctypes.CDLL(None)
        set_option, give_back = c.mallopt, c.malloc_trim
    except (OSError, TypeError, AttributeError):  # another system, or another C library
        yield
        return
    for option, (inside, _) in _OPTIONS.items():
        set_option(option, inside)
    try:
        yield
    finally:
        for option, (_, default) in _OPTIONS.items():
            set_option(option, default)
        give_back(0)
