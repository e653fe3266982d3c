"""Run functions at once, each in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Any


def together(*jobs: Callable[[], Any], watching: tuple[Callable[[], Any], ...] = ()) -> list[Any]:
    """Run jobs, all let go at the same moment; return what they have returned.

    What is `watching` is called over and over until all jobs have ended. What any of them raised
    first is raised here.
    """
    barrier = threading.Barrier(len(jobs) + len(watching))
    results: list[Any] = [None] * len(jobs)
    raised: list[BaseException] = []
    over = threading.Event()

    def guarded(work: Callable[[], None]) -> None:
        barrier.wait()
        try:
            work()
        except BaseException as error:
            raised.append(error)

    def do(at: int, job: Callable[[], Any]) -> None:
        results[at] = job()

    def watch(look: Callable[[], Any]) -> None:
        while not over.is_set():
            look()

    doing = [lambda at=at, job=job: do(at, job) for at, job in enumerate(jobs)]
    looking = [lambda look=look: watch(look) for look in watching]
    threads = [threading.Thread(target=guarded, args=(work,)) for work in doing + looking]
    for thread in threads:
        thread.start()
    for thread in threads[: len(jobs)]:
        thread.join()
    over.set()
    for thread in threads[len(jobs) :]:
        thread.join()
    if raised:
        raise raised[0]
    return results


class Shared:
    """Work for whoever is free next; it is over when nothing is left, or when somebody stops."""

    def __init__(self, workers: int) -> None:
        self._queue: SimpleQueue[Any] = SimpleQueue()
        self._lock = threading.Lock()
        self._open = 0
        self._workers = workers

    def add(self, pieces: list[Any]) -> None:
        with self._lock:
            self._open += len(pieces)
        for piece in pieces:
            self._queue.put(piece)

    def stop(self) -> None:
        for _ in range(self._workers):
            self._queue.put(None)

    def __iter__(self) -> Iterator[Any]:
        """Take pieces; one counts as done when the next is asked for."""
        try:
            while (piece := self._queue.get()) is not None:
                yield piece
                with self._lock:
                    self._open -= 1
                    over = self._open == 0
                if over:
                    self.stop()
        except GeneratorExit:  # whoever took the piece has failed
            self.stop()
            raise
