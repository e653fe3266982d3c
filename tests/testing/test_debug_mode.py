"""`run(debug=True)` finds what a step uses besides its view and itself, and nothing else."""

from __future__ import annotations

import asyncio
import itertools
import random
import re
import time
from dataclasses import dataclass
from random import Random

import numpy as np
import pytest
from debugged import Doer, debug, hidden, line, quiet

from headway import Action, Agent, Grid, Place, Simulation
from headway.engines.scripted import ScriptedEngine, scripted_answer
from headway.errors import StepFailedError
from headway.live import OnError

# Where in a step something is done: each takes what to do, and makes a step.


def in_a_plain_step(do):
    def step(agent, view):
        do(agent, view)

    return step


def before_it_waits(do):
    async def step(agent, view):
        do(agent, view)
        await asyncio.sleep(0)

    return step


def after_it_waited(do):
    async def step(agent, view):
        await asyncio.sleep(0)
        do(agent, view)

    return step


def between_two_calls(do):
    async def step(agent, view):
        await view.llm.chat("one")
        do(agent, view)
        await view.llm.chat("two")

    return step


def in_gathered_tasks(do):
    async def part(agent, view):
        await asyncio.sleep(0)
        do(agent, view)

    async def step(agent, view):
        await asyncio.gather(part(agent, view), asyncio.sleep(0))

    return step


def in_a_task_group(do):
    async def part(agent, view):
        do(agent, view)

    async def step(agent, view):
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(part(agent, view))
        except* Exception as group:  # as the one error that it holds
            raise group.exceptions[0] from None

    return step


def in_a_task_of_a_task(do):
    async def inner(agent, view):
        await view.llm.chat("deep down")
        do(agent, view)

    async def outer(agent, view):
        await asyncio.create_task(inner(agent, view))

    async def step(agent, view):
        await asyncio.wait_for(outer(agent, view), 60)

    return step


def while_it_cleans_up(do):
    async def step(agent, view):
        try:
            await asyncio.wait_for(asyncio.Event().wait(), 0)
        except TimeoutError:
            do(agent, view)

    return step


MOMENTS = [
    in_a_plain_step, before_it_waits, after_it_waited, between_two_calls, in_gathered_tasks,
    in_a_task_group, in_a_task_of_a_task, while_it_cleans_up,
]  # fmt: skip


def nothing(agent, view):
    return None


# Global random generators.

#: Of numpy's module, which has one like Python's.
LEGACY = np.random

DRAWS = {
    "Python's": [
        lambda: [random.random()],
        lambda: random.shuffle([1, 2, 3]),
        lambda: random.seed(1),
        lambda: random.gauss(0, 1),
        lambda: random.getrandbits(3),
    ],
    "numpy's": [
        lambda: [LEGACY.random()],
        lambda: LEGACY.shuffle([1, 2, 3]),
        lambda: LEGACY.seed(1),
        lambda: [LEGACY.normal()],
    ],
}


@pytest.fixture(autouse=True)
def same_numbers():
    """Seed what is global, so that a draw is a change in every test."""
    random.seed(20300101)
    LEGACY.seed(20300101)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("whose", DRAWS)
def test_a_draw_from_a_global_generator_is_found_wherever_it_happens(whose, moment):
    draw = DRAWS[whose][0]
    step = moment(lambda agent, view: view.step == 2 and draw())
    error = hidden(line(nothing, step, nothing))
    assert (error.kind, error.agent, error.step) == ("generator", "a1", 2)
    assert f"'a1' drew from {whose} global random generator in step 2" in str(error)
    assert "use view.random" in str(error)


@pytest.mark.parametrize("draw", [draw for draws in DRAWS.values() for draw in draws[1:]])
def test_every_use_of_a_global_generator_is_a_draw(draw):
    assert hidden(line(in_a_plain_step(lambda agent, view: draw()))).kind == "generator"


def test_generators_of_its_own_are_nobodys_business():
    class Dreamer(Agent):
        def __init__(self, name, position):
            super().__init__(name, position)
            self.python = Random(name)
            self.roll = Random(f"{name} rolls").random  # a method, which remembers, too
            self.numpy = np.random.default_rng(len(name))

        async def step(self, view):
            await asyncio.sleep(0)
            drawn = (self.python.random(), self.roll(), self.numpy.random(), view.random.random())
            return Action(state=drawn)

    first, second = line(Dreamer, Dreamer), line(Dreamer, Dreamer)
    assert quiet(first).final == second.run(3).final


