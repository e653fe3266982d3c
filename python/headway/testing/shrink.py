"""Making a failing case smaller while it keeps failing: steps, agents, delays."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from headway.testing.case import Case
    from headway.testing.difference import Difference
    from headway.testing.order import Moment

#: Runs after which a case is small enough.
TRIES = 400

_Part = TypeVar("_Part")


class Shrinker:
    """Makes a failing case smaller.

    Parameters
    ----------
    fails : callable
        From a case to the difference it shows, or None.
    names : sequence of str
        Of all agents.
    """

    def __init__(
        self, fails: Callable[[Case], Difference | None], names: Sequence[str], tries: int = TRIES
    ) -> None:
        self._fails = fails
        self._names = tuple(names)
        self._left = tries
        #: What has been tried and does not fail.
        self._passed: set[Case] = set()

    def shrink(
        self, case: Case, difference: Difference, used: dict[Moment, float]
    ) -> tuple[Case, Difference]:
        """Return the smallest case that was found, and what it shows.

        `used` are the delays that the case's order came down to.
        """
        best, shown = case, difference
        # The same delays, but one by one; they come to the same unless agents tell orders apart.
        best, shown = self._take(best, shown, replace(best, order=None, late=_sorted(used)))
        while True:
            before = best
            best, shown = self._earlier_cut(best, shown)
            best, shown = self._fewer_steps(best, shown)
            best, shown = self._fewer_agents(best, shown)
            best, shown = self._fewer_delays(best, shown)
            best, shown = self._earlier(best, shown)
            if best == before or self._left <= 0:
                return best, shown

    def _take(self, best: Case, shown: Difference, smaller: Case) -> tuple[Case, Difference]:
        """Return the smaller case if it fails too."""
        if smaller == best or smaller in self._passed or self._left <= 0:
            return best, shown
        self._left -= 1
        difference = self._fails(smaller)
        if difference is None:
            self._passed.add(smaller)
        return (best, shown) if difference is None else (smaller, difference)

    def _earlier_cut(self, best: Case, shown: Difference) -> tuple[Case, Difference]:
        if best.cut is not None:
            best, shown = self._take(best, shown, replace(best, cut=None))
        less = (best.cut or 0) // 2
        while best.cut is not None and less > 0:
            smaller = replace(best, cut=best.cut - less)
            taken, shown = self._take(best, shown, smaller)
            less = min(less, (best.cut - less) // 2) if taken is smaller else less // 2
            best = taken
        return best, shown

    def _fewer_steps(self, best: Case, shown: Difference) -> tuple[Case, Difference]:
        if shown.step + 1 < best.steps:
            best, shown = self._take(best, shown, replace(best, steps=shown.step + 1))
        less = best.steps // 2
        while less > 0:
            smaller = replace(best, steps=best.steps - less)
            taken, shown = self._take(best, shown, smaller)
            less = min(less, (best.steps - less) // 2) if taken is smaller else less // 2
            best = taken
        return best, shown

    def _fewer_agents(self, best: Case, shown: Difference) -> tuple[Case, Difference]:
        names = list(best.agents or self._names)

        def attempt(kept: list[str]) -> bool:
            nonlocal best, shown
            if not kept:
                return False
            gone = set(self._names).difference(kept)  # the names of children are not known
            late = tuple(each for each in best.late if each[0][0] not in gone)
            smaller = replace(best, agents=tuple(kept), late=late)
            taken, shown = self._take(best, shown, smaller)
            fewer = taken is not best
            best = taken
            return fewer

        _remove_parts(names, attempt)
        return best, shown

    def _fewer_delays(self, best: Case, shown: Difference) -> tuple[Case, Difference]:
        def attempt(kept: list[tuple[Moment, float]]) -> bool:
            nonlocal best, shown
            taken, shown = self._take(best, shown, replace(best, late=tuple(kept)))
            fewer = taken is not best
            best = taken
            return fewer

        if best.order is None:
            attempt([each for each in best.late if each[0][1] < best.steps])
            _remove_parts(list(best.late), attempt)
        return best, shown

    def _earlier(self, best: Case, shown: Difference) -> tuple[Case, Difference]:
        """Let the delays come so many steps earlier, and the run end so much earlier."""
        sooner = min((moment[1] for moment, _ in best.late), default=0)
        while sooner > 0:
            late = tuple(
                ((agent, step - sooner, what), delay) for (agent, step, what), delay in best.late
            )
            smaller = replace(best, steps=max(best.steps - sooner, 1), late=late)
            taken, shown = self._take(best, shown, smaller)
            if taken is not best:
                best, sooner = taken, min(moment[1] for moment, _ in late)
            else:
                sooner //= 2
        return best, shown


def _sorted(used: dict[Moment, float]) -> tuple[tuple[Moment, float], ...]:
    return tuple(sorted(used.items(), key=lambda item: (item[0][1], item[0])))


def _remove_parts(parts: list[_Part], attempt: Callable[[list[_Part]], bool]) -> None:
    """Leave out parts, large chunks first, as long as the attempt succeeds (delta debugging)."""
    size = max(len(parts) // 2, 1)
    while parts:
        at = 0
        while at < len(parts):
            kept = parts[:at] + parts[at + size :]
            if attempt(kept):
                parts = kept
            else:
                at += size
        if size == 1:
            return
        size = max(size // 2, 1)
