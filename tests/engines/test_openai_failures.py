"""`OpenAIEngine` when servers fail: every call gets exactly one answer, at the right place."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from dataclasses import dataclass

import pytest
from fake_server import FakeServer, Fault
from served import agents_of, expected, serving, until
from small_engines import request

from headway.engines.openai.client import Server
from headway.engines.openai.routing import Router
from headway.errors import (
    EngineUnavailableError,
)


@pytest.fixture(autouse=True)
def no_key(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


# Late answers


def test_a_late_answer_is_never_delivered():
    async def run():
        server = FakeServer()
        server.script.extend([Fault(seconds=0.4), None, None])
        async with serving(server, timeout=0.2) as engine:
            with pytest.raises(EngineUnavailableError, match=r"0\.2 s"):
                await engine.complete(request("first"))
            # The connection is closed, so the server can stop working on it.
            await until(lambda: server.broken_off == 1)
            answer = await engine.complete(request("second"))
            assert answer.text == expected(request("second"))
            await asyncio.sleep(0.25)
            assert server.answered == ["second"]

    asyncio.run(run())


def test_a_late_answer_that_cannot_be_stopped_is_dropped_and_counted(monkeypatch):
    async def run():
        ask = Server.ask

        async def stubborn(self, request, model):
            task = asyncio.ensure_future(ask(self, request, model))
            while not task.done():
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.shield(task)
            return task.result()

        monkeypatch.setattr(Server, "ask", stubborn)
        one, two = FakeServer(), FakeServer()
        one.seconds = two.seconds = 0.1
        async with serving(one, two, timeout=0.05) as engine:
            with pytest.raises(EngineUnavailableError):
                await engine.complete(request())
            call = asyncio.create_task(engine.complete(request()))
            await asyncio.sleep(0.03)
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
            await until(lambda: engine.statistics()["late_answers_dropped"] == 3)
            assert engine.statistics()["requests"] == 3

    asyncio.run(run())


def test_a_cancelled_call_is_taken_back_from_the_server_and_frees_its_place():
    async def run():
        server = FakeServer(seconds=30)
        async with serving(server, concurrency=1) as engine:
            first, second = (asyncio.create_task(engine.complete(request(t))) for t in "ab")
            await until(lambda: len(server.seen) == 1)
            second.cancel()
            first.cancel()
            await asyncio.gather(first, second, return_exceptions=True)
            await until(lambda: server.broken_off == 1)
            server.seconds = 0.0
            await engine.complete(request("c"))
            assert [seen.prompt for seen in server.seen] == ["a", "c"]

    asyncio.run(run())


# Where calls go


def test_agents_keep_their_server_and_are_spread_over_all():
    async def run():
        servers = [FakeServer() for _ in range(3)]
        async with serving(*servers) as engine:
            for step in range(4):
                asks = [request(f"{i} {step}", agent=str(i)) for i in range(60)]
                await asyncio.gather(*(engine.complete(ask) for ask in asks))
            homes = [agents_of(server) for server in servers]
            assert sum(len(home) for home in homes) == 60
            assert min(len(home) for home in homes) >= 8

    asyncio.run(run())


@dataclass
class Target:
    url: str
    load: int = 0


def test_when_a_server_goes_only_its_own_agents_move():
    targets = [Target(f"http://{i}") for i in range(5)]
    router = Router(targets, 4)
    for agent in map(str, range(200)):
        order = router.order(agent)
        assert sorted(t.url for t in order) == [t.url for t in targets]
        fewer = Router([t for t in targets if t is not targets[2]], 4).order(agent)
        assert fewer == tuple(t for t in order if t is not targets[2])
        assert router.pick(agent, lambda t, gone=order[0]: t is not gone) == (order[1], False)
    homes = Counter(router.order(str(agent))[0].url for agent in range(1000))
    assert all(150 < count < 250 for count in homes.values())
    assert router.pick("Ada", lambda _: False) is None


def test_a_server_is_overloaded_until_it_has_clearly_caught_up():
    targets = [Target("http://a"), Target("http://b"), Target("http://c")]
    router = Router(targets, spill=8)
    home, second, third = router.order("Ada")

    def pick(*loads):
        for target, load in zip((home, second, third), loads, strict=True):
            target.load = load
        return router.pick("Ada", lambda _: True)

    assert pick(8, 0, 0) == (home, False)
    assert pick(9, 0, 0) == (second, True)
    assert pick(8, 1, 0) == (second, True)
    assert pick(5, 4, 0) == (second, True)
    # One that is itself more than half as far ahead is passed over.
    assert pick(9, 5, 0) == (third, True)
    assert pick(5, 0, 0) == (second, True)
    assert pick(4, 0, 0) == (home, False)
    assert pick(8, 0, 0) == (home, False)


def test_an_overloaded_server_hands_calls_on_until_it_has_caught_up():
    async def run():
        servers = [FakeServer(), FakeServer()]
        async with serving(*servers, concurrency=20, spill=6) as engine:
            home, other = servers
            if not engine._router.order("Ada")[0].url.startswith(home.url):
                home, other = other, home
            gate = asyncio.Event()
            home.always = other.always = Fault(until=gate)
            calls = []
            for _ in range(30):
                calls.append(asyncio.create_task(engine.complete(request(agent="Ada"))))
                await asyncio.sleep(0)
            await until(lambda: len(home.seen) + len(other.seen) == 30)
            # The first 7 at home, then elsewhere until the difference is 3, and so on.
            assert abs(len(home.seen) - len(other.seen)) <= 7
            assert engine.statistics()["spilled"] == len(other.seen)
            gate.set()
            await asyncio.gather(*calls)
            before = len(other.seen)
            for _ in range(5):
                await engine.complete(request(agent="Ada"))
            assert len(other.seen) == before

    asyncio.run(run())


def test_a_server_gets_only_so_many_at_a_time_and_who_is_behind_first():
    async def run():
        server = FakeServer(seconds=0.002)
        async with serving(server, concurrency=2) as engine:
            asks = [request(str(i), priority=20 - i) for i in range(20)]
            await asyncio.gather(*(engine.complete(ask) for ask in asks))
            order = [int(seen.prompt) for seen in server.seen]
            assert set(order[:2]) == {0, 1}
            # The two at a time may arrive in either order.
            assert all(abs(a - b) <= 1 for a, b in zip(order[2:], range(19, 1, -1), strict=True))
            assert server.in_flight_max == 2
            assert engine.statistics()["in_flight_max"] == 2

    asyncio.run(run())


def test_two_servers_one_killed_under_load_lose_and_repeat_nothing():
    """Of 25 agents with 20 calls each, while a server dies and comes back."""

    async def run():
        servers = [FakeServer(seconds=0.002), FakeServer(seconds=0.002)]
        applied: Counter[tuple[str, int]] = Counter()
        done = 0
        events = []

        async def agent(engine, name: str) -> None:
            nonlocal done
            for step in range(20):
                ask = request(f"{name} {step}", agent=name, step=step, seed=step)
                answer = await engine.complete(ask)
                assert answer.text == expected(ask)
                applied[name, step] += 1
                done += 1

        async def kill_and_revive(engine) -> None:
            await until(lambda: done > 100)
            await until(lambda: servers[0].in_flight)
            events.append((len(servers[0].seen), len(servers[1].seen)))
            await servers[0].die()
            await until(lambda: engine._servers[0].health == "down" and done > 300)
            await servers[0].start()
            await until(lambda: engine._servers[0].health == "up")
            events.append((len(servers[0].seen), len(servers[1].seen)))

        async with serving(*servers, concurrency=8, spill=100) as engine:
            names = [f"agent{i}" for i in range(25)]
            async with asyncio.TaskGroup() as group:
                group.create_task(kill_and_revive(engine))
                for name in names:
                    group.create_task(agent(engine, name))
            assert applied == {(name, step): 1 for name in names for step in range(20)}
            counted = engine.statistics()
            assert counted["failures"] > 0
            assert counted["sent_again"] > 0
            assert done == 500

            before = [agents_of_first(server, events[0][i]) for i, server in enumerate(servers)]
            assert before[0].isdisjoint(before[1])
            assert before[0] and before[1]
            marks = [len(server.seen) for server in servers]
            for name in names:
                await engine.complete(request(f"{name} after", agent=name))
            after = [agents_of(server, mark) for server, mark in zip(servers, marks, strict=True)]
            assert after == before

    def agents_of_first(server, count):
        return {seen.prompt.split()[0] for seen in server.seen[:count]}

    asyncio.run(run())


def test_a_server_that_hangs_is_found_out_by_one_call_for_all():
    async def run():
        servers = [FakeServer(), FakeServer()]
        async with serving(*servers, timeout=0.5, spill=100) as engine:
            hung = servers[0]
            mine = [str(i) for i in range(40)
                    if engine._router.order(str(i))[0].url.startswith(hung.url)]  # fmt: skip
            hung.always = Fault(seconds=60)
            reasons, note = [], engine._note_failure
            engine._note_failure = lambda s, error: (reasons.append(str(error)), note(s, error))
            first = asyncio.create_task(engine.complete(request(agent=mine[0])))
            await asyncio.sleep(0.3)
            hung.models_fault = Fault(500)
            rest = [asyncio.create_task(engine.complete(request(agent=a))) for a in mine[1:]]
            await until(lambda: len(hung.seen) == len(mine))
            await asyncio.gather(first, *rest)
            # The others did not wait for their own time to pass.
            took = [reason for reason in reasons if "took more than" in reason]
            assert len(took) < len(reasons) == len(mine)
            assert len(servers[1].answered) == len(mine)
            assert engine._servers[0].health == "down"

    asyncio.run(run())


def test_calls_that_wait_for_a_server_that_fails_go_elsewhere():
    async def run():
        servers = [FakeServer(), FakeServer()]
        async with serving(*servers, concurrency=1, spill=100) as engine:
            home, other = servers
            if not engine._router.order("Ada")[0].url.startswith(home.url):
                home, other = other, home
            home.script.extend([Fault(500, seconds=0.02)])
            home.models_fault = Fault(500)
            calls = [engine.complete(request(str(i), agent="Ada")) for i in range(6)]
            await asyncio.gather(*calls)
            assert len(home.seen) == 1
            assert len(other.answered) == 6

    asyncio.run(run())


def test_calls_that_wait_for_a_server_that_is_busy_go_elsewhere():
    async def run():
        servers = [FakeServer(), FakeServer()]
        async with serving(*servers, concurrency=1, spill=100) as engine:
            home, other = servers
            if not engine._router.order("Ada")[0].url.startswith(home.url):
                home, other = other, home
            home.script.append(Fault(429, None, {"Retry-After": "60"}, seconds=0.02))
            calls = [engine.complete(request(str(i), agent="Ada")) for i in range(6)]
            await asyncio.gather(*calls)
            assert (len(home.seen), len(other.answered)) == (1, 6)

    asyncio.run(run())


def test_when_all_servers_are_down_a_call_says_so_for_each():
    async def run():
        one, two = FakeServer(), FakeServer()
        async with serving(one, two) as engine:
            await one.die()
            await two.die()
            for _ in range(3):
                with pytest.raises(EngineUnavailableError) as error:
                    await engine.complete(request(agent="Ada", step=4))
                assert "call 0 of Ada in step 4" in str(error.value)
                assert one.url in str(error.value)
                assert two.url in str(error.value)
            await until(lambda: all(s.health == "down" for s in engine._servers))
            await two.start()
            await until(lambda: engine._servers[1].health == "up")
            await engine.complete(request(agent="Ada"))

    asyncio.run(run())


def test_a_server_that_keeps_failing_is_left_alone_for_longer_and_longer():
    async def run():
        waits = []

        async def sleep(seconds):
            waits.append(seconds)
            await asyncio.sleep(0)

        server = FakeServer()
        server.always = Fault(500)
        async with serving(server, sleep=sleep) as engine:
            for _ in range(8):
                with pytest.raises(EngineUnavailableError):
                    await engine.complete(request())
                await until(lambda: engine._servers[0].health == "up")
            assert waits == [1, 2, 4, 8, 16, 30, 30]
            server.always = None
            await engine.complete(request())
            server.always = Fault(500)
            with pytest.raises(EngineUnavailableError):
                await engine.complete(request())
            assert len(waits) == 7

    asyncio.run(run())
