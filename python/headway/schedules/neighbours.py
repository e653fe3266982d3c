"""Who stands within sight of whom at each step of a trace, for schedules that know the future."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from headway.trace.metric import distance

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headway.trace import Trace

#: Agent-steps looked at in one go: candidates for neighbours take much more memory than neighbours.
CHUNK = 8_000


class Neighbours:
    """For every step and agent the others within `sight` at the start of that step.

    Agents of different worlds are no neighbours, nor is anybody before joining or after leaving.

    Attributes
    ----------
    starts : int64 (n_steps * n_agents + 1,)
        The neighbours of agent `i` at step `t` are `others[starts[r]:starts[r + 1]]` with
        `r = t * n_agents + i`.
    others : int32 (m,)
        By agent id.
    """

    def __init__(
        self,
        trace: Trace,
        *,
        sight: float,
        metric: str,
        wrap: tuple[float, float] | None = None,
    ) -> None:
        n, steps = trace.n_agents, trace.n_steps
        others = [np.empty(0, np.int32)]
        counts = [np.zeros(1, np.int64)]
        rows = max(1, CHUNK // max(n, 1))
        for first in range(0, steps, rows):
            last = min(first + rows, steps)
            pairs = _pairs(trace, first, last, sight, metric, wrap)
            order = np.lexsort((pairs[:, 1], pairs[:, 0]))
            others.append(pairs[order, 1].astype(np.int32))
            counts.append(np.bincount(pairs[:, 0] - first * n, minlength=(last - first) * n))
        self.starts = np.cumsum(np.concatenate(counts))
        self.others = np.concatenate(others)


def _pairs(
    trace: Trace,
    first: int,
    last: int,
    sight: float,
    metric: str,
    wrap: tuple[float, float] | None,
) -> NDArray[np.int64]:
    """Return (step * n_agents + agent, other) for all neighbours in the steps first:last.

    Space is cut into cells of side `sight`; who is within sight is in the same or a next cell.
    """
    n = trace.n_agents
    steps = np.arange(first, last)
    agents = trace.agents
    present = (agents.first_step <= steps[:, None]) & (steps[:, None] < agents.last_step)
    step, agent = np.nonzero(present)
    place = trace.positions[first + step, agent]
    cells, spans = _cells(place, max(sight, 1e-9), wrap)
    slab = step * (int(agents.world.max(initial=0)) + 1) + agents.world[agent]
    key = (slab * spans[0] + cells[:, 0]) * spans[1] + cells[:, 1]
    order = np.argsort(key, kind="stable")
    sorted_key = key[order]
    found = []
    for dx, dy in _offsets(spans, wrap):
        near = cells + np.array((dx, dy))
        if wrap is not None:
            near %= spans
        inside = ((near >= 0) & (near < spans)).all(axis=1)
        want = (slab * spans[0] + near[:, 0]) * spans[1] + near[:, 1]
        lo = np.searchsorted(sorted_key, want, side="left")
        hi = np.where(inside, np.searchsorted(sorted_key, want, side="right"), lo)
        mine = np.repeat(np.arange(len(key)), hi - lo)
        offset = np.arange(len(mine)) - np.repeat(np.cumsum(hi - lo) - (hi - lo), hi - lo)
        theirs = order[np.repeat(lo, hi - lo) + offset]
        near_enough = distance(place[mine], place[theirs], metric, wrap) <= sight
        keep = near_enough & (mine != theirs)
        found.append(
            np.stack(((first + step[mine]) * n + agent[mine], agent[theirs]), axis=1)[keep]
        )
    return np.concatenate(found)


def _cells(
    place: NDArray[Any], side: float, wrap: tuple[float, float] | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the cell of each place, counted from 0, and the number of cells on each axis."""
    if wrap is not None:
        spans = np.maximum(np.floor(np.asarray(wrap) / side), 1).astype(np.int64)
        cells = np.floor(place / (np.asarray(wrap) / spans)).astype(np.int64)
        return np.minimum(cells, spans - 1), spans
    cells = np.floor(place / side).astype(np.int64)
    if len(cells):
        cells -= cells.min(axis=0)
    return cells, cells.max(axis=0, initial=0) + 1


def _offsets(spans: NDArray[np.int64], wrap: tuple[float, float] | None) -> list[tuple[int, int]]:
    """Return the steps to the next cells; on a small torus some of them are the same cell."""
    axes = [[-1, 0, 1] if wrap is None or span >= 3 else list(range(int(span))) for span in spans]
    return [(dx, dy) for dx in axes[0] for dy in axes[1]]
