"""A Tiled file with what it refers to: layers out of their groups, what its tiles mean."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from headway.errors import SpaceError
from headway.space.base import shown
from headway.space.grid import TILES_LIMIT
from headway.space.maps.files import FILE_LIMIT, parse_json, read_bytes
from headway.space.maps.tiled_data import Budget, Part
from headway.space.maps.tiled_xml import parse_xml

#: Groups within each other, layers in all, other files.
DEPTH_LIMIT = 50
LAYERS_LIMIT = 10_000
FILES_LIMIT = 1000

#: Properties that make a wall when true, and when false.
WALL_FLAGS = ("collides", "collide", "collision", "blocked", "blocking", "solid", "wall")
FREE_FLAGS = ("walkable", "passable")

_FLAGS = ("true", "1", "yes", "false", "0", "no")


@dataclass
class Layer:
    """A layer, with what it has from the groups around it."""

    part: Part
    kind: str
    #: With the names of the groups around it, like a path.
    name: str
    #: In pixels.
    offset: tuple[float, float]
    properties: dict[str, Any]

    @property
    def own_name(self) -> str:
        """Its name without those of its groups."""
        return self.part.text("name")


@dataclass
class TiledMap:
    """A map and its layers, bottom first."""

    path: Path
    part: Part
    size: tuple[int, int]
    #: The tile that becomes (0, 0); not zero in infinite maps only.
    origin: tuple[int, int]
    #: Size of a tile in the pixels objects are measured in.
    unit: tuple[float, float]
    layers: list[Layer]
    budget: Budget
    files: Files
    #: By tile number: whether it is a wall (or surely none), and the name it gives an area.
    is_wall: dict[int, bool] = field(default_factory=dict)
    tile_names: dict[int, str] = field(default_factory=dict)

    @property
    def infinite(self) -> bool:
        """Whether the map is stored in chunks."""
        return truth(self.part.raw.get("infinite")) is True


class Files:
    """The other files a map refers to; only those below one folder, and only so many."""

    def __init__(self, root: Path) -> None:
        self._root, self._left, self._bytes = root.resolve(), FILES_LIMIT, FILE_LIMIT
        self._loaded: dict[Path, dict[str, Any]] = {}

    def load(self, name: str, beside: Path, kind: str, where: str) -> tuple[Part, Path]:
        """Return a tileset or a template, and its path.

        Raises
        ------
        SpaceError
            If it lies outside the folder, is missing, damaged, too large or one too many.
        """
        try:
            path = (beside.parent / name).resolve()
        except (OSError, ValueError, RuntimeError) as error:
            raise SpaceError(f"{where}: {shown(name)} is not the name of a file") from error
        if not path.is_relative_to(self._root):
            raise SpaceError(
                f"{where}: the {kind} {shown(name)} lies outside the folder {self._root}; if it "
                f"should be read, give read_tiled a root folder that holds both"
            )
        if path not in self._loaded:
            data = read_bytes(path, kind)
            self._left -= 1
            self._bytes -= len(data)
            if self._left < 0 or self._bytes < 0:
                raise SpaceError(
                    f"{where}: refers to more than {FILES_LIMIT} files or {FILE_LIMIT >> 20} MiB"
                )
            self._loaded[path] = parse(data, path, kind)
        return Part(self._loaded[path], str(path)), path


def parse(data: bytes, path: Path, kind: str) -> dict[str, Any]:
    """Return a file in either form as JSON holds it.

    Raises
    ------
    SpaceError
        If it has neither form.
    """
    if b"<" in data.removeprefix(codecs.BOM_UTF8).lstrip()[:3]:
        return parse_xml(data, path, kind)
    value = parse_json(data, path, kind)
    if not isinstance(value, dict):
        raise SpaceError(f"{path}: this {kind} must be an object in JSON, got {shown(value)}")
    return value


def truth(value: object) -> bool | None:
    """Return what a flag says; None where it says nothing."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        text = value.strip().lower()
        return text in ("true", "1", "yes") if text in _FLAGS else None
    return bool(value) if value in (0, 1) else None


def wall_flag(properties: dict[str, Any]) -> bool | None:
    """Tell whether properties make something a wall; None where they say nothing."""
    said = [truth(properties.get(name)) for name in WALL_FLAGS]
    said += [
        None if (free := truth(properties.get(name))) is None else not free for name in FREE_FLAGS
    ]
    return True if True in said else (False if False in said else None)


