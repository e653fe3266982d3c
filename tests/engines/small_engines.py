"""Tiny engines and a time of their own for the tests of engines."""

from __future__ import annotations

import asyncio
from collections import deque

from headway.engines.base import Answer, Engine, Message, Request


def request(text: str = "Good morning?", **changes) -> Request:
    return Request(messages=(Message("user", text),), **changes)


class Echo(Engine):
    """Answers at once with the last message, or raises what the script says."""

    name = "echo"

    def __init__(self, *script) -> None:
        self.script = deque(script)
        self.asked: list[Request] = []
        self.events: list[str] = []

    async def start(self) -> None:
        self.events.append("start")

    async def close(self) -> None:
        self.events.append("close")

    def advance(self) -> bool:
        self.events.append("advance")
        return True

    def statistics(self) -> dict[str, float]:
        return {"asked_calls": len(self.asked)}

    async def complete(self, request: Request) -> Answer:
        self.asked.append(request)
        outcome = self.script.popleft() if self.script else None
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome or Answer(request.messages[-1].content, 3, 2, 1, "stop", "echo-1")


class Held(Engine):
    """Answers when the test says so."""

    name = "held"

    def __init__(self) -> None:
        self.open: dict[Request, asyncio.Future[Answer]] = {}
        self.order: list[str] = []
        self.cancelled = 0

    async def complete(self, request: Request) -> Answer:
        self.order.append(request.agent)
        future = self.open[request] = asyncio.get_running_loop().create_future()
        try:
            return await future
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            del self.open[request]

    def release(self, *agents: str) -> None:
        """Answer the calls of some agents, or all."""
        for request, future in list(self.open.items()):
            if not agents or request.agent in agents:
                future.set_result(Answer(f"to {request.agent}"))


class Time:
    """A clock that a test sets, and a sleep that ends when it says so."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []
        self._sleeping: list[tuple[float, asyncio.Future[None]]] = []

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        future = asyncio.get_running_loop().create_future()
        self._sleeping.append((self.now + seconds, future))
        await future

    async def pass_(self, seconds: float) -> None:
        """Let time pass, and what it wakes go on."""
        end = self.now + seconds
        while due := sorted(
            (until, i)
            for i, (until, f) in enumerate(self._sleeping)
            if until <= end and not f.done()
        ):
            until, i = due[0]
            self.now = max(self.now, until)
            self._sleeping[i][1].set_result(None)
            await turns()
        self.now = end
        await turns()


async def turns(count: int = 10) -> None:
    """Let everything that can go on go on."""
    for _ in range(count):
        await asyncio.sleep(0)
