"""Draws the map of the example town: `python tests/examples/draw_town.py` writes it anew.

The map is an ordinary Tiled file and can be edited in Tiled; but then this script has to go, and
the test that holds the two together with it.
"""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path

TOWN = Path(__file__).parents[2] / "python" / "headway" / "examples" / "town"

WIDTH, HEIGHT, PIXELS = 80, 60, 16

#: Tiles by number, with their colour.
COLOURS = {
    1: (0x8F, 0xBC, 0x6E),  # grass
    2: (0xD9, 0xC8, 0x9E),  # path
    3: (0xE8, 0xDD, 0xCB),  # floor
    4: (0xC2, 0xA0, 0x5A),  # field
    5: (0x6F, 0xA8, 0xC9),  # water
    6: (0x6B, 0x55, 0x4B),  # wall
    7: (0x3E, 0x6B, 0x3A),  # tree
    8: (0x9A, 0x6B, 0x3F),  # shelf
}
GRASS, PATH, FLOOR, FIELD, WATER, WALL, TREE, SHELF = COLOURS

#: In the drawings below: what stands on the layer of walls, and what lies on the ground.
BLOCKS = {"#": WALL, "^": TREE, "~": WATER, "=": SHELF}
GROUNDS = {" ": GRASS, ",": FIELD, "_": PATH}

#: Objects by letter. A digit marks a room; `rooms` below names them in order. `+` is a door.
OBJECTS = {
    "S": "stove", "O": "oven", "B": "bed", "T": "table", "C": "counter", "D": "desk",
    "N": "notice board", "H": "bench", "P": "piano", "M": "stall", "W": "well", "E": "easel",
    "L": "lathe", "A": "anvil", "K": "blackboard", "X": "sickbed", "G": "swing", "Y": "haystack",
    "F": "flower bed", "R": "lectern",
}  # fmt: skip

HOUSE = """
##########
#S...#.B.#
#.1..#.2.#
#....+...#
#.T..#...#
#....#.B.#
#....#...#
##+#######
"""

BUILDINGS = {
    "bakery": (2, 13, ("bakehouse", "store", "shop"), """
############
#O.O.#.....#
#.1..#..2..#
#....+.....#
#.T..#.....#
##+###+#####
#C..3...T..#
#..........#
#C......T..#
####+#######
"""),
    "cafe": (16, 13, ("kitchen", "room"), """
################
#S..S#.........#
#.1..#.T..T..T.#
#....+.........#
#....#C...2....#
#.T..#C........#
#....#.........#
#....#.T..T..T.#
#....#.........#
##########+#####
"""),
    "market square": (34, 13, (), """
______________
_M..M..M..M.._
______________
______________
______NN______
_H__________H_
______________
______________
_M__M__M__M___
______________
"""),
    "library": (50, 13, ("hall", "reading room"), """
##############
#....1.#D..D.#
#.====.#.....#
#......+..2..#
#.====.#D..D.#
#......#.....#
#.====.#D..D.#
#......#.....#
#C.....#.....#
###+##########
"""),
    "clinic": (66, 13, ("ward", "waiting room"), """
############
#X...X...X.#
#....1.....#
#..........#
#X...X...D.#
#####+######
#H....2..H.#
#..........#
#C.........#
#####+######
"""),
    "school": (2, 26, ("classroom", "art room", "yard"), """
#####+############
#....3...........#
#.H..........G...#
#................#
####+#######+#####
#D.D.D.#.........#
#......#.E..E..E.#
#D.D.D.#....2....#
#...1..#.T..T....#
#..K...#.........#
##################
"""),
    "park": (22, 26, (), """
^  H   ^    ____    ^   H ^
  F      ^  ____  ^    F
    ^       ____       ^
_________________________
___^~~~~~~______H________
H  ~~~~~~~~____    ^   F H
   ~~~~~~~~____  F
F   ~~~~~~^____     G  G
  ^    H   ____ ^
   ^       ____    H   ^
^     F  ^ ____  ^   F    ^
"""),
    "workshop": (50, 26, ("forge", "bench room"), """
######+#######
#A...#.......#
#..1.#.L...L.#
#....+...2...#
#A...#.L...L.#
#....#.......#
#T...#.T...T.#
#....#.......#
#....#.......#
#....#.......#
##############
"""),
    "inn": (66, 26, ("taproom", "kitchen", "guest room"), """
#####+######
#P..1...T..#
#..........#
#T..T...T..#
#C.........#
###+####+###
#S...#..B..#
#.2..#..3..#
#S...#..B..#
#.T..#.....#
############
"""),
    "farm": (57, 40, ("farmhouse", "barn"), """
_____________________
_###+######_########_
_#S.....B.#_#Y....Y#_
_#.1......#_#...2..#_
_#.T....B.#_#Y....Y#_
_##########_###+####_
_____________________
_,,,,,,,,,__,,,,,,,,_
_,,,,,,,,,__,,,,,,,,_
_,,,,,,,,,__,,,,,,,,_
_,,,,,,,,,__,,,,,,,,_
_____W______,,,,,,,,_
_,,,,,,,,,__,,,,,,,,_
_,,,,,,,,,__,,,,,,,,_
_,,,,,,,,,__,,,,,,,,_
_,,,,,,,,,__,,,,,,,,_
_____________________
"""),
    "garden": (2, 51, (), """
_________________
_F,,F,,_,,F,,F,,_
_,,,,,,W,,,,,,,,_
_,F,,F,_,F,,F,,,_
_,,,,,,_,,,,,,,,_
__H__________H___
"""),
    "town hall": (24, 50, ("hall", "office"), """
#####+##########
#...1....#D....#
#H...R...#..2..#
#........+.....#
#H...R...#D....#
#H.......#.....#
################
"""),
    "orchard": (43, 51, (), """
^  ^  ^  ^
    H
^  ^  ^  ^

^  ^  ^  ^
"""),
}  # fmt: skip

