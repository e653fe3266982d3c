"""Every schedule lets start exactly those that its definition lets start."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway import Scheduler, errors
from headway.schedules import SCHEDULES, Setting, make_schedule
from headway.schedules.neighbours import Neighbours
from headway.schedules.oracle import Oracle, critical_path
from headway.trace import Trace
from headway.trace.metric import METRICS
from headway.trace.model import Calls, Meta
from small_replays import SPEED, Driven, made, near, present, setting, walking_traces
from strategies import small_trace, traces

sights = st.sampled_from([0.0, 0.5, 1.0, 2.0, 3.0, 4.5, 30.0])
seeds = st.integers(0, 2**16)
fewer = settings(max_examples=settings.default.max_examples // 3)


def standing(places, *, steps: int = 3, meta: Meta | None = None, **options) -> Trace:
    """Agents that stand at these places throughout, without calls."""
    return Trace.build(
        meta=meta or Meta(name="standing"),
        names=[f"a{i}" for i in range(len(places))],
        positions=np.repeat(np.array([places]), steps + 1, axis=0),
        calls=Calls.from_columns(
            step=[], agent=[], function=[], prompt_tokens=[], output_tokens=[]
        ),
        **options,
    )


def found(trace: Trace, neighbours: Neighbours) -> list[list[int]]:
    rows = trace.n_steps * trace.n_agents
    bounds = neighbours.starts.tolist()
    return [neighbours.others[bounds[r] : bounds[r + 1]].tolist() for r in range(rows)]


def expected_neighbours(trace: Trace, sight: float) -> list[list[int]]:
    return [
        [b for b in range(trace.n_agents) if near(trace, t, a, b, sight)]
        for t in range(trace.n_steps)
        for a in range(trace.n_agents)
    ]


# Neighbours


@given(traces(max_agents=6), sights)
def test_neighbours_are_those_found_pair_by_pair(trace, sight):
    meta = trace.meta
    neighbours = Neighbours(trace, sight=sight, metric=meta.metric, wrap=meta.wrap)
    assert found(trace, neighbours) == expected_neighbours(trace, sight)
    assert len(neighbours.starts) == trace.n_steps * trace.n_agents + 1
    assert neighbours.others.dtype == np.int32


@given(
    st.tuples(st.integers(1, 7), st.integers(1, 7)),
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=2, max_size=8),
    st.sampled_from([0, 1, 2, 3, 10]),
    st.sampled_from(METRICS),
)
def test_on_a_tiny_torus_neighbours_are_found_once(size, places, sight, metric):
    meta = Meta(name="torus", metric=metric, wrap=tuple(map(float, size)))
    tiles = [(x % size[0], y % size[1]) for x, y in places]
    trace = standing(tiles, steps=2, meta=meta)
    neighbours = Neighbours(trace, sight=sight, metric=metric, wrap=meta.wrap)
    assert found(trace, neighbours) == expected_neighbours(trace, sight)


def test_a_trace_too_long_for_one_go_is_cut(monkeypatch):
    trace = small_trace(steps=9)
    whole = found(trace, Neighbours(trace, sight=5, metric="chebyshev"))
    monkeypatch.setattr("headway.schedules.neighbours.CHUNK", 4)
    assert found(trace, Neighbours(trace, sight=5, metric="chebyshev")) == whole
    assert any(whole)


def test_agents_far_from_each_other_and_from_the_origin_are_no_neighbours():
    far = 2**30
    trace = standing([(far, far), (-far, -far), (far, far - 2)])
    neighbours = Neighbours(trace, sight=2, metric="chebyshev")
    assert found(trace, neighbours)[:3] == [[2], [], [0]]


# The oracle


def oracle_lets_start(trace: Trace, clock: list[int], agent: int, sight: float) -> bool:
    step = clock[agent]
    return all(
        clock[other] >= step
        for other in range(trace.n_agents)
        if near(trace, step, agent, other, sight)
    )


@given(walking_traces(), sights, seeds)
def test_the_oracle_lets_start_exactly_those_whose_neighbours_have_their_clock(trace, sight, seed):
    def check(driven: Driven) -> None:
        waiting = [
            a
            for a in range(trace.n_agents)
            if a not in driven.running and driven.clock[a] < driven.end[a]
        ]
        expected = [a for a in waiting if oracle_lets_start(trace, driven.clock, a, sight)]
        assert driven.ready == expected

    Driven(trace, made("oracle", trace, sight), seed, check)


def test_the_oracle_does_not_wait_for_somebody_who_was_not_in_sight():
    trace = standing([(0, 0), (5, 0)], steps=4)
    oracle = make_schedule("oracle", trace, Setting(sight=4, speed=1))
    core = make_schedule("conservative", trace, Setting(sight=4, speed=1))
    for schedule in (oracle, core):
        schedule.start([0])
    assert oracle.finish([0], trace.positions[1, :1]).tolist() == [0]
    assert core.finish([0], trace.positions[1, :1]).tolist() == []


# The critical path


def longest_path(trace: Trace, sight: float, latency) -> float:
    """The longest chain of agent-steps, each after its own and its neighbours' last ones."""
    end: dict[tuple[int, int], float] = {}
    for step in range(trace.n_steps):
        for a in range(trace.n_agents):
            before = [a] + [b for b in range(trace.n_agents) if near(trace, step, a, b, sight)]
            start = max(end.get((step - 1, b), 0.0) for b in before)
            mine = (trace.calls.step == step) & (trace.calls.agent == a)
            end[step, a] = start + float(latency[mine].sum())
        # Who follows somebody is there only when that one has left.
        for a in range(trace.n_agents):
            former = int(trace.agents.follows[a])
            if former >= 0 and step == trace.agents.first_step[a] - 1:
                end[step, a] = max(end[step, a], end[step, former])
    return max(end.values())


