"""Who talks to whom, and when.

Two agents may talk where both have settled in one room, are free, and stay for a while. The
conversation is written inside the step of one of them, the initiator; afterwards both walk up to
each other and stand side by side until it ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from headway.generate.calibration import CALLS_PER_HOUR, LEVEL, TOWN_AGENTS
from headway.generate.days import ASLEEP, BED, MARK_MINUTES, MARKS

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    from headway.generate.days import Day

#: Share of an hour's calls that conversations and what follows from them should make, and the
#: calls of one: a chain of about 39, then perceiving it, thoughts and a new action for both.
TALK_SHARE, TALK_CALLS = 0.38, 69
#: Before this hour people talk less (recorded runs: 0.6 times as much).
MORNING_ENDS, EARLY_TALK = 8, 0.45
#: A conversation occupies both for so many minutes; recorded runs: 8-19 minutes, mean 12.
TALK_MINUTES = (8, 15)
#: Refusals to talk for each conversation; recorded runs: 2.6.
REFUSALS = 2.6
#: Share of encounters noticed in the step in which a plan begins; the others follow within a
#: minute. New actions begin together on round minutes, and with them conversations.
AT_ONCE = 0.8
#: Chance that a mark sees encounters at all; larger clumps at fewer marks mean that more
#: conversations run in the same step, which is what sets the parallelism of a lock-step run.
BUSY_MARK = 0.38


@dataclass(frozen=True)
class Encounters:
    """Conversations and refusals of one day of one world, as columns of equal length.

    Attributes
    ----------
    initiator, partner : int64 (k,)
        Agents of the world.
    step, end : int32 (k,)
        First step of the day, and the step at which both are free again.
    talk : bool (k,)
        Whether it came to a conversation.
    """

    initiator: NDArray[np.int64]
    partner: NDArray[np.int64]
    step: NDArray[np.int32]
    end: NDArray[np.int32]
    talk: NDArray[np.bool_]


def meet(day: Day, blocks: NDArray[np.int8], steps_per_minute: int, rng: Generator) -> Encounters:
    """Draw the encounters of one day."""
    n = len(blocks)
    mark_steps = MARK_MINUTES * steps_per_minute
    rooms, leave = _settled_rooms(day, blocks, steps_per_minute)
    wanted, refused = _wanted(n, rng)
    later, lasts = _times(n // 2, steps_per_minute, rng)
    by_mark = np.ascontiguousarray(rooms.T)
    some = (by_mark >= 0).sum(axis=1) > 1
    busy_until = np.zeros(n, np.int64)
    found: list[NDArray[np.int64]] = []
    owed = 0
    for mark in np.flatnonzero((wanted + refused > 0) & some).tolist():
        start = int(wanted[mark])
        owed = min(owed, start) + start
        free = busy_until <= mark * mark_steps
        first, second = _pairs(by_mark[mark], free, rng)
        talks = min(owed, len(first)) if start else 0
        owed -= talks
        met = min(len(first), talks + int(refused[mark]))
        if not met:
            continue
        first, second = first[:met], second[:met]
        talk = np.arange(met) < talks
        step = mark * mark_steps + later[mark, :met].astype(np.int64)
        end = step + lasts[mark, :met]
        end = np.minimum(end, np.minimum(leave[first, mark], leave[second, mark]))
        end = np.where(talk, end, step)
        busy_until[first[:talks]] = busy_until[second[:talks]] = end[:talks]
        found.append(np.array([first, second, step, end, talk]))
    columns = np.concatenate(found, axis=1) if found else np.zeros((5, 0), np.int64)
    return Encounters(
        initiator=columns[0],
        partner=columns[1],
        step=columns[2].astype(np.int32),
        end=columns[3].astype(np.int32),
        talk=columns[4].astype(np.bool_),
    )


def _times(
    pairs: int, steps_per_minute: int, rng: Generator
) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """Draw how many steps after each mark encounters begin, and how many they last."""
    shape = (MARKS, pairs)
    later = rng.integers(1, steps_per_minute + 1, shape, np.int16)
    later[rng.random(shape, np.float32) < AT_ONCE] = 0
    minutes = rng.integers(TALK_MINUTES[0], TALK_MINUTES[1] + 1, shape, np.int16)
    return later, minutes * np.int16(steps_per_minute)


def _settled_rooms(
    day: Day, blocks: NDArray[np.int8], steps_per_minute: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return the room (n, `MARKS`) in which an agent can talk from that mark on, else -1.

    The second array says until when it can: a minute before the next block begins.
    """
    rows = np.arange(len(blocks))[:, None]
    mark = np.arange(MARKS, dtype=np.int32) * np.int32(MARK_MINUTES * steps_per_minute)
    shortest = (TALK_MINUTES[0] + 1) * steps_per_minute
    leave = day.starts[rows, np.minimum(blocks + 1, BED)] - np.int32(steps_per_minute)
    can = (blocks > ASLEEP) & (blocks < BED)
    can &= day.settled[rows, blocks] <= mark
    can &= leave >= mark + shortest
    return np.where(can, day.rooms[rows, blocks], -1).astype(np.int32), leave


def _wanted(n: int, rng: Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw how many conversations, and how many refusals, should start at each mark."""
    per_hour = CALLS_PER_HOUR * LEVEL * n / TOWN_AGENTS * TALK_SHARE / TALK_CALLS
    per_hour[:MORNING_ENDS] *= EARLY_TALK
    marks_per_hour = 60 // MARK_MINUTES
    busy = rng.random((24, marks_per_hour)) < BUSY_MARK
    busy[np.arange(24), rng.integers(0, marks_per_hour, 24)] = True
    weight = busy * rng.uniform(0.5, 1.5, busy.shape)
    due = np.cumsum(weight, axis=1) / weight.sum(axis=1, keepdims=True) * per_hour[:, None]
    whole = np.floor(due + rng.random((24, 1))).astype(np.int64)
    refused = rng.poisson(REFUSALS * np.repeat(per_hour, marks_per_hour) / marks_per_hour)
    return np.diff(whole, axis=1, prepend=0).ravel(), refused.astype(np.int64)


def _pairs(
    room: NDArray[np.int32], free: NDArray[np.bool_], rng: Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pair up the free agents of each room at random; return the pairs in random order."""
    there = (free & (room >= 0)).nonzero()[0]
    rng.shuffle(there)
    there = there[room[there].argsort(kind="stable")]
    rooms = room[there]
    same = rooms[1:] == rooms[:-1]
    place = np.arange(len(rooms))
    begins = place.copy()
    begins[1:][same] = 0
    place -= np.maximum.accumulate(begins)
    first = (same & (place[:-1] % 2 == 0)).nonzero()[0]
    rng.shuffle(first)
    return there[first], there[first + 1]
