"""Moves too long for a footprint are found, and refused, split or walked as asked."""

from __future__ import annotations

import json
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.errors import OptionError, TraceError
from headway.trace.footprint import check_footprint, resolve_jumps
from headway.trace.metric import METRICS, distance, within
from headway.trace.model import Calls, Meta, Trace
from headway.trace.validate import find_problems
from strategies import assert_same_calls, function_names, patient, small_trace, traces

RECORDED = Path(__file__).parents[2] / "shared" / "traces" / "normalized"
SPEEDS = st.sampled_from([0.0, 1.0, 1.5, 2.0, 5.0])


def walker(*places, metric="chebyshev", wrap=None, calls=(), grid=True) -> Trace:
    """Ann goes through the given places while Ben stands at (0, 0); calls are (step, agent)."""
    path = np.array(places, np.int32 if grid else np.float64)
    return Trace.build(
        meta=Meta(name="walk", metric=metric, wrap=wrap),
        names=["Ann", "Ben"],
        positions=np.stack([path, np.zeros_like(path)], axis=1),
        calls=Calls.from_columns(
            step=[s for s, _ in calls],
            agent=[a for _, a in calls],
            function=[f"call {i}" for i in range(len(calls))],
            prompt_tokens=[100] * len(calls),
            output_tokens=[10] * len(calls),
            partner=[1 - a for _, a in calls],
        ),
    )


def path(trace: Trace, agent: int = 0) -> list[tuple]:
    return [tuple(p) for p in trace.positions[:, agent].tolist()]


def jumps(trace: Trace, speed: float) -> list[tuple[int, int]]:
    """Steps and agents of the moves that are too long, one by one."""
    meta, found = trace.meta, []
    for t, a in product(range(trace.n_steps), range(trace.n_agents)):
        here, there = trace.positions[t, a], trace.positions[t + 1, a]
        if not within(here, there, speed, meta.metric, meta.wrap):
            found.append((t, a))
    return found


# Distance

coordinate = st.integers(0, 8)
places = st.tuples(coordinate, coordinate)


@pytest.mark.parametrize(
    ("metric", "expected"), [("chebyshev", 4), ("manhattan", 7), ("euclidean", 5)]
)
def test_the_three_metrics_measure_a_known_triangle(metric, expected):
    assert distance((1, 1), (4, 5), metric) == expected


@patient
@given(places, places, st.sampled_from(METRICS))
def test_with_joined_borders_the_distance_is_that_of_the_nearest_image(p, q, metric):
    wrap = (9.0, 11.0)
    images = [(q[0] + 9 * i, q[1] + 11 * j) for i, j in product((-1, 0, 1), repeat=2)]
    nearest = min(float(distance(p, image, metric)) for image in images)
    assert distance(p, q, metric, wrap) == distance(q, p, metric, wrap) == nearest


def test_distances_of_whole_columns_are_those_of_their_rows():
    p = np.arange(12).reshape(3, 2, 2)
    far = distance(p, (0, 0), "euclidean")
    assert far.shape == (3, 2)
    assert far[2, 1] == distance((10, 11), (0, 0), "euclidean")


def test_the_greatest_distance_on_a_grid_is_exact():
    corner = np.array([2**30, 2**30], np.int32)
    assert distance(corner, -corner, "chebyshev") == 2**31
    assert distance(corner, -corner, "manhattan") == 2**32
    assert not within(corner, -corner, 2**32 - 1, "manhattan")


def test_an_unknown_metric_is_refused():
    with pytest.raises(TraceError, match=r"'taxicab'.*manhattan"):
        distance((0, 0), (1, 1), "taxicab")


# Checking


def test_a_jump_is_reported_with_agent_step_distance_and_limit():
    report = check_footprint(walker((0, 0), (1, 1), (5, 1), (5, 1)), speed=1, sight=4)
    assert len(report.jumps) == 1
    jump = report.jumps[0]
    assert (jump.step, jump.agent, jump.name) == (1, 0, "Ann")
    assert (jump.distance, jump.origin, jump.landing, jump.limit) == (4, (1, 1), (5, 1), 1)
    assert not report.keeps


@patient
@given(traces(), SPEEDS)
def test_the_jumps_are_those_found_one_by_one(trace, speed):
    report = check_footprint(trace, speed=speed, sight=4)
    assert [(j.step, j.agent) for j in report.jumps] == jumps(trace, speed)


