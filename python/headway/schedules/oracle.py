"""The oracle: waits only where the trace shows that somebody was really in sight.

It knows the whole trace, so it cannot be attained online; it says how much waiting was needed.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from headway.schedules.base import as_ids
from headway.schedules.reference import Unconstrained

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from headway.schedules.neighbours import Neighbours
    from headway.trace import Trace


class Oracle(Unconstrained):
    """Agent A waits at step a only for those within its sight at step a who are behind.

    DESIGN section 5. The positions come from the trace, not from `finish`.
    """

    def __init__(self, trace: Trace, neighbours: Neighbours) -> None:
        super().__init__(trace.n_agents)
        self._neighbours = neighbours
        self._end = trace.n_steps
        # For each agent that others wait for: its clock that frees them -> who.
        self._waiting: defaultdict[int, defaultdict[int, list[int]]] = defaultdict(
            lambda: defaultdict(list)
        )
        self._missing = np.zeros(trace.n_agents, np.int64)

    def finish(self, ids: ArrayLike, positions: ArrayLike) -> NDArray[np.int64]:
        ids = as_ids(ids)
        self._clock[ids] += 1
        at = self._clock[ids]
        row = np.minimum(at, self._end - 1) * len(self._clock) + ids
        lonely = self._neighbours.starts[row] == self._neighbours.starts[row + 1]
        lonely |= at >= self._end
        ready = ids[lonely].tolist()
        for agent in ids[~lonely].tolist():
            if self._waits_for_nobody(agent):
                ready.append(agent)
        if self._waiting:
            self._release(ids.tolist(), ready)
        return np.array(sorted(ready, key=lambda agent: (self._clock[agent], agent)), np.int64)

    def remove(self, ids: ArrayLike) -> NDArray[np.int64]:
        super().remove(ids)
        # Nobody waits for it: at the steps it has not executed it is nobody's neighbour.
        return np.empty(0, np.int64)

    def _waits_for_nobody(self, agent: int) -> bool:
        clock = int(self._clock[agent])
        row = clock * len(self._clock) + agent
        lo, hi = self._neighbours.starts[row], self._neighbours.starts[row + 1]
        others = self._neighbours.others[lo:hi]
        behind = others[self._clock[others] < clock].tolist()
        for other in behind:
            self._waiting[other][clock].append(agent)
        self._missing[agent] = len(behind)
        return not behind

    def _release(self, ids: Sequence[int], ready: list[int]) -> None:
        for agent in ids:
            waiters = self._waiting.get(agent)
            if waiters is None:
                continue
            for waiter in waiters.pop(int(self._clock[agent]), ()):
                self._missing[waiter] -= 1
                if not self._missing[waiter]:
                    ready.append(waiter)
            if not waiters:
                del self._waiting[agent]


def critical_path(trace: Trace, neighbours: Neighbours, latency: NDArray[np.float64]) -> float:
    """Return the length of the longest chain in the oracle's graph, in modelled seconds.

    No schedule that respects what agents really saw can be faster, whatever the hardware.

    Parameters
    ----------
    latency : float64 (n_calls,)
        What each call takes alone.
    """
    n = trace.n_agents
    bounds = np.searchsorted(trace.calls.step, np.arange(trace.n_steps + 1))
    finished = np.zeros(n)
    follows = trace.agents.follows
    for step in range(trace.n_steps):
        lo, hi = neighbours.starts[step * n], neighbours.starts[(step + 1) * n]
        for new in np.flatnonzero((follows >= 0) & (trace.agents.first_step == step)):
            finished[new] = max(finished[new], finished[follows[new]])
        start = finished
        if hi > lo:
            degrees = np.diff(neighbours.starts[step * n : (step + 1) * n + 1])
            start = finished.copy()
            np.maximum.at(
                start, np.repeat(np.arange(n), degrees), finished[neighbours.others[lo:hi]]
            )
        first, last = bounds[step], bounds[step + 1]
        finished = start + np.bincount(
            trace.calls.agent[first:last], weights=latency[first:last], minlength=n
        )
    return float(finished.max(initial=0.0))
