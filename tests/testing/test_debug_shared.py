"""`run(debug=True)` warns of what agents share and change, however they reach it; of no more."""

from __future__ import annotations

import asyncio
import collections
import functools
import itertools
import logging
import random
import sys
import types
import warnings
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, partial
from pathlib import PurePosixPath

import numpy as np
import pytest
from debugged import Doer, debug, hidden, line, quiet

from headway import Action, Agent, Grid, Place, Simulation
from headway.engines.scripted import ScriptedEngine
from headway.errors import SharedStateWarning
from headway.live.shared import Shared

# Variables of this module that the agents below change; each test has them afresh.

COUNT = 0
NEWS = {"fire": []}
NUMBERS = itertools.count()
LOG = logging.getLogger("headway.tests.shared")
HELPER = types.ModuleType("a_module_of_the_user")
exec("count = 0\ndef bump():\n    global count\n    count += 1\n", vars(HELPER))


class Config:
    """Holds what is global, in a class."""

    count = 0
    seen: list = []  # noqa: RUF012 - on purpose


def bump_far_away():
    bump_farther()


def bump_farther():
    NEWS["fire"].append(1)


@pytest.fixture(autouse=True)
def afresh(monkeypatch):
    module = sys.modules[__name__]
    monkeypatch.setattr(module, "COUNT", 0)
    monkeypatch.setattr(module, "NEWS", {"fire": []})
    monkeypatch.setattr(module, "NUMBERS", itertools.count())
    monkeypatch.setattr(Config, "count", 0)
    monkeypatch.setattr(Config, "seen", [])


@dataclass
class Box:
    """Something that agents hold."""

    value: object = None
    inner: list = field(default_factory=list)

    def put(self, value):
        self.value = value


class Slotted:
    __slots__ = ("value",)

    def __init__(self):
        self.value = 0


class Holder(Agent):
    """Holds something, and does something with it in step 1 if it is a1."""

    def __init__(self, name, position, held=None, do=lambda held, view: None):
        super().__init__(name, position)
        self.held, self.do = held, do

    def step(self, view):
        if self.name == "a1" and view.step == 1:
            self.do(self.held, view)
        return Action(state=view.step)


def holders(held, do, *, wrap=lambda held: held, kind=Holder):
    people = [kind(f"a{i}", (i * 20, 0), wrap(held), do) for i in range(3)]
    return Simulation(Grid(60, 9), people)


def warned(simulation, steps=4, **options):
    return debug(simulation, steps, **options)[1]


def only(texts):
    assert len(texts) == 1, texts
    return texts[0]


def add(held, view):
    held.append(view.step)


def put(held, view):
    held["key"] = view.step


def at_0(held, view):
    held[0] = view.step + 1


THINGS = {
    "a list": ([], add),
    "a dict": ({}, put),
    "a set": (set(), lambda held, view: held.add(1)),
    "a deque": (collections.deque(), add),
    "a Counter": (collections.Counter(), lambda held, view: held.update("a")),
    "a defaultdict": (collections.defaultdict(list), lambda held, view: held["key"]),
    "an OrderedDict": (collections.OrderedDict(a=1, b=2), lambda held, view: held.move_to_end("a")),
    "a ndarray": (np.zeros(9), at_0),
    "a bytearray": (bytearray(b"abc"), at_0),
    "a Box": (Box(), lambda held, view: held.put(1)),
    "a Slotted": (Slotted(), lambda held, view: setattr(held, "value", 1)),
    "a SimpleNamespace": (types.SimpleNamespace(), lambda held, view: vars(held).update(a=1)),
    "a Random": (random.Random(1), lambda held, view: held.random()),
    "a Generator": (np.random.default_rng(1), lambda held, view: held.random()),
    "a count": (itertools.count(), lambda held, view: next(held)),
    "a list_iterator": (iter([1, 2, 3]), lambda held, view: next(held)),
    "a Queue": (asyncio.Queue(), lambda held, view: held.put_nowait(1)),
}


@pytest.mark.parametrize("what", THINGS)
def test_a_shared_object_that_is_changed_is_told_of(what):
    text = only(warned(holders(*THINGS[what])))
    assert text.startswith(
        f"the attribute 'held' of 'a0', {what}, is shared by agents and was changed by 'a1' in "
        f"step 1; 'a0', 'a2' can reach it too. Changes of what agents share are seen at once"
    )


def touch(held, view):
    """Change the list that is held, however it is packed."""
    while not isinstance(held, list):
        if isinstance(held, dict | types.MappingProxyType):
            held = held["it"]
        elif isinstance(held, tuple | collections.deque):
            held = held[-1]
        elif isinstance(held, partial):
            held = held.args[0]
        elif isinstance(held, Box):
            held = held.value
        else:
            held = held.__self__  # a method
    held.append(view.step)


