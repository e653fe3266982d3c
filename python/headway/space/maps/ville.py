"""The maps of the original Generative Agents program: matrices of block numbers in csv files."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from headway.errors import SpaceError
from headway.space.base import shown
from headway.space.grid import TILES_LIMIT, Grid
from headway.space.maps.files import parse_json, read_text

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from numpy.typing import NDArray

#: Matrix in maze/, its table of names in special_blocks/.
_NAMED = {
    "sector": ("sector_maze.csv", "sector_blocks.csv"),
    "arena": ("arena_maze.csv", "arena_blocks.csv"),
    "object": ("game_object_maze.csv", "game_object_blocks.csv"),
    "spawn": ("spawning_location_maze.csv", "spawning_location_blocks.csv"),
}


def read_ville(folder: str | os.PathLike[str]) -> Grid:
    """Read a map in the layout of the original program's `the_ville/matrix`.

    Each tile of a matrix holds a block number, 0 for nothing; `special_blocks` gives the names of
    the numbers. Where somebody can walk only `collision_maze.csv` says. Areas are named "sector"
    and "sector:arena", objects "sector:arena:object" (one for all of their name in an arena),
    starting places "sector:arena:sp-A". The metric is "chebyshev", the square its agents perceive;
    they walk to the four neighbours.

    Parameters
    ----------
    folder : path
        Holds `maze_meta_info.json`, `maze/` and `special_blocks/`.

    Raises
    ------
    SpaceError
        If a file is missing, damaged, of the wrong size or larger than 32 MiB, or if a tile has a
        number without a name; the message names file and tile.
    """
    root = Path(folder)
    width, height = _size(root / "maze_meta_info.json")
    walls = _matrix(root / "maze" / "collision_maze.csv", width, height) != 0
    names: dict[str, NDArray[np.object_]] = {}
    for kind, (matrix, table) in _NAMED.items():
        codes = _matrix(root / "maze" / matrix, width, height)
        known = _blocks(root / "special_blocks" / table)
        names[kind] = _named(codes, known, root / "maze" / matrix, width)
    addresses: dict[str, dict[str, list[tuple[int, int]]]] = {kind: {} for kind in _NAMED}
    for tile in np.flatnonzero(
        np.any([column != "" for column in names.values()], axis=0)
    ).tolist():
        place = (tile % width, tile // width)
        sector, arena = names["sector"][tile], names["arena"][tile]
        outer = {"sector": (), "arena": (sector,)}
        for kind, column in names.items():
            if column[tile]:
                parts = (*outer.get(kind, (sector, arena)), column[tile])
                address = ":".join(part for part in parts if part)
                addresses[kind].setdefault(address, []).append(place)
    return Grid(
        width, height,
        walls=walls.reshape(height, width),
        areas=addresses["sector"] | addresses["arena"],
        objects=addresses["object"],
        spawns=_free(addresses["spawn"], walls, width, root),
    )  # fmt: skip


def _size(path: Path) -> tuple[int, int]:
    meta = parse_json(read_text(path, "description of a map"), path, "description of a map")
    size = []
    for name in ("maze_width", "maze_height"):
        value = meta.get(name) if isinstance(meta, dict) else None
        if type(value) is not int or not 1 <= value <= TILES_LIMIT:
            raise SpaceError(f"{path}: {name} must be a number of tiles, got {shown(value)}")
        size.append(value)
    if size[0] * size[1] > TILES_LIMIT:
        raise SpaceError(f"{path}: {size[0]} x {size[1]} tiles are more than {TILES_LIMIT}")
    return size[0], size[1]


def _matrix(path: Path, width: int, height: int) -> NDArray[np.int64]:
    """Return the numbers of all tiles, row by row, from one line or from a line each row."""
    cells = read_text(path, "matrix of tiles").replace("\n", ",").split(",")
    cells = [cell for cell in map(str.strip, cells) if cell]
    if len(cells) != width * height:
        raise SpaceError(
            f"{path}: {len(cells)} tiles, but {width} x {height} = {width * height} are announced "
            f"in maze_meta_info.json"
        )
    for tile, cell in enumerate(cells):
        if not _is_number(cell):
            raise SpaceError(
                f"{path}: tile ({tile % width}, {tile // width}) must hold a block number, "
                f"got {shown(cell)}"
            )
    return np.array([int(cell) for cell in cells], np.int64)


def _is_number(cell: str) -> bool:
    return cell.isascii() and cell.isdecimal() and len(cell) <= 18


def _blocks(path: Path) -> dict[int, str]:
    """Return block number to the last of its names."""
    known = {}
    try:
        rows = list(csv.reader(read_text(path, "table of blocks").splitlines()))
    except csv.Error as error:
        raise SpaceError(f"{path}: this table of blocks is not csv: {error}") from error
    for line, row in enumerate(rows, 1):
        cells = [cell.strip() for cell in row]
        if not any(cells):
            continue
        if len(cells) < 2 or not _is_number(cells[0]) or not cells[-1]:
            raise SpaceError(
                f"{path}, line {line}: expected a block number and names, got {shown(row)}"
            )
        known[int(cells[0])] = cells[-1]
    return known


def _named(
    codes: NDArray[np.int64], known: Mapping[int, str], path: Path, width: int
) -> NDArray[np.object_]:
    values, inverse = np.unique(codes, return_inverse=True)
    for value in values.tolist():
        if value != 0 and value not in known:
            tile = int(np.flatnonzero(codes == value)[0])
            raise SpaceError(
                f"{path}: tile ({tile % width}, {tile // width}) has the block number {value}, "
                f"which special_blocks does not name"
            )
    texts = [known.get(value, "") if value else "" for value in values.tolist()]
    named: NDArray[np.object_] = np.array(texts, object)[inverse]
    return named


def _free(
    spawns: dict[str, list[tuple[int, int]]], walls: NDArray[np.bool_], width: int, root: Path
) -> dict[str, list[tuple[int, int]]]:
    for name, tiles in spawns.items():
        for x, y in tiles:
            if walls[y * width + x]:
                raise SpaceError(
                    f"{root / 'maze' / _NAMED['spawn'][0]}: spawn {name!r} at ({x}, {y}) is a wall "
                    f"in collision_maze.csv"
                )
    return spawns
