"""What `Scheduler` takes and what it refuses: arrays, options, calls at the wrong time."""

from __future__ import annotations

import re
import subprocess
import sys

import numpy as np
import pytest

from headway import Scheduler, errors
from small_schedulers import facts, refusal, scheduler, step

NOBODY = np.empty(0, np.int64)

# Arrays


@pytest.mark.parametrize(
    "ids",
    [
        [0, 2],
        (0, 2),
        range(0, 4, 2),
        np.array([0, 2], np.int8),
        np.array([0, 2], np.uint64),
        np.array([0, 2], ">i8"),
        np.array([0, 2], ">u2"),
        np.arange(3)[::2],
        np.array([2, 0])[::-1],
        np.array([[0, 9], [2, 9]])[:, 0],
    ],
    ids=lambda ids: f"{type(ids).__name__}-{getattr(ids, 'dtype', '')}",
)
def test_ids_of_any_integer_kind_and_layout_are_taken(ids):
    s = scheduler((0, 0), (50, 0), (99, 0))
    s.start(ids)
    assert [s.status(a) for a in range(3)] == ["running", "ready", "running"]
    assert s.clusters(ids).tolist() == [0, 2]
    s.finish(ids, [(0, 0), (99, 0)])
    assert s.clocks.tolist() == [1, 0, 1]
    s.remove(ids)
    assert s.status(2) == "left"


@pytest.mark.parametrize(
    ("ids", "expected", "words"),
    [
        ([0.0], errors.ArrayTypeError, "ids must be whole numbers, got dtype float64"),
        ([True], errors.ArrayTypeError, "dtype bool"),
        (np.array([0], object), errors.ArrayTypeError, "dtype object"),
        ([0, 2**80], errors.ArrayTypeError, f"got {2**80}, which does not fit 64 bits"),
        (["0"], errors.ArrayTypeError, "dtype <U1"),
        (np.array([0], "m8[s]"), errors.ArrayTypeError, "dtype timedelta64"),
        (np.array([0j]), errors.ArrayTypeError, "dtype complex128"),
        ([[0]], errors.ArrayShapeError, r"ids must have shape \(k,\), got \(1, 1\)"),
        (np.empty((0, 2), int), errors.ArrayShapeError, r"\(0, 2\)"),
        (0, errors.ArrayShapeError, r"ids must have shape \(k,\)"),
        (None, errors.ArrayShapeError, r"ids must have shape \(k,\)"),
        ([-1], errors.UnknownAgentError, "no agent -1"),
        ([2**32], errors.UnknownAgentError, "no agent 4294967296"),
        ([2**63 - 1], errors.UnknownAgentError, "no agent 9223372036854775807"),
        (np.array([2**63], np.uint64), errors.UnknownAgentError, "no agent"),
        ([3], errors.UnknownAgentError, "no agent 3: 2 agents have joined, numbered from 0"),
    ],
)
def test_ids_that_are_none_are_refused_by_every_call(ids, expected, words):
    s = scheduler((0, 0), (50, 0))
    places = np.zeros((np.size(ids), 2), int)

    def finish(ids):
        s.finish(ids, places)

    for call in (s.start, s.remove, s.clusters, finish):
        error = refusal(expected, s, call, ids)
        assert re.search(words, str(error))


@pytest.mark.parametrize(
    "places",
    [
        [(1, 2), (3, 4)],
        np.array([(1, 2), (3, 4)], np.int16),
        np.array([(1, 2), (3, 4)], ">i4"),
        np.array([(1, 2), (3, 4)], np.uint64),
        np.asfortranarray([(1, 2), (3, 4)]),
        np.array([(4, 3), (2, 1)])[::-1, ::-1],
        np.array([(1, 0, 2), (3, 0, 4)], np.int32)[:, ::2],
    ],
)
def test_positions_of_any_integer_kind_and_layout_are_tiles(places):
    s = Scheduler(places, sight=1, speed=1)
    assert s.positions.dtype == np.int64
    assert s.positions.tolist() == [[1, 2], [3, 4]]
    s.start([0, 1])
    s.finish([0, 1], places)
    assert s.positions.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    "places",
    [
        [(1.5, 2), (3, 4)],
        np.array([(1.5, 2), (3, 4)], np.float32),
        np.array([(1.5, 2), (3, 4)], np.float16),
        np.array([(1.5, 2), (3, 4)], ">f8"),
        np.array([(1.5, 2), (3, 4)], np.longdouble),
        np.asfortranarray([(1.5, 2), (3, 4)]),
        np.array([(4, 3), (2, 1.5)])[::-1, ::-1],
    ],
)
def test_positions_of_any_float_kind_and_layout_are_coordinates(places):
    s = Scheduler(places, sight=1, speed=1)
    assert s.positions.dtype == np.float64
    assert s.positions.tolist() == [[1.5, 2], [3, 4]]
    s.start([1, 0])
    s.finish([1, 0], np.asarray(places)[::-1])
    assert s.positions.tolist() == [[1.5, 2], [3, 4]]


