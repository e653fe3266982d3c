"""The town's clock: which simulated time each step had, and which step a time belongs to."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from headway.errors import TraceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

#: Spelled out because `strptime` would read the month in the language of the machine.
MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
SPELLED = re.compile(r"([A-Z][a-z]+) (\d{1,2}), (\d{4})(?:, (\d{2}):(\d{2}):(\d{2}))?")

#: A jump of the clock is believed where it explains more sightings than this.
SIGHTINGS_FOR_A_JUMP = 2


def spelled_time(text: str, where: str) -> datetime:
    """Read a time as the program spells it: `February 13, 2023, 00:00:10`, or the day alone.

    Raises
    ------
    TraceError
        Where the text is not such a time.
    """
    found = SPELLED.fullmatch(text)
    if found and found[1] in MONTHS:
        year, month, day = int(found[3]), MONTHS.index(found[1]) + 1, int(found[2])
        try:
            hour, minute, second = (int(x or 0) for x in found.group(4, 5, 6))
            return datetime(year, month, day, hour, minute, second)
        except ValueError:
            pass
    raise TraceError(f"{where}: {text!r} is not a time such as 'February 13, 2023, 00:00:10'")


def iso_time(text: str, where: str) -> datetime:
    """Read a time such as `2023-02-13 00:00:10`."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        raise TraceError(f"{where}: {text!r} is not a time such as '2023-02-13 00:00:10'") from None


def steady(start: datetime, seconds: float, steps: int) -> NDArray[np.float64]:
    """Return the times of steps `0..steps` of a clock that never jumps.

    Times are seconds since the midnight before `start`; shape (steps + 1,).
    """
    first = start.hour * 3600.0 + start.minute * 60.0 + start.second
    return first + seconds * np.arange(steps + 1, dtype=np.float64)


def step_at(times: NDArray[np.float64], second: float) -> int:
    """Return the step whose time this is, or the last one before it; -1 before the first.

    The last entry of `times` is the end of the last step, not a step.
    """
    return int(np.searchsorted(times[:-1], second, side="right")) - 1 if second < times[-1] else -1


def jumps(times: NDArray[np.float64], seconds: float) -> tuple[int, ...]:
    """Return the steps at which the clock does not advance by `seconds`."""
    return tuple(int(t) + 1 for t in np.flatnonzero(np.abs(np.diff(times) - seconds) > 1e-6))


def with_jumps(
    times: NDArray[np.float64],
    seconds: float,
    total: int,
    sightings: Sequence[tuple[int, int]],
) -> NDArray[np.float64]:
    """Move a steady clock forward where a recording without times must have jumped.

    A sighting `(step, ahead)` is a step whose true time was read elsewhere, `ahead` steps later
    than a steady clock says. The clock returned never goes back, ends `total` steps ahead, and
    disagrees with as few sightings as possible; each jump costs `SIGHTINGS_FOR_A_JUMP`.
    """
    if total <= 0:
        return times
    offered, times_seen = np.unique([s[1] for s in sightings], return_counts=True)
    levels = offered[(times_seen > 1) & (offered > 0) & (offered < total)]
    levels = np.concatenate(([0], levels, [total]))
    seen = sorted(s for s in sightings if s[1] in levels)
    if not seen:
        return times
    # Cheapest way to stand levels[k] ahead after each sighting; `came` remembers from which k.
    cost = np.full(len(levels), np.inf)
    cost[0] = 0.0
    here = np.arange(len(levels))
    came = np.empty((len(seen) + 1, len(levels)), np.int64)
    for i in range(len(seen) + 1):
        lowest = np.minimum.accumulate(cost)
        whence = np.maximum.accumulate(np.where(cost == lowest, here, 0))
        jump = lowest + SIGHTINGS_FOR_A_JUMP < cost
        came[i] = np.where(jump, whence, here)
        cost = np.where(jump, lowest + SIGHTINGS_FOR_A_JUMP, cost)
        if i < len(seen):
            cost = cost + (levels != seen[i][1])
    moved = times.copy()
    level = len(levels) - 1
    for i in range(len(seen), -1, -1):
        before = int(came[i][level])
        if before != level:
            step = seen[i][0] if i < len(seen) else len(times) - 1
            moved[step:] += (levels[level] - levels[before]) * seconds
            level = before
    return moved