def test_what_the_engine_and_the_callbacks_draw_is_not_the_steps():
    class Jittery(ScriptedEngine):
        async def complete(self, request):
            random.random()
            await asyncio.sleep(0)
            LEGACY.random()
            return await super().complete(request)

    async def talks(agent, view):
        answers = await asyncio.gather(*[view.llm.chat(f"{i}") for i in range(3)])
        return Action(state=[answer.text for answer in answers])

    def draw(*_):
        random.random()

    quiet(line(talks, talks), engine=Jittery(), on_call=draw, on_event=draw, progress=draw)


def test_a_draw_between_two_calls_is_found_although_the_engine_draws_too():
    class Jittery(ScriptedEngine):
        async def complete(self, request):
            random.random()
            return await super().complete(request)

    step = between_two_calls(lambda agent, view: random.random())
    assert hidden(line(step), engine=Jittery()).kind == "generator"


@pytest.mark.parametrize("on_error", ["retry", "skip", "freeze"])
def test_a_step_that_catches_everything_is_found_all_the_same(on_error):
    async def careful(agent, view):
        try:
            await asyncio.sleep(0)
            return Action(state=[random.random(), view.random.random()])
        except BaseException:
            return None

    def peeping(agent, view):
        try:
            return Action(state=agent.friend.mood)
        except Exception:
            return Action(state="nothing happened")

    assert hidden(line(careful), on_error=on_error).kind == "generator"
    simulation = line(peeping, nothing)
    one, other = simulation.state.agents
    one.friend, other.mood = other, "fine"
    assert hidden(simulation, on_error=on_error).kind == "agent"


# Other agents.


class Friend(Agent):
    """Has a mood, which others had better not look at."""

    __slots__ = ("__secret", "slot")
    kind = "friend"

    def __init__(self, name, position):
        super().__init__(name, position)
        self.friend = None
        self.mood = 1
        self.slot = 2
        self.__secret = 3

    def step(self, view):
        self.mood += 1
        self.slot += self.__secret

    def method(self):
        return self.mood

    @property
    def happy(self):
        return self.mood > 3

    @classmethod
    def of_class(cls):
        return cls.kind

    def told(self):
        return f"{self.name} is a {self.kind}"


def friends(do, moment=in_a_plain_step):
    """Make two who know each other; the first does something with the second."""

    class Peeping(Friend):
        def step(self, view):
            return moment(lambda agent, view: view.step == 1 and do(agent.friend))(self, view)

    agents = [Peeping("a0", (0, 0)), Friend("a1", (30, 4))]
    for agent in agents:
        agent.friend = agents[1 - agents.index(agent)]
    return Simulation(Grid(40, 9), agents)


def _delete(friend):
    del friend.mood


def _add(friend):
    friend.mood += 1


@pytest.mark.parametrize(
    ("attribute", "do"),
    [
        ("mood", lambda friend: friend.mood),
        ("mood", lambda friend: friend.method()),
        ("mood", lambda friend: friend.happy),
        ("mood", lambda friend: getattr(friend, "mood", 0)),
        ("mood", lambda friend: hasattr(friend, "mood")),
        ("mood", lambda friend: [one.mood for one in (friend, friend)]),
        ("mood", lambda friend: setattr(friend, "mood", 2)),
        ("mood", _delete),
        ("mood", _add),
        ("slot", lambda friend: friend.slot),
        ("slot", lambda friend: setattr(friend, "slot", 2)),
        ("_Friend__secret", lambda friend: friend._Friend__secret),
        ("new", lambda friend: setattr(friend, "new", 2)),
        ("name", lambda friend: setattr(friend, "name", "renamed")),
        ("position", lambda friend: friend.position),
        ("state", lambda friend: friend.state),
        ("friend", lambda friend: friend.friend),
        ("__dict__", vars),
        ("__dict__", lambda friend: friend.__dict__["mood"]),
    ],
)
def test_another_agents_attributes_are_not_to_be_touched(attribute, do):
    error = hidden(friends(do))
    assert (error.kind, error.agent, error.step) == ("agent", "a0", 1)
    assert f"'a0' used {attribute!r} of 'a1' directly in step 1" in str(error)
    assert "stands 30 away (sight is 4)" in str(error)
    assert re.search(r"now at [12]\)", str(error))


