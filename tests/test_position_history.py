"""Who stood near whom at the start of which step: `PositionHistory`."""

from __future__ import annotations

import random

import numpy as np
import pytest

from headway import errors
from headway._core import PositionHistory


def history(*places, **options) -> PositionHistory:
    return PositionHistory(np.array(places), **options)


def test_one_behind_sees_where_others_stood_then():
    h = history((0, 0), (3, 0), (9, 0))
    h.move([1], [1], [(4, 0)])
    h.move([1], [2], [(5, 0)])
    assert h.neighbours(0, 0, 3) == [1]
    assert h.neighbours(0, 1, 3) == []
    assert h.neighbours(0, 2, 5) == [1]
    assert h.neighbours(1, 2, 4) == [2]
    assert h.near((4, 1), 1, 1) == [1]
    assert h.near((4, 1), 0, 4) == [0, 1]
    assert [h.position(1, step) for step in (0, 1, 2, 99)] == [(3, 0), (4, 0), (5, 0), (5, 0)]
    positions = h.positions([1, 1, 2], [0, 2, 7])
    assert positions.dtype == np.int64
    assert positions.tolist() == [[3, 0], [5, 0], [9, 0]]


def test_newcomers_are_seen_from_their_first_step_on_and_leavers_until_their_last():
    h = history((0, 0))
    assert h.add((1, 0), 4) == 1
    assert [h.neighbours(0, step, 1) for step in (3, 4)] == [[], [1]]
    h.remove([1], [6])
    assert [h.neighbours(0, step, 1) for step in (5, 6)] == [[1], []]
    assert len(h) == 2


def test_standing_still_costs_nothing_and_forgetting_frees():
    h = history((0, 0), (5, 5))
    for step in range(1, 50):
        h.move([0, 1], [step, step], [(step % 2, 0), (5, 5)])
    assert h.versions == 51
    h.forget(48)
    assert (h.versions, h.oldest) == (3, 48)
    h.forget(7)
    assert (h.versions, h.oldest) == (3, 48)
    assert h.neighbours(1, 48, 5) == [0]
    h.validate()
    assert repr(h) == "<PositionHistory of 2 agents, 3 versions from step 48 on>"


@pytest.mark.parametrize(
    ("metric", "found"),
    [("chebyshev", [[1, 2, 3]] * 3), ("manhattan", [[3], [2, 3], [1, 2, 3]]),
     ("euclidean", [[2, 3], [2, 3], [1, 2, 3]])],
)  # fmt: skip
def test_every_metric_with_whole_and_other_radii(metric, found):
    places = [(0, 0), (2, 2), (2, 0), (1, 0)]
    radii = {"chebyshev": [2, 2.5, 3], "manhattan": [1.9, 3.5, 4], "euclidean": [2, 2.8, 8**0.5]}
    for h in (history(*places, metric=metric), history(*np.array(places, float), metric=metric)):
        assert [h.neighbours(0, 0, radius) for radius in radii[metric]] == found


def test_wrap_joins_the_borders():
    h = history((0, 0), (9, 9), wrap=(10, 10))
    assert h.neighbours(0, 0, 1) == [1]
    assert history((0, 0), (9, 9)).neighbours(0, 0, 1) == []


def test_on_a_plane_the_radius_is_exact():
    h = history((0.0, 0.0), (0.5, 0.0), radius=0.25)
    assert h.neighbours(0, 0, 0.5) == [1]
    assert h.neighbours(0, 0, np.nextafter(0.5, 0)) == []
    h.move([0], [1], [(1, 1)])
    assert h.position(0, 1) == (1.0, 1.0)
    assert isinstance(h.position(0, 1)[0], float)
    assert h.positions([0], [0]).dtype == np.float64
    assert h.near(np.array([1.0, 1.0]), 1, 0) == [0]
    assert h.near((1, 1), 1, float("inf")) == [0, 1]


def test_answers_equal_those_of_a_list_of_all_places():
    choose = random.Random(3)
    places = [[(choose.randrange(12), choose.randrange(12))] for _ in range(9)]
    h = history(*(lives[0] for lives in places), radius=2)
    for step in range(1, 40):
        for agent, lived in enumerate(places):
            x, y = lived[-1]
            lived.append((x + choose.randint(-1, 1), y + choose.randint(-1, 1)))
            h.move([agent], [step], [lived[-1]])
        h.forget(max(0, step - 5))
        at = choose.randint(max(0, step - 5), step)
        for agent, lived in enumerate(places):
            (x, y), radius = lived[at], choose.randint(0, 4)
            near = [
                other
                for other, its in enumerate(places)
                if other != agent and max(abs(its[at][0] - x), abs(its[at][1] - y)) <= radius
            ]
            assert h.neighbours(agent, at, radius) == near
    h.validate()


def facts(h: PositionHistory) -> list:
    there = [[h.near(place, step, 3) for place in ((0, 0), (5, 5))] for step in range(h.oldest, 9)]
    return [len(h), h.versions, h.oldest, there]


