"""Retry: try again where trying again may help."""

from __future__ import annotations

import asyncio
import math
import random
from typing import TYPE_CHECKING, Any

from headway.engines.wrappers.base import Wrapper
from headway.errors import EngineUnavailableError, MissingExtraError, OptionError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from headway.engines.base import Answer, Engine, Request


class Retry(Wrapper):
    """Repeats a call as long as the engine inside is unavailable; other errors pass at once.

    It waits `first_wait` seconds before the second attempt, twice as long before each further one,
    at most `longest_wait`, and of that a random share of at least half, so that calls that failed
    together do not come back together. Where the engine asked for a time (`retry_after`), it waits
    that long at least.

    Parameters
    ----------
    inner : Engine
    attempts : int
        At most so many, the first included.
    first_wait, longest_wait : float
        In seconds.
    time_limit : float, optional
        Seconds for one attempt; one that takes longer is cancelled and counts as failed. What is
        waited in wrappers inside counts too.
    sleep, chance : callable, optional
        What waits, and what draws a number from 0 to 1; for tests. By default the numbers come
        from a generator of its own, so that the program's are not touched.

    Raises
    ------
    OptionError
        Where a number is not positive.
    MissingExtraError
        Where tenacity is not installed.
    """

    def __init__(
        self,
        inner: Engine,
        *,
        attempts: int = 5,
        first_wait: float = 0.5,
        longest_wait: float = 30.0,
        time_limit: float | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        chance: Callable[[], float] | None = None,
    ) -> None:
        super().__init__(inner)
        given = {"attempts": attempts, "first_wait": first_wait, "longest_wait": longest_wait}
        for option, value in {**given, "time_limit": time_limit}.items():
            if value is not None and not 0 < value < math.inf:
                raise OptionError(f"{option} is {value}; it must be positive")
        self._tenacity = _load_tenacity()
        self._attempts = attempts
        self._first_wait = first_wait
        self._longest_wait = longest_wait
        self._time_limit = time_limit
        self._sleep = sleep
        self._chance = chance or random.Random().random
        self._repeated = 0
        self._given_up = 0
        self._waited = 0.0

    async def complete(self, request: Request) -> Answer:
        """Answer one request, in several attempts if need be.

        Raises
        ------
        EngineUnavailableError
            Where all attempts failed; with the last one's reason.
        EngineError
            Where trying again does not help.
        """
        tenacity = self._tenacity
        # One for each call: tenacity keeps the state of a call in the object.
        attempts = tenacity.AsyncRetrying(
            sleep=self._pause,
            stop=tenacity.stop_after_attempt(self._attempts),
            wait=self._wait,
            retry=tenacity.retry_if_exception_type(EngineUnavailableError),
            reraise=True,
        )
        try:
            answer: Answer = await attempts(self._attempt, request)
        except EngineUnavailableError as error:
            self._given_up += 1
            raise EngineUnavailableError(
                f"{request} failed {self._attempts} times, the last time because {error}; look "
                "whether the engine is up and not overloaded",
                retry_after=error.retry_after,
            ) from error
        return answer

    async def _attempt(self, request: Request) -> Answer:
        if self._time_limit is None:
            return await self.inner.complete(request)
        try:
            async with asyncio.timeout(self._time_limit) as limit:
                return await self.inner.complete(request)
        except TimeoutError:
            if not limit.expired():
                raise  # the engine's own
            raise EngineUnavailableError(
                f"{self.inner.name} took more than {self._time_limit} s for {request}"
            ) from None

    def _wait(self, state: Any) -> float:  # noqa: ANN401 - tenacity's
        # From 64 doublings on it is the longest wait anyway, and the number would overflow.
        doubled = math.ldexp(self._first_wait, min(state.attempt_number - 1, 64))
        wait = min(doubled, self._longest_wait) * (1 + self._chance()) / 2
        asked: float | None = state.outcome.exception().retry_after
        return wait if asked is None else max(asked, 0.0) + wait

    async def _pause(self, seconds: float) -> None:
        self._repeated += 1
        self._waited += seconds
        await self._sleep(seconds)

    def counted(self) -> dict[str, float]:
        """Return how many attempts were repeats, how long was waited, and what was given up."""
        return {
            "retry_repeated_attempts": self._repeated,
            "retry_waited_seconds": self._waited,
            "retry_given_up_calls": self._given_up,
        }


def _load_tenacity() -> Any:  # noqa: ANN401 - a module
    try:
        import tenacity  # noqa: PLC0415 - an optional dependency
    except ImportError as error:
        raise MissingExtraError(
            'repeating calls needs tenacity; install it with pip install "headway[openai]"'
        ) from error
    return tenacity
