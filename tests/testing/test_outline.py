"""Outlines: equal for equal things, different for anything that differs, and never an error."""

from __future__ import annotations

import array
import asyncio
import collections
import copy
import datetime
import decimal
import enum
import fractions
import functools
import io
import itertools
import math
import pathlib
import random
import re
import sys
import threading
import types
import uuid
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from headway import Agent, Grid, Simulation
from headway.live import outline as outline_module
from headway.live.outline import PARTS_MAX, attributes, outline


class Color(enum.Enum):
    RED = 1
    GREEN = "1"


class Level(enum.IntEnum):
    ONE = 1


@dataclass
class Memory:
    """Something an agent may hold."""

    text: str = ""
    parts: list = field(default_factory=list)


class Slotted:
    __slots__ = ("__hidden", "shown")

    def __init__(self, hidden, shown):
        self.__hidden = hidden
        self.shown = shown


class Both(Slotted):
    """With slots of its parent, and a dictionary of its own."""


ATOMS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
    | st.binary(max_size=9) | st.complex_numbers(allow_nan=False) | st.sampled_from(Color)
    | st.decimals(allow_nan=False) | st.fractions() | st.datetimes() | st.timedeltas() | st.uuids()
)  # fmt: skip

KEYS = st.text(max_size=3) | st.integers() | st.booleans() | st.tuples(st.integers(0, 3))


def _holding(inner):
    few = st.lists(inner, max_size=4)
    return (
        few
        | few.map(tuple)
        | few.map(collections.deque)
        | st.sets(KEYS, max_size=4)
        | st.frozensets(KEYS, max_size=4)
        | st.dictionaries(KEYS, inner, max_size=4)
        | st.builds(Memory, st.text(max_size=3), few)
        | st.builds(Slotted, inner, inner)
        | st.builds(Both, inner, few)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3).map(
            lambda held: types.SimpleNamespace(**{f"a{k}": v for k, v in held.items()})
        )
        | st.lists(st.integers(-9, 9), max_size=40).map(np.array)
    )


THINGS = st.recursive(ATOMS, _holding, max_leaves=12)


def places_of(value):
    """Return, for every atom inside a thing, a function that puts another one in its place."""
    found = []
    if isinstance(value, list | collections.deque):
        for at, part in enumerate(value):
            found.append((part, functools.partial(value.__setitem__, at)))
    elif isinstance(value, dict):
        for key, part in value.items():
            found.append((part, functools.partial(value.__setitem__, key)))
    elif isinstance(value, Memory | Slotted | types.SimpleNamespace):
        for name, part in attributes(value).items():
            found.append((part, functools.partial(setattr, value, name)))
    inner = [place for part, _ in found for place in places_of(part)]
    if isinstance(value, tuple):
        inner += [place for part in value for place in places_of(part)]
    return found + inner


@given(THINGS)
def test_outlines_of_deep_copies_are_equal(thing):
    assert outline(copy.deepcopy(thing)) == outline(thing)


@given(THINGS, ATOMS, st.randoms(use_true_random=False))
def test_any_small_change_shows(thing, other, chance):
    changed = copy.deepcopy(thing)
    places = places_of(changed)
    assume(places)
    before, put = chance.choice(places)
    assume(outline(before) != outline(other))
    put(other)
    assert outline(changed) != outline(thing)


@given(ATOMS, ATOMS)
def test_atoms_have_equal_outlines_only_if_they_are_equal_and_of_one_kind(one, other):
    same = type(one) is type(other) and repr(one) == repr(other)
    assert (outline(one) == outline(other)) == same


