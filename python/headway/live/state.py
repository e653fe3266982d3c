"""The state of a run that views, effects and the driver share."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.engines.base import Answer
from headway.errors import EngineError, FootprintError, OptionError
from headway.live.agent import Agent
from headway.live.counters import Counters
from headway.space import Plane
from headway.world.store import World
from headway.world.values import freeze

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from headway.engines.base import Engine, Request
    from headway.live.view import View
    from headway.space import Space
    from headway.world.places import Place
    from headway.world.store import Rank

    #: Executes one step of an agent: returns an action or None, or what is awaited for it.
    Execute = Callable[[Agent, View], Any]


#: The scheduler's limit, so that bounds stay exact.
FOOTPRINT_MAX = 2**30


class State:
    """Agents by id, their world, and what has been counted.

    Ids are those of the scheduler and of the world. Agents there from the beginning come first;
    the order of agents that results depend on is that of `ranks`.
    """

    def __init__(
        self,
        *,
        space: Space,
        agents: Iterable[Agent],
        places: Iterable[Place],
        footprint: tuple[float, float, float],
        seed: int,
        seconds_per_step: float,
        start: datetime,
    ) -> None:
        self.space = space
        self.seed = seed
        self.seconds_per_step = seconds_per_step
        self.start = start
        self.counters = Counters()
        self.engine: Engine | None = None
        self.on_call: Callable[[Request, Answer], None] | None = None
        #: How a step is executed.
        self.execute: Execute = execute
        #: Of the driver: look for news, and break off the run.
        self.wake: Callable[[], None] = _nothing
        self.stop: Callable[[BaseException], None] = _nothing
        self._default = footprint
        self._whole = not isinstance(space, Plane)
        self.agents: list[Agent] = []
        self.names: list[str] = []
        self.id_of: dict[str, int] = {}
        self.ranks: list[Rank] = []
        self.positions: list[Any] = []
        self.sight: list[float] = []
        self.speed: list[float] = []
        self.reach: list[float] = []
        #: Who has `snapshot` and `restore`.
        self.restorable: list[bool] = []
        #: The next step of each agent; while it runs, the one it executes.
        self.clocks: list[int] = []
        #: The step each agent joins at, and the one it left after (or None).
        self.joined: list[int] = []
        self.left: list[int | None] = []
        given = list(agents)
        for agent in given:
            _check_agent(agent)
        now = [(rank, agent) for rank, agent in enumerate(given) if not agent.joins]
        later = [(rank, agent) for rank, agent in enumerate(given) if agent.joins]
        #: Whether ids and ranks may be in different orders.
        self.reordered = bool(later)
        for rank, agent in now + later:
            self._enter(agent, (rank,), agent.joins)
        if not given:
            raise OptionError("a simulation needs at least one agent")
        here = np.array(self.positions)[: len(now)]
        self.world = World(space, here, places, sight=max(self.sight))
        for agent_id, (_, agent) in enumerate(now + later):
            state = freeze(agent.state, f"the public state of {agent.name!r}")
            if agent.joins:
                self.world.add(self.positions[agent_id], state, agent.joins)
            elif state is not None:
                self.world.publish(agent_id, state, 0)

    def _enter(self, agent: Agent, rank: Rank, joins: int) -> int:
        """List an agent under the next id."""
        name = agent.name
        if not isinstance(name, str) or not name:
            raise OptionError(f"an agent's name must be text, got {name!r}")
        if name in self.id_of:
            raise OptionError(f"there are two agents named {name!r}; names must be unique")
        if not isinstance(joins, int) or joins < 0:
            raise OptionError(f"{name!r} joins at step {joins!r}; it must be a number from 0")
        sight, speed, reach = self.footprint_of(agent)
        position = self.space.check(agent.position, what=f"the position of {name!r}")
        agent_id = len(self.names)
        self.agents.append(agent)
        self.names.append(name)
        self.id_of[name] = agent_id
        self.ranks.append(rank)
        self.positions.append(position)
        self.sight.append(sight)
        self.speed.append(speed)
        self.reach.append(reach)
        self.restorable.append(hasattr(agent, "snapshot") and hasattr(agent, "restore"))
        self.clocks.append(0)
        self.joined.append(joins)
        self.left.append(None)
        return agent_id

    def footprint_of(self, agent: Agent) -> tuple[float, float, float]:
        """Return an agent's sight, speed and reach, with the defaults filled in.

        Raises
        ------
        FootprintError
            If one of them cannot be: the message names the agent, the number and the limit.
        """
        sight, speed, reach = self._default
        if agent.speed is not None:
            speed = agent.speed
            reach = max(reach, speed)
        if agent.sight is not None:
            sight = agent.sight
        if agent.reach is not None:
            reach = agent.reach
        for what, value in (("sight", sight), ("speed", speed), ("reach", reach)):
            _check_footprint(agent.name, what, value, whole=self._whole)
        if reach < speed:
            raise FootprintError(
                f"{agent.name!r} has reach {reach:g} and speed {speed:g}; the reach must be at "
                f"least the speed, because moving somewhere is an effect there",
                agent=agent.name,
                what="reach",
                value=reach,
            )
        return float(sight), float(speed), float(reach)

    def add_child(self, child: Agent, rank: Rank, step: int) -> int:
        """List an agent that joins at a step, and put it into the world of that step."""
        agent_id = self._enter(child, rank, step)
        self.reordered = True
        self.clocks[agent_id] = step
        state = freeze(child.state, f"the public state of {child.name!r}")
        self.world.add(self.positions[agent_id], state, step)
        return agent_id

    def time(self, step: int) -> datetime:
        """Return the simulated time at the start of a step."""
        return self.start + timedelta(seconds=self.seconds_per_step * step)

    def in_order(self) -> list[int]:
        """Return all ids in the order of agents."""
        ids = range(len(self.names))
        return sorted(ids, key=self.ranks.__getitem__) if self.reordered else list(ids)

    async def ask(self, request: Request) -> Answer:
        """Have the engine answer a request, and count it."""
        engine, counters = self.engine, self.counters
        if engine is None:
            raise OptionError(f"{request} was made in a simulation that runs without an engine")
        counters.begin_call(engine.now())
        if engine.virtual:
            self.wake()
        try:
            answer = await engine.complete(request)
        finally:
            counters.end_call(engine.now())
        if not isinstance(answer, Answer):
            raise EngineError(
                f"the engine {engine.name!r} answered {request} with a {type(answer).__name__}; "
                f"complete() returns an Answer"
            )
        counters.prompt_tokens += answer.prompt_tokens
        counters.output_tokens += answer.output_tokens
        counters.cached_tokens += answer.cached_tokens or 0
        counters.calls += 1
        if self.on_call is not None:
            try:
                self.on_call(request, answer)
            except Exception as error:
                self.stop(error)
        return answer


def execute(agent: Agent, view: View) -> Any:  # noqa: ANN401 - an action, or what is awaited for it
    """Execute one step of an agent."""
    return agent.step(view)


def _check_agent(agent: object) -> None:
    if not isinstance(agent, Agent):
        raise OptionError(f"agents must be of class headway.Agent, got {agent!r:.100}")
    if not hasattr(agent, "joins"):
        raise OptionError(
            f"a {type(agent).__name__} has no name and no position: call "
            f"super().__init__(name, position) in its __init__"
        )


def _nothing(*_: object) -> None:
    """Do nothing."""


def _check_footprint(name: str, what: str, value: object, *, whole: bool) -> None:
    demand = ""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        demand = "a number"
    elif not math.isfinite(value) or value < 0:
        demand = "a finite number, at least 0"
    elif value > FOOTPRINT_MAX:
        demand = f"at most {FOOTPRINT_MAX}"
    elif whole and value != int(value):
        demand = "a whole number of tiles or hops (round it up, or use a Plane)"
    if demand:
        raise FootprintError(
            f"the {what} of {name!r} is {value!r}; it must be {demand}",
            agent=name,
            what=what,
            value=value,
        )
