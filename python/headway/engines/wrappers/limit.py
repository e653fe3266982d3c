"""Limit: no more calls at a time, and per second, than a server (or a contract) allows."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from headway.engines.gate import Gate
from headway.engines.wrappers.base import Wrapper
from headway.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from headway.engines.base import Answer, Engine, Request


class Limit(Wrapper):
    """Limits how many calls run at a time, and how many are started per second.

    Who waits is served by `Request.priority`, then in order of arrival. A call that is cancelled
    while it waits frees its place in the queue.

    Parameters
    ----------
    inner : Engine
    concurrency : int, optional
        So many calls at a time; by default any number.
    per_second : float, optional
        So many calls started per second, evenly spaced; by default any number.
    clock, sleep : callable, optional
        Where the time comes from, and what waits; for tests.

    Raises
    ------
    OptionError
        Where a limit is not positive.
    """

    def __init__(
        self,
        inner: Engine,
        *,
        concurrency: int | None = None,
        per_second: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        super().__init__(inner)
        self._gate = Gate(concurrency, per_second, clock=clock, sleep=sleep)
        self._clock = clock
        self._waited = 0.0

    async def complete(self, request: Request) -> Answer:
        """Pass the request on once there is a place for it."""
        arrived = self._clock()
        try:
            await self._gate.enter(request.priority)
        finally:
            self._waited += self._clock() - arrived
        try:
            return await self.inner.complete(request)
        finally:
            self._gate.leave()

    async def close(self) -> None:
        """Refuse the calls that wait, and close the engine inside."""
        self._gate.send_away(
            lambda: EngineError(f"{self.name} was closed while the call waited for a place")
        )
        await self.inner.close()

    def counted(self) -> dict[str, float]:
        """Return how long calls waited in all, and how many there were at a time."""
        return {
            "limit_waited_seconds": self._waited,
            "limit_in_flight_max_calls": self._gate.inside_max,
            "limit_waiting_max_calls": self._gate.waiting_max,
        }