def test_a_diagonal_move_is_one_tile_or_two_as_the_metric_has_it():
    trace = walker((0, 0), (1, 1))
    assert check_footprint(trace, speed=1, sight=4).keeps
    assert not check_footprint(trace, speed=1, sight=4, metric="manhattan").keeps
    assert check_footprint(trace, speed=1, sight=4, metric="manhattan").metric == "manhattan"


def test_crossing_a_joined_border_is_no_jump():
    assert check_footprint(walker((0, 0), (9, 9), wrap=(10.0, 10.0)), speed=1, sight=4).keeps
    assert not check_footprint(walker((0, 0), (9, 9)), speed=1, sight=4).keeps


def test_on_a_plane_the_rounding_of_a_move_at_full_speed_is_no_jump():
    angles = np.linspace(0, 6, 50)
    spiral = np.cumsum(np.stack([np.cos(angles), np.sin(angles)], axis=1), axis=0) + 1000
    trace = walker(*spiral.tolist(), metric="euclidean", grid=False)
    assert check_footprint(trace, speed=1, sight=4).keeps
    assert not check_footprint(trace, speed=0.999999, sight=4).keeps


def test_breaks_of_the_clock_are_passed_on():
    trace = small_trace(meta=Meta(name="small", time_breaks=(2, 3)))
    assert check_footprint(trace, speed=1, sight=4).time_breaks == (2, 3)


def test_conversations_beyond_sight_are_counted_and_do_not_break_the_footprint():
    calls = [(0, 0), (1, 0), (1, 0), (2, 1)]
    trace = walker((4, 0), (5, 0), (6, 0), (6, 0), calls=calls)
    report = check_footprint(trace, speed=1, sight=4)
    assert (report.partner_calls, report.far_calls, report.farthest) == (4, 3, 6)
    assert [(c.step, c.agent, c.partner, c.distance) for c in report.first_far_calls] == [
        (1, 0, 1, 5),
        (1, 0, 1, 5),
        (2, 1, 0, 6),
    ]
    assert report.first_far_calls[0].function == "call 1"
    assert report.keeps


def test_only_the_first_far_conversations_are_shown():
    trace = walker((9, 0), (9, 0), calls=[(0, 0)] * 20)
    report = check_footprint(trace, speed=1, sight=8)
    assert (report.far_calls, len(report.first_far_calls)) == (20, 5)


@patient
@given(traces(), SPEEDS)
def test_a_report_can_be_written_as_json(trace, speed):
    report = check_footprint(trace, speed=speed, sight=1)
    plain = report.to_dict()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert len(plain["jumps"]) == len(report.jumps)


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf")])
def test_a_footprint_that_is_none_is_refused(value):
    with pytest.raises(TraceError, match="speed is"):
        check_footprint(small_trace(), speed=value, sight=4)
    with pytest.raises(TraceError, match="sight is"):
        check_footprint(small_trace(), speed=1, sight=value)
    with pytest.raises(TraceError, match="speed is"):
        resolve_jumps(small_trace(), speed=value)
    with pytest.raises(TraceError, match="unknown metric"):
        check_footprint(small_trace(), speed=1, sight=4, metric="taxicab")


# Refusing


def test_the_refusal_names_the_first_jump_the_number_of_others_and_the_options():
    trace = walker((0, 0), (0, 0), (3, 1), (9, 9))
    with pytest.raises(TraceError) as error:
        resolve_jumps(trace, speed=1)
    for words in (
        "agent 0 'Ann' moves 3 in step 1, from (0, 0) to (3, 1)",
        "speed 1 (chebyshev)",
        "1 more move is",
        "on_jump='split'",
        "on_jump='clip'",
    ):
        assert words in str(error.value)


def test_an_unknown_way_to_resolve_jumps_is_refused():
    with pytest.raises(OptionError, match="'ignore'"):
        resolve_jumps(small_trace(), speed=1, on_jump="ignore")


@pytest.mark.parametrize("on_jump", ["error", "split", "clip"])
def test_a_trace_without_jumps_is_returned_as_it_is(on_jump):
    trace = small_trace()
    assert resolve_jumps(trace, speed=1, on_jump=on_jump) is trace


# Splitting


