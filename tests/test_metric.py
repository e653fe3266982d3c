"""`headway.trace.metric` measures as the scheduler does, which is asked through its answers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from headway import Scheduler, errors
from headway.space.metric import plane_within_speed
from headway.trace.metric import METRICS, distance, within, within_speed

metrics = st.sampled_from(METRICS)
SIZES = (9, 4, 1)


def core_distance(p, q, metric, wrap) -> float:
    """The distance in the refusal of a move by somebody who cannot move."""
    s = Scheduler([p], sight=0, speed=0, metric=metric, wrap=wrap)
    s.start([0])
    with pytest.raises(errors.OverSpeedError) as caught:
        s.finish([0], [q])
    return caught.value.distance


def core_within(p, q, bound, metric, wrap) -> bool:
    """Whether somebody one step behind at `q`, who neither moves nor acts, blocks one at `p`."""
    s = Scheduler([p, q], sight=bound, speed=0, metric=metric, wrap=wrap)
    s.start([0])
    s.finish([0], [p])
    return s.status(0) == "blocked"


@st.composite
def grid_pairs(draw, *, far: bool = True):
    wrap = draw(st.sampled_from([None, *[(float(s), float(s + 2)) for s in SIZES]]))
    if wrap is None:
        limit = draw(st.sampled_from([5, 1000, 2**30])) if far else 5
        axes = [st.integers(-limit, limit)] * 2
    else:
        axes = [st.integers(0, int(size) - 1) for size in wrap]
    p, q = (tuple(draw(axis) for axis in axes) for _ in range(2))
    return p, q, wrap


@st.composite
def plane_pairs(draw):
    wrap = draw(st.sampled_from([None, (9.0, 11.0), (0.3, 0.7), (1e8, 3.0)]))
    if wrap is None:
        limit = draw(st.sampled_from([5.0, 1e8]))
        axes = [st.floats(-limit, limit)] * 2
    else:
        axes = [st.floats(0, size, exclude_max=True) for size in wrap]
    p, q = (tuple(draw(axis) for axis in axes) for _ in range(2))
    return p, q, wrap


@given(grid_pairs(), metrics)
def test_distances_on_a_grid_are_the_cores_to_the_last_bit(pair, metric):
    p, q, wrap = pair
    expected = float(distance(p, q, metric, wrap))
    assume(expected > 0)
    assert core_distance(p, q, metric, wrap) == expected


@given(plane_pairs(), metrics)
def test_distances_on_a_plane_are_the_cores_to_the_last_bit(pair, metric):
    p, q, wrap = pair
    expected = float(distance(p, q, metric, wrap))
    assume(expected > 0)
    assert core_distance(p, q, metric, wrap) == expected


@given(grid_pairs(far=False), metrics, st.integers(0, 12))
def test_within_on_a_grid_is_the_cores(pair, metric, bound):
    p, q, wrap = pair
    expected = bool(within(np.array(p), np.array(q), bound, metric, wrap))
    assert core_within(p, q, bound, metric, wrap) == expected


@given(plane_pairs(), metrics, st.data())
def test_within_on_a_plane_is_the_cores_and_leans_to_yes(pair, metric, data):
    p, q, wrap = pair
    far = float(distance(p, q, metric, wrap))
    assume(far < 2**30 - 1)
    # On the bound, beyond it by less than the slack, by more than the slack, or anywhere.
    share = data.draw(st.sampled_from([1.0, 1 - 5e-8, 1 + 5e-8, 1 - 3e-7, 0.5, 2.0]))
    bound = far * share
    expected = bool(within(np.array(p), np.array(q), bound, metric, wrap))
    assert core_within(p, q, bound, metric, wrap) == expected
    if far > 1e-300:
        assert expected == (share > 1 - 1e-7)


@pytest.mark.parametrize("metric", METRICS)
def test_the_far_corners_of_a_grid_are_as_far_apart_as_the_core_says(metric):
    p, q = (2**30, 2**30), (-(2**30), -(2**30))
    far = float(distance(p, q, metric))
    assert core_distance(p, q, metric, None) == far
    assert not core_within(p, q, 2**30, metric, None)


def test_a_whole_torus_is_exhaustively_the_cores():
    wrap = (4.0, 3.0)
    tiles = [(x, y) for x in range(4) for y in range(3)]
    for metric in METRICS:
        for p in tiles:
            for bound in (0, 1, 2, 3):
                expected = within(np.array(p), np.array(tiles), bound, metric, wrap)
                core = [core_within(p, q, bound, metric, wrap) for q in tiles]
                assert core == expected.tolist()


def core_lets_move(p, q, speed, metric, wrap) -> bool:
    s = Scheduler([p], sight=0, speed=speed, metric=metric, wrap=wrap)
    s.start([0])
    try:
        s.finish([0], [q])
    except errors.OverSpeedError:
        return False
    return True


@given(plane_pairs(), metrics, st.data())
def test_moves_on_a_plane_are_as_long_as_the_core_lets_them_be(pair, metric, data):
    p, q, wrap = pair
    far = float(distance(p, q, metric, wrap))
    assume(far < 2**30 - 1)
    # Half of the slack is for moves: too fast by less than that, by more, or by more than all.
    share = data.draw(st.sampled_from([1.0, 1 - 3e-8, 1 - 7e-8, 1 - 3e-7, 0.5, 2.0]))
    speed = far * share
    expected = core_lets_move(p, q, speed, metric, wrap)
    assert bool(within_speed(np.array(p), np.array(q), speed, metric, wrap)) == expected
    assert plane_within_speed(far, speed) == expected
