"""Wrappers change what they say and nothing else; the gate that one of them waits at."""

from __future__ import annotations

import asyncio
import logging
import random
import sqlite3
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_engines import Echo, Held, Time, request, turns

from headway.engines.base import Answer, Message, Request
from headway.engines.gate import Gate
from headway.engines.wrappers import (
    Cache,
    Limit,
    Recording,
    Retry,
    Wrapper,
    model_of,
    request_hash,
    request_parts,
)
from headway.engines.wrappers.content import PARTS, differing_parts
from headway.errors import EngineError, EngineUnavailableError, MissingExtraError, OptionError


def down() -> EngineUnavailableError:
    return EngineUnavailableError("the server is down", retry_after=None)


# All of them


@pytest.mark.parametrize("wrapper", [Wrapper, Retry, Limit, Cache, lambda e: Recording(e, [])])
def test_a_wrapper_passes_everything_on(wrapper):
    async def run():
        inner = Echo()
        inner.model = "tiny"
        engine = wrapper(inner)
        await engine.start()
        answer = await engine.complete(request("hello"))
        assert answer == await Echo().complete(request("hello"))
        assert engine.advance()
        assert engine.statistics()["asked_calls"] == 1
        assert (engine.name, engine.model) == ("echo", "tiny")
        assert type(engine).__name__ in repr(engine)
        await engine.close()
        await engine.close()
        assert inner.events == ["start", "advance", "close", "close"]

    asyncio.run(run())


@pytest.mark.parametrize("wrapper", [Wrapper, Retry, Limit, Cache, lambda e: Recording(e, [])])
def test_a_cancelled_call_is_taken_back_from_the_engine_inside(wrapper):
    async def run():
        inner = Held()
        call = asyncio.create_task(wrapper(inner).complete(request()))
        await turns()
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        assert call.cancelled()
        assert inner.cancelled == 1

    asyncio.run(run())


def test_an_engine_without_a_model_is_known_by_its_name():
    assert model_of(Limit(Held())) == "held"


# What a request's answer depends on

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
CHANGES = {
    "messages": (Message("user", "Good morning!"),),
    "max_tokens": 100,
    "temperature": 0.0,
    "stop": ("\n",),
    "schema": SCHEMA,
    "choices": ("yes", "no"),
    "seed": 1,
}


@pytest.mark.parametrize("part", PARTS)
def test_the_content_holds_every_part_and_tells_which_differs(part):
    one = request()
    other = replace(one, **{part: CHANGES[part]})
    assert request_hash(one) != request_hash(other)
    assert differing_parts(request_parts(one), request_parts(other)) == (part,)


def test_whose_call_it_is_is_no_part_of_the_content():
    one = request()
    other = replace(one, agent="Ada", step=3, call=2, attempt=1, priority=9, label="plan")
    assert request_hash(one) == request_hash(other)
    assert request_parts(one) == request_parts(other)
    assert len(request_hash(one)) == 64


def test_every_field_of_a_request_is_in_its_content_or_names_the_call():
    naming = {"agent", "step", "call", "attempt", "priority", "label"}
    assert set(PARTS) | naming == set(Request.__dataclass_fields__)


def test_roles_texts_and_splits_of_messages_are_told_apart():
    chats = [
        (Message("user", "ab"),),
        (Message("system", "ab"),),
        (Message("user", "a"), Message("user", "b")),
        (Message("user", "a\nb"),),
        (Message("user", "\ud800"),),
        (Message("user", "ä"),),
    ]
    assert len({request_hash(Request(messages=chat)) for chat in chats}) == len(chats)


def test_schemas_are_compared_by_what_they_say_in_their_order():
    def hashed(schema):
        return request_hash(request(schema=schema))

    assert hashed(SCHEMA) == hashed(MappingProxyType(dict(SCHEMA)))
    assert hashed(SCHEMA) != hashed(dict(reversed(SCHEMA.items())))
    assert request_hash(request(temperature=0)) == request_hash(request(temperature=0.0))


