"""Maps of Tiled mean the same in every form; what cannot be used is refused by name."""

from __future__ import annotations

import importlib.util
import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiled_files import (
    JSON_FORMS,
    XML_FORMS,
    group,
    object_layer,
    properties,
    tile_layer,
    tileset,
    to_xml,
    town,
    write_json,
    write_xml,
)

from headway import errors
from headway.space import read_map, read_tiled
from headway.space.maps import tiled_xml

FLIPPED = 0x80000000 | 0x20000000

WALLS = np.zeros((6, 8), np.uint32)
WALLS[0, :] = 5
WALLS[3, 2:5] = 5 | FLIPPED
AREAS = object_layer(
    "Areas",
    {"name": "cafe", "x": 0, "y": 32, "width": 128, "height": 64},
    {"name": "cafe:kitchen", "x": 64, "y": 32, "width": 64, "height": 64},
    {"name": "pond", "x": 192, "y": 96, "polygon": [
        {"x": 0, "y": 0}, {"x": 64, "y": 0}, {"x": 64, "y": 96},
    ]},
)  # fmt: skip
THINGS = object_layer(
    "things",
    {"name": "stove", "type": "device", "x": 70, "y": 40, "point": True},
    {"name": "", "type": "lamp", "x": 160, "y": 64, "gid": 3, "width": 32, "height": 32},
    {"name": "", "x": 160, "y": 64, "width": 32, "height": 32},
    {"name": "crate", "x": 224, "y": 32, "width": 32, "height": 32,
     "properties": properties(collides=True)},
    {"type": "Spawn", "x": 3, "y": 170, "point": True},
)  # fmt: skip
TOWN = town(
    8, 6,
    [
        tile_layer("ground", np.full((6, 8), 7)), tile_layer("Collision Layer", WALLS), AREAS,
        group("more", THINGS, offsetx=0, offsety=0),
    ],
    properties=properties(wrap=True),
)  # fmt: skip
FORMS = [(write_xml, f) for f in XML_FORMS] + [(write_json, f) for f in JSON_FORMS]


def path_for(tmp_path, write) -> Path:
    return tmp_path / ("town.tmx" if write is write_xml else "town.tmj")


@pytest.mark.parametrize(("write", "form"), FORMS)
def test_a_town_is_the_same_in_every_form(tmp_path, write, form):
    grid = read_map(write(path_for(tmp_path, write), TOWN, form))
    walls = WALLS != 0
    walls[1, 7] = True
    assert (grid.walls == walls).all()
    assert grid.wrap == (8, 6)
    assert grid.areas((2, 2)) == ("cafe", "cafe:kitchen")
    assert grid.area("pond").tiles == [(6, 3), (7, 3), (7, 4)]
    assert {name: each.tiles for name, each in grid.objects.items()} == {
        "stove": [(2, 1)], "lamp": [(5, 1)], "crate": [(7, 1)],
    }  # fmt: skip
    assert dict(grid.spawns) == {"0": ((0, 5),)}


@pytest.mark.parametrize(("write", "form"), FORMS)
def test_an_infinite_map_starts_at_its_first_chunk(tmp_path, write, form):
    cafe = object_layer("rooms", {"name": "cafe", "x": -96, "y": 0, "width": 64, "height": 32})
    layers = [tile_layer("walls", WALLS, chunk=4, at=(-4, -2)), cafe]
    grid = read_tiled(write(path_for(tmp_path, write), town(0, 0, layers), form))
    assert (grid.width, grid.height) == (8, 8)
    assert (grid.walls[:6] == (WALLS != 0)).all()
    assert not grid.walls[6:].any()
    assert grid.area("cafe").tiles == [(1, 2), (2, 2)]


