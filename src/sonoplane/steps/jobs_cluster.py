"""The Dask cluster that jobs run on: one of our own on this machine, or a running one at its scheduler's address."""

import asyncio
import contextlib
import logging
import multiprocessing
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import sonoplane
from sonoplane.errors import UsageError
from sonoplane.steps.jobs_worker import ONE_CORE

if TYPE_CHECKING:
    from distributed import Client, LocalCluster, Nanny

__all__ = ["connect", "local_cluster"]

#: Seconds that a scheduler has to answer when we connect.
ANSWER_S = 10.0

#: The workers share this much of the memory; one that takes more than its share is ended.
MEMORY_SHARE = 0.9

#: A worker that was killed may take this long to be gone, seconds.
CLOSE_S = 2.0

#: Dask's settings for a cluster of our own. Its defaults would spill results (pixels) to disk, pause a worker that
#: is short of memory for ever, run a job that kills its worker four times before it says so, and give up workers
#: that are busy for five minutes without a sign of life.
SETTINGS: dict[str, Any] = {
    "distributed.diagnostics.nvml": False,
    "distributed.scheduler.active-memory-manager.start": False,
    "distributed.scheduler.allowed-failures": 0,
    "distributed.scheduler.http.routes": [],
    "distributed.scheduler.work-stealing": False,
    "distributed.scheduler.worker-ttl": None,
    "distributed.worker.http.routes": [],
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.target": False,
    "distributed.worker.multiprocessing-method": "spawn",
    "distributed.worker.preload": ["sonoplane.steps.jobs_worker"],
    "distributed.worker.profile.enabled": False,
}


@contextlib.contextmanager
def local_cluster(n_workers: int) -> Iterator["Client"]:
    """A client of `n_workers` new processes of one core each; they end with it, or when this process is killed.

    They talk over 127.0.0.1 only, and TLS with keys made for this run keeps other users of the machine out. Scratch
    space is a temporary folder.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        # A worker is loading the user's script, which has no guard; the parent tells what to do.
        raise SystemExit(1)
    import dask
    from distributed import Client, LocalCluster, Security
    from distributed.system import MEMORY_LIMIT

    with (
        _quiet(),
        tempfile.TemporaryDirectory(prefix="sonoplane-", ignore_cleanup_errors=True) as scratch,
        _environment(ONE_CORE) as restore,
        dask.config.set({**SETTINGS, "temporary-directory": scratch}),
    ):
        with _no_interrupts():
            cluster = LocalCluster(
                n_workers=0,  # so that there is something to close, should the start of the workers be interrupted
                threads_per_worker=1,
                memory_limit=int(MEMORY_LIMIT * MEMORY_SHARE / n_workers),
                host="127.0.0.1",
                security=Security.temporary(),
                dashboard_address="127.0.0.1:0",
                scheduler_kwargs={"dashboard": False},
                local_directory=scratch,
                silence_logs=logging.CRITICAL,
            )
        try:
            _start(cluster, n_workers)
            restore()
            with Client(cluster, set_as_default=False) as client:
                yield client
        finally:
            _close(cluster)


def _start(cluster: "LocalCluster", n_workers: int) -> None:
    """Start the workers, and wait until they are there."""

    async def settle() -> None:
        cluster.scale(n_workers)
        await cluster

    try:
        cluster.sync(settle)
    except Exception as error:
        raise UsageError(
            "The worker processes did not start.",
            advice="In a script, call this below `if __name__ == '__main__':`; or work with `--workers 0`.",
        ) from error


def _close(cluster: "LocalCluster") -> None:
    """End all worker processes at once: idle ones hold nothing, and the work of busy ones is wanted no more."""

    async def end(nanny: "Nanny") -> None:
        nanny.close_gracefully()  # else it would start another worker
        if nanny.process and nanny.process.process:
            await nanny.process.process.kill()
        await nanny.close(timeout=CLOSE_S)

    async def end_all() -> None:
        # Those that are just starting are not yet among `cluster.workers`.
        ends = [asyncio.ensure_future(end(nanny)) for nanny in cluster._created]
        if ends:
            done, _ = await asyncio.wait(ends, timeout=2 * CLOSE_S)
            for task in done:
                task.exception()

    cluster.sync(end_all)
    cluster.close(timeout=2 * CLOSE_S)


@contextlib.contextmanager
def _no_interrupts() -> Iterator[None]:
    """Threads and processes that are started in here never get Ctrl-C: we end our workers ourselves."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def connect(address: str) -> Iterator["Client"]:
    """A client of the running cluster whose scheduler is at `address`; it is left running.

    Keys for TLS come from Dask's own configuration (`distributed.comm.tls`).

    Raises:
        UsageError: nothing answers there, or its workers are not like us.
    """
    from distributed import Client

    with _quiet():
        try:
            client = Client(address, timeout=ANSWER_S, set_as_default=False)
        except Exception as error:
            raise UsageError(
                "No Dask scheduler answers at that address.",
                advice="Give it as it tells it at its start, such as tcp://HOST:8786, and see that it runs.",
            ) from error
        with client:
            _check_alike(client)
            yield client


def _check_alike(client: "Client") -> None:
    """Refuse workers that would run other code than this process would; nothing is run there to find out."""
    workers = client.get_versions(packages=["sonoplane"])["workers"]
    ours = {"sonoplane": sonoplane.__version__, "Python": "{}.{}".format(*sys.version_info[:2])}
    for worker in workers.values():
        packages = worker["packages"] if isinstance(worker, dict) else {}
        python = ".".join(str(packages.get("python")).split(".")[:2])
        theirs = {"sonoplane": packages.get("sonoplane"), "Python": python}
        for what, version in theirs.items():
            if version != ours[what]:
                raise UsageError(
                    f"A worker of the cluster has {what} {version or 'not at all'}, and {ours[what]} is here.",
                    advice=f"Install {what} {ours[what]} on every worker, and start them anew.",
                )


@contextlib.contextmanager
def _environment(variables: dict[str, str]) -> Iterator[Any]:
    """Set environment variables; all is put back by calling what this gives, and once more at the end.

    Dask sets them again for every worker that it starts, in this process.
    """
    names = {*variables, "MALLOC_TRIM_THRESHOLD_", "PYTHONHASHSEED", "__DASK_PARENT_PID"}
    before = {name: os.environ.get(name) for name in names}

    def restore() -> None:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    os.environ.update(variables)
    try:
        yield restore
    finally:
        restore()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence Dask's own log while its cluster is in use: our errors tell what matters."""
    import distributed  # makes its loggers

    names = (distributed.__name__, "tornado", "asyncio")
    loggers = [
        logger
        for name, logger in list(logging.root.manager.loggerDict.items())
        if isinstance(logger, logging.Logger) and name.split(".")[0] in names
    ]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
