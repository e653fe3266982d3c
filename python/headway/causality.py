"""Watch a replay for steps that were started too early.

A trace shows who stood within sight of whom. Whoever starts a step before all in its sight have
reached that step reads a state that may still change; lock-step never does. So each replay can be
checked against the trace itself, whatever rule the schedule applied.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headway.schedules.neighbours import Neighbours
    from headway.trace import Trace


class CausalityCheck:
    """Counts agent-steps that were started too early; pass it to `replay` as its `log`.

    Attributes
    ----------
    pairs : int
        How often an agent stood within sight of one that started a step.
    too_early : int
        Agent-steps started although somebody in sight had not reached that step, or although the
        agent it goes on with (`Agents.follows`) was not done. A schedule whose result is that of
        lock-step has none; that there is none does not prove it alone.
    first : (int, int, int) or None
        The first of them: agent, step, and who was behind.
    """

    def __init__(self, trace: Trace, neighbours: Neighbours) -> None:
        self.pairs = 0
        self.too_early = 0
        self.first: tuple[int, int, int] | None = None
        # The log leaves out the empty steps of who joins later, so that one is taken to have come
        # that far; who follows somebody, only once that one is done.
        follows = trace.agents.follows.astype(np.int64)
        self._first = trace.agents.first_step.astype(np.int64)
        self._clock = self._first - (follows >= 0)
        self._follower = np.full(trace.n_agents, -1, np.int64)
        self._follower[follows[follows >= 0]] = np.flatnonzero(follows >= 0)
        self._neighbours = neighbours

    def __call__(
        self, what: str, seconds: float, agents: NDArray[np.int64], steps: NDArray[np.int64]
    ) -> None:
        """Take in an event of the schedule."""
        if what == "finish":
            self._clock[agents] = steps + 1
        if what == "publish":
            joining = self._follower[agents]
            self._clock[joining] = self._first[joining]
        if what != "start":
            return
        self._count(self._clock[agents] < steps, agents, steps, agents)
        rows = steps * len(self._clock) + agents
        first, last = self._neighbours.starts[rows], self._neighbours.starts[rows + 1]
        degrees = last - first
        pairs = int(degrees.sum())
        if not pairs:
            return
        self.pairs += pairs
        ends = np.cumsum(degrees)
        at = np.arange(pairs) + np.repeat(first - (ends - degrees), degrees)
        others = self._neighbours.others[at]
        owner = np.repeat(np.arange(len(agents)), degrees)
        behind = np.flatnonzero(self._clock[others] < steps[owner])
        # One agent-step counts once, however many are behind.
        _, once = np.unique(owner[behind], return_index=True)
        late = behind[once]
        early = np.zeros(len(agents), np.bool_)
        early[owner[late]] = True
        who = np.full(len(agents), -1, np.int64)
        who[owner[late]] = others[late]
        self._count(early, agents, steps, who)

    def _count(
        self,
        early: NDArray[np.bool_],
        agents: NDArray[np.int64],
        steps: NDArray[np.int64],
        behind: NDArray[np.int64],
    ) -> None:
        if not early.any():
            return
        self.too_early += int(early.sum())
        if self.first is None:
            i = int(np.flatnonzero(early)[0])
            self.first = (int(agents[i]), int(steps[i]), int(behind[i]))
