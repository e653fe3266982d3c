"""Every rule a trace must keep, broken once: the message names the place, the value, the limit."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given

from headway.errors import TraceError
from headway.trace.model import Meta, Trace
from headway.trace.validate import find_problems, validate_trace
from strategies import patient, small_trace, traces


def with_calls(**columns) -> Trace:
    trace = small_trace()
    return replace(trace, calls=replace(trace.calls, **columns))


def with_agents(**columns) -> Trace:
    trace = small_trace()
    return replace(trace, agents=replace(trace.agents, **columns))


def with_meta(**fields) -> Trace:
    return replace(small_trace(), meta=Meta(**({"name": "small"} | fields)))


def with_place(x, y, *, step=1, agent=0, grid=True, meta=None) -> Trace:
    trace = small_trace(grid=grid, **({"meta": meta} if meta else {}))
    trace.positions[step:, agent] = (x, y)
    return trace


def assert_refused(trace: Trace, *words: str) -> None:
    with pytest.raises(TraceError) as error:
        validate_trace(trace)
    for word in words:
        assert re.search(word, str(error.value)), f"{word!r} is not in {error.value}"


@patient
@given(traces())
def test_a_trace_that_keeps_every_rule_is_accepted(trace):
    assert find_problems(trace) == []


@pytest.mark.parametrize("grid", [True, False])
def test_the_small_trace_of_these_tests_is_accepted(grid):
    validate_trace(small_trace(grid=grid))


# Shapes and types


def test_a_column_of_another_length_is_refused():
    assert_refused(with_calls(partner=np.zeros(3, np.int32)), "calls, column partner", r"\(4,\)")
    assert_refused(with_agents(world=np.zeros(2, np.int32)), "agents, column world", r"\(3,\)")


def test_a_column_of_another_type_is_refused():
    assert_refused(with_calls(step=np.zeros(4, np.int64)), "calls, column step", "int64", "int32")
    assert_refused(with_calls(basis=np.zeros(4, np.int16)), "calls, column basis", "int8")
    assert_refused(with_agents(last_step=np.ones(3)), "agents, column last_step", "float64")


def test_positions_of_another_type_are_refused():
    trace = small_trace()
    assert_refused(replace(trace, positions=trace.positions.astype(np.int16)), "int16", "float64")


def test_positions_of_another_shape_are_refused():
    trace = small_trace()
    assert_refused(replace(trace, positions=trace.positions[:, :2]), r"\(5, 2, 2\)", "3 agents")
    assert_refused(replace(trace, positions=trace.positions[..., 0]), r"\(5, 3\)")


def test_a_trace_without_agents_is_refused():
    agents = with_agents(
        names=(), **{c: np.zeros(0, np.int32) for c in ("world", "first_step", "last_step")}
    ).agents
    trace = replace(small_trace(), agents=agents, positions=np.zeros((3, 0, 2), np.int32))
    assert_refused(trace, "no agent")


def test_a_trace_without_steps_is_refused():
    trace = small_trace()
    assert_refused(replace(trace, positions=trace.positions[:1]), "no step")


def test_a_wrong_length_is_reported_alone_because_rows_cannot_be_told_apart_then():
    trace = with_calls(partner=np.zeros(3, np.int32), prompt_tokens=np.zeros(4, np.int32))
    assert len(find_problems(trace)) == 1


# Meta


def test_an_unknown_metric_is_refused():
    assert_refused(with_meta(metric="taxicab"), "'taxicab'", "manhattan")


@pytest.mark.parametrize("seconds", [-10.0, 0.0, np.nan, np.inf])
def test_seconds_per_step_that_are_not_positive_are_refused(seconds):
    assert_refused(with_meta(seconds_per_step=seconds), "seconds_per_step", f"{seconds}")


def test_a_start_that_is_no_time_is_refused():
    assert_refused(with_meta(start="Monday"), "start", "'Monday'", "ISO 8601")


@pytest.mark.parametrize("field", ["sight", "speed"])
@pytest.mark.parametrize("value", [-1.0, np.nan, np.inf])
def test_a_negative_or_endless_sight_or_speed_is_refused(field, value):
    assert_refused(with_meta(**{field: value}), field, f"{value}")


@pytest.mark.parametrize("wrap", [(0.0, 10.0), (10.0, -1.0), (np.nan, 10.0), (10.0, 2.0**30 + 1)])
def test_a_wrap_that_is_no_size_is_refused(wrap):
    assert_refused(with_meta(wrap=wrap), "meta, wrap", re.escape(str(wrap)))


def test_a_grid_that_wraps_between_tiles_is_refused():
    assert_refused(with_meta(wrap=(20.5, 20.0)), "wrap", "not whole")


@pytest.mark.parametrize("breaks", [(5,), (-1,), (3, 2), (2, 2)])
def test_time_breaks_out_of_range_or_order_are_refused(breaks):
    assert_refused(with_meta(time_breaks=breaks), "time_breaks", f"step {breaks[-1]}")


def test_texts_that_cannot_be_written_are_refused():
    assert_refused(with_meta(name="\ud800"), "meta, name", "UTF-8")
    assert_refused(with_meta(notes=("fine", "\ud800")), "meta, notes", "UTF-8")


@pytest.mark.parametrize("name", ["", "  "])
def test_a_trace_without_a_name_is_refused(name):
    assert_refused(with_meta(name=name), "meta, name", f"{name!r}")


# Agents


def test_two_agents_of_one_name_are_refused():
    assert_refused(with_agents(names=("Ann", "Ben", "Ann")), "agent 2 'Ann'", "must differ")


@pytest.mark.parametrize("name", ["", "  ", "\udfff"])
def test_an_agent_without_a_readable_name_is_refused(name):
    assert_refused(with_agents(names=("Ann", name, "Cas")), "agent 1", "name")


def test_a_negative_world_is_refused():
    assert_refused(with_agents(world=np.array([0, -1, 0], np.int32)), "agent 1 'Ben'", "world -1")


def test_a_world_beyond_the_schedulers_limit_is_refused():
    trace = with_agents(world=np.array([0, 0, 2**24], np.int32))
    assert_refused(trace, "agent 2 'Cas'", "world 16777216", "0 to 16777215")


def test_an_agent_that_follows_nobody_there_is_refused():
    trace = with_agents(follows=np.array([-1, -1, 7], np.int32))
    assert_refused(trace, "agent 2 'Cas'", "follows agent 7")


def test_an_agent_that_joins_before_the_one_it_follows_leaves_is_refused():
    trace = with_agents(follows=np.array([-1, -1, 0], np.int32))
    assert_refused(trace, "agent 2 'Cas'", "joins in step 1", "leaves in step 4")


@pytest.mark.parametrize(("first", "last"), [(-1, 4), (2, 2), (3, 1), (0, 5)])
def test_a_presence_that_is_empty_or_outside_the_trace_is_refused(first, last):
    trace = with_agents(
        first_step=np.array([0, first, 1], np.int32), last_step=np.array([4, last, 3], np.int32)
    )
    assert_refused(trace, "agent 1 'Ben'", f"{first}:{last}", "0:4")


# Positions


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_place_that_is_not_finite_is_refused(value):
    assert_refused(with_place(value, 0, grid=False), "step 1, agent 0 'Ann'", f"{value}")


@pytest.mark.parametrize("value", [2**30 + 1, -(2**30) - 1])
def test_a_tile_beyond_the_limit_of_the_core_is_refused(value):
    assert_refused(with_place(3, value), "step 1, agent 0 'Ann'", f"{value}", f"{2**30}")
    validate_trace(with_place(3, value // abs(value) * 2**30))


def test_a_point_beyond_the_limit_of_the_core_is_refused():
    assert_refused(with_place(3, -2e9, grid=False), "step 1, agent 0 'Ann'", "-2000000000.0")


@pytest.mark.parametrize("grid", [True, False])
@pytest.mark.parametrize("place", [(-1, 0), (10, 0), (0, 12)])
def test_a_place_outside_a_world_with_joined_borders_is_refused(place, grid):
    meta = Meta(name="torus", wrap=(10.0, 12.0))
    assert_refused(with_place(*place, grid=grid, meta=meta), "torus", "step 1, agent 0", "modulo")
    validate_trace(with_place(9, 11, grid=grid, meta=meta))


@pytest.mark.parametrize("step", [1, 4])
def test_a_move_of_an_absent_agent_is_refused(step):
    assert_refused(with_place(8, 8, step=step, agent=2), f"step {step - 1}, agent 2 'Cas'")


@pytest.mark.parametrize("step", [2, 3])
def test_a_move_of_a_present_agent_is_accepted_in_its_first_and_last_step(step):
    validate_trace(with_place(8, 8, step=step, agent=2))


# Calls


@pytest.mark.parametrize("step", [-1, 4])
def test_a_call_in_a_step_that_is_not_there_is_refused(step):
    steps = np.array([step, 1, 1, 2] if step < 0 else [0, 1, 1, step], np.int32)
    assert_refused(with_calls(step=steps), rf"row {0 if step < 0 else 3} \(step {step}", "0:4")


@pytest.mark.parametrize("agent", [-1, 3])
def test_a_call_of_an_unknown_agent_is_refused(agent):
    agents = np.array([agent, 0, 2, 1], np.int32)
    assert_refused(with_calls(agent=agents), rf"row 0 \(step 0, agent {agent}\)", "0:3")


@pytest.mark.parametrize("step", [0, 3])
def test_a_call_of_an_absent_agent_is_refused(step):
    trace = with_calls(
        step=np.full(4, step, np.int32),
        agent=np.array([0, 0, 1, 2], np.int32),
        partner=np.full(4, -1, np.int32),
    )
    assert_refused(trace, f"row 3 .step {step}, agent 2 'Cas'", "only in the steps 1:3")


def test_unsorted_calls_are_refused():
    assert_refused(with_calls(step=np.array([0, 2, 1, 2], np.int32)), "row 2", "sort")
    assert_refused(with_calls(agent=np.array([0, 2, 0, 1], np.int32)), "row 2", "sort")


@pytest.mark.parametrize("column", ["prompt_tokens", "output_tokens"])
@pytest.mark.parametrize("tokens", [0, -5])
def test_a_call_without_tokens_is_refused(column, tokens):
    counts = np.array([9, 9, tokens, 9], np.int32)
    assert_refused(with_calls(**{column: counts}), "row 2", f"{column} is {tokens}", "at least 1")


@pytest.mark.parametrize("partner", [-2, 3])
def test_an_unknown_partner_is_refused(partner):
    partners = np.array([-1, partner, 0, 2], np.int32)
    assert_refused(with_calls(partner=partners), "row 1", f"partner is {partner}")


def test_an_agent_that_is_its_own_partner_is_refused():
    assert_refused(with_calls(partner=np.array([-1, 0, 0, 2], np.int32)), "row 1", "itself")


def test_a_partner_in_another_world_is_refused():
    trace = with_agents(world=np.array([0, 0, 1], np.int32))
    assert_refused(trace, "row 2", "partner 0", "another world", "1 more like it")


@pytest.mark.parametrize("code", [-1, 2])
def test_an_unknown_function_code_is_refused(code):
    codes = np.array([0, 0, code, 0], np.int16)
    assert_refused(with_calls(function=codes), "row 2", f"function code {code}", "0:2")


@pytest.mark.parametrize("functions", [("plan", "plan"), ("plan", ""), ("plan", "\ud800")])
def test_a_function_without_a_name_of_its_own_is_refused(functions):
    assert_refused(with_calls(functions=functions), "function 1", "name")


@pytest.mark.parametrize("code", [-1, 5])
def test_an_unknown_basis_code_is_refused(code):
    assert_refused(with_calls(basis=np.array([0, 0, code, 0], np.int8)), "row 2", f"code {code}")


# Counting


def test_each_broken_rule_is_listed_once_with_the_number_of_offenders():
    trace = with_calls(
        prompt_tokens=np.zeros(4, np.int32), output_tokens=np.array([1, 0, 0, 1], np.int32)
    )
    assert [(p.where, p.count) for p in find_problems(trace)] == [
        ("row 0 (step 0, agent 0 'Ann')", 4),
        ("row 1 (step 1, agent 0 'Ann')", 2),
    ]
    assert_refused(trace, "3 more like it", "2 other problems")