NORTH = ("alder", "ash", "birch", "cedar", "elm", "hazel", "holly")
SOUTH = ("larch", "linden", "maple", "oak", "rowan")


class Sheet:
    """The map while it is drawn."""

    def __init__(self) -> None:
        self.ground = [[GRASS] * WIDTH for _ in range(HEIGHT)]
        self.walls = [[0] * WIDTH for _ in range(HEIGHT)]
        self.areas: list[tuple[str, tuple[int, int, int, int]]] = []
        self.objects: list[tuple[str, tuple[int, int]]] = []

    def streets(self) -> None:
        """Lay the streets, and a hedge around it all."""
        for y in range(HEIGHT):
            for x in range(WIDTH):
                across = y in (10, 11, 12, 23, 24, 25, 37, 38, 39, 48, 49)
                down = x in (14, 15, 32, 33, 48, 49, 64, 65, 40, 41, 42) and 10 <= y <= 49
                if across or down:
                    self.ground[y][x] = PATH
                if x in (0, WIDTH - 1) or y in (0, HEIGHT - 1):
                    self.walls[y][x] = TREE

    def draw(self, name: str, left: int, top: int, rooms: tuple[str, ...], picture: str) -> None:
        """Draw one building or open place, with its areas and objects."""
        rows = picture.strip("\n").split("\n")
        width = max(len(row) for row in rows)
        cells = {(x, y): row.ljust(width)[x] for y, row in enumerate(rows) for x in range(width)}
        self.areas.append((name, (left, top, width, len(rows))))
        count: dict[str, int] = {}
        inside = "#" in picture
        found: dict[int, tuple[int, int]] = {}
        for (x, y), sign in cells.items():
            there = (left + x, top + y)
            self.ground[there[1]][there[0]] = GROUNDS.get(sign, FLOOR if inside else PATH)
            self.walls[there[1]][there[0]] = BLOCKS.get(sign, 0)
            if sign.isdigit():
                found[int(sign)] = (x, y)
            if sign in OBJECTS:
                thing = OBJECTS[sign]
                count[thing] = count.get(thing, 0) + 1
                self.objects.append((f"{name}:{thing} {count[thing]}", there))
        assert len(found) == len(rooms), name
        for number, room in enumerate(rooms, 1):
            x, y, w, h = spread(cells, found[number])
            self.areas.append((f"{name}:{room}", (left + x, top + y, w, h)))

    def to_tiled(self) -> str:
        """Return the map as Tiled writes it, one row of tiles a line."""
        numbers = iter(range(1, 10_000))
        layers = [
            tile_layer(1, "ground", self.ground),
            tile_layer(2, "walls", self.walls),
            object_layer(3, "areas", [shape(next(numbers), n, r) for n, r in self.areas]),
            object_layer(
                4, "objects",
                [shape(next(numbers), n, (*at, 1, 1)) for n, at in self.objects],
            ),
        ]  # fmt: skip
        tiles = len(COLOURS)
        tileset = {
            "columns": tiles, "firstgid": 1, "image": "town.png", "imageheight": PIXELS,
            "imagewidth": PIXELS * tiles, "margin": 0, "name": "town", "spacing": 0,
            "tilecount": tiles, "tileheight": PIXELS, "tilewidth": PIXELS,
        }  # fmt: skip
        whole = {
            "compressionlevel": -1, "height": HEIGHT, "infinite": False, "layers": "LAYERS",
            "nextlayerid": len(layers) + 1, "nextobjectid": next(numbers),
            "orientation": "orthogonal", "renderorder": "right-down", "tiledversion": "1.10.2",
            "tileheight": PIXELS, "tilesets": [tileset], "tilewidth": PIXELS, "type": "map",
            "version": "1.10", "width": WIDTH,
        }  # fmt: skip
        inner = ",\n".join(layers)
        return json.dumps(whole).replace('"LAYERS"', f"[\n{inner}]") + "\n"


