"""The Hypothesis strategies draw valid things, of every kind, which shrink."""

from __future__ import annotations

import math

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from headway import Action, Agent, Graph, Grid, Plane, Simulation
from headway.engines.base import Message, Request
from headway.engines.scripted import ScriptedEngine
from headway.errors import OptionError
from headway.testing import Case, Order, World, assert_same_as_lockstep
from headway.testing.difference import first_difference
from headway.testing.running import Factory, run
from headway.testing.strategies import (
    footprints,
    latencies,
    orders,
    positions,
    spaces,
    worlds,
)
from headway.testing.worlds import KINDS

#: Nothing is kept from run to run.
FEW = settings(max_examples=25, database=None)
FINDING = settings(max_examples=300, database=None, suppress_health_check=list(HealthCheck))


@FEW
@given(st.data())
def test_in_every_space_somebody_can_stand_and_go(data):
    space = data.draw(spaces(side_max=12))
    here, there = data.draw(positions(space)), data.draw(positions(space))
    assert space.check(here) == here
    assert space.distance(here, there) >= 0
    assert space.distance(here, here) == 0
    assert space.distance(here, space.toward(here, there, 1)) <= 1 + 1e-9
    assert Simulation(space, [Agent("a", here), Agent("b", there)]).final_state()


@given(spaces(["walls", "grid", "graph"], side_max=3), st.data())
def test_the_smallest_spaces_have_room_too(space, data):
    spot = data.draw(positions(space))
    assert space.check(spot) == spot


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_space_is_drawn_by_its_name(kind):
    space = find(spaces([kind]), lambda space: True, settings=FINDING)
    expected = {"graph": Graph, "plane": Plane, "torus": Plane}.get(kind, Grid)
    assert type(space) is expected
    assert bool(space.wrap) == (kind in {"wrap", "torus"})


@pytest.mark.parametrize(
    "looks",
    [
        lambda space: isinstance(space, Grid) and space.walls.any() and not space.walls.all(),
        lambda space: isinstance(space, Grid) and space.diagonal,
        lambda space: isinstance(space, Plane) and space.metric == "euclidean",
        lambda space: isinstance(space, Graph) and len(space) > 5,
        lambda space: getattr(space, "wrap", None),
    ],
)
def test_spaces_of_every_look_are_found(looks):
    assert find(spaces(side_max=8), looks, settings=FINDING) is not None


@given(st.data(), st.integers(0, 9), st.integers(0, 4), st.booleans())
def test_footprints_are_valid_wherever_they_are_given(data, sight_max, speed_max, whole):
    footprint = data.draw(footprints(sight_max=sight_max, speed_max=speed_max, whole=whole))
    assert footprint["sight"] <= sight_max
    assert footprint["speed"] <= speed_max
    assert footprint["reach"] >= footprint["speed"]
    space = Grid(9, 9) if whole else Plane(9.0, 9.0)
    spot = (0, 0) if whole else (0.0, 0.0)
    state = Simulation(space, [Agent("a", spot, **footprint)]).state
    assert state.reach == [footprint["reach"]]
    if whole:
        assert all(type(value) is int for value in footprint.values())


def asked(agent, step, call):
    return Request((Message("user", "hello"),), agent=agent, step=step, call=call)


@given(latencies(), st.text(max_size=3), st.integers(0, 99), st.integers(0, 3))
def test_latencies_are_finite_and_a_function_of_the_request(latency, agent, step, call):
    took = latency(asked(agent, step, call))
    assert 0 <= took < math.inf
    assert latency(asked(agent, step, call)) == took


def test_latencies_of_all_kinds_are_found():
    requests = [asked("a", step, 0) for step in range(30)]

    def spread(latency):
        took = [latency(request) for request in requests]
        return max(took) > 10 * min(took) and max(took) > 5

    assert find(latencies(), spread, settings=FINDING)


class Talker(Agent):
    async def step(self, view):
        return Action(say=(await view.llm.chat(f"step {view.step}")).text)


