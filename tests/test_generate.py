"""Synthetic towns: their figures, their geometry, and what they do not depend on."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import numpy as np
import pytest

from headway.generate import LAYOUTS, Town, generate_town, measure
from headway.generate import calibration as aim
from headway.generate.town import CORNERS, HOUSES, PLOT_COLUMNS, PLOT_ROWS
from headway.trace import BASES, Trace
from headway.trace.model import CALL_COLUMNS

SEEDS = (0, 1, 2)
BUSY_HOURS = range(9, 19)


@lru_cache
def day_of_25(seed):
    return generate_town(seed=seed)


def assert_same(one: Trace, other: Trace):
    assert np.array_equal(one.positions, other.positions)
    assert np.array_equal(one.agents.world, other.agents.world)
    assert one.calls.functions == other.calls.functions
    for column in CALL_COLUMNS:
        assert np.array_equal(getattr(one.calls, column), getattr(other.calls, column)), column


def moves_of(trace):
    return np.abs(np.diff(trace.positions, axis=0)).sum(axis=2)


def chain_lengths(trace):
    keys = trace.calls.step.astype(np.int64) * trace.n_agents + trace.calls.agent
    return np.unique(keys, return_counts=True)[1]


def is_function(trace, name):
    return trace.calls.function == trace.calls.functions.index(name)


# ---- calibration ----


@pytest.mark.parametrize("seed", SEEDS)
def test_calls_per_hour_and_day_follow_the_published_ones(seed):
    found = measure(day_of_25(seed))
    assert found.calls_per_day == pytest.approx(aim.CALLS_PER_DAY, rel=0.05)
    for hour in BUSY_HOURS:
        expected = aim.CALLS_PER_HOUR[hour]
        assert found.calls_per_hour[hour] == pytest.approx(expected, rel=0.10), hour
    for hour in (0, 5, 6, 7, 8, 19, 20, 21, 22):
        expected = aim.CALLS_PER_HOUR[hour]
        assert found.calls_per_hour[hour] == pytest.approx(expected, rel=0.15), hour
    assert found.calls_per_hour[1:4].sum() == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_tokens_dependencies_and_parallelism_are_near_the_published_ones(seed):
    found = measure(day_of_25(seed))
    assert found.prompt_tokens == pytest.approx(aim.PROMPT_TOKENS, rel=0.08)
    assert found.output_tokens == pytest.approx(aim.OUTPUT_TOKENS, rel=0.10)
    assert found.dependency == pytest.approx(aim.DEPENDENCY, abs=0.35)
    assert found.lockstep_parallelism == pytest.approx(aim.LOCKSTEP_PARALLELISM, abs=0.2)
    assert found.critical_parallelism == pytest.approx(aim.CRITICAL_PARALLELISM, rel=0.2)


@pytest.mark.parametrize("seed", SEEDS)
def test_chains_and_walks_have_the_recorded_shape(seed):
    found = measure(day_of_25(seed))
    median, p90, p99 = found.chain_lengths
    assert 1 <= median <= 2
    assert p90 == 8
    assert 30 <= p99 <= 40
    low, high = aim.MOVING_SHARE
    assert low - 0.01 <= found.moving_share <= high


def test_the_day_starts_with_one_long_chain_each():
    trace = day_of_25(0)
    first = trace.calls.step == 0
    lengths = np.bincount(trace.calls.agent[first], minlength=25)
    assert lengths.min() >= 20
    assert lengths.max() <= 45


def test_later_days_start_with_a_revision_instead_of_a_first_plan():
    trace = generate_town(start_step=8640, steps=6)
    assert is_function(trace, "revise_identity").sum() == 4 * 25
    assert not is_function(trace, "daily_plan").any()
    assert trace.meta.start == "2023-02-14T00:00:00"


def test_measure_counts_a_hand_made_trace_correctly():
    trace = generate_town(agents=3, steps=2)
    positions = np.array([[[0, 0], [4, 4], [9, 0]]] * 2 + [[[1, 0], [4, 4], [9, 0]]], np.int32)
    calls = trace.calls.from_columns(
        step=[0, 0, 1],
        agent=[0, 1, 0],
        function=["f", "f", "f"],
        prompt_tokens=[100, 100, 100],
        output_tokens=[10, 10, 10],
        partner=[1, -1, -1],
    )
    found = measure(Trace.build(meta=trace.meta, names="abc", positions=positions, calls=calls))
    assert found.dependency == pytest.approx(1 + 2 / 3)
    assert found.lockstep_parallelism == pytest.approx(1.5)
    assert found.critical_parallelism == pytest.approx(1.5)
    assert found.talking_distance == 4
    assert found.moving_share == 1.0
    assert found.calls_per_hour[0] == pytest.approx(1.5 * 360 * 25 / 3)
    assert np.isnan(found.calls_per_hour[1])


def test_the_table_shows_every_target():
    text = measure(day_of_25(0)).table()
    for expected in ("56700", "642.6", "21.9", "1.85", "1.94"):
        assert expected in text


# ---- what a scheduler relies on ----


@pytest.mark.parametrize("layout", LAYOUTS)
def test_agents_walk_one_tile_a_step_on_walkable_tiles(layout):
    trace = generate_town(agents=110, seed=5, layout=layout)
    assert moves_of(trace).max() == 1
    town = Town() if layout == "towns" else Town.of_districts(5)
    x, y = trace.positions[..., 0], trace.positions[..., 1]
    assert town.walkable()[y, x].all()


@pytest.mark.parametrize("seed", SEEDS)
def test_sleepers_make_no_calls_and_do_not_move(seed):
    trace = day_of_25(seed)
    night = slice(1, 4 * 360)
    assert moves_of(trace)[night].sum() == 0
    assert not ((trace.calls.step > 0) & (trace.calls.step < 4 * 360)).any()
    assert moves_of(trace)[8600:].sum() == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_conversations_are_one_long_chain_of_the_initiator_beside_the_partner(seed):
    trace = day_of_25(seed)
    c = trace.calls
    utterances = np.flatnonzero(is_function(trace, "iterative_convo"))
    keys = c.step[utterances].astype(np.int64) * 25 + c.agent[utterances]
    chains, first, count = np.unique(keys, return_index=True, return_counts=True)
    assert len(chains) > 100
    assert count.min() >= 6
    assert count.max() == 16
    lengths = np.array([((c.step == k // 25) & (c.agent == k % 25)).sum() for k in chains])
    assert np.median(lengths) >= 30
    rows = utterances[first]
    step, agent, partner = c.step[rows], c.agent[rows], c.partner[rows]
    assert (partner >= 0).all()
    assert (partner != agent).all()
    assert not np.isin(c.step.astype(np.int64) * 25 + c.agent, step * 25 + partner).all()
    places = trace.positions
    for later in (0, 30):
        apart = np.abs(places[step + later, agent] - places[step + later, partner]).max(axis=1)
        assert apart.max() <= aim.TALKING_DISTANCE
    assert apart.max() == 1


def test_talkers_walk_up_to_each_other_and_stand_still_until_they_look_back():
    trace = day_of_25(0)
    c = trace.calls
    talk = is_function(trace, "iterative_convo")
    back = is_function(trace, "memo_on_convo")
    ends = set(zip(c.step[back].tolist(), c.agent[back].tolist(), strict=True))
    moves = moves_of(trace)
    for step, agent in set(zip(c.step[talk].tolist(), c.agent[talk].tolist(), strict=True)):
        end = next(t for t in range(step, step + 120) if (t, agent) in ends)
        assert moves[step + 30 : end + 1, agent].sum() == 0


def test_nobody_talks_to_two_people_at_once():
    trace = day_of_25(1)
    c = trace.calls
    rows = np.flatnonzero(is_function(trace, "chat_poignancy"))
    back = np.flatnonzero(is_function(trace, "memo_on_convo"))
    for agent in range(25):
        starts = np.sort(c.step[rows][(c.agent[rows] == agent) | (c.partner[rows] == agent)])
        ends = np.sort(c.step[back][c.agent[back] == agent])
        assert len(starts) == len(ends)
        assert (starts[1:] > ends[:-1]).all()


def test_partners_belong_to_the_world_of_the_agent():
    trace = generate_town(agents=60, steps=720, start_hour=12)
    c = trace.calls
    social = c.partner >= 0
    assert social.any()
    world = trace.agents.world
    assert np.array_equal(world[c.agent[social]], world[c.partner[social]])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_calls_are_sorted_and_say_that_they_are_synthetic(layout):
    trace = generate_town(agents=60, steps=400, start_hour=11.5, layout=layout)
    c = trace.calls
    key = c.step.astype(np.int64) * trace.n_agents + c.agent
    assert (np.diff(key) >= 0).all()
    assert c.step.min() >= 0
    assert c.step.max() < 400
    assert (c.basis == BASES.index("synthetic")).all()
    assert min(c.prompt_tokens.min(), c.output_tokens.min()) >= 1
    for column, kind in (("step", np.int32), ("function", np.int16), ("partner", np.int32)):
        assert getattr(c, column).dtype == kind
    assert "synthetic" in trace.meta.source
    assert trace.meta.start == "2023-02-13T11:30:00"
    assert (trace.meta.sight, trace.meta.speed, trace.meta.metric) == (4, 1, "chebyshev")


# ---- chance and size ----


def test_equal_seeds_give_equal_traces_and_others_do_not():
    assert_same(generate_town(seed=7, steps=3000), generate_town(seed=7, steps=3000))
    assert not np.array_equal(day_of_25(0).positions, day_of_25(1).positions)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("first", "steps"), [(0, 1), (4320, 360), (4400, 777), (8600, 100)])
def test_a_part_is_drawn_as_it_would_be_cut_out_of_the_whole(layout, first, steps):
    whole = generate_town(agents=30, steps=8800, seed=3, layout=layout)
    part = generate_town(agents=30, start_step=first, steps=steps, seed=3, layout=layout)
    assert_same(whole.window(first, first + steps), part)


def test_a_town_does_not_depend_on_how_many_others_there_are():
    few = generate_town(agents=50, start_hour=12, steps=360, seed=4)
    many = generate_town(agents=100, start_hour=12, steps=360, seed=4)
    assert np.array_equal(few.positions, many.positions[:, :50])
    same = np.flatnonzero(many.calls.agent < 50)
    for column in CALL_COLUMNS:
        assert np.array_equal(getattr(few.calls, column), getattr(many.calls, column)[same])


def test_towns_live_different_days():
    trace = generate_town(agents=75, start_hour=9, steps=360)
    first, second, third = (trace.positions[:, i : i + 25] for i in (0, 25, 50))
    assert not np.array_equal(first, second)
    assert not np.array_equal(second, third)


@pytest.mark.parametrize(("agents", "worlds"), [(1, 1), (2, 1), (24, 1), (26, 2), (100, 4)])
def test_any_number_of_agents_can_be_drawn(agents, worlds):
    done = []
    trace = generate_town(
        agents=agents,
        start_hour=12,
        steps=360,
        progress=lambda *counts: done.append(counts),
    )
    assert trace.n_agents == agents
    assert len(set(trace.agents.names)) == agents
    assert np.unique(trace.agents.world).tolist() == list(range(worlds))
    assert trace.positions.shape == (361, agents, 2)
    assert done == [(i, worlds) for i in range(1, worlds + 1)]
    expected = aim.CALLS_PER_HOUR[12]
    assert measure(trace).calls_per_hour[12] == pytest.approx(expected, rel=0.12)


def test_one_town_is_one_world_of_constant_density():
    trace = generate_town(agents=500, start_hour=9, steps=1440, layout="one-town", seed=2)
    apart = generate_town(agents=500, start_hour=9, steps=1440, seed=2)
    assert trace.agents.world.max() == 0
    found, reference = measure(trace), measure(apart)
    assert found.dependency == pytest.approx(reference.dependency, abs=0.25)
    assert found.calls_per_day == pytest.approx(reference.calls_per_day, rel=0.05)
    width, height = Town.of_districts(20).width, Town.of_districts(20).height
    assert (trace.positions.max(axis=(0, 1)) < [width, height]).all()
    home = np.arange(500) // 25
    c = trace.calls
    social = c.partner >= 0
    assert (home[c.agent[social]] != home[c.partner[social]]).any()


@pytest.mark.parametrize("seconds", [1, 5])
def test_shorter_steps_keep_the_calls_per_hour(seconds):
    trace = generate_town(start_hour=12, steps=3600 // seconds, seconds_per_step=seconds)
    expected = aim.CALLS_PER_HOUR[12]
    assert measure(trace).calls_per_hour[12] == pytest.approx(expected, rel=0.12)
    assert moves_of(trace).max() == 1


def test_a_thousand_agents_fit_small_towns_and_crowded_ones():
    assert generate_town(agents=200, agents_per_town=100, steps=1).n_agents == 200
    assert generate_town(agents=3, agents_per_town=1, steps=1).agents.world.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"agents": 0}, "agents must be at least 1, not 0"),
        ({"steps": 0}, "steps must be at least 1, not 0"),
        ({"steps": -5}, "steps must be at least 1, not -5"),
        ({"seed": -1}, "seed must be at least 0"),
        ({"layout": "village"}, "unknown layout 'village'; choose one of towns, one-town"),
        ({"start_hour": 25}, "start_hour must be at least 0 and less than 24, not 25"),
        ({"start_hour": -1}, "start_hour must be at least 0"),
        ({"start_hour": 8, "start_step": 5}, "not both"),
        ({"start_step": -1}, "start_step must not be negative"),
        ({"seconds_per_step": 7}, "seconds_per_step must be one of 1, 2, 3"),
        ({"agents_per_town": 0}, "agents_per_town must lie between 1 and 100"),
        ({"agents_per_town": 101}, "agents_per_town must lie between 1 and 100"),
    ],
)
def test_arguments_out_of_range_are_refused_with_a_sentence(arguments, message):
    with pytest.raises(ValueError, match=message):
        generate_town(**arguments)


# ---- the map ----


def test_every_walk_keeps_to_walkable_tiles_and_within_its_bound():
    town = Town(2, 2)
    rng = np.random.default_rng(0)
    rooms = town.across * town.down * PLOT_COLUMNS * PLOT_ROWS
    origin, goal = rng.integers(0, rooms, (2, 300)).astype(np.int32)
    spots = []
    for room in (origin, goal):
        x, y = town.corner(room)
        spots.append(np.stack([x + rng.integers(0, 9, 300), y + rng.integers(0, 8, 300)], axis=1))
    corners = town.route(origin, spots[0].astype(np.int32), goal, spots[1].astype(np.int32))
    assert corners.shape == (300, CORNERS, 2)
    legs = np.abs(np.diff(corners, axis=1))
    assert (legs.min(axis=2) == 0).all()
    assert (legs.sum(axis=(1, 2)) <= town.longest_walk(origin, goal)).all()
    walkable = town.walkable()
    for walk in corners:
        for (x0, y0), (x1, y1) in pairwise(walk):
            rows = slice(min(y0, y1), max(y0, y1) + 1)
            assert walkable[rows, min(x0, x1) : max(x0, x1) + 1].all()


def test_houses_are_different_plots_and_enough_for_100_agents():
    assert len(set(HOUSES.tolist())) == len(HOUSES) == 60


@pytest.mark.parametrize("districts", [1, 2, 3, 20, 41, 4000])
def test_a_map_has_room_for_all_districts(districts):
    town = Town.of_districts(districts)
    assert town.across * town.down >= districts
    assert town.across * (town.down - 1) < districts
    assert town.walkable().shape == (town.height, town.width) if districts < 100 else True
