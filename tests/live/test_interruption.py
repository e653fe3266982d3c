"""A run can be broken off at any moment and goes on as if nothing had happened."""

from __future__ import annotations

import asyncio
import gc
import signal
import subprocess
import sys
from random import Random

import pytest
from test_small_agents import Doer, run

from headway.engines.scripted import ScriptedEngine, random_latency
from headway.live import Action, Simulation
from headway.space import Grid
from headway.world import Place

STEPS = 10


class Counted(ScriptedEngine):
    """Counts how often it is started and closed."""

    def __init__(self, **options):
        super().__init__(**options)
        self.started = self.closed = 0

    async def start(self):
        self.started += 1

    async def close(self):
        self.closed += 1
        await super().close()


async def live(agent, view):
    """See, talk, write, send and move; a function of the view alone."""
    seen = repr((view.neighbours, view.places, view.inbox))
    chance = Random(seen)
    if chance.random() < 0.6:
        prompts = [seen[: chance.randrange(9)] + "?" for _ in range(chance.choice([1, 1, 2]))]
        answers = await asyncio.gather(
            *[view.llm.chat(p, choices=["a", "b"], temperature=0) for p in prompts]
        )
        seen += "".join(answer.value for answer in answers)
        chance = Random(seen)
    near = [n.name for n in view.neighbours if n.distance <= 1]
    return Action(
        move=view.toward((chance.randrange(16), chance.randrange(16))),
        say=f"{chance.randrange(100)}" if chance.random() < 0.3 else None,
        state=chance.randrange(10**6),
        tell={chance.choice(near): chance.randrange(9)} if near else {},
        write={p.name: chance.randrange(9) for p in view.places if p.distance <= 1},
    )


def town():
    chance = Random(5)
    agents = [
        Doer(f"p{i}", (chance.randrange(16), chance.randrange(16)), live, joins=4 * (i == 7))
        for i in range(9)
    ]
    places = [Place(f"place{i}", (chance.randrange(16), chance.randrange(16))) for i in range(6)]
    return Simulation(Grid(16, 16), agents, places=places, sight=3)


def told(events):
    return [event.to_json() for event in events]


@pytest.mark.parametrize("schedule", ["conservative", "lockstep", "serial"])
def test_a_run_cancelled_at_any_moment_goes_on_as_if_nothing_had_happened(schedule):
    expected_events = []
    expected = run(town(), STEPS, schedule=schedule, on_event=expected_events.append)
    complaints, broken_off = [], 0

    async def main(every):
        nonlocal broken_off
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: complaints.append(context["message"]))
        simulation, events, outcome, turns = town(), [], None, every
        while outcome is None:
            engine = Counted(latency=random_latency(every))
            part = asyncio.ensure_future(
                simulation.run_async(
                    STEPS, schedule=schedule, engine=engine, on_event=events.append
                )
            )
            # At least one answer must come, or it would begin the same steps again for ever.
            for _ in range(turns):
                await asyncio.sleep(0)
            part.cancel()
            await asyncio.wait([part])
            assert (engine.started, engine.closed) == (1, 1)
            assert len(asyncio.all_tasks()) == 1
            if part.cancelled():
                broken_off += 1
            else:
                outcome = part.result()
            turns += every
        assert outcome.final == expected.final, f"cancelled every {every} turns"
        assert outcome.agent_steps == expected.agent_steps
        assert outcome.failures == ()
        assert told(events) == told(expected_events)

    for every in (3, 7, 11, 26):
        asyncio.run(main(every))
    gc.collect()
    assert not complaints
    assert broken_off > 9


def test_a_run_cancelled_before_it_began_has_done_nothing():
    async def main():
        simulation, engine = town(), Counted()
        part = asyncio.ensure_future(simulation.run_async(STEPS, engine=engine))
        part.cancel()
        await asyncio.wait([part])
        assert (engine.started, engine.closed) == (0, 0)
        assert simulation.outcome().agent_steps == 0
        return await simulation.run_async(STEPS)

    assert asyncio.run(main()).final == run(town(), STEPS).final


def test_a_run_cancelled_while_the_engine_starts_closes_it():
    class Slow(Counted):
        async def start(self):
            self.started += 1
            await asyncio.sleep(9)

    async def main():
        engine = Slow()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(town().run_async(STEPS, engine=engine), 0.005)
        assert (engine.started, engine.closed) == (1, 1)

    asyncio.run(main())


def test_a_run_for_fewer_steps_does_not_go_beyond_them():
    steps = []

    async def main():
        async def step(agent, view):
            steps.append(view.step)
            await view.llm.chat("x")
            if view.step == 5 and not part.done():
                part.cancel()
            await view.llm.chat("y")

        simulation = Simulation(Grid(3, 3), [Doer("a", (0, 0), step)])
        part = asyncio.ensure_future(simulation.run_async(9))
        await asyncio.wait([part])
        del steps[:]
        await simulation.run_async(3)

    asyncio.run(main())
    assert steps == []


SCRIPT = """
import os, sys, signal
sys.path.insert(0, os.path.join({folder!r}))
from headway.engines.base import Answer, Engine
import asyncio
from test_interruption import town

class Slow(Engine):
    name = "slow"
    calls = 0
    async def complete(self, request):
        Slow.calls += 1
        if Slow.calls == 20:
            print("ready", flush=True)
        await asyncio.sleep(0.001 if Slow.calls < 20 else 0.01)
        return Answer(request.choices[len(request.messages[0].content) % 2])

simulation, expected = town(), town().run(10, engine=Slow())
Slow.calls = 0
try:
    simulation.run(10, engine=Slow())
except KeyboardInterrupt:
    print("interrupted", simulation.outcome().finished, flush=True)
outcome = simulation.run(10, engine=Slow())
print("same" if outcome.final == expected.final else "different", flush=True)
"""


def test_control_c_breaks_a_run_off_and_it_can_go_on():
    folder = __file__.rpartition("/")[0]
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-X", "dev", "-c", SCRIPT.format(folder=folder)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout.readline() == "ready\n", process.communicate()[1]  # the expected run
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=20)
    assert output == "interrupted False\nsame\n"
    assert errors == ""
    assert process.returncode == 0
