"""Whatever an agent returns or asks for, it is done in full, or refused in full and explained."""

from __future__ import annotations

import json

import numpy as np
import pytest
from test_small_agents import Doer, line, run

from headway.errors import NameTakenError, StepFailedError, ViewClosedError
from headway.live import Action, Agent, Simulation
from headway.space import Grid, Plane
from headway.world import Place

#: One for all runs: its address is part of what is told of it.
OBJECT = object()
NAN, INF = float("nan"), float("inf")


def little_town(do, schedule="conservative", **options):
    """Run `bad` for three steps among others; return the outcome and the events."""
    agents = [
        Doer("bad", (10, 10), do, state="as before", reach=2),
        Doer("near", (12, 10), lambda a, v: Action(state=[n.name for n in v.neighbours])),
        Doer("seen", (14, 10)),
        Doer("away", (0, 0)),
    ]
    places = [Place("stove", (11, 10)), Place("door", (14, 14)), Place("well", (0, 20))]
    space = Grid(21, 21, walls=[(10, 11), (9, 10)])
    events = []
    simulation = Simulation(space, agents, places=places, sight=4)
    outcome = run(
        simulation, 3, schedule=schedule, engine="null",
        on_event=lambda event: events.append(event.to_json()), **options,
    )  # fmt: skip
    return outcome, events


def in_step_1(make):
    """Let an agent do something in step 1 only."""
    return lambda agent, view: make(view) if view.step == 1 else None


def harmless(**bad):
    """Return a bad action that also holds effects which would be allowed."""
    return Action(**{"say": "hello", "state": "changed", **bad})


async def _generator(view):
    yield Action()


def _deep():
    value = []
    for _ in range(60):
        value = [value]
    return value


def _round():
    value = []
    value.append(value)
    return value


def kid(name="kid", position=(10, 10), **options):
    return Agent(name, position, **options)


def without_init():
    return Agent.__new__(Agent)


