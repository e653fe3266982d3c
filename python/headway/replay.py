"""Replay a trace under a schedule on the virtual-time engine.

One driver for all schedules: it starts what is ready, makes the recorded calls (those of one agent
in one step after each other), and finishes the step at the recorded position. Steps without calls
take no time. Deterministic: equal inputs give equal schedules, to the byte.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from time import perf_counter_ns
from typing import TYPE_CHECKING

import numpy as np

from headway.errors import InvariantError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from headway._core import VirtualServer
    from headway.schedules import Schedule
    from headway.trace import Trace


@dataclass(frozen=True)
class Outcome:
    """What a replay gave.

    Attributes
    ----------
    seconds : float
        Modelled time from the first call to the end of the last step.
    agent_steps, calls : int
        How many were executed.
    calls_in_flight_mean : float
        Averaged over the modelled time.
    busy_share : float
        Share of the replicas' modelled time spent in iterations.
    wasted_tokens : int
        Prompt and output tokens of calls that were taken back.
    lead_mean, lead_max : float, int
        How far ahead of the frontier a step was started, over all agent-steps that made calls.
    digest : str
        SHA-256 over every start and finish in order, with its modelled time: equal digests, equal
        schedules.
    scheduler_ns_per_agent_step : float
        Real time spent in the schedule. Measured on this machine, so it differs from run to run.
    """

    seconds: float
    agent_steps: int
    calls: int
    calls_in_flight_mean: float
    busy_share: float
    wasted_tokens: int
    lead_mean: float
    lead_max: int
    digest: str
    scheduler_ns_per_agent_step: float


def replay(
    trace: Trace,
    schedule: Schedule,
    server: VirtualServer,
    *,
    progress: Callable[[int, int], None] | None = None,
    log: Callable[[str, float, NDArray[np.int64], NDArray[np.int64]], None] | None = None,
) -> Outcome:
    """Replay a trace.

    Parameters
    ----------
    schedule, server
        Fresh ones, made for this trace.
    progress : callable, optional
        Called now and then with the agent-steps done and their total.
    log : callable, optional
        Called with `start`, `finish`, `leave` or `publish`, the modelled time, the agents and their
        steps (of `leave`: the one they would execute next), in the order of the schedule. `publish`
        is told of an agent that is followed by another, when the work of its last step is over.

    Raises
    ------
    OverSpeedError
        If the trace holds a move longer than the schedule's speed (see
        `headway.trace.footprint.resolve_jumps`).
    """
    return _Replay(trace, schedule, server, progress, log).run()


class _Replay:
    """The state of one replay."""

    def __init__(
        self,
        trace: Trace,
        schedule: Schedule,
        server: VirtualServer,
        progress: Callable[[int, int], None] | None,
        log: Callable[[str, float, NDArray[np.int64], NDArray[np.int64]], None] | None,
    ) -> None:
        self.trace = trace
        self.schedule = schedule
        self.server = server
        self.progress = progress
        self.log = log
        self.clock = np.zeros(trace.n_agents, np.int64)
        self.joins = trace.agents.first_step.astype(np.int64)
        self.end = trace.agents.last_step.astype(np.int64)
        self.follows = trace.agents.follows.astype(np.int64)
        follower = self.follows >= 0
        followed = np.isin(np.arange(trace.n_agents), self.follows[follower])
        self.has_followers = bool(follower.any())
        # The last step of who is followed, and the last empty one of who follows; else -1.
        self.over_at = np.where(followed, self.end - 1, -1)
        self.join_at = np.where(follower, self.joins - 1, -1)
        self.over = np.zeros(trace.n_agents, np.bool_)
        self.held = np.empty(0, np.int64)
        self.chains = _Chains(trace)
        self.agent_of: dict[int, int] = {}
        self.unfinished: dict[int, list[int]] = {}
        self.cluster_of: dict[int, int] = {}
        self.finished_in: dict[int, list[int]] = {}
        self.done = 0
        # Those who join later execute empty steps where they will join until then.
        self.total = int(self.end.sum())
        self.agent_steps = int((self.end - self.joins).sum())
        self.lead_sum = self.lead_max = self.lead_count = 0
        self.scheduler_ns = 0
        self.hash = hashlib.sha256()

    def run(self) -> Outcome:
        begin = perf_counter_ns()
        ready = self.schedule.ready()
        self.scheduler_ns += perf_counter_ns() - begin
        ready = ready[self.clock[ready] < self.end[ready]]
        while True:
            while len(ready):
                ready = self.complete(self.start(ready))
            requests = self.server.advance()
            if not len(requests):
                break
            ready = self.complete(self.answered(requests))
            if self.progress is not None:
                self.progress(self.done, self.total)
        if self.progress is not None:
            self.progress(self.done, self.total)
        if self.done != self.total:
            raise InvariantError(
                f"the schedule came to a stop after {self.done} of {self.total} agent-steps"
            )
        return self.outcome()

    def start(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Start agents; return those whose step makes no call."""
        begin = perf_counter_ns()
        self.schedule.start(ids)
        labels = self.schedule.clusters(ids)
        self.scheduler_ns += perf_counter_ns() - begin
        self.record("start", ids)
        if not np.array_equal(labels, ids):
            for agent, label in zip(ids.tolist(), labels.tolist(), strict=True):
                self.cluster_of[agent] = label
                self.unfinished.setdefault(label, []).append(agent)
        talks = self.chains.next_step[ids] == self.clock[ids]
        callers = ids[talks]
        if len(callers):
            lead = self.clock[callers] - self.schedule.frontier
            self.lead_sum += int(lead.sum())
            self.lead_max = max(self.lead_max, int(lead.max()))
            self.lead_count += len(callers)
            self.call(callers)
        silent: NDArray[np.int64] = ids[~talks]
        return silent

    def call(self, agents: NDArray[np.int64]) -> None:
        """Make the next call of each agent's chain; smaller steps go first at the server."""
        rows = self.chains.next_row[agents]
        calls = self.trace.calls
        requests = self.server.submit(
            self.clock[agents], calls.prompt_tokens[rows], calls.output_tokens[rows]
        )
        self.agent_of.update(zip(requests.tolist(), agents.tolist(), strict=True))

    def answered(self, requests: NDArray[np.int64]) -> NDArray[np.int64]:
        """Go on with the chains of these requests; return the agents that were at the end."""
        agents = np.array([self.agent_of.pop(r) for r in requests.tolist()], np.int64)
        more = self.chains.advance(agents)
        if more.any():
            self.call(agents[more])
        return agents[~more]

    def complete(self, agents: NDArray[np.int64]) -> NDArray[np.int64]:
        """Finish steps, clusters when all their members have; return who may start."""
        if self.has_followers:
            agents = self.with_followers(agents)
        if self.cluster_of and len(agents):
            agents = self.whole_clusters(agents)
        if not len(agents):
            return agents
        clock = self.clock[agents] + 1
        positions = self.trace.positions[clock, agents]
        begin = perf_counter_ns()
        ready = self.schedule.finish(agents, positions)
        self.scheduler_ns += perf_counter_ns() - begin
        self.record("finish", agents)
        self.clock[agents] = clock
        self.done += len(agents)
        leaving = agents[(clock == self.end[agents]) & (clock < self.trace.n_steps)]
        if len(leaving):
            begin = perf_counter_ns()
            freed = self.schedule.remove(leaving)
            self.scheduler_ns += perf_counter_ns() - begin
            self.record("leave", leaving)
            ready = np.concatenate((ready, freed))
        return ready[self.clock[ready] < self.end[ready]]

    def with_followers(self, agents: NDArray[np.int64]) -> NDArray[np.int64]:
        """Let the last empty step of who follows somebody last as long as that one's last step.

        So nobody sees a follower, where it joins, before it is certain that it does.
        """
        clock = self.clock[agents]
        ends, joins = clock == self.over_at[agents], clock == self.join_at[agents]
        if not (ends.any() or joins.any()):
            return agents
        over = agents[ends]
        self.over[over] = True
        # That one's leaving is certain now, even if its cluster is still at work.
        self.record("publish", over)
        waits = joins & ~self.over[self.follows[agents]]
        held = np.concatenate((self.held, agents[waits]))
        free = self.over[self.follows[held]]
        self.held = held[~free]
        return np.concatenate((agents[~waits], held[free]))

    def whole_clusters(self, agents: NDArray[np.int64]) -> NDArray[np.int64]:
        """Note that agents are done with their step; return those whose cluster is complete."""
        complete = []
        for agent in agents.tolist():
            label = self.cluster_of.get(agent)
            if label is None:
                complete.append(agent)
                continue
            self.finished_in.setdefault(label, []).append(agent)
            if len(self.finished_in[label]) == len(self.unfinished[label]):
                for member in self.unfinished.pop(label):
                    del self.cluster_of[member]
                    complete.append(member)
                del self.finished_in[label]
        return np.array(sorted(complete), np.int64)

    def record(self, what: str, agents: NDArray[np.int64]) -> None:
        """Note an event; the empty steps of those who have not joined yet are none."""
        agents = agents[self.clock[agents] >= self.joins[agents]]
        if not len(agents):
            return
        self.hash.update(f"{what} {self.server.now!r} ".encode())
        self.hash.update(agents.astype("<i8").tobytes())
        if self.log is not None:
            self.log(what, self.server.now, agents, self.clock[agents])

    def outcome(self) -> Outcome:
        facts = self.server.statistics()
        seconds = facts["seconds"]
        return Outcome(
            seconds=seconds,
            agent_steps=self.agent_steps,
            calls=int(facts["finished"]),
            calls_in_flight_mean=facts["in_flight_seconds"] / seconds if seconds else 0.0,
            busy_share=facts["busy_seconds"] / (seconds * self.server.replicas) if seconds else 0.0,
            wasted_tokens=int(facts["cancelled_tokens"]),
            lead_mean=self.lead_sum / self.lead_count if self.lead_count else 0.0,
            lead_max=self.lead_max,
            digest=self.hash.hexdigest(),
            scheduler_ns_per_agent_step=self.scheduler_ns / max(self.agent_steps, 1),
        )


class _Chains:
    """The calls of each agent in order, and how far it has come.

    `next_step[i]` is the step in which agent `i` makes its next call, or -1; `next_row[i]` that
    call's row in the trace.
    """

    def __init__(self, trace: Trace) -> None:
        calls = trace.calls
        # Rows by agent; within an agent they stay in the order of the trace: by step, then chain.
        self.rows = np.argsort(calls.agent, kind="stable")
        self.step = np.append(calls.step[self.rows].astype(np.int64), -1)
        self.rows = np.append(self.rows, -1)
        counts = np.bincount(calls.agent, minlength=trace.n_agents)
        self.last = np.cumsum(counts)
        self.at = self.last - counts
        self.next_step = np.where(self.at < self.last, self.step[self.at], -1)
        self.next_row = self.rows[self.at]

    def advance(self, agents: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Pass over the present call of each agent; return whether its step has another."""
        before = self.next_step[agents]
        self.at[agents] += 1
        at = self.at[agents]
        self.next_step[agents] = np.where(at < self.last[agents], self.step[at], -1)
        self.next_row[agents] = self.rows[at]
        return np.asarray(self.next_step[agents] == before, np.bool_)