@given(walking_traces(), sights, seeds)
def test_the_critical_path_is_the_longest_one(trace, sight, seed):
    latency = np.random.default_rng(seed).random(len(trace.calls))
    neighbours = Neighbours(trace, sight=sight, metric=trace.meta.metric, wrap=trace.meta.wrap)
    found_length = critical_path(trace, neighbours, latency)
    assert found_length == pytest.approx(longest_path(trace, sight, latency), rel=1e-12)


def test_without_calls_the_critical_path_has_no_length():
    trace = standing([(0, 0), (1, 0)])
    neighbours = Neighbours(trace, sight=4, metric="chebyshev")
    assert critical_path(trace, neighbours, np.empty(0)) == 0.0


# The others


@given(walking_traces(), seeds)
def test_in_lockstep_nobody_starts_a_step_before_all_have_finished_the_one_before(trace, seed):
    def check(driven: Driven) -> None:
        here = [a for a in range(trace.n_agents) if driven.clock[a] < driven.end[a]]
        step = min((driven.clock[a] for a in here), default=0)
        at_step = [a for a in here if driven.clock[a] == step and a not in driven.running]
        assert driven.ready == at_step
        assert all(driven.clock[a] in (step, step + 1) for a in here)

    Driven(trace, made("lockstep", trace), seed, check)