@pytest.mark.parametrize(
    ("places", "expected", "words"),
    [
        ([(True, False)], errors.ArrayTypeError, "positions must be .* got dtype bool"),
        (np.array([(0, None)]), errors.ArrayTypeError, "dtype object"),
        ([("0", "0")], errors.ArrayTypeError, "dtype <U1"),
        ([(0j, 0)], errors.ArrayTypeError, "dtype complex128"),
        ([0, 0], errors.ArrayShapeError, r"positions must have shape \(k, 2\), got \(2,\)"),
        ([(0, 0, 0)], errors.ArrayShapeError, r"got \(1, 3\)"),
        ([[(0, 0)]], errors.ArrayShapeError, r"got \(1, 1, 2\)"),
        (np.float64(1), errors.ArrayShapeError, r"\(k, 2\)"),
        ([(np.nan, 0.0)], errors.PositionError, "agent 0 .* the coordinates must be finite"),
        ([(0.0, -np.inf)], errors.PositionError, "the coordinates must be finite"),
        ([(0.0, 1.1e8)], errors.PositionError, "between -100000000 and 100000000"),
        ([(0, 2**30 + 1)], errors.PositionError, "between -1073741824 and 1073741824"),
        ([(-(2**30) - 1, 0)], errors.PositionError, r"agent 0 cannot stand at \(-1073741825, 0\)"),
        ([(0, 2**40)], errors.PositionError, "between -1073741824 and 1073741824"),
    ],
)
def test_positions_that_are_none_are_refused(places, expected, words):
    with pytest.raises(expected, match=words):
        Scheduler(places, sight=1, speed=1)


def test_positions_of_the_other_kind_are_refused_on_a_grid():
    s = scheduler((0, 0))
    s.start([0])
    error = refusal(errors.ArrayTypeError, s, s.finish, [0], [(0.0, 0.0)])
    assert str(error) == "positions must be whole numbers, as at the start, got dtype float64"
    refusal(errors.ArrayTypeError, s, s.add, (0.0, 0.0))


def test_a_position_error_carries_agent_clock_and_position():
    s = scheduler((0.0, 0.0), (5.0, 5.0))
    s.start([0, 1])
    error = refusal(errors.PositionError, s, s.finish, [0, 1], [(0.0, 0.5), (9e8, 5.0)])
    assert (error.agent, error.clock, error.position) == (1, 0, (9e8, 5.0))
    assert str(error).startswith("agent 1 cannot stand at (900000000, 5) after step 0: ")
    error = refusal(errors.PositionError, s, s.add, (np.inf, 0.0))
    assert (error.agent, error.clock, error.position) == (2, None, (np.inf, 0.0))
    assert str(error).startswith("agent 2 cannot stand at (inf, 0): ")


def test_a_position_outside_a_world_with_joined_borders_is_refused():
    with pytest.raises(errors.PositionError, match=r"wraps around at 20.*below 20"):
        scheduler((0, 20), wrap=(20, 20))
    s = scheduler((0.0, 19.99), wrap=(20, 20))
    s.start([0])
    refusal(errors.PositionError, s, s.finish, [0], [(-0.5, 19.0)])


def test_as_many_positions_as_ids_must_be_given():
    s = scheduler((0, 0), (50, 0))
    s.start([0, 1])
    for places in ([(0, 0)], [(0, 0)] * 3, []):
        error = refusal(errors.ArrayShapeError, s, s.finish, [0, 1], places)
        assert str(error) == f"finish() got 2 ids and {len(places)} positions"