@FEW
@given(latencies(), st.sampled_from(["conservative", "lockstep"]))
def test_a_run_with_drawn_latencies_ends(latency, schedule):
    people = [Talker(f"a{i}", (30 * i, 0)) for i in range(2)]
    engine = ScriptedEngine(latency=latency)
    outcome = Simulation(Grid(60, 9), people).run(4, engine=engine, schedule=schedule)
    assert outcome.finished
    slowest = max(sum(latency(asked(a.name, step, 0)) for step in range(4)) for a in people)
    if schedule == "conservative":
        assert outcome.seconds == pytest.approx(slowest)


# Orders.


@given(orders(["a", "b"], steps=5))
def test_drawn_orders_delay_only_who_was_named_and_what_there_is(order):
    for (agent, step, what), delay in order._delays.items():
        assert agent in {"a", "b"}
        assert step in range(5)
        assert what in {"start", "end", "answer 0", "answer 1"}
        assert 0 <= delay <= 60
    assert order.delay("c", 0, "start") == 0
    assert order.delay("a", 5, "start") == 0


@given(orders())
def test_orders_without_names_are_drawn_by_their_numbers(order):
    assert isinstance(order.seed, int)
    again = Order(order.seed)
    for step in range(9):
        assert order.delay("anybody", step, "start") == again.delay("anybody", step, "start")


def test_orders_shrink_to_the_one_delay_that_matters():
    def late(order):
        return order.delay("b", 3, "end") > order.delay("a", 3, "end") + 1

    order = find(orders(["a", "b", "c"], steps=6), late, settings=FINDING)
    ((moment, delay),) = order._delays.items()
    assert moment == ("b", 3, "end")
    assert 1 < delay <= 2
    assert find(orders(["a"]), lambda order: True, settings=FINDING)._delays == {}
    assert find(orders(), lambda order: True, settings=FINDING).seed == 0


def test_orders_of_nobody_are_refused():
    for given_wrong in ({"agents": []}, {"agents": ["a"], "steps": 0}):
        with pytest.raises(OptionError, match="orders of"):
            orders(**given_wrong)
    with pytest.raises(NoSuchExample):
        find(orders(["a"]), lambda order: order.delay("b", 0, "start"), settings=FINDING)


# Worlds.


@settings(max_examples=15, database=None)
@given(worlds())
def test_drawn_worlds_are_as_in_lockstep(world):
    proof = assert_same_as_lockstep(
        world.setup, seeds=1, steps=6, orders=2, must_overtake=False, interrupt=True
    )
    assert proof.runs == 2


@settings(max_examples=10, database=None)
@given(st.data())
def test_drawn_worlds_are_as_in_lockstep_in_drawn_orders(data):
    world = data.draw(worlds())
    names = [name for name, *_ in world.agents]
    order = data.draw(orders(names, steps=6))
    case = Case(0, 6, late=tuple(order._delays.items()))
    factory = Factory(world.setup)
    expected, found = (run(factory, case, schedule) for schedule in ("lockstep", "conservative"))
    assert first_difference(expected, found, 6) is None


@given(worlds())
def test_a_world_is_data_and_makes_a_simulation_as_often_as_is_wanted(world):
    assert isinstance(world, World)
    first, second = world.simulation(), world.simulation()
    assert first.final_state() == second.final_state()
    assert first.state.agents[0] is not second.state.agents[0]
    assert len(first.state.names) == len(world.agents) >= 2
    assert repr(world).startswith("World(space=")


@pytest.mark.parametrize(
    "trait",
    [
        lambda world: world.habits.spawns and len(world.agents) > 3,
        lambda world: world.faults,
        lambda world: any(footprint for _, _, footprint, _ in world.agents),
        lambda world: isinstance(world.space, Graph),
        lambda world: world.footprint[2] > world.footprint[1],
    ],
)
def test_worlds_of_every_trait_are_found(trait):
    assert trait(find(worlds(), trait, settings=settings(FINDING, phases=[Phase.generate])))


def test_worlds_shrink():
    world = find(worlds(), lambda world: len(world.agents) > 2, settings=FINDING)
    assert [name for name, *_ in world.agents] == ["p0", "p1", "p2"]
    assert isinstance(world.space, Grid)
    assert (world.space.width, world.seed, world.faults, world.habits.talks) == (2, 0, 0, 0)
