"""A replay executes every step and every call of a trace once, under every schedule."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway import errors
from headway.replay import Outcome, replay
from headway.schedules import SCHEDULES, Setting, make_schedule
from headway.schedules.neighbours import Neighbours
from headway.schedules.oracle import critical_path
from headway.trace import Trace
from headway.trace.model import Calls, Meta
from small_replays import Recorded, RecordedServer, made, server, setting, walking_traces
from strategies import small_trace

every_schedule = pytest.mark.parametrize("name", SCHEDULES)
fewer = settings(max_examples=settings.default.max_examples // 3)


def town(*, steps: int = 6, places=((0, 0), (3, 0), (60, 0)), calls=()) -> Trace:
    """Three standing agents; `calls` are (step, agent, output tokens)."""
    table = Calls.from_columns(
        step=[step for step, _, _ in calls],
        agent=[agent for _, agent, _ in calls],
        function=["plan"] * len(calls),
        prompt_tokens=[1] * len(calls),
        output_tokens=[tokens for _, _, tokens in calls],
    )
    # By its prompt a call is known again.
    prompts = np.arange(1, len(calls) + 1, dtype=np.int32)
    return Trace.build(
        meta=Meta(name="town"),
        names=[f"a{i}" for i in range(len(places))],
        positions=np.repeat(np.array([places]), steps + 1, axis=0),
        calls=replace(table, prompt_tokens=prompts),
    )


BUSY = [(t, a, 5 + 7 * ((t + a) % 3)) for t in range(6) for a in range(3) for _ in range(a + 1)]


def outcome(name: str, trace: Trace, replicas: int = 1, **options) -> Outcome:
    schedule = make_schedule(name, trace, setting(trace))
    return replay(trace, schedule, server(replicas, **options))


def recorded(name: str, trace: Trace, replicas: int = 2) -> list:
    log: list = []
    schedule = Recorded(made(name, trace), log)
    replay(trace, schedule, RecordedServer(server(replicas), log))
    return log


@every_schedule
@fewer
@given(trace=walking_traces())
def test_every_step_and_every_call_is_executed_once_and_in_order(name, trace):
    clock = [0] * trace.n_agents
    running: set[int] = set()
    in_flight: dict[int, int] = {}
    calls = trace.calls
    chains = [np.flatnonzero(calls.agent == a).tolist() for a in range(trace.n_agents)]
    for what, which in recorded(name, trace):
        if what == "start":
            assert not running & set(which)
            running |= set(which)
        elif what == "call":
            row, priority, output = which
            agent = int(calls.agent[row])
            assert agent in running and agent not in in_flight
            assert chains[agent].pop(0) == row, "calls of an agent are made in their order"
            assert calls.step[row] == priority == clock[agent]
            assert output == calls.output_tokens[row]
            in_flight[agent] = row
        elif what == "answer":
            assert in_flight.pop(int(calls.agent[which])) == which
        elif what == "finish":
            assert set(which) <= running and not set(which) & set(in_flight)
            running -= set(which)
            for agent in which:
                clock[agent] += 1
                rest = chains[agent]
                assert not rest or calls.step[rest[0]] >= clock[agent], "a call was left out"
        else:
            for agent in which:
                assert clock[agent] == trace.agents.last_step[agent] < trace.n_steps
    assert clock == trace.agents.last_step.tolist()
    assert not any(chains) and not running and not in_flight


@every_schedule
@fewer
@given(trace=walking_traces(), replicas=st.integers(1, 3))
def test_an_outcome_counts_what_was_executed(name, trace, replicas):
    result = outcome(name, trace, replicas)
    assert result.agent_steps == int((trace.agents.last_step - trace.agents.first_step).sum())
    assert result.calls == len(trace.calls)
    assert result.wasted_tokens == 0
    assert (result.seconds > 0) == (len(trace.calls) > 0)
    assert 0 <= result.busy_share <= 1 + 1e-12
    assert 0 <= result.calls_in_flight_mean <= trace.n_agents + 1e-9
    assert 0 <= result.lead_mean <= result.lead_max < max(trace.n_steps, 1)
    if name in ("serial", "lockstep"):
        assert result.lead_max == 0
    if name == "serial":
        assert result.calls_in_flight_mean <= 1 + 1e-9


@every_schedule
@fewer
@given(trace=walking_traces())
def test_the_same_replay_twice_has_the_same_outcome(name, trace):
    one, other = (
        replace(outcome(name, trace, 2), scheduler_ns_per_agent_step=0.0) for _ in range(2)
    )
    assert one == other


def lone_latencies(trace: Trace) -> np.ndarray:
    return server().lone_latency(trace.calls.prompt_tokens, trace.calls.output_tokens)


@fewer
@given(walking_traces(), st.integers(1, 2), st.sampled_from([1, 2, 8]))
def test_no_schedule_beats_the_critical_path_or_an_agents_own_calls(trace, replicas, sequences):
    # Prompts here are never cut in chunks, so a call never takes less than alone.
    latency = lone_latencies(trace)
    neighbours = Neighbours(trace, sight=3.0, metric=trace.meta.metric, wrap=trace.meta.wrap)
    path = critical_path(trace, neighbours, latency)
    longest = np.bincount(trace.calls.agent, weights=latency, minlength=1).max(initial=0)
    assert longest <= path * (1 + 1e-9)
    for name in SCHEDULES:
        seconds = outcome(name, trace, replicas, max_sequences=sequences).seconds
        least = longest if name == "unconstrained" else path
        assert seconds * (1 + 1e-9) >= least, name


@given(walking_traces(), st.integers(1, 3))
def test_in_series_a_run_takes_the_sum_of_all_lone_calls_and_nothing_is_slower(trace, replicas):
    total = float(lone_latencies(trace).sum())
    assert outcome("serial", trace, replicas).seconds == pytest.approx(total, abs=1e-6)
    for name in SCHEDULES:
        # Calls that share an iteration cost no more than one after the other.
        assert outcome(name, trace).seconds <= total + 1e-6, name


@every_schedule
@fewer
@given(trace=walking_traces())
def test_a_trace_without_calls_takes_no_modelled_time(name, trace):
    quiet = replace(trace, calls=trace.calls.take(np.zeros(len(trace.calls), bool)))
    result = outcome(name, quiet)
    assert (result.seconds, result.calls, result.calls_in_flight_mean) == (0, 0, 0)
    assert (result.busy_share, result.lead_mean) == (0, 0)
    assert result.agent_steps == int((trace.agents.last_step - trace.agents.first_step).sum())


def test_out_of_order_is_faster_than_lockstep_where_agents_are_apart():
    places = [(100 * i, 0) for i in range(3)]
    calls = [(t, t % 3, 20) for t in range(6)]
    trace = town(places=places, calls=calls)
    seconds = {name: outcome(name, trace).seconds for name in SCHEDULES}
    assert seconds["conservative"] < 0.6 * seconds["lockstep"]
    assert seconds["conservative"] == seconds["oracle"] == seconds["unconstrained"]
    assert seconds["lockstep"] == seconds["serial"]


def test_neighbours_wait_for_each_other_and_those_apart_lead():
    calls = [(t, 1, 30) for t in range(6)] + [(5, 0, 3), (5, 2, 3)]
    log = recorded("conservative", town(calls=calls))
    answers = [row for what, row in log if what == "answer"]
    trace = town(calls=calls)
    who = [(int(trace.calls.step[row]), int(trace.calls.agent[row])) for row in answers]
    # Agent 2 is far away and does not wait; agent 0 is near 1 and does.
    assert who[0] == (5, 2)
    assert who[-2:] in ([(5, 0), (5, 1)], [(5, 1), (5, 0)])


def test_a_cluster_finishes_its_step_when_its_last_member_is_done():
    trace = town(calls=[(0, 0, 50), (0, 1, 2), (0, 2, 2)])
    log = recorded("metropolis", trace)
    finishes = [which for what, which in log if what == "finish"]
    assert [0, 1] in finishes
    assert not any(0 in which and 1 not in which for which in finishes)
    assert log.index(("finish", [0, 1])) > log.index(("answer", 0))


def test_equal_schedules_have_equal_digests_and_others_do_not():
    # Agents 0 and 1 are out of each other's sight, but not out of reach for long; 2 and 3 talk.
    calls = [(t, a, 5 + 7 * ((t + a) % 3)) for t in range(6) for a in range(4)]
    busy = town(calls=calls, places=[(0, 0), (5, 0), (60, 0), (61, 0)])
    digests = {name: outcome(name, busy).digest for name in SCHEDULES}
    assert len(set(digests.values())) == len(SCHEDULES)
    assert all(len(digest) == 64 for digest in digests.values())
    lonely = town(places=[(0, 0)], calls=[(0, 0, 5)])
    assert len({outcome(name, lonely).digest for name in SCHEDULES}) == 1
    longer = town(places=[(0, 0)], calls=[(0, 0, 6)])
    assert outcome("serial", longer).digest != outcome("serial", lonely).digest
    assert outcome("lockstep", busy, 2).digest != digests["lockstep"]


@pytest.mark.parametrize("name", ["conservative", "metropolis"])
def test_a_trace_that_moves_beyond_the_speed_is_refused(name):
    places = np.zeros((4, 2, 2), int)
    places[2:, 1] = (0, 5)
    trace = replace(town(steps=3, places=[(0, 0), (0, 0)]), positions=places)
    schedule = make_schedule(name, trace, Setting(sight=4, speed=1))
    with pytest.raises(errors.OverSpeedError) as caught:
        replay(trace, schedule, server())
    error = caught.value
    assert (error.agent, error.clock, error.distance, error.speed) == (1, 1, 5, 1)


def test_progress_is_told_now_and_then():
    told: list[tuple[int, int]] = []
    trace = town(calls=[(t, 0, 3) for t in range(6)])
    total = int(trace.agents.last_step.sum())

    def progress(done: int, of: int) -> None:
        told.append((done, of))

    replay(trace, made("conservative", trace), server(), progress=progress)
    assert len(told) == 7, "after each of the six answers, and at the end"
    assert told[-1] == (total, total)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_a_schedule_that_comes_to_a_stop_is_reported():
    trace = town(calls=BUSY)

    class Stubborn(Recorded):
        def finish(self, ids, positions):
            return super().finish(ids, positions)[:0]

    with pytest.raises(errors.InvariantError, match="came to a stop after 3 of 18 agent-steps"):
        replay(trace, Stubborn(made("lockstep", trace)), server())


def test_the_schedule_is_told_the_recorded_positions():
    trace = small_trace()
    schedule = Recorded(made("conservative", trace))
    replay(trace, schedule, server())
    core = schedule.schedule
    for agent, last in enumerate(trace.agents.last_step):
        assert core.clocks[agent] == last
        assert core.positions[agent].tolist() == trace.positions[last, agent].tolist()
    assert core.status(2) == "left"


def test_smaller_steps_go_first_at_a_busy_server():
    trace = town(
        places=[(0, 0), (100, 0), (200, 0)],
        calls=[(0, 0, 40), (0, 1, 2), (1, 1, 2), (0, 2, 40), (1, 2, 40), (1, 0, 40)],
    )
    log: list = []
    slow = RecordedServer(server(1, max_sequences=1), log)
    replay(trace, make_schedule("conservative", trace, Setting()), slow)
    answers = [row for what, row in log if what == "answer"]
    assert [int(trace.calls.step[row]) for row in answers] == sorted(trace.calls.step.tolist())
