"""What follows when a step fails: stop, try again, skip, stand still; the same in every order."""

from __future__ import annotations

import asyncio
from random import Random

import pytest
from test_small_agents import Doer, line, run, run_cleanly

from headway.engines.scripted import ScriptedEngine
from headway.errors import StepFailedError, StepTimeoutError
from headway.live import Action, OnError, Simulation
from headway.live import driver as driver_module
from headway.live import steps as steps_module
from headway.space import Grid


class Broken(BaseException):
    """Neither an Exception nor one of those that end the program."""


def fails_at(*moments, how=ValueError):
    """Fail in some (agent's name, step), else count."""

    def step(agent, view):
        if (agent.name, view.step) in moments:
            raise how("no luck")
        return Action(state=(view.state or 0) + 1)

    return step


async def fails_when_waited(agent, view):
    await asyncio.sleep(0)
    raise ValueError("no luck")


async def fails_in_a_gather(agent, view):
    async def part(number):
        await view.llm.chat("equal latencies")
        if number == 1:
            raise ValueError("no luck")

    await asyncio.gather(*map(part, range(2)))


def fails_at_once(agent, view):
    raise ValueError("no luck")


async def fails_before_it_waits(agent, view):
    raise ValueError("no luck")


FAILURES = [fails_at_once, fails_before_it_waits, fails_when_waited, fails_in_a_gather]


@pytest.fixture
def short_grace(monkeypatch):
    for module in (steps_module, driver_module):
        monkeypatch.setattr(module, "GRACE", 0.01)


# Stop.


@pytest.mark.parametrize("step", FAILURES)
def test_a_failure_stops_the_run_with_who_when_and_why(step):
    with pytest.raises(StepFailedError) as told:
        run_cleanly(line(step), 3)
    assert str(told.value) == (
        "step 0 of 'a0' failed: ValueError: no luck; what had been finished is kept "
        "(on_error can be retry, skip or freeze)"
    )
    assert (told.value.agent, told.value.step, told.value.attempts) == ("a0", 0, 1)
    assert type(told.value.__cause__) is ValueError


@pytest.mark.parametrize("schedule", ["conservative", "lockstep", "serial"])
@pytest.mark.parametrize("when", range(0, 12, 3))
def test_a_stopped_run_goes_on_as_if_nothing_had_happened(schedule, when):
    def world(unlucky):
        def step(agent, view):
            if (agent.name, view.step) == ("p3", when) and unlucky.pop():
                raise ValueError("no luck")
            return wander(agent, view)

        return crowd(step)

    expected = run(world([False]), 12, schedule=schedule)
    unlucky = [False, True, True]
    simulation = world(unlucky)
    for _ in range(2):
        with pytest.raises(StepFailedError):
            run(simulation, 12, schedule=schedule)
        assert not simulation.outcome().finished
    outcome = run(simulation, 12, schedule=schedule)
    assert outcome.final == expected.final
    assert outcome.agent_steps == expected.agent_steps
    assert outcome.attempts_failed == 2
    assert outcome.failures == ()


def crowd(step):
    """Twelve agents that meet each other."""
    chance = Random(7)
    agents = [Doer(f"p{i}", (chance.randrange(24), chance.randrange(24)), step) for i in range(12)]
    return Simulation(Grid(24, 24), agents, sight=3)


async def wander(agent, view):
    """Go where it says what has been seen; a function of the view alone."""
    seen = sum(n.position[0] * n.distance + (n.state or 0) for n in view.neighbours)
    if view.random.random() < 0.5:
        answer = await view.llm.chat(f"{seen}", choices=["a", "b"], temperature=0)
        seen += len(answer.text) + (answer.value == "a")
    goal = (view.random.randrange(24), view.random.randrange(24))
    return Action(move=view.toward(goal), state=int(seen) % 1009)


# Try again.