@pytest.mark.parametrize("schema", [{"const": {1}}, {"const": b""}])
def test_a_schema_that_is_no_json_is_refused(schema):
    with pytest.raises(EngineError, match="schema of call 0 of Ada in step 3"):
        request_hash(request(schema=schema, agent="Ada", step=3))


def test_hashes_stay_the_same_from_release_to_release():
    known = "c3a97a5e2feaa859e3ff71c6f192b1ec413c1013835022497a871ec8d3e5c759"
    assert request_hash(request(**{k: v for k, v in CHANGES.items() if k != "messages"})) == known


# Retry


def retry(inner, time, **changes):
    return Retry(inner, sleep=time.sleep, chance=lambda: 1.0, **changes)


async def passing(time, awaitable):
    """Await something while time passes as fast as it can."""
    task = asyncio.ensure_future(awaitable)
    while not task.done():
        await time.pass_(1000)
    return task.result()


def test_an_unavailable_engine_is_asked_again_after_growing_waits():
    async def run():
        time, inner = Time(), Echo(down(), down(), down(), down(), down(), down())
        engine = retry(inner, time, attempts=7, first_wait=1, longest_wait=10)
        answer = await passing(time, engine.complete(request("hello")))
        assert answer.text == "hello"
        assert time.slept == [1, 2, 4, 8, 10, 10]
        assert engine.statistics() == {
            "asked_calls": 7,
            "retry_repeated_attempts": 6,
            "retry_waited_seconds": 35,
            "retry_given_up_calls": 0,
        }

    asyncio.run(run())


def test_waits_are_a_random_share_and_leave_the_programs_random_numbers_alone():
    async def run():
        time = Time()
        engine = Retry(
            Echo(*(down() for _ in range(400))),
            attempts=401,
            first_wait=8,
            longest_wait=8,
            sleep=time.sleep,
        )
        random.seed(1)
        await passing(time, engine.complete(request()))
        assert random.random() == random.Random(1).random()
        assert all(4 <= wait <= 8 for wait in time.slept)
        assert max(time.slept) - min(time.slept) > 3

    asyncio.run(run())


def test_an_engine_that_asks_for_time_gets_it():
    async def run():
        time = Time()
        script = [EngineUnavailableError("busy", retry_after=after) for after in (0.0, 20.0, -5.0)]
        engine = retry(Echo(*script), time, first_wait=1, longest_wait=2)
        await passing(time, engine.complete(request()))
        assert time.slept == [1, 22, 2]

    asyncio.run(run())


def test_after_the_last_attempt_the_reason_comes_out():
    async def run():
        time, inner = Time(), Echo(down(), EngineUnavailableError("too busy", retry_after=7.0))
        engine = retry(inner, time, attempts=2)
        with pytest.raises(EngineUnavailableError, match="call 0 of Ada in step 4") as error:
            await passing(time, engine.complete(request(agent="Ada", step=4)))
        assert "2 times" in str(error.value)
        assert "too busy" in str(error.value)
        assert error.value.retry_after == 7.0
        assert len(inner.asked) == 2
        assert engine.statistics()["retry_given_up_calls"] == 1

    asyncio.run(run())


@pytest.mark.parametrize(
    "error", [EngineError("no such model"), TimeoutError("odd"), KeyError("a")]
)
def test_what_trying_again_does_not_help_passes_at_once(error):
    async def run():
        inner = Echo(error)
        with pytest.raises(type(error)) as raised:
            await Retry(inner, time_limit=5).complete(request())
        assert raised.value is error
        assert len(inner.asked) == 1

    asyncio.run(run())


def test_an_attempt_that_takes_too_long_is_cancelled_and_repeated():
    async def run():
        inner = Held()
        engine = Retry(inner, attempts=2, first_wait=0.001, time_limit=0.005)
        with pytest.raises(EngineUnavailableError, match=r"held took more than 0\.005 s"):
            await engine.complete(request())
        assert inner.cancelled == 2
        assert not inner.open

    asyncio.run(run())


def test_cancelling_during_a_wait_ends_the_call():
    async def run():
        time, inner = Time(), Echo(down(), down())
        call = asyncio.create_task(retry(inner, time).complete(request()))
        await turns()
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        assert call.cancelled()
        assert len(inner.asked) == 1

    asyncio.run(run())


