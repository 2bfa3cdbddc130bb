"""Which item goes to which worker of a cluster, and what happens when a worker dies."""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from uuid import uuid4

import cloudpickle

from sonoplane.errors import RecordingError, UsageError
from sonoplane.steps.jobs_worker import answer_of, work

if TYPE_CHECKING:
    from distributed import Client, Future

__all__ = ["Foreman"]

T = TypeVar("T")
R = TypeVar("R")

#: So often may an item's job end its worker before the item is given up.
MOST_DEATHS = 3

#: Workers are looked at this often, seconds.
LOOK_EVERY_S = 1.0

#: A worker that is short of memory may leave a job waiting this long, seconds, before another worker gets it.
PAUSE_S = 10.0

#: With no worker that takes work, the run ends after this long, seconds.
PATIENCE_S = 60.0

#: A result that its worker has announced may take this long to arrive, seconds.
FETCH_S = 30.0


@dataclass(slots=True)
class _Errand:
    """One item on its way to its result."""

    index: int
    deaths: int = 0
    """How many workers have died while they had it."""
    worker: str = ""
    future: "Future[bytes] | None" = None


class Foreman(Generic[T, R]):
    """Gives every free thread of every worker one item, and takes back what a dead worker had.

    Dask would place the jobs itself, but then a job that only waits on a dying worker is blamed together with the one
    that killed it. So a job is sent to a worker that has a thread free, never ahead of that; and one whose worker has
    died goes, after all others, to a worker that has nothing else to do. Memory is bounded by the number of threads.
    """

    def __init__(self, client: "Client", job: Callable[[T], R], items: Sequence[T]) -> None:
        self._client = client
        self._job = cloudpickle.dumps(job)
        self._items = items
        self._fresh = iter(range(len(items)))
        self._unlucky: deque[_Errand] = deque()
        """Nothing is known against them, but their worker stood still, or somebody restarted it."""
        self._suspects: deque[_Errand] = deque()
        """Their worker has died."""
        self._running: dict[str, _Errand] = {}
        """By Dask's key."""
        self._ended: SimpleQueue[str] = SimpleQueue()
        self._threads: dict[str, int] = {}
        """Address of each worker that takes work -> how many threads it has."""
        self._still_since: dict[str, float] = {}
        """Address of each worker that stands still for want of memory -> since when."""
        self._hopeful = time.monotonic()
        """When there was last a worker that takes work."""

    def answers(self, look: Callable[[], None] = lambda: None) -> Iterator[tuple[T, R | Exception]]:
        """Every item with its result, as they are completed; `look` is called about once a second meanwhile.

        Raises:
            UsageError: the scheduler is lost, or no worker takes work any more.
        """
        n_done, looked = 0, float("-inf")
        while n_done < len(self._items):
            answers = []
            if time.monotonic() - looked >= LOOK_EVERY_S:
                answers += self._look()
                looked = time.monotonic()
                look()
            answers += self._hand_out()
            try:
                answers += self._take(self._ended.get(timeout=0.001 if answers else LOOK_EVERY_S))
                answers += self._hand_out()
            except Empty:
                pass
            n_done += len(answers)
            yield from answers

    def stop(self) -> None:
        """Let go of everything that is still on its way."""
        futures = [errand.future for errand in self._running.values()]
        self._running.clear()
        if futures and self._client.status == "running":
            self._client.cancel(futures, force=True)

    def _hand_out(self) -> list[tuple[T, R | Exception]]:
        """Send items to all free threads; what comes back at once are items that cannot be sent."""
        refused: list[tuple[T, R | Exception]] = []
        load = Counter(errand.worker for errand in self._running.values())
        alone = {errand.worker for errand in self._running.values() if errand.deaths}
        while free := [w for w, n in self._threads.items() if load[w] < n and w not in alone]:
            worker = min(free, key=load.__getitem__)
            errand = self._next(is_idle=load[worker] == 0)
            if errand is None:
                break
            item = self._items[errand.index]
            try:
                pickled = cloudpickle.dumps(item)
            except Exception as error:
                refused.append((item, error))
                continue
            self._send(errand, worker, pickled)
            load[worker] += 1
            if errand.deaths:
                alone.add(worker)
        return refused

    def _next(self, *, is_idle: bool) -> _Errand | None:
        """The next item for a worker; those under suspicion come last, and only to an idle one."""
        if self._unlucky:
            return self._unlucky.popleft()
        index = next(self._fresh, None)
        if index is not None:
            return _Errand(index)
        return self._suspects.popleft() if self._suspects and is_idle else None

    def _send(self, errand: _Errand, worker: str, item: bytes) -> None:
        key = f"sonoplane-{uuid4().hex}"
        errand.worker = worker
        errand.future = self._client.submit(
            work, self._job, item, key=key, workers=[worker], allow_other_workers=False
        )
        self._running[key] = errand
        errand.future.add_done_callback(lambda future: self._ended.put(str(future.key)))

    def _take(self, key: str) -> list[tuple[T, R | Exception]]:
        """The result of a job that has ended; nothing where it is to be tried again."""
        errand = self._running.pop(key, None)
        if errand is None or errand.future is None:
            return []
        from distributed import KilledWorker

        future, errand.future = errand.future, None
        try:
            answer = future.result(timeout=FETCH_S)
        except (KilledWorker, TimeoutError, OSError):
            return self._died(errand)
        except CancelledError:
            # Somebody has restarted the cluster, or the scheduler is lost; the next look tells which.
            self._threads.clear()
            self._unlucky.append(errand)
            return []
        except Exception as error:
            return [(self._items[errand.index], error)]
        finally:
            future.release()
        return [(self._items[errand.index], answer_of(answer))]

    def _died(self, errand: _Errand) -> list[tuple[T, R | Exception]]:
        self._threads.pop(errand.worker, None)
        errand.deaths += 1
        if errand.deaths < MOST_DEATHS:
            self._suspects.append(errand)
            return []
        error = RecordingError(
            f"Reading it ended the process {errand.deaths} times.",
            advice="It may need more memory than there is, or break a decoder: convert it, or use fewer workers.",
        )
        return [(self._items[errand.index], error)]

    def _look(self) -> list[tuple[T, R | Exception]]:
        """See which workers there are; answers are items whose worker has died once too often."""
        workers = self._workers()
        now = time.monotonic()
        self._threads = {
            address: facts["nthreads"] for address, facts in workers.items() if facts["status"] == "running"
        }
        still = {
            address
            for address, facts in workers.items()
            if facts["status"] != "running" and not facts.get("metrics", {}).get("executing")
        }
        self._still_since = {address: self._still_since.get(address, now) for address in still}
        answers: list[tuple[T, R | Exception]] = []
        for key, errand in list(self._running.items()):
            future = errand.future
            if future is None or future.status != "pending":
                continue
            if errand.worker not in workers:
                self._recall(key)
                answers += self._died(errand)
            elif now - self._still_since.get(errand.worker, now) > PAUSE_S:
                self._recall(key)
                self._unlucky.append(errand)
        self._despair(now)
        return answers

    def _recall(self, key: str) -> None:
        future = self._running.pop(key).future
        self._client.cancel([future], force=True)

    def _workers(self) -> dict[str, Any]:
        try:
            return dict(self._client.scheduler_info(n_workers=-1)["workers"])
        except Exception as error:
            raise UsageError(
                "The Dask scheduler does not answer any more.",
                advice="See why it has ended, start it, and run this again: what is done stays done.",
            ) from error

    def _despair(self, now: float) -> None:
        """End the run where nobody has taken work for long."""
        if self._threads or self._running:
            self._hopeful = now
        elif now - self._hopeful > PATIENCE_S:
            raise UsageError(
                f"No worker takes work for {PATIENCE_S:.0f} seconds: there is none, or all are short of memory.",
                advice="Start workers, or give them more memory, and run this again: what is done stays done.",
            )