#: What is wrong -> what the step returns, and a part of the message.
REFUSED = {
    "text": (lambda v: "north", "returned a str"),
    "a number": (lambda v: 0, "returned a int"),
    "a list of actions": (lambda v: [Action()], "returned a list"),
    "a dictionary": (lambda v: {"move": (0, 0)}, "returned a dict"),
    "the class": (lambda v: Action, "returned a type"),
    "a function": (lambda v: harmless, "returned a function"),
    "a coroutine function": (lambda v: Doer.step, "returned a function"),
    "an asynchronous generator": (_generator, "returned a async_generator"),
    "not implemented": (lambda v: NotImplemented, "returned a NotImplementedType"),
    "the view": (lambda v: v, "returned a View"),
    "move: not a number": (lambda v: harmless(move=(NAN, 10)), "NaN|nan|whole"),
    "move: infinite": (lambda v: harmless(move=(INF, 10)), "inf|whole"),
    "move: huge": (lambda v: harmless(move=(10**400, 10)), "outside|not a|too"),
    "move: between tiles": (lambda v: harmless(move=(10.5, 10)), "10.5"),
    "move: one coordinate": (lambda v: harmless(move=(10,)), r"\(10,\)"),
    "move: three coordinates": (lambda v: harmless(move=(10, 10, 10)), r"\(10, 10, 10\)"),
    "move: a name": (lambda v: harmless(move="stove"), "stove"),
    "move: an object": (lambda v: harmless(move=OBJECT), "object"),
    "move: too far": (lambda v: harmless(move=(10, 8)), "distance 2, its speed is 1"),
    "move: far too far": (lambda v: harmless(move=(0, 0)), "distance 10, its speed is 1"),
    "move: into a wall": (lambda v: harmless(move=(9, 10)), "wall"),
    "move: round a corner": (lambda v: harmless(move=(11, 11)), "distance|wall|diagonal|way"),
    "move: out of the world": (lambda v: harmless(move=(-1, 10)), "outside|-1"),
    "say: not text": (lambda v: harmless(say=["hi"]), "not text"),
    "to: none": (lambda v: harmless(to=None), "."),
    "to: a number": (lambda v: harmless(to=3), "."),
    "tell: unknown": (lambda v: harmless(tell={"nobody": 1}), "'nobody', whom it does not see"),
    "tell: itself": (lambda v: harmless(tell={"bad": 1}), "'bad', whom it does not see"),
    "tell: out of sight": (lambda v: harmless(tell={"away": 1}), "'away', whom it does not see"),
    "tell: out of reach": (lambda v: harmless(tell={"seen": 1}), "4 away; its reach is 2"),
    "tell: not by name": (lambda v: harmless(tell={1: 1}), "whom it does not see"),
    "tell: one good, one bad": (lambda v: harmless(tell={"near": 1, "away": 1}), "'away'"),
    "tell: a set": (lambda v: harmless(tell={"near": {1}}), "holds a set"),
    "tell: not a mapping": (lambda v: harmless(tell="near"), "."),
    "write: unknown": (lambda v: harmless(write={"bar": 1}), "'bar'; there is no such place"),
    "write: out of reach": (lambda v: harmless(write={"door": 1}), "4 away; its reach is 2"),
    "write: out of sight": (lambda v: harmless(write={"well": 1}), "its reach is 2"),
    "write: one good, one bad": (lambda v: harmless(write={"stove": 1, "well": 1}), "'well'"),
    "write: an array": (lambda v: harmless(write={"stove": np.zeros(2)}), "holds a ndarray"),
    "state: a set": (lambda v: harmless(state={1}), "holds a set"),
    "state: an object": (lambda v: harmless(state=[object()]), "holds a object"),
    "state: numbers as keys": (lambda v: harmless(state={1: 1}), "keys must be text"),
    "state: too deep": (lambda v: harmless(state=_deep()), "nested more than"),
    "state: contains itself": (lambda v: harmless(state=_round()), "nested more than"),
    "state: bytes": (lambda v: harmless(state=b"abc"), "holds a bytes"),
    "state: a complex number": (lambda v: harmless(state=1j), "holds a complex"),
    "spawn: not a list": (lambda v: harmless(spawn=kid()), "."),
    "spawn: not an agent": (lambda v: harmless(spawn=["kid"]), "not an Agent"),
    "spawn: without init": (lambda v: harmless(spawn=[without_init()]), "."),
    "spawn: itself": (lambda v: harmless(spawn=[kid("bad")]), "there is or was one"),
    "spawn: a name that is taken": (lambda v: harmless(spawn=[kid("away")]), "there is or was one"),
    "spawn: twins": (lambda v: harmless(spawn=[kid(), kid()]), "there is or was one"),
    "spawn: in a wall": (lambda v: harmless(spawn=[kid(position=(10, 11))]), "wall"),
    "spawn: out of reach": (lambda v: harmless(spawn=[kid(position=(10, 13))]), "3 away"),
    "spawn: with a reach of its own": (
        lambda v: harmless(spawn=[kid(position=(11, 10), reach=3)]),
        "1 away; with their reaches it must be within 0",
    ),
    "spawn: faster": (lambda v: harmless(spawn=[kid(speed=2)]), "faster"),
    "spawn: one good, one bad": (lambda v: harmless(spawn=[kid(), kid("away")]), "'away'"),
}

#: What is wrong with a child, and only shows when it is about to join.
REFUSED_CHILDREN = {
    "a state that is not plain": kid(state=object()),
    "a name that is not text": kid(7),
    "no name": kid(""),
    "a sight that is no number": kid(sight=NAN),
    "a sight below 0": kid(sight=-1),
    "a sight without end": kid(sight=INF),
    "a speed below 0": kid(speed=-1),
    "a reach below its speed": kid(reach=0),
    "a day it joins on": kid(joins=50),
}


def refused(make, message):
    """Assert that an action is refused, and that nothing of it is done."""
    idle, quiet = little_town(lambda a, v: None)
    results = [
        little_town(in_step_1(make), schedule, on_error="skip")
        for schedule in ("lockstep", "conservative")
    ]
    for outcome, events in results:
        assert outcome.final == idle.final
        assert [e for e in events if json.loads(e)["what"] != "skip"] == quiet
        assert [(f.agent, f.step, f.then) for f in outcome.failures] == [("bad", 1, "skip")]
    assert results[0][0].failures == results[1][0].failures
    assert results[0][1] == results[1][1]
    with pytest.raises(StepFailedError, match=message) as told:
        little_town(in_step_1(make))
    assert "step 1 of 'bad' failed" in str(told.value)
    assert (told.value.agent, told.value.step, told.value.attempts) == ("bad", 1, 1)
    assert isinstance(told.value.__cause__, Exception)


@pytest.mark.parametrize("what", REFUSED)
def test_an_action_that_cannot_be_is_refused_in_full(what):
    refused(*REFUSED[what])


@pytest.mark.parametrize("what", REFUSED_CHILDREN)
def test_a_child_that_cannot_be_is_refused_in_full(what):
    refused(lambda view: harmless(spawn=[REFUSED_CHILDREN[what]]), "kid|7|''")