def test_calls_that_are_repeated_at_the_same_time_do_not_mix():
    class Flaky(Echo):
        async def complete(self, request):
            await asyncio.sleep(0)
            self.asked.append(request)
            if sum(one is request for one in self.asked) <= request.seed % 4:
                raise down()
            return Answer(request.agent)

    async def run():
        inner = Flaky()
        engine = Retry(inner, attempts=4, first_wait=1e-4)
        agents = [str(i) for i in range(50)]
        calls = [engine.complete(request(agent=a, seed=int(a))) for a in agents]
        assert [answer.text for answer in await asyncio.gather(*calls)] == agents
        assert len(inner.asked) == sum(i % 4 + 1 for i in range(50))

    asyncio.run(run())


@pytest.mark.parametrize("option", ["attempts", "first_wait", "longest_wait", "time_limit"])
def test_numbers_that_are_not_positive_are_refused(option):
    with pytest.raises(OptionError, match=option):
        Retry(Echo(), **{option: 0})


def test_without_tenacity_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "tenacity", None)
    with pytest.raises(MissingExtraError, match=r"headway\[openai\]"):
        Retry(Echo())


# Gate


def test_a_gate_lets_in_by_priority_then_arrival():
    async def run():
        gate, order = Gate(2), []

        async def visit(name, priority):
            await gate.enter(priority)
            order.append(name)
            await asyncio.sleep(0)
            gate.leave()

        await gate.enter()
        await gate.enter()
        given = [("c", 5), ("d", 5), ("a", 1), ("e", 9), ("b", 1)]
        visits = [asyncio.create_task(visit(*each)) for each in given]
        await turns()
        assert (gate.inside, gate.waiting) == (2, 5)
        gate.leave()
        await asyncio.gather(*visits)
        assert (gate.inside, gate.inside_max, gate.waiting, gate.waiting_max) == (1, 2, 0, 5)
        assert order == ["a", "b", "c", "d", "e"]

    asyncio.run(run())


def test_one_that_is_cancelled_when_it_is_let_in_frees_its_place():
    async def run():
        gate = Gate(1)
        await gate.enter()
        waiting, next_one = asyncio.create_task(gate.enter()), asyncio.create_task(gate.enter())
        await turns()
        gate.leave()  # lets the first in, which has not yet noticed
        waiting.cancel()
        await turns()
        assert waiting.cancelled()
        assert next_one.done()
        assert (gate.inside, gate.waiting) == (1, 0)

    asyncio.run(run())


def test_who_is_sent_away_gets_an_error_and_who_comes_later_a_place():
    async def run():
        gate = Gate(1)
        await gate.enter()
        waiting, before, after = (asyncio.create_task(gate.enter()) for _ in range(3))
        await turns()
        before.cancel()
        gate.send_away(down)
        after.cancel()
        outcomes = await asyncio.gather(waiting, before, after, return_exceptions=True)
        assert isinstance(outcomes[0], EngineUnavailableError)
        assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes[1:])
        assert (gate.inside, gate.waiting) == (1, 0)
        later = asyncio.create_task(gate.enter())
        await turns()
        gate.leave()
        await asyncio.wait_for(later, 5)
        assert (gate.inside, gate.waiting) == (1, 0)

    asyncio.run(run())


@given(st.integers(0, 2**32))
def test_a_gate_never_lets_too_many_in_and_never_forgets_a_place(seed):
    async def run():
        chance = random.Random(seed)
        places = chance.randint(1, 3)
        gate = Gate(places)
        inside: list[int] = []
        left = []

        async def visit(i):
            await gate.enter(chance.randint(0, 3))
            inside.append(i)
            try:
                assert len(inside) <= places
                for _ in range(chance.randint(0, 3)):
                    await asyncio.sleep(0)
            finally:
                inside.remove(i)
                gate.leave()
                left.append(i)

        visits = []
        for i in range(60):
            visits.append(asyncio.create_task(visit(i)))
            if chance.random() < 0.5:
                await asyncio.sleep(0)
            if chance.random() < 0.5:
                chance.choice(visits).cancel()
            if chance.random() < 0.02:
                gate.send_away(down)
        outcomes = await asyncio.gather(*visits, return_exceptions=True)
        assert not any(isinstance(outcome, AssertionError) for outcome in outcomes)
        assert sum(outcome is None for outcome in outcomes) <= len(left)
        assert (gate.inside, gate.waiting) == (0, 0)
        assert gate.inside_max <= places
        await asyncio.wait_for(gate.enter(), 5)

    asyncio.run(run())


