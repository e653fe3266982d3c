"""Ways on a grid are the shortest, legal and always the same; a slow search says so."""

from __future__ import annotations

import pickle
import threading
from collections import deque
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway import Scheduler, errors
from headway.space import Area, Grid, Space
from headway.space.grid import DIAGONAL, STRAIGHT, neighbour_table
from headway.space.walks import Field, TableNet, Walks

METRICS = ("chebyshev", "manhattan", "euclidean")


@st.composite
def mazes(draw, *, least_walls: int = 0):
    """A small grid and two of its free tiles; often there is no way between them."""
    width, height = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    bits = draw(st.lists(st.booleans(), min_size=width * height, max_size=width * height))
    walls = np.array(bits, bool).reshape(height, width)
    if draw(st.booleans()):
        walls &= np.random.default_rng(draw(st.integers(0, 99))).random(walls.shape) < 0.6
    free = [(int(x), int(y)) for y, x in np.argwhere(~walls)]
    if not free:
        walls[0, 0], free = False, [(0, 0)]
    grid = Grid(width, height, walls=walls, wrap=draw(st.booleans()), diagonal=draw(st.booleans()))
    return grid, draw(st.sampled_from(free)), draw(st.sampled_from(free))


def steps_from(grid: Grid, tile) -> list[tuple[int, int]]:
    """Where one step leads, in the documented order; written out on its own."""
    walls, found = grid.walls, []
    around = lambda x, y: (x % grid.width, y % grid.height) if grid.wrap else (x, y)  # noqa: E731

    def free(x, y):
        x, y = around(x, y)
        return 0 <= x < grid.width and 0 <= y < grid.height and not walls[y, x]

    for dx, dy in STRAIGHT + (DIAGONAL if grid.diagonal else ()):
        x, y = tile[0] + dx, tile[1] + dy
        if free(x, y) and free(tile[0] + dx, tile[1]) and free(tile[0], tile[1] + dy):
            found.append(around(x, y))
    return found


def distances_to(grid: Grid, goal) -> dict[tuple[int, int], int]:
    """Brute force; steps can be taken in both directions."""
    known, queue = {goal: 0}, deque([goal])
    while queue:
        tile = queue.popleft()
        for other in steps_from(grid, tile):
            if other not in known:
                known[other] = known[tile] + 1
                queue.append(other)
    return known


@given(mazes())
def test_a_path_is_the_documented_one_of_the_shortest(maze):
    grid, start, goal = maze
    known = distances_to(grid, goal)
    expected, here = [], start
    while here != goal and here in known:
        here = next(t for t in steps_from(grid, here) if known.get(t) == known[here] - 1)
        expected.append(here)
    assert grid.path(start, goal) == expected
    assert grid.walking_distance(start, goal) == known.get(start)


@given(mazes(), st.integers(0, 5))
def test_toward_goes_along_the_path_and_every_step_is_a_legal_move(maze, speed):
    grid, start, goal = maze
    path = [start, *grid.path(start, goal)]
    for i, tile in enumerate(path):
        onward = grid.toward(tile, goal, speed)
        assert onward == path[min(i + speed, len(path) - 1)]
        grid.check_move(tile, onward, speed)
        assert grid.distance(tile, onward) <= speed


@given(mazes(), st.integers(0, 30))
def test_a_move_is_legal_where_a_way_of_so_many_steps_exists(maze, speed):
    grid, start, goal = maze
    if distances_to(grid, goal).get(start, 1000) <= speed:
        grid.check_move(start, goal, speed)
    else:
        with pytest.raises(errors.SpaceError, match=r"through a wall|takes \d+ steps"):
            grid.check_move(start, goal, speed)


