"""Modelled time for engines that are made of Python: sleepers, and a clock that jumps to the next.

An engine in virtual time forwards `now` and `advance` to one of these and sleeps on it in
`complete`. The driver lets time pass only when all agents wait.
"""

from __future__ import annotations

import asyncio
import heapq
import math

from headway.errors import OptionError


class VirtualClock:
    """Modelled seconds, from 0, that pass only in `advance`."""

    def __init__(self) -> None:
        self._now = 0.0
        self._made = 0
        self._due: list[tuple[float, int, asyncio.Future[None]]] = []

    def now(self) -> float:
        """Return the modelled time in seconds."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Return when modelled time has come so much farther; of equals, in the order of calls.

        Raises
        ------
        OptionError
            If `seconds` is negative or not finite.
        """
        if not (math.isfinite(seconds) and seconds >= 0):
            raise OptionError(f"cannot sleep {seconds} seconds; it must be finite and at least 0")
        self._made += 1
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._due, (self._now + seconds, self._made, future))
        await future

    def advance(self) -> bool:
        """Jump to when the next sleeper wakes, and wake it; return whether there was one."""
        while self._due:
            due, _, future = heapq.heappop(self._due)
            if not future.done():
                self._now = due
                future.set_result(None)
                return True
        return False

    def clear(self) -> None:
        """Forget the sleepers, where nobody waits for them any more."""
        self._due.clear()
