"""Bounds how many requests vLLM holds; the others wait here, the most urgent first.

vLLM takes any number of requests, but one that it holds cannot change its priority or its rank.
"""

from __future__ import annotations

import asyncio
import heapq
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Gate:
    """Lets in at most `limit` at a time; who waits is let in by (priority, arrival).

    Attributes
    ----------
    inside, waiting : int
        How many are in, and how many wait, now.
    inside_max, waiting_max : int
        The most of each so far.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.inside = self.inside_max = 0
        self.waiting = self.waiting_max = 0
        self._heap: list[tuple[int, int, asyncio.Future[None]]] = []
        self._arrivals = count()
        self._refusal: Callable[[], Exception] | None = None

    async def enter(self, priority: int) -> None:
        """Wait for a place; `leave` gives it back.

        Raises
        ------
        Exception
            What was given to `shut`, if that was called before or meanwhile.
        """
        if self._refusal is not None:
            raise self._refusal()
        if self.inside < self.limit:
            self._let_in()
            return
        place = asyncio.get_running_loop().create_future()
        heapq.heappush(self._heap, (priority, next(self._arrivals), place))
        self.waiting += 1
        self.waiting_max = max(self.waiting_max, self.waiting)
        try:
            await place
        except asyncio.CancelledError:
            if place.cancelled():
                self._forget_cancelled()
            elif place.exception() is None:
                # It had just been let in.
                self.leave()
            raise

    def leave(self) -> None:
        """Give a place back; the most urgent of those who wait gets it."""
        self.inside -= 1
        while self._heap and self.inside < self.limit:
            place = heapq.heappop(self._heap)[2]
            if not place.done():
                self.waiting -= 1
                self._let_in()
                place.set_result(None)

    def shut(self, refusal: Callable[[], Exception]) -> None:
        """Refuse all who wait and all who come, each with an exception of its own."""
        self._refusal = refusal
        for _, _, place in self._heap:
            if not place.done():
                place.set_exception(refusal())
        self._heap.clear()
        self.waiting = 0

    def _let_in(self) -> None:
        self.inside += 1
        self.inside_max = max(self.inside_max, self.inside)

    def _forget_cancelled(self) -> None:
        if self._refusal is not None:
            return
        self.waiting -= 1
        # Usually they are dropped when their turn comes; here, before they outnumber the others.
        if len(self._heap) > 2 * self.waiting + 16:
            self._heap = [entry for entry in self._heap if not entry[2].done()]
            heapq.heapify(self._heap)
