"""What a user writes: an agent, and the action its step returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping, Sequence

    from headway.live.view import View
    from headway.space import Position


class _Keep:
    """The type of `KEEP`."""

    def __repr__(self) -> str:
        return "KEEP"


#: Of `Action.state`: leave the public state as it is.
KEEP: Final = _Keep()


@dataclass(slots=True)
class Action:
    """What an agent does in one step. All of it takes effect in the snapshot of the next step.

    Attributes
    ----------
    move : position, optional
        Where it stands then; at most its speed away.
    say : str, optional
        Words heard by everybody who sees the agent in the next step.
    to : str or sequence of str
        Whom the words are meant for, by name; all in sight hear them anyway.
    tell : mapping of name to plain value
        Messages to single agents, which it sees now and which stand within its reach.
    write : mapping of place to plain value
        New states of places within its reach, by name; see `headway.Place` for what happens when
        several write one place.
    state : plain value, optional
        Its new public state, which those who see it can read.
    leave : bool
        Leave for good: it is not there any more in the next step.
    spawn : sequence of Agent
        Agents that join in the next step, within its reach; none of them faster than it.
    """

    move: Position | None = None
    say: str | None = None
    to: str | Sequence[str] = ()
    tell: Mapping[str, Any] = field(default_factory=dict)
    write: Mapping[str, Any] = field(default_factory=dict)
    state: Any = KEEP
    leave: bool = False
    spawn: Sequence[Agent] = ()


class Agent:
    """One simulated person. Subclass it and write `step`.

    What an agent keeps in attributes of its own is private: only its own steps read and write it,
    one after the other. What others can see is its position, its public state and its words.
    `self.position` follows its moves; setting it moves nobody.

    Parameters
    ----------
    name : str
        Unique.
    position
        Where it stands when it joins, as the simulation's space has it.
    sight, speed, reach : number, optional
        How far it perceives, moves, and affects others in one step; by default the simulation's.
    state : plain value
        Its public state when it joins.
    joins : int
        The step it joins at.

    Notes
    -----
    A step must be a function of what the view offers and of the agent's own attributes: no shared
    variables, no global random generator (there is `view.random`), no wall clock.
    """

    def __init__(
        self,
        name: str,
        position: Position,
        *,
        sight: float | None = None,
        speed: float | None = None,
        reach: float | None = None,
        state: Any = None,  # noqa: ANN401 - any plain value
        joins: int = 0,
    ) -> None:
        self.name = name
        self.position = position
        self.sight = sight
        self.speed = speed
        self.reach = reach
        self.state = state
        self.joins = joins

    def step(self, view: View) -> Action | Awaitable[Action | None] | None:
        """Execute one step; `def` or `async def`.

        Parameters
        ----------
        view : View
            All it may read. Valid until the step has ended.

        Returns
        -------
        Action or None
            What it does; None for nothing.
        """
        raise NotImplementedError(f"{type(self).__name__} has no step method")

    def __repr__(self) -> str:
        """Name the agent."""
        return f"{type(self).__name__}({self.name!r})"