def test_a_jump_is_leaving_and_joining():
    calls = [(0, 0), (1, 0), (1, 1), (2, 0), (2, 1)]
    trace = walker((0, 0), (1, 0), (8, 0), (8, 1), (8, 2), calls=calls)
    split = resolve_jumps(trace, speed=1, on_jump="split")
    assert split.agents.names == ("Ann", "Ben", "Ann #2")
    assert split.agents.first_step.tolist() == [0, 0, 2]
    assert split.agents.last_step.tolist() == [2, 4, 4]
    assert path(split, 0) == [(0, 0), (1, 0), (1, 0), (1, 0), (1, 0)]
    assert path(split, 2) == [(8, 0), (8, 0), (8, 0), (8, 1), (8, 2)]
    assert list(zip(split.calls.step, split.calls.agent, split.calls.partner, strict=True)) == [
        (0, 0, 1),
        (1, 0, 1),
        (1, 1, 0),
        (2, 1, 2),
        (2, 2, 1),
    ]
    assert function_names(split.calls) == ["call 0", "call 1", "call 2", "call 4", "call 3"]
    assert "speed 1 (chebyshev)" in split.meta.notes[-1]
    assert "agents added: 1" in split.meta.notes[-1]


def test_an_agent_that_jumps_twice_becomes_three_agents():
    split = resolve_jumps(walker((0, 0), (5, 0), (5, 1), (9, 9), (9, 9)), speed=1, on_jump="split")
    assert split.agents.names == ("Ann", "Ben", "Ann #2", "Ann #3")
    assert split.agents.first_step.tolist() == [0, 0, 1, 3]
    assert split.agents.last_step.tolist() == [1, 4, 3, 4]


def test_new_agents_are_numbered_by_the_step_in_which_they_join():
    positions = np.zeros((4, 2, 2), np.int32)
    positions[1:, 1] = (7, 7)
    positions[2:, 0] = (9, 9)
    trace = small_trace(names=["Ann", "Ben"], positions=positions, first_step=None, last_step=None)
    trace = Trace(trace.meta, trace.agents, positions, walker((0, 0), (0, 0)).calls)
    split = resolve_jumps(trace, speed=1, on_jump="split")
    assert split.agents.names == ("Ann", "Ben", "Ben #2", "Ann #2")


def test_a_jump_in_the_last_step_is_left_out():
    split = resolve_jumps(walker((0, 0), (1, 0), (8, 0)), speed=1, on_jump="split")
    assert split.agents.names == ("Ann", "Ben")
    assert path(split) == [(0, 0), (1, 0), (1, 0)]
    assert "left out" in split.meta.notes[-1]


def test_names_that_are_taken_are_passed_over():
    positions = np.zeros((4, 2, 2), np.int32)
    positions[2:, 0] = (9, 9)
    trace = Trace.build(
        meta=Meta(name="names"),
        names=["Ann", "Ann #2"],
        positions=positions,
        calls=walker((0, 0), (0, 0)).calls,
    )
    split = resolve_jumps(trace, speed=1, on_jump="split")
    assert split.agents.names == ("Ann", "Ann #2", "Ann #3")


@patient
@given(traces(), SPEEDS)
def test_split_agents_stand_where_the_old_ones_stood_and_make_their_calls(trace, speed):
    expected = jumps(trace, speed)
    split = resolve_jumps(trace, speed=speed, on_jump="split")
    assert find_problems(split) == []
    assert jumps(split, speed) == []
    new, n = split.agents, trace.n_agents
    lasting = [(t, a) for t, a in expected if t + 1 < trace.agents.last_step[a]]
    parent = [*range(n), *(a for _, a in lasting)]
    assert new.names[:n] == trace.agents.names
    assert len(new) == len(parent)
    assert new.world.tolist() == trace.agents.world[parent].tolist()
    for a in range(n):
        stretches = sorted(
            (int(new.first_step[i]), int(new.last_step[i]), i)
            for i in range(len(new))
            if parent[i] == a
        )
        assert stretches[0][0] == trace.agents.first_step[a]
        assert stretches[-1][1] == trace.agents.last_step[a]
        assert all(before[1] == after[0] for before, after in pairwise(stretches))
        for first, last, i in stretches:
            np.testing.assert_array_equal(
                split.positions[first:last, i], trace.positions[first:last, a]
            )
    old_agents = np.array(parent)[split.calls.agent]
    order = np.lexsort((np.arange(len(old_agents)), old_agents, split.calls.step))
    partner = np.array([*parent, -1])[split.calls.partner]
    back = split.calls.take(
        order, agent=old_agents[order].astype(np.int32), partner=partner[order].astype(np.int32)
    )
    assert_same_calls(back, trace.calls)