def load_map(path: Path, root: Path | None) -> TiledMap:
    """Return a map with its layers and the meaning of its tiles.

    Raises
    ------
    SpaceError
        If the file, or one it refers to, cannot be used.
    """
    part = Part(parse(read_bytes(path, "map"), path, "map"), str(path))
    if part.raw.get("tag", "map") != "map" or (
        "layers" not in part.raw and "tilewidth" not in part.raw
    ):
        raise SpaceError(f"{path}: this is not a Tiled map, or one without layers")
    orientation = part.text("orientation") or "orthogonal"
    if orientation not in ("orthogonal", "isometric"):
        raise SpaceError(
            f"{path}: the orientation is {shown(orientation)}; only orthogonal and isometric maps "
            f"are made of squares that a grid can hold"
        )
    across, down = part.number("tilewidth", 1), part.number("tileheight", 1)
    if not (across >= 1 and down >= 1):
        raise SpaceError(f"{path}: a tile of {across:g} x {down:g} pixels is not possible")
    layers = _layers(part, "", (0.0, 0.0), {}, 0)
    # On isometric maps both axes of objects are measured in heights of tiles.
    unit = (down, down) if orientation == "isometric" else (across, down)
    files = Files(path.parent if root is None else root)
    tiled = TiledMap(path, part, (0, 0), (0, 0), unit, layers, Budget(str(path)), files)
    if tiled.infinite:
        tiled.size, tiled.origin = _extent(layers, str(path))
    else:
        tiled.size = (part.whole("width"), part.whole("height"))
    if min(tiled.size) < 1 or tiled.size[0] * tiled.size[1] > TILES_LIMIT:
        raise SpaceError(
            f"{path}: the map has {tiled.size[0]} x {tiled.size[1]} tiles; it must have at least "
            f"one and at most {TILES_LIMIT}"
        )
    for tileset in part.parts("tilesets", "tileset"):
        _read_tileset(tiled, tileset, path)
    return tiled


def _layers(
    part: Part, name: str, offset: tuple[float, float], properties: dict[str, Any], depth: int
) -> list[Layer]:
    if depth > DEPTH_LIMIT:
        raise SpaceError(f"{part.where}: groups lie within each other more than {DEPTH_LIMIT} deep")
    found = []
    for child in part.parts("layers", "layer"):
        layer = Layer(
            child,
            child.text("type"),
            name + child.text("name"),
            (offset[0] + child.number("offsetx", 0), offset[1] + child.number("offsety", 0)),
            {**properties, **child.properties()},
        )
        if layer.kind == "group":
            found += _layers(child, layer.name + "/", layer.offset, layer.properties, depth + 1)
        else:
            found.append(layer)
    if len(found) > LAYERS_LIMIT:
        raise SpaceError(f"{part.where}: more than {LAYERS_LIMIT} layers")
    return found


def _extent(layers: list[Layer], where: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return size and first tile of the smallest rectangle that holds all chunks."""
    low, high = [10**15, 10**15], [-(10**15), -(10**15)]
    for layer in layers:
        for chunk in layer.part.parts("chunks", "chunk"):
            for axis, (at, length) in enumerate((("x", "width"), ("y", "height"))):
                low[axis] = min(low[axis], chunk.whole(at))
                high[axis] = max(high[axis], chunk.whole(at) + chunk.whole(length))
    if high[0] < low[0]:
        raise SpaceError(f"{where}: the map is infinite and has no chunk of tiles")
    return (high[0] - low[0], high[1] - low[1]), (low[0], low[1])


def _read_tileset(tiled: TiledMap, tileset: Part, path: Path) -> None:
    first = tileset.whole("firstgid")
    source = tileset.text("source")
    if source:
        tileset, path = tiled.files.load(source, path, "tileset", tileset.where)
    # Before Tiled 1.2 JSON kept what belongs to tiles in objects, by number.
    old = Part(tileset.raw.get("tileproperties") or {}, f"{tileset.where}, tileproperties")
    tiles = tileset.raw.get("tiles")
    entries = [] if isinstance(tiles, dict) else tileset.parts("tiles", "tile")
    meant = [(entry.whole("id"), entry, entry.properties()) for entry in entries]
    for key in old.raw:
        if not re.fullmatch(r"[0-9]{1,9}", key):
            raise SpaceError(f"{old.where}: {shown(key)} is not the number of a tile")
        meant.append((int(key), old, old.properties(key)))
    for number, entry, properties in meant:
        said = wall_flag(properties)
        shape = entry.raw.get("objectgroup")
        if said is None and isinstance(shape, dict) and shape.get("objects"):
            said = True
        if said is not None:
            tiled.is_wall[first + number] = said
        name = next((properties.get(key) for key in ("area", "name") if properties.get(key)), "")
        name = name or (entry.text("class", "type") if entry is not old else "")
        if isinstance(name, str) and name:
            tiled.tile_names[first + number] = name
