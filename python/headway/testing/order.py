"""Orders of execution: how long the starts and the ends of steps, and answers, are delayed."""

from __future__ import annotations

import inspect
import math
from random import Random
from typing import TYPE_CHECKING, Any

from headway.engines.base import Answer, Engine, Request
from headway.engines.clock import VirtualClock
from headway.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from headway.live import Agent, View

#: What is delayed: of which agent, in which step, and the start of the step (before it has read
#: anything), its end (before its effects are seen), or the answer to its n-th call.
Moment = tuple[str, int, str]

#: Of agents in the orders with stragglers.
SLOW_ONE_IN = 4


class Order:
    """Delays, in modelled seconds, of everything whose order lock-step leaves open.

    One number makes one order. Orders differ in kind, too: in some a few moments are late, in
    some all are a little, in some a few agents are always slow.

    Parameters
    ----------
    seed : int, optional
        Of random delays.
    delays : mapping of (agent, step, what) to seconds
        Without a seed: these, and no others. `what` is "start", "end", or "answer 0", "answer 1".

    Attributes
    ----------
    used : dict of (agent, step, what) to seconds
        The delays that were more than 0, as they were asked for.

    Raises
    ------
    OptionError
        If a delay is negative or not finite.
    """

    def __init__(
        self, seed: int | None = None, *, delays: Mapping[Moment, float] | None = None
    ) -> None:
        self.seed = seed
        self._delays = dict(delays or {})
        for moment, delay in self._delays.items():
            if not 0 <= delay < math.inf:
                raise OptionError(
                    f"{moment} is delayed by {delay} seconds; it must be finite and at least 0"
                )
        self.used: dict[Moment, float] = {}
        chance = Random(f"order {seed}")
        self._often = {what: chance.choice([0, 0.1, 0.5, 1]) for what in ("start", "end", "answer")}
        if not any(self._often.values()):
            self._often["start"] = 0.5
        self._spread = chance.choice([0.3, 1.0, 2.0])
        self._stragglers = chance.random() < 0.4

    def delay(self, agent: str, step: int, what: str) -> float:
        """Return how long a moment is delayed, in modelled seconds."""
        if self.seed is None:
            delay = self._delays.get((agent, step, what), 0.0)
        else:
            delay = self._drawn(agent, step, what)
        if delay > 0:
            self.used[agent, step, what] = delay
        return delay

    def _drawn(self, agent: str, step: int, what: str) -> float:
        chance = Random(f"{self.seed} {agent} {step} {what}")
        delay = 0.0
        if chance.random() < self._often[what.partition(" ")[0]]:
            delay = chance.lognormvariate(0, self._spread)
        if self._stragglers and Random(f"{self.seed} {agent}").randrange(SLOW_ONE_IN) == 0:
            delay = 10 * (delay + chance.random())
        return delay

    def __repr__(self) -> str:
        """Show what makes it again."""
        if self.seed is not None:
            return f"Order({self.seed})"
        return f"Order(delays={self._delays!r})"


class OrderedEngine(Engine):
    """Gives the answers of another engine, as late as an order says. Its time is modelled.

    Parameters
    ----------
    answers : Engine
        Must answer at once, and equal requests equally.
    order : Order

    Raises
    ------
    OptionError
        If the time of `answers` is modelled too.
    """

    virtual = True

    def __init__(self, answers: Engine, order: Order) -> None:
        if answers.virtual:
            raise OptionError(
                f"the order of answers is what is tried out, so the engine must answer at once, "
                f"but the time of {answers.name!r} is modelled too; pass one in real time, such as "
                f"ScriptedEngine(latency=None)"
            )
        self.name = answers.name
        self.clock = VirtualClock()
        self._answers = answers
        self._order = order

    async def start(self) -> None:
        """Start the engine whose answers they are."""
        await self._answers.start()

    async def complete(self, request: Request) -> Answer:
        """Answer one request."""
        repeat = f".{request.attempt}" if request.attempt else ""
        delay = self._order.delay(request.agent, request.step, f"answer {request.call}{repeat}")
        if delay > 0:
            await self.clock.sleep(delay)
        return await self._answers.complete(request)

    def now(self) -> float:
        """Return the modelled time."""
        return self.clock.now()

    def advance(self) -> bool:
        """Jump to the next moment that was delayed."""
        return self.clock.advance()

    async def close(self) -> None:
        """Close the engine whose answers they are."""
        self.clock.clear()
        await self._answers.close()

    async def around_step(
        self, execute: Callable[[Agent, View], Any], agent: Agent, view: View
    ) -> Any:  # noqa: ANN401
        """Execute a step, with its start and its end delayed; for `Simulation.run`."""
        name, step = view.name, view.step
        await self._wait(view, self._order.delay(name, step, "start"))
        result = execute(agent, view)
        if inspect.isawaitable(result):
            result = await result
        await self._wait(view, self._order.delay(name, step, "end"))
        return result

    async def _wait(self, view: View, delay: float) -> None:
        if delay > 0:
            view._open().wake()
            await self.clock.sleep(delay)
