"""A map of square tiles, with walls, areas, objects and places to start from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from headway.errors import SpaceError
from headway.space.base import Space, shown
from headway.space.metric import GRID_LIMIT, checked, grid_distance
from headway.space.regions import AreaView, Regions, TileArea, Tiles, flat_tiles
from headway.space.walks import TableNet, Walks

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from numpy.typing import NDArray

    from headway.space.base import Position

Tile = tuple[int, int]

#: Most tiles of a map that has walls, areas or objects.
TILES_LIMIT = 1 << 24

#: Moves of more steps than this are looked for on the whole map at once.
FAR = 24

#: The order in which directions are tried: a way takes the first that brings it nearer.
STRAIGHT = ((1, 0), (-1, 0), (0, 1), (0, -1))
DIAGONAL = ((1, 1), (1, -1), (-1, 1), (-1, -1))


class Grid(Space):
    """Tiles (x, y), x to the right, y down, from (0, 0).

    Somebody walks from tile to tile over free tiles, to the four neighbours or, with `diagonal`,
    to eight; a diagonal step needs both tiles beside it to be free, so nobody cuts a corner. Among
    shortest ways the one is taken that at each tile goes right if it can, else left, down, up, and
    diagonally (right-down, right-up, left-down, left-up) only where no straight step gets nearer.

    Parameters
    ----------
    width, height : int
        Size in tiles.
    walls : bool array (height, width), or tiles
        Where nobody can stand.
    areas, objects : mapping
        Name to tiles: an iterable of (x, y) and of rectangles (x, y, width, height), one of them
        alone, or a bool array (height, width). They may overlap and lie on walls. The name of a
        part starts with that of the whole: "cafe", "cafe:kitchen".
    spawns : mapping or tiles
        Places to start from, by name, or without names (then numbered from "0").
    wrap : bool
        Whether the borders are joined.
    diagonal : bool
        Whether one step may go to a diagonal neighbour; needs metric "chebyshev", in which such a
        step is not longer than others.
    metric : {"chebyshev", "manhattan", "euclidean"}
        The distance perception is limited by.

    Raises
    ------
    SpaceError
        For values that cannot be used.

    Notes
    -----
    About 21 bytes a tile with walls and `diagonal=False` (37 with), 4 more each for areas and for
    objects, and at most about 100 MB of remembered ways; nothing a tile without all that. Safe to
    use from several threads.
    """

    def __init__(
        self,
        width: int,
        height: int,
        *,
        walls: Tiles | None = None,
        areas: Mapping[str, Tiles] | None = None,
        objects: Mapping[str, Tiles] | None = None,
        spawns: Mapping[str, Tiles] | Tiles | None = None,
        wrap: bool = False,
        diagonal: bool = False,
        metric: str = "chebyshev",
    ) -> None:
        self.width, self.height = _size(width, "width"), _size(height, "height")
        self.metric, self.diagonal = checked(metric), bool(diagonal)
        if diagonal and metric != "chebyshev":
            raise SpaceError(
                f'diagonal=True needs the metric "chebyshev": in "{metric}" a diagonal step is '
                f"longer than 1, and the scheduler would refuse it"
            )
        self.wrap = (self.width, self.height) if wrap else None
        if (walls is not None or areas or objects) and self.width * self.height > TILES_LIMIT:
            raise SpaceError(
                f"a grid of {self.width} x {self.height} tiles is too large for walls, areas or "
                f"objects: at most {TILES_LIMIT} tiles then"
            )
        size = (self.width, self.height)
        self._walls: bytearray | None = None
        if walls is not None:
            blocked = flat_tiles(walls, size, "walls")
            if len(blocked):
                self._walls = bytearray(self.width * self.height)
                np.frombuffer(self._walls, np.uint8)[blocked] = 1
        self._areas = Regions(areas, size, "area")
        self._objects = Regions(objects, size, "object")
        self.spawns: Mapping[str, tuple[Tile, ...]] = MappingProxyType(self._spawned(spawns))
        self._walks: Walks[TableNet] | None = None

    def _spawned(self, given: Mapping[str, Tiles] | Tiles | None) -> dict[str, tuple[Tile, ...]]:
        if given is None:
            return {}
        named: dict[str, tuple[Tile, ...]] = {}
        if not isinstance(given, Mapping):
            free = [self.check(tile, what="spawn") for tile in given]
            return {str(number): (tile,) for number, tile in enumerate(free)}
        for name, tiles in given.items():
            flat = flat_tiles(tiles, (self.width, self.height), f"spawn {name!r}").tolist()
            places = ((tile % self.width, tile // self.width) for tile in flat)
            named[name] = tuple(self.check(tile, what=f"spawn {name!r}") for tile in places)
        return named

    def __repr__(self) -> str:
        more = [f"{self.metric}"]
        more += ["wrap"] * (self.wrap is not None) + ["diagonal"] * self.diagonal
        more += [f"{self._walls.count(1)} walls"] if self._walls else []
        more += [f"{len(self._areas.sizes)} areas"] * bool(self._areas.sizes)
        more += [f"{len(self._objects.sizes)} objects"] * bool(self._objects.sizes)
        more += [f"{len(self.spawns)} spawns"] * bool(self.spawns)
        return f"<Grid {self.width} x {self.height}, {', '.join(more)}>"

    def __getstate__(self) -> dict[str, Any]:
        # Remembered ways are found again; they hold locks and views that cannot be copied.
        return {**self.__dict__, "_walks": None, "spawns": dict(self.spawns)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, spawns=MappingProxyType(state["spawns"]))

    def scheduler_options(self) -> dict[str, Any]:
        """Return the keyword arguments that tell the scheduler about this space."""
        return {"metric": self.metric, "wrap": self.wrap}

    @property
    def walls(self) -> NDArray[np.bool_]:
        """Where nobody can stand: bool (height, width), a copy."""
        if self._walls is None:
            return np.zeros((self.height, self.width), np.bool_)
        flat = np.frombuffer(self._walls, np.uint8)
        return flat.reshape(self.height, self.width).astype(np.bool_)

    def is_free(self, position: Position) -> bool:
        """Tell whether somebody can stand on a tile.

        Raises
        ------
        SpaceError
            If it is not a tile of the map.
        """
        tile = self.tile_number(position)
        return self._walls is None or not self._walls[tile]

    def check(self, position: object, *, what: str = "position") -> Tile:
        """Return a free tile as (int, int); see `Space.check`."""
        tile = self._free(position, what)
        return tile % self.width, tile // self.width

    def tile_number(self, position: object, what: str = "position") -> int:
        """Return the number of a tile, y * width + x; it may be a wall.

        Raises
        ------
        SpaceError
            If it is not a tile of the map.
        """
        try:
            x, y = cast("tuple[int, int]", position)
        except (TypeError, ValueError) as error:
            raise _no_tile(what, position) from error
        if type(x) is not int or type(y) is not int:
            x, y = _whole(x, what, position), _whole(y, what, position)
        if self.wrap is not None:
            x, y = x % self.width, y % self.height
        elif not (0 <= x < self.width and 0 <= y < self.height):
            raise SpaceError(
                f"{what} {shown((x, y))} is outside the map, which has x 0..{self.width - 1} and "
                f"y 0..{self.height - 1}"
            )
        return y * self.width + x

    def _free(self, position: object, what: str) -> int:
        tile = self.tile_number(position, what)
        if self._walls is not None and self._walls[tile]:
            raise SpaceError(
                f"{what} ({tile % self.width}, {tile // self.width}) is a wall: nobody can stand "
                f"there"
            )
        return tile

    def distance(self, p: Position, q: Position) -> float:
        """Return the distance of two tiles, exactly as the scheduler measures it."""
        dx, dy = self._offset(self.tile_number(p), self.tile_number(q))
        return grid_distance(self.metric, abs(dx), abs(dy))

    def _offset(self, start: int, end: int) -> tuple[int, int]:
        """Return the way as the crow flies; of two equal ones round the world, the growing one."""
        dx = end % self.width - start % self.width
        dy = end // self.width - start // self.width
        if self.wrap is not None:
            dx = -((self.width // 2 - dx) % self.width) + self.width // 2
            dy = -((self.height // 2 - dy) % self.height) + self.height // 2
        return dx, dy

    def _bound(self, start: int, end: int) -> int:
        """Return the steps from tile to tile if there were no walls: at most those there are."""
        dx, dy = self._offset(start, end)
        return max(abs(dx), abs(dy)) if self.diagonal else abs(dx) + abs(dy)

    def walking_distance(self, start: Position, goal: Position) -> int | None:
        """Return the number of steps of a shortest way; None if there is none.

        Raises
        ------
        SpaceError
            If one of them is not a free tile.
        """
        here, there = self._free(start, "start"), self._free(goal, "goal")
        if self._walls is None:
            return self._bound(here, there)
        return self._ways().steps(here, there)

    def is_plain_step(self, start: Position, end: object) -> bool:
        """Tell, at a glance, whether `end` is a free tile beside `start`; see `Space`."""
        if type(end) is not tuple or len(end) != 2 or type(start) is not tuple:
            return False
        x, y = end
        if type(x) is not int or type(y) is not int:
            return False
        if abs(x - start[0]) + abs(y - start[1]) != 1:
            return False
        if not (0 <= x < self.width and 0 <= y < self.height):
            return False
        return self._walls is None or not self._walls[y * self.width + x]

    def check_move(self, start: Position, end: Position, speed: float) -> None:
        """Refuse a move unless a way of at most `speed` steps leads there; see `Space`."""
        here, there = self._free(start, "start of the move"), self._free(end, "end of the move")
        most = _steps(speed)
        bound = self._bound(here, there)
        if bound > most:
            hint = ""
            if (
                not self.diagonal
                and self.wrap is None
                and grid_distance("chebyshev", *map(abs, self._offset(here, there))) <= most
            ):
                hint = "; for diagonal steps make the grid with diagonal=True"
            raise SpaceError(
                f"the move from {self._tile(here)} to {self._tile(there)} takes {bound} steps, the "
                f"speed is {most}{hint}"
            )
        if self._walls is not None and here != there and not self._near(here, there, most):
            raise SpaceError(
                f"the move from {self._tile(here)} to {self._tile(there)} goes through a wall: no "
                f"way over free tiles has at most {most} steps"
            )

    def _near(self, start: int, end: int, most: int) -> bool:
        """Tell whether a way of at most `most` steps leads there, looking only where one could."""
        if most > FAR:
            return self._ways().steps(start, end, most) is not None
        net, seen, wave = self._net(), {start, self.width * self.height}, [start]
        for left in range(most - 1, -1, -1):
            reached = []
            for other in (other for tile in wave for other in net.around(tile)):
                if other not in seen:
                    seen.add(other)
                    if self._bound(other, end) <= left:
                        reached.append(other)
            if end in seen:
                return True
            wave = reached
        return False

    def path(self, start: Position, goal: Position) -> list[Tile]:
        """Return the tiles of the shortest way without `start`; see `Grid` for which one."""
        here, there = self._free(start, "start"), self._free(goal, "goal")
        if self._walls is not None:
            return [self._tile(tile) for tile in self._ways().way(here, there)]
        way = []
        for _ in range(self._bound(here, there)):
            here = self._straight_on(here, there, 1)
            way.append(self._tile(here))
        return way

    def toward(self, start: Position, goal: Position, speed: float = 1) -> Tile:
        """Return the tile that `speed` steps of the path end at, or `goal` if that is nearer.

        `start` itself if no way leads to the goal.

        Raises
        ------
        SpaceError
            If one of them is not a free tile, or the speed is not a whole number from 0 on.
        """
        here, there = self._free(start, "start"), self._free(goal, "goal")
        most = speed if type(speed) is int and speed >= 0 else _steps(speed)
        if self._walls is None:
            here = self._straight_on(here, there, most)
        else:
            walks = self._ways()
            while most and here != there:
                onward = walks.onward(here, there)
                if onward is None:
                    break
                here, most = onward, most - 1
        return here % self.width, here // self.width

    def _straight_on(self, start: int, goal: int, steps: int) -> int:
        """Walk where there are no walls; the same way as with them."""
        dx, dy = self._offset(start, goal)
        across, down = min(abs(dx), steps), min(abs(dy), steps)
        if self.diagonal:
            # Straight along the longer gap until the gaps are equal, then diagonally.
            both = min(abs(dx), abs(dy))
            both = min(both, max(0, steps - (max(abs(dx), abs(dy)) - both)))
            if abs(dx) > abs(dy):
                down = both
            else:
                across = both if abs(dx) < abs(dy) else across
        else:
            down = min(abs(dy), steps - across)
        x = (start % self.width + int(math.copysign(across, dx))) % self.width
        y = (start // self.width + int(math.copysign(down, dy))) % self.height
        return y * self.width + x

    def _net(self) -> TableNet:
        return self._ways().net

    def _ways(self) -> Walks[TableNet]:
        if self._walks is None:
            # Two threads may both make them; either is right.
            directions = STRAIGHT + DIAGONAL if self.diagonal else STRAIGHT
            table = neighbour_table(~self.walls, directions, wrap=self.wrap is not None)
            self._walks = Walks(TableNet(table))
        return self._walks

    def _tile(self, number: int) -> Tile:
        return number % self.width, number // self.width

    def areas(self, position: Position) -> tuple[str, ...]:
        """Return the names of the areas a tile lies in, outermost first; it may be a wall.

        Larger areas come first, then those with fewer ":" in their names, then those given first.
        """
        return self._areas.at(self.tile_number(position))

    def area(self, name: str) -> TileArea:
        """Return the area of this name; see `Space.area`."""
        return self.all_areas.named("area", name)

    @property
    def all_areas(self) -> AreaView:
        """All areas by name."""
        return AreaView(self._areas, lambda name: TileArea(self, self._areas, name))

    def objects_at(self, position: Position) -> tuple[str, ...]:
        """Return the names of the objects on a tile, largest first.

        Raises
        ------
        SpaceError
            If it is not a tile of the map.
        """
        return self._objects.at(self.tile_number(position))

    def object(self, name: str) -> TileArea:
        """Return the object of this name.

        Raises
        ------
        SpaceError
            If there is none.
        """
        return self.objects.named("object", name)

    @property
    def objects(self) -> AreaView:
        """All objects by name."""
        return AreaView(self._objects, lambda name: TileArea(self, self._objects, name))

    def blocked(self, tiles: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tell for numbers of tiles which are walls."""
        if self._walls is None:
            return np.zeros(len(tiles), np.bool_)
        return np.frombuffer(self._walls, np.uint8)[tiles].astype(np.bool_)

    def nearest(
        self, position: Position, key: Hashable, goals: Callable[[], NDArray[np.int64]]
    ) -> Tile | None:
        """Return the nearest of a set of tiles by the way there; None if there is no way.

        `key` names the set: its tiles are asked for once, and the way remembered.

        Raises
        ------
        SpaceError
            If `position` is not a free tile.
        """
        here = self._free(position, "position")
        found = self._ways().nearest(here, key, lambda: self._standing(goals()).tolist())
        return None if found is None else self._tile(found)

    def _standing(self, tiles: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the free ones of some tiles, or the free ones beside them if there are none."""
        free = tiles[~self.blocked(tiles)]
        if not len(free):
            x, y = tiles % self.width, tiles // self.width
            beside = []
            for dx, dy in STRAIGHT:
                to_x, to_y = x + dx, y + dy
                if self.wrap is not None:
                    to_x, to_y = to_x % self.width, to_y % self.height
                inside = (to_x >= 0) & (to_x < self.width) & (to_y >= 0) & (to_y < self.height)
                beside.append((to_y * self.width + to_x)[inside])
            tiles = np.unique(np.concatenate(beside))
            free = tiles[~self.blocked(tiles)]
        return free


def neighbour_table(
    free: NDArray[np.bool_], directions: tuple[tuple[int, int], ...], *, wrap: bool
) -> NDArray[np.int32]:
    """Return for each direction and tile where a step leads; the number of tiles for nowhere."""
    none = free.size
    numbers = np.where(free, np.arange(none, dtype=np.int32).reshape(free.shape), none)

    def ahead(dx: int, dy: int) -> NDArray[np.int32]:
        turned = np.roll(numbers, (-dy, -dx), axis=(0, 1))
        if not wrap and dx:
            turned[:, -1 if dx > 0 else 0] = none
        if not wrap and dy:
            turned[-1 if dy > 0 else 0, :] = none
        return turned

    table = np.empty((none, len(directions)), np.int32)
    for column, (dx, dy) in enumerate(directions):
        there = ahead(dx, dy)
        if dx and dy:
            there[(ahead(dx, 0) == none) | (ahead(0, dy) == none)] = none
        table[:, column] = there.ravel()
    return table


def _size(value: object, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise SpaceError(f"{what} must be a whole number of tiles, got {shown(value)}")
    if not 1 <= value <= GRID_LIMIT:
        raise SpaceError(f"{what} must be within 1..{GRID_LIMIT} tiles, got {shown(value)}")
    return int(value)


def _no_tile(what: str, given: object) -> SpaceError:
    return SpaceError(f"{what} must be a tile (x, y) of two whole numbers, got {shown(given)}")


def _whole(value: object, what: str, position: object) -> int:
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return int(value)
    raise _no_tile(what, position)


def _steps(speed: object) -> int:
    if isinstance(speed, int | np.integer) and speed >= 0:
        return int(speed)
    if isinstance(speed, float | np.floating) and speed >= 0 and float(speed).is_integer():
        return int(speed)
    raise SpaceError(f"speed must be a whole number of tiles from 0 on, got {shown(speed)}")
