"""Modelled time adds up: a lone agent, many at once, calls of one step, under every schedule."""

from __future__ import annotations

import asyncio

import pytest
from small_engines import request, turns

from headway.engines.base import Answer, Engine
from headway.engines.modelled import ModelledEngine
from headway.engines.scripted import ScriptedEngine, prompt_tokens_of, tokens_of
from headway.engines.virtual import preset_named
from headway.errors import EngineError, OptionError
from headway.live import Action, Agent, Simulation
from headway.space import Grid

PRESET = preset_named("l4-8b")


def run(simulation, steps, **options):
    """Run it; fail instead of hanging."""
    return asyncio.run(asyncio.wait_for(simulation.run_async(steps, **options), 5))


class Asker(Agent):
    """Asks some things in every step."""

    def __init__(self, name, position, asks=1, together=False):
        super().__init__(name, position)
        self.asks, self.together = asks, together

    async def step(self, view):
        calls = [view.llm.chat(f"{self.name} {i}") for i in range(self.asks)]
        if self.together:
            answers = await asyncio.gather(*calls)
        else:
            answers = [await call for call in calls]
        return Action(state=[answer.text for answer in answers])


class Sized(Engine):
    """Answers at once, with so many tokens."""

    def __init__(self, prompt_tokens=640, output_tokens=22):
        self.sizes = prompt_tokens, output_tokens

    async def complete(self, request):
        sizes = self.sizes if isinstance(self.sizes[0], int) else self.sizes[0](request)
        return Answer("well", *sizes)


def lone(prompt_tokens=640, output_tokens=22):
    return float(PRESET.server(1).lone_latency([prompt_tokens], [output_tokens])[0])


def crowd(count=1, **options):
    return Simulation(
        Grid(50 * count, 1), [Asker(f"a{i}", (50 * i, 0), **options) for i in range(count)]
    )


def modelled(simulation, steps, answers=None, schedule="conservative", replicas=1):
    engine = ModelledEngine(PRESET, answers=answers or Sized(), replicas=replicas)
    outcome = run(simulation, steps, schedule=schedule, engine=engine)
    assert outcome.modelled
    return outcome


def test_a_lone_agent_takes_the_lone_latency_for_every_call():
    for steps, asks in ((1, 1), (7, 1), (4, 3)):
        outcome = modelled(crowd(asks=asks), steps)
        assert outcome.seconds == pytest.approx(steps * asks * lone(), rel=1e-9)
        assert outcome.calls_in_flight_mean == pytest.approx(1)
        assert outcome.calls == steps * asks


def test_calls_that_are_gathered_overlap():
    in_sequence = modelled(crowd(asks=8), 3)
    together = modelled(crowd(asks=8, together=True), 3)
    assert together.calls_in_flight_max == 8
    assert in_sequence.calls_in_flight_max == 1
    assert in_sequence.seconds == pytest.approx(3 * 8 * lone(), rel=1e-9)
    # Prompts of 8 x 640 tokens take their time, one after the other; the decoding is shared.
    assert 3 * lone() < together.seconds < in_sequence.seconds / 2


def test_agents_at_the_same_time_share_the_server():
    assert modelled(crowd(4), 2).seconds < 2 * modelled(crowd(1), 2).seconds
    assert modelled(crowd(200), 1).seconds > modelled(crowd(200), 1, replicas=4).seconds


@pytest.mark.parametrize("seed", range(4))
def test_independent_agents_are_never_slower_out_of_order(seed):
    def varied(request):
        number = int(request.agent[1:])
        return 100, 5 + (number * 31 + request.step * 17 + seed * 7) % 60

    lockstep = modelled(crowd(5), 6, Sized(varied), "lockstep")
    conservative = modelled(crowd(5), 6, Sized(varied))
    serial = modelled(crowd(5), 6, Sized(varied), "serial")
    assert conservative.final == lockstep.final == serial.final
    assert conservative.seconds < lockstep.seconds < serial.seconds
    assert conservative.lead_max > 0
    assert lockstep.lead_max == 0


def test_equal_runs_take_equally_long_to_the_last_bit():
    def seconds():
        outcome = modelled(crowd(6, asks=2, together=True), 5, ScriptedEngine(latency=None))
        return outcome.seconds, outcome.calls_in_flight_mean, outcome.engine_statistics

    assert seconds() == seconds()


def test_tokens_are_estimated_where_the_answers_have_none():
    one = request("How are you?")
    answer = "I am well, thank you."
    engine = ModelledEngine(PRESET, answers=Texts(answer))

    async def main():
        task = asyncio.ensure_future(engine.complete(one))
        await turns(2)
        assert engine.advance()
        await turns(2)
        return task.result().text

    assert asyncio.run(main()) == answer
    assert engine.now() == pytest.approx(lone(prompt_tokens_of(one), tokens_of(answer)))


class Texts(Engine):
    def __init__(self, text):
        self.text = text
        self.events = []

    async def start(self):
        self.events.append("start")

    async def complete(self, request):
        return Answer(self.text)

    async def close(self):
        self.events.append("close")


def test_the_engine_with_the_texts_is_started_and_closed():
    texts = Texts("well")
    run(crowd(), 1, engine=ModelledEngine(PRESET, answers=texts))
    assert texts.events == ["start", "close"]


@pytest.mark.parametrize("when", ["waiting", "answered"])
def test_a_request_that_is_taken_back_takes_no_more_time(when):
    engine = ModelledEngine(PRESET, answers=Sized(640, 500))

    async def main():
        task = asyncio.ensure_future(engine.complete(request()))
        await turns(2)
        if when == "answered":
            assert engine.advance()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        assert not engine.advance()
        assert not engine._waiting

    asyncio.run(main())
    assert engine.now() == (0 if when == "waiting" else pytest.approx(lone(640, 500)))


def test_a_failure_of_the_texts_is_passed_on_and_takes_no_time():
    class Fails(Engine):
        async def complete(self, request):
            raise EngineError("no text")

    engine = ModelledEngine(PRESET, answers=Fails())
    outcome = run(crowd(), 2, engine=engine, on_error="skip")
    assert [f.error for f in outcome.failures] == ["EngineError: no text"] * 2
    assert outcome.seconds == 0


def test_texts_that_take_modelled_time_themselves_are_refused():
    with pytest.raises(OptionError, match="at once"):
        ModelledEngine(PRESET, answers=ScriptedEngine())


def test_one_engine_serves_several_runs():
    engine = ModelledEngine(PRESET, answers=Sized())
    first, second = (run(crowd(), 3, engine=engine) for _ in range(2))
    assert first.seconds == pytest.approx(second.seconds)
    assert engine.now() == pytest.approx(first.seconds + second.seconds)
