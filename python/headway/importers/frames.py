"""One frame of the town after the other, checked, becomes positions and doings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from headway.errors import TraceError
from headway.importers.reading import as_object, as_text, as_whole, member, shown
from headway.importers.recording import Doing, Transcript

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Sizes of the maps that are known; elsewhere a coordinate must fit in 15 bits.
MAPS = {"the_ville": (140, 100)}
COORDINATES_MAX = 1 << 15


class Track:
    """Positions and doings of all agents, filled in step by step.

    Parameters
    ----------
    names : tuple of str
        The agents.
    steps : int
        How many steps will be put or held.
    maze : str
        Name of the map, which bounds the positions.
    sparse : bool
        Whether an agent that a frame leaves out is as it was (else it is missing).
    hold : bool
        Whether a missing agent or frame is taken as unchanged instead of being an error.
    """

    def __init__(
        self, names: tuple[str, ...], steps: int, maze: str, *, sparse: bool, hold: bool
    ) -> None:
        self.names = names
        self.positions: NDArray[np.int32] = np.zeros((steps + 1, len(names), 2), np.int32)
        self.doings: list[list[Doing]] = [[] for _ in names]
        self.held_steps = 0
        self.held_agents = 0
        self._size = MAPS.get(maze, (COORDINATES_MAX, COORDINATES_MAX))
        self._sparse = sparse
        self._hold = hold
        self._index = {name: i for i, name in enumerate(names)}
        self._last: list[tuple[str, str] | None] = [None] * len(names)
        self._started = False

    def start(self, places: dict[str, Any], where: str) -> None:
        """Take the positions at the start of step 0."""
        for i, name in enumerate(self.names):
            here = f"{where}, {name}"
            place = as_object(member(places, name, where), here)
            self.positions[0, i] = self._tile([place.get("x"), place.get("y")], here)
        self._started = True

    def put(self, step: int, people: dict[str, Any], where: str) -> None:
        """Take the frame of a step: where everybody is at its end, and what everybody does."""
        unknown = [name for name in people if name not in self._index]
        if unknown:
            raise TraceError(
                f"{where}: step {step} moves {unknown[0]!r}, who is not among the "
                f"{len(self.names)} personas of meta.json; add the name there or remove the entry"
            )
        self.positions[step + 1] = self.positions[step]
        for i, name in enumerate(self.names):
            if name in people:
                self._put_one(step, i, people[name], f"{where}, {name}")
            elif step == 0 or not (self._sparse or self._hold):
                raise TraceError(
                    f"{where}: {name} is missing in step {step}; restore the entry"
                    + ("" if step == 0 else ', or let it stay in place with on_missing_step="hold"')
                )
            elif not self._sparse:
                self.held_agents += 1
        if step == 0 and not self._started:
            self.positions[0] = self.positions[1]

    def hold(self, step: int) -> None:
        """Let everybody stay where they are, for a step whose frame is missing."""
        self.positions[step + 1] = self.positions[step]
        self.held_steps += 1

    def _put_one(self, step: int, i: int, entry: object, where: str) -> None:
        told = as_object(entry, where)
        here = f"{where}, movement of step {step}"
        self.positions[step + 1, i] = self._tile(member(told, "movement", where), here)
        description = as_text(told.get("description") or "", f"{where}, description")
        emoji = as_text(told.get("pronunciatio") or "", f"{where}, pronunciatio")
        if description and self._last[i] != (description, emoji):
            talk = as_talk(told.get("chat"), f"{where}, chat of step {step}")
            self.doings[i].append(Doing.parse(step, description, talk))
        self._last[i] = (description, emoji)

    def _tile(self, value: object, where: str) -> tuple[int, int]:
        if not isinstance(value, list) or len(value) != 2:
            raise TraceError(f"{where}: expected a pair [x, y], found {shown(value)}")
        x, y = (
            as_whole(v, f"{where}: {axis}", low=0, high=size - 1)
            for v, axis, size in zip(value, "xy", self._size, strict=True)
        )
        return x, y


def as_talk(value: object, where: str) -> Transcript:
    """Return a conversation: a list of [name, words], or nothing."""
    if value is None or value == "":
        return ()
    if not isinstance(value, list):
        raise TraceError(f"{where}: expected a list of [name, words], found {shown(value)}")
    for line in value:
        if not (
            isinstance(line, list) and len(line) == 2 and all(isinstance(x, str) for x in line)
        ):
            raise TraceError(f"{where}: expected [name, words], found {shown(line)}")
    return tuple((name, words) for name, words in value)