@given(st.integers(1, 12), st.integers(1, 12), st.sampled_from(FORMS), st.data())
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_tiles_are_those_that_pytiled_parser_reads(tmp_path, width, height, form, data):
    parser = pytest.importorskip("pytiled_parser")
    number = st.integers(0, 64) | st.integers(0, 2**32 - 1)
    cells = data.draw(st.lists(number, min_size=width * height, max_size=width * height))
    tiles = np.array(cells, np.uint32).reshape(height, width)
    chunk = data.draw(st.sampled_from([None, 2, 5]))
    drawn = town(width, height, [tile_layer("walls", tiles, chunk=chunk)])
    path = form[0](path_for(tmp_path, form[0]), drawn, form[1])
    grid = read_tiled(path)
    if form[1][0] == "elements":
        # A form it does not know.
        assert (grid.walls[:height, :width] == (tiles & 0x0FFFFFFF != 0)).all()
        return
    layer = parser.parse_map(path).layers[0]
    pieces = [((p.coordinates.x, p.coordinates.y), p.data) for p in layer.chunks or ()]
    expected = np.zeros((grid.height, grid.width), bool)
    for (x, y), rows in pieces or [((0, 0), layer.data)]:
        block = np.array(rows, np.uint32)
        expected[y : y + len(block), x : x + len(block[0])] = block & 0x0FFFFFFF != 0
    assert (grid.walls == expected).all()


MARKED = [
    {"id": 0, "properties": properties(collides=True)},
    {"id": 1, "properties": properties(walkable=False)},
    {"id": 2, "objectgroup": object_layer("", {"width": 9, "height": 9})},
    {"id": 3, "properties": properties(walkable=True)},
    {"id": 4, "properties": properties(collides=False)},
]


@pytest.mark.parametrize("write", [write_xml, write_json])
def test_tiles_say_themselves_whether_they_are_walls(tmp_path, write):
    low = tile_layer("ground", [[1, 2 | FLIPPED, 3 | 0x50000000, 9, 1, 1]])
    high = tile_layer("bridge", [[0, 0, 0, 0, 4, 5]])
    drawn = town(6, 1, [low, high], tilesets=[tileset(tiles=MARKED)])
    grid = read_tiled(write(path_for(tmp_path, write), drawn))
    assert grid.walls.tolist() == [[True, True, True, False, False, False]]


@pytest.mark.parametrize("ending", ["tsx", "tsj"])
def test_a_tileset_may_be_a_file_of_its_own(tmp_path, ending):
    (tmp_path / "maps").mkdir()
    (tmp_path / "sets").mkdir()
    entry, source = tileset(tiles=MARKED[:2]), f"../sets/a.{ending}"
    text = json.dumps(entry) if ending == "tsj" else to_xml("tileset", entry, ("csv", ""))
    (tmp_path / "sets" / f"a.{ending}").write_text(text)
    drawn = town(
        3, 1, [tile_layer("ground", [[11, 12, 13]])],
        tilesets=[{"firstgid": 11, "source": source}],
    )  # fmt: skip
    path = write_xml(tmp_path / "maps" / "town.tmx", drawn)
    assert read_tiled(path, root=tmp_path).walls.tolist() == [[True, True, False]]
    with pytest.raises(errors.SpaceError, match=r"town.tmx.*tileset .* lies outside the folder"):
        read_tiled(path)


def test_old_maps_keep_properties_of_tiles_in_objects(tmp_path):
    drawn = town(2, 1, [tile_layer("ground", [[1, 2]], properties={"mood": "dark"})])
    drawn["tilesets"][0] |= {"tileproperties": {"1": {"collides": True}}, "tiles": {"0": {}}}
    for name in ("version", "tiledversion", "nextlayerid", "nextobjectid", "infinite"):
        del drawn[name]
    assert read_map(write_json(tmp_path / "old.json", drawn)).walls.tolist() == [[False, True]]


def test_a_template_gives_what_its_object_leaves_out(tmp_path):
    (tmp_path / "bed.tx").write_text(
        '<template><object name="bed" type="furniture" width="64" height="32"/></template>'
    )
    things = object_layer("things", {"x": 32, "y": 0})
    things["objects"] = [{"id": 1, "template": "bed.tx", "x": 32, "y": 0}]
    grid = read_map(write_json(tmp_path / "a.tmj", town(4, 1, [things])))
    assert grid.object("bed").tiles == [(1, 0), (2, 0)]


