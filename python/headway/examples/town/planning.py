"""A villager's day: where to be from which hour on."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from random import Random

    from headway.examples.town.people import Person

#: The parts of a day, with the hour each begins at.
PARTS = (("morning", 8.0), ("noon", 12.0), ("afternoon", 13.5), ("evening", 17.5), ("night", 20.0))

#: Where one can wish to be: `home` and `work` are one's own, the others are areas for everybody.
CHOICES = ("work", "home", "library", "inn", "park", "market square", "cafe")

#: Nobody is on time: up to so many hours early or late.
UNPUNCTUAL = 0.15


class Stop(NamedTuple):
    """From this hour on, be in this area."""

    hour: float
    area: str


def hour_of(time: datetime) -> float:
    """Return the hour of the day as a number."""
    return time.hour + time.minute / 60 + time.second / 3600


def usual_day(person: Person) -> dict[str, str]:
    """Return where somebody is in each part of a day without special plans."""
    noon, evening = person.likes
    usual = (person.workplace, noon, person.workplace, evening, person.home)
    return {part: area for (part, _), area in zip(PARTS, usual, strict=True)}


def parts_left(hour: float) -> tuple[str, ...]:
    """Return the parts of the day that begin later than an hour."""
    return tuple(part for part, begin in PARTS if hour < begin)


@lru_cache
def day_schema(parts: tuple[str, ...]) -> dict[str, Any]:
    """Return the JSON schema of a plan: for parts of the day one of `CHOICES`.

    All villagers use the same ones, because an engine compiles every schema it has not seen. Only
    the first part is required: for others the usual day is good enough.
    """
    return {
        "type": "object",
        "properties": {part: {"enum": list(CHOICES)} for part in parts},
        "required": list(parts[:1]),
        "additionalProperties": False,
    }


def plan_day(person: Person, wishes: Mapping[str, str], chance: Random) -> tuple[Stop, ...]:
    """Make a plan: the usual day, changed by wishes, which are among `CHOICES`."""
    own = {"home": person.home, "work": person.workplace}
    stops = [Stop(0.0, person.home)]
    for part, begin in PARTS:
        hour = begin + chance.uniform(-UNPUNCTUAL, UNPUNCTUAL)
        wish = wishes.get(part)
        area = usual_day(person)[part] if wish is None else own.get(wish, wish)
        stops.append(Stop(hour, area))
    return tuple(stops)


def stop_at(plan: Sequence[Stop], hour: float) -> Stop:
    """Return the stop of a plan that holds at an hour."""
    current = plan[0]
    for stop in plan:
        if stop.hour <= hour:
            current = stop
    return current
