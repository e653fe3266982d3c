"""Live simulations give, out of order, what lock-step gives: to the byte, for every seed.

HEADWAY_LIVE_SEEDS=5000 tries more worlds; HEADWAY_SEED=17 only that one, HEADWAY_CASE='...' one
case as a failure prints it.
"""

from __future__ import annotations

import os
from functools import partial

import pytest

from headway import Scheduler
from headway.engines.scripted import ScriptedEngine, random_latency
from headway.schedules import live
from headway.testing import (
    NotAsLockstepError,
    assert_same_as_lockstep,
    random_setup,
    random_simulation,
)

STEPS = 25
SEEDS = int(os.environ.get("HEADWAY_LIVE_SEEDS", "40"))


def mostly_overtaken(proof) -> None:
    assert proof.runs == 1 or proof.overtaken > proof.runs * 0.8, str(proof)


def test_out_of_order_gives_what_lockstep_gives():
    mostly_overtaken(assert_same_as_lockstep(random_setup, seeds=SEEDS, steps=STEPS))


def test_an_interrupted_run_gives_what_lockstep_gives():
    seeds = range(10_000, 10_000 + SEEDS // 2)
    mostly_overtaken(
        assert_same_as_lockstep(random_setup, seeds=seeds, steps=STEPS, interrupt=True)
    )


@pytest.mark.slow
def test_hundreds_of_worlds_give_what_lockstep_gives():
    seeds = range(20_000, 20_000 + 10 * SEEDS)
    mostly_overtaken(
        assert_same_as_lockstep(random_setup, seeds=seeds, steps=STEPS, interrupt=True)
    )


@pytest.mark.parametrize("schedule", ["serial", "lockstep", "conservative"])
def test_the_order_within_a_step_does_not_matter(schedule):
    def run(seed, schedule, engine):
        events = []
        random_simulation(seed).run(STEPS, schedule=schedule, engine=engine, on_event=events.append)
        return events

    for seed in range(6):
        assert run(seed, schedule, "null") == run(seed, "lockstep", "scripted:9"), seed


def test_equal_runs_are_equal_in_every_count():
    for seed in range(20, 24):
        first, second = (
            random_simulation(seed).run(STEPS, engine=ScriptedEngine(latency=random_latency(4)))
            for _ in range(2)
        )
        assert first.seconds == second.seconds
        assert first.lead_mean == second.lead_mean
        assert first.calls_in_flight_mean == second.calls_in_flight_mean


def loosened(kept, positions, *, sight, speed, reach, story_capacity=0, **options):
    """Make a scheduler that is told less than the truth of sight, reach or speed."""
    told = {"sight": sight, "speed": speed, "reach": reach}
    less = [max(0, value - 1) for value in told[kept]]
    if kept == "reach":
        less = [max(value, least) for value, least in zip(less, speed, strict=True)]
    told[kept] = less
    return Scheduler(positions, **told, **options)


@pytest.mark.parametrize("what", ["sight", "reach"])
def test_a_rule_one_notch_too_loose_is_noticed(what, monkeypatch):
    monkeypatch.setattr(live, "Scheduler", partial(loosened, what))
    noticed = 0
    for seed in range(30):
        setup = random_setup(seed)
        spawns = setup.simulation.state.agents[0].world.habits.spawns
        if spawns:
            continue  # the scheduler itself refuses what does not fit what it was told
        try:
            assert_same_as_lockstep(random_setup, seeds=[seed], steps=STEPS, must_overtake=False)
        except NotAsLockstepError as error:
            noticed += 1
            assert "a bug of Headway" in str(error)
            break
    assert noticed
