"""A gate: so many may be inside, so many may enter per second, and who is behind enters first."""

from __future__ import annotations

import asyncio
import heapq
import math
import time
from typing import TYPE_CHECKING

from headway.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class Gate:
    """Lets callers in by priority (smaller first), then arrival.

    Parameters
    ----------
    places : int, optional
        How many may be inside at a time; by default any number.
    per_second : float, optional
        How many may enter per second, evenly spaced; by default any number.
    clock, sleep : callable, optional
        Where the time comes from, in seconds, and what waits; for tests.

    Attributes
    ----------
    inside, waiting : int
        How many have a place, and how many wait for one.
    inside_max, waiting_max : int
        The most of each at a time.

    Raises
    ------
    OptionError
        Where a limit is not positive.
    """

    def __init__(
        self,
        places: int | None = None,
        per_second: float | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        if places is not None and places < 1:
            raise OptionError(f"a limit of {places} calls at a time lets none through; from 1 on")
        if per_second is not None and not 0 < per_second < math.inf:
            raise OptionError(f"a limit of {per_second} calls per second; it must be positive")
        self.inside = self.inside_max = 0
        self.waiting = self.waiting_max = 0
        self._places = math.inf if places is None else places
        self._spacing = 0.0 if per_second is None else 1 / per_second
        self._clock = clock
        self._sleep = sleep
        self._next_entry = -math.inf
        self._arrivals = 0
        self._queue: list[tuple[int, int, asyncio.Future[None]]] = []
        self._pacer: asyncio.Task[None] | None = None

    async def enter(self, priority: int = 0) -> None:
        """Wait for a place and take it. Who is cancelled meanwhile has none."""
        if self.inside < self._places and not self._queue and not self._spacing:
            self._let_in()
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._arrivals += 1
        self.waiting += 1
        heapq.heappush(self._queue, (priority, self._arrivals, turn))
        self._admit()
        self.waiting_max = max(self.waiting_max, self.waiting)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self.waiting -= 1
                self._clear()
            elif turn.exception() is None:
                # Let in and cancelled in the same turn of the loop: the place is free again.
                self.leave()
            raise

    def leave(self) -> None:
        """Give the place back."""
        self.inside -= 1
        self._admit()

    def send_away(self, error: Callable[[], Exception]) -> None:
        """Have everybody who waits raise an error, in the order in which they would have entered.

        Each gets one of its own: one that many raise would grow with the traces of all. Who comes
        later waits again.
        """
        queue, self._queue = self._queue, []
        for _, _, turn in sorted(queue, key=lambda entry: entry[:2]):
            if not turn.done():
                self.waiting -= 1
                turn.set_exception(error())
        if self._pacer is not None:
            self._pacer.cancel()
            self._pacer = None

    def _admit(self) -> None:
        while self._queue and self.inside < self._places:
            if self._queue[0][2].done():
                heapq.heappop(self._queue)
                continue
            if self._spacing and not self._is_time():
                return
            turn = heapq.heappop(self._queue)[2]
            self.waiting -= 1
            self._let_in()
            turn.set_result(None)

    def _let_in(self) -> None:
        self.inside += 1
        self.inside_max = max(self.inside_max, self.inside)

    def _is_time(self) -> bool:
        """Take the next moment of entry if it has come; otherwise see to it that it is awaited."""
        now = self._clock()
        if now >= self._next_entry:
            self._next_entry = now + self._spacing
            return True
        if self._pacer is None:
            self._pacer = asyncio.ensure_future(self._pace(self._next_entry - now))
        return False

    async def _pace(self, seconds: float) -> None:
        await self._sleep(seconds)
        self._pacer = None
        self._admit()

    def _clear(self) -> None:
        """Drop those who are gone from the queue, once most of it is they."""
        if len(self._queue) > 2 * self.waiting + 16:
            self._queue = [entry for entry in self._queue if not entry[2].done()]
            heapq.heapify(self._queue)
