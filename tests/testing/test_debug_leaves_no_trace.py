"""The debug mode changes nothing for agents that keep to the contract, and leaves nothing behind.

Also for agents that are made in odd ways.
"""

from __future__ import annotations

import asyncio
import contextvars
import io
import itertools
import logging
import os
import signal
import socket
import sys
import threading
import types
from dataclasses import dataclass
from functools import cached_property, partial
from random import Random

import pytest
from debugged import WATCHED, Doer, debug, hidden, line, quiet
from hypothesis import given, settings

from headway import Action, Agent, Grid, Simulation
from headway.engines.scripted import ScriptedEngine
from headway.errors import EngineError, HiddenInputError
from headway.live import OnError
from headway.live.state import execute
from headway.testing import random_setup
from headway.testing.strategies import worlds

SCHEDULES = ("conservative", "lockstep", "serial")


def ran(setup, steps, schedule, on):
    """Run a setup; return all that happened and what came of it."""
    events = []
    outcome, warned = debug(
        setup.simulation, steps, debug=on, engine=setup.engine, on_error=setup.on_error,
        schedule=schedule, on_event=lambda event: events.append(event.to_json()),
    )  # fmt: skip
    assert not warned
    counts = (outcome.calls, outcome.agent_steps, outcome.attempts_failed, outcome.answers_repeated)
    return events, outcome.final, counts, outcome.failures


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("seed", range(5))
def test_random_worlds_are_the_same_with_and_without(seed, schedule):
    expected = ran(random_setup(seed), 8, schedule, on=False)
    assert ran(random_setup(seed), 8, schedule, on=True) == expected


@settings(max_examples=5)
@given(worlds())
def test_drawn_worlds_are_the_same_with_and_without(world):
    expected = ran(world.setup(), 5, "conservative", on=False)
    assert ran(world.setup(), 5, "conservative", on=True) == expected


# Odd agents.


class Meek:
    """Has ways of its own with attributes, and comes after `Agent` among the classes."""

    def __setattr__(self, name, value):
        if name.startswith("loud_"):
            value = value.upper()
        super().__setattr__(name, value)

    def __getattribute__(self, name):
        if name == "answer":
            return 42
        return super().__getattribute__(name)


class Mixed(Agent, Meek):
    def step(self, view):
        self.loud_word = f"step {view.step}"
        return Action(state=[self.loud_word, self.answer])


class Closed(Agent):
    """Stores everything in a dictionary of its own."""

    def __init__(self, name, position):
        object.__setattr__(self, "held", {})
        super().__init__(name, position)
        self.count = 0

    def __getattr__(self, name):
        if name == "held":
            raise AttributeError(name)
        try:
            return self.held[name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name, value):
        self.held[name] = value

    def step(self, view):
        self.count += 1
        return Action(state=self.count)


@dataclass
class Record(Agent):
    """A dataclass: it has `==` and no hash."""

    title: str = "record"
    count: int = 0

    def __post_init__(self):
        super().__init__(self.title, (0, 0))

    def step(self, view):
        self.count += 1
        return Action(state=[self.count, self == self, self.title])  # noqa: PLR0124


class Property(Agent):
    """Has properties named like the attributes of an agent."""

    @property
    def state(self):
        return self.__dict__.get("_state")

    @state.setter
    def state(self, value):
        self.__dict__["_state"] = value

    @property
    def position(self):
        return self._position

    @position.setter
    def position(self, value):
        self._position = tuple(value)

    @cached_property
    def ways(self):
        return [self.position]

    def step(self, view):
        self.ways.append(view.step)
        return Action(state=self.ways, move=view.toward((19, 0)))


class Keeps(Agent):
    """Keeps what it should not need any more."""

    def __init__(self, name, position):
        super().__init__(name, position)
        self.views = []

    async def step(self, view):
        self.view, self.llm, self.ask, self.dice = view, view.llm, view.llm.chat, view.random
        self.views.append(view)
        self.roll = view.random.random
        self.said = await self.ask("hello")
        return Action(say=self.said.text, state=[self.roll(), self.dice.random()])


class Remembering(Agent):
    """Remembers in functions, methods and iterators instead of attributes."""

    def __init__(self, name, position):
        super().__init__(name, position)
        count, held = 0, []

        def counter():
            nonlocal count
            count += 1
            held.append(count)
            return count

        def appended(value, seen=[]):  # noqa: B006 - on purpose
            seen.append(value)
            return list(seen)

        def marked():
            marked.times += 1
            return marked.times

        marked.times = 0
        self.counter, self.partial = counter, partial(counter)
        self.appended, self.marked = types.FunctionType(*_made_of(appended)), marked
        self.add, self.roll = held.append, Random(name).random
        self.next = itertools.count(5).__next__
        self.ids = itertools.count(7)
        self.inner = {"deep": [lambda: (counter(), held[-1])]}

    def step(self, view):
        self.add(view.step)
        told = [self.counter(), self.partial(), self.appended(view.step), self.marked()]
        return Action(state=[*told, self.roll(), self.next(), next(self.ids),
                             self.inner["deep"][0]()])  # fmt: skip


