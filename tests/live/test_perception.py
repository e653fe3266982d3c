"""Who sees and hears what, and when; and that nothing is kept that nobody will read."""

from __future__ import annotations

from datetime import datetime
from random import Random

import pytest
from test_small_agents import Doer, line, run

from headway import _core
from headway.errors import BeyondSightError
from headway.live import Action, Simulation
from headway.space import Graph, Grid, Plane
from headway.world import Place

SCHEDULES = pytest.mark.parametrize("schedule", ["conservative", "lockstep", "serial"])


@SCHEDULES
def test_words_are_heard_once_by_exactly_those_who_see_the_speaker(schedule):
    heard = {}

    def step(agent, view):
        for words in view.heard:
            heard.setdefault(agent.name, []).append((view.step, words.speaker, words.text))
        assert view.heard == tuple(n.said for n in view.neighbours if n.said)
        return Action(say=f"{view.step}", to="b") if agent.name == "a" and view.step < 2 else None

    agents = [
        Doer("a", (10, 10), step), Doer("b", (14, 10), step), Doer("c", (15, 10), step),
        Doer("d", (11, 10), step, sight=0), Doer("e", (20, 10), step, sight=10),
    ]  # fmt: skip
    run(Simulation(Grid(30, 30), agents, sight=4), 5, schedule=schedule)
    assert heard == {name: [(1, "a", "0"), (2, "a", "1")] for name in ("b", "e")}


@SCHEDULES
def test_words_are_heard_where_the_speaker_has_gone(schedule):
    heard = []

    def speaker(agent, view):
        return Action(say="hello", move=view.toward((0, 0))) if view.step == 0 else None

    def listener(agent, view):
        heard.extend((agent.name, view.step, n.position) for n in view.neighbours if n.said)

    agents = [Doer("s", (5, 0), speaker), Doer("at 0", (0, 0), listener),
              Doer("at 9", (9, 0), listener)]  # fmt: skip
    run(Simulation(Grid(30, 3), agents, sight=4), 3, schedule=schedule)
    assert heard == [("at 0", 1, (4, 0))], "it has gone out of sight of one, into that of another"


@SCHEDULES
def test_messages_are_read_once_in_the_order_of_senders(schedule):
    inboxes = {}

    async def step(agent, view):
        if view.inbox:
            inboxes[agent.name, view.step] = [tuple(message) for message in view.inbox]
        if agent.name != "b":
            if view.step % 2:
                await view.llm.chat(agent.name)
            return Action(tell={"b": [agent.name, view.step]})

    agents = [Doer(name, (i, 0), step) for i, name in enumerate("cab")]
    outcome = run(Simulation(Grid(9, 9), agents, reach=3), 4, schedule=schedule)
    assert inboxes == {
        ("b", step): [("c", ("c", step - 1)), ("a", ("a", step - 1))] for step in (1, 2, 3)
    }
    assert outcome.final["agents"]["b"]["inbox"] == [["c", ["c", 3]], ["a", ["a", 3]]]


@SCHEDULES
def test_who_joins_is_seen_from_that_step_on_and_who_leaves_until_its_last(schedule):
    seen = []

    def step(agent, view):
        if agent.name == "a":
            seen.append([n.name for n in view.neighbours])
        return Action(leave=agent.name == "b" and view.step == 2)

    agents = [Doer("b", (1, 0), step), Doer("a", (0, 0), step),
              Doer("c", (2, 0), step, joins=2, state=7)]  # fmt: skip
    run(Simulation(Grid(9, 9), agents), 5, schedule=schedule)
    assert seen == [["b"], ["b"], ["b", "c"], ["c"], ["c"]]


@SCHEDULES
def test_neighbours_stand_in_the_order_of_agents_whoever_joined_when(schedule):
    seen = []

    def step(agent, view):
        if agent.name == "z":
            seen.append("".join(n.name[-1] for n in view.neighbours))
        if agent.name == "a" and view.step in (0, 2):
            return Action(spawn=[Doer(f"a{view.step}", (0, 0), step, state=view.step)])
        return None

    agents = [Doer("j", (1, 0), step, joins=1), Doer("a", (0, 0), step), Doer("b", (0, 1), step),
              Doer("z", (1, 1), step)]  # fmt: skip
    run(Simulation(Grid(9, 9), agents), 4, schedule=schedule)
    assert seen == ["ab", "ja0b", "ja0b", "ja02b"]


@SCHEDULES
def test_states_and_places_are_those_of_the_own_step(schedule):
    """One is slow, the other is not: each sees the other as it was, however far ahead that is."""
    seen = []

    async def slow(agent, view):
        await view.llm.chat("hm")
        other, place = view.agent("fast"), view.place("clock")
        seen.append((view.step, other.state, place.state))

    def fast(agent, view):
        return Action(state=view.step, write={"clock": view.step})

    agents = [Doer("slow", (0, 0), slow, speed=0, reach=0), Doer("fast", (4, 0), fast)]
    space, places = Grid(9, 9), [Place("clock", (4, 1), state="start")]
    outcome = run(Simulation(space, agents, places=places, sight=4), 4, schedule=schedule)
    assert seen == [(0, None, "start"), (1, 0, 0), (2, 1, 1), (3, 2, 2)]
    assert (outcome.lead_max > 1) == (schedule == "conservative") or outcome.lead_max <= 1


