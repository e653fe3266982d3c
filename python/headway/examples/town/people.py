"""Who lives in the town: 25 people from a file, and as many more as are asked for."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Person:
    """What does not change about a villager.

    Attributes
    ----------
    name, age, work, traits, habits, mind
        As a prompt tells them; `mind` is what they think about when they think of nothing.
    home, workplace : str
        Areas of the map.
    likes : tuple of str
        Areas where they spend noon and the evening, unless they plan otherwise.
    relations : mapping of name to what that person is to them
    wake, sleep : int
        Hours.
    """

    name: str
    age: int
    work: str
    home: str
    workplace: str
    traits: str
    habits: str
    likes: tuple[str, ...]
    wake: int
    sleep: int
    mind: str
    relations: Mapping[str, str] = field(default_factory=dict)

    @property
    def first_name(self) -> str:
        """How others call them."""
        return self.name.partition(" ")[0]


def people(count: int, seed: int) -> list[Person]:
    """Return the first `count` villagers; those beyond the file are invented, by the seed."""
    data = json.loads((HERE / "people.json").read_text(encoding="utf-8"))
    known = [Person(**{**facts, "likes": tuple(facts["likes"])}) for facts in data["people"]]
    return known[:count] + invented(data, known, count - len(known), seed)


def invented(data: dict[str, Any], known: list[Person], count: int, seed: int) -> list[Person]:
    """Invent people; they move in with those who are there, so their homes fill up evenly."""
    chance = Random(f"people of the town {seed}")
    firsts, families = data["first_names"], data["family_names"]
    names = [f"{first} {family}" for first in firsts for family in families]
    chance.shuffle(names)
    homes = sorted({person.home for person in known} | {"oak house", "rowan house"})
    likes = sorted({area for person in known for area in person.likes})
    more = []
    for number in range(count):
        again, which = divmod(number, len(names))
        work, workplace = chance.choice(data["works"])
        more.append(
            Person(
                name=names[which] + (f" {again + 1}" if again else ""),
                age=chance.randint(16, 80),
                work=work,
                home=homes[number % len(homes)],
                workplace=workplace,
                traits=chance.choice(data["traits"]),
                habits=chance.choice(data["habits"]),
                likes=tuple(chance.sample(likes, 2)),
                wake=chance.randint(5, 9),
                sleep=chance.randint(20, 23),
                mind=chance.choice(data["minds"]),
            )
        )
    return more