def test_a_gate_does_not_keep_those_who_went_away():
    async def run():
        gate = Gate(1)
        await gate.enter()
        visits = [asyncio.create_task(gate.enter()) for _ in range(1000)]
        await turns()
        for visit in visits[:-1]:
            visit.cancel()
        await asyncio.wait(visits[:-1])
        assert gate.waiting == 1
        assert len(gate._queue) < 20
        gate.leave()
        await asyncio.wait_for(visits[-1], 5)

    asyncio.run(run())


# Limit


def call_all(engine, agents, **changes):
    return [
        asyncio.create_task(engine.complete(request(agent=agent, priority=priority, **changes)))
        for agent, priority in agents
    ]


def test_only_so_many_calls_run_and_who_is_behind_is_served_first():
    async def run():
        inner = Held()
        engine = Limit(inner, concurrency=2)
        calls = call_all(engine, [("a", 9), ("b", 9), ("c", 5), ("d", 3), ("e", 3), ("f", 4)])
        while not all(call.done() for call in calls):
            await turns()
            assert len(inner.open) <= 2
            newest = next(reversed(inner.open), None)
            inner.release(*([newest.agent] if newest else []))
        assert inner.order == list("abdefc")
        counted = engine.statistics()
        assert counted["limit_in_flight_max_calls"] == 2
        assert counted["limit_waiting_max_calls"] == 4

    asyncio.run(run())


def test_a_place_is_given_back_after_an_error():
    async def run():
        inner = Echo(EngineError("no"))
        engine = Limit(inner, concurrency=1)
        calls = call_all(engine, [("a", 0), ("b", 0)])
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert isinstance(outcomes[0], EngineError)
        assert isinstance(outcomes[1], Answer)

    asyncio.run(run())


def test_one_that_is_cancelled_while_it_waits_frees_its_place():
    async def run():
        inner = Held()
        engine = Limit(inner, concurrency=1)
        a, b, c = call_all(engine, [("a", 0), ("b", 1), ("c", 2)])
        await turns()
        b.cancel()
        await turns()
        inner.release("a")
        await turns()
        inner.release("c")
        await asyncio.gather(a, c)
        assert inner.order == ["a", "c"]

    asyncio.run(run())


def test_calls_are_started_evenly_spaced():
    async def run():
        time, inner = Time(), Echo()
        engine = Limit(inner, per_second=4, clock=time.clock, sleep=time.sleep)
        calls = call_all(engine, [(str(i), 0) for i in range(9)])
        await turns()
        counts = []
        for _ in range(5):
            await time.pass_(0.5)
            counts.append(len(inner.asked))
        await asyncio.gather(*calls)
        assert counts == [3, 5, 7, 9, 9]
        assert engine.statistics()["limit_waited_seconds"] == sum(i / 4 for i in range(9))
        # A pause is not made up for with a burst.
        call_all(engine, [(str(i), 0) for i in range(3)])
        await turns()
        assert len(inner.asked) == 10
        await engine.close()

    asyncio.run(run())


def test_the_rate_serves_who_is_behind_first_too():
    async def run():
        time, inner = Time(), Held()
        engine = Limit(inner, per_second=1, clock=time.clock, sleep=time.sleep)
        calls = call_all(engine, [("a", 5), ("b", 5), ("c", 1)])
        await turns()
        await time.pass_(5)
        assert inner.order == ["a", "c", "b"]
        inner.release()
        await asyncio.gather(*calls)

    asyncio.run(run())


