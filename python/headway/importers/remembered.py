"""How much of an agent's memory goes into its prompts."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING

from headway.importers.prompts import MEMORIES_IN_MEAN, tokens_in

if TYPE_CHECKING:
    from headway.importers.recording import Memory


class Remembered:
    """The memories of one agent, with the lengths that prompts listing them have."""

    def __init__(self, memories: tuple[Memory, ...]) -> None:
        self.memories = memories
        used = [m for m in memories if m.step >= 0 and not m.idle]
        self._steps = [m.step for m in used]
        self._sums = [0.0, *accumulate(tokens_in(m.gist) for m in used)]
        events = [m for m in used if m.kind == "event"]
        self._event_steps = [m.step for m in events]
        self._event_sums = [0.0, *accumulate(tokens_in(m.gist) for m in events)]

    def listed(self, most: int, *, before: int) -> float:
        """Tokens of a list of at most `most` memories made before a step.

        Which memories the program picks is not known; they are taken to be of the mean length of
        the newest ones.
        """
        n = bisect_left(self._steps, before)
        newest = max(0, n - MEMORIES_IN_MEAN)
        return min(n, most) * (self._sums[n] - self._sums[newest]) / max(1, n - newest)

    def events(self, *, after: int, until: int) -> float:
        """Tokens of the events perceived after one step, up to and with another."""
        first, last = (bisect_right(self._event_steps, step) for step in (after, until))
        return self._event_sums[last] - self._event_sums[first]