def _made_of(function):
    """Return what makes the function again: one for each agent, with defaults of its own."""
    defaults = tuple(list(value) for value in function.__defaults__)
    return (function.__code__, function.__globals__, function.__name__, defaults)


class Locked(Agent):
    """Holds what has no copy, or none that would do."""

    def __init__(self, name, position):
        super().__init__(name, position)
        self.lock, self.waits, self.ready = threading.Lock(), asyncio.Lock(), asyncio.Event()
        self.log = logging.getLogger("headway.tests")
        self.queue = asyncio.Queue()
        self.count = 0

    async def step(self, view):
        with self.lock:
            async with self.waits:
                self.ready.set()
                await asyncio.gather(self.ready.wait(), asyncio.sleep(0))
                self.queue.put_nowait(view.step)
                self.count += await self.queue.get()
                self.log.debug("has counted")
        return Action(state=self.count)


class Uncopied(Agent):
    """Holds what cannot be copied at all."""

    def __init__(self, name, position):
        super().__init__(name, position)
        self.numbers = (number for number in itertools.count())
        self.file = io.TextIOWrapper(io.BytesIO())

    def step(self, view):
        self.file.write("x")
        return Action(state=next(self.numbers))


class Itself(Agent):
    """Its copy is itself."""

    count = 0

    def __deepcopy__(self, memo):
        return self

    def step(self, view):
        self.count += 1
        return Action(state=self.count)


class NoCopy(Itself):
    """Fails when it is copied."""

    def __deepcopy__(self, memo):
        raise RuntimeError("there is but one of me")


class Context(Agent):
    """Uses a context variable, which each step has of its own."""

    variable = contextvars.ContextVar("variable", default=0)

    async def step(self, view):
        before = self.variable.get()
        self.variable.set(view.step + 1)
        await asyncio.sleep(0)
        return Action(state=[before, self.variable.get()])


class Plainly:
    """What is awaited without being a coroutine, by an iterator without `send`."""

    def __init__(self, turns):
        self.turns = turns

    def __await__(self):
        return iter([None] * self.turns)


class Awaits(Agent):
    async def step(self, view):
        await Plainly(3)
        return Action(state=view.step)


@types.coroutine
def old_style(agent, view):
    yield
    return Action(state=["old", view.step])


def a_future(agent, view):
    future = asyncio.get_running_loop().create_future()
    future.set_result(Action(state="future"))
    return future


def a_task(agent, view):
    async def waits():
        await asyncio.sleep(0)
        return Action(state="task")

    return asyncio.ensure_future(waits())


class Frozen(Agent):
    """Sets no attributes but by the class above all."""

    def __setattr__(self, name, value):
        object.__setattr__(self, name, value)

    def __delattr__(self, name):
        object.__delattr__(self, name)

    def step(self, view):
        self.mark = view.step
        del self.mark


ODD = [
    Mixed, Closed, Property, Keeps, Remembering, Locked, Uncopied, Itself, NoCopy, Context, Awaits,
    Frozen, old_style, a_future, a_task,
]  # fmt: skip


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: odd.__name__)
def test_odd_agents_do_what_they_do_without(odd):
    expected, _ = debug(line(odd, odd), 5, debug=False)
    assert quiet(line(odd, odd), 5).final == expected.final


def test_a_dataclass_does_what_it_does_without():
    def people():
        return Simulation(Grid(9, 9), [Record("one"), Record("two")])

    assert quiet(people()).final == debug(people(), debug=False)[0].final


def test_an_agent_that_holds_its_simulation_runs():
    class Insider(Agent):
        simulation = None

        def step(self, view):
            return Action(state=[view.step, len(self.simulation.space.scheduler_options())])

    simulation = line(Insider, Insider)
    for agent in simulation.state.agents:
        agent.simulation = simulation
    quiet(simulation)


def test_a_socket_is_no_hindrance():
    with socket.socket() as one, socket.socket() as other:

        class Connected(Agent):
            socket = None

            def step(self, view):
                return Action(state=self.socket.fileno() >= 0)

        simulation = line(Connected, Connected)
        for agent, held in zip(simulation.state.agents, (one, other), strict=True):
            agent.socket = held
        quiet(simulation)


def test_an_agent_that_deletes_what_another_has_is_found_even_if_it_has_ways_of_its_own():
    class Closely(Mixed):
        friend = None

        def step(self, view):
            if self.friend is not None:
                self.friend.loud_word = "mine"
            return super().step(view)

    simulation = line(Closely, Closely)
    simulation.state.agents[0].friend = simulation.state.agents[1]
    assert "'a0' used 'loud_word' of 'a1'" in str(hidden(simulation))


# What it leaves behind.


