"""`town(agents, seed)`: puts map, people and places together into a simulation."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

from headway import Simulation
from headway.errors import OptionError
from headway.examples.town.atlas import Atlas, read_atlas
from headway.examples.town.people import Person, people
from headway.examples.town.planning import plan_day, stop_at
from headway.examples.town.villager import Villager

#: The day the simulation begins on.
DAY = datetime(2030, 5, 6)

SECONDS_PER_STEP = 10.0


def town(agents: int = 25, seed: int = 0, *, start_hour: float = 11.85) -> Simulation:
    """Make the town.

    Parameters
    ----------
    agents : int
        How many villagers: the first of 25 known ones, and beyond them invented ones.
    seed : int
        Of all that is random.
    start_hour : float
        Hour of the day at step 0. By default it is nine minutes to noon, so that a short run shows
        people on their way to lunch. At 0 all are asleep.

    Returns
    -------
    Simulation
        Of steps of ten simulated seconds; 360 are an hour.

    Raises
    ------
    MissingExtraError
        If the reader of map files is not installed.
    OptionError
        For numbers that make no sense.
    """
    if agents < 1:
        raise OptionError(f"a town needs at least 1 agent, got {agents}")
    if not 0 <= start_hour < 24:
        raise OptionError(f"start_hour must be from 0 to less than 24, got {start_hour}")
    atlas = read_atlas()
    chance = Random(f"beginning of the town {seed}")
    villagers = [settle(person, atlas, start_hour, chance) for person in people(agents, seed)]
    return Simulation(
        atlas.space,
        villagers,
        places=atlas.places(),
        sight=4,
        speed=1,
        reach=1,
        seed=seed,
        seconds_per_step=SECONDS_PER_STEP,
        start=DAY + timedelta(hours=start_hour),
    )


def settle(person: Person, atlas: Atlas, hour: float, chance: Random) -> Villager:
    """Put a villager where they would be at this hour."""
    asleep = not person.wake <= hour < person.sleep
    if asleep:
        tiles = [bed.tile for bed in atlas.beds(person.home)]
    else:
        tiles = list(atlas.tiles(stop_at(plan_day(person, {}, chance), hour).area))
    return Villager(person, atlas, chance.choice(tiles), asleep=asleep)