@pytest.mark.parametrize("moment", MOMENTS)
def test_they_are_not_to_be_touched_at_any_moment(moment):
    error = hidden(friends(lambda friend: friend.mood, moment))
    assert (error.kind, error.agent, error.step) == ("agent", "a0", 1)


@pytest.mark.parametrize(
    "do",
    [
        lambda friend: (friend.name, friend.sight, friend.speed, friend.reach, friend.joins),
        lambda friend: friend.told(),
        lambda friend: friend.of_class(),
        lambda friend: (repr(friend), str(friend), hash(friend), friend in [friend], bool(friend)),
        lambda friend: (type(friend), isinstance(friend, Agent), friend.__class__, friend.step),
        lambda friend: (hasattr(friend, "nothing"), getattr(friend, "nothing", 0), id(friend)),
        lambda friend: {friend: 1}[friend],
    ],
)
def test_what_never_changes_may_be_read_of_others(do):
    quiet(friends(do), 3)


def test_agents_of_another_simulation_are_nobodys_business():
    stranger = Friend("stranger", (0, 0))
    simulation = friends(lambda friend: stranger.mood)
    Simulation(Grid(9, 9), [stranger])
    quiet(simulation)


def test_two_debugged_runs_at_once_are_told_apart():
    async def slow(agent, view):
        for _ in range(7):
            await asyncio.sleep(0)
        return Action(state=view.random.random())

    async def main():
        long = line(slow, slow)
        quick, peeping = line(nothing), friends(lambda friend: friend.mood)
        runs = [one.run_async(6, debug=True) for one in (long, quick, peeping)]
        ended = await asyncio.gather(*runs, return_exceptions=True)
        assert asyncio.get_running_loop().get_task_factory() is None
        return ended, line(slow, slow).run_async(6)

    (long, quick, peeping), plain = asyncio.run(main())
    assert long.final == asyncio.run(plain).final
    assert quick.finished
    assert peeping.agent == "a0"
    assert "__getattribute__" not in vars(Agent)


class Parent(Agent):
    """Brings about a child, keeps it, and does something with it."""

    def __init__(self, name, position, do=lambda child: None):
        super().__init__(name, position)
        self.do, self.child = do, None

    def step(self, view):
        if view.step == 1:
            self.child = Child(f"{self.name}'s child", view.position)
            self.child.mood = 5
            return Action(spawn=[self.child], state=self.child.mood)
        if view.step >= 3:
            self.do(self.child)
        return None


class Child(Agent):
    """Has a mood of its own."""

    mood = 0

    def step(self, view):
        self.mood += 1
        return Action(state=self.mood)


def test_a_parent_may_make_and_keep_its_child():
    simulation = line(Parent, Parent)
    outcome = quiet(simulation, 6)
    assert outcome.final == line(Parent, Parent).run(6).final
    assert len(outcome.final["agents"]) == 4
    assert outcome.final["agents"]["a0's child"]["state"] == 9


def test_a_parent_is_not_to_look_into_a_child_that_has_joined():
    agents = [Parent("a0", (0, 0), lambda child: child.mood)]
    error = hidden(Simulation(Grid(9, 9), agents), 6)
    assert "'a0' used 'mood' of \"a0's child\" directly in step 3" in str(error)


def test_children_in_a_generator_are_not_taken_from_it():
    def spawns(agent, view):
        if view.step:
            return None
        return Action(spawn=(Doer(f"{agent.name}.{i}", view.position) for i in range(2)), to=())

    assert len(quiet(line(spawns)).final["agents"]) == 3


# Steps that do not repeat themselves.

NUMBERS = itertools.count()


def next_is_odd():
    if next(NUMBERS) % 2:
        next(NUMBERS)


def unlike(make):
    """Return a number that is another one each time, after some that are not."""

    def do(agent, view):
        return make(next(NUMBERS)) if view.step == 1 and agent.name == "a1" else None

    return do


