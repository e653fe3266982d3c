"""Who lives where, and how each villager means to spend a day: rooms, and when to go to them.

A day is a row of `BLOCKS`, each in one room. Within a block the agent begins a new action every
few minutes, which may take it to another spot of the same room. Everybody is in bed at midnight,
so days can be drawn independently of each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from headway.generate import town as places
from headway.generate.calibration import CALLS_PER_HOUR, TOWN_AGENTS

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    from headway.generate.town import Town

#: The blocks of a day.
BLOCKS = (
    "asleep", "home", "work", "break", "work", "lunch", "work", "errand", "visit", "evening",
    "home", "bed",
)  # fmt: skip
ASLEEP, WAKE, LEAVE, BREAK, RESUME, LUNCH, RETURN, ERRAND, VISIT, EVENING, GO_HOME, BED = range(
    len(BLOCKS)
)
#: Actions begin on a grid of this many minutes, counted from the start of their block.
MARK_MINUTES = 5
MARKS = 24 * 60 // MARK_MINUTES

#: Share of the agents awake by each minute of the day; recorded runs, hours 4 to 9.
WAKE_MINUTES = (255, 300, 360, 420, 480, 540, 585)
WAKE_SHARES = (0.0, 0.06, 0.22, 0.57, 0.90, 0.98, 1.0)
#: Share of the agents in bed by each minute: the last calls of the day are in hour 23.
BED_MINUTES = (1290, 1320, 1380, 1425)
BED_SHARES = (0.0, 0.10, 0.55, 1.0)
#: People round the times they plan to multiples of these minutes, equally often.
GRAINS = (30, 10, 5, 1)
#: Share of the agents that wake up on the half hour in any case.
ALARM_CLOCK = 0.7
#: A block lasts at least this long after the walk to it.
SHORTEST_STAY_MINUTES = 10

#: Houses per agent, and the workplaces of 25 agents that are in use: they set how many share a
#: room and, with it, how many agents each agent depends on.
HOUSES_PER_AGENT = 0.6
WORKPLACES_USED = 12
#: Chance of a day off, spent in another room of the high street or in a park.
DAY_OFF = 0.12
#: In one large town: chance to work, or to spend an evening, in the district next door.
NEXT_DISTRICT = 0.15
#: Share of the calls of an hour that belong to chains of a new action, calls of such a chain,
#: and bounds on the chance that an agent begins a new action at a mark.
ACTION_SHARE, ACTION_CALLS = 0.50, 8.4
ACTION_CHANCE = (0.15, 0.95)


@dataclass(frozen=True)
class Residents:
    """Where each agent of one world lives and works; the same on all days.

    Attributes
    ----------
    district, home, work : int32 (n,)
        District of the home, room of the home, room of the workplace.
    bed : int32 (n, 2)
        Tile of the bed; beds of one house are two tiles apart.
    """

    district: NDArray[np.int32]
    home: NDArray[np.int32]
    work: NDArray[np.int32]
    bed: NDArray[np.int32]

    def __len__(self) -> int:
        """Count the agents."""
        return len(self.home)


@dataclass(frozen=True)
class Day:
    """One day of one world.

    Attributes
    ----------
    rooms : int32 (n, blocks)
        Room of each block.
    starts : int32 (n, blocks)
        Step of the day at which each block starts; block 0 starts at 0.
    settled : int32 (n, blocks)
        Step of the day by which the walk to the block's room has certainly ended.
    """

    rooms: NDArray[np.int32]
    starts: NDArray[np.int32]
    settled: NDArray[np.int32]


def settle(town: Town, agents: int, agents_per_district: int, rng: Generator) -> Residents:
    """Give each agent a home, a bed and a workplace."""
    district = (np.arange(agents) // agents_per_district).astype(np.int32)
    nth = np.arange(agents) % agents_per_district
    members = np.bincount(district)[district]
    houses = np.ceil(HOUSES_PER_AGENT * members).astype(np.int64)
    home = town.room(district, places.HOUSES[nth % houses])
    bed_x, bed_y = town.corner(home)
    work_district = town.beside(district, _shifts(agents, rng))
    workplace = places.WORKPLACES[rng.integers(0, WORKPLACES_USED, agents)]
    return Residents(
        district=district,
        home=home,
        work=town.room(work_district, workplace),
        bed=np.stack([bed_x + 1 + nth // houses * 2, bed_y + 1], axis=1).astype(np.int32),
    )


def plan_day(town: Town, who: Residents, steps_per_minute: int, rng: Generator) -> Day:
    """Draw the rooms and the times of one day."""
    n = len(who)
    rooms = np.repeat(who.home[:, None], len(BLOCKS), axis=1)
    work = np.where(rng.random(n) < DAY_OFF, _day_off_room(town, who, rng), who.work)
    rooms[:, LEAVE] = rooms[:, RESUME] = rooms[:, RETURN] = work
    rooms[:, BREAK] = _pick(
        town, who, rng, ((0.40, places.CAFES), (0.30, places.PARKS), (0.25, places.SHOPS))
    )
    rooms[:, LUNCH] = _pick(
        town, who, rng, ((0.55, places.CAFES), (0.20, places.PARKS), (0.10, places.PUBS))
    )
    rooms[:, ERRAND] = _pick(
        town, who, rng, ((0.35, places.SHOPS), (0.35, places.PARKS), (0.20, places.CAFES))
    )
    rooms[:, VISIT] = _pick(
        town, who, rng, ((0.35, places.WORKPLACES), (0.25, places.PARKS), (0.20, places.CAFES))
    )
    rooms[:, EVENING] = _pick(
        town, who, rng, ((0.35, places.PUBS), (0.20, places.CAFES), (0.20, places.HOUSES[:8]))
    )
    walks = town.longest_walk(rooms[:, :-1], rooms[:, 1:])
    walk_minutes = -(-walks // steps_per_minute)
    minutes = _planned_minutes(n, rng)
    for block in range(LEAVE, BED + 1):  # nobody leaves a place before reaching it
        stay = walk_minutes[:, block - 2] + SHORTEST_STAY_MINUTES
        minutes[:, block] = np.maximum(minutes[:, block], minutes[:, block - 1] + stay)
    starts = (minutes * steps_per_minute).astype(np.int32)
    settled = starts.copy()
    settled[:, 1:] += walks
    return Day(rooms=rooms, starts=starts, settled=settled)


def block_at_marks(day: Day, steps_per_minute: int) -> NDArray[np.int8]:
    """Return the block in force at each mark (n, `MARKS`)."""
    blocks = np.zeros((len(day.starts), MARKS + 1), np.int8)
    mark_steps = MARK_MINUTES * steps_per_minute
    rows = np.arange(len(day.starts))
    for block in range(1, len(BLOCKS)):
        blocks[rows, -(-day.starts[:, block] // mark_steps)] = block
    return np.maximum.accumulate(blocks[:, :MARKS], axis=1)


def begin_actions(
    day: Day, blocks: NDArray[np.int8], steps_per_minute: int, rng: Generator
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Draw when agents begin a new action within a block; return (agent, step of the day).

    The chance follows the published calls per hour, given how many agents are awake in that hour.
    """
    n = len(blocks)
    mark_steps = MARK_MINUTES * steps_per_minute
    awake = (blocks > ASLEEP) & (blocks < BED)
    awake_by_hour = awake.mean(axis=0).reshape(24, -1).mean(axis=1)
    per_agent = CALLS_PER_HOUR / TOWN_AGENTS * ACTION_SHARE / np.maximum(awake_by_hour, 0.02)
    chance = np.clip(per_agent / ACTION_CALLS / (60 // MARK_MINUTES), *ACTION_CHANCE)
    drawn = rng.random((n, MARKS), np.float32) < np.repeat(chance, 60 // MARK_MINUTES)
    agent, mark = np.nonzero(drawn & awake)
    block = blocks[agent, mark]
    offset = day.starts[agent, block] % np.int32(mark_steps)
    step = mark.astype(np.int32) * np.int32(mark_steps) + offset
    # An action needs the time to walk through the room before the next block begins.
    fits = (step >= day.settled[agent, block]) & (
        step + (MARK_MINUTES - 1) * steps_per_minute <= day.starts[agent, block + 1]
    )
    return agent[fits], step[fits]


def _shifts(agents: int, rng: Generator) -> NDArray[np.int32]:
    """Draw who goes to the next district: mostly 0, sometimes -1 or 1."""
    side = rng.choice(np.array([-1, 1], np.int32), agents)
    return np.where(rng.random(agents) < NEXT_DISTRICT, side, 0).astype(np.int32)


def _pick(
    town: Town,
    who: Residents,
    rng: Generator,
    options: tuple[tuple[float, NDArray[np.int32]], ...],
) -> NDArray[np.int32]:
    """Draw one room each: an option with its chance, else home."""
    n = len(who)
    draw, within = rng.random(n), rng.random(n)
    district = town.beside(who.district, _shifts(n, rng))
    rooms = who.home.copy()
    below = 0.0
    for chance, plots in options:
        here = (draw >= below) & (draw < below + chance)
        plot = plots[(within * len(plots)).astype(np.int64)]
        rooms = np.where(here, town.room(district, plot), rooms)
        below += chance
    return rooms.astype(np.int32)


def _day_off_room(town: Town, who: Residents, rng: Generator) -> NDArray[np.int32]:
    """Draw a room of the own district for those who do not work today."""
    free = np.concatenate([places.WORKPLACES[WORKPLACES_USED:], places.PARKS, places.SHOPS])
    plot: NDArray[np.int32] = free[rng.integers(0, len(free), len(who))]
    return town.room(who.district, plot)


def _planned_minutes(n: int, rng: Generator) -> NDArray[np.int32]:
    """Draw the minutes (n, blocks) at which the blocks should start, rounded as people do."""
    minutes = np.zeros((n, len(BLOCKS)))
    minutes[:, WAKE] = np.interp(_spread(n, rng), WAKE_SHARES, WAKE_MINUTES)
    minutes[:, LEAVE] = minutes[:, WAKE] + rng.uniform(35, 90, n)
    minutes[:, BREAK] = rng.uniform(570, 630, n)
    minutes[:, RESUME] = minutes[:, BREAK] + rng.uniform(20, 45, n)
    minutes[:, LUNCH] = rng.uniform(690, 760, n)
    minutes[:, RETURN] = minutes[:, LUNCH] + rng.uniform(40, 75, n)
    minutes[:, ERRAND] = rng.uniform(870, 960, n)
    minutes[:, VISIT] = minutes[:, ERRAND] + rng.uniform(25, 60, n)
    minutes[:, EVENING] = rng.uniform(1010, 1090, n)
    minutes[:, GO_HOME] = rng.uniform(1170, 1260, n)
    minutes[:, BED] = np.interp(_spread(n, rng), BED_SHARES, BED_MINUTES)
    grain = rng.choice(np.array(GRAINS), minutes.shape)
    grain[:, WAKE] = np.where(rng.random(n) < ALARM_CLOCK, GRAINS[0], grain[:, WAKE])
    rounded: NDArray[np.int32] = (np.round(minutes / grain) * grain).astype(np.int32)
    rounded[:, WAKE] = np.maximum(rounded[:, WAKE], WAKE_MINUTES[0])
    rounded[:, BED] = np.minimum(rounded[:, BED], BED_MINUTES[-1])
    return rounded


def _spread(n: int, rng: Generator) -> NDArray[np.float64]:
    """Draw one number in [0, 1) each, spread evenly so that small towns keep the shares too."""
    return (rng.permutation(n) + rng.random(n)) / n
