"""The engine on a real vLLM with two data-parallel copies of a small model."""

from __future__ import annotations

import asyncio
import json
import os
import signal

import pytest
from small_vllm import Served, all_gone, ask, processes

from headway.engines.base import Message, Request
from headway.errors import EngineError, PromptTooLongError

# vLLM and torch warn while they are imported.
pytestmark = [pytest.mark.vllm, pytest.mark.filterwarnings("default")]

SCHEMA = {
    "type": "object",
    "properties": {
        "action": {"type": "string", "enum": ["walk", "talk", "sleep"]},
        "minutes": {"type": "integer", "minimum": 1, "maximum": 60},
    },
    "required": ["action", "minutes"],
    "additionalProperties": False,
}


def test_requests_of_different_agents_share_a_batch(served: Served):
    async def crowd():
        return await asyncio.gather(
            *(
                served.engine.complete(
                    ask(f"Name a fruit, villager {i}.", agent=f"a{i}", max_tokens=12)
                )
                for i in range(20)
            )
        )

    answers = served.run(crowd())
    assert all(answer.text and answer.output_tokens <= 12 for answer in answers)
    assert {answer.finish for answer in answers} <= {"stop", "length"}
    figures = served.engine.statistics()
    assert 4 < figures["running_max"] <= 8, "4 sequences in each of two copies"
    assert figures["in_flight_max"] == 16 and figures["waiting_max"] == 4
    assert figures["prompt_tokens"] == sum(answer.prompt_tokens for answer in answers)


def test_the_urgent_overtake_those_that_wait(served: Served):
    finished: list[str] = []

    async def one(kind: str, number: int, priority: int):
        request = ask(f"Tell me about {kind} {number}.", agent=f"{kind}{number}", max_tokens=24,
                      priority=priority, seed=number)  # fmt: skip
        await served.engine.complete(request)
        finished.append(kind)

    async def crowd():
        late = [asyncio.create_task(one("late", i, 10)) for i in range(30)]
        await asyncio.wait(late, return_when=asyncio.FIRST_COMPLETED)
        urgent = [asyncio.create_task(one("urgent", i, 1)) for i in range(6)]
        await asyncio.gather(*late, *urgent)

    served.run(crowd())
    last = len(finished) - finished[::-1].index("urgent")
    # The 8 in the batches go on, and hardly anybody of the others comes before the 6.
    assert finished[last:].count("late") >= 8, finished


def test_cancelling_frees_the_place_in_vllm(served: Served):
    before = served.engine.statistics()["aborted"]

    async def leave_early():
        story = "Write a very long story about a town with many villagers."
        tasks = [
            asyncio.create_task(
                served.engine.complete(ask(story, agent=f"a{i}", max_tokens=800, seed=i))
            )
            for i in range(20)
        ]
        # While these 16 run or wait in vLLM and 4 at the gate.
        await served.engine.complete(ask("Say yes.", agent="x", max_tokens=1, priority=-1))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        left = served.engine._llm.get_num_unfinished_requests()
        await served.engine.complete(ask("Say no.", agent="x", max_tokens=1))
        return [task.cancelled() for task in tasks].count(True), left

    cancelled, left = served.run(leave_early(), seconds=60)
    assert cancelled >= 12 and left == 0
    assert served.engine.statistics()["aborted"] - before == cancelled
    assert served.engine._gate is not None and served.engine._gate.inside == 0
    assert served.engine._ranks is not None and served.engine._ranks.loads == [0, 0]


def test_schemas_and_choices_hold(served: Served):
    async def both():
        return await asyncio.gather(
            served.engine.complete(
                ask("Answer in JSON: what do you do at noon?", schema=SCHEMA, max_tokens=60)
            ),
            served.engine.complete(ask("Tea or coffee?", choices=("tea", "coffee"), max_tokens=10)),
        )

    planned, chosen = served.run(both())
    plan = json.loads(planned.text)
    assert plan["action"] in ("walk", "talk", "sleep") and 1 <= plan["minutes"] <= 60
    assert chosen.text in ("tea", "coffee")