def test_closing_refuses_those_who_wait():
    async def run():
        time, inner = Time(), Held()
        engine = Limit(inner, concurrency=1, per_second=1, clock=time.clock, sleep=time.sleep)
        a, b, c = call_all(engine, [("a", 0), ("b", 0), ("c", 0)])
        await turns()
        c.cancel()
        await engine.close()
        outcomes = await asyncio.gather(b, c, return_exceptions=True)
        assert isinstance(outcomes[0], EngineError)
        assert isinstance(outcomes[1], asyncio.CancelledError)
        inner.release()
        await a
        engine = Limit(inner, per_second=1, clock=time.clock, sleep=time.sleep)
        d, e = call_all(engine, [("d", 0), ("e", 0)])
        await turns()
        await engine.close()
        inner.release()
        outcomes = await asyncio.gather(d, e, return_exceptions=True)
        assert isinstance(outcomes[1], EngineError)

    asyncio.run(run())


@pytest.mark.parametrize("limits", [{"concurrency": 0}, {"per_second": 0}, {"per_second": -1.0}])
def test_a_limit_that_lets_nothing_through_is_refused(limits):
    with pytest.raises(OptionError):
        Limit(Echo(), **limits)


# Cache


@pytest.fixture(params=["memory", "file"])
def path(request, tmp_path):
    return tmp_path / "answers" / "cache.sqlite" if request.param == "file" else None


def test_equal_content_is_asked_once_whoever_asks(path):
    async def run():
        inner = Echo()
        engine = Cache(inner, path)
        one = await engine.complete(request("hello", agent="Ada", step=1))
        other = await engine.complete(request("hello", agent="Bob", step=7, priority=7))
        await engine.complete(request("hello", seed=5))
        assert one == other == await Echo().complete(request("hello"))
        assert engine.statistics() == {
            "asked_calls": 2,
            "cache_hit_calls": 1,
            "cache_joined_calls": 0,
            "cache_missed_calls": 2,
            "cache_unkept_answers": 0,
        }
        await engine.close()

    asyncio.run(run())


def test_another_model_is_asked_again(path):
    async def run():
        inner = Echo()
        engine = Cache(inner, path)
        for model in ("one", "two", "one"):
            inner.model = model
            await engine.complete(request())
        assert len(inner.asked) == 2
        await engine.close()
        named = Cache(inner, path, model="one")
        assert named.model == "one"
        await named.complete(request())
        assert len(inner.asked) == (3 if path is None else 2)
        await named.close()

    asyncio.run(run())


def test_a_file_keeps_answers_over_runs_and_between_processes(tmp_path):
    async def run():
        path = tmp_path / "cache.sqlite"
        odd = Answer('ä "🎉" \x00 \n', 5, 6, None, "length", "tiny")
        first, second = Cache(Echo(odd), path), Cache(Echo(), path)
        assert await first.complete(request()) == odd
        assert await second.complete(request()) == odd
        await first.close()
        await second.close()
        # As after a new start; closed ones open the file again.
        assert await first.complete(request()) == odd
        third = Cache(Echo(), path)
        assert await third.complete(request()) == odd
        assert len(first.inner.asked) == 1
        await first.close()
        await third.close()

    asyncio.run(run())


def test_a_cache_made_in_one_thread_can_be_used_in_another(path):
    async def run():
        answer = await engine.complete(request("hello"))
        await engine.close()
        return answer

    engine = Cache(Echo(Answer("hi")), path)
    with ThreadPoolExecutor() as pool:
        assert pool.submit(asyncio.run, run()).result().text == "hi"


def test_two_equal_calls_at_a_time_are_asked_once(path):
    async def run():
        inner = Held()
        engine = Cache(inner, path)
        calls = call_all(engine, [("a", 0), ("b", 0), ("c", 0)])
        await turns()
        assert inner.order == ["a"]
        inner.release()
        answers = await asyncio.gather(*calls)
        assert {answer.text for answer in answers} == {"to a"}
        assert engine.statistics()["cache_joined_calls"] == 2
        await engine.close()

    asyncio.run(run())