def test_an_attempt_has_the_same_view_and_the_same_chance():
    draws = []

    def step(agent, view):
        draws.append((view.step, view.position, view.random.random()))
        if len(draws) % 3:
            raise ValueError("no luck")

    outcome = run(line(step), 2, on_error="retry")
    assert draws[0] == draws[1] == draws[2] != draws[3]
    assert draws[3] == draws[4] == draws[5]
    assert (outcome.attempts_failed, outcome.failures) == (4, ())


@pytest.mark.parametrize("then", ["abort", "skip", "freeze"])
@pytest.mark.parametrize("attempts", [1, 2, 5])
@pytest.mark.parametrize("step", FAILURES)
def test_a_step_is_tried_as_often_as_the_policy_says(then, attempts, step):
    tries = []

    def counting(agent, view):
        tries.append(view.step)
        return step(agent, view)

    simulation = line(counting)
    try:
        outcome = run(simulation, 2, on_error=OnError(then, attempts=attempts), engine="null")
    except StepFailedError as error:
        assert then == "abort"
        assert error.attempts == attempts
        assert (f"in {attempts} attempts" in str(error)) == (attempts > 1)
        outcome = simulation.outcome()
    steps = [0, 1] if then == "skip" else [0]
    assert tries == [number for number in steps for _ in range(attempts)]
    assert outcome.attempts_failed == len(tries)
    assert [(f.step, f.error, f.then) for f in outcome.failures] == [
        (number, "ValueError: no luck", then) for number in steps if then != "abort"
    ]


@pytest.mark.parametrize("engine", ["scripted", "virtual"])
def test_a_run_on_a_modelled_engine_ends_when_the_last_step_in_flight_freezes(engine):
    outcome = run(line(fails_when_waited), 2, engine=engine, on_error="freeze")
    assert outcome.failures[0].then == "freeze"


def test_calls_of_a_step_that_has_failed_are_taken_back():
    async def step(agent, view):
        async def part(number):
            await view.llm.chat(f"{number}")
            if number == 1:
                raise ValueError("no luck")

        await asyncio.gather(*map(part, range(3)))

    latency = lambda request: 9 if "2" in str(request.messages) else 1  # noqa: E731
    run(line(step), 2, on_error="skip", engine=ScriptedEngine(latency=latency))


def test_a_refused_action_is_an_attempt_too():
    returned = ["nonsense", Action(move=(9, 9)), Action(state="fine")]
    outcome = run(line(lambda a, v: returned.pop(0)), 1, on_error="retry")
    assert outcome.final["agents"]["a0"]["state"] == "fine"
    assert outcome.attempts_failed == 2


class Counts(Doer):
    """Counts its attempts in an attribute that can be restored."""

    count = 0

    def snapshot(self):
        return self.count

    def restore(self, snapshot):
        self.count = snapshot


def test_what_a_failed_attempt_has_changed_is_restored():
    counts, lucky = [], [True, False, False]

    async def step(agent, view):
        agent.count += 1
        counts.append(agent.count)
        await asyncio.sleep(0)
        if not lucky.pop():
            raise ValueError("no luck")

    agent = Counts("a", (0, 0), step)
    run(Simulation(Grid(3, 3), [agent]), 1, on_error="retry")
    assert counts == [1, 1, 1]
    assert agent.count == 1


def test_what_a_failed_step_has_changed_is_restored_when_it_is_skipped():
    def step(agent, view):
        agent.count += 1
        if view.step == 1:
            raise ValueError("no luck")

    agent = Counts("a", (0, 0), step)
    run(Simulation(Grid(3, 3), [agent]), 2, on_error=OnError("skip", attempts=2))
    assert agent.count == 1


def test_what_a_step_that_did_not_fail_has_changed_stays():
    def step(agent, view):
        agent.count += 1

    agent = Counts("a", (0, 0), step)
    run(Simulation(Grid(3, 3), [agent]), 5, on_error="retry")
    assert agent.count == 5


