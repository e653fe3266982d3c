"""Schedules a live simulation can run under."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from headway._core import Scheduler
from headway.errors import OptionError
from headway.schedules.reference import Lockstep, Serial

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import ArrayLike, NDArray

#: What each one is, in a line.
LIVE_SCHEDULES = {
    "conservative": "an agent goes as soon as nobody behind can still reach what it will see",
    "lockstep": "a barrier after every step: the baseline, and the twin to compare with",
    "serial": "one agent at a time",
}


class LiveSchedule(Protocol):
    """Decides which agents may run, and takes newcomers. `headway.Scheduler` is one."""

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

    def spawn(
        self,
        parent: int,
        position: Any,  # noqa: ANN401
        *,
        sight: float | None = None,
        speed: float | None = None,
        reach: float | None = None,
    ) -> int:
        """Let an agent join at the step after the one its parent is executing; return its id."""
        ...

    @property
    def frontier(self) -> int:
        """The smallest clock of the agents present."""
        ...


def make_live_schedule(
    name: str,
    positions: Any,  # noqa: ANN401
    *,
    sight: Sequence[float],
    speed: Sequence[float],
    reach: Sequence[float],
    options: Mapping[str, Any],
) -> LiveSchedule:
    """Make the schedule of this name.

    Parameters
    ----------
    positions : array
        Where each agent stands, or will where it joins.
    sight, speed, reach : sequence of numbers
        Of each agent.
    options : mapping
        `Space.scheduler_options()`.

    Raises
    ------
    OptionError
        If there is none of this name; the message lists them.
    SchedulerError
        If a position or a footprint cannot be used.
    """
    if name == "lockstep":
        return Lockstep(len(positions))
    if name == "serial":
        return Serial(len(positions))
    if name != "conservative":
        raise OptionError(
            f"no schedule {name!r} for live simulations; there are {', '.join(LIVE_SCHEDULES)}"
        )
    return Scheduler(
        positions, sight=sight, speed=speed, reach=reach, story_capacity=4096, **options
    )
