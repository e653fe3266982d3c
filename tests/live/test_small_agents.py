"""What a step may be; with the small agents and runs that the other tests of live runs use."""

from __future__ import annotations

import asyncio
import gc
import types

import pytest

from headway.engines.scripted import ScriptedEngine
from headway.errors import OptionError
from headway.live import Action, Agent, Simulation
from headway.space import Grid

#: Real seconds after which a run of a test is said to hang.
HANGS = 30


class Doer(Agent):
    """Does in every step what a function of (agent, view) says."""

    def __init__(self, name, position, do=lambda agent, view: None, **footprint):
        super().__init__(name, position, **footprint)
        self.do = do

    def step(self, view):
        return self.do(self, view)


def line(*does, apart=20, **options) -> Simulation:
    """Make agents a0, a1, ... that stand in a row, so far apart that none affects another."""
    agents = [Doer(f"a{i}", (i * apart, 0), do) for i, do in enumerate(does)]
    return Simulation(Grid(apart * len(does), 40), agents, **options)


def run(simulation, steps, limit=HANGS, *, collect=False, **options):
    """Run it; fail instead of hanging, where a task is left over, or where asyncio complains.

    With `collect`, also about what the garbage collector finds afterwards.
    """
    complaints = []

    async def main():
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: complaints.append(context["message"]))
        run = asyncio.ensure_future(simulation.run_async(steps, **options))
        ended, _ = await asyncio.wait([run], timeout=limit)
        if not ended:
            run.cancel()
            await asyncio.wait([run], timeout=5)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        what = [task.get_coro() for task in left]
        while left:  # those that do not end would keep `asyncio.run` from ending
            for task in left:
                task.cancel()
            _, left = await asyncio.wait(left, timeout=0.001)
        assert ended, "the run hangs"
        assert not what, f"tasks are left over: {what}"
        return run

    ended = asyncio.run(main())
    error = None if ended.cancelled() else ended.exception()
    if collect:
        gc.collect()
    assert not complaints, complaints
    if error is not None:
        raise error
    return ended.result()


def run_cleanly(simulation, steps, limit=HANGS, **options):
    """As `run`; and what the garbage collector finds afterwards makes no complaint either."""
    return run(simulation, steps, limit, collect=True, **options)


def test_a_step_is_a_function_a_coroutine_or_anything_that_can_be_awaited():
    class Awaitable:
        def __await__(self):
            yield from asyncio.sleep(0).__await__()
            return Action(state="awaitable")

    async def coroutine(agent, view):
        return Action(state="coroutine")

    async def waiting(agent, view):
        await asyncio.sleep(0)
        return Action(state="waiting")

    @types.coroutine
    def generator(agent, view):
        yield
        return Action(state="generator")

    def future(agent, view):
        future = asyncio.get_running_loop().create_future()
        future.set_result(Action(state="future"))
        return future

    def task(agent, view):
        return asyncio.ensure_future(waiting(agent, view))

    def plain(agent, view):
        return Action(state="plain")

    does = [coroutine, waiting, generator, future, task, plain, lambda a, v: Awaitable()]
    outcome = run_cleanly(line(*does), 3, engine="null")
    assert [agent["state"] for agent in outcome.final["agents"].values()] == [
        "coroutine", "waiting", "generator", "future", "waiting", "plain", "awaitable"
    ]  # fmt: skip


def test_an_agent_without_a_step_says_so():
    simulation = Simulation(Grid(3, 3), [Agent("idle", (0, 0))])
    with pytest.raises(RuntimeError, match="Agent has no step method"):
        run(simulation, 1)