def test_the_only_attempt_is_restored_too():
    def step(agent, view):
        agent.count += 1
        if view.step == 1:
            raise ValueError("no luck")

    agent = Counts("a", (0, 0), step)
    run(Simulation(Grid(3, 3), [agent]), 3, on_error="skip")
    assert agent.count == 2


# Skip.


@pytest.mark.parametrize("attempts", [1, 2])
def test_who_fails_by_its_own_fault_fails_alike_in_every_order(attempts):
    async def step(agent, view):
        action = await wander(agent, view)
        if Random(f"{agent.name} {view.step}").random() < 0.2:
            if view.step % 2:
                raise ValueError(f"no luck at {view.position}")
            action.move = (action.move[0] + 2, action.move[1])
        return action

    results = []
    for schedule, engine in (
        ("lockstep", "null"), ("conservative", "scripted:1"), ("conservative", "scripted:2"),
        ("conservative", "null"), ("serial", "scripted"),
    ):  # fmt: skip
        events = []
        outcome = run(
            crowd(step), 15, schedule=schedule, engine=engine,
            on_error=OnError("skip", attempts=attempts),
            on_event=lambda event, events=events: events.append(event.to_json()),
        )  # fmt: skip
        assert outcome.finished
        assert outcome.attempts_failed == attempts * len(outcome.failures) > 0
        results.append((outcome.final, events, sorted(map(str, outcome.failures))))
    assert all(result == results[0] for result in results)


def test_failures_are_listed_by_step_and_then_in_the_order_of_agents():
    step = fails_at(("a0", 2), ("a2", 1), ("a1", 9), ("a0", 9))

    async def slow(agent, view):
        await view.llm.chat("slow")
        return step(agent, view)

    for schedule in ("lockstep", "conservative"):
        outcome = run(line(slow, step, step), 10, schedule=schedule, on_error="skip")
        assert [(f.agent, f.step) for f in outcome.failures] == [
            ("a2", 1), ("a0", 2), ("a0", 9), ("a1", 9)
        ]  # fmt: skip


# Stand still.


def stands(*places, frozen_at):
    """Agents that stand in a row; the first one fails at a step."""
    agents = [Doer(f"a{x}", (x, 0), fails_at(("a0", frozen_at))) for x in places]
    return Simulation(Grid(200, 1), agents, sight=4, speed=1)


def clocks_by_the_rule(places, frozen_at, until):
    """Run the conservative rule (DESIGN section 3) by hand, with all pairs."""
    clocks = dict.fromkeys(places, 0)

    def free(x):
        limit = frozen_at if x == 0 else until
        return clocks[x] < limit and all(
            abs(x - y) > 4 + 1 + (clocks[x] - clocks[y] - 1)
            for y in places
            if clocks[y] < clocks[x]
        )

    while ready := [x for x in places if free(x)]:
        for x in ready:
            clocks[x] += 1
    return clocks


@pytest.mark.parametrize("frozen_at", [0, 3])
@pytest.mark.parametrize("until", [4, 30])
def test_only_those_who_depend_on_somebody_frozen_wait(frozen_at, until):
    places = (0, 3, 5, 6, 12, 24, 60)
    simulation = stands(*places, frozen_at=frozen_at)
    outcome = run(simulation, until, on_error="freeze")
    clocks = {x: outcome.final["agents"][f"a{x}"]["clock"] for x in places}
    assert clocks == clocks_by_the_rule(places, frozen_at, until)
    assert clocks[0] == frozen_at
    assert clocks[3] == frozen_at + 1, "who stands beside it goes as far as its snapshot"
    assert clocks[60] == until, "who is far away goes on"
    assert outcome.finished is False
    assert [(f.agent, f.step, f.then) for f in outcome.failures] == [("a0", frozen_at, "freeze")]
    again = run(simulation, until, on_error="freeze")
    assert again.final == outcome.final, "it stays frozen"


