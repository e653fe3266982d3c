"""Cutting traces and putting them side by side keeps every agent, place and call in its place."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.errors import TraceError
from headway.trace import read_trace, resolve_jumps, write_trace
from headway.trace.model import Calls, Meta, Trace
from headway.trace.validate import find_problems
from strategies import assert_same_trace, function_names, patient, small_trace, traces


def rows(trace: Trace) -> list[tuple]:
    """Calls as rows that name agents, so that renumbering does not matter."""
    c, names = trace.calls, (*trace.agents.names, None)
    return [
        (int(s), names[a], f, int(p), int(o), names[b], int(k))
        for s, a, f, p, o, b, k in zip(
            c.step,
            c.agent,
            function_names(c),
            c.prompt_tokens,
            c.output_tokens,
            c.partner,
            c.basis,
            strict=True,
        )
    ]


def test_calls_are_sorted_and_keep_the_order_of_a_chain():
    calls = Calls.from_columns(
        step=[1, 0, 1, 0],
        agent=[0, 1, 0, 0],
        function=["c", "b", "a", "d"],
        prompt_tokens=[1, 2, 3, 4],
        output_tokens=[1, 1, 1, 1],
    )
    assert calls.step.tolist() == [0, 0, 1, 1]
    assert calls.agent.tolist() == [0, 1, 0, 0]
    assert function_names(calls) == ["d", "b", "c", "a"]
    assert calls.partner.tolist() == [-1] * 4


@patient
@given(traces(), st.data())
def test_a_window_holds_what_happened_in_its_steps_and_nothing_else(trace, data):
    first = data.draw(st.integers(0, trace.n_steps - 1))
    last = data.draw(st.integers(first + 1, trace.n_steps))
    present = [
        name
        for name, begin, end in zip(
            trace.agents.names, trace.agents.first_step, trace.agents.last_step, strict=True
        )
        if begin < last and end > first
    ]
    if not present:
        return  # such a window has no agent and is refused by the validation
    cut = trace.window(first, last)
    assert list(cut.agents.names) == present
    assert cut.n_steps == last - first
    assert find_problems(cut) == []
    for i, name in enumerate(present):
        old = trace.agents.names.index(name)
        np.testing.assert_array_equal(cut.positions[:, i], trace.positions[first : last + 1, old])
    expected = [
        (row[0] - first, *row[1:5], row[5] if row[5] in present else None, row[6])
        for row in rows(trace)
        if first <= row[0] < last
    ]
    assert rows(cut) == expected


@patient
@given(traces())
def test_the_window_of_all_steps_is_the_trace(trace):
    whole = trace.window(0, trace.n_steps, name=trace.meta.name)
    inside = tuple(b for b in trace.meta.time_breaks if 0 < b < trace.n_steps)
    assert_same_trace(whole, replace(trace, meta=replace(trace.meta, time_breaks=inside)))


@pytest.mark.parametrize(("first", "last"), [(-1, 2), (2, 2), (3, 2), (0, 5)])
def test_a_window_that_is_empty_or_too_long_is_refused(first, last):
    with pytest.raises(TraceError, match=rf"steps {first}:{last} .* 0:4"):
        small_trace().window(first, last)


@patient
@given(traces(grid=True), st.integers(1, 4))
def test_copies_side_by_side_are_worlds_that_never_touch(trace, copies):
    joined = Trace.side_by_side([trace] * copies, name="joined")
    n = trace.n_agents
    assert find_problems(joined) == []
    assert joined.n_agents == copies * n
    assert len(joined.calls) == copies * len(trace.calls)
    worlds = [set(joined.agents.world[k * n : (k + 1) * n].tolist()) for k in range(copies)]
    assert len(set.union(*worlds)) == sum(len(w) for w in worlds)
    for k in range(copies):
        mine = np.flatnonzero(joined.calls.agent // n == k)
        part = joined.calls.take(mine)
        np.testing.assert_array_equal(part.agent - k * n, trace.calls.agent)
        assert function_names(part) == function_names(trace.calls)
        np.testing.assert_array_equal(
            np.where(part.partner < 0, -1, part.partner - k * n), trace.calls.partner
        )
        np.testing.assert_array_equal(joined.positions[:, k * n : (k + 1) * n], trace.positions)


def test_agents_of_towns_side_by_side_have_names_of_their_own():
    joined = Trace.side_by_side([small_trace(), small_trace()], name="two")
    assert joined.agents.names[0] == "Ann (0)"
    assert joined.agents.names[3] == "Ann (1)"


def test_functions_of_traces_side_by_side_keep_their_names():
    other = replace(small_trace().calls, functions=("act", "zzz"))
    joined = Trace.side_by_side([small_trace(), replace(small_trace(), calls=other)], name="two")
    first = joined.calls.take(np.flatnonzero(joined.calls.agent < 3))
    second = joined.calls.take(np.flatnonzero(joined.calls.agent >= 3))
    assert function_names(first) == ["plan", "plan", "talk", "talk"]
    assert function_names(second) == ["act", "act", "zzz", "zzz"]


@pytest.mark.parametrize(
    ("other", "what"),
    [
        (small_trace(steps=5), "number of steps"),
        (small_trace(meta=Meta(name="slow", seconds_per_step=60.0)), "seconds per step"),
        (small_trace(meta=Meta(name="m", metric="manhattan")), "metric"),
        (small_trace(meta=Meta(name="torus", wrap=(20.0, 20.0))), "wrap-around"),
        (small_trace(grid=False), "kind of position"),
    ],
)
def test_traces_that_do_not_fit_cannot_stand_side_by_side(other, what):
    with pytest.raises(TraceError, match=what):
        Trace.side_by_side([small_trace(), other], name="both")


def test_no_trace_cannot_stand_side_by_side():
    with pytest.raises(TraceError, match="no trace"):
        Trace.side_by_side([], name="none")


def test_windows_and_side_by_side_keep_who_follows_whom():
    places = np.zeros((5, 2, 2), np.int32)
    places[3:, 0] = 50
    calls = small_trace().calls.take(np.empty(0, np.int64))
    jumper = Trace.build(meta=Meta(name="j"), names=["Ann", "Ben"], positions=places, calls=calls)
    split = resolve_jumps(jumper, speed=1, on_jump="split")
    assert split.agents.follows.tolist() == [-1, -1, 0]
    assert split.window(0, 4).agents.follows.tolist() == [-1, -1, 0]
    assert split.window(3, 4).agents.follows.tolist() == [-1, -1]
    both = Trace.side_by_side([split, split], name="both")
    assert both.agents.follows.tolist() == [-1, -1, 0, -1, -1, 3]


def test_a_second_jump_goes_on_with_the_second_self(tmp_path):
    places = np.zeros((7, 1, 2), np.int32)
    places[2:] = 50
    places[5:] = 99
    calls = small_trace().calls.take(np.empty(0, np.int64))
    jumper = Trace.build(meta=Meta(name="j"), names=["Ann"], positions=places, calls=calls)
    once = resolve_jumps(jumper, speed=50, on_jump="split")
    assert once is jumper
    split = resolve_jumps(jumper, speed=1, on_jump="split")
    assert split.agents.follows.tolist() == [-1, 0, 1]
    write_trace(split, tmp_path / "t.hwt")
    assert read_trace(tmp_path / "t.hwt").agents.follows.tolist() == [-1, 0, 1]