@given(st.integers(1, 9), st.integers(1, 9), st.booleans(), st.booleans(), st.data())
def test_without_walls_the_way_is_the_same_as_the_search_finds(width, height, wrap, diagonal, data):
    grid = Grid(width, height, wrap=wrap, diagonal=diagonal)
    tiles = st.tuples(st.integers(0, width - 1), st.integers(0, height - 1))
    start, goal, speed = data.draw(tiles), data.draw(tiles), data.draw(st.integers(0, 6))
    walks = grid._ways()
    here, there = grid.tile_number(start), grid.tile_number(goal)
    path = [(n % width, n // width) for n in walks.way(here, there)]
    assert grid.path(start, goal) == path
    assert grid.toward(start, goal, speed) == [start, *path][min(speed, len(path))]
    assert grid.walking_distance(start, goal) == len(path)


@given(mazes(), st.data())
def test_the_nearest_tile_of_an_area_is_the_nearest_to_walk_to(maze, data):
    grid, start, _ = maze
    tile = st.tuples(st.integers(0, grid.width - 1), st.integers(0, grid.height - 1))
    tiles = data.draw(st.lists(tile, min_size=1, max_size=6))
    grid = Grid(
        grid.width, grid.height, walls=grid.walls, areas={"a": tiles},
        wrap=grid.wrap is not None, diagonal=grid.diagonal,
    )  # fmt: skip
    area, known = grid.area("a"), distances_to(grid, start)
    assert isinstance(area, Area)
    assert sorted(area.tiles) == sorted(set(tiles))
    goals = [t for t in tiles if grid.is_free(t)]
    reached = [known[t] for t in goals if t in known]
    if reached:
        assert known[area.nearest(start)] == min(reached)
    elif goals:
        with pytest.raises(errors.SpaceError, match="no free tile of area 'a' can be reached"):
            area.nearest(start)
    assert area.center in tiles
    assert grid.is_free(area.center) == bool(goals)
    for y in range(grid.height):
        for x in range(grid.width):
            assert area.contains((x, y)) == ((x, y) in tiles)
            assert grid.areas((x, y)) == (("a",) if (x, y) in tiles else ())


def core_distance(p, q, options) -> float:
    """The distance in the refusal of a move by somebody who cannot move."""
    scheduler = Scheduler([p], sight=0, speed=0, **options)
    scheduler.start([0])
    with pytest.raises(errors.OverSpeedError) as caught:
        scheduler.finish([0], [q])
    return caught.value.distance


@given(st.sampled_from(METRICS), st.booleans(), st.sampled_from([1, 2, 5, 900, 2**30]), st.data())
def test_distances_are_the_schedulers_to_the_last_bit(metric, wrap, size, data):
    grid = Grid(size, size, metric=metric, wrap=wrap)
    tile = st.tuples(st.integers(0, size - 1), st.integers(0, size - 1))
    p, q, r = data.draw(tile), data.draw(tile), data.draw(tile)
    assert grid.distance(p, q) == grid.distance(q, p)
    assert (grid.distance(p, q) == 0) == (p == q)
    assert grid.distance(p, r) <= (grid.distance(p, q) + grid.distance(q, r)) * (1 + 1e-15)
    if p != q:
        assert grid.distance(p, q) == core_distance(p, q, grid.scheduler_options())


def test_a_far_root_just_above_a_whole_number_stays_above():
    grid = Grid(2**30, 2**30, metric="euclidean")
    p, q = (0, 0), (2**29, 1)
    assert grid.distance(p, q) == core_distance(p, q, grid.scheduler_options()) > 2**29


def test_nobody_cuts_a_corner():
    grid = Grid(2, 2, walls=[(1, 0)], diagonal=True)
    assert grid.path((0, 0), (1, 1)) == [(0, 1), (1, 1)]
    with pytest.raises(errors.SpaceError, match="through a wall"):
        grid.check_move((0, 0), (1, 1), 1)


def test_areas_come_outermost_first():
    grid = Grid(
        8, 8,
        areas={
            "cafe:kitchen": [(1, 1, 2, 2)], "park": [(5, 5)], "cafe": (0, 0, 4, 4),
            "lone": [(7, 7)], "lone:room": [(7, 7)], "walk": np.eye(8, dtype=bool),
        },
        objects={"cafe:kitchen:stove": [(1, 1), (2, 1)]},
    )  # fmt: skip
    assert grid.areas((1, 1)) == ("cafe", "walk", "cafe:kitchen")
    assert grid.areas((1, 2)) == ("cafe", "cafe:kitchen")
    assert grid.areas((7, 7)) == ("walk", "lone", "lone:room")
    assert grid.areas((7, 0)) == ()
    assert grid.objects_at((2, 1)) == ("cafe:kitchen:stove",)
    assert list(grid.objects) == ["cafe:kitchen:stove"]
    assert len(grid.all_areas) == 6
    assert grid.area("cafe").center == (1, 1)
    assert grid.object("cafe:kitchen:stove").nearest((5, 1)) == (2, 1)
    with pytest.raises(errors.SpaceError, match="'cafe:kitchen'"):
        grid.area("cafe:kitchn")
    with pytest.raises(errors.SpaceError, match="no object 'x' among 1"):
        grid.object("x")
    with pytest.raises(errors.SpaceError, match="has no areas"):
        Grid(3, 3).area("x")


def test_an_object_on_walls_is_used_from_beside_it():
    grid = Grid(5, 3, walls=[(2, 0), (2, 1), (2, 2)], objects={"tv": [(2, 1)]})
    assert grid.object("tv").nearest((0, 0)) == (1, 1)
    assert grid.object("tv").nearest((4, 0)) == (3, 1)


def test_spawns_have_names_and_are_free():
    grid = Grid(4, 4, walls=[(0, 0)], spawns={"door": [(1, 1), (2, 1)]})
    assert dict(grid.spawns) == {"door": ((1, 1), (2, 1))}
    assert dict(Grid(4, 4, spawns=[(3, 1)]).spawns) == {"0": ((3, 1),)}
    with pytest.raises(errors.SpaceError, match=r"spawn 'door' \(0, 0\) is a wall"):
        Grid(4, 4, walls=[(0, 0)], spawns={"door": [(0, 0)]})


BAD_GRIDS = {
    "width": lambda: Grid(0, 3),
    "height": lambda: Grid(3, 2.5),  # type: ignore[arg-type]
    "10 or more": None,
    "too large": lambda: Grid(2**20, 2**20, walls=[]),
    "diagonal": lambda: Grid(3, 3, diagonal=True, metric="manhattan"),
    "unknown metric 'taxi'": lambda: Grid(3, 3, metric="taxi"),
    r"walls: .* \(3, 4\), got \(4, 3\)": lambda: Grid(4, 3, walls=np.zeros((4, 3), bool)),
    r"walls: the tile \(4, 0\)": lambda: Grid(4, 3, walls=[(0, 0), (4, 0)]),
    r"walls: the rectangle \(0, 0, 5, 1\)": lambda: Grid(4, 3, walls=[(0, 0, 5, 1)]),
    "walls: expected tiles": lambda: Grid(4, 3, walls=[(0.5, 1)]),  # type: ignore[list-item]
    "area 'a': expected": lambda: Grid(4, 3, areas={"a": ["xy"]}),  # type: ignore[list-item]
    "area 'b' has no tiles": lambda: Grid(4, 3, areas={"b": []}),
    "name of an area": lambda: Grid(4, 3, areas={3: [(0, 0)]}),  # type: ignore[dict-item]
    "must map names": lambda: Grid(4, 3, objects=[(0, 0)]),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("message", [m for m, make in BAD_GRIDS.items() if make])
def test_a_grid_that_cannot_be_says_why(message):
    with pytest.raises(errors.SpaceError, match=message):
        BAD_GRIDS[message]()


@pytest.mark.parametrize(
    "position",
    [(4, 0), (0, -1), (0.0, 1.0), (True, 0), 3, "ab", None, (1,), (1, 2, 3), (1, 1), (10**5000, 0),
     (float("nan"), 0), np.zeros(2)],
)  # fmt: skip
def test_what_is_not_a_free_tile_is_refused(position):
    grid = Grid(4, 4, walls=[(1, 1)])
    with pytest.raises(errors.SpaceError, match="pos"):
        grid.check(position, what="pos")


def test_places_are_put_into_their_plain_form():
    grid: Space = Grid(4, 4)
    for given_ in ([1, 2], np.array([1, 2], np.int16), (np.int64(1), 2)):
        checked = grid.check(given_)
        assert checked == (1, 2)
        assert all(type(each) is int for each in checked)
    assert Grid(4, 4, wrap=True).check((-1, 9)) == (3, 1)


def test_a_speed_is_a_whole_number():
    grid = Grid(4, 4)
    assert grid.toward((0, 0), (3, 3), np.float64(2)) == (2, 0)
    for speed in (-1, 0.5, float("inf"), float("nan"), "1"):
        with pytest.raises(errors.SpaceError, match="speed"):
            grid.toward((0, 0), (3, 3), speed)
    with pytest.raises(errors.SpaceError, match="diagonal=True"):
        grid.check_move((0, 0), (1, 1), 1)


def test_forgotten_ways_are_found_again():
    rng = np.random.default_rng(5)
    free = rng.random((20, 30)) < 0.75
    table = neighbour_table(free, STRAIGHT, wrap=False)
    ample = Walks(TableNet(table))
    scarce = Walks(TableNet(table), field_bytes=3 * 601, trail_nodes=40)
    goals = np.flatnonzero(free.ravel())
    for start, goal in rng.choice(goals, (400, 2)).tolist():
        assert scarce.onward(start, goal) == ample.onward(start, goal)
        assert scarce.way(start, goal) == ample.way(start, goal)
        assert scarce._bytes_kept <= 3 * 601
        assert scarce._nodes_kept == sum(map(len, scarce._trails.values()))
        assert scarce._nodes_kept <= 40 or len(scarce._trails) == 1


def test_what_is_out_of_reach_is_searched_for_once(monkeypatch):
    grid = Grid(9, 9, walls=[(4, y) for y in range(9)])
    assert grid.toward((0, 0), (8, 8)) == (0, 0)
    assert grid.walking_distance((8, 0), (8, 8)) == 8
    monkeypatch.setattr(Field, "_spread_one_by_one", None)
    monkeypatch.setattr(Field, "_spread", None)
    for y in range(9):
        assert grid.path((0, y), (7, y)) == []
        assert grid.path((7, y), (0, 8 - y)) == []


def test_many_threads_may_share_a_grid():
    rng = np.random.default_rng(6)
    walls = rng.random((40, 40)) < 0.2
    free = [(int(x), int(y)) for y, x in np.argwhere(~walls)]
    pairs = [(free[a], free[b]) for a, b in rng.integers(0, len(free), (60, 2))]
    expected = [Grid(40, 40, walls=walls).toward(*pair, 3) for pair in pairs]
    shared, failures = Grid(40, 40, walls=walls), []

    def ask():
        if [shared.toward(*pair, 3) for pair in pairs] != expected:
            failures.append(1)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_a_grid_can_be_copied():
    grid = Grid(6, 6, walls=[(3, 3)], areas={"a": [(1, 1)]}, spawns={"s": [(0, 0)]})
    grid.path((0, 0), (5, 5))
    copy = pickle.loads(pickle.dumps(grid))
    assert copy.path((0, 0), (5, 5)) == grid.path((0, 0), (5, 5))
    assert (copy.walls == grid.walls).all()
    assert copy.area("a").tiles == [(1, 1)]
    assert dict(copy.spawns) == dict(grid.spawns)
    assert repr(copy) == repr(grid) == "<Grid 6 x 6, chebyshev, 1 walls, 1 areas, 1 spawns>"


def test_many_nested_areas_are_refused_before_they_fill_the_memory():
    names = {f"a{i}": [(0, 0, 200 - i % 150, 200 - i // 150)] for i in range(5000)}
    with pytest.raises(errors.SpaceError, match=r"overlap in too many ways|tiles together"):
        Grid(200, 200, areas=names)


@given(st.integers(0, 200))
def test_a_plain_step_is_one_that_the_slow_checks_allow(seed):
    chance = Random(seed)
    walls = [(x, y) for x in range(6) for y in range(6) if chance.random() < 0.3]
    grid = Grid(6, 6, walls=walls or None, wrap=chance.random() < 0.5)
    places = [(x, y) for x in range(-1, 7) for y in range(-1, 7)]
    for start in (place for place in places if place not in walls and min(place) >= 0):
        if max(start) > 5:
            continue
        for end in [*places, [0, 0], (0.0, 1), None, (1, 2, 3), 7]:
            if grid.is_plain_step(start, end):
                assert grid.check(end) == end
                assert grid.distance(start, end) == 1
                grid.check_move(start, end, 1)