@pytest.mark.parametrize(
    ("part", "do"),
    [
        ("its action's 'state' was", unlike(lambda n: Action(state=["n", n]))),
        ("its action's 'say' was", unlike(lambda n: Action(say=f"{n}"))),
        ("its action's 'to' was", unlike(lambda n: Action(say="x", to=[f"{n}"]))),
        ("its action's 'move' was", unlike(lambda n: Action(move=(20, n % 2)))),
        ("its action's 'tell' was", unlike(lambda n: Action(tell={f"{n}": 1}))),
        ("its action's 'write' was", unlike(lambda n: Action(write={"well": n}))),
        ("its action's 'leave' was", unlike(lambda n: Action(leave=n % 2 == 0))),
        ("its action's 'spawn' was", unlike(lambda n: Action(spawn=[Doer(f"c{n}", (20, 0))]))),
        ("what it returned was", unlike(lambda n: n)),
        ("did something, then raised", unlike(lambda n: 1 // (n % 2))),
    ],
)
def test_the_part_of_an_action_that_differs_is_named(part, do):
    next_is_odd()
    simulation = line(nothing, do, places=[Place("well", (20, 1))])
    error = hidden(simulation)
    assert (error.kind, error.agent, error.step) == ("repeat", "a1", 1)
    assert f"'a1' executed step 1 twice on the same snapshot with the same answers, and {part}" in (
        str(error)
    )


def test_the_attribute_that_differs_is_named():
    def counts(agent, view):
        agent.when = time.perf_counter_ns()

    error = hidden(line(counts))
    assert re.search(r"its attribute 'when' became \d+ and then \d+", str(error))

    def sometimes(agent, view):
        if next(NUMBERS) % 2:
            agent.odd = True

    assert re.search(r"its attribute 'odd' became (nothing|True) and", str(hidden(line(sometimes))))


def test_the_order_of_a_set_of_objects_is_found():
    class Thing:
        """Hashed by its address, as objects are."""

    class Hoarder(Agent):
        def __init__(self, name, position):
            super().__init__(name, position)
            self.things = {Thing(): number for number in range(30)}
            self.bag = set(self.things)

        def step(self, view):
            return Action(state=[self.things[thing] for thing in self.bag])

    assert hidden(line(Hoarder)).kind == "repeat"


def test_calls_that_differ_are_named():
    async def asks(agent, view):
        await view.llm.chat(f"number {next(NUMBERS)}")

    error = hidden(line(asks))
    assert "then raised RuntimeError(\"asked the model something else: 'number" in str(error)

    async def asks_once_more(agent, view):
        await view.llm.chat("hello")
        if next(NUMBERS) % 2:
            await view.llm.chat("are you there?", label="doubt")

    next_is_odd()
    error = hidden(line(asks_once_more))
    assert "asked the model ('are you there?', {'label': 'doubt'}), then did not" in str(error)


# The model.


class Counting(ScriptedEngine):
    """Keeps what it was asked."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.asked = []

    async def complete(self, request):
        self.asked.append((request.agent, request.step, request.call, request.attempt))
        return await super().complete(request)


async def _repeated(agent, view):
    answers = [await view.llm.chat("the very same") for _ in range(3)]
    return Action(state=[answer.text for answer in answers])


async def _structured(agent, view):
    schema = {"type": "object", "properties": {"mood": {"type": "string"}}, "required": ["mood"]}
    told = await view.llm.chat("how are you?", schema=schema)
    chosen = await view.llm.chat(prompt="which?", choices=["this", "that"], label="choice")
    told.value["mood"] += " and mine to change"
    return Action(state=[told.value, chosen.value])


async def _gathered(agent, view):
    async def two(name):
        first = await view.llm.chat([("system", "be brief"), ("user", name)])
        return (await view.llm.chat(f"{first.text} and then?")).text

    return Action(state=await asyncio.gather(*[two(f"part {i}") for i in range(3)]))


async def _by_generators(agent, view):
    return Action(say=(await view.llm.chat(m for m in [("user", "a"), ("user", "b")])).text)


async def _refused(agent, view):
    try:
        await view.llm.chat("a fault, please")
    except OSError as error:
        return Action(state=str(error))
    return None


async def _wrong(agent, view):
    try:
        await view.llm.chat("", max_tokens=-1)
    except ValueError as error:
        return Action(state=str(error))
    return None


async def _hurried(agent, view):
    try:
        await asyncio.wait_for(view.llm.chat("take your time"), 0)
    except TimeoutError:
        return Action(state="too late")
    return None


async def _first_of_two(agent, view):
    calls = [asyncio.ensure_future(view.llm.chat(f"{i}")) for i in range(2)]
    done, pending = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
    for call in pending:
        call.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    return Action(state=sorted(call.result().text for call in done))


async def _forgets(agent, view):
    agent.tasks = [asyncio.ensure_future(view.llm.chat("never mind"))]
    await asyncio.sleep(0)
    return Action(state=view.step)


def _answer(request):
    if "fault" in request.messages[0].content:
        raise OSError("the line is dead")
    return scripted_answer(request)


@pytest.mark.parametrize("latency", [None, lambda request: 1 + request.call % 2])
@pytest.mark.parametrize(
    "step",
    [_repeated, _structured, _gathered, _by_generators, _refused, _wrong, _hurried, _first_of_two,
     _forgets],
)  # fmt: skip
def test_no_call_is_made_twice_and_every_answer_is_the_same(step, latency):
    runs = []
    for on in (False, True):
        engine, events = Counting(_answer, latency=latency), []
        outcome, warned = debug(
            line(step, step), 3, debug=on, engine=engine, on_event=events.append
        )
        assert not warned
        runs.append((outcome.final, events, outcome.calls, sorted(engine.asked)))
    assert runs[0] == runs[1]
    assert runs[0][3] or step in {_wrong, _hurried}


def test_calls_of_one_step_that_ask_the_very_same_get_their_own_answers():
    async def same(agent, view):
        async def twice():
            return [(await view.llm.chat("same")).text for _ in range(2)]

        return Action(state=await asyncio.gather(twice(), twice()))

    for latency in (None, lambda request: 1.0):
        quiet(line(same), engine=ScriptedEngine(latency=latency))


def test_an_answer_is_nobody_elses():
    """What the first execution does with an answer, the second does not see."""

    async def eats(agent, view):
        answer = await view.llm.chat("a list", schema={"type": "array", "minItems": 1,
                                                       "items": {"type": "integer"}})  # fmt: skip
        answer.value.append("eaten")
        return Action(state=answer.value)

    quiet(line(eats))


# Failures.


class Trying(Agent):
    """Fails at first, and takes back what it has changed."""

    def __init__(self, name, position):
        super().__init__(name, position)
        self.memory, self.tries = [], 0

    def snapshot(self):
        return list(self.memory)

    def restore(self, snapshot):
        self.memory = list(snapshot)
        self.tries += 1

    async def step(self, view):
        self.memory.append(view.step)
        answer = await view.llm.chat(f"{self.memory}")
        if self.tries % 3 != 2:
            raise ValueError(f"{answer.text} is not what I want")
        return Action(state=[self.memory, self.tries])


@pytest.mark.parametrize("then", ["abort", "skip", "freeze"])
def test_a_step_that_is_tried_again_is_tried_as_often(then):
    def run(on):
        engine = Counting()
        policy = OnError(then=then, attempts=4)
        outcome, _ = debug(line(Trying, Trying), 4, debug=on, engine=engine, on_error=policy)
        return outcome.final, outcome.attempts_failed, outcome.failures, sorted(engine.asked)

    assert run(True) == run(False)


def test_a_step_that_fails_fails_as_without():
    def fails(agent, view):
        if view.step == 1:
            raise KeyError("lost")

    def told(on):
        with pytest.raises(StepFailedError) as caught:
            debug(line(nothing, fails), debug=on)
        return str(caught.value), type(caught.value.__cause__)

    assert told(True) == told(False)


@dataclass
class Wrong:
    """No action."""

    number: int = 0


@pytest.mark.parametrize(
    "wrong",
    [7, "move", Wrong(), [Action()], Action(spawn=7), Action(spawn=[7]), Action(tell=7),
     Action(move="away")],
)  # fmt: skip
def test_what_is_no_action_is_refused_as_without(wrong):
    def told(on):
        with pytest.raises(StepFailedError) as caught:
            debug(line(lambda agent, view: wrong), debug=on)
        return str(caught.value)

    assert told(True) == told(False)
