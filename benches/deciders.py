"""What one would use instead of Headway's core to decide who may start: the same rule, other means.

All but Headway share the bookkeeping of a careful user: who waits remembers one agent that blocks
it, and is looked at again when that one has finished a step. They differ in how a blocker is found.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np

from headway import Scheduler

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

#: Footprint of everybody: sight, reach, speed.
SIGHT, REACH, SPEED = 4, 1, 1


def bound(lag: Any) -> Any:
    """Return up to which distance somebody so many steps behind blocks (conservative rule)."""
    return max(SIGHT, SPEED) + REACH + (lag - 1) * SPEED


class Headway:
    """Headway's scheduler, through Python."""

    name = "headway"

    def __init__(self, positions: NDArray[np.int64]) -> None:
        self._scheduler = Scheduler(positions, sight=SIGHT, reach=REACH, speed=SPEED)
        self._scheduler.start(self._scheduler.ready())

    def finish(self, ids: NDArray[np.int64], positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """End the step of these agents; return who has been started by it."""
        ready = self._scheduler.finish(ids, positions)
        self._scheduler.start(ready)
        return ready


class Decider(ABC):
    """Bookkeeping of who waits for whom; subclasses find a blocker."""

    name = ""

    def __init__(self, positions: NDArray[np.int64]) -> None:
        self.positions = positions.copy()
        self.clocks = np.zeros(len(positions), np.int64)
        self._waiting: dict[int, list[int]] = {}

    def finish(self, ids: NDArray[np.int64], positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """End the step of these agents; return who has been started by it."""
        self.positions[ids] = positions
        self.clocks[ids] += 1
        candidates = ids.tolist()
        for agent in ids.tolist():
            candidates += self._waiting.pop(agent, ())
        started = []
        for agent, blocker in zip(candidates, self.examine(ids, candidates), strict=True):
            if blocker is None:
                started.append(agent)
            else:
                self._waiting.setdefault(blocker, []).append(agent)
        return np.array(started, np.int64)

    @abstractmethod
    def examine(self, moved: NDArray[np.int64], agents: list[int]) -> Iterable[int | None]:
        """Return who blocks each of these agents, if anybody; `moved` have just finished."""

    def among(self, agent: int, others: NDArray[np.int64]) -> int | None:
        """Return one of the others who blocks an agent."""
        lags = self.clocks[agent] - self.clocks[others]
        away = np.abs(self.positions[others] - self.positions[agent]).max(axis=1)
        found = np.flatnonzero((lags > 0) & (away <= bound(lags)))
        return int(others[found[0]]) if len(found) else None


class AllPairs(Decider):
    """Compares with everybody, in numpy."""

    name = "numpy, all pairs"

    def __init__(self, positions: NDArray[np.int64]) -> None:
        super().__init__(positions)
        self._everybody = np.arange(len(positions))

    def examine(self, moved: NDArray[np.int64], agents: list[int]) -> Iterable[int | None]:
        """Look at everybody."""
        return [self.among(agent, self._everybody) for agent in agents]


class KDTree(Decider):
    """Asks scipy's k-d tree, which is built anew now and then.

    Nobody walks farther than `SPEED` in a step, so an older tree will do with a larger radius.
    """

    name = "scipy cKDTree"

    #: Steps since the tree was built after which somebody makes it be built anew.
    STEPS_MAX = 4

    def __init__(self, positions: NDArray[np.int64]) -> None:
        from scipy.spatial import cKDTree  # noqa: PLC0415 - an optional dependency

        super().__init__(positions)
        self._make = cKDTree
        self._build()

    def _build(self) -> None:
        self._tree = self._make(self.positions)
        self._then = self.clocks.copy()
        self._drift = 0

    def examine(self, moved: NDArray[np.int64], agents: list[int]) -> Iterable[int | None]:
        """Look at those within the bound of whoever is farthest behind."""
        self._drift = max(self._drift, int((self.clocks - self._then)[moved].max()))
        if self._drift > self.STEPS_MAX:
            self._build()
        lags = self.clocks[agents] - self.clocks.min()
        radii = np.where(lags > 0, bound(lags) + self._drift * SPEED, 0)
        found = self._tree.query_ball_point(self.positions[agents], radii, p=np.inf)
        return [
            self.among(agent, np.array(near)) if lag > 0 else None
            for agent, near, lag in zip(agents, found, lags.tolist(), strict=True)
        ]


class Redis(Decider):
    """Keeps positions and clocks in a Redis server, as the published system does.

    Updates and the geo-queries they ask for are one transaction for each batch; a second request
    fetches the clocks and places of those found. A tile is a thousandth of a degree at the equator,
    where Redis' places are exact to a hundredth of a tile.
    """

    name = "Redis, a transaction per update"

    _DEGREES, _METRES = 1e-3, 111.32

    def __init__(self, positions: NDArray[np.int64], client: Any) -> None:
        super().__init__(positions)
        self._client = client
        client.flushall()
        self._ids = list(range(len(positions)))
        pipe = client.pipeline(transaction=True)
        self._update(pipe, self._ids)
        pipe.execute()
        self._smallest = 0

    def _update(self, pipe: Any, agents: list[int]) -> None:
        states, places = {}, []
        for agent in agents:
            x, y = self.positions[agent].tolist()
            states[agent] = f"{x},{y},{self.clocks[agent]}"
            places += [x * self._DEGREES, y * self._DEGREES, agent]
        pipe.geoadd("places", places)
        pipe.hset("states", mapping=states)

    def examine(self, moved: NDArray[np.int64], agents: list[int]) -> Iterable[int | None]:
        """Update and ask for those near in one transaction, then for their states."""
        pipe = self._client.pipeline(transaction=True)
        self._update(pipe, moved.tolist())
        smallest = int(self.clocks.min())
        asked = [agent for agent in agents if self.clocks[agent] > smallest]
        for agent in asked:
            x, y = (self.positions[agent] * self._DEGREES).tolist()
            side = (2 * bound(int(self.clocks[agent]) - smallest) + 1) * self._METRES
            pipe.geosearch("places", longitude=x, latitude=y, width=side, height=side, unit="m")
        answers = pipe.execute()[-len(asked) :] if asked else (pipe.execute(), [])[1]
        everybody = list(dict.fromkeys(name for found in answers for name in found))
        told = self._client.hmget("states", everybody) if everybody else []
        states = dict(zip(everybody, (list(map(int, t.split(b","))) for t in told), strict=True))
        found_for = dict(zip(asked, answers, strict=True))
        return [self._blocker(agent, found_for.get(agent, ()), states) for agent in agents]

    def _blocker(
        self, agent: int, found: Iterable[bytes], states: dict[bytes, list[int]]
    ) -> int | None:
        x, y = self.positions[agent].tolist()
        clock = int(self.clocks[agent])
        for name in found:
            other_x, other_y, other_clock = states[name]
            lag = clock - other_clock
            if lag > 0 and max(abs(x - other_x), abs(y - other_y)) <= bound(lag):
                return int(name)
        return None
