"""The driver: ready agents in, steps run, effects committed, finished agents out.

It decides nothing about who may go; the schedule does. One batch is committed at a time: actions
are checked and applied, the world and the schedule are told, and whoever has become ready is
started at once. Steps that wait for nothing cost no task (`headway.live.steps`).
"""

from __future__ import annotations

import asyncio
import inspect
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.errors import ActionError, StepFailedError, StepTimeoutError
from headway.live.agent import Action
from headway.live.effects import apply_action, check_action
from headway.live.outcome import Failure
from headway.live.steps import GRACE, Steps
from headway.live.view import View

if TYPE_CHECKING:
    from collections.abc import Callable

    from headway.engines.base import Engine
    from headway.live.events import EventLog
    from headway.live.policy import OnError
    from headway.live.state import State
    from headway.schedules.live import LiveSchedule

#: Real nanoseconds after which the event loop gets a turn, so that engines can read their sockets.
TURN_NS = 2_000_000

#: Turns of the event loop without anything new after which only modelled time can help.
QUIET_TURNS = 3


class Driver:
    """Runs the agents of a state up to a step."""

    def __init__(
        self,
        state: State,
        schedule: LiveSchedule,
        policy: OnError,
        log: EventLog | None,
    ) -> None:
        self.state = state
        self.schedule = schedule
        self.policy = policy
        self.log = log
        self.until = 0
        #: Agents the schedule has let go and the driver has not started, because of `until`.
        self.waiting: list[int] = [int(agent) for agent in schedule.ready()]
        #: Agents whose step has been started and has not been committed.
        self.started: set[int] = set()
        self.frozen: set[int] = set()
        self.failures: list[Failure] = []
        self.attempts: dict[int, int] = {}
        self._views: dict[int, View] = {}
        self._snapshots: dict[int, Any] = {}
        self._limits: dict[int, asyncio.TimerHandle] = {}
        self._timed_out: set[int] = set()
        self._ready: list[int] = []
        self._again: list[int] = []
        self._ended: list[tuple[int, Action | None]] = []
        self._failed: StepFailedError | None = None
        self._told = 0
        self._wake = asyncio.Event()
        self._steps: Steps | None = None

    # The loop.

    async def run(self, until: int, engine: Engine, tell: Callable[[], None] | None = None) -> None:
        """Run all agents up to a step; can be called again for more steps.

        Parameters
        ----------
        tell : callable, optional
            Called after every batch.

        Raises
        ------
        StepFailedError
            If a step failed for good and the policy is to stop.
        """
        self.until = until
        self._wake = asyncio.Event()
        self._steps = Steps(self._on_end)
        self._failed = None
        # What an earlier run broke off is started anew.
        self._again = sorted(self.started - self.frozen)
        ready, self.waiting = self.waiting, []
        self._go(ready)
        try:
            await self._loop(engine, tell)
        finally:
            for timer in self._limits.values():
                timer.cancel()
            self._limits.clear()
            if self._ended:
                self._commit()  # finished is finished, whatever broke off the run
            self.waiting += self._ready
            self._ready.clear()
            for view in self._views.values():
                view.close()
            self._views.clear()
            await self._steps.close()

    async def _loop(self, engine: Engine, tell: Callable[[], None] | None) -> None:
        turn = perf_counter_ns()
        while self._failed is None:
            if self._again:
                again, self._again = self._again, []
                for agent in again:
                    self._begin(agent)
            if self._ready:
                self._start()
            if self._ended:
                self._commit()
                if tell is not None:
                    tell()
                if perf_counter_ns() - turn > TURN_NS:
                    await asyncio.sleep(0)
                    turn = perf_counter_ns()
            elif len(self._steps or ()):
                await self._wait(engine)
                turn = perf_counter_ns()
            elif not self._again:
                break
        if self._failed is not None:
            raise self._failed

    async def _wait(self, engine: Engine) -> None:
        """Wait until a step has ended."""
        if engine.virtual:
            quiet, counters = 0, self.state.counters
            while not self._news():
                before = (counters.calls_in_flight, counters.calls)
                await asyncio.sleep(0)
                after = (counters.calls_in_flight, counters.calls)
                quiet = 0 if after != before else quiet + 1
                if quiet < QUIET_TURNS:
                    continue
                if not engine.advance():
                    break
                quiet = 0
        if not self._news():
            self._wake.clear()
            await self._wake.wait()

    def _news(self) -> bool:
        return bool(self._ended or self._again or self._failed)

    # Starting steps.

    def _go(self, ready: list[int]) -> None:
        """Let agents start, unless they have come as far as they are to."""
        clocks, until = self.state.clocks, self.until
        self._ready += [agent for agent in ready if clocks[agent] < until]
        self.waiting += [agent for agent in ready if clocks[agent] >= until]

    def _start(self) -> None:
        """Start the steps of ready agents."""
        state = self.state
        ready, self._ready = self._ready, []
        begin = perf_counter_ns()
        self.schedule.start(np.array(ready, np.int64))
        state.counters.schedule_ns += perf_counter_ns() - begin
        clocks = state.clocks
        state.counters.start_steps([clocks[agent] for agent in ready], self.schedule.frontier)
        begin = perf_counter_ns()
        for agent in ready:
            self._begin(agent)
        state.counters.agents_ns += perf_counter_ns() - begin

    def _begin(self, agent: int) -> None:
        """Run an agent's step as far as it goes without waiting."""
        state = self.state
        step = state.clocks[agent]
        self.started.add(agent)
        if step < state.joined[agent]:
            self._ended.append((agent, None))
            return
        view = self._views[agent] = View(state, agent, step, self.attempts.get(agent, 0))
        try:
            if self.policy.attempts > 1:
                self._snapshot(agent)
            result: Any = state.agents[agent].step(view)
            if result is None or type(result) is Action or not inspect.isawaitable(result):
                self._ended.append((agent, result))
            else:
                self._await(agent, result)
        except (Exception, asyncio.CancelledError) as error:
            self._fail(agent, error)

    def _await(self, agent: int, result: Any) -> None:  # noqa: ANN401
        coroutine = result if inspect.iscoroutine(result) else _awaiting(result)
        assert self._steps is not None
        ended, value = self._steps.begin(agent, coroutine)
        if ended:
            self._ended.append((agent, value))
        elif self.policy.time_limit is not None:
            loop = asyncio.get_running_loop()
            self._limits[agent] = loop.call_later(self.policy.time_limit, self._late, agent)

    def _snapshot(self, agent: int) -> None:
        """Keep an agent's attributes for another attempt, if it can be restored."""
        person = self.state.agents[agent]
        if agent in self._snapshots:
            person.restore(self._snapshots[agent])  # type: ignore[attr-defined]
        elif hasattr(person, "snapshot") and hasattr(person, "restore"):
            self._snapshots[agent] = person.snapshot()

    # Steps that had to wait.

    def _on_end(self, agent: int, result: Any, error: BaseException | None) -> None:  # noqa: ANN401
        timer = self._limits.pop(agent, None)
        if timer is not None:
            timer.cancel()
        if agent in self._timed_out:
            self._timed_out.discard(agent)
            error = self._too_long(agent)
        if error is None:
            self._ended.append((agent, result))
        else:
            self._fail(agent, error)
        self._wake.set()

    def _late(self, agent: int) -> None:
        """Cancel a step that has used up its time; give up on it if it does not end."""
        assert self._steps is not None
        self._timed_out.add(agent)
        self._steps.cancel(agent)
        loop = asyncio.get_running_loop()
        self._limits[agent] = loop.call_later(GRACE, self._lost, agent)

    def _lost(self, agent: int) -> None:
        assert self._steps is not None
        self._limits.pop(agent, None)
        self._timed_out.discard(agent)
        self._steps.abandon(agent)
        # It may still be at work on the agent's attributes, so there is no other attempt.
        self.attempts[agent] = self.policy.attempts
        self._fail(agent, self._too_long(agent))
        self._wake.set()

    def _too_long(self, agent: int) -> StepTimeoutError:
        state = self.state
        return StepTimeoutError(
            f"{state.names[agent]!r} took longer than {self.policy.time_limit:g} s for step "
            f"{state.clocks[agent]}"
        )

    # Failures.

    def _fail(self, agent: int, error: BaseException) -> None:
        """Follow the policy about an attempt that failed."""
        state = self.state
        name, step = state.names[agent], state.clocks[agent]
        state.counters.attempts_failed += 1
        tried = self.attempts[agent] = self.attempts.get(agent, 0) + 1
        self._close_view(agent)
        if tried < self.policy.attempts:
            self._again.append(agent)
            self._wake.set()
            return
        then = self.policy.then
        if then == "abort":
            if self._failed is None:
                tries = f" in {tried} attempts" if tried > 1 else ""
                self._failed = StepFailedError(
                    f"step {step} of {name!r} failed{tries}: {_told(error)}; what had been "
                    f"finished is kept (on_error can be retry, skip or freeze)",
                    agent=name,
                    step=step,
                    attempts=tried,
                )
                self._failed.__cause__ = error
            self.attempts.pop(agent, None)
            self._wake.set()
            return
        self.failures.append(Failure(name, step, _told(error), then))
        if self.log:
            self.log.add(step, state.ranks[agent], name, then, type(error).__name__)
        if agent in self._snapshots:
            state.agents[agent].restore(self._snapshots[agent])  # type: ignore[attr-defined]
        if then == "freeze":
            self.frozen.add(agent)
        else:
            self._ended.append((agent, None))
        self._wake.set()

    def _close_view(self, agent: int) -> None:
        view = self._views.pop(agent, None)
        if view is not None:
            view.close()

    # Committing.

    def _commit(self) -> None:
        """Apply the actions of the steps that have ended, and let those go who may."""
        state, log = self.state, self.log
        ended, self._ended = self._ended, []
        begin = perf_counter_ns()
        agents: list[int] = []
        moved: list[int] = []
        leaving: list[int] = []
        for agent, given in ended:
            step = state.clocks[agent]
            if given is not None:
                try:
                    action = check_action(state, agent, step, given)
                except Exception as error:
                    self._fail(agent, error)
                    continue
                moves = apply_action(state, agent, step, action, log)
                if action.spawn:
                    self._spawn(agent, step, action)
                if action.leave:
                    leaving.append(agent)
                elif moves:
                    moved.append(agent)
            agents.append(agent)
        # Those who failed here are in `_ended` again, or are tried again, or stand still.
        clocks, views = state.clocks, self._views
        for agent in agents:
            clocks[agent] += 1
            if agent in views:
                views.pop(agent).close()
        if self.attempts:
            for agent in agents:
                self.attempts.pop(agent, None)
                self._snapshots.pop(agent, None)
        if moved:
            steps = [clocks[agent] for agent in moved]
            state.world.move(moved, steps, [state.positions[agent] for agent in moved])
        state.world.read_before(agents, clocks)
        state.counters.agent_steps += len(agents)
        self.started.difference_update(agents)
        state.counters.world_ns += perf_counter_ns() - begin
        if agents:
            self._go(self._finish(agents, leaving))

    def _spawn(self, parent: int, step: int, action: Action) -> None:
        """Let an agent's children join in the next step."""
        state = self.state
        for number, child in enumerate(action.spawn):
            rank = (*state.ranks[parent], step, number)
            agent = state.add_child(child, rank, step + 1)
            sight, speed, reach = state.sight[agent], state.speed[agent], state.reach[agent]
            position = state.positions[agent]
            spawned = self.schedule.spawn(parent, position, sight=sight, speed=speed, reach=reach)
            assert spawned == agent, "Invariant: ids of the schedule and of the world are equal"
            if self.log:
                self.log.add(step, state.ranks[parent], state.names[parent], "spawn", child.name)

    def _finish(self, agents: list[int], leaving: list[int]) -> list[int]:
        """Tell the schedule; return the agents that may start."""
        state = self.state
        begin = perf_counter_ns()
        ids = np.array(agents, np.int64)
        places = [state.positions[agent] for agent in agents]
        ready: list[int] = self.schedule.finish(ids, places).tolist()
        if leaving:
            gone = set(leaving)
            for agent in leaving:
                state.left[agent] = state.clocks[agent] - 1
                if self.log:
                    step, rank = state.clocks[agent] - 1, state.ranks[agent]
                    self.log.add(step, rank, state.names[agent], "leave", None)
            steps = [state.clocks[agent] for agent in leaving]
            state.world.leave(leaving, steps)
            freed = self.schedule.remove(np.array(leaving, np.int64)).tolist()
            ready = list(dict.fromkeys(a for a in (*ready, *freed) if a not in gone))
        frontier = self.schedule.frontier
        state.counters.schedule_ns += perf_counter_ns() - begin
        begin = perf_counter_ns()
        state.world.forget(frontier)
        if self.log:
            self.log.flush(frontier)
        state.counters.world_ns += perf_counter_ns() - begin
        return ready


async def _awaiting(result: Any) -> Any:  # noqa: ANN401
    return await result


def _told(error: BaseException) -> str:
    """Tell an error in a line."""
    text = str(error)
    if isinstance(error, ActionError | StepTimeoutError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
