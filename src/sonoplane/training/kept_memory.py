"""Memory that a training step lets go of is kept for the next one.

By default glibc hands large blocks back to the system, which clears every page anew when the next step asks for them:
a third of a step's time on a processor.
"""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["kept_memory"]

#: glibc's options by their numbers in malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -3, -4, -8
_INSIDE = {_TRIM_THRESHOLD: -1, _MMAP_MAX: 0, _ARENA_MAX: 1}
#: Once an option was set glibc adapts no more: these are where it would have got to by itself.
_AFTER = {_MMAP_THRESHOLD: 32 * 2**20, _TRIM_THRESHOLD: 64 * 2**20, _MMAP_MAX: 65536, _ARENA_MAX: 0}


@contextmanager
def kept_memory() -> Iterator[None]:
    """Inside it the process keeps what it has had, and at the end gives it back; nothing changes without glibc."""
    try:
        c = ctypes.CDLL(None)
        set_option, give_back = c.mallopt, c.malloc_trim
    except (OSError, TypeError, AttributeError):  # another system, or another C library
        yield
        return
    for option, value in _INSIDE.items():
        set_option(option, value)
    try:
        yield
    finally:
        for option, value in _AFTER.items():
            set_option(option, value)
        give_back(0)
