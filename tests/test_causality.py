"""The check that no step was started too early, against brute force, and on real schedules."""

from __future__ import annotations

import numpy as np
import pytest

from headway.causality import CausalityCheck
from headway.compare import compare
from headway.engines import preset_named
from headway.generate import generate_town
from headway.replay import replay
from headway.schedules import SCHEDULES, Setting, make_schedule
from headway.schedules.neighbours import Neighbours
from headway.schedules.oracle import critical_path
from headway.trace import Calls, Meta, Trace, resolve_jumps

SETTING = Setting(sight=4, speed=1)


@pytest.fixture(scope="module", params=[1, 2, 3])
def town(request):
    return generate_town(agents=12, steps=120, start_hour=12, seed=request.param)


def watch(trace, name, *, sight=4):
    """Replay under a schedule told `sight`; watch with the sight agents really have."""
    near = Neighbours(trace, sight=4, metric="chebyshev")
    check = CausalityCheck(trace, near)
    events: list[tuple[str, int, int]] = []

    def log(what, seconds, agents, steps):
        check(what, seconds, agents, steps)
        events.extend((what, *pair) for pair in zip(agents.tolist(), steps.tolist(), strict=True))

    schedule = make_schedule(name, trace, Setting(sight=sight, speed=1))
    replay(trace, schedule, preset_named("l4-8b").server(2), log=log)
    return check, events


def brute_force(trace, events):
    """Count, one by one, the starts before somebody within 4 tiles had reached that step."""
    clock = [0] * trace.n_agents
    early = pairs = 0
    for what, agent, step in events:
        if what == "finish":
            clock[agent] = step + 1
        if what == "start":
            far = np.abs(trace.positions[step] - trace.positions[step, agent]).max(axis=1)
            seen = [b for b in np.flatnonzero(far <= 4).tolist() if b != agent]
            pairs += len(seen)
            early += any(clock[b] < step for b in seen)
    return early, pairs


@pytest.mark.parametrize("name", [name for name in SCHEDULES if name != "unconstrained"])
def test_no_step_is_started_too_early_by_a_schedule_that_waits(town, name):
    check, events = watch(town, name)
    assert (check.too_early, check.first) == (0, None)
    assert brute_force(town, events) == (0, check.pairs)
    assert check.pairs > 100


def test_without_waiting_steps_are_started_too_early(town):
    check, events = watch(town, "unconstrained")
    assert (check.too_early, check.pairs) == brute_force(town, events)
    assert check.too_early > 100
    agent, step, behind = check.first
    assert ("start", agent, step) in events
    distance = np.abs(town.positions[step, agent] - town.positions[step, behind]).max()
    assert distance <= 4


def test_a_schedule_that_is_told_too_small_a_sight_is_found_out():
    town = generate_town(agents=25, steps=180, start_hour=12, seed=5)
    check, events = watch(town, "conservative", sight=0)
    assert check.too_early == brute_force(town, events)[0]
    assert check.too_early > 0


@pytest.mark.parametrize("name", list(SCHEDULES))
def test_who_jumps_goes_on_only_when_the_former_self_has_left(name):
    # Ann makes a call in each of 40 steps and jumps in step 20; Ben stands far away.
    positions = np.zeros((41, 2, 2), np.int32)
    positions[21:, 0] = 200
    positions[:, 1] = 500
    calls = Calls.from_columns(
        step=list(range(40)),
        agent=[0] * 40,
        function=["f"] * 40,
        prompt_tokens=[100] * 40,
        output_tokens=[20] * 40,
    )
    whole = Trace.build(
        meta=Meta(name="jump"), names=["Ann", "Ben"], positions=positions, calls=calls
    )
    split = resolve_jumps(whole, speed=1, on_jump="split")
    assert split.agents.follows.tolist() == [-1, -1, 0]
    preset = preset_named("l4-8b")
    alone = preset.server(1).lone_latency(calls.prompt_tokens, calls.output_tokens).sum()
    near = Neighbours(split, sight=4, metric="chebyshev")
    check = CausalityCheck(split, near)
    schedule = make_schedule(name, split, SETTING)
    outcome = replay(split, schedule, preset.server(2), log=check)
    assert outcome.seconds == pytest.approx(alone)
    assert outcome.agent_steps == 80
    assert check.too_early == 0
    latency = preset.server(1).lone_latency(split.calls.prompt_tokens, split.calls.output_tokens)
    assert critical_path(split, near, latency) == pytest.approx(alone)


def jumping(seed: int) -> Trace:
    """Six agents walk close together and now and then jump, some of them at once."""
    rng = np.random.default_rng(seed)
    moves = rng.integers(-1, 2, (30, 6, 2))
    moves += rng.integers(-6, 7, (30, 6, 2)) * (rng.random((30, 6, 1)) < 0.04)
    start = rng.integers(0, 12, (1, 6, 2))
    positions = start + np.concatenate((np.zeros((1, 6, 2), int), moves)).cumsum(axis=0)
    calls = Calls.from_columns(
        step=rng.integers(0, 30, 60),
        agent=rng.integers(0, 6, 60),
        function=["f"] * 60,
        prompt_tokens=rng.integers(1, 800, 60),
        output_tokens=rng.integers(1, 40, 60),
    )
    names = [f"agent {i}" for i in range(6)]
    whole = Trace.build(meta=Meta(name="jumps"), names=names, positions=positions, calls=calls)
    return resolve_jumps(whole, speed=1, on_jump="split")


@pytest.mark.parametrize("seed", range(15))
def test_among_those_who_jump_too_no_step_is_started_too_early(seed):
    trace = jumping(seed)
    assert (trace.agents.follows >= 0).any()
    result = compare(trace, setting=SETTING, preset=preset_named("l4-8b"), replicas=2)
    for row in result.rows:
        if row.schedule != "unconstrained":
            assert row.too_early == 0, row.schedule
            assert row.outcome.seconds >= result.critical_path_seconds - 1e-6, row.schedule


def test_to_start_before_the_former_self_has_left_is_too_early():
    trace = jumping(0)
    who = int(np.flatnonzero(trace.agents.follows >= 0)[0])
    former, step = int(trace.agents.follows[who]), int(trace.agents.first_step[who])
    near = Neighbours(trace, sight=0, metric="chebyshev")
    for left, first in [(False, (who, step, who)), (True, None)]:
        check = CausalityCheck(trace, near)
        for event, agent, at in [("publish", former, step - 1)] * left + [("start", who, step)]:
            check(event, 0.0, np.array([agent]), np.array([at]))
        assert check.first == first
