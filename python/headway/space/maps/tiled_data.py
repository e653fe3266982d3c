"""The pieces of a Tiled map: values of a file that may hold anything, tile numbers, shapes."""

from __future__ import annotations

import base64
import importlib
import itertools
import math
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.errors import MissingExtraError, SpaceError
from headway.space.base import shown
from headway.space.grid import TILES_LIMIT

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: The upper bits of a tile's number say how it is turned.
GID_MASK = 0x0FFFFFFF

#: Largest coordinate, in tiles: small enough for exact whole numbers, larger than any map.
COORDINATE_LIMIT = 1e9

#: Tiles of all layers of one map together. What a tile and a row of a shape count for.
WORK_LIMIT = 1 << 25
TILE_COST = 4
ROW_COST = 64


class Budget:
    """How much work one map may still make."""

    def __init__(self, where: str) -> None:
        self._where, self._left = where, WORK_LIMIT

    def spend(self, amount: int) -> None:
        """Take some of it; SpaceError when none is left."""
        self._left -= amount
        if self._left < 0:
            raise SpaceError(
                f"{self._where}: its layers and shapes together have more than {WORK_LIMIT} tiles"
            )


class Part:
    """An object of the file: map, layer, object, tileset, tile.

    All values are looked at through it, so that whatever a file holds in their place makes a
    SpaceError that says where.
    """

    def __init__(self, raw: object, where: str) -> None:
        if not isinstance(raw, dict):
            raise SpaceError(f"{where} must be an object, got {shown(raw)}")
        self.raw: dict[str, Any] = raw
        self.where = where

    def text(self, *keys: str) -> str:
        """Return the first text under one of these keys that is not empty, else an empty one."""
        for key in keys:
            value = self.raw.get(key)
            if value is not None and not isinstance(value, str | int | float):
                raise SpaceError(f"{self.where}: {key} must be a text, got {shown(value)}")
            if value not in (None, ""):
                return str(value)
        return ""

    def number(self, key: str, default: float | None = None) -> float:
        """Return a finite number; `default` where there is none."""
        value = self.raw.get(key, default)
        try:
            number = float(value) if isinstance(value, str | int | float) else math.nan
        except (ValueError, OverflowError):
            number = math.nan
        if not abs(number) <= 1e15:
            raise SpaceError(f"{self.where}: {key} must be a number, got {shown(value)}")
        return number

    def whole(self, key: str, default: int | None = None) -> int:
        """Return a whole number; `default` where there is none."""
        number = self.number(key, default)
        if not number.is_integer():
            raise SpaceError(f"{self.where}: {key} must be a whole number, got {number}")
        return int(number)

    def parts(self, key: str, kind: str) -> list[Part]:
        """Return a list of objects; empty where there is none."""
        value = self.raw.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise SpaceError(f"{self.where}: {key} must be a list, got {shown(value)}")
        found = []
        for number, raw in enumerate(value):
            part = Part(raw, f"{self.where}, {kind} {number}")
            name = raw.get("name")
            if isinstance(name, str) and name:
                part.where = f"{self.where}, {kind} {shown(name)}"
            found.append(part)
        return found

    def properties(self, key: str = "properties") -> dict[str, Any]:
        """Return custom properties, with their names in small letters."""
        value = self.raw.get(key)
        if isinstance(value, dict):
            # Before Tiled 1.2.
            return {str(name).lower(): each for name, each in value.items()}
        return {
            part.text("name").lower(): part.raw.get("value") for part in self.parts(key, "property")
        }


def numbers_of_tiles(
    part: Part, size: tuple[int, int], encoding: str, compression: str, budget: Budget
) -> NDArray[np.int64]:
    """Return the tile numbers of a layer or chunk, flags removed: (height, width).

    Raises
    ------
    SpaceError
        If they cannot be read or are not as many as the size says.
    MissingExtraError
        For the compression "zstd" without the package for it.
    """
    count = size[0] * size[1]
    if min(size) < 0 or count > TILES_LIMIT:
        raise SpaceError(f"{part.where}: {size[0]} x {size[1]} tiles; at most {TILES_LIMIT} fit")
    budget.spend(count)
    data = part.raw.get("data")
    if isinstance(data, list):
        tiles = _from_list(data, part.where)
    elif not isinstance(data, str):
        raise SpaceError(f"{part.where}: data must be a text or a list, got {shown(data)}")
    elif encoding in ("csv", "elements", ""):
        tiles = _from_list([cell for cell in data.split(",") if cell.strip()], part.where)
    elif encoding == "base64":
        tiles = _from_base64(data, compression, 4 * count, part.where)
    else:
        raise SpaceError(f"{part.where}: unknown encoding {shown(encoding)}; known: csv, base64")
    if len(tiles) != count:
        raise SpaceError(
            f"{part.where}: holds {len(tiles)} tiles, but {size[0]} x {size[1]} = {count} announced"
        )
    return (tiles & GID_MASK).reshape(size[1], size[0])


