"""The driver: ready agents in, steps run, effects committed, finished agents out.

It decides nothing about who may go; the schedule does. One batch is committed at a time: actions
are checked and applied, the world and the schedule are told, and whoever has become ready is
started at once. Steps that wait for nothing cost no task (`headway.live.steps`).
"""

from __future__ import annotations

import asyncio
import inspect
from contextlib import suppress
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.errors import StepTimeoutError
from headway.live.agent import Action
from headway.live.effects import apply_action, check_action
from headway.live.failures import FATAL, Failure, step_failed, told
from headway.live.steps import GRACE, Steps
from headway.live.view import View

if TYPE_CHECKING:
    from headway.engines.base import Engine
    from headway.live.events import EventLog
    from headway.live.policy import OnError
    from headway.live.state import State
    from headway.schedules.live import LiveSchedule

#: Real nanoseconds after which the event loop gets a turn, so that engines can read their sockets.
TURN_NS = 2_000_000

#: Commits after which it gets one where time is modelled, and must not depend on real time.
TURN_COMMITS = 50

#: Turns after which the event loop counts as idle even if something else keeps it busy.
QUIET_TURNS = 50


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
        self._late_joiners = {a for a, joined in enumerate(state.joined) if joined}
        self._views: dict[int, View] = {}
        self._snapshots: dict[int, Any] = {}
        self._limits: dict[int, asyncio.TimerHandle] = {}
        self._timed_out: set[int] = set()
        self._virtual = False
        self._ready: list[int] = []
        self._again: list[int] = []
        self._ended: list[tuple[int, Action | None]] = []
        self._failed: BaseException | None = None
        self._wake = asyncio.Event()
        self._steps: Steps | None = None

    # The loop.

    async def run(self, until: int, engine: Engine) -> None:
        """Run all agents up to a step; can be called again for more steps.

        Raises
        ------
        StepFailedError
            If a step failed for good and the policy is to stop.
        """
        self.until = until
        self._virtual = engine.virtual
        self._wake = asyncio.Event()
        self._steps = Steps(self._on_end)
        self._failed = None
        # What an earlier run broke off is started anew.
        clocks = self.state.clocks
        self._again = sorted(a for a in self.started - self.frozen if clocks[a] < until)
        ready, self.waiting = self.waiting, []
        self._go(ready)
        try:
            await self._loop(engine)
        finally:
            for timer in self._limits.values():
                timer.cancel()
            self._limits.clear()
            self._timed_out.clear()
            await self._steps.close()
            while self._ended:
                self._commit()  # finished is finished, whatever broke off the run
            self.waiting += self._ready
            self._ready.clear()
            for view in self._views.values():
                view.close()
            self._views.clear()
        self._tell_all()

    def stop(self, error: BaseException) -> None:
        """Break off the run because of an error that is no agent's."""
        if self._failed is None:
            self._failed = error
        self._wake.set()

    def wake(self) -> None:
        """Look for news: a call has been made that modelled time may have to pass for."""
        self._wake.set()

    async def _loop(self, engine: Engine) -> None:
        turn, commits = perf_counter_ns(), 0
        while self._failed is None:
            if self._again:
                again, self._again = self._again, []
                for agent in again:
                    self._begin(agent)
            if self._ready:
                self._start()
            if self._ended:
                self._commit()
                commits += 1
                if commits >= TURN_COMMITS or (
                    not self._virtual and perf_counter_ns() - turn > TURN_NS
                ):
                    await asyncio.sleep(0)
                    turn, commits = perf_counter_ns(), 0
            elif len(self._steps or ()):
                await self._wait(engine)
                turn, commits = perf_counter_ns(), 0
            elif not self._again:
                break
        if self._failed is not None:
            raise self._failed

    async def _wait(self, engine: Engine) -> None:
        """Wait until a step has ended, or none is in flight any more."""
        while not self._news():
            self._wake.clear()
            if self._virtual:
                await self._quiet()
                if self._news():
                    return
                if not self._wake.is_set() and engine.advance():
                    continue
            await self._wake.wait()

    async def _quiet(self) -> None:
        """Let the event loop turn until it has nothing to do but to wait."""
        loop = asyncio.get_running_loop()
        scheduled = getattr(loop, "_ready", True)  # not every kind of loop tells
        for _ in range(QUIET_TURNS):
            await asyncio.sleep(0)
            if self._ended or self._failed or not scheduled:
                return

    def _news(self) -> bool:
        return bool(self._ended or self._again or self._failed) or not self._steps

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
        self.started.update(ready)
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
        if step < state.joined[agent]:
            self._ended.append((agent, None))
            return
        view = self._views[agent] = View(state, agent, step, self.attempts.get(agent, 0))
        try:
            if state.restorable[agent]:
                self._snapshot(agent)
            result: Any = state.execute(state.agents[agent], view)
            if result is None or type(result) is Action or not inspect.isawaitable(result):
                self._ended.append((agent, result))
            else:
                self._await(agent, result)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
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
        """Keep the attributes of an agent that can be restored, or restore them."""
        person: Any = self.state.agents[agent]
        if agent in self._snapshots:
            person.restore(self._snapshots[agent])
        else:
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
        """Put an end to a step that does not heed its cancellation."""
        assert self._steps is not None
        self._limits.pop(agent, None)
        self._timed_out.discard(agent)
        self._steps.kill(agent)
        self._fail(agent, self._too_long(agent))

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
        self._wake.set()
        view = self._views.pop(agent, None)
        if view is not None:
            view.close()
        if isinstance(error, FATAL):
            self.stop(error)
            return
        state.counters.attempts_failed += 1
        tried = self.attempts[agent] = self.attempts.get(agent, 0) + 1
        if tried < self.policy.attempts:
            self._again.append(agent)
            return
        then = self.policy.then
        if then == "abort":
            self.attempts.pop(agent, None)
            self.stop(step_failed(name, step, tried, error))
            return
        if agent in self._snapshots:
            with suppress(Exception):  # told of is what failed first
                self._snapshot(agent)
        self.failures.append(Failure(name, step, told(error), then))
        if self.log:
            self.log.add(step, state.ranks[agent], name, then, type(error).__name__)
        if then == "freeze":
            self.frozen.add(agent)
        else:
            self._ended.append((agent, None))

    # Committing.

    def _commit(self) -> None:
        """Apply the actions of the steps that have ended, and let those go who may."""
        state = self.state
        ended, self._ended = self._ended, []
        begin = perf_counter_ns()
        agents: list[int] = []
        moved: list[int] = []
        leaving: list[int] = []
        for at, (agent, action) in enumerate(ended):
            if action is None or self._act(agent, action, moved, leaving):
                agents.append(agent)
            elif self._failed is not None:
                self._ended = ended[at + 1 :] + self._ended
                break
        # Those who failed here are in `_ended` again, or are tried again, or stand still.
        clocks, views = state.clocks, self._views
        for agent in agents:
            clocks[agent] += 1
            if agent in views:
                views.pop(agent).close()
        if self.attempts or self._snapshots:
            for agent in agents:
                self.attempts.pop(agent, None)
                self._snapshots.pop(agent, None)
        if moved:
            steps = [clocks[agent] for agent in moved]
            state.world.move(moved, steps, [state.positions[agent] for agent in moved])
        state.world.read_before(agents, clocks)
        empty = self._count_joiners(agents) if self._late_joiners else 0
        state.counters.agent_steps += len(agents) - empty
        self.started.difference_update(agents)
        state.counters.world_ns += perf_counter_ns() - begin
        if agents:
            self._finish(agents, leaving)
            self._pass()

    def _act(self, agent: int, given: Action, moved: list[int], leaving: list[int]) -> bool:
        """Check and apply an action; return whether it could be."""
        state = self.state
        step = state.clocks[agent]
        try:
            action = check_action(state, agent, step, given)
        except Exception as error:
            self._fail(agent, error)
            return False
        moves = apply_action(state, agent, step, action, self.log)
        if action.spawn:
            self._spawn(agent, step, action)
        if action.leave:
            leaving.append(agent)
        elif moves:
            moved.append(agent)
        return True

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
                self.log.add(step + 1, rank, child.name, "join", position)

    def _count_joiners(self, agents: list[int]) -> int:
        """Count the empty steps of those who have not joined; tell of those who join now."""
        state, empty = self.state, 0
        for agent in self._late_joiners.intersection(agents):
            clock = state.clocks[agent]
            empty += clock <= state.joined[agent]
            if clock == state.joined[agent]:
                self._late_joiners.discard(agent)
                if self.log:
                    place = state.positions[agent]
                    self.log.add(clock, state.ranks[agent], state.names[agent], "join", place)
        return empty

    def _finish(self, agents: list[int], leaving: list[int]) -> None:
        """Tell the schedule, and let those go who may."""
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
            state.world.leave(leaving, [state.clocks[agent] for agent in leaving])
            freed = self.schedule.remove(np.array(leaving, np.int64)).tolist()
            ready = list(dict.fromkeys(a for a in (*ready, *freed) if a not in gone))
        state.counters.schedule_ns += perf_counter_ns() - begin
        self._go(ready)

    def _pass(self) -> None:
        """Forget, and tell, what lies behind the slowest agent that can still go on."""
        begin = perf_counter_ns()
        state = self.state
        frontier = self.schedule.frontier
        if self.frozen:
            going = (
                clock
                for agent, clock in enumerate(state.clocks)
                if state.left[agent] is None and agent not in self.frozen
            )
            frontier = min(going, default=self.until)
        state.world.forget(frontier)
        if self.log:
            self.log.flush(frontier)
        state.counters.world_ns += perf_counter_ns() - begin

    def _tell_all(self) -> None:
        """Tell all events: those who have not come this far never will."""
        if self.log and (self.frozen or all(left is not None for left in self.state.left)):
            self.log.flush(self.until)


async def _awaiting(result: Any) -> Any:  # noqa: ANN401
    return await result