@pytest.mark.parametrize(
    "different",
    [
        (1, 1.0, True, "1", b"1", 1 + 0j, Color.RED, Color.GREEN, Level.ONE, [1], (1,), {1}),
        (0.0, -0.0, 0, False, None, ""),
        ([], (), {}, set(), frozenset(), collections.deque(), np.array([])),
        (math.nan, math.inf, -math.inf),
        ([1, 2], [2, 1], [1, 2, 2], [[1], 2], [1, [2]]),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, {"a": 2, "b": 1}),
        (datetime.date(2030, 1, 1), datetime.datetime(2030, 1, 1), datetime.datetime(2030, 1, 2)),
        (datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC), datetime.datetime(2030, 1, 1)),
        (decimal.Decimal("1.0"), decimal.Decimal("1.00"), fractions.Fraction(1)),
        (np.float64(1), np.float64(2), np.float32(1), np.int64(1), np.bool_(True), 1.0),
        (np.arange(3), np.arange(3.0), np.arange(3)[::-1], np.arange(3).reshape(3, 1), [0, 1, 2]),
        (np.zeros(999), -np.zeros(999), np.zeros(998), np.zeros((3, 333))),
        (np.array([1, None]), np.array([2, None])),
        (np.array([(1, 2)], dtype=[("a", int), ("b", int)]),
         np.array([(1, 2)], dtype=[("b", int), ("a", int)])),
        (range(3), range(4), range(0, 3, 2), slice(3), slice(4)),
        (re.compile("a"), re.compile("b"), re.compile("a", re.IGNORECASE)),
        (pathlib.PurePosixPath("a"), pathlib.PurePosixPath("b"), "a"),
        (uuid.UUID(int=1), uuid.UUID(int=2)),
        (bytearray(b"a"), bytearray(b"b"), memoryview(b"a"), memoryview(b"b"), b"a"),
        (array.array("i", [1]), array.array("i", [2]), [1]),
        (io.StringIO("a"), io.StringIO("b"), io.BytesIO(b"a"), io.BytesIO(b"b")),
        (ValueError("a"), ValueError("b"), TypeError("a")),
        (itertools.count(1), itertools.count(2), iter([1, 2]), iter([1, 3])),
        (collections.Counter("aab"), collections.Counter("abb"), {"a": 2, "b": 1}),
        (collections.defaultdict(list), collections.defaultdict(set), {}),
        (collections.OrderedDict(a=1), collections.OrderedDict(a=2)),
        (functools.partial(max, 1), functools.partial(max, 2), functools.partial(min, 1)),
        (random.Random(1), random.Random(2)),
        (np.random.default_rng(1), np.random.default_rng(2)),
        (np.random.RandomState(1), np.random.RandomState(2), np.random.PCG64(1)),
        ([].append, [1].append, [].pop, random.Random(1).random, random.Random(2).random),
        (10**5000, 10**5001, -(10**5000)),
    ],
)  # fmt: skip
def test_what_differs_has_different_outlines(different):
    told = [outline(each) for each in different]
    assert len(set(told)) == len(told), told
    for each, text in zip(different, told, strict=True):
        assert outline(each) == text, "looking changes nothing"


def test_subclasses_of_plain_values_are_told_with_what_they_hold():
    class Name(str):
        __slots__ = ()

        def __repr__(self):
            return "a name"

    class Metres(float):
        pass

    class Names(list):
        pass

    assert outline(Name("a")) != outline(Name("b"))
    assert outline(Metres(1)) != outline(Metres(2))
    named, other = Names([1]), Names([1])
    other.owner = "me"
    assert len({outline(named), outline(other), outline([1])}) == 3


def test_private_slots_are_looked_into():
    assert outline(Slotted(1, 2)) != outline(Slotted(3, 2))
    assert attributes(Both(1, 2)) == {"_Slotted__hidden": 1, "shown": 2}
    half = Slotted(1, 2)
    del half.shown
    assert outline(half) != outline(Slotted(1, 2))


def test_a_generator_that_has_drawn_is_another():
    for generator, draw in (
        (random.Random(1), random.Random.random),
        (np.random.default_rng(1), np.random.Generator.random),
        (np.random.RandomState(1), np.random.RandomState.rand),
    ):
        before = outline(generator)
        draw(generator)
        assert outline(generator) != before


def test_looking_into_iterators_takes_nothing_from_them():
    numbers = itertools.count(5)
    for iterator in (iter([1, 2, 3]), (x for x in [1, 2, 3]), zip([1, 2, 3]), map(str, [1, 2, 3]),
                     iter({1: 0, 2: 0, 3: 0}), itertools.chain([1], [2, 3]),
                     itertools.cycle([1, 2])):  # fmt: skip
        outline(iterator)
        assert len(list(itertools.islice(iterator, 3))) == 3
    outline(numbers)
    assert next(numbers) == 5
    file = io.StringIO("some text")
    outline(file)
    assert file.read() == "some text"


def test_a_cached_property_that_has_been_asked_for_is_no_change():
    class Map:
        def __init__(self):
            self.tiles = [1, 2]

        @functools.cached_property
        def ways(self):
            return sum(self.tiles)

    one, other = Map(), Map()
    assert one.ways == 3
    assert outline(one) == outline(other)
    path, same = pathlib.PurePosixPath("a/b"), pathlib.PurePosixPath("a/b")
    assert hash(path)
    assert path.parts
    assert outline(path) == outline(same)


def test_cycles_end():
    loop = [1]
    loop.append(loop)
    held = {"me": None}
    held["me"] = held
    memory = Memory("a")
    memory.parts.append(memory)
    for thing in (loop, held, memory):
        assert outline(copy.deepcopy(thing)) == outline(thing)
    before = outline(loop)
    loop.insert(1, 2)
    assert outline(loop) != before


def test_what_is_shared_inside_makes_no_difference():
    part = [1]
    assert outline([part, part]) == outline([[1], [1]])
    chain = [1]
    for _ in range(50):  # 2 to the power of 50 ways through it
        chain = [chain, chain]
    assert len(outline(chain)) < 50 * PARTS_MAX