@given(walking_traces(), seeds)
def test_in_series_one_agent_runs_at_a_time_in_the_order_of_steps_and_numbers(trace, seed):
    driven = Driven(trace, made("serial", trace), seed)
    whats = [what for what, _, _ in driven.order]
    assert whats == ["start", "finish"] * (len(whats) // 2)
    steps = [(step, agent) for what, step, agent in driven.order if what == "start"]
    assert steps == sorted(steps)


@given(walking_traces(), seeds)
def test_without_constraints_everybody_may_always_go(trace, seed):
    def check(driven: Driven) -> None:
        here = [a for a in range(trace.n_agents) if driven.clock[a] < driven.end[a]]
        assert driven.ready == [a for a in here if a not in driven.running]

    Driven(trace, made("unconstrained", trace), seed, check)


@given(walking_traces(), seeds)
def test_under_metropolis_clusters_start_and_finish_together(trace, seed):
    schedule = made("metropolis", trace)
    reach = 3 + SPEED  # sight and one step's effects

    def check(driven: Driven) -> None:
        schedule.validate()
        for a in driven.running:
            for b in range(trace.n_agents):
                if (
                    b not in driven.gone
                    and driven.clock[a] == driven.clock[b]
                    and trace.agents.world[a] == trace.agents.world[b]
                    and told_within(trace, driven.clock, a, b, reach)
                ):
                    assert b in driven.running, "a neighbour stayed behind"

    Driven(trace, schedule, seed, check)


def told_within(trace, clock, a, b, bound) -> bool:
    """As `near`, of the places the schedule has been told, whoever is present."""
    there = standing(
        [trace.positions[clock[a], a].tolist(), trace.positions[clock[b], b].tolist()],
        steps=1,
        meta=Meta(name="pair", metric=trace.meta.metric, wrap=trace.meta.wrap),
    )
    return near(there, 0, 0, 1, bound)


@pytest.mark.parametrize("name", SCHEDULES)
@fewer
@given(trace=walking_traces(), seed=seeds)
def test_every_schedule_executes_each_agents_steps_once_and_in_order(name, trace, seed):
    driven = Driven(trace, made(name, trace), seed)
    for agent in range(trace.n_agents):
        own = [(what, step) for what, step, who in driven.order if who == agent]
        last = int(trace.agents.last_step[agent])
        assert own == [(what, step) for step in range(last) for what in ("start", "finish")]


@pytest.mark.parametrize("name", ["lockstep", "metropolis", "conservative", "serial", "oracle"])
@fewer
@given(trace=walking_traces(), seed=seeds)
def test_nobody_starts_while_somebody_in_sight_is_behind(name, trace, seed):
    sight = 3.0

    def check(driven: Driven) -> None:
        for a in driven.running:
            assert oracle_lets_start(trace, driven.clock, a, sight)

    Driven(trace, made(name, trace, sight), seed, check)


@pytest.mark.parametrize("name", [n for n in SCHEDULES if n not in ("serial", "lockstep")])
def test_the_last_one_left_goes_on_after_the_others_have_gone(name):
    trace = standing([(0, 0), (1, 0)], steps=6, last_step=np.array([6, 2]))
    driven = Driven(trace, made(name, trace), 1)
    assert driven.clock == [6, 2]


def test_schedules_are_asked_for_by_name():
    trace = small_trace()
    assert list(SCHEDULES) == [
        "serial",
        "lockstep",
        "metropolis",
        "conservative",
        "oracle",
        "unconstrained",
    ]
    for name, described in SCHEDULES.items():
        assert described.name == name and described.what
        assert make_schedule(name, trace, Setting()).ready().dtype == np.int64
    assert isinstance(make_schedule("oracle", trace, Setting()), Oracle)
    core = make_schedule("metropolis", trace, setting(trace))
    assert isinstance(core, Scheduler) and core.rule == "compatibility"
    with pytest.raises(errors.OptionError, match=r"'fifo'.*serial, lockstep.*unconstrained"):
        make_schedule("fifo", trace, Setting())
    with pytest.raises(errors.FootprintError, match="sight of agent 0"):
        make_schedule("conservative", trace, Setting(sight=1.5))


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_frontier_of_every_schedule_is_the_smallest_clock_present(name):
    trace = standing([(0, 0), (90, 0), (180, 0)], steps=4)
    schedule = made(name, trace)
    assert schedule.frontier == 0
    ready = schedule.ready()
    while len(ready) and schedule.frontier == 0:
        schedule.start(ready)
        ready = schedule.finish(ready, trace.positions[1, ready])
    assert schedule.frontier == 1
    assert present(trace, 3, 2)
