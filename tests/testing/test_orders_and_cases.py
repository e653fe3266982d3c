"""Orders of execution, modelled time, and cases as text."""

from __future__ import annotations

import asyncio
import collections
import json
import math
import types
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway import Action, Agent, Grid, OnError, Simulation
from headway.engines.base import Answer, Engine, Request
from headway.errors import OptionError
from headway.testing import (
    Case,
    Order,
    OrderedEngine,
    ScriptedEngine,
    VirtualClock,
    random_setup,
    scripted_answer,
)
from headway.testing.running import Factory, run

# Cases.

NAMES = st.text(min_size=1, max_size=6)
SECONDS = st.floats(0, 1e9, allow_nan=False)
MOMENTS = st.tuples(NAMES, st.integers(0, 99), st.sampled_from(["start", "end", "answer 0", "x"]))

CASES = st.builds(
    Case,
    seed=st.integers(),
    steps=st.integers(1, 10**6),
    order=st.none() | st.integers(),
    agents=st.none() | st.lists(NAMES, max_size=4).map(tuple),
    late=st.lists(st.tuples(MOMENTS, SECONDS), max_size=6).map(tuple),
    cut=st.none() | st.integers(1, 10**6),
)


@given(CASES)
def test_a_case_is_read_as_it_was_written(case):
    text = case.to_json()
    assert Case.from_json(text) == case
    assert Case.from_json(f" {text}\n") == case
    assert text.isprintable(), "it stands in one line of a terminal"
    assert str(case).isprintable()
    assert str(case).startswith(f"seed {case.seed}; {case.steps} step")


@given(CASES)
def test_a_case_of_many_delays_is_told_in_a_few_words(case):
    assert len(str(case)) < 500 + 10 * len(case.agents or ())


@pytest.mark.parametrize("name", ["\ud800", "a\x1b[31mb", "\u202eevil", "a\nb", "\x9b", "it's"])
def test_odd_names_are_told_so_that_a_terminal_only_shows_them(name):
    case = Case(1, 2, agents=(name,), late=(((name, 1, "start"), 1.0),))
    for text in (case.to_json(), str(case)):
        assert text.isprintable()
        text.encode()
    assert Case.from_json(case.to_json()) == case


def test_what_is_as_usual_is_left_out():
    assert Case(3, 4).to_json() == '{"seed":3,"steps":4}'
    assert Case(3, 4, order=0).to_json() == '{"seed":3,"steps":4,"order":0}'
    assert Case(0, 1, agents=("Zoë",)).to_json() == '{"seed":0,"steps":1,"agents":["Zoë"]}'


GOOD = {"seed": 1, "steps": 2, "order": 3, "agents": ["a"], "late": [["a", 1, "start", 2.5]]}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "Expecting value"),
        ("seed 7", "Expecting value"),
        ("{", "Expecting property name"),
        ("[" * 100_000, ""),
        ("null", "it is no JSON object"),
        ("[]", "it is no JSON object"),
        ('"seed"', "it is no JSON object"),
        ("7", "it is no JSON object"),
        ("{}", "it has no 'seed'"),
        ('{"seed":1}', "it has no 'steps'"),
        ('{"steps":1}', "it has no 'seed'"),
    ],
)
def test_what_is_no_case_is_refused(text, why):
    with pytest.raises(OptionError, match="is no case as a failure prints it") as caught:
        Case.from_json(text)
    assert why in str(caught.value)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("seed", ["1", 1.5, True, None, [], math.inf, math.nan]),
        ("steps", ["1", 1.5, True, None, 0, -1, math.inf]),
        ("order", ["1", 1.5, False, []]),
        ("cut", ["1", 0, -1, 2.5, True]),
        ("agents", ["abc", 7, [1], [["a"]], {"a": 1}, [None]]),
        ("late", ["abc", 7, [7], ["abcd"], [["a", 1, "start"]], [["a", 1, "start", 2, 3]],
                  [["a", "1", "start", 2]], [[1, 1, "start", 2]], [["a", 1, 1, 2]],
                  [["a", True, "start", 2]], [["a", 1, "start", "2"]], [["a", 1, "start", True]],
                  [["a", 1, "start", -1]], [["a", 1, "start", math.inf]],
                  [["a", 1, "start", math.nan]], [["a", 1, "start", 10**400]], {"a": 1}]),
        ("colour", ["red"]),
    ],
)  # fmt: skip
def test_a_case_with_something_wrong_in_it_is_refused_with_the_reason(key, values):
    assert Case.from_json(json.dumps(GOOD)).agents == ("a",)
    for value in values:
        with pytest.raises(OptionError, match="is no case as a failure prints it: "):
            Case.from_json(json.dumps({**GOOD, "order": None, key: value}))


