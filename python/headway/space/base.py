"""What every space is: places, distances, ways between places, named areas."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

from headway.errors import SpaceError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: A tile (x, y), a point (x, y), or the number of a node.
Position: TypeAlias = tuple[int, int] | tuple[float, float] | int


@runtime_checkable
class Area(Protocol):
    """A named part of a space, or an object that stands in it."""

    @property
    def name(self) -> str:
        """Its name, with those of the areas around it: "cafe:kitchen"."""
        ...

    @property
    def tiles(self) -> Sequence[Any]:
        """Its places, in a fixed order."""
        ...

    @property
    def center(self) -> Position:
        """The one of its places that is nearest to its middle, a free one if it has any."""
        ...

    def contains(self, position: Position) -> bool:
        """Tell whether a place lies in it."""
        ...

    def nearest(self, position: Position) -> Position:
        """Return the one of its free places with the shortest way from `position`."""
        ...


class Space(ABC):
    """The static geometry of a simulation.

    A space never changes after it is made, so all agents share one and it has no versions. It
    answers the same question the same way always: among shortest ways each space states which one
    it takes.

    Attributes
    ----------
    metric : str
        The distance perception and reach are limited by: "chebyshev", "manhattan", "euclidean" or
        "hops". Walls do not lengthen it.
    wrap : (number, number) or None
        Size of the world where its borders are joined.
    """

    metric: str
    wrap: tuple[float, float] | None = None

    @abstractmethod
    def scheduler_options(self) -> dict[str, Any]:
        """Return the keyword arguments that tell the scheduler about this space."""

    @abstractmethod
    def check(self, position: object, *, what: str = "position") -> Position:
        """Return a place where somebody can stand, in its plain form.

        Parameters
        ----------
        position : tuple, list, array or int
            With joined borders, coordinates outside are taken round the world.
        what : str
            What to call it in the message.

        Raises
        ------
        SpaceError
            Wrong type, not finite, outside, or a wall.
        """

    @abstractmethod
    def distance(self, p: Position, q: Position) -> float:
        """Return the distance of two places in `metric`, exactly as the scheduler measures it.

        Raises
        ------
        SpaceError
            If one of them is not a place. It may be a wall.
        """

    @abstractmethod
    def check_move(self, start: Position, end: Position, speed: float) -> None:
        """Refuse a move that is not possible in one step.

        Raises
        ------
        SpaceError
            Into a wall or out of the world, longer than `speed`, or only through a wall.
        """

    def is_plain_step(self, start: Position, end: object) -> bool:
        """Tell, at a glance, whether `end` is a free place one unit from `start`.

        False only means that `check`, `distance` and `check_move` have to be asked.
        """
        return False

    @abstractmethod
    def path(self, start: Position, goal: Position) -> Sequence[Position]:
        """Return the places of a shortest way, without `start`; empty if there is none.

        Raises
        ------
        SpaceError
            If one of them is not a place where somebody can stand.
        """

    @abstractmethod
    def toward(self, start: Position, goal: Position, speed: float = 1) -> Position:
        """Return where one step of at most `speed` on a shortest way ends.

        `start` itself if there is no way.

        Raises
        ------
        SpaceError
            If one of them is not a place where somebody can stand, or the speed is not one.
        """

    def areas(self, position: Position) -> tuple[str, ...]:
        """Return the names of the areas a place lies in, outermost first.

        Raises
        ------
        SpaceError
            If it is not a place.
        """
        self.check(position)
        return ()

    def area(self, name: str) -> Area:
        """Return the area of this name.

        Raises
        ------
        SpaceError
            If there is none.
        """
        raise unknown("area", name, {})


def shown(value: object) -> str:
    """Return a value for a message, shortened."""
    try:
        text = repr(value)
    except Exception:  # Of a foreign object, or a number with too many digits.
        text = f"something of type {type(value).__name__}"
    return text if len(text) <= 80 else text[:77] + "..."


def unknown(kind: str, name: str, known: Mapping[str, object]) -> SpaceError:
    """Return the error for a name that does not exist, with similar ones that do."""
    from difflib import get_close_matches  # noqa: PLC0415 -- only for the message

    if not known:
        return SpaceError(f"there is no {kind} {name!r}: this space has no {kind}s")
    # Comparing with every name of a large map would take longer than reading it.
    similar = get_close_matches(str(name), list(known)[:10_000], n=3, cutoff=0.5)
    hint = "similar ones are" if similar else "some that exist are"
    names = ", ".join(repr(each) for each in similar or list(known)[:3])
    return SpaceError(f"there is no {kind} {name!r} among {len(known)}; {hint} {names}")