PACKED = [
    lambda held: (1, held),
    lambda held: {"it": held},
    lambda held: types.MappingProxyType({"it": held}),
    Box,
    lambda held: Box(Box({"it": (0, held)})),
    lambda held: collections.deque([held]),
    lambda held: partial(print, held, sep=""),
    lambda held: (Box(held).put,),
    lambda held: (Box(held),),
]


@pytest.mark.parametrize("wrap", PACKED)
def test_a_shared_object_is_seen_inside_what_each_has_of_its_own(wrap):
    # Packed anew for each, so that only the list itself is shared.
    text = only(warned(holders([], touch, wrap=wrap)))
    assert "the attribute 'held' of 'a0', a list, is shared" in text
    assert "'a1' in step 1" in text


def test_a_change_deep_inside_is_told_of_once():
    tree = {"branches": [{"leaves": [Box([1])]} for _ in range(3)]}
    text = only(warned(holders(tree, lambda held, view: held["branches"][1]["leaves"].append(2))))
    assert "'held' of 'a0', a dict" in text


def test_every_writer_is_remembered_but_told_of_once():
    held = []
    text = only(warned(line(*[partial(_adds, held)] * 3)))
    assert "was changed by 'a0' in step 0; 'a1', 'a2' can reach it too" in text
    assert len(held) == 3 * 4, "no step was executed twice once it was known"


def _adds(held, agent, view):
    held.append(agent.name)


# Variables that code names.


class Counting(Holder):
    """Changes a variable of this module, and shows what it was."""

    def step(self, view):
        global COUNT  # noqa: PLW0603
        COUNT += 1
        return Action(state=COUNT)


class CountingInAClass(Holder):
    count = 0

    def step(self, view):
        type(self).count += 1


class CountingInAnotherClass(Holder):
    def step(self, view):
        Config.count += 1


class CountingInItsParent(CountingInAClass):
    """Inherits the step."""


class ListingInAClass(Holder):
    seen: list = []  # noqa: RUF012

    def step(self, view):
        self.seen.append(view.step)


class Telling(Holder):
    def step(self, view):
        NEWS["fire"].append(self.name)


class TellingByFunctions(Holder):
    async def step(self, view):
        await asyncio.sleep(0)
        bump_far_away()


class TellingInATask(Holder):
    async def step(self, view):
        async def tell():
            await asyncio.sleep(0)
            NEWS["fire"].append(self.name)

        await asyncio.gather(tell(), tell())


class NumberingByAModule(Holder):
    def step(self, view):
        HELPER.count += 1


class NumberingByAModulesFunction(Holder):
    def step(self, view):
        HELPER.bump()


class Numbering(Holder):
    def step(self, view):
        next(NUMBERS)


class ByDefault(Holder):
    def step(self, view, seen=[]):  # noqa: B006
        seen.append(view.step)


class ByKeyword(Holder):
    def step(self, view, *, seen={}):  # noqa: B006
        seen[view.step] = 1


class OnAFunction(Holder):
    def step(self, view):
        OnAFunction.step.times = getattr(OnAFunction.step, "times", 0) + 1


OnAFunction.step.times = 0


class InAStaticMethod(Holder):
    @staticmethod
    def tell():
        NEWS["fire"].append(1)

    def step(self, view):
        self.tell()


class InAProperty(Holder):
    @property
    def news(self):
        NEWS["fire"].append(1)
        return 1

    def step(self, view):
        return Action(state=self.news)


def counted(function):
    """Count the calls, as decorators do."""
    times = 0

    @functools.wraps(function)
    def wrapper(*args, **options):
        nonlocal times
        times += 1
        return function(*args, **options)

    return wrapper


class Decorated(Holder):
    @counted
    def step(self, view):
        return None


class Helping(Holder):
    """Holds an object of its own, whose class changes a variable of this module."""

    class Helper:
        def help(self):
            NEWS["fire"].append(1)

    def step(self, view):
        self.helper = self.Helper()
        self.helper.help()


