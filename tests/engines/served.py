"""An engine with fake servers behind it, for the tests of `OpenAIEngine`."""

from __future__ import annotations

import asyncio
import contextlib

from fake_server import FakeServer, answer_to

from headway.engines.base import Request
from headway.engines.openai import OpenAIEngine
from headway.engines.openai.payload import Dialect, body_of


@contextlib.asynccontextmanager
async def serving(*servers: FakeServer, **options):
    """Start servers and an engine for them."""
    async with contextlib.AsyncExitStack() as stack:
        for server in servers:
            await stack.enter_async_context(server)
        options.setdefault("sleep", lambda _: asyncio.sleep(0.002))
        engine = OpenAIEngine([server.url for server in servers], **options)
        try:
            await engine.start()
            yield engine
        finally:
            await engine.close()


def expected(r: Request) -> str:
    return answer_to(body_of(r, "tiny", Dialect()))


def agents_of(server: FakeServer, start: int = 0) -> set[str]:
    return {seen.prompt.split()[0] for seen in server.seen[start:]}


async def until(condition) -> None:
    """Wait for something that real sockets bring about."""
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.001)


def completion(**changes) -> dict:
    choice = {"message": {"content": "hi"}, "finish_reason": "stop", **changes}
    return {"choices": [choice]}
