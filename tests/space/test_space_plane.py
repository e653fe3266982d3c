"""Steps on a plane are straight, never too long for the scheduler, and always get nearer."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway import Scheduler, errors
from headway.space import Plane

METRICS = ("chebyshev", "manhattan", "euclidean")


@st.composite
def planes(draw):
    """A plane and three of its points."""
    kind = draw(st.sampled_from(["unbounded", "bounded", "wrap"]))
    metric = draw(st.sampled_from(METRICS))
    if kind == "unbounded":
        limit = draw(st.sampled_from([3.0, 1e4, 1e8]))
        point = st.tuples(st.floats(-limit, limit), st.floats(-limit, limit))
        return Plane(metric=metric), *(draw(point) for _ in range(3))
    width, height = draw(st.sampled_from([(9.0, 11.0), (0.3, 0.7), (1e8, 3.0), (100, 100)]))
    wrap = kind == "wrap"
    axes = [st.floats(0, size, exclude_max=wrap) for size in (width, height)]
    return Plane(width, height, wrap=wrap, metric=metric), *(
        draw(st.tuples(*axes)) for _ in range(3)
    )


def refused(p, q, speed, options):
    """The scheduler's refusal of a move, or None."""
    scheduler = Scheduler(np.array([p]), sight=0, speed=speed, **options)
    scheduler.start([0])
    try:
        scheduler.finish([0], np.array([q]))
    except errors.OverSpeedError as error:
        return error
    return None


@given(planes())
def test_distances_are_the_schedulers_to_the_last_bit(places):
    plane, p, q, r = places
    assert plane.distance(p, q) == plane.distance(q, p)
    assert plane.distance(p, p) == 0
    slack = 1e-7 * max(1, *map(abs, (*p, *q, *r)))
    assert plane.distance(p, r) <= plane.distance(p, q) + plane.distance(q, r) + slack
    refusal = refused(p, q, 0.0, plane.scheduler_options())
    assert plane.distance(p, q) == (refusal.distance if refusal else 0)


@given(planes(), st.floats(0, 20), st.floats(-2e-7, 2e-7))
def test_moves_are_judged_as_the_scheduler_does(places, speed, off):
    plane, p, q, _ = places
    for limit in (speed, plane.distance(p, q) * (1 + off)):
        refusal = refused(p, q, limit, plane.scheduler_options())
        try:
            plane.check_move(p, q, limit)
            assert refusal is None
        except errors.SpaceError:
            assert refusal is not None


@pytest.mark.parametrize("off", [-2e-7, -8e-8, -6e-8, -4e-8, 0, 4e-8])
def test_a_little_too_far_is_too_far_for_both(off):
    plane, p, q = Plane(), (0.0, 0.0), (3.0, 4.0)
    refusal = refused(p, q, 5 * (1 + off), plane.scheduler_options())
    assert (refusal is not None) == (off < -5e-8)
    if refusal:
        with pytest.raises(errors.SpaceError, match="the speed is"):
            plane.check_move(p, q, 5 * (1 + off))
    else:
        plane.check_move(p, q, 5 * (1 + off))


@given(planes(), st.floats(0.01, 50))
def test_toward_gets_nearer_and_the_scheduler_takes_the_step(places, speed):
    plane, here, goal, _ = places
    for _ in range(5):
        onward = plane.toward(here, goal, speed)
        assert refused(here, onward, speed, plane.scheduler_options()) is None
        plane.check_move(here, onward, speed)
        before, after = plane.distance(here, goal), plane.distance(onward, goal)
        rounding = 1e-7 * max(1, *map(abs, (*here, *goal)), *(plane.wrap or (0,)))
        assert after <= max(0, before - speed) + speed * 2e-9 + rounding
        if onward == goal:
            return
        assert onward != here
        here = onward


@given(st.floats(0.5, 30), st.floats(0.5, 30), st.floats(0, 7), st.floats(0, 7))
def test_a_path_is_the_steps_of_toward(x, y, goal_x, goal_y):
    plane = Plane(40, 40)
    path = plane.path((x, y), (goal_x, goal_y), 0.7)
    assert len(path) == pytest.approx(plane.distance((x, y), (goal_x, goal_y)) / 0.7, abs=1.1)
    here = (x, y)
    for point in path:
        assert plane.toward(here, (goal_x, goal_y), 0.7) == point
        here = point
    assert here == (goal_x, goal_y)


def test_the_way_goes_round_the_world_where_that_is_shorter():
    plane = Plane(10, 10, wrap=True)
    assert plane.distance((1, 1), (9, 1)) == 2
    assert plane.toward((0.5, 1), (9, 1), 1) == pytest.approx((9.5, 1))
    assert plane.toward((0, 0), (5, 0), 1) == pytest.approx((1, 0))
    assert plane.toward((5, 0), (0, 0), 1) == pytest.approx((6, 0))
    assert plane.check((-1, 10)) == (9, 0)
    assert plane.check((-1e-30, 0)) == (0, 0)


def test_no_step_no_move():
    assert Plane().toward((1, 2), (3, 4), 0) == (1, 2)
    assert Plane().toward((1, 2), (1, 2), 0) == (1, 2)
    assert Plane().path((1, 2), (1, 2)) == []
    assert Plane().areas((1, 2)) == ()
    with pytest.raises(errors.SpaceError, match="more than 1000000 steps"):
        Plane().path((0, 0), (1e8, 0), 1e-9)


@pytest.mark.parametrize(
    "position",
    [(math.nan, 0), (math.inf, 0), (1e9, 0), "ab", None, 3, (1,), (1j, 0), (True, 1), (10**400, 0)],
)
def test_what_is_not_a_point_is_refused(position):
    with pytest.raises(errors.SpaceError, match="pos"):
        Plane().check(position, what="pos")


def test_a_bounded_plane_ends_at_its_border():
    plane = Plane(5, 6)
    assert plane.check((5, np.float32(0))) == (5.0, 0.0)
    with pytest.raises(errors.SpaceError, match=r"outside the plane, which has x 0\.\.5\.0"):
        plane.check((5.0001, 0))


@pytest.mark.parametrize(
    "make",
    [
        lambda: Plane(5), lambda: Plane(wrap=True), lambda: Plane(0, 1), lambda: Plane(2e8, 1),
        lambda: Plane("5", 5), lambda: Plane(math.nan, 1), lambda: Plane(metric="hops"),
        lambda: Plane().toward((0, 0), (1, 1), math.nan), lambda: Plane().path((0, 0), (1, 1), 0),
    ],
)  # fmt: skip
def test_a_plane_or_speed_that_cannot_be_is_refused(make):
    with pytest.raises(errors.SpaceError):
        make()