def test_groups_hand_down_offsets_and_properties(tmp_path):
    wall = tile_layer("fence", [[1, 0, 0], [0, 0, 0]])
    inner = group("inner", wall, object_layer("things", {"name": "x", "point": True}), offsetx=32)
    outer = group("outer", inner, offsetx=32, offsety=32, properties=properties(collides=True))
    drawn = town(3, 2, [outer, tile_layer("flowers", [[1, 1, 1], [1, 1, 1]])])
    grid = read_tiled(write_xml(tmp_path / "a.tmx", drawn))
    assert grid.walls.tolist() == [[False, False, False], [False, False, True]]
    named = read_tiled(tmp_path / "a.tmx", collision_layer="outer/inner/fence", object_layer=())
    assert (named.walls == grid.walls).all()
    assert not named.objects


def test_areas_may_be_painted(tmp_path):
    marked = [{"id": 1, "type": "cafe"}, {"id": 2, "properties": properties(area="park")}]
    layer = tile_layer("Sector Blocks", [[2, 2, 3], [0, 9, 3]])
    drawn = town(3, 2, [layer], tilesets=[tileset(tiles=marked)])
    for grid in (
        read_tiled(write_xml(tmp_path / "a.tmx", drawn)),
        read_tiled(tmp_path / "a.tmx", area_layer=["Sector Blocks"]),
    ):
        assert {name: area.tiles for name, area in grid.all_areas.items()} == {
            "cafe": [(0, 0), (1, 0)], "park": [(2, 0), (2, 1)], "Sector Blocks 9": [(1, 1)],
        }  # fmt: skip


@pytest.mark.parametrize(
    ("shape", "tiles"),
    [
        ({"x": 16, "y": 16, "width": 64, "height": 31}, [(1, 0), (0, 0)]),
        ({"x": 33, "y": 33, "width": 4, "height": 4}, [(1, 1)]),
        ({"x": 0, "y": 0, "width": 96, "height": 96, "ellipse": True},
         [(x, y) for x in range(3) for y in range(3)]),
        ({"x": 64, "y": 0, "width": 64, "height": 32, "rotation": 90}, [(1, 0), (1, 1)]),
        ({"x": 96, "y": 96, "width": 32, "height": 32, "rotation": 180, "gid": 1}, [(2, 3)]),
        ({"x": 16, "y": 16, "polyline": [{"x": 0, "y": 0}, {"x": 64, "y": 0}, {"x": 64, "y": 40}]},
         [(0, 0), (1, 0), (2, 0), (2, 1)]),
        ({"x": 100, "y": 20, "polyline": [{"x": 0, "y": 0}]}, [(3, 0)]),
        ({"x": 96, "y": 0, "width": 1000, "height": 32}, [(3, 0)]),
    ],
)  # fmt: skip
def test_shapes_cover_the_tiles_whose_centres_they_hold(tmp_path, shape, tiles):
    drawn = town(4, 4, [object_layer("areas", {"name": "a", **shape})])
    for path in (write_xml(tmp_path / "a.tmx", drawn), write_json(tmp_path / "a.tmj", drawn)):
        assert sorted(read_map(path).area("a").tiles) == sorted(tiles)


def test_arguments_come_before_what_the_map_says(tmp_path):
    path = write_json(tmp_path / "a.tmj", TOWN)
    grid = read_tiled(path, wrap=False, diagonal=True, spawn_layer=["Areas"], collision_layer=[])
    assert (grid.wrap, grid.diagonal, grid.walls.sum()) == (None, True, 1)
    assert set(grid.spawns) == {"cafe", "cafe:kitchen", "pond", "3"}
    with pytest.raises(errors.SpaceError, match=r"a\.tmj: diagonal=True needs"):
        read_tiled(path, diagonal=True, metric="manhattan")


def test_an_isometric_map_measures_in_heights_of_tiles(tmp_path):
    layer = object_layer("areas", {"name": "a", "x": 16, "y": 32, "width": 32, "height": 16})
    drawn = town(5, 5, [layer], orientation="isometric", tilewidth=32, tileheight=16)
    assert read_map(write_xml(tmp_path / "a.tmx", drawn)).area("a").tiles == [(1, 2), (2, 2)]


def raw(data, **more) -> dict:
    layer = {"type": "tilelayer", "name": "walls", "width": 2, "height": 2, "data": data, **more}
    return town(2, 2, [layer])


