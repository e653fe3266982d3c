"""The engine for OpenAI-compatible servers, against vLLM's own server."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from small_vllm import ask

from headway.engines.base import Answer, Engine, Request
from headway.engines.openai import OpenAIEngine
from headway.errors import EngineError, PromptTooLongError

# What httpx and vLLM warn of is theirs.
pytestmark = [pytest.mark.vllm, pytest.mark.filterwarnings("default")]

SCHEMA = {
    "type": "object",
    "properties": {"minutes": {"type": "integer", "minimum": 1, "maximum": 60}},
    "required": ["minutes"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def address(model: str) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        *(sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", model),
        *("--served-model-name", "small", "--host", "127.0.0.1", "--port", str(port)),
        *("--dtype", "float32", "--max-model-len", "1024", "--enforce-eager"),
        *("--block-size", "32", "--kv-cache-memory-bytes", str(256 << 20)),
        *("--scheduling-policy", "priority", "--enable-prompt-tokens-details"),
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def started(address: str) -> OpenAIEngine:
    """Make an engine, and wait until the server answers or is gone."""

    async def look() -> None:
        engine = OpenAIEngine(address)
        try:
            await engine.start()
        finally:
            await engine.close()

    patience = float(os.environ.get("HEADWAY_VLLM_PATIENCE", "600"))
    deadline = time.monotonic() + patience
    while True:
        try:
            asyncio.run(look())
        except EngineError:
            assert time.monotonic() < deadline, f"no server within {patience:g} s"
            time.sleep(1)
        else:
            return OpenAIEngine(address)


async def answers(engine: Engine, *requests: Request) -> list[Answer | BaseException]:
    await engine.start()
    try:
        asked = [engine.complete(request) for request in requests]
        return await asyncio.gather(*asked, return_exceptions=True)
    finally:
        await engine.close()


def test_vllms_server_answers_with_all_we_ask_it_for(address: str):
    story = "Once upon a time there was a town. " * 40
    plain = [
        ask(f"{story} Tell of day {i}.", max_tokens=12, seed=i, agent="Ada", priority=9 - i)
        for i in range(6)
    ]
    choice = ask("Walk or talk?", choices=("walk", "talk"), agent="Bo")
    schema = ask("How long is the walk?", schema=SCHEMA, max_tokens=30, agent="Cy")
    again = ask(f"{story} Tell of day 0.", max_tokens=12, seed=0, agent="Ada")
    too_long = ask("word " * 3000, max_tokens=10, agent="Di")
    engine = started(address)
    got = asyncio.run(answers(engine, *plain, choice, schema, too_long))
    *texts, chosen, parsed, refused = got
    assert all(isinstance(answer, Answer) and answer.text for answer in texts)
    assert all(answer.output_tokens <= 12 for answer in texts)
    assert chosen.text in {"walk", "talk"}
    assert 1 <= json.loads(parsed.text)["minutes"] <= 60
    assert isinstance(refused, PromptTooLongError), refused
    assert engine.statistics()["in_flight_max"] > 1
    (second,) = asyncio.run(answers(OpenAIEngine(address), again))
    assert second.text == texts[0].text
    assert second.cached_tokens > 0