def test_a_case_makes_the_order_it_tells_of():
    assert Case(1, 2, order=7).make_order().delay("a", 1, "start") == Order(7).delay(
        "a", 1, "start"
    )
    order = Case(1, 2, late=((("a", 1, "start"), 2.5),)).make_order()
    assert order.delay("a", 1, "start") == 2.5
    assert order.delay("a", 1, "end") == 0
    assert order.used == {("a", 1, "start"): 2.5}


# Orders.


def delays(order, agents=12, steps=20):
    return {
        (agent, step, what): order.delay(f"a{agent}", step, what)
        for agent in range(agents)
        for step in range(steps)
        for what in ("start", "end", "answer 0", "answer 1", "answer 0.1")
    }


@settings(max_examples=15)
@given(st.integers())
def test_equal_seeds_delay_equally_and_different_ones_differently(seed):
    told = delays(Order(seed))
    again = Order(seed)
    assert [again.delay(f"a{a}", s, w) for a, s, w in reversed(told)] == list(told.values())[::-1]
    assert delays(Order(seed + 1)) != told
    assert all(0 <= delay < math.inf for delay in told.values())
    assert any(told.values()), "every order delays something"


def test_all_kinds_of_orders_occur():
    kinds = collections.Counter()
    for seed in range(200):
        told = delays(Order(seed), agents=24, steps=4)
        late = dict.fromkeys(("start", "end", "answer"), 0)
        by_agent = collections.Counter()
        for (agent, _, what), delay in told.items():
            late[what.partition(" ")[0]] += delay > 0
            by_agent[agent] += delay
        most = max(by_agent.values())
        slow = [agent for agent, delay in by_agent.items() if delay > most / 8]
        kinds["only a few are slow"] += len(slow) < 16
        kinds["all are alike"] += len(slow) == 24
        for what, count in late.items():
            kinds[f"no {what}"] += count < 24
            kinds[f"every {what}"] += count >= 24 * 4
    assert all(kinds[kind] > 10 for kind in list(kinds)), kinds
    assert len(kinds) == 8


def test_only_what_was_asked_for_and_is_late_is_remembered():
    order = Order(delays={("a", 0, "start"): 2, ("a", 1, "start"): 0, ("b", 0, "end"): 3})
    for moment in (("a", 0, "start"), ("a", 1, "start"), ("c", 0, "start")):
        order.delay(*moment)
    assert order.used == {("a", 0, "start"): 2}


@pytest.mark.parametrize("delay", [-1, math.nan, math.inf, -math.inf])
def test_a_delay_that_makes_no_sense_is_refused(delay):
    with pytest.raises(OptionError, match="must be finite and at least 0"):
        Order(delays={("a", 0, "start"): delay})


def test_an_order_shows_what_makes_it_again():
    assert repr(Order(7)) == "Order(7)"
    assert eval(repr(Order(delays={("a", 0, "end"): 1.5}))).delay("a", 0, "end") == 1.5


# The engine that answers in an order.


def test_an_engine_in_modelled_time_is_refused():
    with pytest.raises(OptionError, match="the time of 'scripted' is modelled too"):
        OrderedEngine(ScriptedEngine(), Order(1))


class Talker(Agent):
    """Calls the model several times, and now and then fails."""

    def __init__(self, name, position, fails=False):
        super().__init__(name, position)
        self.fails = fails

    async def step(self, view):
        if view.step % 2:
            calls = [view.llm.chat(f"{i}") for i in range(3)]
            answers = [answer.text for answer in await asyncio.gather(*calls)]
        else:
            answers = [(await view.llm.chat(f"{i}")).text for i in range(2)]
        if self.fails and len(answers) == 3:
            self.fails = False
            raise ValueError("again")
        return Action(state=answers)


