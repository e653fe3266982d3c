"""The town lives on a real vLLM: out of order and in lock-step."""

from __future__ import annotations

import asyncio

import pytest
from small_vllm import SMALL

from headway.engines.vllm import VllmEngine
from headway.engines.wrappers import Wrapper
from headway.examples.town import town

# What vLLM and torch warn of is theirs.
pytestmark = [pytest.mark.vllm, pytest.mark.filterwarnings("default")]

STEPS = 40


class Kept(Wrapper):
    """The engine goes on from run to run."""

    async def start(self) -> None:
        pass

    async def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def runs(model):
    """Run the town under both schedules on one engine; give outcomes, counts and words."""
    engine = VllmEngine(model, max_sequences=16, max_model_len=1024, engine_args=SMALL)
    words = {"conservative": [], "lockstep": []}

    async def both():
        await engine.start()
        try:
            outcomes = {}
            for schedule, said in words.items():
                outcomes[schedule] = await town(agents=25, seed=3).run_async(
                    STEPS,
                    engine=Kept(engine),
                    schedule=schedule,
                    on_event=lambda event, said=said: said.append(event.to_json()),
                )
            return outcomes, engine.statistics()
        finally:
            await engine.close()

    return *asyncio.run(both()), words


def test_the_town_runs_out_of_order_on_vllm(runs):
    outcomes, counts, words = runs
    outcome = outcomes["conservative"]
    assert outcome.finished
    assert not outcome.failures
    assert outcome.calls > 30
    assert outcome.lead_max > 0
    assert counts["running_max"] > 1, "no two requests were in one batch"
    assert counts["prefix_hit_tokens"] > 0
    assert any('"what": "say"' in line for line in words["conservative"])


def test_on_vllm_in_float32_the_town_is_as_in_lockstep(runs):
    outcomes, _, words = runs
    assert outcomes["lockstep"].lead_max == 0
    assert words["conservative"] == words["lockstep"]
    assert outcomes["conservative"].final == outcomes["lockstep"].final
