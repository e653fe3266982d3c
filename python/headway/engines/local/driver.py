"""The thread that drives a backend, and the queue before it.

A backend knows no priorities, so requests wait here and are handed over only when there is room.
Everything of the backend happens in this one thread; the event loop only sees futures.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import heapq
import itertools
import queue
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from headway.errors import EngineError, HeadwayError

if TYPE_CHECKING:
    from collections.abc import Callable

    from headway.engines.base import Answer, Request


class Prepared(NamedTuple):
    """A request a backend has checked.

    Attributes
    ----------
    request : Request
    tokens : list of int
        The prompt.
    blocks : int
        Of the cache, for prompt and answer.
    grammar : str or None
        Names what restricts the answer.
    config : object
        Of the backend.
    """

    request: Request
    tokens: list[int] = []  # noqa: RUF012
    blocks: int = 0
    grammar: str | None = None
    config: object = None


class Backend(Protocol):
    """What runs a model. All methods are called from the driver's thread."""

    #: Whether answers tell how many tokens came from the prefix cache.
    tells_cached: bool

    def prepare(self, request: Request) -> Prepared:
        """Check a request; return what `add` needs of it.

        Raises
        ------
        EngineError
            If it cannot be answered.
        """

    def fits(self, prepared: Prepared) -> bool:
        """Return whether this can be added before the next step."""

    def add(self, key: int, prepared: Prepared) -> None:
        """Begin to work on a request."""

    def step(self) -> list[tuple[int, Answer | EngineError]]:
        """Work for a moment; return what came to an end."""

    def cancel(self, key: int) -> None:
        """Forget a request that was added."""

    def close(self) -> None:
        """Give everything back."""


@dataclass(slots=True)
class _Job:
    """One call that waits for its answer."""

    key: int
    request: Request
    future: asyncio.Future[Answer]


class Driver:
    """Runs a backend in a thread of its own.

    Parameters
    ----------
    load : callable
        Makes the backend; called in the thread.
    max_sequences : int
        The backend works on at most so many requests at a time.
    """

    def __init__(self, load: Callable[[], Backend], max_sequences: int) -> None:
        names = "requests refused_requests cancelled_requests in_flight_max_requests"
        names += " prompt_tokens output_tokens cached_tokens busy_seconds start_seconds"
        self._counts = dict.fromkeys(names.split(), 0.0)
        self._load = load
        self._max_sequences = max_sequences
        self._numbers = itertools.count(1)
        self._inbox: queue.SimpleQueue[_Job | int | None] = queue.SimpleQueue()
        self._jobs: dict[int, _Job] = {}
        self._waiting: list[tuple[int, int, Prepared]] = []
        self._in_flight: set[int] = set()
        self._lock = threading.Lock()
        self._closed: str | None = None
        self._backend: Backend | None = None
        self._thread = threading.Thread(target=self._run, name="headway-local", daemon=True)

    async def start(self) -> None:
        """Load the model; the event loop goes on meanwhile."""
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._thread.start()
        # A thread that is inside the native library while the interpreter goes away would crash.
        atexit.register(self._stop)
        await self._ready

    def submit(self, request: Request) -> tuple[int, asyncio.Future[Answer]]:
        """Queue a request; return its number and what will hold its answer."""
        job = _Job(next(self._numbers), request, asyncio.get_running_loop().create_future())
        with self._lock:
            if self._closed:
                raise EngineError(self._closed)
            self._inbox.put(job)
        return job.key, job.future

    def cancel(self, key: int) -> None:
        """Take a request back."""
        self._inbox.put(key)

    async def close(self) -> None:
        """Stop the thread; calls in flight get an error."""
        await asyncio.to_thread(self._stop)
        atexit.unregister(self._stop)

    def statistics(self) -> dict[str, float]:
        """Return the counts, and how many requests there are at the moment."""
        counts = dict(self._counts)
        if not (self._backend and self._backend.tells_cached):
            del counts["cached_tokens"]
        counts["in_flight_requests"] = float(len(self._in_flight))
        counts["waiting_requests"] = float(len(self._jobs) - len(self._in_flight))
        return counts

    def _stop(self) -> None:
        self._inbox.put(None)
        if self._thread.ident is not None:
            self._thread.join()

    # From here on: the thread.

    def _run(self) -> None:
        reason = "the local engine is closed"
        began = time.perf_counter()
        try:
            self._backend = self._load()
            self._counts["start_seconds"] = time.perf_counter() - began
            _settle(self._ready, None)
            while self._take_orders():
                self._turn(self._backend)
        except BaseException as error:  # whoever waits must hear of it, whatever it is
            reason = f"the local engine failed, make a new one: {error}"
            _settle(self._ready, error if isinstance(error, HeadwayError) else EngineError(reason))
        with self._lock:
            self._closed = reason
        with contextlib.suppress(queue.Empty):
            while True:
                order = self._inbox.get_nowait()
                if isinstance(order, _Job):
                    self._jobs[order.key] = order
        for job in self._jobs.values():
            _settle(job.future, EngineError(reason))
        self._jobs.clear()
        self._in_flight.clear()
        if self._backend is not None:
            self._backend.close()

    def _take_orders(self) -> bool:
        """Take what the event loop sent, waiting for it if there is nothing else to do."""
        while True:
            try:
                order = self._inbox.get(block=not self._jobs)
            except queue.Empty:
                return True
            if order is None:
                return False
            if isinstance(order, _Job):
                self._accept(order)
            elif order in self._jobs:
                self._counts["cancelled_requests"] += 1
                self._forget(order)

    def _accept(self, job: _Job) -> None:
        assert self._backend is not None
        self._counts["requests"] += 1
        try:
            prepared = self._backend.prepare(job.request)
        except EngineError as error:
            self._counts["refused_requests"] += 1
            _settle(job.future, error)
            return
        self._jobs[job.key] = job
        heapq.heappush(self._waiting, (job.request.priority, job.key, prepared))

    def _forget(self, key: int) -> None:
        del self._jobs[key]
        if key in self._in_flight:
            self._in_flight.remove(key)
            assert self._backend is not None
            self._backend.cancel(key)

    def _turn(self, backend: Backend) -> None:
        """Hand over what there is room for, and let the backend work for a moment."""
        while self._waiting and len(self._in_flight) < self._max_sequences:
            _, key, prepared = self._waiting[0]
            if key in self._jobs:  # and was not cancelled
                if not backend.fits(prepared):
                    break
                backend.add(key, prepared)
                self._in_flight.add(key)
            heapq.heappop(self._waiting)
        counts = self._counts
        most = max(counts["in_flight_max_requests"], len(self._in_flight))
        counts["in_flight_max_requests"] = float(most)
        if not self._in_flight:
            return
        began = time.perf_counter()
        ended = backend.step()
        counts["busy_seconds"] += time.perf_counter() - began
        for key, outcome in ended:
            self._in_flight.discard(key)
            job = self._jobs.pop(key)
            if isinstance(outcome, EngineError):
                counts["refused_requests"] += 1
            else:
                counts["prompt_tokens"] += outcome.prompt_tokens
                counts["output_tokens"] += outcome.output_tokens
                counts["cached_tokens"] += outcome.cached_tokens or 0
            _settle(job.future, outcome)


def _settle(future: asyncio.Future[Any], outcome: object) -> None:
    """Put a result or an exception into a future of another thread's event loop."""

    def settle() -> None:
        if future.done():
            return
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)

    # An event loop that is closed has nobody left who waits.
    with contextlib.suppress(RuntimeError):
        future.get_loop().call_soon_threadsafe(settle)
