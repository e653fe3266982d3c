"""The log tells everything once and in order; the outcome's figures add up."""

from __future__ import annotations

import asyncio
import json

import pytest
from test_small_agents import Doer, line, run

from headway.engines.base import Answer, Engine
from headway.engines.scripted import ScriptedEngine
from headway.live import Action, Simulation
from headway.live import driver as driver_module
from headway.live import simulation as simulation_module
from headway.space import Grid, Plane
from headway.world import Place


class Fixed(Engine):
    """Answers at once, in five plus two tokens, three of them from the cache."""

    name = "fixed"

    async def complete(self, request):
        return Answer("well", 5, 2, 3)

    def statistics(self):
        return {"sold_apples": 7.0}


def everything(agent, view):
    if view.step == 0:
        return Action(
            move=(1, 0), say="hi", to="b", tell={"b": [1]}, write={"stove": {"on": True}},
            state=0.5, spawn=[Doer("a.kid", (0, 0))],
        )  # fmt: skip
    return Action(leave=True) if view.step == 1 else None


def small(**options):
    agents = [
        Doer("a", (0, 0), everything),
        Doer("b", (2, 0), lambda a, v: Action(say="well", to=["a", "b"]) if v.step else None),
    ]
    return Simulation(Grid(9, 9), agents, places=[Place("stove", (0, 1))], reach=2, **options)


@pytest.mark.parametrize("schedule", ["conservative", "lockstep", "serial"])
def test_all_kinds_of_events_are_told_in_order(schedule):
    events = []
    run(small(), 3, schedule=schedule, on_event=events.append)
    assert [json.loads(event.to_json()) for event in events] == [
        {"step": step, "agent": agent, "what": what, "data": data}
        for step, agent, what, data in (
            (0, "a", "move", [1, 0]),
            (0, "a", "say", ["hi", ["b"]]),
            (0, "a", "tell", ["b", [1]]),
            (0, "a", "write", ["stove", {"on": True}]),
            (0, "a", "state", 0.5),
            (0, "a", "spawn", "a.kid"),
            (1, "a", "leave", None),
            (1, "a.kid", "join", [0, 0]),
            (1, "b", "say", ["well", ["a", "b"]]),
            (2, "b", "say", ["well", ["a", "b"]]),
        )
    ]


def test_events_come_as_soon_as_they_are_final():
    told = []

    def step(agent, view):
        told.append((agent.name, view.step))
        return Action(state=view.step)

    run(line(step, step), 2, schedule="lockstep", on_event=lambda e: told.append(e.data))
    assert told == [("a0", 0), ("a1", 0), 0, 0, ("a0", 1), ("a1", 1), 1, 1]


@pytest.mark.parametrize("schedule", ["conservative", "lockstep"])
def test_the_last_one_to_leave_is_told_of(schedule):
    events = []
    run(line(lambda a, v: Action(leave=v.step == 2, state=v.step)), 9, schedule=schedule,
        on_event=events.append)  # fmt: skip
    assert [(e.step, e.what) for e in events] == [
        (0, "state"), (1, "state"), (2, "state"), (2, "leave")
    ]  # fmt: skip


def test_who_joins_later_is_told_of():
    events = []
    agents = [Doer("a", (0, 0)), Doer("b", (1, 0), joins=2)]
    run(Simulation(Grid(9, 9), agents), 4, on_event=events.append)
    assert [(e.step, e.agent, e.what) for e in events] == [(2, "b", "join")]


@pytest.mark.parametrize("first", [None, lambda event: None])
def test_every_run_has_its_own_on_event(first):
    events, simulation = [], line(lambda a, v: Action(state=v.step))
    run(simulation, 2, on_event=first)
    run(simulation, 4, on_event=events.append)
    assert [event.step for event in events] == [2, 3]


# What those who watch raise.


def raises_once(at):
    calls = []

    def call(*_):
        calls.append(1)
        if len(calls) == at:
            raise OSError("disk full")

    return call