BAD = {
    "orientation is 'hexagonal'": town(2, 2, [], orientation="hexagonal"),
    "orientation is 'staggered'": town(2, 2, [], orientation="staggered"),
    "layer 'walls': holds 3 tiles, but 2 x 2 = 4": raw([0, 0, 0]),
    "layer 'walls': data must hold tile numbers": raw([0, 0, 0, -1]),
    "layer 'walls': data must be a text or a list": raw(7),
    "unknown encoding 'rot13'": raw("abc", encoding="rot13"),
    "unknown compression 'lzma'": raw("AAAA", encoding="base64", compression="lzma"),
    "layer 'walls': holds less": raw("AAAA", encoding="base64"),
    "layer 'walls': data is damaged": raw("AAAA", encoding="base64", compression="zlib"),
    "must be an object, got 3": town(2, 2, [3]),
    "layers must be a list": {**town(2, 2, []), "layers": "abc"},
    "width must be a number, got None": {**town(2, 2, []), "width": None},
    "width must be a whole number": {**town(2, 2, []), "width": 2.5},
    "at most 16777216": town(100_000, 100_000, []),
    "the map is infinite and has no chunk": town(2, 2, [], infinite=True),
    "a tile of 0 x 32": town(2, 2, [], tilewidth=0),
    "object 'a': lies outside the map": town(2, 2, [object_layer("areas", {"name": "a", "x": 99})]),
    "lies farther than": town(2, 2, [object_layer("areas", {"name": "a", "x": 1e14})]),
    "layer 'walls': is moved by": town(2, 2, [tile_layer("walls", [[1, 1]] * 2, offsetx=5)]),
    "the metric|unknown metric 'taxi'": town(2, 2, [], properties=properties(metric="taxi")),
    "spawn 'a' .* is a wall": town(
        2, 2, [tile_layer("walls", [[1, 1]] * 2), object_layer("spawns", {"name": "a"})]
    ),
    "is not the name of a file|does not exist|lies outside": town(
        2, 2, [], tilesets=[{"firstgid": 1, "source": "a\0b.tsx"}]
    ),
    r"lies outside the folder": town(2, 2, [], tilesets=[{"firstgid": 1, "source": "/etc/passwd"}]),
    "this tileset does not exist": town(2, 2, [], tilesets=[{"firstgid": 1, "source": "no.tsx"}]),
    "is not the number of a tile": town(
        2, 2, [], tilesets=[{"firstgid": 1, "tileproperties": {"x": {}}}]
    ),
    "has more than 33554432|have more than 33554432": town(
        2000, 2000, [object_layer("areas", *({"name": "a", "width": 1e6, "height": 1e6},) * 4)]
    ),
}


@pytest.mark.parametrize("message", BAD)
def test_what_cannot_be_used_is_refused_by_file_and_layer(tmp_path, message):
    path = write_json(tmp_path / "bad.tmj", BAD[message])
    with pytest.raises(errors.SpaceError, match=message) as caught:
        read_tiled(path)
    assert "bad.tmj" in str(caught.value) or "no.tsx" in str(caught.value)


def test_a_layer_asked_for_must_be_there(tmp_path):
    path = write_json(tmp_path / "a.tmj", TOWN)
    with pytest.raises(errors.SpaceError, match="no layer 'wall'; there are 'ground', 'Collision"):
        read_tiled(path, collision_layer="wall")


LAUGHS = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 12))
HOSTILE = {
    "declares entities": f'<!DOCTYPE map [<!ENTITY l0 "ha">{LAUGHS}]><map>&l11;</map>',
    "declares entities ": '<!DOCTYPE map [<!ENTITY x SYSTEM "/etc/passwd">]><map>&x;</map>',
    "elements within each other": "<map>" + "<group>" * 300,
    "in all": "<map>" + "<a/>" * 2_000 + "</map>",
    "not valid XML": "<map><layer></map>",
    "not a Tiled map": "<html/>",
    "not valid JSON": "[" * 100_000,
    "must be an object": "[]",
    "map does not|not valid JSON": "",
    "height must be a number": '<map layers="x" tilewidth="1" tileheight="1" width="1"/>',
}


