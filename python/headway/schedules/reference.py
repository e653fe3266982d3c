"""Schedules to compare with: in step, one by one, or without any waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from headway.schedules.base import as_ids

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

NOBODY: NDArray[np.int64] = np.empty(0, np.int64)


class _Alone:
    """What the reference schedules share: everybody is its own cluster."""

    def __init__(self, agents: int) -> None:
        self._clock = np.zeros(agents, np.int64)
        self._present = np.ones(agents, np.bool_)
        self._frontier = 0

    def clusters(self, ids: ArrayLike) -> NDArray[np.int64]:
        return as_ids(ids)

    def spawn(self, parent: int, position: object, **footprint: float | None) -> int:
        """Let an agent join at the step after the one its parent is executing; return its id."""
        self._clock = np.append(self._clock, self._clock[parent] + 1)
        self._present = np.append(self._present, True)
        return len(self._clock) - 1

    @property
    def frontier(self) -> int:
        present = self._clock[self._present]
        if len(present):
            self._frontier = int(present.min())
        return self._frontier


class Lockstep(_Alone):
    """A barrier after every step: nobody starts step t + 1 before everybody has finished step t.

    The standard practice, and the baseline of every comparison (parallel-sync in PAPER section 7).
    """

    def __init__(self, agents: int) -> None:
        super().__init__(agents)
        self._step = 0
        self._unfinished = agents

    def ready(self) -> NDArray[np.int64]:
        return np.flatnonzero(self._present & (self._clock == self._step))

    def start(self, ids: ArrayLike) -> None:
        pass

    def finish(self, ids: ArrayLike, positions: ArrayLike) -> NDArray[np.int64]:
        ids = as_ids(ids)
        self._clock[ids] += 1
        self._unfinished -= len(ids)
        return self._cross_barrier()

    def remove(self, ids: ArrayLike) -> NDArray[np.int64]:
        ids = as_ids(ids)
        self._present[ids] = False
        self._unfinished -= int((self._clock[ids] == self._step).sum())
        return self._cross_barrier()

    def _cross_barrier(self) -> NDArray[np.int64]:
        everybody = np.flatnonzero(self._present)
        if self._unfinished or not len(everybody):
            return NOBODY
        self._step += 1
        self._unfinished = len(everybody)
        return everybody


class Serial(_Alone):
    """One agent at a time, in the order of their numbers, as the original program does."""

    def __init__(self, agents: int) -> None:
        super().__init__(agents)
        self._turn = -1

    def ready(self) -> NDArray[np.int64]:
        return self._next()

    def start(self, ids: ArrayLike) -> None:
        pass

    def finish(self, ids: ArrayLike, positions: ArrayLike) -> NDArray[np.int64]:
        self._clock[as_ids(ids)] += 1
        return self._next()

    def remove(self, ids: ArrayLike) -> NDArray[np.int64]:
        ids = as_ids(ids)
        self._present[ids] = False
        return self._next() if self._turn in ids else NOBODY

    def _next(self) -> NDArray[np.int64]:
        present = np.flatnonzero(self._present)
        if not len(present):
            return NOBODY
        # The first of those with the smallest clock.
        self._turn = int(present[self._clock[present].argmin()])
        return np.array([self._turn], np.int64)


class Unconstrained(_Alone):
    """No waiting between agents; an agent's own calls stay in sequence. Bound by the hardware."""

    def ready(self) -> NDArray[np.int64]:
        return np.flatnonzero(self._present)

    def start(self, ids: ArrayLike) -> None:
        pass

    def finish(self, ids: ArrayLike, positions: ArrayLike) -> NDArray[np.int64]:
        ids = as_ids(ids)
        self._clock[ids] += 1
        return ids

    def remove(self, ids: ArrayLike) -> NDArray[np.int64]:
        self._present[as_ids(ids)] = False
        return NOBODY