def test_deep_nesting_ends_and_leaves_room_on_the_stack():
    deep = []
    for _ in range(5000):
        deep = [deep]
    limit = sys.getrecursionlimit()

    def inside(frames):
        return outline(deep) if frames == 0 else inside(frames - 1)

    assert inside(limit // 2).startswith("[[[[")
    node = types.SimpleNamespace(next=None)
    for _ in range(5000):
        node = types.SimpleNamespace(next=node)
    assert "…" in outline(node)


def test_huge_objects_are_cut_and_still_grow_visibly():
    numbers = list(range(PARTS_MAX * 2))
    text = outline(numbers)
    assert len(text) < PARTS_MAX * 10
    numbers.append(1)
    assert outline(numbers) != text
    assert len(outline(range(10**15))) < 100
    names = {f"name {number}" for number in range(PARTS_MAX * 2)}
    again = set(sorted(names))  # noqa: C414 - which puts them elsewhere
    assert list(again) != list(names)
    assert outline(again) == outline(names), "not in the order of addresses"
    letters = dict.fromkeys(range(PARTS_MAX))
    assert outline(letters) == outline(dict(letters))


class Infinite(collections.abc.Sequence):
    """Says nothing of its end."""

    def __len__(self):
        return sys.maxsize

    def __getitem__(self, at):
        return at


def test_a_sequence_without_an_end_is_cut():
    assert "in all" in outline(Infinite())


class Hostile:
    """Fails whatever is asked of it."""

    def _refuse(self, *_):
        raise RuntimeError("leave me alone")

    __repr__ = __str__ = __eq__ = __getattr__ = __len__ = __iter__ = __bool__ = _refuse
    __hash__ = __reduce_ex__ = __getstate__ = __format__ = __dir__ = _refuse
    __class__ = property(_refuse)


def hostile_mapping():
    class Locked(dict):
        items = keys = values = __iter__ = Hostile._refuse

    return Locked(a=1)


def hostile_attributes():
    class Closed:
        __slots__ = ("a",)
        __getattribute__ = Hostile._refuse

    return Closed()


def hostile_class():
    class Meta(type):
        __eq__ = __hash__ = Hostile._refuse

    return Meta("Odd", (), {})()


def lazy_list():
    class Lazy(Hostile, list):
        pass

    return Lazy([1])


@pytest.mark.parametrize(
    "make",
    [
        Hostile, hostile_mapping, hostile_attributes, hostile_class, lazy_list, threading.Lock,
        random.SystemRandom, asyncio.Event, object, sys._getframe, lambda: (x for x in ()),
        lambda: types.MappingProxyType({1: 2}), lambda: np.array([hostile_mapping()]),
        lambda: memoryview(bytearray(b"a")), {1: 2}.values,
        lambda: super(Hostile, Hostile()),
    ],
)  # fmt: skip
def test_nothing_fails_and_nothing_tells_its_address(make):
    one, other = make(), make()
    assert outline([one, 1]) == outline([one, 1])
    assert "0x" not in outline(one)
    assert outline(one) == outline(other)


def test_a_released_view_of_memory_does_not_fail():
    view = memoryview(b"a")
    view.release()
    assert outline(view) == "memoryview(…)"


def test_what_changes_while_it_is_looked_at_does_not_fail():
    class Growing(dict):
        def items(self):
            for item in super().items():
                self[len(self)] = 0
                yield item

    assert outline(Growing(a=1)) == "Growing(…)"


def test_agents_are_told_by_their_names_and_their_simulation_not_at_all():
    class Villager(Agent):
        pass

    one, other = Villager("one", (0, 0)), Villager("other", (1, 0))
    one.friends = [other, one]
    simulation = Simulation(Grid(9, 9), [one, other])
    assert outline(one) == "<agent one>"
    before = outline(attributes(one), root=one)
    other.mood = "bad"
    assert outline(attributes(one), root=one) == before
    one.mood = "bad"
    assert outline(attributes(one), root=one) != before
    assert outline(simulation) == "<Simulation>"
    for each in (simulation.space, simulation.state, outline_module, outline, Grid, one.step):
        assert re.fullmatch(r"<[\w.]+>", outline(each))


def test_what_is_told_of_a_step_is_short_enough_to_read():
    held = {"mood": Color.RED, "seen": {"b", "a"}, "at": datetime.time(9), "home": (1, 2.5)}
    assert outline(held) == (
        "{'mood': Color.RED, 'seen': set('a', 'b'), 'at': datetime.time(9, 0), 'home': (1, 2.5)}"
    )
    assert outline(Memory("x", [1])) == "Memory(parts=[1], text='x')"