@pytest.mark.parametrize("schedule", ["conservative", "lockstep"])
def test_who_has_no_speed_stays_where_it_is(schedule):
    def step(agent, view):
        return Action(move=(1, 0), say="I go")

    sitter = Doer("sitter", (0, 0), step, speed=0, reach=4)
    outcome = run(
        Simulation(Grid(9, 9), [sitter]), 1, schedule=schedule, engine="null", on_error="skip"
    )
    assert [f.error.partition(":")[0] for f in outcome.failures] == ["OverSpeedError"]
    assert outcome.final["agents"]["sitter"]["position"] == [0, 0]


def test_a_coroutine_that_was_not_awaited_is_refused():
    async def decide():
        return Action()

    async def step(agent, view):
        return never

    never = decide()
    with pytest.raises(StepFailedError, match="returned a coroutine"):
        run(line(step), 1)
    never.close()


def test_numpy_values_are_as_good_as_plain_ones():
    plain, told = little_town(
        in_step_1(lambda v: Action(move=(10, 9), state=[1, 0.5, True], write={"stove": 3}))
    )
    numbers = [np.int64(1), np.float64(0.5), np.bool_(True)]
    for move in (np.array([10, 9]), (np.int64(10), np.int32(9)), [10, 9]):
        given, events = little_town(
            in_step_1(lambda v, m=move: Action(move=m, state=numbers, write={"stove": np.int8(3)}))
        )
        assert given.final == plain.final
        assert given.digest == plain.digest
        assert events == told


@pytest.mark.parametrize("position", [(NAN, 1.0), (INF, 1.0), (3.01, 1.0), ("1", 1.0), (None, 1.0)])
def test_a_plane_refuses_what_is_no_place(position):
    agents = [Doer("a", (1.0, 1.0), lambda a, v: Action(move=position))]
    with pytest.raises(StepFailedError, match="step 0 of 'a' failed"):
        run(Simulation(Plane(3.0, 3.0), agents, speed=9), 1)


def test_a_huge_integer_does_not_break_the_run_when_it_is_over():
    outcome, events = little_town(in_step_1(lambda v: Action(state=10**400)))
    assert outcome.digest
    assert str(10**400) in events[1]


def test_an_enormous_integer_does_not_break_the_run_when_it_is_over():
    outcome, _ = little_town(in_step_1(lambda v: Action(state=10**5000)), on_error="skip")
    assert outcome.digest


@pytest.mark.parametrize("value", [NAN, INF])
def test_a_value_that_is_no_json_is_refused(value):
    refused(lambda view: harmless(state=value), "finite")


def test_those_whom_words_are_meant_for_are_names():
    names = ["near"]
    refused(lambda view: harmless(to=[names]), "name")


# What others can see does not change when its owner goes on changing it.


def test_what_an_agent_goes_on_changing_is_not_changed_for_others():
    seen = []
    shared = {"mood": ["calm"]}
    names = ["b"]

    def owner(agent, view):
        if view.step == 0:
            return Action(
                state=shared, tell={"b": shared}, write={"board": shared}, say="hi", to=names
            )
        shared["mood"].append("angry")
        names.append("c")
        return None

    def other(agent, view):
        if view.step == 1:
            (message,), (place,), (neighbour,) = view.inbox, view.places, view.neighbours
            seen.extend([message.body, place.state, neighbour.state])
            assert neighbour.said.to == ("b",)

    agents = [Doer("a", (0, 0), owner), Doer("b", (1, 0), other)]
    run(Simulation(Grid(9, 9), agents, places=[Place("board", (0, 1))]), 3)
    assert len(seen) == 3
    for value in seen:
        assert dict(value) == {"mood": ("calm",)}
        with pytest.raises(TypeError):
            value["mood"] = "other"
        with pytest.raises(AttributeError):
            value["mood"].append("other")


def test_an_action_may_be_used_again_and_changed():
    action = Action(state=0, write={"board": 0})

    def step(agent, view):
        action.state = view.step
        action.write["board"] = view.step * 10
        return action

    told = []
    agents = [Doer("a", (0, 0), step)]
    run(
        Simulation(Grid(9, 9), agents, places=[Place("board", (0, 1))]), 3,
        on_event=lambda event: told.append(event.data),
    )  # fmt: skip
    assert told == [("board", 0), 0, ("board", 10), 1, ("board", 20), 2]


# Looking beyond the footprint.

