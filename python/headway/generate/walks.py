"""From plans and conversations to actions, and from actions to the tile of each agent and step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.generate.days import ASLEEP, BED
from headway.generate.town import ROOM_HEIGHT, ROOM_WIDTH, WALK_IN_ROOM

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    from headway.generate.days import Day, Residents
    from headway.generate.encounters import Encounters
    from headway.generate.town import Town

#: Chance that a new action within a block takes place at another spot of the room.
CHANGE_SPOT = 0.9
#: Agents whose positions are worked out at once; bounds the temporary memory.
AGENTS_AT_ONCE = 2048
#: Why an action begins: a block starts, a new idea within it, a talk has ended; or an agent walks
#: up to the one it talks to.
_OPENS, _WITHIN, _AFTER_TALK, _MEETS = range(4)


@dataclass(frozen=True)
class Actions:
    """The actions that agents of one world begin on one day, sorted by (agent, step).

    Attributes
    ----------
    agent : int64 (k,)
    step : int32 (k,)
        Step of the day; agents who are asleep at midnight lie in bed from step -1.
    block : int8 (k,)
        Block the action belongs to.
    opens_block : bool (k,)
        Whether it is the first of its block.
    chooses : bool (k,)
        Whether the agent asks what to do next; it does not when it walks up to a partner.
    room : int32 (k,)
    spot : int32 (k, 2)
        Tile the agent walks to; that of the action before, where it stays.
    """

    agent: NDArray[np.int64]
    step: NDArray[np.int32]
    block: NDArray[np.int8]
    opens_block: NDArray[np.bool_]
    chooses: NDArray[np.bool_]
    room: NDArray[np.int32]
    spot: NDArray[np.int32]

    def take(self, rows: NDArray[Any]) -> Actions:
        """Return some of the actions."""
        return Actions(
            self.agent[rows],
            self.step[rows],
            self.block[rows],
            self.opens_block[rows],
            self.chooses[rows],
            self.room[rows],
            self.spot[rows],
        )


def act(
    *,
    town: Town,
    who: Residents,
    day: Day,
    met: Encounters,
    begun: tuple[NDArray[np.int64], NDArray[np.int32]],
    rng: Generator,
) -> Actions:
    """Merge what opens blocks, what happens within them, and what conversations bring about."""
    within_agent, within_step = begun
    kept = ~_is_talking(within_agent, within_step, met, day_steps=int(day.starts.max()) + 1)
    n, blocks = day.starts.shape
    opening_step = day.starts.copy()
    opening_step[:, ASLEEP] = -1
    talkers = np.concatenate([met.initiator[met.talk], met.partner[met.talk]])
    # Whoever still walks through the room when the talk begins gets there first.
    meeting_step = np.tile(met.step[met.talk], 2) + np.int32(WALK_IN_ROOM)
    sources = [
        (np.repeat(np.arange(n), blocks), opening_step.ravel()),
        (within_agent[kept], within_step[kept]),
        (talkers, np.tile(met.end[met.talk], 2)),
        (talkers, meeting_step),
    ]
    agent = np.concatenate([a for a, _ in sources])
    step = np.concatenate([s for _, s in sources])
    kind = np.repeat(np.arange(4, dtype=np.int8), [len(a) for a, _ in sources])
    place = _places(len(agent), len(talkers), rng)
    moves = (kind == _OPENS) | (kind == _MEETS)
    moves |= (kind == _WITHIN) & (rng.random(len(agent), np.float32) < CHANGE_SPOT)
    order = np.argsort(agent * (int(day.starts.max()) + 2) + step, kind="stable")
    agent, step, kind = agent[order], step[order], kind[order]
    opens = kind == _OPENS
    block = ((np.cumsum(opens) - 1) % blocks).astype(np.int8)
    room = day.rooms[agent, block]
    spot = np.stack(town.corner(room), axis=1) + place[order]
    in_bed = opens & ((block == ASLEEP) | (block == BED))
    spot[in_bed] = who.bed[agent[in_bed]]
    latest = np.maximum.accumulate(np.where(moves[order], np.arange(len(agent)), 0))
    return Actions(agent, step, block, opens, kind != _MEETS, room, spot[latest])


def fill_positions(
    out: NDArray[np.int32], town: Town, actions: Actions, first: int, agents: int
) -> None:
    """Write the tiles (steps, agents, 2) from step `first` of the day on into `out`."""
    begins = np.searchsorted(actions.agent, np.arange(agents + 1))
    for low in range(0, agents, AGENTS_AT_ONCE):
        high = min(low + AGENTS_AT_ONCE, agents)
        rows = np.arange(begins[low], begins[high])
        out[:, low:high] = _tiles(town, actions.take(rows), first, len(out))


def _is_talking(
    agent: NDArray[np.int64], step: NDArray[np.int32], met: Encounters, day_steps: int
) -> NDArray[np.bool_]:
    """Tell which actions fall into a conversation of their agent, its last step included."""
    talkers = np.concatenate([met.initiator[met.talk], met.partner[met.talk]])
    if not len(talkers):
        return np.zeros(len(agent), bool)
    starts = talkers * day_steps + np.tile(met.step[met.talk], 2)
    ends = talkers * day_steps + np.tile(met.end[met.talk], 2)
    order = np.argsort(starts)
    starts, ends = starts[order], ends[order]
    key = agent * day_steps + step
    before = np.searchsorted(starts, key, side="right") - 1
    return (before >= 0) & (key <= ends[before])


def _places(actions: int, meeting: int, rng: Generator) -> NDArray[np.int32]:
    """Draw tiles within a room; the last `meeting` actions are pairs who stand side by side."""
    place = np.empty((actions, 2), np.int32)
    place[:, 0] = rng.integers(0, ROOM_WIDTH, actions, np.int32)
    place[:, 1] = rng.integers(0, ROOM_HEIGHT, actions, np.int32)
    first = np.arange(actions - meeting, actions - meeting // 2)
    place[first, 0] = np.minimum(place[first, 0], ROOM_WIDTH - 2)
    place[first + meeting // 2] = place[first] + np.array([1, 0], np.int32)
    return place


def _tiles(town: Town, actions: Actions, first: int, steps: int) -> NDArray[np.int32]:
    """Return the tiles (steps, agents, 2) of the agents who have these actions."""
    agent, step = actions.agent, actions.step
    last_of_agent = np.append(agent[1:] != agent[:-1], True)
    until = np.where(last_of_agent, first + steps, np.append(step[1:], 0))
    lasts = np.clip(until, first, first + steps) - np.clip(step, first, first + steps)
    seen = np.flatnonzero(lasts)  # nothing else needs a route
    before = np.where(step[seen] < 0, seen, seen - 1)  # a day starts in bed, not walking
    origin, goal = actions.room[before], actions.room[seen]
    spot = actions.spot[seen]
    corners = town.route(origin, actions.spot[before], goal, spot)
    walk = np.repeat(np.arange(len(seen)), lasts[seen])
    agents = int(last_of_agent.sum())
    walked = np.tile(np.arange(first, first + steps, dtype=np.int32), agents) - step[seen][walk]
    moving = np.flatnonzero(walked < town.longest_walk(origin, goal)[walk])
    tiles: NDArray[np.int32] = spot[walk]
    tiles[moving] = along(corners, walk[moving], walked[moving])
    return tiles.reshape(agents, steps, 2).transpose(1, 0, 2)


def along(
    corners: NDArray[np.int32], walk: NDArray[Any], walked: NDArray[np.int32]
) -> NDArray[np.int32]:
    """Return the tile on each given walk after `walked` tiles; its end, if it is shorter."""
    legs = np.diff(corners, axis=1)
    length = np.abs(legs).sum(axis=2)
    done = np.cumsum(length, axis=1) - length
    direction = np.sign(legs)
    tile: NDArray[np.int32] = corners[walk, 0]
    for leg in range(legs.shape[1]):
        part = np.clip(walked - done[walk, leg], 0, length[walk, leg])
        tile += direction[walk, leg] * part[:, None].astype(np.int32)
    return tile
