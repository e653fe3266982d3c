"""What an action may do, and doing it.

`check_action` refuses whatever does not fit the agent's footprint, before anything has changed;
`apply_action` then writes the effects into the snapshot of the next step. The order in which the
actions of different agents are applied does not matter: the world sorts by step and rank.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headway._core import spawn_radius
from headway.errors import (
    ActionError,
    BeyondReachError,
    BeyondSightError,
    NameTakenError,
    OverSpeedError,
    UnknownNameError,
)
from headway.live.agent import KEEP, Action, Agent
from headway.world.store import Message, Utterance
from headway.world.values import freeze

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headway.live.events import EventLog
    from headway.live.state import State


#: What rounding may add to a distance on a plane. The scheduler's slack for it is larger.
ROUNDING = 1 + 2e-8


def check_action(state: State, agent: int, step: int, action: object) -> Action:
    """Return the action with its values frozen, or say why it cannot be carried out.

    Raises
    ------
    ActionError, OverSpeedError, BeyondReachError, BeyondSightError, SpaceError, ValueTypeError,
    UnknownNameError
        With the agent, the step, the distance and the limit.
    """
    if not isinstance(action, Action):
        raise ActionError(
            f"{_who(state, agent, step)} returned a {type(action).__name__}; a step returns an "
            f"Action or None"
        )
    move = action.move
    if move is not None:
        move = _move(state, agent, step, move)
    if _only_moves(action):
        return action if move is action.move else Action(move=move, leave=action.leave)
    who = _who(state, agent, step)
    checked = Action(move=move, leave=bool(action.leave))
    if action.say is not None:
        if not isinstance(action.say, str):
            raise ActionError(f"{who} says {action.say!r}, which is not text")
        checked.say = action.say
        checked.to = _listeners(action.to, who)
    if action.tell:
        checked.tell = {
            name: _letter(state, agent, step, name, body, who)
            for name, body in dict(action.tell).items()
        }
    if action.write:
        checked.write = {
            name: _writing(state, agent, name, value, who)
            for name, value in dict(action.write).items()
        }
    if action.state is not KEEP:
        checked.state = freeze(action.state, f"the new public state of {who}")
    if action.spawn:
        checked.spawn = _children(state, agent, action.spawn, who)
    return checked


def _who(state: State, agent: int, step: int) -> str:
    return f"{state.names[agent]!r} in step {step}"


def _only_moves(action: Action) -> bool:
    return (
        action.say is None
        and action.state is KEEP
        and not action.tell
        and not action.write
        and not action.spawn
    )


def _move(state: State, agent: int, step: int, to: Any) -> Any:  # noqa: ANN401
    here, speed = state.positions[agent], state.speed[agent]
    if type(to) is type(here) and to == here:
        return here
    if speed >= 1 and state.space.is_plain_step(here, to):
        return to
    to = state.space.check(to, what="the place moved to")
    distance = state.space.distance(here, to)
    if distance > speed * ROUNDING:
        raise OverSpeedError(
            f"{_who(state, agent, step)} moves from {here} to {to}: distance {distance:g}, its "
            f"speed is {speed:g}; move less, or give it the speed it needs",
            agent=agent,
            clock=step,
            distance=distance,
            speed=speed,
        )
    state.space.check_move(here, to, speed)
    return to


def _letter(
    state: State,
    agent: int,
    step: int,
    name: str,
    body: Any,  # noqa: ANN401
    who: str,
) -> Any:  # noqa: ANN401
    other = state.id_of.get(name)
    seen = state.world.neighbours(agent, step, state.sight[agent])
    if other is None or other not in seen:
        raise BeyondSightError(
            f"{who} sends a message to {name!r}, whom it does not see; messages reach those within "
            f"sight ({state.sight[agent]:g}) and reach ({state.reach[agent]:g})"
        )
    distance = state.space.distance(state.positions[agent], state.world.position(other, step))
    _within_reach(state, agent, distance, f"sends a message to {name!r}", who)
    return freeze(body, f"the message of {who} to {name!r}")


def _writing(state: State, agent: int, name: str, value: Any, who: str) -> Any:  # noqa: ANN401
    place = state.world.places.get(name)
    if place is None:
        raise UnknownNameError(f"{who} writes to {name!r}; there is no such place")
    distance = state.space.distance(state.positions[agent], place.position)
    _within_reach(state, agent, distance, f"writes to {name!r}", who)
    return freeze(value, f"what {who} writes to {name!r}")


def _within_reach(state: State, agent: int, distance: float, what: str, who: str) -> None:
    if distance > state.reach[agent]:
        raise BeyondReachError(
            f"{who} {what}, which is {distance:g} away; its reach is {state.reach[agent]:g}; go "
            f"nearer first, or give it the reach it needs"
        )


def _listeners(to: Any, who: str) -> tuple[str, ...]:  # noqa: ANN401
    names = (to,) if isinstance(to, str) else tuple(to)
    for name in names:
        if not isinstance(name, str):
            raise ActionError(f"{who} says something to {name!r}; listeners are given by name")
    return names


def _children(state: State, agent: int, given: Sequence[Agent], who: str) -> tuple[Agent, ...]:
    children = tuple(given)
    names: set[str] = set()
    for child in children:
        if not isinstance(child, Agent):
            raise ActionError(f"{who} spawns {child!r}, which is not an Agent")
        _check_name(state, agent, child.name, names, who)
        names.add(child.name)
        if child.joins:
            raise ActionError(
                f"{who} spawns {child.name!r} with joins={child.joins!r}; children join in the "
                f"next step"
            )
        freeze(child.state, f"the public state of {child.name!r}")
        position = state.space.check(child.position, what=f"the position of {child.name!r}")
        distance = state.space.distance(state.positions[agent], position)
        sight, speed, reach = state.footprint_of(child)
        limit = spawn_radius(
            parent=(state.sight[agent], state.reach[agent], state.speed[agent]),
            child=(sight, reach, speed),
        )
        if limit is None:
            raise ActionError(
                f"{who} spawns {child.name!r} with speed {speed:g}, which is more than its own "
                f"{state.speed[agent]:g}; nobody may bring about somebody faster"
            )
        if distance > limit:
            raise BeyondReachError(
                f"{who} spawns {child.name!r} {distance:g} away; with their reaches it must be "
                f"within {limit:g}"
            )
    return children


def _check_name(state: State, agent: int, name: object, names: set[str], who: str) -> None:
    if not isinstance(name, str) or not name:
        raise ActionError(f"{who} spawns an agent named {name!r}; names are text")
    other = state.id_of.get(name)
    if other is None and name not in names:
        return
    rank = state.ranks[agent]
    if other is not None and len(state.ranks[other]) > 1 and state.ranks[other][:-2] != rank:
        raise NameTakenError(
            f"{who} spawns {name!r}, and {state.names[_parent(state, other)]!r} has spawned one of "
            f"that name; give children names that hold their parent's"
        )
    raise ActionError(f"{who} spawns {name!r}; there is or was one of that name")


def _parent(state: State, child: int) -> int:
    return state.ranks.index(state.ranks[child][:-2])


def apply_action(state: State, agent: int, step: int, action: Action, log: EventLog | None) -> bool:
    """Write the effects of a checked action; return whether the agent stands elsewhere now.

    The new position is in `state.positions`; the driver tells the world of all moves of a batch
    together, and of those who join and leave.
    """
    world, name, rank, then = state.world, state.names[agent], state.ranks[agent], step + 1
    moved = action.move is not None and action.move != state.positions[agent]
    if moved:
        state.positions[agent] = action.move
        state.agents[agent].position = action.move  # type: ignore[assignment]
        if log:
            log.add(step, rank, name, "move", action.move)
    if action.say is not None:
        words = Utterance(name, action.say, tuple(action.to))
        world.say(agent, words, then)
        if log:
            log.add(step, rank, name, "say", (words.text, words.to))
    for number, (to, body) in enumerate(action.tell.items()):
        if state.left[state.id_of[to]] is None:
            world.send(rank, number, Message(name, body), state.id_of[to], then)
        if log:
            log.add(step, rank, name, "tell", (to, body))
    for place, value in action.write.items():
        world.write(place, step, rank, name, value)
        if log:
            log.add(step, rank, name, "write", (place, value))
    if action.state is not KEEP:
        world.publish(agent, action.state, then)
        if log:
            log.add(step, rank, name, "state", action.state)
    return moved
