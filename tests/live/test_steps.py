"""Steps run in borrowed tasks, and everything asyncio offers works in them as in any task."""

from __future__ import annotations

import asyncio
import contextvars
import gc

import pytest
from test_small_agents import HANGS, line, run, run_cleanly

from headway.errors import StepFailedError
from headway.live import Action
from headway.live import steps as steps_module
from headway.live.steps import Steps

VARIABLE = contextvars.ContextVar("VARIABLE", default="unset")


def of(simulation_steps=2, count=3, **options):
    """Run a coroutine function as the steps of some agents."""

    def decorator(do):
        return run_cleanly(line(*[do] * count), simulation_steps, **options)

    return decorator


def states(outcome):
    return [agent["state"] for agent in outcome.final["agents"].values()]


# What asyncio offers.


def test_the_current_task_is_one_and_the_same_throughout_a_step():
    async def step(agent, view):
        before = asyncio.current_task()
        assert before is not None
        await asyncio.sleep(0)
        assert asyncio.current_task() is before
        await view.llm.chat("hello")
        assert asyncio.current_task() is before
        assert before.cancelling() == 0

    of()(step)


def test_steps_at_the_same_time_are_in_different_tasks():
    tasks = set()

    async def step(agent, view):
        tasks.add(asyncio.current_task())
        await view.llm.chat("hello")

    of(simulation_steps=1, count=40, schedule="lockstep")(step)
    assert len(tasks) == 40


def test_a_timeout_ends_what_takes_too_long_and_nothing_else():
    async def step(agent, view):
        for _ in range(2):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.002):
                    await asyncio.get_running_loop().create_future()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(asyncio.get_running_loop().create_future(), 0.002)
        async with asyncio.timeout(5):
            await asyncio.sleep(0)
        return Action(state="in time")

    assert states(of()(step)) == ["in time"] * 3


def test_a_timeout_of_zero_ends_what_has_to_wait():
    async def step(agent, view):
        try:
            async with asyncio.timeout(0):
                await asyncio.get_running_loop().create_future()
        except TimeoutError:
            return Action(state="too late")

    assert states(of()(step)) == ["too late"] * 3


def test_waiting_for_no_time_at_all():
    async def step(agent, view):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.get_running_loop().create_future(), 0)
        return Action(state="too late")

    assert states(of()(step)) == ["too late"] * 3


def test_a_task_group_gathers_results_and_failures():
    async def step(agent, view):
        async def fails():
            raise KeyError("inside")

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(asyncio.sleep(0, i)) for i in range(3)]
        with pytest.raises(ExceptionGroup) as told:
            async with asyncio.TaskGroup() as group:
                group.create_task(asyncio.sleep(9))
                group.create_task(fails())
        assert isinstance(told.value.exceptions[0], KeyError)
        return Action(state=[task.result() for task in tasks])

    assert states(of()(step)) == [[0, 1, 2]] * 3


def test_locks_queues_and_semaphores_hold_between_steps_of_different_agents():
    lock, inside, most = asyncio.Semaphore(2), 0, 0

    async def step(agent, view):
        nonlocal inside, most
        async with lock:
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    of(count=9, engine="null")(step)
    assert most == 2


def test_asynchronous_generators_and_context_managers():
    closed = []

    async def numbers():
        try:
            for number in range(5):
                await asyncio.sleep(0)
                yield number
        finally:
            closed.append(True)

    async def step(agent, view):
        generator = numbers()
        async for number in generator:
            if number == 3:
                break
        await generator.aclose()
        return Action(state=[number async for number in numbers()])

    assert states(of()(step)) == [[0, 1, 2, 3, 4]] * 3
    assert len(closed) == 12


def test_what_is_awaited_may_yield_nothing_again_and_again():
    class Turns:
        def __await__(self):
            for _ in range(10):
                yield
            return "turned"

    async def step(agent, view):
        return Action(state=await Turns())

    assert states(of()(step)) == ["turned"] * 3


def test_what_is_awaited_may_yield_nonsense_which_fails_the_step():
    class Nonsense:
        def __await__(self):
            yield 7

    async def step(agent, view):
        await Nonsense()

    with pytest.raises(StepFailedError, match="Task got bad yield: 7"):
        of()(step)


def test_a_thread_may_be_waited_for():
    async def step(agent, view):
        return Action(state=await asyncio.to_thread(lambda: "from a thread"))

    assert states(of(engine="null")(step)) == ["from a thread"] * 3
    assert states(of(engine="scripted")(step)) == ["from a thread"] * 3