@pytest.mark.parametrize("distance", [5, 6, 9, 12])
def test_who_is_farther_from_somebody_frozen_goes_on_for_longer(distance):
    outcome = run(stands(0, distance, frozen_at=2), 30, on_error="freeze")
    assert outcome.final["agents"][f"a{distance}"]["clock"] == 2 + 1 + (distance - 5)


@pytest.mark.parametrize("schedule", ["lockstep", "serial"])
def test_under_a_barrier_everybody_depends_on_somebody_frozen(schedule):
    outcome = run(stands(0, 60, frozen_at=3), 9, schedule=schedule, on_error="freeze")
    assert outcome.final["agents"]["a0"]["clock"] == 3
    assert outcome.final["agents"]["a60"]["clock"] == (4 if schedule == "lockstep" else 3)
    assert not outcome.finished


def test_what_others_did_after_somebody_froze_is_told_when_the_run_ends():
    events = []
    run(stands(0, 60, frozen_at=3), 9, on_error="freeze", on_event=events.append)
    assert [e.step for e in events if e.agent == "a60"] == list(range(9))
    assert [e.step for e in events] == sorted(e.step for e in events)


def test_somebody_frozen_does_not_make_the_world_grow_for_ever():
    def moves(agent, view):
        return Action(move=(100 + view.step % 2, 0))

    agents = [Doer("a", (0, 0), fails_at_once), Doer("b", (100, 0), moves)]
    simulation = Simulation(Grid(200, 1), agents)
    run(simulation, 90, on_error="freeze")
    assert simulation.state.world.versions < 30


# Too long.


async def hangs(agent, view):
    await asyncio.get_running_loop().create_future()


@pytest.mark.parametrize("attempts", [1, 2])
def test_a_step_that_never_ends_is_ended_by_the_time_limit(attempts):
    policy = OnError("skip", attempts=attempts, time_limit=0.005)
    outcome = run_cleanly(line(hangs, lambda a, v: Action(state=v.step)), 2, on_error=policy)
    assert [f.error for f in outcome.failures] == [
        f"'a0' took longer than 0.005 s for step {step}" for step in range(2)
    ]
    assert outcome.final["agents"]["a1"]["state"] == 1
    assert outcome.attempts_failed == 2 * attempts


def test_a_step_that_never_ends_stops_the_run_where_the_policy_says_so():
    with pytest.raises(StepFailedError, match=r"took longer than 0\.005 s") as told:
        run_cleanly(line(hangs), 2, on_error=OnError(time_limit=0.005))
    assert isinstance(told.value.__cause__, StepTimeoutError)


def test_a_time_limit_that_is_not_reached_changes_nothing():
    async def step(agent, view):
        await asyncio.sleep(0.001)
        return Action(state=view.step)

    outcome = run_cleanly(line(step, step), 3, on_error=OnError(time_limit=5))
    assert outcome.finished
    assert outcome.failures == ()


def test_a_step_that_goes_on_after_its_time_is_given_up(short_grace):
    closed, released = [], asyncio.Event()

    async def stubborn(agent, view):
        if view.step:
            released.set()
            return await asyncio.sleep(0.002)
        while not released.is_set():
            try:
                await released.wait()
            except asyncio.CancelledError:
                continue
        closed.append(False)
        return Action(state="too late")

    policy = OnError("skip", attempts=3, time_limit=0.05)
    outcome = asyncio.run(asyncio.wait_for(line(stubborn).run_async(3, on_error=policy), 60))
    assert outcome.finished
    assert [(f.agent, f.step) for f in outcome.failures] == [("a0", 0)]
    # Every attempt has been put an end to, so there is another one.
    assert outcome.attempts_failed == 3
    assert closed == []
    assert outcome.final["agents"]["a0"]["state"] is None


def test_a_step_that_was_given_up_does_not_count_attempts_that_were_not_made(short_grace):
    async def stubborn(agent, view):
        for _ in range(40):
            try:
                await asyncio.sleep(0.001)
            except asyncio.CancelledError:
                continue

    with pytest.raises(StepFailedError) as told:
        run(line(stubborn), 1, on_error=OnError(time_limit=0.002))
    assert told.value.attempts == 1