@patient
@given(traces(), SPEEDS)
def test_the_partner_of_a_call_is_the_one_present_at_its_step(trace, speed):
    split = resolve_jumps(trace, speed=speed, on_jump="split")
    lasting = [a for t, a in jumps(trace, speed) if t + 1 < trace.agents.last_step[a]]
    parent = [*range(trace.n_agents), *lasting]
    for step, p in zip(split.calls.step, split.calls.partner, strict=True):
        if p >= 0 and _present(trace, parent[p], step):
            assert _present(split, p, step)


def _present(trace: Trace, agent: int, step: int) -> bool:
    return bool(trace.agents.first_step[agent] <= step < trace.agents.last_step[agent])


# Walking instead


def test_an_agent_walks_after_its_recorded_place_until_it_has_caught_up():
    trace = walker((0, 0), (1, 0), (4, 2), (4, 2), (4, 3), (4, 3), (4, 4))
    clipped = resolve_jumps(trace, speed=1, on_jump="clip")
    assert path(clipped) == [(0, 0), (1, 0), (2, 1), (3, 2), (4, 3), (4, 3), (4, 4)]
    assert "than recorded: 2" in clipped.meta.notes[-1]
    assert_same_calls(clipped.calls, trace.calls)


@pytest.mark.parametrize(
    ("metric", "speed", "expected"),
    [
        ("chebyshev", 2, [(2, -2), (4, -3), (5, -3)]),
        ("chebyshev", 1.5, [(1, -1), (2, -2), (3, -3)]),
        ("manhattan", 3, [(3, 0), (5, -1), (5, -3)]),
        ("euclidean", 1, [(1, 0), (2, 0), (3, 0)]),
        ("euclidean", 3, [(2, -1), (4, -2), (5, -3)]),
    ],
)
def test_on_a_grid_the_walk_stays_on_tiles(metric, speed, expected):
    trace = walker((0, 0), (5, -3), (5, -3), (5, -3), metric=metric)
    assert path(resolve_jumps(trace, speed=speed, on_jump="clip"))[1:] == expected


def test_on_a_plane_the_walk_is_straight():
    trace = walker((0, 0), (3, 4), (3, 4), (3, 4), (3, 4), metric="euclidean", grid=False)
    clipped = resolve_jumps(trace, speed=2, on_jump="clip")
    np.testing.assert_allclose(path(clipped), [(0, 0), (1.2, 1.6), (2.4, 3.2), (3, 4), (3, 4)])
    assert path(clipped)[3:] == [(3, 4), (3, 4)]


def test_the_walk_takes_the_shorter_way_across_a_joined_border():
    trace = walker((1, 5), (8, 5), (8, 5), (8, 5), wrap=(10.0, 10.0))
    assert path(resolve_jumps(trace, speed=1, on_jump="clip")) == [(1, 5), (0, 5), (9, 5), (8, 5)]


def test_an_agent_that_leaves_before_it_has_caught_up_stays_where_it_left():
    positions = walker((0, 0), (9, 0), (9, 0), (9, 0)).positions
    trace = Trace.build(
        meta=Meta(name="leaver"),
        names=["Ann", "Ben"],
        positions=positions,
        last_step=np.array([2, 3]),
        calls=walker((0, 0), (0, 0)).calls,
    )
    clipped = resolve_jumps(trace, speed=1, on_jump="clip")
    assert path(clipped) == [(0, 0), (1, 0), (2, 0), (2, 0)]
    assert "than recorded: 1" in clipped.meta.notes[-1]


@patient
@given(traces(), SPEEDS)
def test_a_walk_never_exceeds_the_speed_and_never_leads_away(trace, speed):
    clipped = resolve_jumps(trace, speed=speed, on_jump="clip")
    assert find_problems(clipped) == []
    assert jumps(clipped, speed) == []
    assert clipped.positions.dtype == trace.positions.dtype
    assert clipped.agents is trace.agents
    assert clipped.calls is trace.calls
    meta = trace.meta
    for t, a in product(range(trace.n_steps), range(trace.n_agents)):
        target, before, after = trace.positions[t + 1, a], *clipped.positions[t : t + 2, a]
        if not trace.agents.first_step[a] <= t < trace.agents.last_step[a]:
            assert tuple(before) == tuple(after)
        elif within(before, target, speed, meta.metric, meta.wrap):
            assert tuple(after) == tuple(target)
        else:
            was = float(distance(before, target, meta.metric, meta.wrap))
            now = float(distance(after, target, meta.metric, meta.wrap))
            walks = np.issubdtype(after.dtype, np.floating) or meta.metric == "manhattan"
            assert now < was if walks and speed > 0 else now <= was