def test_what_a_simulation_is_made_of_is_checked_when_it_is_made():
    grid = Grid(5, 5, walls=[(2, 2)])
    for agents, reason in (
        ([], "at least one agent"),
        ([Doer("a", (0, 0)), Doer("a", (1, 0))], "two agents named 'a'"),
        ([Doer(7, (0, 0))], "name must be text"),
        ([Doer("", (0, 0))], "name must be text"),
        ([Doer("a", (2, 2))], "wall"),
        ([Doer("a", (5, 0))], "'a'"),
        ([Doer("a", (0, 0), joins=-1)], "joins at step -1"),
        ([Doer("a", (0, 0), joins=1.5)], "joins at step 1.5"),
        ([Doer("a", (0, 0), state={1, 2})], "holds a set"),
    ):
        with pytest.raises((ValueError, TypeError), match=reason):
            Simulation(grid, agents)


def test_an_agent_that_was_not_made_properly_is_told_so():
    class Forgetful(Agent):
        def __init__(self):
            self.mood = "fine"

        def step(self, view):
            return None

    with pytest.raises(OptionError, match=r"a Forgetful has no name .* call super\(\).__init__"):
        Simulation(Grid(3, 3), [Forgetful()])
    with pytest.raises(OptionError, match=r"must be of class headway\.Agent, got 7"):
        Simulation(Grid(3, 3), [7])


@pytest.mark.parametrize(
    "footprint",
    [
        {"sight": float("nan")},
        {"speed": -1},
        {"reach": -2},
        {"speed": 2, "reach": 1},
    ],
)
def test_a_footprint_that_makes_no_sense_is_refused_before_the_first_step(footprint):
    steps = []
    with pytest.raises(ValueError, match=r"sight|speed|reach"):
        doer = Doer("a", (0, 0), lambda a, v: steps.append(a), **footprint)
        run(Simulation(Grid(5, 5), [doer]), 2)
    assert not steps


def test_the_options_of_a_run_are_checked():
    for options, reason in (
        ({"steps": -1}, "steps"),
        ({"steps": 2.0}, "steps"),
        ({"schedule": "fastest"}, "no schedule 'fastest'"),
        ({"engine": "oracle"}, "no engine 'oracle'"),
        ({"engine": 7}, "engine must be"),
        ({"engine": ScriptedEngine}, "engine must be"),
        ({"on_error": "ignore"}, "on_error"),
    ):
        simulation = line(lambda a, v: None)
        with pytest.raises(ValueError, match=reason):
            simulation.run(**{"steps": 2, **options})
        assert simulation.run(2).finished, "a refused run leaves the simulation as it was"


def test_a_run_goes_on_where_the_last_one_stopped():
    steps = []
    simulation = line(lambda a, v: steps.append(v.step))
    assert run(simulation, 3).agent_steps == 3
    assert run(simulation, 2).agent_steps == 3
    assert run(simulation, 5).agent_steps == 5
    assert steps == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="can only go on"):
        run(simulation, 6, schedule="lockstep")


def test_everybody_may_join_later():
    told = []
    agents = [Doer(f"a{i}", (i, 0), lambda a, v: told.append((v.step, a.name)), joins=2 + i)
              for i in range(2)]  # fmt: skip
    assert run(Simulation(Grid(9, 9), agents), 5).finished
    assert sorted(told) == [(2, "a0"), (3, "a0"), (3, "a1"), (4, "a0"), (4, "a1")]


def test_two_runs_of_one_simulation_at_a_time_are_refused():
    async def main():
        simulation = line(talks)
        runs = [simulation.run_async(3), simulation.run_async(3)]
        return await asyncio.wait_for(asyncio.gather(*runs, return_exceptions=True), HANGS)

    async def talks(agent, view):
        await view.llm.chat("hello")

    results = asyncio.run(main())
    assert [type(result).__name__ for result in results] == ["Outcome", "OptionError"]


def test_a_run_within_a_step_is_refused():
    def nested(agent, view):
        line(lambda a, v: None).run(1)

    async def asyncio_run(agent, view):
        await asyncio.sleep(0)
        never = asyncio.sleep(0)
        try:
            asyncio.run(never)
        finally:
            never.close()

    with pytest.raises(RuntimeError, match="run_async"):
        run(line(nested), 1)
    with pytest.raises(RuntimeError, match=r"asyncio\.run\(\) cannot be called"):
        run_cleanly(line(asyncio_run), 1)