@pytest.mark.parametrize(
    ("kind", "where"),
    [
        (Counting, "the global variable 'COUNT' of module test_debug_shared, an int"),
        (CountingInAClass, "the class attribute CountingInAClass.count, an int"),
        (CountingInAnotherClass, "the class attribute Config.count, an int"),
        (ListingInAClass, "the class attribute ListingInAClass.seen, a list"),
        (Telling, "the global variable 'NEWS' of module test_debug_shared, a dict"),
        (TellingByFunctions, "the global variable 'NEWS' of module test_debug_shared, a dict"),
        (TellingInATask, "the global variable 'NEWS' of module test_debug_shared, a dict"),
        (InAStaticMethod, "the global variable 'NEWS' of module test_debug_shared, a dict"),
        (InAProperty, "the global variable 'NEWS' of module test_debug_shared, a dict"),
        (Helping, "the global variable 'NEWS' of module test_debug_shared, a dict"),
        (NumberingByAModule, "the global variable 'count' of module a_module_of_the_user, an int"),
        (NumberingByAModulesFunction, "the global variable 'count' of module a_module_of"),
        (Numbering, "the global variable 'NUMBERS' of module test_debug_shared, a count"),
        (ByDefault, "a default argument of ByDefault.step, a list"),
        (ByKeyword, "a default argument of ByKeyword.step, a dict"),
        (OnAFunction, "the attribute 'times' of the function OnAFunction.step, an int"),
        (Decorated, "the variable 'times' around Decorated.step, an int"),
    ],
)
def test_a_variable_that_code_names_is_told_of(kind, where):
    text = only(warned(holders(None, None, kind=kind)))
    assert text.startswith(where), text
    assert "was changed by 'a0' in step 0; 'a1', 'a2' can reach it too" in text


def test_a_class_attribute_that_a_child_class_sets_is_its_own():
    texts = warned(holders(None, None, kind=CountingInItsParent))
    assert all("CountingInItsParent.count" in text for text in texts)


def test_variables_around_functions_are_told_of():
    count, seen = 0, []

    def counts(agent, view):
        nonlocal count
        count += 1

    def sees(agent, view):
        if view.step == 2:
            seen.append(agent.name)

    texts = warned(line(counts, counts, sees, sees))
    assert len(texts) == 2
    around = "test_variables_around_functions_are_told_of.<locals>"
    assert texts[0].startswith(f"the variable 'count' around {around}.counts, an int, is shared")
    assert texts[1].startswith(f"the variable 'seen' around {around}.sees, a list, is shared")
    assert "changed by 'a2' in step 2; 'a3' can reach it too" in texts[1]


def test_functions_that_share_a_variable_share_it():
    held = []
    simulation = line(lambda agent, view: held.append(1), lambda agent, view: len(held) and None)
    assert "the variable 'held' around" in only(warned(simulation))


def test_methods_of_a_shared_object_share_it():
    box = Box()
    agents = [Doer(f"a{i}", (20 * i, 0), partial(_puts, box.put)) for i in range(2)]
    assert "'do' of 'a0', a Box, is shared" in only(warned(Simulation(Grid(40, 9), agents)))


def _puts(put, agent, view):
    put(agent.name)


def test_what_is_shared_later_is_found_later():
    late = {"list": []}

    class Late(Holder):
        def step(self, view):
            if view.step == 3:
                self.held = late["list"]
            elif view.step > 3:
                self.held.append(view.step)

    text = only(warned(holders(None, None, kind=Late), 40))
    assert "the variable 'late' around" in text


def test_children_are_looked_at_too():
    class Heir(Agent):
        def __init__(self, name, position, will):
            super().__init__(name, position)
            self.will, self.children = will, 0

        def step(self, view):
            if view.step == 1 and not self.children:
                self.children += 1
                return Action(spawn=[Heir(f"{self.name}.child", view.position, self.will)])
            if view.step > 3:
                self.will.append(self.name)
            return None

    agents = [Heir(f"a{i}", (20 * i, 0), []) for i in range(2)]
    texts = warned(Simulation(Grid(40, 9), agents), 40)
    assert len(texts) == 2
    assert "'a0'" in texts[0]
    assert "'a0.child'" in texts[0]
    assert "'a1'" not in texts[0]


def test_an_object_each_of_its_own_is_nobodys_business():
    class Own(Holder):
        def step(self, view):
            self.held.append(view.step)

    quiet(holders([], None, wrap=list, kind=Own), 5)


# What is shared and does no harm.


@lru_cache
def remembered(number):
    return [number]


class Map:
    """Remembers what it has worked out."""

    def __init__(self):
        self.tiles = list(range(9))
        self.path = PurePosixPath("town") / "map.tmj"

    @cached_property
    def ways(self):
        return [tile + 1 for tile in self.tiles]

    def name(self):
        return hash(self.path), self.path.parts, str(self.path)


class Reading(Holder):
    """Reads whatever there is to read."""

    async def step(self, view):
        LOG.warning("step %s", view.step)
        LOG.isEnabledFor(logging.DEBUG)
        held = self.held
        async with held["lock"]:
            held["event"].set()
            await held["event"].wait()
        told = [
            held["map"].ways[0], held["map"].name()[1], held["array"][0], held["list"][-1],
            remembered(view.step)[0], NEWS.get("fire"), COUNT, Config.count, sorted(held["dict"]),
            held["partial"](2), held["place"].name,
        ]  # fmt: skip
        return Action(state=[str(each) for each in told])


