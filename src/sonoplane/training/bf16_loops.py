"""Loops over bf16 numbers, compiled by Numba and run by torch's own threads.

Those threads stay awake for a while after each loop of torch, and would fight for the cores with any others; so a loop
is handed to them, through the OpenMP library that torch has loaded.
"""

import ctypes
import pickle
import sys
from collections.abc import Callable
from functools import cache, partial
from typing import Any, TypeAlias, no_type_check

import numba
import numpy as np
import torch
from numba.core.types import ExternalFunction
from torch import Tensor

__all__ = ["Loop", "can_run", "narrow", "run", "share", "wide"]

Loop: TypeAlias = Callable[[Any], None]
"""Is given a pointer to pointers: the sizes (int64), then each block of memory; it works on its `share`."""

_thread_number = ExternalFunction("omp_get_thread_num", numba.int32())
_n_threads = ExternalFunction("omp_get_num_threads", numba.int32())


@cache
def can_run() -> bool:
    """Whether torch's threads are GNU OpenMP's, as they are in its builds for Linux."""
    if sys.platform != "linux":
        return False
    try:
        return all(hasattr(ctypes.CDLL(None), name) for name in ("GOMP_parallel", "omp_get_thread_num"))
    except OSError:
        return False


def run(loop: Loop, *blocks: Tensor, sizes: tuple[int, ...]) -> None:
    """Run a loop on all threads of torch, over blocks of memory that it knows how to read and to fill."""
    numbers = np.array(sizes, np.int64)
    pointers = np.array([numbers.ctypes.data, *(block.data_ptr() for block in blocks)], np.int64)
    ctypes.CDLL(None).GOMP_parallel(
        ctypes.c_void_p(_compiled(loop).address),
        ctypes.c_void_p(pointers.ctypes.data),
        ctypes.c_uint(torch.get_num_threads()),
        ctypes.c_uint(0),
    )


@cache
def _compiled(loop: Loop) -> Any:
    """The machine code, kept on disk where a folder can be written to."""
    pointers: Any = numba.types.CPointer
    compiler = partial(numba.cfunc, numba.void(pointers(numba.types.voidptr)))
    try:
        return compiler(cache=True)(loop)
    except (RuntimeError, OSError, EOFError, pickle.UnpicklingError):  # no folder, no room, or a damaged file
        return compiler()(loop)


@numba.njit(inline="always")
@no_type_check  # it is compiled as it stands, like all that runs in a loop
def wide(bits):
    """The float32 of a bf16 that is given as uint16."""
    return np.uint32(np.uint32(bits) << np.uint32(16)).view(np.float32)


@numba.njit(inline="always")
@no_type_check
def narrow(value):
    """The nearest bf16 of a float32, to even where two are."""
    bits = np.float32(value).view(np.uint32)
    nearest = np.uint32(bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1)))
    return np.uint16(nearest >> np.uint32(16))


@numba.njit(inline="always")
@no_type_check
def share(n):
    """The number of this thread, and its part of 0 to n (exclusive)."""
    thread, threads = np.int64(_thread_number()), np.int64(_n_threads())
    return thread, n * thread // threads, n * (thread + 1) // threads
