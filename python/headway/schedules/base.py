"""What a driver needs of a schedule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Setting:
    """The footprint a run assumes: how far agents perceive, affect and move in one step."""

    sight: float = 4.0
    speed: float = 1.0
    reach: float | None = None
    metric: str = "chebyshev"
    wrap: tuple[float, float] | None = None


class Schedule(Protocol):
    """Decides which agents may run. `headway.Scheduler` is one.

    Agents are numbered from 0; all start at step 0. Ids are int64 arrays. See `headway.Scheduler`
    for the meaning of each method.
    """

    def ready(self) -> NDArray[np.int64]:
        """Return the agents that may start their next step."""
        ...

    def start(self, ids: ArrayLike) -> None:
        """Mark agents as executing their next step."""
        ...

    def finish(self, ids: ArrayLike, positions: ArrayLike) -> NDArray[np.int64]:
        """End the step of running agents; return those that may start because of it."""
        ...

    def remove(self, ids: ArrayLike) -> NDArray[np.int64]:
        """Let agents leave; return those that may start because of it."""
        ...

    def clusters(self, ids: ArrayLike) -> NDArray[np.int64]:
        """Label agents; those with equal labels start and finish together."""
        ...

    @property
    def frontier(self) -> int:
        """The smallest clock of the agents present."""
        ...


def as_ids(ids: Any) -> NDArray[np.int64]:  # noqa: ANN401 - any array-like
    """Return ids as an int64 array, without a copy where they are one."""
    import numpy as np  # noqa: PLC0415 - keeps the protocol importable alone

    return np.asarray(ids, np.int64)
