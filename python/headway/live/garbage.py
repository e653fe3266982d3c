"""Fewer searches for cyclic garbage while simulations run.

How often Python searches is a number of the process, so runs in several threads share it: the first
one sets it, the last one to end puts it back.
"""

from __future__ import annotations

import gc
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

#: New objects after which Python looks for cycles during a run.
YOUNG_OBJECTS = 20_000


class _Runs:
    """How many runs want fewer searches now, and what was set before the first of them."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._count = 0
        self._before: tuple[int, int, int] = (0, 0, 0)

    def begin(self) -> None:
        with self._lock:
            if self._count == 0:
                self._before = gc.get_threshold()
                if 0 < self._before[0] < YOUNG_OBJECTS:
                    gc.set_threshold(YOUNG_OBJECTS, *self._before[1:])
            self._count += 1

    def end(self) -> None:
        with self._lock:
            self._count -= 1
            if self._count == 0:
                gc.set_threshold(*self._before)


_runs = _Runs()


@contextmanager
def fewer_collections() -> Iterator[None]:
    """Let Python look for cyclic garbage less often while thousands of steps are in flight.

    Each makes some dozens of objects that live until its answers have come; looking through them
    every 700 objects, as Python does by itself, takes a third of the driver's time.
    """
    _runs.begin()
    try:
        yield
    finally:
        _runs.end()