def test_an_exception_group_of_a_step_is_the_cause_of_its_failure():
    async def step(agent, view):
        async def fails():
            raise KeyError("inside")

        async with asyncio.TaskGroup() as group:
            group.create_task(fails())

    with pytest.raises(StepFailedError, match="ExceptionGroup") as told:
        of()(step)
    assert isinstance(told.value.__cause__.exceptions[0], KeyError)


def test_the_cause_of_a_failure_is_kept():
    async def step(agent, view):
        await asyncio.sleep(0)
        try:
            raise KeyError("the cause")
        except KeyError as error:
            raise ValueError("the failure") from error

    with pytest.raises(StepFailedError, match="ValueError: the failure") as told:
        of()(step)
    assert isinstance(told.value.__cause__.__cause__, KeyError)


# Context variables.


def test_a_context_variable_set_before_the_run_is_seen_in_its_steps():
    seen = []

    async def step(agent, view):
        seen.append(VARIABLE.get())
        await asyncio.sleep(0)
        seen.append(VARIABLE.get())

    token = VARIABLE.set("around the run")
    try:
        of(simulation_steps=1)(step)
    finally:
        VARIABLE.reset(token)
    assert set(seen) == {"around the run"}


def test_a_context_variable_set_in_a_step_stays_set_when_it_has_waited():
    async def step(agent, view):
        token = VARIABLE.set(agent.name)
        for _ in range(3):
            await asyncio.sleep(0)
            assert VARIABLE.get() == agent.name
        VARIABLE.reset(token)

    of()(step)


@pytest.mark.parametrize("waits", [True, False])
def test_a_context_variable_set_in_one_step_is_not_seen_in_another(waits):
    seen = []

    async def step(agent, view):
        seen.append(VARIABLE.get())
        VARIABLE.set(f"{agent.name} {view.step}")
        if waits:
            await asyncio.sleep(0)

    of(simulation_steps=3)(step)
    assert set(seen) == {"unset"}


# Steps that cancel themselves.


def test_a_step_that_cancels_itself_before_it_waits_is_a_step_that_fails():
    async def step(agent, view):
        if view.step == 0:
            asyncio.current_task().cancel()
        await asyncio.sleep(0)
        return Action(state="alive")

    outcome = of(on_error="skip")(step)
    assert states(outcome) == ["alive"] * 3
    assert [f.error for f in outcome.failures] == ["CancelledError"] * 3


def test_a_step_that_cancels_itself_and_ends_harms_no_other_step():
    async def step(agent, view):
        if view.step == 0:
            asyncio.current_task().cancel()
            return None
        await asyncio.sleep(0)
        return Action(state="alive")

    assert states(of()(step)) == ["alive"] * 3


def test_a_step_that_cancels_itself_after_it_has_waited_is_a_step_that_fails():
    async def step(agent, view):
        await asyncio.sleep(0)
        if view.step == 0:
            asyncio.current_task().cancel()
        await asyncio.sleep(0)
        return Action(state="alive")

    outcome = of(on_error="skip")(step)
    assert states(outcome) == ["alive"] * 3
    assert [f.error for f in outcome.failures] == ["CancelledError"] * 3


def test_a_step_may_raise_being_cancelled():
    async def step(agent, view):
        if agent.name == "a0":
            raise asyncio.CancelledError
        await asyncio.sleep(0)
        raise asyncio.CancelledError

    outcome = of(on_error="skip")(step)
    assert [f.error for f in outcome.failures] == ["CancelledError"] * 6


def test_a_step_that_swallows_a_cancellation_leaves_nothing_to_the_next():
    async def main():
        steps = Steps(lambda key, result, error: ended.append((key, result, error)))
        ended, counts = [], []

        async def swallows():
            try:
                await asyncio.sleep(9)
            except asyncio.CancelledError:
                return "swallowed"

        async def counts_cancellations():
            await asyncio.sleep(0)
            counts.append(asyncio.current_task().cancelling())

        steps.begin(1, swallows())
        await asyncio.sleep(0)
        steps.cancel(1)
        await turns(4)
        assert ended == [(1, "swallowed", None)]
        steps.begin(2, counts_cancellations())
        await turns(4)
        await steps.close()
        return counts

    assert asyncio.run(main()) == [0]


# Steps by itself.


async def turns(count):
    for _ in range(count):
        await asyncio.sleep(0)


def test_a_step_that_waits_for_nothing_takes_no_task_of_its_own():
    async def main():
        steps = Steps(lambda *ended: pytest.fail("told of a step that had ended at once"))
        before = len(asyncio.all_tasks())

        async def step(number):
            return number

        for number in range(500):
            assert steps.begin(number, step(number)) == (True, number)
        assert len(asyncio.all_tasks()) <= before + 1
        assert len(steps) == 0
        await steps.close()

    asyncio.run(main())