def _from_list(cells: list[Any], where: str) -> NDArray[np.int64]:
    kinds = set(map(type, cells))
    # Of a fraction the whole would be left, and "1_0" is ten to Python.
    digits = "".join(map(str.strip, cells)) if kinds == {str} else "0"
    sound = kinds in (set(), {int}, {str}) and digits.isascii() and digits.isdigit()
    try:
        tiles = np.array([int(cell) for cell in cells] if sound else [-1], np.int64)
    except (ValueError, OverflowError):
        tiles = np.array([-1])
    if len(tiles) and not 0 <= tiles.min() <= tiles.max() < 2**32:
        raise SpaceError(f"{where}: data must hold tile numbers within 0..2**32-1 and nothing else")
    return tiles


def _from_base64(text: str, compression: str, size: int, where: str) -> NDArray[np.int64]:
    try:
        packed = base64.b64decode("".join(text.split()), validate=True)
        if compression in ("zlib", "gzip"):
            # Reads no further than the size announced, however much there is.
            stream = zlib.decompressobj(wbits=47)
            data = stream.decompress(packed, size + 1)
            if len(data) == size and not stream.eof:
                raise SpaceError(
                    f"{where}: data is damaged: it ends before its checksum; get it anew"
                )
        elif compression == "zstd":
            data = _from_zstd(packed, size, where)
        elif not compression:
            data = packed
        else:
            raise SpaceError(
                f"{where}: unknown compression {shown(compression)}; known: gzip, zlib, zstd"
            )
    except (ValueError, zlib.error) as error:
        if isinstance(error, SpaceError):
            raise
        raise SpaceError(f"{where}: data is damaged: {error}") from error
    if len(data) != size:
        more = "more" if len(data) > size else "less"
        raise SpaceError(f"{where}: holds {more} than the {size} bytes of its {size // 4} tiles")
    return np.frombuffer(data, "<u4").astype(np.int64)


def _from_zstd(packed: bytes, size: int, where: str) -> bytes:
    try:
        zstandard: Any = importlib.import_module("zstandard")
    except ImportError as error:
        raise MissingExtraError(
            f"{where} is compressed with zstd, which needs the package zstandard: "
            f'pip install "headway[maps]", or save the map with another compression'
        ) from error
    try:
        announced = zstandard.get_frame_parameters(packed).content_size
        if announced not in (size, zstandard.CONTENTSIZE_UNKNOWN):
            raise SpaceError(
                f"{where}: data is damaged: it unpacks to {announced} bytes, and its tiles take "
                f"{size}"
            )
        # A frame that does not know its size may not have more; one that is cut short is an error.
        unpacker = zstandard.ZstdDecompressor(max_window_size=1 << 27)
        data: bytes = unpacker.decompress(packed, max_output_size=size)
    except zstandard.ZstdError as error:
        raise SpaceError(f"{where}: data is damaged: {error}") from error
    return data


