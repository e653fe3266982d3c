"""Target: the readers of maps, of Tiled and of the original town. What is damaged is refused with
the file named; what is taken is a grid; damage under a checksum is noticed.
"""

from __future__ import annotations

import base64
import functools
import gzip
import json
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import tiled_files as tf
import zstandard
from fuzz_draw import Draw
from fuzz_folders import Files, Folder, content, damaged, other_bytes, raw_inputs

from headway.errors import SpaceError
from headway.space import Grid, read_map

NAME = "map_readers"

WALLS = np.array([[1, 1, 1, 1], [1, 0, 0, 1], [1, 0, 2, 1]])
PACKERS = {
    "": bytes,
    "zlib": zlib.compress,
    "gzip": functools.partial(gzip.compress, mtime=0),
    "zstd": zstandard.ZstdCompressor(write_checksum=True).compress,
}


def _town(*more: dict) -> dict:
    """A map with everything the reader knows."""
    solid = {"id": 1, "properties": tf.properties(collides=True)}
    named = {"id": 2, "class": "grass", "properties": tf.properties(area="meadow")}
    shaped = {"id": 3, "objectgroup": tf.object_layer("", {"width": 9, "height": 9})}
    outline = [{"x": 0, "y": 0}, {"x": 60, "y": 0}, {"x": 30, "y": 60}]
    layers = [
        tf.tile_layer("collision", WALLS),
        tf.tile_layer("areas", np.arange(12).reshape(3, 4) % 4),
        tf.group(
            "things",
            tf.object_layer(
                "rooms",
                {"name": "hall", "x": 32, "y": 32, "width": 64, "height": 32},
                {"name": "nook", "x": 32, "y": 32, "polygon": outline},
                {"name": "pond", "x": 40, "y": 40, "width": 40, "height": 30, "ellipse": True},
            ),
            tf.object_layer("spawns", {"name": "a", "x": 40, "y": 40, "point": True}),
            tf.object_layer("rest", {"name": "lamp", "x": 40, "y": 70, "rotation": 30.0}),
            offsetx=32, properties=tf.properties(note="x"),
        ),
    ]  # fmt: skip
    sets = [tf.tileset(tiles=[solid, named, shaped]), *more]
    return tf.town(4, 3, layers, tilesets=sets, properties=tf.properties(wrap=True))


def _write_beside(folder: Path) -> Path:
    """A map whose tileset and template are files of their own."""
    town = _town({"firstgid": 65, "source": "other.tsx"}, {"firstgid": 99, "source": "more.tsj"})
    town["layers"].append(tf.object_layer("objects", {"template": "lamp.tx", "x": 40, "y": 40}))
    tf.write_json(folder / "map.tmj", town)
    solid = {"id": 1, "properties": tf.properties(walkable=False)}
    (folder / "other.tsx").write_text(tf.to_xml("tileset", tf.tileset(tiles=[solid]), ("csv", "")))
    (folder / "more.tsj").write_text(json.dumps(tf.tileset(tiles=[solid])))
    lamp = '<template><object name="lamp" class="light" width="9" height="9"/></template>'
    (folder / "lamp.tx").write_text(lamp)
    return folder


def _write_ville(folder: Path) -> Path:
    matrices = {
        "collision": "0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 9",
        "sector": "1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0",
        "arena": "0, 2, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0",
        "game_object": "0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0",
        "spawning_location": "0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0",
    }
    blocks = {
        "sector": "1, house",
        "arena": "2, room",
        "game_object": "3, bed\n",
        "spawning_location": "5, sp",
    }
    (folder / "maze").mkdir()
    (folder / "special_blocks").mkdir()
    (folder / "maze_meta_info.json").write_text('{"maze_width": 4, "maze_height": 3}')
    for name, cells in matrices.items():
        (folder / "maze" / f"{name}_maze.csv").write_text(cells)
    for name, line in blocks.items():
        (folder / "special_blocks" / f"{name}_blocks.csv").write_text(line)
    return folder


@functools.cache
def bases() -> tuple[Files, ...]:
    """Small maps, each in a folder: of the town, and of Tiled in every form."""
    chunked = tf.town(4, 3, [tf.tile_layer("collision", WALLS, chunk=2, at=(-2, 4))])
    xml, plain, packed = ("csv", ""), ("", ""), ("base64", "gzip")
    writers = (
        _write_ville,
        _write_beside,
        lambda folder: tf.write_xml(folder / "map.tmx", _town(), xml),
        lambda folder: tf.write_xml(folder / "map.tmx", _town(), ("elements", "")),
        lambda folder: tf.write_xml(folder / "map.tmx", _town(), ("base64", "zlib")),
        lambda folder: tf.write_json(folder / "map.tmj", _town(), plain),
        lambda folder: tf.write_json(folder / "map.tmj", _town(), packed),
        lambda folder: tf.write_json(folder / "map.tmj", chunked),
    )
    found = []
    with TemporaryDirectory() as place:
        for number, write in enumerate(writers):
            folder = Path(place, str(number))
            folder.mkdir()
            write(folder)
            found.append(content(folder))
    return tuple(found)


def seeds() -> list[bytes]:
    count = len(bases()) + 1
    drawn = [bytes([base, *range(n, n + 40)]) for base in range(count) for n in range(8)]
    raw = [each for n, files in enumerate(bases()) for each in raw_inputs(files, bytes([n]))]
    packed = [bytes([count - 1, n, *range(n, n + 20)]) for n in range(24)]
    return drawn + raw + packed


@functools.cache
def _folder() -> Folder:
    return Folder()


def run(data: bytes) -> bool:
    """Read one map; tell whether it was taken."""
    draw = Draw(data)
    base = draw.below(len(bases()) + 1)
    if base == len(bases()):
        return _read_packed(draw)
    return _read(damaged(bases()[base], draw)) is not None


def _read(files: Files) -> Grid | None:
    folder = _folder().holds(files)
    # Only the first folder is a map by itself; of the others the file is.
    tiled = [name for name in ("map.tmx", "map.tmj") if name in files]
    path = folder / tiled[0] if tiled else folder
    try:
        grid = read_map(path)
    except SpaceError as error:
        assert str(folder) in str(error), f"the file is not named: {error}"
        str(error).encode()
        return None
    assert grid.walls.shape == (grid.height, grid.width)
    return grid


def _read_packed(draw: Draw) -> bool:
    """Tiles that are packed: other numbers, damaged packages, more than was announced."""
    name = draw.one_of([*PACKERS])
    sound = PACKERS[name](WALLS.astype("<u4").tobytes())
    what = draw.below(4)
    if what == 0:
        packed = PACKERS[name](draw.rest())
    elif what == 1:
        packed = draw.rest()
    elif what == 2:
        packed = PACKERS[name](bytes(1 << draw.below(27)))
    else:
        packed = other_bytes(sound, draw)
    grid = _read(_packed_map(name, packed))
    if what == 3 and name and grid is not None:
        expected = _read(_packed_map(name, sound))
        same = expected is not None and (grid.walls == expected.walls).all()
        assert same, "damage under a checksum is taken"
    return grid is not None


def _packed_map(compression: str, packed: bytes) -> Files:
    layer = tf.tile_layer("collision", WALLS)
    layer |= {"encoding": "base64", "compression": compression}
    layer["data"] = base64.b64encode(packed).decode()
    return {"map.tmj": json.dumps(tf.town(4, 3, [layer])).encode()}


def close() -> None:
    _folder().close()
