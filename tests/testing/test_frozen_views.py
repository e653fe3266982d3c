"""Whatever a vandal does to what a view hands out, nobody else sees anything of it."""

from __future__ import annotations

import array
import collections
import copy
import types

import numpy as np
import pytest

from headway import Action, Agent, Graph, Grid, Place, Plane, Simulation
from headway.engines.scripted import ScriptedEngine
from headway.space import Space
from headway.testing.worlds import fold

SCHEMA = {
    "type": "object",
    "properties": {"mood": {"type": "array", "minItems": 2, "items": {"type": "string"}}},
    "required": ["mood"],
}

NESTED = {"list": [1, [2, {"deep": [3]}]], "tuple": (1, [2]), "number": np.int64(4), "none": None}


def attempts(thing):
    """Yield everything that changes a thing in place, where it is of a kind that can be changed."""
    for name in ("clear", "sort", "reverse", "popitem", "pop"):
        yield from ([getattr(thing, name)] if hasattr(thing, name) else [])
    for name, given in (
        ("append", 666), ("extend", [666]), ("insert", (0, 666)), ("add", 666), ("remove", 1),
        ("update", {"x": 666}), ("setdefault", "x"), ("fill", 1), ("resize", 0),
        ("__setitem__", (0, 666)), ("__setitem__", ("x", 666)), ("__setitem__", (..., 1)),
        ("__delitem__", 0), ("__delitem__", "deep"), ("__iadd__", [666]), ("__ior__", {"x": 666}),
        ("__imul__", 0), ("setflags", True),
    ):  # fmt: skip
        if hasattr(thing, name):
            many = isinstance(given, tuple)
            yield lambda name=name, given=given, many=many: getattr(thing, name)(
                *(given if many else (given,))
            )
    names = [] if isinstance(thing, np.ndarray) else dir(thing)
    for name in [name for name in names if not name.startswith("_")]:
        yield lambda name=name: setattr(thing, name, 666)
        yield lambda name=name: delattr(thing, name)
    yield lambda: setattr(thing, "graffiti", 666)


def parts(thing):
    if isinstance(thing, dict | types.MappingProxyType | collections.abc.Mapping):
        return [*thing, *thing.values()]
    if isinstance(thing, list | tuple | set | frozenset | collections.deque | array.array):
        return list(thing)
    return []


def vandalize(thing, depth=0):
    """Change whatever can be changed, from the inside out; return how much could be."""
    if isinstance(thing, str | int | float | None | Space | type) or depth > 8:
        return 0
    done = sum(vandalize(part, depth + 1) for part in parts(thing))
    if hasattr(thing, "_fields"):
        done += sum(vandalize(getattr(thing, name), depth + 1) for name in thing._fields)
    for attempt in attempts(thing):
        try:
            attempt()
            done += 1
        except (TypeError, AttributeError, ValueError, KeyError, IndexError):
            continue
    return done


def offers(view):
    """Return everything a view hands out that is not the model, the generator or the space."""
    return {
        "name": view.name, "position": view.position, "state": view.state, "sight": view.sight,
        "time": view.time, "neighbours": view.neighbours, "heard": view.heard,
        "inbox": view.inbox, "places": view.places, "areas": view.areas,
        "agents": [view.agent(other.name) for other in view.neighbours],
        "place": [view.place(place.name) for place in view.places],
    }  # fmt: skip


def told_by(space):
    """Return what a space hands out that could be changed in place."""
    if isinstance(space, Grid):
        areas = [*space.all_areas.values(), *space.objects.values()]
        return [
            space.walls, space.spawns, space.all_areas, space.objects, space.path((0, 0), (8, 3)),
            space.areas((1, 1)), space.objects_at((2, 2)), space.scheduler_options(), space.wrap,
            *[area.tiles for area in areas], *[area.center for area in areas],
            *[area.nearest((0, 0)) for area in areas],
        ]  # fmt: skip
    if isinstance(space, Graph):
        return [space.neighbours(0), space.path(0, 5), space.scheduler_options()]
    return [space.path((0.0, 0.0), (3.0, 3.0)), space.scheduler_options(), space.wrap]


class Citizen(Agent):
    """Publishes, says, sends and writes nested values, and folds all that is offered."""

    def __init__(self, name, position):
        super().__init__(name, position, state=copy.deepcopy(NESTED))
        self.memory = name
        self.mine = copy.deepcopy(NESTED)

    async def step(self, view):
        seen = [sorted(offers(view).items(), key=lambda item: item[0]), told_by(view.space)]
        answer = await view.llm.chat("how are you?", schema=SCHEMA)
        self.memory = fold(self.memory, repr(seen), repr(answer), view.random.random())
        self.damage(view, answer)
        others = [other.name for other in view.neighbours if other.distance <= 4]
        return Action(
            say=f"{self.memory}", to=others, tell={name: [self.mine, 1] for name in others},
            write={place.name: [self.memory, self.mine] for place in view.places},
            state={"memory": self.memory, "mine": self.mine},
        )  # fmt: skip

    def damage(self, view, answer):
        """Do nothing: a good citizen."""