def corners(item: Part, unit: tuple[float, float]) -> NDArray[np.float64]:
    """Return the outline of an object in tiles: (n, 2), one row for a point.

    Raises
    ------
    SpaceError
        For coordinates that are not numbers of a sensible size.
    """
    size = np.array([item.number("width", 0), item.number("height", 0)])
    lines = item.raw.get("polygon") or item.raw.get("polyline")
    if lines:
        points = item.parts("polygon" if item.raw.get("polygon") else "polyline", "point")
        outline = np.array([[point.number("x"), point.number("y")] for point in points])
    elif item.raw.get("ellipse") and size.any():
        angles = np.linspace(0, 2 * math.pi, 64, endpoint=False)
        outline = (np.stack([np.cos(angles), np.sin(angles)], axis=1) + 1) / 2 * size
    elif item.raw.get("point") or not size.any():
        outline = np.zeros((1, 2))
    else:
        outline = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * size
    if item.raw.get("gid") is not None:
        # Tiles placed as objects stand on their lower left corner.
        outline = outline - np.array([0, size[1]])
    turn = math.radians(item.number("rotation", 0))
    if turn:
        cos, sin = math.cos(turn), math.sin(turn)
        outline = outline @ np.array([[cos, sin], [-sin, cos]])
    place = np.array([item.number("x"), item.number("y")])
    outline = (outline + place) / unit
    if not (np.abs(outline) <= COORDINATE_LIMIT).all():
        raise SpaceError(f"{item.where}: lies farther than {COORDINATE_LIMIT:g} tiles away")
    found: NDArray[np.float64] = outline
    return found


def covered(
    outline: NDArray[np.float64], size: tuple[int, int], budget: Budget, *, closed: bool = True
) -> NDArray[np.int64]:
    """Return the tiles whose centres an outline holds; for an open line those it passes.

    One that holds no centre covers the tile its middle lies in. Tiles outside the map are left
    out: int (n, 2), columns x and y, ordered by rows.
    """
    flat = _filled(outline, size, budget) if closed else _passed(outline, size, budget)
    if not len(flat):
        x, y = np.floor((outline.min(axis=0) + outline.max(axis=0)) / 2).astype(np.int64).tolist()
        flat = np.array(
            [y * size[0] + x] if 0 <= x < size[0] and 0 <= y < size[1] else [], np.int64
        )
    return np.stack([flat % size[0], flat // size[0]], axis=1)


def _centres(low: float, high: float, most: int) -> tuple[int, int]:
    """Return the range of tiles whose centres lie in an interval, cut off at the borders."""
    # Rounding must not move a border that goes along the middles of tiles.
    first, end = (math.ceil(round(value, 9) - 0.5) for value in (low, high))
    return max(0, first), max(0, min(most, end))


def _filled(
    outline: NDArray[np.float64], size: tuple[int, int], budget: Budget
) -> NDArray[np.int64]:
    ends = np.roll(outline, -1, axis=0)
    (left, low), (right, high) = outline.min(axis=0).tolist(), outline.max(axis=0).tolist()
    first, last = _centres(low, high, size[1])
    if len(outline) == 4 and (outline == ends).any(axis=1).all():
        begin, end = _centres(left, right, size[0])
        budget.spend(TILE_COST * max(0, last - first) * max(0, end - begin))
        rows = np.arange(first, last, dtype=np.int64)[:, None] * size[0]
        return (rows + np.arange(begin, end, dtype=np.int64)).ravel()
    budget.spend(max(0, last - first) * (ROW_COST + len(outline)))
    pieces = [np.empty(0, np.int64)]
    for row in range(first, last):
        middle = row + 0.5
        crosses = (outline[:, 1] <= middle) != (ends[:, 1] <= middle)
        one, other = outline[crosses], ends[crosses]
        share = (middle - one[:, 1]) / (other[:, 1] - one[:, 1])
        at = np.sort(one[:, 0] + share * (other[:, 0] - one[:, 0])).tolist()
        for west, east in zip(at[::2], at[1::2], strict=True):
            begin, end = _centres(west, east, size[0])
            budget.spend(TILE_COST * max(1, end - begin))
            pieces.append(np.arange(begin, end, dtype=np.int64) + row * size[0])
    return np.unique(np.concatenate(pieces))


def _passed(line: NDArray[np.float64], size: tuple[int, int], budget: Budget) -> NDArray[np.int64]:
    pieces = [line]
    for start, end in itertools.pairwise(line):
        # Four points a tile: what is left out the line passes by a corner only.
        count = 4 * math.ceil(float(np.abs(end - start).max())) + 1
        budget.spend(ROW_COST + 8 * count)
        pieces.append(start + (end - start) * np.linspace(0, 1, count)[:, None])
    tiles = np.floor(np.concatenate(pieces)).astype(np.int64)
    tiles = tiles[((tiles >= 0) & (tiles < np.array(size))).all(axis=1)]
    return np.unique(tiles[:, 1] * size[0] + tiles[:, 0])