def test_starts_ends_and_answers_come_as_late_as_the_order_says():
    late = {
        ("a0", 0, "start"): 1.0, ("a0", 0, "answer 0"): 2.0, ("a0", 0, "answer 1"): 4.0,
        ("a0", 0, "end"): 8.0, ("a0", 1, "answer 1"): 16.0, ("a0", 1, "answer 0.100"): 32.0,
    }  # fmt: skip
    order = Order(delays=late)
    engine = OrderedEngine(ScriptedEngine(latency=None), order)
    simulation = Simulation(Grid(9, 9), [Talker("a0", (0, 0), fails=True)])
    outcome = simulation.run(
        2, engine=engine, around_step=engine.around_step, on_error=OnError(attempts=2)
    )
    assert outcome.modelled
    assert outcome.seconds == sum(late.values())
    assert order.used == late
    assert outcome.attempts_failed == 1
    assert outcome.calls == 2 + 3 + 3


def test_what_is_answered_does_not_depend_on_the_order():
    finals, events = set(), set()
    for seed in range(6):
        told = []
        order = Order(seed)
        engine = OrderedEngine(ScriptedEngine(latency=None), order)
        people = [Talker(f"a{i}", (9 * i, 0)) for i in range(4)]
        outcome = Simulation(Grid(40, 9), people).run(
            6, engine=engine, around_step=engine.around_step,
            on_event=lambda event, told=told: told.append(event.to_json()),
        )  # fmt: skip
        finals.add(outcome.digest)
        events.add(tuple(told))
        assert order.used
        assert outcome.seconds > 0
    assert len(finals) == len(events) == 1


def test_an_engine_that_is_wrapped_is_started_and_closed_once():
    done = []

    class Told(Engine):
        name = "told"

        async def start(self):
            done.append("start")

        async def complete(self, request):
            return Answer(scripted_answer(request))

        async def close(self):
            done.append("close")

    for order in (Order(1), Order(delays={})):
        engine = OrderedEngine(Told(), order)
        assert engine.name == "told"
        Simulation(Grid(9, 9), [Talker("a", (0, 0))]).run(
            3, engine=engine, around_step=engine.around_step
        )
    assert done == ["start", "close"] * 2


def test_steps_of_every_kind_are_awaited_in_an_order():
    class Plain(Agent):
        def step(self, view):
            return Action(state="plain")

    class Awaitable(Agent):
        def step(self, view):
            future = asyncio.get_running_loop().create_future()
            future.set_result(Action(state="future"))
            return future

    class Coroutine(Agent):
        async def step(self, view):
            return Action(state="coroutine")

    class Old(Agent):
        @types.coroutine
        def step(self, view):
            yield
            return Action(state="old")

    kinds = (Plain, Awaitable, Coroutine, Old)

    def make():
        return Simulation(Grid(9, 9), [kind(kind.__name__, (0, 0)) for kind in kinds])

    done = run(Factory(make), Case(0, 3, order=2), "conservative")
    assert done.error is None
    states = [agent["state"] for agent in done.final["agents"].values()]
    assert states == ["plain", "future", "coroutine", "old"]


def test_an_interrupted_case_goes_on_and_gives_the_same():
    factory = Factory(random_setup)
    for seed in range(4):
        expected = run(factory, Case(seed, 6), "lockstep")
        for cut in (1, 5, 10**6):
            done = run(factory, Case(seed, 6, order=1, cut=cut), "conservative")
            assert (done.events, done.final) == (expected.events, expected.final)


# Modelled time.


def asleep(*seconds):
    """Return when each of these sleepers woke, and in what order, and how often time jumped."""

    async def main():
        clock, woken = VirtualClock(), []

        async def sleep(number, seconds):
            await clock.sleep(seconds)
            woken.append((number, clock.now()))

        tasks = [asyncio.create_task(sleep(i, each)) for i, each in enumerate(seconds)]
        await asyncio.sleep(0)
        jumps = 0
        while clock.advance():
            jumps += 1
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        await asyncio.gather(*tasks)
        assert not clock.advance()
        return woken, jumps

    return asyncio.run(main())