class Vandal(Citizen):
    """Changes whatever it gets into its hands, once it has looked at it."""

    done = 0

    def damage(self, view, answer):
        for thing in [*offers(view).values(), *told_by(view.space), answer, answer.value]:
            vandalize(thing)
        # What it has published itself is a copy, too.
        self.mine["list"].append(view.step)
        self.mine = copy.deepcopy(NESTED)


SPACES = {
    "grid": lambda: Grid(
        9, 9, walls=[(4, 4), (5, 4)], areas={"cafe": [(0, 0, 4, 4)], "cafe:bar": [(1, 1)]},
        objects={"well": [(2, 2)]}, spawns={"gate": [(0, 0)]},
    ),
    "wrapped": lambda: Grid(9, 9, wrap=True, areas={"cafe": [(0, 0, 4, 4)]}),
    "plane": lambda: Plane(9.0, 9.0),
    "graph": lambda: Graph([(a, a + 1) for a in range(9)]),
}  # fmt: skip


def town(space, kinds):
    space = SPACES[space]()
    spots = range(4) if isinstance(space, Graph) else [(float(i), 1.0) for i in range(4)]
    spots = [(i, 1) for i in range(4)] if isinstance(space, Grid) else spots
    people = [kind(f"p{i}", spot) for i, (kind, spot) in enumerate(zip(kinds, spots, strict=True))]
    places = [Place(f"place {i}", spots[i], rule=rule, state=copy.deepcopy(NESTED))
              for i, rule in enumerate(("last", "first"))]  # fmt: skip
    return Simulation(space, people, places=places, sight=4, reach=4, seed=3)


@pytest.mark.parametrize("schedule", ["conservative", "lockstep"])
@pytest.mark.parametrize("space", SPACES)
def test_a_vandal_changes_nothing_for_anybody(space, schedule):
    def run(*kinds):
        events = []
        engine = ScriptedEngine(latency=lambda request: 1.0 + len(request.agent) % 2)
        outcome = town(space, kinds).run(
            5, schedule=schedule, engine=engine, on_event=lambda e: events.append(e.to_json())
        )
        return outcome.final, events

    expected = run(Citizen, Citizen, Citizen, Citizen)
    assert run(Citizen, Vandal, Vandal, Citizen) == expected


def test_the_vandal_can_change_what_is_not_frozen():
    for thing in ([1, [2]], {"x": [1]}, {1}, bytearray(b"a"), np.ones(3), types.SimpleNamespace()):
        before = copy.deepcopy(thing)
        assert vandalize(thing) > 0
        assert repr(thing) != repr(before)


def test_nothing_of_what_others_can_read_can_be_changed_at_all():
    left = []

    class Trying(Citizen):
        def damage(self, view, answer):
            handed = offers(view)
            agents, place = handed.pop("agents"), handed.pop("place")  # lists of this test
            for what, thing in [*handed.items(), *enumerate([*agents, *place])]:
                if vandalize(thing):
                    left.append((what, thing))

    town("grid", [Trying] * 4).run(3)
    assert left == []


def test_an_engine_that_gives_everybody_the_same_answer_gives_each_its_own_value():
    class Same(ScriptedEngine):
        """Remembers its one answer, as a cache would."""

        answered = None

        async def complete(self, request):
            if self.answered is None:
                self.answered = await super().complete(request)
            return self.answered

    class Eating(Agent):
        async def step(self, view):
            answer = await view.llm.chat("how are you?", schema=SCHEMA)
            told = list(answer.value["mood"])
            vandalize(answer.value)
            return Action(state=told)

    people = [Eating(f"p{i}", (i, 0)) for i in range(3)]
    engine = Same(latency=None)
    final = Simulation(Grid(9, 9), people).run(3, engine=engine).final
    assert len({str(agent["state"]) for agent in final["agents"].values()}) == 1
    assert all(agent["state"] for agent in final["agents"].values())
    assert engine.answered.value is None


def test_what_was_written_and_published_is_a_copy():
    class Writing(Agent):
        def __init__(self, name, position):
            super().__init__(name, position)
            self.value = [0, {"deep": [0]}]

        def step(self, view):
            self.value[1]["deep"].append(view.step)
            self.value[0] = view.step
            kept = [] if view.state is None else [view.state[0], *view.state[1]["deep"]]
            letters = {other.name: [self.value, kept] for other in view.neighbours}
            return Action(state=self.value, write={"board": self.value}, tell=letters)

    for schedule in ("conservative", "lockstep"):
        people = [Writing(f"p{i}", (i, 0)) for i in range(2)]
        simulation = Simulation(Grid(9, 9), people, places=[Place("board", (0, 0))], reach=4)
        final = simulation.run(4, schedule=schedule).final
        for person in people:
            person.value.clear()  # long after
        assert simulation.final_state() == final
        assert final["places"]["board"] == [3, {"deep": [0, 0, 1, 2, 3]}]
        letters = [letter for _, letter in final["agents"]["p0"]["inbox"]]
        assert letters == [[[3, {"deep": [0, 0, 1, 2, 3]}], [2, 0, 0, 1, 2]]]