@pytest.mark.parametrize("message", HOSTILE)
def test_hostile_files_are_refused_at_once(tmp_path, message, monkeypatch):
    monkeypatch.setattr(tiled_xml, "ELEMENTS_LIMIT", 1000)
    path = tmp_path / "bad.tmx"
    path.write_text(HOSTILE[message])
    with pytest.raises(errors.SpaceError, match=message.strip()) as caught:
        read_tiled(path)
    assert "bad.tmx" in str(caught.value)


@pytest.mark.parametrize("compression", ["gzip", "zlib"])
def test_a_bomb_is_read_no_further_than_announced(tmp_path, compression):
    bomb = tile_layer("walls", np.zeros((2000, 4000)))
    path = write_xml(tmp_path / "bomb.tmx", town(4, 4, [bomb]), ("base64", compression))
    path.write_text(path.read_text().replace('width="4000" height="2000"', 'width="4" height="4"'))
    tracemalloc.start()
    with pytest.raises(
        errors.SpaceError, match=r"bomb\.tmx.*'walls': holds more than the 64 bytes"
    ):
        read_tiled(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20


def test_other_files_and_links_that_lead_outside_are_refused(tmp_path):
    folder = tmp_path / "maps"
    folder.mkdir()
    (tmp_path / "secret.tsx").write_text("<tileset/>")
    (folder / "link.tsx").symlink_to(tmp_path / "secret.tsx")
    drawn = town(1, 1, [], tilesets=[{"firstgid": 1, "source": "link.tsx"}])
    with pytest.raises(errors.SpaceError, match="lies outside the folder"):
        read_tiled(write_json(folder / "a.tmj", drawn))


def test_zstd_needs_its_package(tmp_path):
    drawn = raw("KLUv/SAQgQAA", encoding="base64", compression="zstd")
    path = write_json(tmp_path / "a.tmj", drawn)
    missing = importlib.util.find_spec("zstandard") is None
    with pytest.raises(errors.MissingExtraError if missing else errors.SpaceError) as caught:
        read_tiled(path)
    assert not missing or 'pip install "headway[maps]"' in str(caught.value)


def test_zstd_is_read_with_its_package(tmp_path):
    zstandard = pytest.importorskip("zstandard")
    import base64

    tiles = np.array([1, 0, 0, 1], "<u4").tobytes()
    data = base64.b64encode(zstandard.ZstdCompressor().compress(tiles)).decode()
    drawn = raw(data, encoding="base64", compression="zstd")
    grid = read_map(write_json(tmp_path / "a.tmj", drawn))
    assert grid.walls.tolist() == [[True, False], [False, True]]


SCRAPS = [b'"', b"<", b">", b"/", b"-1", b"0", b"9" * 30, b"null", b"[]", b"{}", b"1e400", b"\xff"]
SWAPS = [None, True, -1, 0, 2**70, 1e308, "", "x", [], {}, [{}], {"a": 1}, "1,2", [None]]


@given(st.sampled_from(FORMS), st.data())
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_bytes_are_only_space_errors_come_out(tmp_path, form, data):
    write, encoded = form
    path = write(path_for(tmp_path, write), TOWN, encoded)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content)))
        cut = data.draw(st.integers(0, 20))
        content[at : at + cut] = data.draw(st.sampled_from(SCRAPS) | st.binary(max_size=3))
    path.write_bytes(content)
    try:
        read_tiled(path)
    except errors.SpaceError as error:
        assert path.name in str(error)


def places(value, found=None):
    """All (container, key) pairs of a JSON value."""
    found = [] if found is None else found
    keys = value if isinstance(value, dict) else range(len(value))
    for key in keys:
        found.append((value, key))
        if isinstance(value[key], dict | list):
            places(value[key], found)
    return found


@given(st.data())
@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_values_are_only_space_errors_come_out(tmp_path, data):
    drawn = {**TOWN, "tilesets": [tileset(tiles=MARKED)]}
    path = write_json(tmp_path / "a.tmj", drawn, data.draw(st.sampled_from(JSON_FORMS)))
    value = json.loads(path.read_text())
    for _ in range(data.draw(st.integers(1, 3))):
        container, key = data.draw(st.sampled_from(places(value)))
        container[key] = data.draw(st.sampled_from(SWAPS))
    path.write_text(json.dumps(value))
    try:
        read_tiled(path)
    except errors.SpaceError as error:
        assert "a.tmj" in str(error)
