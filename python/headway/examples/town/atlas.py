"""The map as villagers know it: where one can stand in an area, and what one can use there.

It never changes, so all villagers share one.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from headway import Place
from headway.examples.town.words import OWN
from headway.space.maps import read_tiled

if TYPE_CHECKING:
    from headway import Grid

MAP = Path(__file__).parent / "town.tmj"

#: How several villagers share a thing, by its kind; all others can be used by any number at once.
RULES = {
    **dict.fromkeys(("stove", "oven", "desk", "bench", "piano", "well", "easel"), "claim"),
    **dict.fromkeys(("lathe", "anvil", "sickbed", "swing", "lectern"), "claim"),
    **dict.fromkeys(("notice board", "blackboard"), "last"),
}


class Thing(NamedTuple):
    """Something that can be used, from the tile it stands on; `rule` as of a `headway.Place`."""

    name: str
    kind: str
    tile: tuple[int, int]
    rule: str


class Atlas:
    """What is where."""

    def __init__(self, space: Grid) -> None:
        self.space = space
        self.things: dict[str, Thing] = {}
        for name, shape in space.objects.items():
            kind = name.rpartition(":")[2].rstrip(" 0123456789")
            self.things[name] = Thing(name, kind, shape.center, RULES.get(kind, ""))
        self._tiles = {
            name: tuple(tile for tile in area.tiles if space.is_free(tile))
            for name, area in space.all_areas.items()
        }
        self._in = {
            name: tuple(thing for thing in self.things.values() if area.contains(thing.tile))
            for name, area in space.all_areas.items()
        }

    def tiles(self, area: str) -> tuple[tuple[int, int], ...]:
        """Return the free tiles of an area."""
        return self._tiles[area]

    def usable(self, area: str, *, own: bool) -> tuple[Thing, ...]:
        """Return what can be used in an area by those who live or work there, or by guests."""
        return tuple(thing for thing in self._in[area] if own or thing.kind not in OWN)

    def beds(self, home: str) -> tuple[Thing, ...]:
        """Return the beds of a home."""
        return tuple(thing for thing in self._in[home] if thing.kind == "bed")

    def places(self) -> list[Place]:
        """Return everything that has a state."""
        return [
            Place(thing.name, thing.tile, rule=thing.rule)
            for thing in self.things.values()
            if thing.rule
        ]


def read_atlas() -> Atlas:
    """Read the map that lies beside this file."""
    return Atlas(read_tiled(MAP))