def spread(cells: dict[tuple[int, int], str], start: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return the rectangle around a room: what can be reached from a tile without a door."""
    reached, wave = {start}, [start]
    while wave:
        x, y = wave.pop()
        for there in ((x + 1, y), (x - 1, y), (x, y + 1), (x, y - 1)):
            if there not in reached and cells.get(there, "#") not in "#+":
                reached.add(there)
                wave.append(there)
    xs, ys = [x for x, _ in reached], [y for _, y in reached]
    return min(xs), min(ys), max(xs) - min(xs) + 1, max(ys) - min(ys) + 1


def tile_layer(number: int, name: str, rows: list[list[int]]) -> str:
    """Return a layer of tiles."""
    head = {
        "height": HEIGHT, "id": number, "name": name, "opacity": 1, "type": "tilelayer",
        "visible": True, "width": WIDTH, "x": 0, "y": 0, "data": "DATA",
    }  # fmt: skip
    data = ",\n".join(",".join(map(str, row)) for row in rows)
    return json.dumps(head).replace('"DATA"', f"[\n{data}]")


def object_layer(number: int, name: str, shapes: list[str]) -> str:
    """Return a layer of objects."""
    head = {
        "draworder": "topdown", "id": number, "name": name, "opacity": 1, "type": "objectgroup",
        "visible": True, "x": 0, "y": 0, "objects": "OBJECTS",
    }  # fmt: skip
    inner = ",\n".join(shapes)
    return json.dumps(head).replace('"OBJECTS"', f"[\n{inner}]")


def shape(number: int, name: str, at: tuple[int, int, int, int]) -> str:
    """Return an object of a layer, a rectangle of whole tiles."""
    x, y, width, height = (PIXELS * each for each in at)
    told = {
        "height": height, "id": number, "name": name, "rotation": 0, "type": "", "visible": True,
        "width": width, "x": x, "y": y,
    }  # fmt: skip
    return json.dumps(told)


def draw_map() -> str:
    """Return the text of `town.tmj`."""
    sheet = Sheet()
    sheet.streets()
    for number, name in enumerate(NORTH):
        sheet.draw(f"{name} house", 2 + 11 * number, 2, ("kitchen", "bedroom"), HOUSE)
    turned = "\n".join(reversed(HOUSE.strip().split("\n")))
    for number, name in enumerate(SOUTH):
        sheet.draw(f"{name} house", 2 + 11 * number, 40, ("kitchen", "bedroom"), turned)
    for name, (left, top, rooms, picture) in BUILDINGS.items():
        sheet.draw(name, left, top, rooms, picture)
    return sheet.to_tiled()


def draw_tiles() -> bytes:
    """Return `town.png`, the tiles in a row, as a PNG without compression."""
    row = b"\0" + b"".join(bytes([number]) * PIXELS for number in range(len(COLOURS)))
    head = struct.pack(">IIBBBBB", PIXELS * len(COLOURS), PIXELS, 8, 3, 0, 0, 0)
    palette = b"".join(bytes(colour) for colour in COLOURS.values())
    chunks = [
        (b"IHDR", head),
        (b"PLTE", palette),
        (b"IDAT", zlib.compress(row * PIXELS, 0)),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


if __name__ == "__main__":
    (TOWN / "town.tmj").write_text(draw_map())
    (TOWN / "town.png").write_bytes(draw_tiles())