def test_what_is_only_read_is_nobodys_business():
    held = {
        "map": Map(), "array": np.arange(9), "list": [1, 2], "dict": {"a": 1},
        "lock": asyncio.Lock(), "event": asyncio.Event(), "log": logging.getLogger("mine"),
        "partial": partial(max, 1), "place": Place("well", (3, 3)),
    }  # fmt: skip
    outcome = quiet(holders(held, None, kind=Reading), 4)
    assert outcome.final["agents"]["a2"]["state"][-1] == "well"


def test_an_engine_that_agents_share_is_nobodys_business():
    engine = ScriptedEngine()

    class Client(Holder):
        async def step(self, view):
            return Action(say=(await view.llm.chat(f"{self.held.name} {view.step}")).text)

    quiet(holders(engine, None, kind=Client), engine=engine)


def test_other_agents_and_the_simulation_are_no_shared_objects():
    class Knowing(Holder):
        def step(self, view):
            return Action(state=len(self.held))

    people = []
    simulation = holders(people, None, kind=Knowing)
    people += [*simulation.state.agents, simulation, simulation.space]
    quiet(simulation)
    shared = Shared()
    shared.look(simulation.state.agents)
    # The list itself; of agents and simulations only that they are there.
    assert "the attribute 'held' of 'a0'" in {each.where for each in shared.watched}


def test_a_list_of_agents_that_changes_is_told_of():
    class Leaving(Holder):
        def step(self, view):
            if view.step == 1 and self.name == "a1":
                self.held.remove(self)
                return Action(leave=True)
            return None

    people = []
    simulation = holders(people, None, kind=Leaving)
    people += simulation.state.agents
    text = only(warned(simulation))
    assert "a list, is shared by agents and was changed by 'a1' in step 1" in text


def test_hostile_objects_are_looked_at_without_harm():
    class Hostile:
        def _refuse(self, *_):
            raise RuntimeError("leave me alone")

        __getattr__ = __eq__ = __iter__ = __len__ = __repr__ = __bool__ = _refuse
        __hash__ = object.__hash__

    class Unwrapping:
        def __getattr__(self, name):
            return self

    class Odd(Holder):
        attribute = Hostile()
        endless = Unwrapping()

    held = [Hostile(), Unwrapping(), {"a": Hostile()}]
    quiet(holders(held, lambda held, view: None, kind=Odd, wrap=list))


def test_a_huge_shared_object_is_looked_at_whatever_its_size():
    held = {"numbers": list(range(200_000)), "small": []}
    texts = warned(holders(held, lambda held, view: held["small"].append(1)), 2)
    assert "a list, is shared by agents and was changed by 'a1' in step 1" in only(texts)


# As errors, and out of the debug mode.


def append_far_inside(held, view):
    held["rooms"][700].append(view.step)


@pytest.mark.parametrize(
    ("made", "do", "by"),
    [
        (lambda: [["chair"]] * 5_000, add, "'a1' in step 1; 'a0', 'a2' can reach it too"),
        (
            lambda: {"rooms": [["chair"] for _ in range(5_000)]},
            append_far_inside,
            "somebody (it is too large to see by whom); 'a0', 'a1', 'a2' can reach it too",
        ),
    ],
)
def test_a_change_of_a_large_object_is_told_of_even_if_not_by_whom(made, do, by):
    assert f" is shared by agents and was changed by {by}." in only(warned(holders(made(), do)))


def test_a_large_object_that_is_only_read_is_nobodys_business():
    quiet(holders({"rooms": [["chair"] for _ in range(5_000)]}, lambda held, view: held["rooms"]))


@pytest.mark.parametrize("on_error", ["abort", "retry", "skip", "freeze"])
def test_where_warnings_are_errors_the_run_stops_with_the_warning(on_error):
    simulation = holders([], add)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(SharedStateWarning, match="'held' of 'a0', a list, is shared"):
            simulation.run(4, debug=True, on_error=on_error)
    assert not simulation.outcome().failures
    assert not simulation.outcome().attempts_failed


def test_a_warning_is_only_a_warning():
    class Quarrelling(Holder):
        def step(self, view):
            self.held.append(self.name)
            return Action(state=len(self.held))

    outcome, texts = debug(holders([], None, kind=Quarrelling))
    assert outcome.finished
    assert len(texts) == 1
    # Because the change is known, no step was executed twice.
    assert sorted(a["state"] for a in outcome.final["agents"].values()) == [7, 8, 9]


def test_a_counter_of_one_agent_alone_is_no_function_of_its_view():
    error = hidden(line(lambda agent, view: Action(state=next(NUMBERS))))
    assert error.kind == "repeat"