def test_hundreds_of_steps_end_each_with_its_own_result():
    async def main():
        ended = {}
        steps = Steps(lambda key, result, error: ended.update({key: (result, repr(error))}))

        async def step(number):
            for _ in range(number % 7):
                await asyncio.sleep(0)
            if number % 5 == 0:
                raise ValueError(number)
            return number

        for round_ in range(3):
            ended.clear()
            for number in range(300):
                try:
                    over, result = steps.begin(number, step(number))
                except ValueError as error:
                    over, result = True, repr(error)
                    assert number % 35 == 0
                if over:
                    ended[number] = result
            await turns(12)
            assert len(ended) == 300, round_
            assert len(steps) == 0
            assert ended[5] == (None, "ValueError(5)")
            assert ended[6] == (6, "None")
        assert len(asyncio.all_tasks()) <= 301, "hosts are used again"
        await steps.close()
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())


@pytest.mark.parametrize("moment", range(6))
def test_a_step_can_be_cancelled_at_every_moment(moment):
    async def main():
        ended, cleaned = [], []
        steps = Steps(lambda *end: ended.append(end))

        async def step():
            try:
                for _ in range(4):
                    await asyncio.sleep(0)
                return "done"
            finally:
                cleaned.append(True)

        steps.begin(1, step())
        await turns(moment)
        steps.cancel(1)
        await turns(4)
        steps.cancel(1)  # of one that has ended: nothing
        await steps.close()
        assert len(ended) == len(cleaned) == 1
        key, result, error = ended[0]
        assert key == 1
        assert result == "done" if error is None else isinstance(error, asyncio.CancelledError)
        return error is not None

    assert asyncio.run(main()) == (moment < 5)


@pytest.mark.parametrize(
    "moment",
    [
        0,
        1,
        2,
    ],
)
def test_what_a_cancelled_step_waits_for_is_cancelled_with_it(moment):
    async def main():
        steps = Steps(lambda *end: None)
        futures = [asyncio.get_running_loop().create_future() for _ in range(3)]

        async def wait(future):
            await future

        async def step():
            await asyncio.gather(*[wait(future) for future in futures])

        steps.begin(1, step())
        await turns(moment)
        steps.cancel(1)
        await turns(4)
        await steps.close()
        left = len(asyncio.all_tasks()) - 1
        return left, [future.cancelled() for future in futures]

    left, cancelled = asyncio.run(main())
    gc.collect()
    # Cancelled at once, the parts of the gather never begin to wait.
    assert (left, cancelled) == (0, [moment > 0] * 3)


def test_a_run_that_stops_leaves_no_calls_of_steps_it_has_just_started():
    async def talks(agent, view):
        await asyncio.gather(*[view.llm.chat(f"{i}") for i in range(3)])

    def fails(agent, view):
        raise ValueError("no")

    with pytest.raises(StepFailedError):
        run_cleanly(line(talks, fails), 1)


def test_a_step_that_swallows_its_cancellation_does_not_outlive_the_run(monkeypatch):
    monkeypatch.setattr(steps_module, "GRACE", 0.01)

    async def stubborn(agent, view):
        try:
            await asyncio.sleep(9)
        except asyncio.CancelledError:
            await asyncio.sleep(9)

    async def fails(agent, view):
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        raise ValueError("no")

    with pytest.raises(StepFailedError):
        run_cleanly(line(stubborn, fails), 1)


def test_steps_run_under_eager_tasks_too():
    if not hasattr(asyncio, "eager_task_factory"):
        pytest.skip("from Python 3.12 on")

    async def step(agent, view):
        answers = await asyncio.gather(*[view.llm.chat(f"{i}") for i in range(2)])
        return Action(state=len(answers))

    async def main():
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        return await asyncio.wait_for(line(step, step).run_async(3), HANGS)

    assert states(asyncio.run(main())) == [2, 2]


# Modelled time and real waiting.


def sleeps(agent, view):
    async def step():
        await asyncio.sleep(0.003)
        return Action(state=(await view.llm.chat("x")).text)

    return step()


async def nests(agent, view):
    async def two(number):
        return await asyncio.gather(*[view.llm.chat(f"{number}{i}") for i in range(2)])

    await asyncio.gather(two(0), two(1))
    return Action(state=(await view.llm.chat("x")).text)


async def many_turns(agent, view):
    await turns(20)
    return Action(state=(await view.llm.chat("x")).text)


@pytest.mark.parametrize("step", [sleeps, nests, many_turns])
@pytest.mark.parametrize("engine", ["scripted", "virtual"])
def test_a_step_may_do_other_things_before_it_calls_a_modelled_engine(step, engine):
    outcome = run(line(step), 2, engine=engine)
    assert outcome.finished