def test_empty_batches_do_nothing():
    s = scheduler((0, 0))
    before = facts(s)
    for nobody in ([], (), NOBODY, np.empty(0)):
        assert s.start(nobody) is None
        assert s.finish(nobody, np.empty((0, 2))).tolist() == []
        assert s.remove(nobody).tolist() == []
        assert s.clusters(nobody).tolist() == []
    assert facts(s) == before


@pytest.mark.parametrize("kind", [int, float])
def test_a_scheduler_of_nobody_works(kind):
    s = Scheduler(np.empty((0, 2), kind), sight=4, speed=1)
    assert (len(s), s.frontier, s.ready().tolist()) == (0, 0, [])
    assert (s.clocks.shape, s.positions.shape, s.positions.dtype) == ((0,), (0, 2), kind)
    s.validate()
    assert s.add(np.array((3, 4), kind), sight=4, speed=1) == (0, 0)
    assert s.ready().tolist() == [0]


def test_returned_arrays_are_new_and_given_ones_are_not_changed():
    places = np.array([(0, 0), (50, 0)])
    sight = np.array([4.0, 4.0])
    ids = np.array([1, 0])
    s = Scheduler(places, sight=sight, speed=1, worlds=np.array([0, 0]))
    before = facts(s)
    for array in (s.ready(), s.clocks, s.positions, s.clusters(ids), s.blockers(0)):
        array[...] = 77
    places[:] = 33
    sight[:] = 99
    assert facts(s) == before
    s.start(ids)
    moved = np.array([(50, 1), (0, 1)])
    newly = s.finish(ids, moved)
    newly[:] = 77
    assert (ids.tolist(), moved.tolist()) == ([1, 0], [[50, 1], [0, 1]])
    assert s.ready().tolist() == [0, 1]
    for array in (s.ready(), newly, s.clocks, s.clusters(ids), s.blockers(0), s.remove([0])):
        assert array.dtype == np.int64
        assert array.flags.owndata or array.base is not None
        assert array.flags.writeable


def test_read_only_arrays_are_taken():
    places, ids = np.array([(0, 0), (50, 0)]), np.array([0, 1])
    places.flags.writeable = ids.flags.writeable = False
    s = Scheduler(places, sight=4, speed=1)
    s.start(ids)
    assert s.finish(ids, places).tolist() == [0, 1]


# Options


@pytest.mark.parametrize(
    ("options", "expected", "words"),
    [
        ({"metric": "Chebyshev"}, errors.OptionError, 'chebyshev, manhattan or .*"Chebyshev"'),
        ({"metric": 3}, errors.OptionError, "chebyshev, manhattan or .* got 3"),
        ({"rule": 3}, errors.OptionError, "conservative or compatibility, got 3"),
        ({"rule": "lockstep"}, errors.OptionError, 'conservative or compatibility.*"lockstep"'),
        ({"wrap": (0.5, 9)}, errors.OptionError, r"whole numbers from 1 to 2\*\*30.*\(0.5, 9\)"),
        ({"wrap": (0, 9)}, errors.OptionError, "whole numbers"),
        ({"wrap": (9, float("nan"))}, errors.OptionError, "whole numbers"),
        ({"wrap": (2**30 + 1, 9)}, errors.OptionError, "whole numbers"),
        ({"worlds": [0, -1]}, errors.OptionError, "worlds are numbered from 0 to 16777215, got -1"),
        ({"worlds": [0]}, errors.ArrayShapeError, r"worlds must have shape \(2,\), got \(1,\)"),
        ({"worlds": [0.0, 1.0]}, errors.ArrayTypeError, "worlds must be whole numbers"),
        ({"sight": -1}, errors.FootprintError, "the sight of agent 0 is -1, it must be .* least 0"),
        ({"sight": [4, np.nan]}, errors.FootprintError, "the sight of agent 1 is NaN"),
        ({"sight": np.inf}, errors.FootprintError, "a finite number"),
        (
            {"sight": 1.5},
            errors.FootprintError,
            "1.5, it must be a whole number on a grid or graph",
        ),
        ({"sight": 2**30 + 1}, errors.FootprintError, "at most 1073741824"),
        ({"speed": [1, 0.5], "reach": 1}, errors.FootprintError, "the speed of agent 1 is 0.5"),
        ({"reach": 0}, errors.FootprintError, "the reach of agent 0 is 0.*at least the speed"),
        ({"sight": [4, 4, 4]}, errors.ArrayShapeError, r"sight must have shape .* \(2,\)"),
        ({"speed": [[1, 1]]}, errors.ArrayShapeError, r"speed must have shape .* got \(1, 2\)"),
        ({"reach": "1"}, errors.ArrayTypeError, "reach must be a number or an array of numbers"),
        ({"sight": True}, errors.ArrayTypeError, "dtype bool"),
        ({"sight": None}, errors.ArrayTypeError, "dtype object"),
    ],
)
def test_options_that_cannot_be_used_are_refused_with_their_limit(options, expected, words):
    with pytest.raises(expected, match=words):
        scheduler((0, 0), (50, 0), **options)


