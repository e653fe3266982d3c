"""Maps drawn with the editor Tiled: which layers and properties mean what."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.errors import SpaceError
from headway.space.base import shown
from headway.space.grid import Grid
from headway.space.maps.tiled_data import Part, corners, covered, numbers_of_tiles
from headway.space.maps.tiled_map import Layer, TiledMap, load_map, truth, wall_flag

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from numpy.typing import NDArray

#: Names of layers, without case, blanks and what `_plain` takes off. Where there is a layer for
#: collisions, one called walls is a picture.
COLLISIONS = re.compile(
    r"(collision|collider|obstacle|solid)s?|collide|blocked|blocking|unwalkable|impassable"
)
WALLS = re.compile(r"walls?")
AREAS = re.compile(r"(area|room|zone|region|place|sector|arena|location)s?")
SPAWNS = re.compile(r"(spawn|start)(ing)?(point|location)?s?")

#: Most different tiles of a layer that stand for areas; what reading an object counts for.
THINGS_LIMIT = 10_000
OBJECT_COST = 256

Names = str | Iterable[str] | None
Found = dict[str, list["NDArray[np.int64]"]]


def read_tiled(
    path: str | os.PathLike[str],
    *,
    collision_layer: Names = None,
    area_layer: Names = None,
    object_layer: Names = None,
    spawn_layer: Names = None,
    wrap: bool | None = None,
    diagonal: bool | None = None,
    metric: str | None = None,
    root: str | os.PathLike[str] | None = None,
) -> Grid:
    """Read a map of Tiled, `.tmx` or `.tmj`/`.json`, orthogonal or isometric.

    *Walls* are: every tile of a tile layer and every shape of an object layer named "collision",
    "blocked", "obstacles", "solid" or the like, or "walls" if there is none of these, or with a
    property that says so; in all layers, tiles and objects with such a property; tiles with a
    collision shape. The property is one of `collides`, `collision`, `blocked`, `blocking`,
    `solid`, `wall` that is true, or `walkable` or `passable` that is false. Layers count from the
    bottom: a tile that says the opposite makes free what lies below it. Invisible layers count.

    *Areas* are the named objects of layers named "areas", "rooms", "zones", "regions", "places",
    "sectors", "arenas", "locations"; in tile layers of such a name, the tiles of one number, named
    by their property `area` or `name` or their class. *Spawns* are the objects of layers named
    "spawns", "spawn points", "start" or the like, and objects of class "spawn". *Objects* are all
    other objects that have a name or a class. Objects without either are decoration. Names given
    twice are one thing with the tiles of both.

    In names of layers case, blanks and the words layer, blocks, tiles, objects at the end do not
    matter, and properties of a group hold for its layers. A shape covers the tiles whose centres
    it holds, a line those it passes, a point or something smaller than a tile the one it lies in.
    Properties `wrap`, `diagonal` and `metric` of the map are the arguments of `Grid`.

    Parameters
    ----------
    path : path
        Encodings csv, base64 (plain, gzip, zlib, zstd) and XML elements are read; chunks of
        infinite maps, whose first tile becomes (0, 0); turned tiles, groups, offsets of whole
        tiles; tilesets and templates in files of their own.
    collision_layer, area_layer, object_layer, spawn_layer : str or iterable, optional
        Names of layers, "group/layer" for one in a group, that are taken instead of those named
        above; an empty list for none.
    wrap, diagonal, metric : optional
        Instead of what the map says.
    root : path, optional
        The folder that must hold all files the map refers to; by default the map's own.

    Raises
    ------
    SpaceError
        If a file is damaged, too large (32 MiB, 2**24 tiles, 2**25 in all layers, of
        which a tile of a shape counts as four),
        refers to files outside `root`, has a hexagonal or staggered orientation, or a layer asked
        for is missing. The message names file and layer.
    MissingExtraError
        For the compression zstd without its package (extra "maps").
    """
    path = Path(path)
    tiled = load_map(path, None if root is None else Path(root))
    chosen = {"wall": collision_layer, "area": area_layer, "object": object_layer}
    roles = _roles(tiled, {**chosen, "spawn": spawn_layer})
    walls = np.zeros((tiled.size[1], tiled.size[0]), np.bool_)
    found: dict[str, Found] = {"area": {}, "object": {}, "spawn": {}}
    for layer, role in zip(tiled.layers, roles, strict=True):
        if layer.kind == "tilelayer":
            _read_tiles(tiled, layer, role, walls, found)
        elif layer.kind == "objectgroup":
            _read_objects(tiled, layer, role, walls, found)
    properties = tiled.part.properties()
    try:
        return Grid(
            *tiled.size,
            walls=walls,
            areas=_joined(found["area"]),
            objects=_joined(found["object"]),
            spawns=_joined(found["spawn"]),
            wrap=truth(properties.get("wrap")) is True if wrap is None else wrap,
            diagonal=truth(properties.get("diagonal")) is True if diagonal is None else diagonal,
            metric=str(properties.get("metric", "chebyshev")) if metric is None else metric,
        )
    except SpaceError as error:
        raise SpaceError(f"{path}: {error}") from error


def _joined(found: Found) -> dict[str, NDArray[np.int64]]:
    return {name: np.concatenate(pieces) for name, pieces in found.items()}


def _plain(name: str) -> str:
    plain = re.sub(r"[\W_]+", "", name[:100].lower())
    return re.sub(r"(?<=.)(layer|blocks?|tiles?|objects?)+$", "", plain)


def _roles(tiled: TiledMap, chosen: Mapping[str, Names]) -> list[str]:
    """Return what each layer holds: "wall", "area", "object", "spawn" or nothing."""
    given = {role: _names(names, tiled) for role, names in chosen.items() if names is not None}
    plain = [{_plain(layer.own_name), _plain(layer.part.text("class"))} for layer in tiled.layers]
    apart = any(COLLISIONS.fullmatch(name) for names in plain for name in names)
    roles = []
    for layer, names in zip(tiled.layers, plain, strict=True):
        said = [role for role in given if {layer.name, layer.own_name} & given[role]]
        flag = wall_flag(layer.properties)
        if not said and flag:
            said = ["wall"]
        elif not said:
            known = {"area": AREAS, "spawn": SPAWNS}
            if flag is None:
                known = {"wall": COLLISIONS if apart else WALLS, **known}
            said = [
                role
                for role, meant in known.items()
                if role not in given and any(map(meant.fullmatch, names))
            ]
            if not said and layer.kind == "objectgroup" and "object" not in given:
                said = ["object"]
        roles.append(said[0] if said else "")
    return roles


def _names(given: Names, tiled: TiledMap) -> set[str]:
    names = {given} if isinstance(given, str) else set(given or ())
    existing = {name for layer in tiled.layers for name in (layer.name, layer.own_name)}
    for name in names:
        if name not in existing:
            layers = ", ".join(repr(layer.name) for layer in tiled.layers[:20])
            raise SpaceError(
                f"{tiled.part.where}: there is no layer {shown(name)}; there are {layers or 'none'}"
            )
    return names


def _read_tiles(
    tiled: TiledMap, layer: Layer, role: str, walls: NDArray[np.bool_], found: dict[str, Found]
) -> None:
    """Enter a tile layer into walls and areas."""
    if not role and not tiled.is_wall:
        return
    tiles = _whole_layer(tiled, layer)
    if role == "wall":
        walls |= tiles != 0
    present = np.unique(tiles)
    said = {number: tiled.is_wall[number] for number in present.tolist() if number in tiled.is_wall}
    for value in (True, False):
        numbers = [number for number, flag in said.items() if flag is value]
        if numbers:
            walls[np.isin(tiles, numbers)] = value
    if role in ("area", "object", "spawn"):
        if len(present) > THINGS_LIMIT:
            raise SpaceError(
                f"{layer.part.where}: {len(present)} different tiles are more than {THINGS_LIMIT} "
                f"{role}s"
            )
        order = np.argsort(tiles, axis=None, kind="stable")
        places = np.stack([order % tiles.shape[1], order // tiles.shape[1]], axis=1)
        starts = np.searchsorted(tiles.ravel()[order], present)
        for number, group in zip(present.tolist(), np.split(places, starts[1:]), strict=True):
            if number:
                name = tiled.tile_names.get(number, f"{layer.own_name} {number}")
                found[role].setdefault(name, []).append(group)


def _whole_layer(tiled: TiledMap, layer: Layer) -> NDArray[np.int64]:
    """Return the tile numbers of a layer where it lies on the map: (height, width)."""
    width, height = tiled.size
    tiles = np.zeros((height, width), np.int64)
    encoding, compression = layer.part.text("encoding"), layer.part.text("compression")
    shift = []
    for offset, unit in zip(layer.offset, tiled.unit, strict=True):
        if offset % unit or (offset and tiled.part.text("orientation") == "isometric"):
            raise SpaceError(
                f"{layer.part.where}: is moved by {layer.offset} pixels, which is not a whole "
                f"number of tiles"
            )
        shift.append(int(offset // unit))
    pieces = layer.part.parts("chunks", "chunk") or [layer.part]
    for piece in pieces:
        size = (piece.whole("width", width), piece.whole("height", height))
        block = numbers_of_tiles(piece, size, encoding, compression, tiled.budget)
        x, y = shift[0] + piece.whole("x", 0), shift[1] + piece.whole("y", 0)
        if piece is not layer.part:
            x, y = x - tiled.origin[0], y - tiled.origin[1]
        left, top = min(max(0, -x), size[0]), min(max(0, -y), size[1])
        part = block[top : max(top, height - y), left : max(left, width - x)]
        to_x, to_y = min(max(0, x), width), min(max(0, y), height)
        tiles[to_y : to_y + part.shape[0], to_x : to_x + part.shape[1]] = part
    return tiles


def _read_objects(
    tiled: TiledMap, layer: Layer, role: str, walls: NDArray[np.bool_], found: dict[str, Found]
) -> None:
    """Enter the objects of a layer into walls, areas, objects and spawns."""
    items = layer.part.parts("objects", "object")
    tiled.budget.spend(len(items) * OBJECT_COST)
    for item in items:
        full = _with_template(tiled, item)
        name, kind = full.text("name"), full.text("class", "type")
        flag = wall_flag(full.properties())
        own = "spawn" if SPAWNS.fullmatch(_plain(kind)) and role != "wall" else role
        label = name or kind
        if own == "spawn":
            label = name or str(len(found["spawn"]))
        blocks = flag is True or (role == "wall" and flag is None)
        if not blocks and (own in ("", "wall") or not label):
            continue
        outline = corners(full, tiled.unit)
        outline += np.array(layer.offset) / tiled.unit - tiled.origin
        tiles = covered(outline, tiled.size, tiled.budget, closed="polyline" not in full.raw)
        if blocks:
            walls[tiles[:, 1], tiles[:, 0]] = True
        if own in found and label:
            if not len(tiles):
                raise SpaceError(
                    f"{item.where}: lies outside the map; move it or take away its name and class"
                )
            found[own].setdefault(label, []).append(tiles)


def _with_template(tiled: TiledMap, item: Part) -> Part:
    name = item.text("template")
    if not name:
        return item
    template, _ = tiled.files.load(name, tiled.path, "template", item.where)
    inner = Part(template.raw.get("object"), f"{template.where}, object")
    properties: dict[str, Any] = {**inner.properties(), **item.properties()}
    return Part({**inner.raw, **item.raw, "properties": properties}, item.where)
