"""What an agent may read in one step: the snapshot of its own step, as far as it sees.

The view enforces sight: what lies beyond it is not offered, and asking for it by name is an error
that says how far it was. Nothing is read before it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from headway.errors import BeyondSightError, UnknownNameError, ViewClosedError
from headway.live.chance import generator
from headway.live.llm import Llm

if TYPE_CHECKING:
    from datetime import datetime
    from random import Random

    from headway.live.state import State
    from headway.space import Position, Space
    from headway.world.store import Message, Utterance


class Neighbour(NamedTuple):
    """Another agent as it is seen at the start of a step.

    `said` is what it said in the step before: a `headway.world.store.Utterance`, or None.
    """

    name: str
    position: Any
    distance: float
    state: Any
    said: Utterance | None


class PlaceView(NamedTuple):
    """A place as it is seen at the start of a step."""

    name: str
    position: Any
    distance: float
    state: Any


class View:
    """The snapshot of one agent's step. Valid until the step has ended.

    Attributes
    ----------
    step : int
        The agent's own step; others may be at other ones.
    """

    __slots__ = ("_agent", "_attempt", "_llm", "_neighbours", "_random", "_state", "step")

    def __init__(self, state: State, agent: int, step: int, attempt: int) -> None:
        self._state: State | None = state
        self._agent = agent
        self.step = step
        self._attempt = attempt
        self._neighbours: tuple[Neighbour, ...] | None = None
        self._random: Random | None = None
        self._llm: Llm | None = None

    def _open(self) -> State:
        state = self._state
        if state is None:
            raise ViewClosedError(
                f"a view of step {self.step} was read after that step had ended; keep what you "
                f"need in the agent's attributes instead of the view"
            )
        return state

    def close(self) -> None:
        """End the view's validity, and take back calls nobody waits for any more."""
        self._state = None
        if self._llm is not None:
            self._llm.close()

    # The agent itself.

    @property
    def name(self) -> str:
        """The agent's name."""
        return self._open().names[self._agent]

    @property
    def position(self) -> Any:  # noqa: ANN401 - as the space has it
        """Where the agent stands."""
        return self._open().positions[self._agent]

    @property
    def state(self) -> Any:  # noqa: ANN401 - any plain value
        """The agent's own public state, read-only."""
        return self._open().world.state(self._agent, self.step)

    @property
    def sight(self) -> float:
        """How far the agent perceives."""
        return self._open().sight[self._agent]

    @property
    def time(self) -> datetime:
        """Simulated date and time of the agent's step."""
        return self._open().time(self.step)

    @property
    def random(self) -> Random:
        """A random generator for this step; equal runs draw equal numbers."""
        state = self._open()
        if self._random is None:
            self._random = generator(state.seed, state.names[self._agent], self.step)
        return self._random

    @property
    def llm(self) -> Llm:
        """The language model."""
        state = self._open()
        if self._llm is None:
            self._llm = Llm(self, state.names[self._agent], self._attempt)
        return self._llm

    # What it perceives.

    @property
    def neighbours(self) -> tuple[Neighbour, ...]:
        """Everybody else in sight, in the order of agents."""
        if self._neighbours is None:
            state, step = self._open(), self.step
            world, names, here = state.world, state.names, state.positions[self._agent]
            seen = world.neighbours(self._agent, step, state.sight[self._agent])
            if state.reordered and len(seen) > 1:
                seen.sort(key=state.ranks.__getitem__)
            neighbours = []
            for other in seen:
                there = world.position(other, step)
                neighbours.append(
                    Neighbour(
                        names[other],
                        there,
                        state.space.distance(here, there),
                        world.state(other, step),
                        world.said(other, step),
                    )
                )
            self._neighbours = tuple(neighbours)
        return self._neighbours

    def agent(self, name: str) -> Neighbour:
        """Return the agent of this name, if it is in sight.

        Raises
        ------
        BeyondSightError
            If it is not to be seen from here.
        """
        for neighbour in self.neighbours:
            if neighbour.name == name:
                return neighbour
        raise BeyondSightError(
            f"{self.name} does not see {name!r} in step {self.step}: nobody of that name is within "
            f"its sight of {self.sight:g}"
        )

    @property
    def heard(self) -> tuple[Utterance, ...]:
        """What those in sight said in the step before, in the order of agents."""
        return tuple(neighbour.said for neighbour in self.neighbours if neighbour.said is not None)

    @property
    def inbox(self) -> tuple[Message, ...]:
        """The messages sent to the agent in the step before, in the order of senders."""
        return self._open().world.inbox(self._agent, self.step)

    @property
    def places(self) -> tuple[PlaceView, ...]:
        """The places in sight, in the order they were given to the simulation."""
        state = self._open()
        names = state.world.places_near(state.positions[self._agent], state.sight[self._agent])
        return tuple(self._place(state, name) for name in names)

    def place(self, name: str) -> PlaceView:
        """Return the place of this name, if it is in sight.

        Raises
        ------
        BeyondSightError
            If it is too far away; the message says how far.
        UnknownNameError
            If there is none.
        """
        state = self._open()
        if name not in state.world.places:
            raise UnknownNameError(f"there is no place {name!r}")
        place = self._place(state, name)
        if place.distance > state.sight[self._agent]:
            raise BeyondSightError(
                f"{self.name} looked at {name!r} in step {self.step}, which is "
                f"{place.distance:g} away; its sight is {self.sight:g}"
            )
        return place

    def _place(self, state: State, name: str) -> PlaceView:
        position = state.world.places[name].position
        distance = state.space.distance(state.positions[self._agent], position)
        if distance > state.sight[self._agent]:
            return PlaceView(name, position, distance, None)
        return PlaceView(name, position, distance, state.world.place_state(name, self.step))

    # The map, which never changes.

    @property
    def space(self) -> Space:
        """The space: distances, ways, areas."""
        return self._open().space

    @property
    def areas(self) -> tuple[str, ...]:
        """The names of the areas the agent stands in, the outermost first."""
        state = self._open()
        return state.space.areas(state.positions[self._agent])

    def toward(self, goal: Position) -> Any:  # noqa: ANN401 - as the space has it
        """Return where one step of the agent on the shortest way to a goal ends."""
        state = self._open()
        here = state.positions[self._agent]
        return state.space.toward(here, goal, state.speed[self._agent])
