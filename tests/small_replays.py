"""Small walking traces with joins, leaves and calls, and schedules run or recorded."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import numpy as np
from hypothesis import strategies as st

from headway._core import VirtualServer
from headway.schedules import Schedule, Setting, make_schedule
from headway.trace import Trace
from headway.trace.footprint import resolve_jumps
from strategies import traces

SPEED = 2
#: Prompts never need a second chunk on this server, whatever else it works on.
PROMPT_MAX, OUTPUT_MAX = 100, 12


def server(replicas: int = 1, *, max_sequences: int = 8) -> VirtualServer:
    return VirtualServer(
        replicas, t0=0.05, p=0.001, d=0.004, max_sequences=max_sequences, token_budget=1000
    )


@st.composite
def walking_traces(draw, *, grid: bool | None = None, max_agents: int = 5, max_steps: int = 8):
    """Traces in which nobody moves farther than SPEED; jumps became leaving and joining.

    Every call has its own number of prompt tokens, by which it is known again.
    """
    trace = draw(traces(grid=grid, max_agents=max_agents, max_steps=max_steps))
    how = draw(st.sampled_from(["split", "clip"]))
    trace = resolve_jumps(trace, speed=SPEED, on_jump=how)
    calls = trace.calls
    rows = np.arange(len(calls))
    own = replace(
        calls,
        prompt_tokens=(rows + 1).astype(np.int32),
        output_tokens=(calls.output_tokens % OUTPUT_MAX + 1).astype(np.int32),
    )
    assert len(own) <= PROMPT_MAX
    return replace(trace, calls=own)


def setting(trace: Trace, sight: float = 3.0) -> Setting:
    return Setting(sight=sight, speed=SPEED, metric=trace.meta.metric, wrap=trace.meta.wrap)


def present(trace: Trace, step: int, agent: int) -> bool:
    return bool(trace.agents.first_step[agent] <= step < trace.agents.last_step[agent])


def near(trace: Trace, step: int, a: int, b: int, sight: float) -> bool:
    """Whether two present agents of one world are within sight, in plain arithmetic."""
    if a == b or trace.agents.world[a] != trace.agents.world[b]:
        return False
    if not (present(trace, step, a) and present(trace, step, b)):
        return False
    (x, y), (u, v) = trace.positions[step, a].tolist(), trace.positions[step, b].tolist()
    gaps = [abs(x - u), abs(y - v)]
    if trace.meta.wrap is not None:
        gaps = [min(gap, size - gap) for gap, size in zip(gaps, trace.meta.wrap, strict=True)]
    if trace.meta.metric == "chebyshev":
        return max(gaps) <= sight
    if trace.meta.metric == "manhattan":
        return sum(gaps) <= sight
    return (gaps[0] ** 2 + gaps[1] ** 2) ** 0.5 <= sight


class Recorded:
    """A schedule that remembers what it was asked and told, in order."""

    def __init__(self, schedule: Schedule, log: list[tuple[str, Any]] | None = None) -> None:
        self.schedule = schedule
        self.log: list[tuple[str, Any]] = [] if log is None else log

    def ready(self):
        return self.schedule.ready()

    def start(self, ids):
        self.log.append(("start", list(map(int, ids))))
        self.schedule.start(ids)

    def finish(self, ids, positions):
        self.log.append(("finish", list(map(int, ids))))
        self.places = positions
        return self.schedule.finish(ids, positions)

    def remove(self, ids):
        self.log.append(("remove", list(map(int, ids))))
        return self.schedule.remove(ids)

    def clusters(self, ids):
        return self.schedule.clusters(ids)

    @property
    def frontier(self):
        return self.schedule.frontier


class RecordedServer:
    """A server that remembers its requests and answers in the same log as a schedule."""

    def __init__(self, inner: VirtualServer, log: list[tuple[str, Any]]) -> None:
        self.inner, self.log = inner, log
        self.rows: dict[int, int] = {}

    def submit(self, priorities, prompt_tokens, output_tokens):
        requests = self.inner.submit(priorities, prompt_tokens, output_tokens)
        for request, priority, prompt, output in zip(
            requests.tolist(),
            priorities.tolist(),
            prompt_tokens.tolist(),
            output_tokens.tolist(),
            strict=True,
        ):
            self.rows[request] = prompt - 1
            self.log.append(("call", (prompt - 1, priority, output)))
        return requests

    def advance(self):
        requests = self.inner.advance()
        self.log += [("answer", self.rows[request]) for request in requests.tolist()]
        return requests

    def statistics(self):
        return self.inner.statistics()

    @property
    def now(self):
        return self.inner.now

    @property
    def replicas(self):
        return self.inner.replicas


class Driven:
    """A schedule run through a trace without calls, steps ending in random order.

    After every event `check(driven)` may look at `clock`, `running` and `ready`.
    """

    def __init__(self, trace: Trace, schedule: Schedule, seed: int, check=lambda _: None) -> None:
        self.trace, self.schedule = trace, schedule
        self.random = Random(seed)
        self.clock = [0] * trace.n_agents
        self.end = trace.agents.last_step.tolist()
        self.running: list[int] = []
        self.gone: set[int] = set()
        self.ready = self.unfinished(schedule.ready())
        self.order: list[tuple[str, int, int]] = []
        check(self)
        while self.ready or self.running:
            if self.ready and (not self.running or self.random.random() < 0.5):
                self.start()
            else:
                self.finish()
            check(self)
        assert self.clock == self.end, "the schedule came to a stop"

    def unfinished(self, ids) -> list[int]:
        return [a for a in map(int, ids) if self.clock[a] < self.end[a]]

    def whole(self, chosen: int, among: list[int]) -> list[int]:
        labels = self.schedule.clusters(np.array(among)).tolist()
        label = labels[among.index(chosen)]
        return [a for a, other in zip(among, labels, strict=True) if other == label]

    def start(self) -> None:
        ids = self.whole(self.random.choice(self.ready), self.ready)
        self.schedule.start(np.array(ids))
        self.order += [("start", self.clock[a], a) for a in ids]
        self.ready = [a for a in self.ready if a not in ids]
        self.running += ids

    def finish(self) -> None:
        ids = sorted(self.whole(self.random.choice(self.running), self.running))
        self.running = [a for a in self.running if a not in ids]
        self.order += [("finish", self.clock[a], a) for a in ids]
        for a in ids:
            self.clock[a] += 1
        places = self.trace.positions[[self.clock[a] for a in ids], ids]
        newly = self.unfinished(self.schedule.finish(np.array(ids), places))
        leaving = [
            a for a in ids if self.clock[a] == self.end[a] and self.clock[a] < self.trace.n_steps
        ]
        if leaving:
            self.gone |= set(leaving)
            newly += self.unfinished(self.schedule.remove(np.array(leaving)))
        self.ready = sorted({*self.ready, *newly})


def made(name: str, trace: Trace, sight: float = 3.0) -> Schedule:
    return make_schedule(name, trace, setting(trace, sight))
