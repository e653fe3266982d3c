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


class CausalityCheck:
    """Counts agent-steps that were started too early; pass it to `replay` as its `log`.

    Attributes
    ----------
    pairs : int
        How often an agent stood within sight of one that started a step.
    too_early : int
        Agent-steps started although somebody in sight had not reached that step. 0 for every
        schedule whose result is lock-step's.
    first : (int, int, int) or None
        The first of them: agent, step, and who was behind.
    """

    def __init__(self, agents: int, neighbours: Neighbours) -> None:
        self.pairs = 0
        self.too_early = 0
        self.first: tuple[int, int, int] | None = None
        self._clock = np.zeros(agents, np.int64)
        self._neighbours = neighbours

    def __call__(
        self, what: str, seconds: float, agents: NDArray[np.int64], steps: NDArray[np.int64]
    ) -> None:
        """Take in an event of the schedule."""
        if what == "finish":
            self._clock[agents] = steps + 1
        if what != "start":
            return
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
        if len(behind):
            self.too_early += len(np.unique(owner[behind]))
            if self.first is None:
                mine = owner[behind[0]]
                self.first = (int(agents[mine]), int(steps[mine]), int(others[behind[0]]))