@pytest.mark.parametrize(
    ("method", "arguments", "expected", "words"),
    [
        ("neighbours", (9, 5, 1), errors.UnknownAgentError, "no agent 9: 3 agents have joined"),
        ("neighbours", (-1, 5, 1), errors.UnknownAgentError, "no agent -1"),
        ("neighbours", (2**70, 5, 1), errors.UnknownAgentError, f"no agent {2**70}"),
        ("neighbours", ("0", 5, 1), TypeError, "str"),
        ("neighbours", (0, 2, 1), errors.StepError, "step 2 has been forgotten: .* is 3"),
        ("neighbours", (0, -1, 1), errors.StepError, "a step is a whole number .*, got -1"),
        ("neighbours", (0, 2**32 - 1, 1), errors.StepError, "from 0 to 4294967294, got 4294967295"),
        ("neighbours", (0, 1.5, 1), errors.StepError, "got 1.5"),
        ("neighbours", (0, 5, -1), errors.OptionError, "radius must be a number, at least 0"),
        ("neighbours", (0, 5, float("nan")), errors.OptionError, "got nan"),
        ("neighbours", (0, 5, "far"), errors.OptionError, "got 'far'"),
        (
            "neighbours",
            (2, 5, 1),
            errors.StepError,
            "agent 2 is not there yet at step 5: .* step 6",
        ),
        (
            "neighbours",
            (1, 5, 1),
            errors.AgentLeftError,
            "agent 1 is not there at step 5: .* from 5",
        ),
        ("position", (2, 5), errors.StepError, "agent 2 is not there yet"),
        ("position", (1, 7), errors.AgentLeftError, "gone from 5"),
        ("positions", ([0, 2], [5, 5]), errors.StepError, "agent 2 is not there yet"),
        ("positions", ([0, 2], [5]), errors.ArrayShapeError, "got 2 ids and 1 steps"),
        ("positions", ([0.5], [5]), errors.ArrayTypeError, "ids must be whole numbers"),
        ("positions", ([0], [0.5]), errors.ArrayTypeError, "steps must be whole numbers"),
        ("near", ((0, 2**31), 5, 1), errors.PositionError, "coordinates lie between"),
        (
            "near",
            ((0, 2**30 + 1), 5, 1),
            errors.PositionError,
            r"nobody can stand at \(0, 1073741825",
        ),
        ("near", ((0, 0, 0), 5, 1), errors.ArrayShapeError, r"shape \(2,\)"),
        ("near", ((0.5, 0), 5, 1), errors.ArrayTypeError, "whole numbers"),
        ("near", ((0, 0), 2, 1), errors.StepError, "forgotten"),
        ("move", ([0, 0], [7, 8], [(1, 1), (2, 2)]), errors.DuplicateAgentError, "twice"),
        ("move", ([0], [4], [(1, 1)]), errors.StepError, "agent 0 cannot move .* since step 4"),
        ("move", ([2, 0], [7, 2], [(1, 1), (2, 2)]), errors.StepError, "forgotten"),
        ("move", ([2, 1], [7, 7], [(1, 1), (2, 2)]), errors.AgentLeftError, "agent 1"),
        ("move", ([2, 5], [7, 7], [(1, 1), (2, 2)]), errors.UnknownAgentError, "no agent 5"),
        ("move", ([2, 0], [7, 7], [(1, 1)]), errors.ArrayShapeError, "2 ids and 1 positions"),
        ("move", ([2], [7], [(1, 2**30 + 1)]), errors.PositionError, "after step 6"),
        ("move", ([2], [-7], [(1, 1)]), errors.StepError, "got -7"),
        ("remove", ([2, 0], [7, 4]), errors.StepError, "agent 0 cannot move or go away at step 4"),
        ("remove", ([1], [7]), errors.AgentLeftError, "agent 1"),
        ("add", ((0, 0), 2), errors.StepError, "forgotten"),
        ("add", ((0, 2**30 + 1), 5), errors.PositionError, "agent 3 cannot stand"),
        ("forget", (-1,), errors.StepError, "got -1"),
    ],
)
def test_a_refused_call_says_why_and_changes_nothing(method, arguments, expected, words):
    h = history((0, 0), (5, 5))
    h.add((6, 6), 6)
    h.move([0], [4], [(1, 0)])
    h.remove([1], [5])
    h.forget(3)
    before = facts(h)
    with pytest.raises(expected, match=words):
        getattr(h, method)(*arguments)
    assert facts(h) == before
    h.validate()


def test_errors_carry_the_numbers_of_their_message():
    h = history((0, 0))
    h.forget(3)
    with pytest.raises(errors.StepError) as caught:
        h.position(0, 1)
    error = caught.value
    assert (error.agent, error.step, error.limit) == (None, 1, 3)
    with pytest.raises(errors.StepError) as caught:
        h.move([0], [2**40], [(0, 0)])
    assert caught.value.step is None
    with pytest.raises(errors.PositionError) as caught:
        history((0.0, 0.0)).near((float("nan"), 0), 0, 1)
    assert caught.value.agent is None


@pytest.mark.parametrize(
    ("positions", "options", "expected", "words"),
    [
        ([[0, 0, 0]], {}, errors.ArrayShapeError, r"shape \(k, 2\)"),
        ([["a", "b"]], {}, errors.ArrayTypeError, "positions must be"),
        ([[0, 2**30 + 1]], {}, errors.PositionError, "agent 0 cannot stand"),
        ([[0, 0]], {"metric": "hamming"}, errors.OptionError, "metric must be chebyshev"),
        ([[0, 0]], {"wrap": (0, 1)}, errors.OptionError, "wrap must be"),
        ([[0, 9]], {"wrap": (9, 9)}, errors.PositionError, "wraps around at 9"),
        ([[0, 0]], {"radius": -1}, errors.OptionError, "radius must be a number, at least 0"),
        ([[0, 0]], {"radius": "wide"}, errors.OptionError, "got 'wide'"),
    ],
)
def test_what_it_is_made_of_is_checked(positions, options, expected, words):
    with pytest.raises(expected, match=words):
        PositionHistory(positions, **options)
