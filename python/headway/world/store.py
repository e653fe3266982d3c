"""The store: positions, public states, words, messages and places, each at every step still read.

Nothing here decides who may read or write what, or when; the schedule and `headway.live.effects`
do. Steps given to a reading method must be at least those last given to `forget`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from headway._core import PositionHistory
from headway.errors import OptionError
from headway.world.places import Place, Versions

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from headway.space import Position, Space

    #: The agent's place in the order of agents, whatever the order of execution: (i,) of those
    #: there from the beginning; of a child its parent's, the step it was brought about in, and its
    #: number within that step.
    Rank = tuple[int, ...]


class Utterance(NamedTuple):
    """What somebody said in the step before, heard by all who see the speaker."""

    speaker: str
    text: str
    to: tuple[str, ...]


class Message(NamedTuple):
    """What somebody sent to one other in the step before."""

    sender: str
    body: Any


class World:
    """All that agents can perceive, versioned by step."""

    def __init__(
        self,
        space: Space,
        positions: NDArray[Any],
        places: Iterable[Place],
        *,
        sight: float,
    ) -> None:
        self.space = space
        options = space.scheduler_options()
        self._history = PositionHistory(positions, radius=max(float(sight), 1.0), **options)
        self._states: list[list[tuple[int, Any]]] = [[] for _ in range(len(positions))]
        self._said: list[list[tuple[int, Utterance]]] = [[] for _ in range(len(positions))]
        self._inbox: list[dict[int, list[tuple[Rank, int, Message]]]] = [
            {} for _ in range(len(positions))
        ]
        self.places: dict[str, Place] = {}
        self._versions: list[Versions] = []
        self._number: dict[str, int] = {}
        for place in places:
            if place.name in self.places:
                raise OptionError(f"there are two places named {place.name!r}")
            self._number[place.name] = len(self._versions)
            self.places[place.name] = place
            self._versions.append(Versions(place))
        self._place_names = list(self.places)
        where = [space.check(p.position, what=f"place {p.name!r}") for p in self.places.values()]
        self._place_index = (
            PositionHistory(where, radius=max(float(sight), 1.0), **options) if where else None
        )
        self._written: set[int] = set()
        self._frontier = 0

    # What the snapshot of a step holds.

    def position(self, agent: int, step: int) -> Position:
        """Return where an agent stood at the start of a step."""
        position: Position = self._history.position(agent, step)
        return position

    def neighbours(self, agent: int, step: int, radius: float) -> list[int]:
        """Return who else was within a radius of an agent at the start of a step, by id."""
        return self._history.neighbours(agent, step, radius)

    def state(self, agent: int, step: int) -> Any:  # noqa: ANN401 - any plain value
        """Return the public state of an agent."""
        for since, state in reversed(self._states[agent]):
            if since <= step:
                return state
        return None

    def said(self, agent: int, step: int) -> Utterance | None:
        """Return what an agent said in the step before."""
        for since, utterance in reversed(self._said[agent]):
            if since <= step:
                return utterance if since == step else None
        return None

    def inbox(self, agent: int, step: int) -> tuple[Message, ...]:
        """Return the messages sent to an agent in the step before, in the order of senders."""
        letters = self._inbox[agent].get(step)
        if letters is None:
            return ()
        letters.sort(key=lambda letter: letter[:2])
        return tuple(message for _, _, message in letters)

    def places_near(self, position: Position, radius: float) -> list[str]:
        """Return the names of the places within a radius, in the order they were given."""
        if self._place_index is None:
            return []
        names = self._place_names
        return [names[number] for number in self._place_index.near(position, 0, radius)]

    def place_state(self, name: str, step: int) -> Any:  # noqa: ANN401 - any plain value
        """Return the state of a place."""
        return self._versions[self._number[name]].state(step)

    # Effects of a step are part of the snapshot of the next.

    def add(self, position: Position, state: Any, step: int) -> int:  # noqa: ANN401
        """Let somebody join: it is part of the snapshot of `step`; return its id."""
        agent = self._history.add(position, step)
        self._states.append([])
        self._said.append([])
        self._inbox.append({})
        self.publish(agent, state, step)
        return agent

    def move(
        self,
        agents: Sequence[int],
        steps: Sequence[int],
        positions: Sequence[Position],
    ) -> None:
        """Let agents stand elsewhere from the start of these steps on."""
        self._history.move(agents, steps, positions)

    def leave(self, agents: Sequence[int], steps: Sequence[int]) -> None:
        """Let agents be gone from the start of these steps on."""
        self._history.remove(agents, steps)
        for agent in agents:
            self._inbox[agent].clear()

    def publish(self, agent: int, state: Any, step: int) -> None:  # noqa: ANN401
        """Set an agent's (frozen) public state from the start of a step on."""
        versions = self._states[agent]
        while len(versions) > 1 and versions[1][0] <= self._frontier:
            del versions[0]
        versions.append((step, state))

    def say(self, agent: int, utterance: Utterance, step: int) -> None:
        """Let an agent be heard at the start of a step."""
        words = self._said[agent]
        while words and words[0][0] < self._frontier:
            del words[0]
        words.append((step, utterance))

    def send(self, sender: Rank, number: int, message: Message, recipient: int, step: int) -> None:
        """Put a message into somebody's inbox of a step."""
        self._inbox[recipient].setdefault(step, []).append((sender, number, message))

    def write(
        self,
        place: str,
        step: int,
        rank: Rank,
        agent: str,
        value: Any,  # noqa: ANN401
    ) -> None:
        """Write a (frozen) value to a place as an effect of this step."""
        number = self._number[place]
        self._versions[number].write(step, rank, agent, value)
        self._written.add(number)

    # What is not needed any more.

    def read_before(self, agents: Sequence[int], clocks: Sequence[int]) -> None:
        """Drop what only these agents would have read in the step before their clock."""
        inbox = self._inbox
        for agent in agents:
            if inbox[agent]:
                inbox[agent].pop(clocks[agent] - 1, None)

    def forget(self, frontier: int) -> None:
        """Drop the versions of steps before the frontier: nobody will read them."""
        if frontier <= self._frontier:
            return
        self._frontier = frontier
        self._history.forget(frontier)
        self._written = {n for n in self._written if not self._versions[n].forget(frontier)}

    @property
    def versions(self) -> int:
        """How many versions of positions are kept."""
        return self._history.versions
