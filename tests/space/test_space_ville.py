"""The original town comes out as the reference tables say; damaged files are refused by name."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headway import errors
from headway.space import read_map, read_ville

TRACES = Path(__file__).parents[3] / "shared" / "traces"
needs_traces = pytest.mark.skipif(
    not (TRACES / "raw" / "maze").exists(), reason="the recorded traces are not here"
)


def write_small(root: Path) -> Path:
    """A town of 4 x 3 tiles: a house with a room, a bed, and a street."""
    (root / "maze").mkdir(parents=True)
    (root / "special_blocks").mkdir()
    meta = {"world_name": "small", "maze_width": 4, "maze_height": 3}
    (root / "maze_meta_info.json").write_text(json.dumps(meta))
    matrices = {
        "collision": "0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 9",
        "sector": "1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0",
        "arena": "0, 2, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0",
        "game_object": "0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 4, 0",
        "spawning_location": "0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0",
    }
    for name, cells in matrices.items():
        (root / "maze" / f"{name}_maze.csv").write_text(cells)
    blocks = {
        "sector": "1, small, house \n",
        "arena": "2, small, house, room\n",
        "game_object": "3, small, <all>, bed\n4, small, <all>, lamp\n",
        "spawning_location": "5, small, house, room, sp-A\n",
    }
    for name, lines in blocks.items():
        (root / "special_blocks" / f"{name}_blocks.csv").write_text(lines)
    return root


def test_a_small_town(tmp_path):
    grid = read_map(write_small(tmp_path / "town"))
    assert np.argwhere(grid.walls).tolist() == [[0, 3], [2, 3]]
    assert grid.areas((1, 1)) == ("house", "house:room")
    assert grid.areas((0, 1)) == ("house",)
    assert grid.area("house:room").tiles == [(1, 0), (1, 1)]
    assert grid.object("house:room:bed").tiles == [(1, 1)]
    assert list(grid.objects) == ["house:room:bed", "lamp"]
    assert dict(grid.spawns) == {"house:room:sp-A": ((1, 0),)}


@needs_traces
def test_the_ville_is_the_one_of_the_reference_tables():
    grid = read_ville(TRACES / "raw" / "maze")
    assert (grid.width, grid.height, grid.metric, grid.wrap) == (140, 100, "chebyshev", None)
    with (TRACES / "maze" / "collision_grid.csv").open() as file:
        assert (grid.walls == (np.array(list(csv.reader(file))) != "0")).all()
    seen = set()
    with (TRACES / "maze" / "tiles.csv").open() as file:
        for row in csv.DictReader(file):
            tile = (int(row["x"]), int(row["y"]))
            seen.add(tile)
            sector, inner = row["sector"], f"{row['sector']}:{row['arena']}"
            expected = ([sector] if sector else []) + ([inner] if row["arena"] else [])
            assert grid.areas(tile) == tuple(expected)
            expected = [f"{inner}:{row['object']}"] if row["object"] else []
            assert grid.objects_at(tile) == tuple(expected)
            if row["spawn"]:
                assert tile in grid.spawns[f"{inner}:{row['spawn']}"]
    assert sum(map(len, grid.spawns.values())) == 40
    assert not any(
        grid.areas((x, y)) or grid.objects_at((x, y))
        for x in range(140)
        for y in range(100)
        if (x, y) not in seen
    )
    with (TRACES / "maze" / "arenas.csv").open() as file:
        for row in csv.DictReader(file):
            if row["arena"]:
                assert len(grid.area(f"{row['sector']}:{row['arena']}")) == int(row["n_tiles"])


@needs_traces
def test_every_bed_of_the_ville_can_be_walked_to():
    grid = read_ville(TRACES / "raw" / "maze")
    start = grid.area("Johnson Park").center
    beds = [each for name, each in grid.objects.items() if name.endswith(":bed")]
    assert len(beds) > 20
    for bed in beds:
        goal = bed.nearest(start)
        assert bed.contains(goal)
        assert grid.path(start, goal)[-1] == goal


BROKEN = {
    "maze_meta_info.json: this description of a map does not exist": ("maze_meta_info.json", None),
    "maze_width must be a number of tiles, got -4": ("maze_meta_info.json", '{"maze_width": -4}'),
    "this description of a map is not valid JSON": ("maze_meta_info.json", "{"),
    "more than 16777216": ("maze_meta_info.json", '{"maze_width":9999,"maze_height":9999}'),
    "collision_maze.csv: 3 tiles, but 4 x 3 = 12": ("maze/collision_maze.csv", "0, 0, 0"),
    r"tile \(1, 0\) must hold a block": ("maze/arena_maze.csv", "0, x" + ", 0" * 10),
    r"tile \(2, 1\) has the block number 8": ("maze/arena_maze.csv", "0, " * 6 + "8" + ", 0" * 5),
    "line 2: expected a block number": ("special_blocks/sector_blocks.csv", "1, a\nb, c"),
    "spawn 'house:room:sp-A' .* is a wall": ("maze/collision_maze.csv", "9, 9" + ", 0" * 10),
    "not text in UTF-8": ("special_blocks/arena_blocks.csv", b"\xff\xfe\xff"),
}


@pytest.mark.parametrize("message", BROKEN)
def test_a_broken_town_is_refused_with_file_and_tile(tmp_path, message):
    name, content = BROKEN[message]
    path = write_small(tmp_path / "town") / name
    path.unlink()
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(errors.SpaceError, match=message):
        read_ville(tmp_path / "town")


@given(st.data())
@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_town_holds_only_space_errors_come_out(tmp_path, data):
    root = tmp_path / "town"
    shutil.rmtree(root, ignore_errors=True)
    write_small(root)
    path = data.draw(st.sampled_from(sorted(p for p in root.rglob("*") if p.is_file())))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(content)))
        content[at : at + data.draw(st.integers(0, 4))] = data.draw(
            st.binary(max_size=4) | st.sampled_from([b"-1", b"9" * 30, b'"', b"\n", b"1e9", b","])
        )
    path.write_bytes(content)
    try:
        read_ville(root)
    except errors.SpaceError as error:
        assert "town" in str(error)


def test_what_is_no_map_is_refused(tmp_path):
    for path in (tmp_path, tmp_path / "map.png", tmp_path / "none.tmx"):
        with pytest.raises(errors.SpaceError, match=str(path)):
            read_map(path)
