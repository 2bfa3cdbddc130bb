"""Many recordings at once, on worker processes of this machine or on a running Dask cluster."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sonoplane.errors import UsageError
from sonoplane.steps.progress import progress

__all__ = ["HERE", "Jobs", "run_jobs"]

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, kw_only=True, slots=True)
class Jobs:
    """Who does the work."""

    workers: int = 0
    """Processes on this machine, a core each; 0: this process alone."""
    scheduler: str | None = None
    """The address of a running Dask cluster, in place of processes here. Its machines see the same files."""


HERE = Jobs()


def run_jobs(
    job: Callable[[T], R],
    items: Sequence[T],
    *,
    what: str,
    unit: str = "recordings",
    workers: int = 0,
    scheduler: str | None = None,
) -> Iterator[tuple[T, R | Exception]]:
    """Do a job on every item, and yield each item with its result, or with the exception that the job raised.

    With `workers`, that many processes of one core share the items; with `scheduler`, the workers of the running
    Dask cluster at that address do; with neither, they are done here, one after the other. Results come as they are
    completed. An item whose job ends its worker's process is tried again, alone on a worker; after the third time
    its result is a `RecordingError`. The job, the items and the results are pickled on their way.

    Raises:
        UsageError: the workers cannot be started or reached, or all are lost.

    >>> list(run_jobs(len, ["one", "three"], what="count"))
    [('one', 3), ('three', 5)]
    """
    if workers < 0 or (workers and scheduler):
        raise UsageError(
            "It is not clear where to work.",
            advice="Give either a number of workers or a scheduler's address.",
        )
    if not items:
        return
    with progress(what, unit, len(items)) as tell:
        n_done = 0

        def look() -> None:
            tell(n_done, None)

        if workers or scheduler:
            answers = _on_cluster(job, items, min(workers, len(items)), scheduler, look)
        else:
            answers = _here(job, items)
        for answer in answers:
            n_done += 1
            tell(n_done, None)
            yield answer


def _here(job: Callable[[T], R], items: Sequence[T]) -> Iterator[tuple[T, R | Exception]]:
    for item in items:
        try:
            result: R | Exception = job(item)
        except Exception as error:
            result = error
        yield item, result


def _on_cluster(
    job: Callable[[T], R], items: Sequence[T], workers: int, scheduler: str | None, look: Callable[[], None]
) -> Iterator[tuple[T, R | Exception]]:
    from sonoplane.steps.jobs_cluster import connect, local_cluster
    from sonoplane.steps.jobs_foreman import Foreman

    with connect(scheduler) if scheduler else local_cluster(workers) as client:
        foreman: Foreman[T, R] = Foreman(client, job, items)
        try:
            yield from foreman.answers(look)
        finally:
            foreman.stop()