@patient
@given(traces(grid=True, metric="euclidean"), st.sampled_from([1.0, 1.5, 2.0, 3.0]))
def test_a_euclidean_walker_on_a_grid_is_never_stuck(trace, speed):
    clipped = resolve_jumps(trace, speed=speed, on_jump="clip")
    meta = trace.meta
    for t, a in jumps(trace, speed):
        here, there, target = *clipped.positions[t : t + 2, a], trace.positions[t + 1, a]
        near = float(distance(there, target, "euclidean", meta.wrap))
        assert near < float(distance(here, target, "euclidean", meta.wrap)) or near == 0


def test_far_from_the_origin_rounding_does_not_carry_a_walk_beyond_the_speed():
    rng = np.random.default_rng(3)
    places = rng.uniform(-1e9, 1e9, (40, 2))
    trace = walker(*places.tolist(), metric="euclidean", grid=False)
    for speed in (1e-3, 0.3, 7.7e5):
        assert jumps(resolve_jumps(trace, speed=speed, on_jump="clip"), speed) == []


def test_a_speed_a_hair_below_a_tile_does_not_reach_that_tile():
    speed = float(np.nextafter(np.sqrt(82), 0))
    trace = walker((0, 0), (50, 6), metric="euclidean")
    assert path(resolve_jumps(trace, speed=speed, on_jump="clip"))[1] == (8, 1)
    assert path(resolve_jumps(trace, speed=9.06, on_jump="clip"))[1] == (9, 1)


def test_a_walk_over_a_joined_border_by_less_than_rounding_stays_inside():
    trace = walker((0, 0), (9, 0), (9, 0), wrap=(10.0, 10.0), metric="euclidean", grid=False)
    clipped = resolve_jumps(trace, speed=1e-20, on_jump="clip")
    assert path(clipped) == [(0, 0)] * 3
    assert find_problems(clipped) == []


def test_an_agent_beside_a_walker_may_move_by_next_to_nothing():
    places = np.zeros((3, 2, 2))
    places[1:, 0, 0], places[1:, 1, 0] = 6, 5e-324
    trace = Trace.build(
        meta=Meta(name="still"), names=["Ann", "Ben"], positions=places, calls=walker((0, 0)).calls
    )
    clipped = resolve_jumps(trace, speed=5, on_jump="clip")
    assert path(clipped) == [(0, 0), (5, 0), (6, 0)]
    assert path(clipped, 1) == path(trace, 1)


# Recorded towns


def recorded(run: str) -> Trace:
    folder = RECORDED / run
    if not folder.exists():
        pytest.skip(f"the recorded trace {run} is not here")
    meta = json.loads((folder / "meta.json").read_text())
    return Trace.build(
        meta=Meta(name=run, time_breaks=tuple(meta.get("time_breaks", ()))),
        names=meta["agents"],
        positions=np.load(folder / "positions.npz")["xy"],
        calls=Calls.from_columns(
            step=[], agent=[], function=[], prompt_tokens=[], output_tokens=[]
        ),
    )


def test_the_recorded_town_of_25_has_five_jumps_all_where_its_clock_jumps():
    report = check_footprint(recorded("n25_nectar_test3"), speed=1, sight=4)
    assert [(j.step, j.agent) for j in report.jumps] == [
        (2425, 12),
        (2425, 18),
        (2878, 10),
        (2878, 16),
        (2878, 17),
    ]
    assert report.time_breaks == (2156, 2425, 2872, 2878)


def test_the_recorded_town_of_25_splits_into_30_agents():
    trace = recorded("n25_nectar_test3")
    split = resolve_jumps(trace, speed=1, on_jump="split")
    assert find_problems(split) == []
    assert split.n_agents == 30
    assert split.agents.names[25:] == (
        "Ayesha Khan #2",
        "Jane Moreno #2",
        "Klaus Mueller #2",
        "Eddy Lin #2",
        "Tom Moreno #2",
    )
    assert check_footprint(split, speed=1, sight=4).keeps


def test_the_recorded_town_of_25_can_be_walked():
    clipped = resolve_jumps(recorded("n25_nectar_test3"), speed=1, on_jump="clip")
    assert find_problems(clipped) == []
    assert check_footprint(clipped, speed=1, sight=4).keeps


@pytest.mark.parametrize("run", ["n10_1_race", "n10_1_village", "n3_july1", "n25_cn"])
def test_the_other_recorded_towns_keep_to_one_tile_a_step(run):
    assert check_footprint(recorded(run), speed=1, sight=4).keeps