LOOKS = {
    "at a place out of sight": (lambda v: v.place("well"), "'well' in step 1, which is 10 away"),
    "at a place there is not": (lambda v: v.place("moon"), "there is no place 'moon'"),
    "at somebody out of sight": (lambda v: v.agent("away"), "does not see 'away' in step 1"),
    "at somebody there is not": (lambda v: v.agent("nobody"), "does not see 'nobody' in step 1"),
    "at itself": (lambda v: v.agent("bad"), "does not see 'bad' in step 1"),
}


@pytest.mark.parametrize("what", LOOKS)
def test_a_look_beyond_sight_says_how_far_it_was(what):
    look, message = LOOKS[what]
    with pytest.raises(StepFailedError, match=message):
        little_town(in_step_1(look))


def test_a_look_within_sight_is_offered():
    def step(agent, view):
        assert [n.name for n in view.neighbours] == ["near", "seen"]
        assert [n.distance for n in view.neighbours] == [2, 4]
        assert [p.name for p in view.places] == ["stove", "door"]
        assert view.agent("seen").position == (14, 10)
        assert view.place("door").distance == 4
        assert (view.name, view.position, view.sight) == ("bad", (10, 10), 4)

    little_town(step)


def test_a_view_is_closed_when_its_step_has_ended():
    views = []
    little_town(lambda a, view: views.append(view))
    for view in views:
        for read in (
            lambda v: v.name, lambda v: v.position, lambda v: v.state, lambda v: v.sight,
            lambda v: v.time, lambda v: v.random, lambda v: v.llm, lambda v: v.neighbours,
            lambda v: v.agent("near"), lambda v: v.heard, lambda v: v.inbox, lambda v: v.places,
            lambda v: v.place("stove"), lambda v: v.space, lambda v: v.areas,
            lambda v: v.toward((0, 0)),
        ):  # fmt: skip
            with pytest.raises(ViewClosedError, match=f"step {view.step} was read after"):
                read(view)


@pytest.mark.parametrize("when", ["failed", "refused"])
def test_a_view_is_closed_when_its_attempt_has_failed(when):
    views = []

    def step(agent, view):
        views.append(view)
        if when == "failed":
            raise RuntimeError("no")
        return "nonsense"

    run(line(step), 1, on_error="skip")
    with pytest.raises(ViewClosedError):
        _ = views[0].position


# Leaving and bringing about others.


@pytest.mark.parametrize("schedule", ["lockstep", "conservative"])
def test_an_agent_may_bring_about_a_child_and_leave_in_one_action(schedule):
    heard = []

    def child_step(agent, view):
        heard.append((view.step, [n.name for n in view.neighbours]))

    def step(agent, view):
        if view.step == 1:
            child = Doer("a.child", (0, 1), child_step, state={"young": True})
            return Action(spawn=[child], leave=True, say="farewell", move=(1, 0))
        return None

    agents = [Doer("a", (0, 0), step), Doer("b", (3, 0))]
    simulation = Simulation(Grid(9, 9), agents, reach=3)
    outcome = run(simulation, 4, schedule=schedule)
    assert outcome.finished
    assert heard == [(2, ["b"]), (3, ["b"])]
    assert outcome.final["agents"]["a"] == {"clock": 2, "position": [1, 0], "left": 1}
    assert outcome.final["agents"]["a.child"]["state"] == {"young": True}
    assert list(outcome.final["agents"]) == ["a", "a.child", "b"], "a child stands by its parent"


@pytest.mark.parametrize("schedule", ["lockstep", "conservative"])
def test_a_name_of_somebody_who_has_left_is_not_given_again(schedule):
    def step(agent, view):
        if agent.name == "b":
            return Action(leave=view.step == 0)
        return Action(spawn=[Doer("b", (0, 0))]) if view.step == 2 else None

    agents = [Doer("a", (0, 0), step), Doer("b", (1, 0), step)]
    with pytest.raises(StepFailedError, match="'b'; there is or was one of that name"):
        run(Simulation(Grid(9, 9), agents), 4, schedule=schedule)


def test_two_children_of_one_name_do_not_depend_on_who_was_faster():
    async def slow(agent, view):
        await view.llm.chat("a long one" if view.step < 3 else "short")
        return Action(spawn=[Doer("kid", view.position, state="of a0")]) if view.step == 4 else None

    def fast(agent, view):
        return Action(spawn=[Doer("kid", view.position, state="of a1")]) if view.step == 8 else None

    def result(schedule):
        try:
            simulation = line(slow, fast)
            outcome = run(simulation, 10, schedule=schedule, on_error="skip")
        except NameTakenError:
            return "refused"
        return outcome.final, outcome.failures

    assert result("conservative") == result("lockstep") == "refused"