def test_a_plane_takes_a_wrap_of_any_positive_size():
    scheduler((0.0, 0.0), wrap=(0.5, 1e8))
    with pytest.raises(errors.OptionError, match=r"two positive numbers up to 1e8"):
        scheduler((0.0, 0.0), wrap=(0.0, 5))
    with pytest.raises(errors.OptionError, match=r"two positive numbers up to 1e8"):
        scheduler((0.0, 0.0), wrap=(float("nan"), 5))


def test_footprint_errors_carry_agent_name_and_value():
    with pytest.raises(errors.FootprintError) as caught:
        scheduler((0, 0), (5, 0), reach=[1, 0])
    assert (caught.value.agent, caught.value.what, caught.value.value) == (1, "reach", 0)


def test_footprint_and_rule_are_asked_for_by_name():
    s = scheduler((0, 0), metric="euclidean", rule="compatibility")
    assert (s.metric, s.rule) == ("euclidean", "compatibility")
    assert repr(s) == "<Scheduler of 1 agents, rule compatibility, metric euclidean, frontier 0>"


def test_under_the_compatibility_rule_a_newcomer_has_no_larger_footprint_than_the_first():
    s = scheduler((0, 0), rule="compatibility")
    error = refusal(errors.FootprintError, s, s.add, (9, 9), sight=5)
    assert (error.agent, error.what, error.value) == (1, "sight", 5)
    assert "at most the largest of the first agents'" in str(error)


def test_more_worlds_than_fit_are_refused():
    with pytest.raises(errors.CapacityError) as caught:
        scheduler((0, 0), worlds=[2**24])
    assert (caught.value.what, caught.value.limit) == ("worlds", 2**24 - 1)
    assert str(caught.value) == "too many worlds: at most 16777215 fit"


def test_more_steps_than_fit_are_refused():
    s = Scheduler(np.empty((0, 2), int), sight=4, speed=1)
    assert s.add((0, 0), sight=4, speed=1, at=2**32 - 2) == (0, 2**32 - 2)
    s.start([0])
    error = refusal(errors.CapacityError, s, s.finish, [0], [(0, 0)])
    assert (error.what, error.limit) == ("steps", 2**32 - 2)


# Refusals


def test_a_blocked_agent_is_not_started_and_the_error_tells_whom_it_waits_for():
    s = scheduler((0, 0), (3, 0), (50, 0))
    step(s, 0)
    error = refusal(errors.BlockedError, s, s.start, [2, 0])
    assert (error.agent, error.clock, error.witness, error.until) == (0, 1, 1, 1)
    assert str(error) == (
        "agent 0 may not start step 1 yet: it waits for agent 1, at least until that one has "
        "reached step 1"
    )


def test_a_running_agent_is_neither_started_nor_removed():
    s = scheduler((0, 0), (50, 0))
    s.start([0])
    for call in (s.start, s.remove):
        error = refusal(errors.RunningError, s, call, [1, 0])
        assert (error.agent, error.clock) == (0, 0)
        assert str(error) == "agent 0 is executing step 0; finish that step first"


def test_a_step_is_finished_once_and_only_when_it_was_started():
    s = scheduler((0, 0), (50, 0))
    error = refusal(errors.NotRunningError, s, s.finish, [1], [(50, 0)])
    assert (error.agent, error.clock) == (1, 0)
    step(s, 1)
    error = refusal(errors.NotRunningError, s, s.finish, [1], [(50, 0)])
    assert (error.agent, error.clock) == (1, 1)
    assert str(error) == (
        "agent 1 is not executing a step (its next is 1); start it before finishing it, and "
        "finish each step once"
    )


