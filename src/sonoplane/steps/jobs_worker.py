"""What happens in a worker process: a job comes in as bytes, its result or its error goes out as bytes.

Nothing is ever raised here, so that Dask has nothing to log: its logs would hold what a job was given, which are paths.
"""

import functools
import logging
import os
import pickle
import signal
import sys
import threading
import traceback
import warnings
from typing import Any

import cloudpickle

from sonoplane.errors import RecordingError

__all__ = ["ONE_CORE", "WorkerTraceback", "answer_of", "dask_setup", "work"]

#: Environment variables that keep the libraries of a worker on one core; read when each library is loaded.
ONE_CORE = {
    "BLOSC_NTHREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OPENCV_FOR_THREADS_NUM": "1",
    "POLARS_MAX_THREADS": "1",
    "RAYON_NUM_THREADS": "1",
    "SONOPLANE_DECODE_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
    "ZARR_THREADING__MAX_WORKERS": "1",
}


class WorkerTraceback(Exception):
    """Where in a worker an error arose: the cause of the error that is returned, seen only by who debugs."""


def dask_setup(worker: object) -> None:
    """Dask calls this as a worker process starts: it is silent, and its parent decides when it ends."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in ("distributed", "tornado", "asyncio"):
        logging.getLogger(name).disabled = True
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")


def work(job: bytes, item: bytes) -> bytes:
    """Do a pickled job on a pickled item; see `answer_of` for what comes back."""
    try:
        _use_one_core()
        return bytes(cloudpickle.dumps((True, pickle.loads(job)(pickle.loads(item)))))
    except BaseException as error:
        return _told(error)


def answer_of(answer: bytes) -> Any:
    """What a job returned, or the exception that it raised, out of the bytes from `work`."""
    done, result, *trace = pickle.loads(answer)
    if not done:
        result.__cause__ = WorkerTraceback(*trace)
    return result


@functools.cache
def _use_one_core() -> None:
    """For workers that others have started, whose libraries may be loaded by now."""
    for name, value in ONE_CORE.items():
        os.environ.setdefault(name, value)
    if "cv2" in sys.modules:
        sys.modules["cv2"].setNumThreads(1)


def _told(error: BaseException) -> bytes:
    """The error and where it arose; errors that cannot travel are told by their kind."""
    trace = "".join(traceback.format_exception(error))
    if isinstance(error, Exception):
        try:
            told = cloudpickle.dumps((False, error, trace))
            twin = pickle.loads(told)[1]
            if type(twin) is type(error) and str(twin) == str(error):
                return bytes(told)
        except Exception:
            pass
    stranger = RecordingError(
        f"An error that sonoplane has no word for ({type(error).__name__}).",
        advice="Run it alone with --debug, and report what that shows.",
    )
    return bytes(cloudpickle.dumps((False, stranger, trace)))