def is_as_before():
    assert not set(WATCHED) & vars(Agent).keys()
    plain = Doer("someone", (0, 0))
    plain.mood = 1
    assert plain.mood == 1
    del plain.mood


def test_the_class_is_as_before_after_a_run_that_failed():
    def fails(agent, view):
        assert set(WATCHED) <= vars(Agent).keys()
        raise ValueError("no")

    with pytest.raises(RuntimeError, match="ValueError: no"):
        line(fails).run(3, debug=True)
    is_as_before()


def test_the_class_is_as_before_after_a_run_that_found_something():
    with pytest.raises(HiddenInputError):
        line(lambda agent, view: Action(state=id(object()) + next(TIMES))).run(3, debug=True)
    is_as_before()


TIMES = itertools.count()


def test_the_class_is_as_before_after_a_run_that_was_cancelled_and_it_goes_on():
    async def waits(agent, view):
        await asyncio.sleep(0)
        if view.step == 2 and not agent.__dict__.get("cancelled"):
            agent.cancelled = True
            running.cancel()
            await asyncio.sleep(60)
        return Action(state=view.step)

    simulation = line(waits, waits)
    running = None

    async def main():
        nonlocal running
        running = asyncio.ensure_future(simulation.run_async(5, debug=True))
        await asyncio.wait([running])
        assert running.cancelled()
        assert asyncio.get_running_loop().get_task_factory() is None

    asyncio.run(main())
    is_as_before()
    simulation.state.agents[0].do = simulation.state.agents[1].do = lambda agent, view: None
    assert simulation.run(5, debug=True).finished
    is_as_before()


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_the_class_is_as_before_after_a_run_that_was_interrupted():
    async def interrupts(agent, view):
        if view.step == 1:
            os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(0)

    simulation = line(interrupts)
    with pytest.raises(KeyboardInterrupt):
        simulation.run(3, debug=True)
    is_as_before()


def test_the_class_is_as_before_if_the_engine_does_not_start():
    class Broken(ScriptedEngine):
        async def start(self):
            raise EngineError("no electricity")

    with pytest.raises(EngineError):
        line(lambda agent, view: None).run(1, engine=Broken(), debug=True)
    is_as_before()


def test_what_made_the_tasks_of_a_loop_before_makes_them_after():
    made = []

    def factory(loop, coro, **options):
        made.append(coro)
        return asyncio.Task(coro, loop=loop, **options)

    async def gathers(agent, view):
        await asyncio.gather(view.llm.chat("one"), view.llm.chat("two"))

    async def main():
        loop = asyncio.get_running_loop()
        loop.set_task_factory(factory)
        await line(gathers, gathers).run_async(2, debug=True)
        assert loop.get_task_factory() is factory

    asyncio.run(main())
    assert len(made) >= 8


def test_the_names_of_tasks_and_coroutines_can_be_shown():
    async def part():
        await asyncio.sleep(0)

    async def step(agent, view):
        task = asyncio.create_task(part(), name="my own")
        await asyncio.sleep(0)
        told, stack = repr(task), task.get_stack()
        await task
        return Action(state=["'my own'" in told, "part()" in told, len(stack)])

    outcome = quiet(line(step), 1)
    assert outcome.final["agents"]["a0"]["state"] == [True, True, 1]


def test_a_task_that_is_cancelled_before_it_begins_leaves_no_complaint():
    async def part():
        raise AssertionError("it never begins")

    async def step(agent, view):
        task = asyncio.create_task(part())
        task.cancel()
        await asyncio.wait([task])
        return Action(state=task.cancelled())

    assert quiet(line(step), 2).final["agents"]["a0"]["state"] is True


def test_time_limits_hold():
    async def slow(agent, view):
        if view.step == 1:
            await asyncio.sleep(3600)

    outcome, _ = debug(line(slow), 3, on_error=OnError(then="skip", time_limit=0.05))
    assert [(failure.agent, failure.step) for failure in outcome.failures] == [("a0", 1)]
    assert outcome.finished


# Without it.


def test_without_it_nothing_is_watched_and_nothing_done_twice():
    done = []

    async def step(agent, view):
        done.append((agent.name, view.step, set(WATCHED) & vars(Agent).keys()))
        done.append(asyncio.get_running_loop().get_task_factory())
        await asyncio.sleep(0)

    simulation = line(step)
    simulation.run(2)
    assert done == [("a0", 0, set()), None, ("a0", 1, set()), None]
    assert simulation.state.execute is execute


def test_what_is_done_around_steps_is_done_once_with_the_debug_mode_inside():
    around = []

    async def outer(execute, agent, view):
        around.append((agent.name, view.step))
        return await execute(agent, view)

    def draws(agent, view):
        return Action(state=view.random.random())

    assert quiet(line(draws, draws), 2, around_step=outer).finished
    assert sorted(around) == [("a0", 0), ("a0", 1), ("a1", 0), ("a1", 1)]