def test_an_agent_stands_once_in_a_batch():
    s = scheduler((0, 0), (50, 0))
    for call in (s.start, s.remove):
        error = refusal(errors.DuplicateAgentError, s, call, [0, 1, 0])
        assert (error.agent, error.clock) == (0, 0)
        assert str(error) == "agent 0, which is at step 0, stands twice in one batch"
    s.start([0, 1])
    error = refusal(errors.DuplicateAgentError, s, s.finish, [1, 1], [(50, 0), (50, 0)])
    assert error.agent == 1


def test_a_move_beyond_speed_is_refused_with_distance_and_speed():
    s = scheduler((0, 0), (50, 0))
    step(s, 0)
    s.start([0, 1])
    error = refusal(errors.OverSpeedError, s, s.finish, [1, 0], [(50, 0), (0, 3)])
    assert (error.agent, error.clock, error.distance, error.speed) == (0, 1, 3, 1)
    assert str(error) == (
        "agent 0 moved 3 in step 1, its speed is 1; declare a larger speed, or let it leave and "
        "join again at the new place"
    )


def test_those_who_left_are_known_but_do_nothing():
    s = scheduler((0, 0), (50, 0))
    step(s, 0, times=2)
    s.remove([0])
    for call in (s.start, s.remove, lambda ids: s.finish(ids, [(0, 0)]), lambda _: s.blockers(0)):
        error = refusal(errors.AgentLeftError, s, call, [0])
        assert (error.agent, error.clock) == (0, 2)
        assert str(error) == "agent 0 has left; it had finished the steps before 2"
    assert (s.status(0), s.held_up(0)) == ("left", 0)
    assert str(s.story(0)[-1]) == "agent 0, step 2: left"


@pytest.mark.parametrize("agent", [2, -1, 2**40, 2**200, -(2**200)])
def test_a_question_about_a_stranger_is_refused(agent):
    s = scheduler((0, 0), (50, 0))
    for ask in (s.status, s.story, s.held_up, s.blockers):
        error = refusal(errors.UnknownAgentError, s, ask, agent)
        assert (error.agent, error.agents) == (agent, 2)
        assert str(error) == f"no agent {agent}: 2 agents have joined, numbered from 0"


def test_every_scheduler_error_is_a_value_error_with_the_facts_it_documents():
    names = [n for n in vars(errors).values() if isinstance(n, type)]
    family = [n for n in names if issubclass(n, errors.SchedulerError)]
    assert len(family) == 16
    for error in family:
        assert issubclass(error, ValueError) and issubclass(error, errors.HeadwayError)
        for attribute in error.__annotations__ if error is not errors.SchedulerError else ():
            assert f"`{attribute}`" in error.__doc__, (error, attribute)
    assert issubclass(errors.UnknownAgentError, LookupError)


# Odd arrays and numbers


@pytest.mark.parametrize("agent", [-1, 2**32])
def test_a_stranger_in_a_batch_is_refused_with_the_number_of_agents(agent):
    s = scheduler((0, 0))
    error = refusal(errors.UnknownAgentError, s, s.start, [agent])
    assert (error.agent, error.agents) == (agent, 1)


def test_unsigned_numbers_beyond_int64_are_named_as_given():
    s = scheduler((0, 0))
    error = refusal(errors.UnknownAgentError, s, s.start, np.array([2**64 - 1], np.uint64))
    assert error.agent == 2**64 - 1


def test_unsigned_positions_beyond_int64_are_refused():
    with pytest.raises(errors.PositionError):
        Scheduler(np.array([(2**64 - 1, 0)], np.uint64), sight=1, speed=1)


def test_a_position_far_outside_is_named_as_given():
    with pytest.raises(errors.PositionError) as caught:
        Scheduler([(2**40, 0)], sight=1, speed=1)
    assert caught.value.position == (2**40, 0)


def unaligned(values, dtype) -> np.ndarray:
    """An array whose numbers do not lie at multiples of their size, as a field of a record."""
    values = np.asarray(values)
    records = np.zeros(len(values), [("tag", "i1"), ("value", dtype, values.shape[1:])])
    records["value"] = values
    assert not records["value"].flags.aligned
    return records["value"]