@given(st.lists(st.floats(0, 1e6) | st.integers(0, 3), max_size=12))
def test_sleepers_wake_by_time_and_then_in_the_order_they_went_to_sleep(seconds):
    woken, jumps = asleep(*seconds)
    assert woken == sorted(enumerate(seconds), key=lambda item: (item[1], item[0]))
    assert jumps == len(seconds)


def test_a_sleep_of_nothing_waits_for_its_turn_and_takes_no_time():
    assert asleep(0, 0.0, 1) == ([(0, 0), (1, 0), (2, 1)], 3)


@pytest.mark.parametrize("seconds", [-1, -0.001, math.nan, math.inf, -math.inf])
def test_a_sleep_that_makes_no_sense_is_refused(seconds):
    async def main():
        await VirtualClock().sleep(seconds)

    with pytest.raises(OptionError, match="must be finite and at least 0"):
        asyncio.run(main())


def test_time_does_not_pass_for_sleepers_who_were_cancelled():
    async def main():
        clock = VirtualClock()
        tasks = [asyncio.create_task(clock.sleep(each)) for each in (1, 2, 3, 4)]
        await asyncio.sleep(0)
        for task in tasks[:3]:
            task.cancel()
        await asyncio.sleep(0)
        assert clock.advance()
        assert clock.now() == 4
        await tasks[3]
        assert not clock.advance()
        assert clock.now() == 4
        late = asyncio.create_task(clock.sleep(1))
        await asyncio.sleep(0)
        assert clock.advance()
        late.cancel()  # woken, and cancelled before it ran
        await asyncio.wait([late])
        assert late.cancelled()
        assert clock.now() == 5

    asyncio.run(main())


def test_sleepers_who_were_forgotten_do_not_wake():
    async def main():
        clock = VirtualClock()
        task = asyncio.create_task(clock.sleep(1))
        await asyncio.sleep(0)
        clock.clear()
        assert not clock.advance()
        assert clock.now() == 0
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(main())


def test_a_clock_serves_one_loop_after_the_other():
    clock = VirtualClock()

    async def main():
        task = asyncio.create_task(clock.sleep(1))
        await asyncio.sleep(0)
        left = asyncio.create_task(clock.sleep(0.5))  # the end of the loop cancels it
        await asyncio.sleep(0)
        left.cancel()
        await asyncio.wait([left])
        assert clock.advance()
        await task

    for run_number in (1, 2, 3):
        asyncio.run(main())
        assert clock.now() == run_number


@pytest.mark.parametrize("latency", [-1.0, math.nan, math.inf])
def test_a_latency_that_makes_no_sense_fails_the_call(latency):
    people = [Talker("a", (0, 0))]
    with pytest.raises(RuntimeError, match=r"its latency is .* seconds; it must be finite"):
        Simulation(Grid(9, 9), people).run(1, engine=ScriptedEngine(latency=lambda _: latency))


def test_modelled_latencies_add_up_along_the_slowest_chain():
    chance = Random(5)
    latencies = {(f"a{i}", s): chance.randint(1, 9) / 4 for i in range(3) for s in range(5)}

    class Calls(Agent):
        async def step(self, view):
            await view.llm.chat("hello")

    def latency(request: Request) -> float:
        return latencies[request.agent, request.step]

    def seconds(schedule):
        people = [Calls(f"a{i}", (30 * i, 0)) for i in range(3)]
        simulation = Simulation(Grid(90, 9), people)
        return simulation.run(5, engine=ScriptedEngine(latency=latency), schedule=schedule).seconds

    each = [sum(latencies[f"a{i}", s] for s in range(5)) for i in range(3)]
    assert seconds("conservative") == max(each)
    assert seconds("serial") == sum(each)
    assert seconds("lockstep") == sum(
        max(latencies[f"a{i}", s] for i in range(3)) for s in range(5)
    )
