"""Who meets whom: conversations that took place, and decisions that led to none."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headway.importers.recording import Doing, Memory, Recording, Transcript

#: After a conversation, its two agents do not start another for this many steps.
SILENCE = 800
#: At this hour nobody talks.
LATE_HOUR = 23


class Meetings:
    """The conversations of a recording, and what everybody was doing when others came near."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._index = {name: i for i, name in enumerate(recording.names)}
        self._began = [[d.step for d in doings] for doings in recording.doings]
        self._talks: list[dict[int, tuple[int, Doing]]] = [{} for _ in recording.names]
        #: For each agent the (end, partner) of its conversations, in the order of their ends.
        self._past: list[list[tuple[int, int]]] = [[] for _ in recording.names]
        self._find_talks()

    def _find_talks(self) -> None:
        """Find each conversation once, though both its agents carry it."""
        known: set[tuple[frozenset[int], Transcript]] = set()
        begun = sorted(
            (d.step, agent, k)
            for agent, doings in enumerate(self._recording.doings)
            for k, d in enumerate(doings)
            if d.partner in self._index and d.partner != self._recording.names[agent]
        )
        for step, agent, k in begun:
            doing = self._recording.doings[agent][k]
            other = self._index[doing.partner]
            self._past[agent].append((self._end(agent, k), other))
            # The one who speaks first began it; a recording may show the other first.
            key = (frozenset((agent, other)), doing.talk)
            speaks_first = not doing.talk or doing.talk[0][0] == self._recording.names[agent]
            if speaks_first and key not in known:
                known.add(key)
                self._talks[agent][step] = (other, doing)

    def _end(self, agent: int, k: int) -> int:
        """Return the last step of the `k`-th doing of an agent."""
        began = self._began[agent]
        return (began[k + 1] if k + 1 < len(began) else self._recording.n_steps) - 1

    def talks_begun_by(self, agent: int) -> dict[int, tuple[int, Doing]]:
        """Return the conversations an agent began: by step, the other agent and what was said."""
        return self._talks[agent]

    def noticed(self, agent: int, made: Sequence[Memory]) -> int:
        """Return the first other agent among newly made memories, or -1."""
        for memory in made:
            other = self._index.get(memory.subject, -1)
            if memory.kind == "event" and other not in {-1, agent}:
                return other
        return -1

    def may_talk(self, step: int, agent: int, other: int) -> bool:
        """Whether the program would ask the model if `agent` should talk to `other`."""
        doings = (self._doing(agent, step), self._doing(other, step))
        if None in doings or int(self._recording.times[step]) % 86_400 // 3_600 == LATE_HOUR:
            return False
        if any(d.partner or not d.is_action or "sleeping" in d.text for d in doings if d):
            return False
        past = self._past[agent]
        k = bisect_left(past, (step, -1)) - 1
        # Only the newest conversation of an agent counts; see docs/importing.md.
        return k < 0 or past[k][1] != other or step - past[k][0] >= SILENCE

    def may_react(self, step: int, agent: int, other: int) -> bool:
        """Whether the program would ask how to react: on the way to the place where `other` is."""
        mine, theirs = self._doing(agent, step), self._doing(other, step)
        if mine is None or theirs is None or not mine.address or mine.address != theirs.address:
            return False
        places = self._recording.positions
        return bool((places[step, agent] != places[step + 1, agent]).any())

    def _doing(self, agent: int, step: int) -> Doing | None:
        k = bisect_right(self._began[agent], step) - 1
        return self._recording.doings[agent][k] if k >= 0 else None
