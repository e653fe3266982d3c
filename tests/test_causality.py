"""The check that no step was started too early, against brute force, and on real schedules."""

from __future__ import annotations

import numpy as np
import pytest

from headway.causality import CausalityCheck
from headway.engines import preset_named
from headway.generate import generate_town
from headway.replay import replay
from headway.schedules import SCHEDULES, Setting, make_schedule
from headway.schedules.neighbours import Neighbours

SETTING = Setting(sight=4, speed=1)


@pytest.fixture(scope="module", params=[1, 2, 3])
def town(request):
    return generate_town(agents=12, steps=120, start_hour=12, seed=request.param)


def watch(trace, name, *, sight=4):
    """Replay under a schedule told `sight`; watch with the sight agents really have."""
    near = Neighbours(trace, sight=4, metric="chebyshev")
    check = CausalityCheck(trace.n_agents, near)
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