def test_a_place_is_seen_from_as_far_as_sight_and_no_farther():
    seen = {}

    def step(agent, view):
        seen[agent.name] = [(p.name, p.distance, p.state) for p in view.places]
        if agent.name == "one farther":
            with pytest.raises(BeyondSightError, match="5 away; its sight is 4"):
                view.place("clock")
        else:
            assert view.place("clock").state == "noon"

    agents = [Doer("as far", (4, 0), step), Doer("one farther", (5, 0), step)]
    places = [Place("clock", (0, 0), state="noon")]
    run(Simulation(Grid(9, 9), agents, places=places, sight=4), 1)
    assert seen == {"as far": [("clock", 4, "noon")], "one farther": []}


def test_time_passes_with_the_own_steps():
    times = []
    simulation = line(lambda a, v: times.append(v.time), seconds_per_step=90.0,
                      start=datetime(2031, 5, 1, 8))  # fmt: skip
    run(simulation, 3)
    assert times == [datetime(2031, 5, 1, 8, minute, second) for minute, second in
                     ((0, 0), (1, 30), (3, 0))]  # fmt: skip


def test_chance_depends_on_seed_agent_and_step_only():
    def draws(seed, schedule):
        drawn = {}

        async def step(agent, view):
            if agent.name == "a1":
                await view.llm.chat("hm")
            drawn[agent.name, view.step] = (view.random.random(), view.random.randrange(1000))

        run(line(step, step, seed=seed), 4, schedule=schedule)
        return drawn

    assert draws(1, "conservative") == draws(1, "lockstep")
    assert not set(draws(1, "serial").values()) & set(draws(2, "serial").values())
    assert len(set(draws(1, "serial").values())) == 8


GRAPH = Graph([(i, i + 1) for i in range(39)])
needs_graphs = pytest.mark.skipif(
    not hasattr(_core, "Graph"), reason="the extension knows no graphs yet"
)


@pytest.mark.parametrize(
    "space", [Grid(40, 40), Plane(40.0, 40.0), pytest.param(GRAPH, marks=needs_graphs)]
)
def test_a_long_run_keeps_no_more_than_its_agents_are_apart(space):
    on_graph, most = isinstance(space, Graph), []

    async def step(agent, view):
        chance = Random(f"{agent.name} {view.step}")
        if chance.random() < 0.1:
            await view.llm.chat("hm")
        goal = chance.randrange(39)
        places = [place.name for place in view.places if place.distance <= 1]
        near = [n.name for n in view.neighbours if n.distance <= 1]
        world = simulation.state.world
        most.append(world.versions)
        return Action(
            move=view.toward(goal if on_graph else (goal, 2)), state=[view.step], say="hm",
            tell=dict.fromkeys(near, 1), write=dict.fromkeys(places, view.step),
        )  # fmt: skip

    agents = [Doer(f"a{i}", 3 * i if on_graph else (3 * i, 2), step) for i in range(8)]
    places = [Place(f"p{i}", 5 * i if on_graph else (5 * i, 2)) for i in range(7)]
    simulation = Simulation(space, agents, places=places, sight=2)
    events = []
    outcome = run(simulation, 120, on_event=events.append)
    world, driver = simulation.state.world, simulation._driver
    # Positions, states and words of the steps between the slowest and the fastest agent.
    window = outcome.lead_max + 3
    assert max(most) <= 8 * window
    assert world.versions <= 8 * 3
    assert max(map(len, world._states)) <= window
    assert max(map(len, world._said)) <= window
    assert sum(map(len, world._inbox)) <= 8
    assert not world._written
    assert sum(len(v._writes) for v in world._versions) == 0
    assert max(len(v._cache) for v in world._versions) <= 1
    assert not driver.log._steps
    for left in (driver.started, driver.attempts, driver._views, driver._snapshots,
                 driver._limits, driver._again, driver._ended, driver._timed_out):  # fmt: skip
        assert not left
    assert len(events) > 120 * 8


def test_who_comes_and_goes_leaves_little_behind():
    def mayfly(agent, view):
        return Action(leave=True, say="bye", state=1, tell={"queen": "bye"})

    def queen(agent, view):
        kid = Doer(f"kid {view.step}", view.position, mayfly)
        return Action(spawn=[kid], tell={n.name: "hello" for n in view.neighbours})

    simulation = Simulation(Grid(9, 9), [Doer("queen", (0, 0), queen)])
    outcome = run(simulation, 100)
    assert outcome.agent_steps == 199
    world = simulation.state.world
    assert world.versions <= 101, "one for everybody who ever was there"
    assert sum(map(len, world._states)) <= 2 * 100
    assert sum(map(len, world._said)) <= 100


def test_letters_to_those_who_have_left_are_thrown_away():
    def mayfly(agent, view):
        return Action(leave=True)

    def queen(agent, view):
        kid = Doer(f"kid {view.step}", view.position, mayfly)
        return Action(spawn=[kid], tell={n.name: "hello" for n in view.neighbours})

    simulation = Simulation(Grid(9, 9), [Doer("queen", (0, 0), queen)])
    run(simulation, 50)
    assert sum(map(len, simulation.state.world._inbox)) <= 1