@pytest.mark.parametrize("schedule", ["conservative", "lockstep"])
def test_a_run_whose_on_event_raised_can_go_on(schedule):
    step = lambda a, v: Action(state=v.step)  # noqa: E731
    simulation = line(step, step)
    with pytest.raises(OSError, match="disk full"):
        run(simulation, 5, schedule=schedule, on_event=raises_once(3))
    assert run(simulation, 5, schedule=schedule).finished


@pytest.mark.parametrize("at", [1, 2, 4])
def test_a_run_whose_progress_raised_can_go_on(at, monkeypatch):
    monkeypatch.setattr(simulation_module, "PROGRESS_EVERY", 0)

    async def step(agent, view):
        await view.llm.chat("hm")
        return Action(state=view.step)

    simulation = line(step, step)
    with pytest.raises(OSError, match="disk full"):
        run(simulation, 5, progress=raises_once(at))
    assert not simulation.outcome().finished
    outcome = run(simulation, 5)
    assert outcome.finished
    assert outcome.final == run(line(step, step), 5).final


def test_a_run_in_which_the_rule_of_a_place_raised_can_go_on():
    broken = [True]

    def rule(state, writes):
        if broken:
            raise ZeroDivisionError("division by zero")
        return writes[-1][1]

    simulation = Simulation(
        Grid(9, 9), [Doer("a", (0, 0), lambda a, v: Action(write={"sum": v.step}))],
        places=[Place("sum", (0, 1), rule=rule)],
    )  # fmt: skip
    with pytest.raises(Exception, match="'sum'"):
        run(simulation, 5)
    broken.clear()
    assert run(simulation, 5).final["places"] == {"sum": 4}


def test_progress_sees_figures_that_grow(monkeypatch):
    monkeypatch.setattr(simulation_module, "PROGRESS_EVERY", 0)
    seen = []

    def progress(simulation):
        outcome = simulation.outcome(final=False)
        assert outcome.final == {}
        seen.append((outcome.agent_steps, outcome.calls, outcome.seconds))

    async def step(agent, view):
        await view.llm.chat("hm")

    outcome = run(line(step, step), 4, progress=progress, engine="virtual")
    assert seen == sorted(seen)
    assert seen[-1] == (8, 8, outcome.seconds)


# The outcome.


def test_the_figures_of_a_small_run_add_up():
    async def step(agent, view):
        if agent.name == "a0":
            await view.llm.chat("one")
            await view.llm.chat("two")
        elif view.step == 1:
            raise ValueError("no luck")

    engine = Fixed()
    outcome = run(line(step, step), 3, engine=engine, on_error="skip", schedule="lockstep")
    assert (outcome.agent_steps, outcome.calls) == (6, 6)
    assert (outcome.prompt_tokens, outcome.output_tokens, outcome.cached_tokens) == (30, 12, 18)
    assert (outcome.schedule, outcome.engine, outcome.steps) == ("lockstep", "fixed", 3)
    assert (outcome.finished, outcome.modelled) == (True, False)
    assert (outcome.attempts_failed, len(outcome.failures)) == (1, 1)
    assert (outcome.lead_mean, outcome.lead_max) == (0, 0)
    assert outcome.calls_in_flight_max == 1
    assert outcome.engine_statistics == {"sold_apples": 7.0}
    assert outcome.seconds == pytest.approx(outcome.real_seconds, abs=0.01)
    parts = outcome.schedule_seconds + outcome.world_seconds + outcome.agents_seconds
    assert 0 < parts < outcome.real_seconds


def test_modelled_figures_add_up_exactly():
    async def step(agent, view):
        await view.llm.chat("one")

    engine = ScriptedEngine(latency=lambda request: 2.0 if request.agent == "a0" else 1.0)
    outcome = run(line(step, step), 4, engine=engine)
    assert (outcome.seconds, outcome.modelled) == (8.0, True)
    assert outcome.calls_in_flight_mean == (8 + 4) / 8
    assert outcome.calls_in_flight_max == 2
    # a1 starts its steps at 0, 1, 2, 3 s, when a0 is at steps 0, 0, 1, 1.
    assert outcome.lead_max in (1, 2)
    assert outcome.engine_statistics == {"requests": 8}
    barrier = run(line(step, step), 4, engine=engine, schedule="lockstep")
    assert (barrier.seconds, barrier.calls_in_flight_mean) == (8.0, 1.5)