@pytest.mark.parametrize("dtype", [np.int32, np.float64])
def test_unaligned_positions_are_taken(dtype):
    places = unaligned([(1, 2), (3, 4)], dtype)
    assert Scheduler(places, sight=1, speed=1).positions.tolist() == [[1, 2], [3, 4]]


def test_unaligned_ids_are_taken():
    s = scheduler((0, 0), (50, 0), (99, 0))
    assert s.clusters(unaligned([2, 0, 1], np.int64)).tolist() == [2, 0, 1]


@pytest.mark.parametrize("place", [(1, 2, 3), (1,), 7])
def test_a_newcomer_without_two_coordinates_is_refused(place):
    s = scheduler((0, 0))
    with pytest.raises(errors.ArrayShapeError):
        s.add(place)


def test_a_ragged_list_is_refused():
    s = scheduler((0, 0))
    with pytest.raises((errors.ArrayShapeError, errors.ArrayTypeError)):
        s.start([[0], [0, 0]])


@pytest.mark.parametrize("options", [{"at": -1}, {"at": 2**32}, {"world": -1}, {"world": 2**32}])
def test_a_newcomers_step_and_world_out_of_range_are_refused(options):
    s = scheduler((0, 0))
    with pytest.raises(errors.HeadwayError):
        s.add((50, 0), **options)


def test_a_negative_story_capacity_is_refused():
    with pytest.raises(errors.OptionError):
        scheduler((0, 0), story_capacity=-1)


def test_a_speed_that_cannot_be_used_is_blamed_itself():
    with pytest.raises(errors.FootprintError) as caught:
        scheduler((0, 0), speed=0.5)
    assert caught.value.what == "speed"


def test_the_first_newcomer_of_all_is_asked_for_its_footprint():
    s = Scheduler(np.empty((0, 2), int), sight=[], speed=1)
    error = refusal(errors.OptionError, s, s.add, (0, 0))
    assert "different footprints" not in str(error)


@pytest.mark.parametrize("name", ["sight", "speed", "reach"])
def test_a_newcomers_footprint_that_is_no_number_is_refused(name):
    s = scheduler((0, 0))
    error = refusal(errors.OptionError, s, s.add, (0, 0), **{name: "a"})
    assert str(error) == f"{name} must be a number, got 'a'"


def test_a_tile_beyond_32_bits_is_refused_with_the_step():
    s = scheduler((0, 0), (50, 0))
    step(s, 1, times=7)
    s.start([1])
    error = refusal(errors.PositionError, s, s.finish, [1], [(2**40, 0)])
    assert (error.agent, error.clock) == (1, 7)
    assert str(error).startswith("agent 1 cannot stand at (1099511627776, 0) after step 7: ")


def test_a_newcomer_far_ahead_costs_no_memory():
    code = (
        "from resource import RUSAGE_SELF, getrusage\n"
        "from headway import Scheduler\n"
        "s = Scheduler([(0, 0)], sight=1, speed=1)\n"
        "before = getrusage(RUSAGE_SELF).ru_maxrss\n"
        "s.add((500, 500), sight=1, speed=0, at=2**25)\n"
        "print(getrusage(RUSAGE_SELF).ru_maxrss - before)\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert int(result.stdout) < 32 * 1024  # KiB; four bytes a step would be 128 MiB


@pytest.mark.parametrize("wrap", [[20, 20], (20.0, 20), np.array([20, 20]), np.array([20.0, 20])])
def test_a_wrap_is_any_sequence_of_two_numbers(wrap):
    s = scheduler((0, 0), (19, 19), wrap=wrap)
    step(s, 0)
    assert s.blockers(0).tolist() == [1]


@pytest.mark.parametrize("wrap", [5, (5,), "ab", (1, 2, 3)])
def test_a_wrap_that_is_not_a_pair_is_refused_with_what_was_given(wrap):
    with pytest.raises(errors.OptionError, match="two numbers"):
        scheduler((0, 0), wrap=wrap)


def test_an_empty_compatibility_scheduler_takes_its_first_agent_with_any_footprint():
    s = Scheduler(np.empty((0, 2), int), sight=4, speed=1, rule="compatibility")
    assert s.add((0, 0), sight=4, speed=1) == (0, 0)
    assert s.ready().tolist() == [0]