def test_if_the_one_who_asked_is_cancelled_the_next_one_asks():
    async def run():
        inner = Held()
        engine = Cache(inner)
        a, b, c = call_all(engine, [("a", 0), ("b", 0), ("c", 0)])
        await turns()
        a.cancel()
        await turns()
        assert inner.order == ["a", "b"]
        c.cancel()
        await turns()
        assert c.cancelled()
        inner.release()
        assert (await b).text == "to b"

    asyncio.run(run())


def test_errors_reach_all_who_wait_and_are_not_kept():
    class Failing(Held):
        async def complete(self, request):
            await super().complete(request)
            raise EngineUnavailableError("down")

    async def run():
        inner = Failing()
        engine = Cache(inner)
        calls = call_all(engine, [("a", 0), ("b", 0)])
        await turns()
        inner.release()
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [EngineUnavailableError] * 2
        again = asyncio.create_task(engine.complete(request()))
        await turns()
        assert len(inner.order) == 2
        again.cancel()

    asyncio.run(run())


def test_a_bug_of_the_engine_inside_hangs_nobody():
    async def run():
        engine = Cache(Echo(KeyError("a")))
        calls = call_all(engine, [("a", 0), ("b", 0)])
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert isinstance(outcomes[0], KeyError)
        assert isinstance(outcomes[1], Answer)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"no database" * 500, ["delete"]),
        ("CREATE TABLE mine (a)", ["another program"]),
        ("PRAGMA application_id = 7", ["another program"]),
        ("PRAGMA application_id = 1214543683; PRAGMA user_version = 2", ["version 2", "version 1"]),
    ],
)
def test_a_file_that_is_no_cache_is_refused_and_left_alone(tmp_path, content, words):
    path = tmp_path / "cache.sqlite"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        db = sqlite3.connect(path)
        db.executescript(content)
        db.close()
    before = path.read_bytes()
    with pytest.raises(EngineError) as error:
        Cache(Echo(), path)
    for word in [str(path), *words]:
        assert word in str(error.value)
    assert path.read_bytes() == before


def test_a_path_that_cannot_be_opened_is_refused(tmp_path):
    with pytest.raises(EngineError, match="cannot be opened"):
        Cache(Echo(), tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(EngineError, match="cannot be opened"):
        Cache(Echo(), tmp_path / "file" / "cache.sqlite")


def test_an_answer_that_cannot_be_kept_is_given_all_the_same(tmp_path, caplog):
    async def run():
        path = tmp_path / "cache.sqlite"
        engine = Cache(Echo(Answer("\ud800"), Answer("\ud800")), path)
        with caplog.at_level(logging.WARNING):
            for _ in range(2):
                assert (await engine.complete(request())).text == "\ud800"
        assert len(caplog.records) == 1
        assert engine.statistics()["cache_unkept_answers"] == 2
        await engine.close()

    asyncio.run(run())


def test_a_file_that_breaks_during_a_run_is_told(tmp_path):
    async def run():
        path = tmp_path / "cache.sqlite"
        engine = Cache(Echo(), path)
        other = sqlite3.connect(path)
        other.execute("DROP TABLE answers")
        other.close()
        with pytest.raises(EngineError, match=r"cache\.sqlite cannot be used"):
            await engine.complete(request())
        await engine.close()

    asyncio.run(run())


# Recording


def test_every_call_that_was_answered_is_recorded_once():
    async def run():
        pairs, named = [], {}
        inner = Echo(None, EngineError("no"), None)
        engine = Recording(
            Recording(inner, pairs), lambda request, answer: named.update({request.agent: answer})
        )
        await asyncio.gather(
            *call_all(engine, [("a", 0), ("b", 0), ("c", 0)]), return_exceptions=True
        )
        assert [request.agent for request, _ in pairs] == ["a", "c"]
        assert list(named) == ["a", "c"]
        assert pairs[0][1] is named["a"]
        assert engine.statistics()["recorded_calls"] == 2

    asyncio.run(run())


def test_what_a_sink_raises_reaches_the_caller():
    def full(*_):
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        asyncio.run(Recording(Echo(), full).complete(request()))
