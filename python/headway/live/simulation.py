"""`Simulation`: agents in a space, run by a schedule on an engine."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager, nullcontext
from copy import copy
from datetime import datetime
from functools import partial
from threading import Lock, get_ident
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.engines.base import Engine
from headway.engines.registry import make_engine
from headway.errors import OptionError
from headway.live.debug import Debugger
from headway.live.driver import Driver
from headway.live.events import Event, EventLog
from headway.live.garbage import fewer_collections
from headway.live.outcome import Outcome, final_state
from headway.live.policy import OnError
from headway.live.state import State, execute
from headway.schedules.live import make_live_schedule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from headway.engines.base import Answer, Request
    from headway.live.agent import Agent
    from headway.live.failures import Failure
    from headway.live.state import Execute
    from headway.live.view import View
    from headway.space import Space
    from headway.world import Place

#: Seconds between two calls of `progress`.
PROGRESS_EVERY = 0.1

#: Held while a run makes sure that it is the only one of its simulation.
_ONE = Lock()


class Simulation:
    """Agents that live in a space, with places, a seed and a clock.

    A simulation is run once, in one or several parts: `run(steps=100)` and then `run(steps=200)`
    goes on where the first one stopped. To run it again, make it again; a function that makes it
    is what the command line and the test kit take.

    Several simulations can run at once, each in a thread and with an engine of its own, and give
    what each gives alone, if their agents share nothing; they may share a space. One that is
    running is not run by a second thread, nor is its final state read by one: an OptionError.

    Parameters
    ----------
    space : Space
        `Grid`, `Plane` or `Graph`.
    agents : iterable of Agent
        In the order in which their effects on the same thing are applied.
    places : iterable of Place, optional
    sight, speed, reach : number
        How far an agent perceives, moves and affects others in one step, in the unit of the space;
        `reach` is by default the speed. An agent may have its own. The smaller they are, the less
        agents wait for each other; they are enforced.
    seed : int
        Of all random numbers.
    seconds_per_step : float
        Simulated seconds in a step.
    start : datetime
        Simulated time of step 0.

    Raises
    ------
    OptionError, SpaceError, FootprintError, ValueTypeError
        With the agent or place and what to do.
    """

    def __init__(
        self,
        space: Space,
        agents: Iterable[Agent],
        *,
        places: Iterable[Place] = (),
        sight: float = 4,
        speed: float = 1,
        reach: float | None = None,
        seed: int = 0,
        seconds_per_step: float = 10.0,
        start: datetime = datetime(2030, 1, 1),
    ) -> None:
        self.space = space
        self.seed = seed
        self._made_of: dict[str, Any] = {
            "space": space,
            "agents": tuple(agents),
            "places": tuple(places),
            "footprint": (sight, speed, speed if reach is None else reach),
            "seed": seed,
            "seconds_per_step": seconds_per_step,
            "start": start,
        }
        self.state = State(**self._made_of)
        #: The thread in which it is run now.
        self._thread: int | None = None
        self._schedule_name: str | None = None
        self._driver: Driver | None = None
        self._engine_name = ""
        self._steps = 0
        self._modelled = False
        self._seconds = self._real_seconds = 0.0
        self._engine_statistics: dict[str, float] = {}

    def subset(self, agents: Iterable[str]) -> Simulation:
        """Return a simulation of some of the agents of this one, which must not have been run.

        Parameters
        ----------
        agents : iterable of str
            Their names. They are the same objects; only one of the two can be run.

        Raises
        ------
        OptionError
            If there is none of a name, or this simulation has been run.
        """
        if self._driver is not None:
            raise OptionError("this simulation has been run; take a subset of one just made")
        wanted = set(agents)
        if missing := wanted.difference(self.state.names):
            raise OptionError(f"there is no agent {min(missing)!r} in this simulation")
        kept = tuple(agent for agent in self._made_of["agents"] if agent.name in wanted)
        smaller = copy(self)
        smaller._made_of = {**self._made_of, "agents": kept}
        smaller.state = State(**smaller._made_of)
        return smaller

    def run(self, steps: int, **options: Any) -> Outcome:  # noqa: ANN401
        """Run all agents up to a step, and return what came of it; see `run_async`.

        Interrupted (Ctrl-C), it raises KeyboardInterrupt; what had been finished is kept, `outcome`
        tells of it, and another `run` goes on.
        """
        if asyncio._get_running_loop() is not None:
            raise OptionError(
                "an event loop is running already (a notebook?): use "
                "`await simulation.run_async(...)`"
            )
        return asyncio.run(self.run_async(steps, **options))

    async def run_async(
        self,
        steps: int,
        *,
        engine: Engine | str = "scripted",
        schedule: str = "conservative",
        on_error: OnError | str = "abort",
        on_event: Callable[[Event], None] | None = None,
        on_call: Callable[[Request, Answer], None] | None = None,
        progress: Callable[[Simulation], None] | None = None,
        around_step: Callable[[Execute, Agent, View], Any] | None = None,
        debug: bool = False,
    ) -> Outcome:
        """Run all agents up to a step.

        Parameters
        ----------
        steps : int
            Agents execute the steps 0 to steps - 1.
        engine : Engine or str
            What answers LLM calls: an engine, or its name (`headway.engines.make_engine`). It is
            started before the first step and closed after the last.
        schedule : {"conservative", "lockstep", "serial"}
            Who may go when. The result does not depend on it.
        on_error : OnError or {"abort", "retry", "skip", "freeze"}
            What happens when a step fails.
        on_event : callable, optional
            Told of every `headway.live.events.Event`, by step and then in the order of agents, once
            nothing before it can come any more.
        on_call : callable, optional
            Told of every answered call, as answers arrive.
        progress : callable, optional
            Called with the simulation about ten times a second, and at the end; see `outcome`.
        around_step : callable, optional
            Executes the steps, for spans and timings: called with `(execute, agent, view)`, it
            returns what `execute(agent, view)` does, an action or something to await for one.
        debug : bool
            Look for what a step uses besides its view and the agent's own attributes: each step
            is executed twice (the second time by a copy, with the answers of the first), and
            global random generators, other agents' attributes and shared objects are watched. Slow;
            for tests. See `headway.live.debug`.

        Returns
        -------
        Outcome

        Raises
        ------
        StepFailedError
            If a step fails and the policy is to stop. What had been finished is kept.
        HiddenInputError
            With `debug`: what a step has used, and what to do.
        EngineError, MissingExtraError
            If the engine cannot be started.
        OptionError
            A parameter that makes no sense.
        """
        if not isinstance(steps, int) or steps < 0:
            raise OptionError(f"steps must be a number from 0, got {steps!r}")
        engine = make_engine(engine) if isinstance(engine, str) else engine
        if not isinstance(engine, Engine):
            raise OptionError(f"engine must be a name or an Engine, got {engine!r}")
        debugger = Debugger(self.state) if debug else None
        with self._alone():
            driver = self._prepare(schedule, OnError.of(on_error), on_event)
            self.state.on_call = on_call
            self._steps = max(steps, self._steps)
            self._engine_name = engine.name
            self._modelled = engine.virtual
            try:
                await engine.start()
                self.state.engine = engine
                with debugger or nullcontext():
                    inner = debugger or execute
                    self.state.execute = partial(around_step, inner) if around_step else inner
                    await self._run(driver, steps, engine, progress)
                return self.outcome()
            finally:
                self.state.engine = None
                await engine.close()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Refuse a run while there is another one, in this thread or elsewhere."""
        with _ONE:
            if self._thread is not None:
                where = "" if self._thread == get_ident() else " in another thread"
                raise OptionError(
                    f"this simulation is running already{where}; it can only be run in turn"
                )
            self._thread = get_ident()
        try:
            yield
        finally:
            self._thread = None

    def _prepare(
        self, schedule: str, policy: OnError, on_event: Callable[[Event], None] | None
    ) -> Driver:
        """Make the driver, or go on with the one there is."""
        state = self.state
        if self._driver is None:
            rules = make_live_schedule(
                schedule,
                np.array(state.positions),
                sight=state.sight,
                speed=state.speed,
                reach=state.reach,
                options=self.space.scheduler_options(),
            )
            self._schedule_name = schedule
            self._driver = Driver(state, rules, policy, None)
            state.wake, state.stop = self._driver.wake, self._driver.stop
        elif schedule != self._schedule_name:
            raise OptionError(
                f"this simulation has been run under {self._schedule_name!r} and can only go on "
                f"so; make it again for another schedule"
            )
        self._driver.policy = policy
        if on_event is not None and self._driver.log is None:
            self._driver.log = EventLog()
        if self._driver.log is not None:
            self._driver.log.tell = on_event
        return self._driver

    async def _run(
        self,
        driver: Driver,
        steps: int,
        engine: Engine,
        progress: Callable[[Simulation], None] | None,
    ) -> None:
        real, begin = perf_counter(), engine.now()
        seconds, real_seconds = self._seconds, self._real_seconds

        def count() -> None:
            self._seconds = seconds + engine.now() - begin
            self._real_seconds = real_seconds + perf_counter() - real
            self._engine_statistics = engine.statistics()

        async def tell(progress: Callable[[Simulation], None]) -> None:
            try:
                while True:
                    await asyncio.sleep(PROGRESS_EVERY)
                    count()
                    progress(self)
            except Exception as error:
                driver.stop(error)

        teller = asyncio.create_task(tell(progress)) if progress is not None else None
        try:
            with fewer_collections():
                await driver.run(steps, engine)
        finally:
            count()
            if teller is not None:
                teller.cancel()
                await asyncio.wait([teller])
            if driver.log is not None:
                driver.log.flush(driver.schedule.frontier)
        if progress is not None:
            progress(self)

    def final_state(self) -> dict[str, Any]:
        """Return the state of every agent and place as plain values.

        `agents`: name -> clock, position, public state, the words it has just said, its unread
        messages (or the step it left after). `places`: name -> state.

        Raises
        ------
        OptionError
            While it runs in another thread.
        """
        if self._thread not in {None, get_ident()}:
            raise OptionError(
                "the final state of a simulation that runs in another thread cannot be read; ask "
                "for outcome(final=False), or from within the run: in `progress`, in an agent"
            )
        return final_state(self.state)

    def _failures(self) -> tuple[Failure, ...]:
        if self._driver is None:
            return ()
        ranks, id_of = self.state.ranks, self.state.id_of
        found = self._driver.failures
        return tuple(sorted(found, key=lambda f: (f.step, ranks[id_of[f.agent]])))

    def outcome(self, *, final: bool = True) -> Outcome:
        """Tell how it stands; also while running, and after an interruption.

        Without `final`, which takes a look at everybody, the final state is left empty; any thread
        may ask for that at any time.
        """
        state, counters = self.state, self.state.counters
        # Of one who is joining meanwhile in another thread the second list may not know yet.
        clocks = zip(tuple(state.clocks), tuple(state.left), strict=False)
        present = [clock for clock, left in clocks if left is None]
        return Outcome(
            schedule=self._schedule_name or "",
            engine=self._engine_name,
            steps=self._steps,
            finished=all(clock >= self._steps for clock in present),
            agent_steps=counters.agent_steps,
            calls=counters.calls,
            prompt_tokens=counters.prompt_tokens,
            output_tokens=counters.output_tokens,
            cached_tokens=counters.cached_tokens,
            seconds=self._seconds,
            modelled=self._modelled,
            real_seconds=self._real_seconds,
            schedule_seconds=counters.schedule_ns / 1e9,
            world_seconds=counters.world_ns / 1e9,
            agents_seconds=counters.agents_ns / 1e9,
            calls_in_flight_mean=counters.in_flight_seconds / max(self._seconds, 1e-9),
            calls_in_flight_max=counters.calls_in_flight_max,
            lead_mean=counters.lead_sum / max(counters.lead_count, 1),
            lead_max=counters.lead_max,
            answers_repaired=counters.answers_repaired,
            answers_repeated=counters.answers_repeated,
            attempts_failed=counters.attempts_failed,
            failures=self._failures(),
            final=self.final_state() if final else {},
            engine_statistics=dict(self._engine_statistics),
        )