def test_a_step_that_was_given_up_leaves_no_task_when_it_has_ended(short_grace):
    async def stubborn(agent, view):
        for _ in range(20):
            try:
                await asyncio.sleep(0.001)
            except asyncio.CancelledError:
                continue

    async def other(agent, view):
        await asyncio.sleep(0.004)

    policy = OnError("skip", time_limit=0.003)
    run_cleanly(line(stubborn, other), 15, on_error=policy)


def test_a_time_limit_passed_in_one_run_is_not_held_against_the_next():
    async def main():
        released = asyncio.Event()

        async def step(agent, view):
            if released.is_set():
                await asyncio.sleep(0)
                return
            try:
                await asyncio.sleep(9)
            finally:
                await asyncio.sleep(0.01)  # takes its time to end

        simulation, policy = line(step), OnError(time_limit=0.005)
        first = asyncio.ensure_future(simulation.run_async(2, on_error=policy))
        while not simulation._driver or not simulation._driver._timed_out:
            await asyncio.sleep(0.001)
        first.cancel()
        await asyncio.wait([first])
        released.set()
        return await simulation.run_async(2, on_error=OnError(time_limit=5))

    assert asyncio.run(main()).finished


# Nothing is lost, nothing is done twice.


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_whoever_was_to_start_beside_a_step_that_broke_the_run_off_is_not_lost(error):
    unlucky = [True]

    def breaks(agent, view):
        if unlucky:
            unlucky.pop()
            raise error
        return Action(state=view.step)

    simulation = line(breaks, lambda a, v: Action(state=v.step))
    with pytest.raises(error):
        simulation.run(3)
    outcome = run(simulation, 3)
    assert outcome.finished
    assert outcome.agent_steps == 6


def test_an_odd_exception_fails_the_step_whether_it_has_waited_or_not():
    async def waits(agent, view):
        await asyncio.sleep(0)
        raise Broken("odd")

    async def at_once(agent, view):
        raise Broken("odd")

    outcome = run(line(waits, at_once), 1, on_error="skip")
    assert [f.error for f in outcome.failures] == ["Broken: odd"] * 2


def test_a_step_refused_while_the_run_is_broken_off_is_done_once():
    async def main():
        async def waits():
            await asyncio.sleep(0)
            first.cancel()
            return "nonsense"

        def step(agent, view):
            steps.append(view.step)
            return waits() if len(steps) == 1 else Action(state=view.step)

        steps, simulation = [], line(step)
        first = asyncio.ensure_future(simulation.run_async(3, on_error="skip"))
        await asyncio.wait([first])
        return await simulation.run_async(3, on_error="skip")

    outcome = asyncio.run(main())
    assert outcome.agent_steps == 3
    assert outcome.final["agents"]["a0"]["clock"] == 3


def test_an_exception_that_cannot_be_told_still_fails_the_step_only():
    class MuteError(Exception):
        def __str__(self):
            return ""

    def step(agent, view):
        raise MuteError

    assert [f.error for f in run(line(step), 1, on_error="skip").failures] == ["MuteError"]


def test_an_exception_whose_text_raises_fails_the_step_only():
    class EvilError(Exception):
        def __str__(self):
            raise RuntimeError("cannot tell")

    def step(agent, view):
        raise EvilError

    assert "EvilError" in run(line(step), 1, on_error="skip").failures[0].error


def test_an_agent_that_cannot_be_restored_fails_only_itself():
    class Unrestorable(Counts):
        def restore(self, snapshot):
            raise RuntimeError("cannot restore")

    agents = [Unrestorable("a", (0, 0), fails_at_once), Doer("b", (9, 0))]
    outcome = run(Simulation(Grid(20, 20), agents), 3, on_error=OnError("skip", attempts=2))
    assert outcome.final["agents"]["b"]["clock"] == 3