def test_figures_go_on_over_several_runs():
    async def step(agent, view):
        await view.llm.chat("one")

    parts = line(step)
    for steps in (1, 2, 5):
        outcome = run(parts, steps, engine=ScriptedEngine(latency=lambda request: 1.0))
        assert (outcome.seconds, outcome.calls, outcome.calls_in_flight_mean) == (steps, steps, 1)


def test_steps_before_somebody_joins_do_not_count():
    agents = [Doer("a", (0, 0)), Doer("b", (9, 9), joins=3)]
    assert run(Simulation(Grid(20, 20), agents), 5).agent_steps == 5 + 2


def test_an_outcome_can_be_written_as_json_and_read_again():
    outcome = run(small(), 3)
    facts = outcome.to_dict()
    assert json.loads(json.dumps(facts)) == facts
    assert facts["digest"] == outcome.digest
    assert json.loads(json.dumps(outcome.final)) == outcome.final


def test_equal_results_have_equal_digests_and_others_have_not():
    assert run(small(), 3).digest == run(small(), 3, schedule="lockstep").digest
    assert run(small(), 3).digest != run(small(), 2).digest


def test_the_final_state_tells_where_everybody_is():
    final = run(small(), 3).final
    assert final == {
        "agents": {
            "a": {"clock": 2, "position": [1, 0], "left": 1},
            "a.kid": {"clock": 3, "position": [0, 0], "state": None, "said": None, "inbox": []},
            "b": {"clock": 3, "position": [2, 0], "state": None, "said": ["well", ["a", "b"]],
                  "inbox": []},
        },
        "places": {"stove": {"on": True}},
    }  # fmt: skip


def test_unread_messages_are_part_of_the_final_state():
    def step(agent, view):
        return Action(tell={"b": view.step}) if agent.name == "a" else None

    agents = [Doer("a", (0, 0), step), Doer("b", (1, 0), step)]
    assert run(Simulation(Grid(9, 9), agents), 3).final["agents"]["b"]["inbox"] == [["a", 2]]


def test_positions_on_a_plane_are_written_as_they_are():
    events = []
    agents = [Doer("a", (0.1, 0.2), lambda a, v: Action(move=(0.30000000000000004, 1 / 3)))]
    outcome = run(Simulation(Plane(2.0, 2.0), agents), 1, on_event=events.append)
    assert json.loads(events[0].to_json())["data"] == [0.30000000000000004, 1 / 3]
    assert outcome.final["agents"]["a"]["position"] == [0.30000000000000004, 1 / 3]


def test_how_fast_the_machine_is_does_not_change_modelled_times(monkeypatch):
    # When both `b` and `g` have their answers, `g` asks a hundred times in tasks of its own, and
    # `a` asks once, a batch later: which comes first at the server, where only 64 fit?
    async def a(agent, view):
        if view.step >= 2:
            await view.llm.chat("same", temperature=0)

    async def b(agent, view):
        if view.step == 0:
            await view.llm.chat("same", temperature=0)

    async def g(agent, view):
        if view.step == 1:
            await view.llm.chat("same", temperature=0)
        if view.step == 2:
            await asyncio.gather(*[view.llm.chat("same", temperature=0) for _ in range(100)])

    def seconds(turn_ns):
        monkeypatch.setattr(driver_module, "TURN_NS", turn_ns)
        agents = [Doer("a", (0, 0), a), Doer("b", (3, 0), b), Doer("g", (90, 0), g)]
        return run(Simulation(Grid(99, 1), agents), 4, engine="virtual").seconds

    assert seconds(0) == seconds(10**15)