def test_a_stop_string_ends_the_answer_before_it(served: Served):
    request = ask("Count: one, two, three, four, five.", stop=(",",), max_tokens=40, temperature=0)
    answer = served.run(served.engine.complete(request))
    assert "," not in answer.text and answer.finish == "stop"


def test_a_seed_gives_the_same_answer_again_and_another_another(served: Served):
    async def thrice():
        texts = []
        for seed in (7, 7, 8):
            request = ask("Tell a joke.", agent="ada", seed=seed, max_tokens=30, temperature=1)
            texts.append((await served.engine.complete(request)).text)
        return texts

    first, again, other = served.run(thrice())
    assert first == again != other


def test_in_float32_an_answer_does_not_depend_on_what_else_is_in_the_batch(served: Served):
    requests = [
        ask(f"What do you do at {i} o'clock?", agent=f"a{i}", seed=i, max_tokens=20)
        for i in range(4)
    ]

    async def alone_and_together():
        alone = [await served.engine.complete(request) for request in requests]
        together = await asyncio.gather(*(served.engine.complete(each) for each in requests))
        return [answer.text for answer in alone], [answer.text for answer in together]

    alone, together = served.run(alone_and_together())
    assert alone == together


def test_an_agents_second_prompt_is_found_in_its_ranks_cache(served: Served):
    agents = [f"villager {i}" for i in range(8)]
    assert served.engine._ranks is not None
    assert len({served.engine._ranks.order(agent)[0] for agent in agents}) == 2

    async def turn(question: str):
        answers = []
        # Two at a time, so that no rank is overloaded.
        for i in range(0, len(agents), 2):
            answers += await asyncio.gather(
                *(
                    served.engine.complete(
                        Request(
                            messages=(
                                Message("system", f"You are {agent}. " + f"{agent} is kind. " * 25),
                                Message("user", question),
                            ),
                            agent=agent,
                            max_tokens=4,
                        )
                    )
                    for agent in agents[i : i + 2]
                )
            )
        return answers

    assert all(answer.cached_tokens < 64 for answer in served.run(turn("Where are you?")))
    before = served.engine.statistics()["prefix_hit_tokens"]
    for answer in served.run(turn("What do you do?")):
        assert answer.cached_tokens > 0.7 * answer.prompt_tokens, answer
    assert served.engine.statistics()["prefix_hit_tokens"] > before


def test_a_prompt_that_does_not_fit_is_refused_before_vllm_sees_it(served: Served):
    request = ask("far too many words " * 300, max_tokens=100)
    with pytest.raises(PromptTooLongError, match="the context holds 1024") as caught:
        served.run(served.engine.complete(request))
    assert caught.value.limit == 1024 and caught.value.tokens > 1024 - 100


def test_what_vllm_refuses_says_what_it_says(served: Served):
    with pytest.raises(EngineError, match=r"call 0 of ada in step 3.*temperature"):
        served.run(served.engine.complete(ask("Hi", agent="ada", step=3, temperature=-1)))
    broken = {"type": "object", "properties": {"a": {"type": "nonsense"}}}
    with pytest.raises(EngineError, match="vLLM refuses"):
        served.run(served.engine.complete(ask("Hi", schema=broken, max_tokens=5)))


def test_a_dead_vllm_fails_what_runs_and_what_comes(served: Served):
    children = processes()

    async def kill_in_the_middle():
        story = "Write a very long story."
        tasks = [
            asyncio.create_task(
                served.engine.complete(ask(story, agent=f"a{i}", max_tokens=900, temperature=2))
            )
            for i in range(30)
        ]
        await served.engine.complete(ask("Say yes.", max_tokens=1, priority=-1))
        processes = served.engine._llm.engine_core.resources.engine_manager.processes
        os.kill(processes[0].pid, signal.SIGKILL)
        return await asyncio.gather(*tasks, return_exceptions=True)

    results = served.run(kill_in_the_middle(), seconds=60)
    failed = [result for result in results if isinstance(result, EngineError)]
    assert len(failed) >= 20
    assert all("vLLM died" in str(error) for error in failed), failed
    with pytest.raises(EngineError, match="vLLM died"):
        served.run(served.engine.complete(ask("Hi")))
    served.run(served.engine.close())
    served.run(served.engine.close())
    assert all_gone(children)
