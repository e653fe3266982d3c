"""Agents that bring others about as an effect of their step: `Scheduler.spawn`."""

from __future__ import annotations

import re

import pytest

from headway import errors
from small_schedulers import refusal, scheduler, step


def test_a_child_joins_at_the_step_after_and_waits_for_its_parent():
    s = scheduler((0, 0), (50, 0))
    step(s, 1, times=7)
    s.start([0])
    child = s.spawn(0, (1, 1))
    assert (child, s.clocks.tolist(), s.status(child)) == (2, [0, 7, 1], "blocked")
    assert s.blockers(child).tolist() == [0]
    s.validate()
    assert s.finish([0], [(0, 1)]).tolist() == [0, 2]
    assert s.frontier == 1
    s.start([2])
    assert s.spawn(2, (1, 1), sight=2, reach=2) == 3
    assert s.clocks.tolist() == [1, 7, 1, 2]


def test_whoever_was_told_to_go_may_still_go():
    # Sight 4, reach 1: seven away, agent 1 may be two steps ahead, and no child changes that.
    s = scheduler((0, 0), (7, 0))
    step(s, 1, times=2)
    assert s.status(1) == "ready"
    s.start([0])
    s.spawn(0, (1, 0))
    assert s.status(1) == "ready"
    s.validate()


def test_a_child_lives_in_the_world_of_its_parent():
    s = scheduler((0, 0), (0, 0), worlds=[0, 1])
    s.start([1])
    s.spawn(1, (0, 1))
    s.finish([1], [(0, 0)])
    s.start([1, 2])
    assert s.blockers(2).tolist() == []
    assert s.blockers(0).tolist() == []


def test_on_a_plane_the_whole_reach_may_be_used():
    s = scheduler((0.0, 0.0), metric="euclidean", speed=1.5)
    s.start([0])
    assert s.spawn(0, (1.5, 0.0)) == 1
    assert refusal(errors.SpawnError, s, s.spawn, 0, (1.5001, 0.0)).limit == 1.5
    s.validate()


@pytest.mark.parametrize(
    ("arguments", "options", "expected", "words"),
    [
        ((1, (9, 0)), {}, errors.NotRunningError, "agent 1 is not executing a step"),
        (
            (0, (3, 0)),
            {},
            errors.SpawnError,
            "about 3 away in step 2: at most 1, which is the reach",
        ),
        ((0, (3, 0)), {"reach": 1}, errors.SpawnError, "3 away in step 2: at most 2"),
        ((0, (0, 0)), {"reach": 4}, errors.SpawnError, "0 away in step 2: at most -1"),
        ((0, (0, 0)), {"speed": 2}, errors.SpawnError, "of speed 2 in step 2: .* whose speed is 1"),
        ((0, (0, 0)), {"speed": 0.5}, errors.FootprintError, "whole number on a grid or graph"),
        ((0, (0, 0)), {"reach": 0}, errors.FootprintError, "at least the speed"),
        ((0, (0, 2**30 + 1)), {}, errors.PositionError, "agent 3 cannot stand"),
        ((0, (0, 0, 0)), {}, errors.ArrayShapeError, r"position must have shape \(2,\)"),
        ((0, (0.5, 0)), {}, errors.ArrayTypeError, "whole numbers"),
        ((0, (0, 0)), {"sight": "far"}, errors.OptionError, "sight must be a number"),
        ((7, (0, 0)), {}, errors.UnknownAgentError, "no agent 7"),
        ((2, (0, 0)), {}, errors.AgentLeftError, "agent 2 has left"),
    ],
)
def test_a_refused_child_says_why_and_changes_nothing(arguments, options, expected, words):
    s = scheduler((0, 0), (9, 0), (30, 0), reach=2)
    step(s, 0, 1, times=2)
    s.remove([2])
    s.start([0])
    assert re.search(words, str(refusal(expected, s, s.spawn, *arguments, **options)))


def test_the_error_names_parent_step_and_limit():
    s = scheduler((0, 0))
    s.start([0])
    error = refusal(errors.SpawnError, s, s.spawn, 0, (3, 0))
    facts = (error.agent, error.clock, error.what, error.value, error.limit)
    assert facts == (0, 0, "distance", 3.0, 1.0)
    error = refusal(errors.SpawnError, s, s.spawn, 0, (0, 0), speed=3, reach=3)
    assert (error.what, error.value, error.limit) == ("speed", 3.0, 1.0)


def test_a_world_changed_in_place_has_no_room_for_it():
    s = scheduler((0, 0), rule="compatibility")
    s.start([0])
    error = refusal(errors.SpawnError, s, s.spawn, 0, (0, 0))
    assert (error.what, error.value) == ("rule", None)
    assert "conservative rule" in str(error)


def test_without_a_common_footprint_the_child_needs_its_own():
    s = scheduler((0, 0), (9, 9), sight=[1, 2])
    s.start([0])
    error = refusal(errors.OptionError, s, s.spawn, 0, (0, 0))
    assert "spawn() needs sight= and speed=" in str(error)
    assert s.spawn(0, (0, 0), sight=1, speed=1) == 2
