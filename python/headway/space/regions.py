"""Named sets of tiles: one number a tile says which of them it lies in, however many there are."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from headway.errors import SpaceError
from headway.space.base import shown, unknown

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headway.space.base import Position
    from headway.space.grid import Grid

#: Tiles (x, y), rectangles (x, y, width, height), both mixed, or a bool array (height, width).
Tiles: TypeAlias = "Iterable[tuple[int, ...]] | NDArray[Any]"

#: Most names, tiles of all of them together, and names in all combinations of them.
NAMES_LIMIT = 100_000
COVER_LIMIT = 1 << 26
OVERLAP_LIMIT = 4_000_000


def flat_tiles(given: Tiles, size: tuple[int, int], what: str) -> NDArray[np.int64]:
    """Return the numbers (y * width + x) of tiles, ordered, each once.

    Raises
    ------
    SpaceError
        If they are not tiles of a map of this size; `what` says whose they are.
    """
    width, height = size
    if isinstance(given, np.ndarray) and given.dtype == np.bool_:
        if given.shape != (height, width):
            raise SpaceError(
                f"{what}: a bool array must have the shape (height, width) = ({height}, {width}), "
                f"got {given.shape}"
            )
        return np.flatnonzero(given)
    if isinstance(given, np.ndarray) and given.ndim == 2 and given.shape[1] == 2:
        return np.unique(_flat_points(given, size, what))
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        raise _not_tiles(what, given)
    rows = list(given)
    if not rows:
        return np.empty(0, np.int64)
    if len(rows) in (2, 4) and all(_is_whole(each) for each in rows):
        rows = [tuple(rows)]
    if len(rows) == 1 and _length(rows[0]) == 4:
        return _flat_rectangle(rows[0], size, what)
    pieces = []
    points = [row for row in rows if _length(row) == 2]
    if points:
        pieces.append(_flat_points(points, size, what))
    for row in rows:
        if _length(row) == 4:
            pieces.append(_flat_rectangle(row, size, what))
        elif _length(row) != 2:
            raise _not_tiles(what, row)
    return np.unique(np.concatenate(pieces))


def _is_whole(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _length(row: object) -> int:
    return len(row) if isinstance(row, tuple | list | np.ndarray) else -1


def _not_tiles(what: str, given: object) -> SpaceError:
    return SpaceError(
        f"{what}: expected tiles (x, y), rectangles (x, y, width, height) in whole tiles or a bool "
        f"array (height, width), got {shown(given)}"
    )


def _flat_points(
    points: list[Any] | NDArray[Any], size: tuple[int, int], what: str
) -> NDArray[np.int64]:
    try:
        array = np.asarray(points)
    except (ValueError, OverflowError) as error:
        raise _not_tiles(what, points[0]) from error
    if array.dtype.kind not in "iu" or array.ndim != 2:
        bad = next((p for p in points if not all(_is_whole(each) for each in p)), points[0])
        raise _not_tiles(what, bad)
    outside = ((array < 0) | (array >= np.array(size))).any(axis=1)
    if outside.any():
        raise _outside(what, "tile", array[outside.argmax()].tolist(), size)
    flat: NDArray[np.int64] = array[:, 1].astype(np.int64) * size[0] + array[:, 0]
    return flat


def _flat_rectangle(row: Sequence[int], size: tuple[int, int], what: str) -> NDArray[np.int64]:
    if not all(_is_whole(each) for each in row):
        raise _not_tiles(what, row)
    x, y, width, height = (int(each) for each in row)
    if min(x, y) < 0 or min(width, height) < 1 or x + width > size[0] or y + height > size[1]:
        raise _outside(what, "rectangle", [x, y, width, height], size)
    rows = np.arange(y, y + height, dtype=np.int64)[:, None] * size[0]
    return (rows + np.arange(x, x + width, dtype=np.int64)).ravel()


def _outside(what: str, kind: str, given: list[int], size: tuple[int, int]) -> SpaceError:
    return SpaceError(
        f"{what}: the {kind} {tuple(given)} does not lie within the map, which has "
        f"x 0..{size[0] - 1} and y 0..{size[1] - 1}"
    )


class Regions:
    """Named sets of the tiles of a map; they may overlap.

    A tile keeps the number of the combination of sets it lies in, so the memory is one number a
    tile, and not one a tile and set. Larger sets come first, then those with fewer ":" in their
    names, then those given first: an area before its rooms.

    Parameters
    ----------
    given : mapping
        Name to tiles.
    size : (int, int)
        Width and height of the map.
    kind : str
        What one of them is called in messages.

    Raises
    ------
    SpaceError
        For names that are not strings, tiles outside, sets without tiles, too many of them.
    """

    def __init__(self, given: Mapping[str, Tiles] | None, size: tuple[int, int], kind: str) -> None:
        given = {} if given is None else given
        if not isinstance(given, Mapping):
            raise SpaceError(f"{kind}s must map names to tiles, got {shown(given)}")
        if len(given) > NAMES_LIMIT:
            raise SpaceError(f"{len(given)} {kind}s are given; at most {NAMES_LIMIT} are possible")
        self.kind, self._size = kind, size
        self._sets: list[tuple[str, ...]] = [()]
        # An array of the standard library: a single number is read much faster than with numpy.
        self._labels = array("i")
        self.sizes: dict[str, int] = {}
        #: Found when first asked for.
        self.centers: dict[str, tuple[int, int]] = {}
        if given:
            # Sizes must be known before the order is, and an iterator can be read only once.
            given = {
                name: list(tiles) if isinstance(tiles, Iterator) else tiles
                for name, tiles in given.items()
            }
            self._combine({name: given[name] for name in self._ordered(given)})

    def _ordered(self, given: Mapping[str, Tiles]) -> list[str]:
        for name, tiles in given.items():
            if not isinstance(name, str) or not name:
                raise SpaceError(f"a name of an {self.kind} must be a text, got {name!r}")
            self.sizes[name] = len(flat_tiles(tiles, self._size, f"{self.kind} {name!r}"))
            if not self.sizes[name]:
                raise SpaceError(f"{self.kind} {name!r} has no tiles: leave it out")
        covered = sum(self.sizes.values())
        if covered > COVER_LIMIT:
            raise SpaceError(
                f"the {self.kind}s have {covered} tiles together; at most {COVER_LIMIT} fit"
            )
        return sorted(given, key=lambda name: (-self.sizes[name], name.count(":")))

    def _combine(self, given: Mapping[str, Tiles]) -> None:
        labels = np.zeros(self._size[0] * self._size[1], np.int32)
        entries = 0
        for name, tiles in given.items():
            flat = flat_tiles(tiles, self._size, f"{self.kind} {name!r}")
            old = labels[flat]
            if len(flat) < len(self._sets):
                present = np.unique(old).astype(np.int64)
            else:
                present = np.flatnonzero(np.bincount(old))
            after = np.arange(len(self._sets), len(self._sets) + len(present), dtype=np.int32)
            labels[flat] = after[np.searchsorted(present, old)]
            for label in present.tolist():
                self._sets.append((*self._sets[label], name))
                entries += len(self._sets[-1])
            if entries > OVERLAP_LIMIT:
                raise SpaceError(
                    f"the {self.kind}s overlap in too many ways (more than {OVERLAP_LIMIT} names "
                    f"in all combinations): give fewer of them, or let them overlap less"
                )
        self._labels.frombytes(labels.tobytes())

    def at(self, tile: int) -> tuple[str, ...]:
        """Return the names of the sets a tile lies in."""
        return self._sets[self._labels[tile]] if self._labels else ()

    def tiles(self, name: str) -> NDArray[np.int64]:
        """Return the numbers of the tiles of a set, ordered."""
        holds = np.array([name in names for names in self._sets])
        return np.flatnonzero(holds[np.frombuffer(self._labels, np.int32)])


class TileArea:
    """An area or an object of a grid: a named set of tiles."""

    def __init__(self, grid: Grid, regions: Regions, name: str) -> None:
        self._grid, self._regions, self._name = grid, regions, name

    def __repr__(self) -> str:
        return f"<{self._regions.kind} {self._name!r}: {len(self)} tiles>"

    def __len__(self) -> int:
        return self._regions.sizes[self._name]

    @property
    def name(self) -> str:
        """Its name, with those of the areas around it: "cafe:kitchen"."""
        return self._name

    @property
    def tiles(self) -> list[tuple[int, int]]:
        """Its tiles, walls included, row by row."""
        width = self._grid.width
        return [(tile % width, tile // width) for tile in self._regions.tiles(self._name).tolist()]

    @property
    def center(self) -> tuple[int, int]:
        """The tile nearest to the middle, a free one if there is any; the first row by row."""
        known = self._regions.centers.get(self._name)
        if known is not None:
            return known
        tiles = self._regions.tiles(self._name)
        x, y = tiles % self._grid.width, tiles // self._grid.width
        off = (x - x.mean()) ** 2 + (y - y.mean()) ** 2
        blocked = self._grid.blocked(tiles)
        best = int(np.lexsort((off, blocked))[0])
        return self._regions.centers.setdefault(self._name, (int(x[best]), int(y[best])))

    def contains(self, position: Position) -> bool:
        """Tell whether a tile lies in it.

        Raises
        ------
        SpaceError
            If it is not a tile of the map.
        """
        return self._name in self._regions.at(self._grid.tile_number(position))

    def nearest(self, position: Position) -> tuple[int, int]:
        """Return its free tile with the shortest way from `position`.

        For an object all of whose tiles are walls, a free tile beside it. Of several it is the one
        the way of `Grid.path` leads to, which takes the first possible of its directions.

        Raises
        ------
        SpaceError
            If `position` is not a free tile, or no free tile can be reached from there.
        """
        key = (self._regions.kind, self._name)
        found = self._grid.nearest(position, key, lambda: self._regions.tiles(self._name))
        if found is None:
            raise SpaceError(
                f"no free tile of {self._regions.kind} {self._name!r} can be reached from "
                f"{position}"
            )
        return found


class AreaView(Mapping[str, TileArea]):
    """Names to areas, in the order given; the areas are made as asked for."""

    def __init__(self, regions: Regions, make: Callable[[str], TileArea]) -> None:
        self._regions, self._make = regions, make

    def __getitem__(self, name: str) -> TileArea:
        if name not in self._regions.sizes:
            raise KeyError(name)
        return self._make(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._regions.sizes)

    def __len__(self) -> int:
        return len(self._regions.sizes)

    def __repr__(self) -> str:
        return f"<{len(self)} areas: {', '.join(islice(self, 5))}{', ...' * (len(self) > 5)}>"

    def named(self, kind: str, name: str) -> TileArea:
        """Return one of them; SpaceError with similar names if there is none."""
        if name not in self._regions.sizes:
            raise unknown(kind, name, self._regions.sizes)
        return self._make(name)
