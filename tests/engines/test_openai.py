"""`OpenAIEngine`: what is sent, what comes back, and what servers do wrong."""

from __future__ import annotations

import asyncio
import logging
import sys
from types import MappingProxyType

import pytest
from fake_server import FakeServer, Fault
from served import completion, expected, serving, until
from small_engines import request

from headway.engines.base import Message, Request
from headway.engines.openai import OpenAIEngine, client
from headway.engines.openai.client import Server
from headway.engines.openai.payload import Dialect, body_of
from headway.engines.wrappers import Retry
from headway.errors import (
    EngineError,
    EngineUnavailableError,
    MissingExtraError,
    OptionError,
    PromptTooLongError,
)
from headway.structured import parse


@pytest.fixture(autouse=True)
def no_key(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


# What is sent and what comes back


def test_an_answer_comes_back_with_its_tokens_and_model():
    async def run():
        async with serving(FakeServer()) as engine:
            assert engine.model == "tiny"
            ask = request("good morning to you", agent="Ada", seed=3)
            answer = await engine.complete(ask)
            again = await engine.complete(ask)
            assert answer.text == again.text == expected(ask)
            assert (answer.prompt_tokens, answer.output_tokens) == (4, 2)
            assert (answer.cached_tokens, again.cached_tokens) == (0, 4)
            assert (answer.finish, answer.model) == ("stop", "tiny")
            counted = engine.statistics()
            assert counted["requests"] == 2
            assert counted["prompt_tokens"] == 8
            assert counted["cached_tokens"] == 4
            assert counted["in_flight_max"] == 1

    asyncio.run(run())


FULL = Request(
    messages=(Message("system", "You are Ada."), Message("user", "hello")),
    max_tokens=20, temperature=0.0, stop=("\n",), seed=2**40 + 5, agent="Ada Müller\n", priority=7,
)  # fmt: skip
STANDARD = {
    "model": "tiny",
    "messages": [
        {"role": "system", "content": "You are Ada."},
        {"role": "user", "content": "hello"},
    ],
    "max_tokens": 20,
    "temperature": 0.0,
    "stop": ["\n"],
    "seed": (2**40 + 5) % (2**31 - 1),
}


def test_vllm_gets_the_priority_and_the_session():
    async def run():
        server = FakeServer()
        async with serving(server) as engine:
            await engine.complete(FULL)
            assert server.seen[0].body == {**STANDARD, "priority": 7}
            assert server.seen[0].headers["x-session-id"] == "Ada%20M%C3%BCller%0A"

    asyncio.run(run())


@pytest.mark.parametrize(
    ("owned_by", "version", "vllm"),
    [("vllm", None, True), (None, "0.32.0", True), ("library", "0.9", False), (None, None, False)],
)
def test_other_servers_get_standard_fields_only(owned_by, version, vllm):
    async def run():
        server = FakeServer(owned_by=owned_by, version=version)
        async with serving(server) as engine:
            await engine.complete(FULL)
            assert ("priority" in server.seen[0].body) == vllm
            if not vllm:
                assert server.seen[0].body == STANDARD
                assert "x-session-id" not in server.seen[0].headers
        async with serving(server, flavour="vllm") as engine:
            await engine.complete(FULL)
            assert "priority" in server.seen[1].body

    asyncio.run(run())


SCHEMA = {
    "type": "object",
    "properties": {"place": {"enum": ["cafe", "park"]}, "minutes": {"type": "integer"}},
    "required": ["place", "minutes"],
    "additionalProperties": False,
}


@pytest.mark.parametrize("owned_by", ["vllm", "library"])
def test_schemas_and_choices_are_enforced_in_the_words_of_the_server(owned_by):
    async def run():
        server = FakeServer(owned_by=owned_by)
        async with serving(server) as engine:
            answer = await engine.complete(request(schema=MappingProxyType(SCHEMA)))
            parse(answer.text, schema=SCHEMA)
            sent = server.seen[0].body["response_format"]["json_schema"]
            assert (sent["schema"], sent["strict"]) == (SCHEMA, True)
            picked = await engine.complete(request(choices=("walk on", "stay"), max_tokens=2))
            assert picked.text in ("walk on", "stay")
            sent = server.seen[1].body
            if owned_by == "vllm":
                assert sent["structured_outputs"] == {"choice": ["walk on", "stay"]}
                assert sent["max_tokens"] == 2
            else:
                schema = sent["response_format"]["json_schema"]["schema"]
                assert schema["properties"]["choice"]["enum"] == ["walk on", "stay"]
                assert sent["max_tokens"] > 10  # room for what is written around the choice
            await engine.complete(request(schema={"type": "object", "properties": {}}))
            assert not server.seen[2].body["response_format"]["json_schema"]["strict"]

    asyncio.run(run())


def test_what_a_server_refuses_is_left_out_from_then_on_and_told_once(caplog):
    async def run():
        server = FakeServer()
        server.refuses = {"priority", "structured_outputs", "response_format"}
        async with serving(server) as engine:
            with caplog.at_level(logging.WARNING):
                asks = [request(str(i), choices=("a", "b")) for i in range(20)]
                await asyncio.gather(*(engine.complete(ask) for ask in asks))
            assert sorted(record.args[1] for record in caplog.records) == sorted(server.refuses)
            before = len(server.seen)
            await engine.complete(request("x", schema=SCHEMA))
            await engine.complete(request("y", choices=("a", "b")))
            assert len(server.seen) == before + 2
            assert '"minutes"' in server.seen[-2].prompt
            assert server.seen[-2].body["messages"][-1]["content"].startswith("x\n\n")
            assert server.seen[-1].prompt.endswith("nothing else:\n- a\n- b")

    asyncio.run(run())


def test_a_vllm_without_priorities_is_told_none():
    async def run():
        server = FakeServer()
        said = "Got priority 7 but Priority scheduling is not enabled."
        server.script.append(Fault(400, {"object": "error", "message": said}))
        async with serving(server) as engine:
            await engine.complete(FULL)
            assert server.seen[-1].body == STANDARD

    asyncio.run(run())


def test_an_instruction_after_an_answer_is_a_message_of_its_own():
    dialect = Dialect(refused={"response_format"})
    chat = (Message("user", "a"), Message("assistant", "b"))
    body = body_of(Request(messages=chat, choices=("x", "y")), "tiny", dialect)
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user"]


def test_the_other_name_of_the_token_limit_is_used_where_it_is_asked_for():
    async def run():
        server = FakeServer()
        server.refuses = {"max_tokens"}
        async with serving(server) as engine:
            await engine.complete(request(max_tokens=9))
            assert server.seen[-1].body["max_completion_tokens"] == 9
            assert "max_tokens" not in server.seen[-1].body

    asyncio.run(run())


def test_a_field_is_kept_when_only_its_value_is_refused():
    async def run():
        server = FakeServer()
        said = {"message": "temperature must be at most 2", "param": "temperature"}
        server.script.append(Fault(400, {"error": said}))
        async with serving(server) as engine:
            with pytest.raises(EngineError, match="temperature must be at most 2"):
                await engine.complete(request(temperature=3.0))
            await engine.complete(request(temperature=1.0))
            assert server.seen[-1].body["temperature"] == 1.0

    asyncio.run(run())


@pytest.mark.parametrize("ask", [{"schema": {"const": {1}}}, {"temperature": float("nan")}])
def test_what_is_no_json_is_refused_before_it_is_sent(ask):
    async def run():
        server = FakeServer()
        async with serving(server) as engine:
            with pytest.raises(EngineError, match="cannot be written as JSON"):
                await engine.complete(request(**ask))
            assert server.seen == []

    asyncio.run(run())


# What servers do wrong


@pytest.mark.parametrize(
    ("body", "tokens", "limit"),
    [
        ({"error": {"message": "This model's maximum context length is 2048 tokens. However, you "
         "requested 2100 tokens (2000 in the messages, 100 in the completion).",
         "code": 400}}, 2000, 2048),
        ({"object": "error", "message": "'max_tokens' is too large: 100. This model's maximum "
         "context length is 2048 tokens and your request has 2000 input tokens"}, 2000, 2048),
        ({"error": {"code": 400, "type": "exceed_context_size_error", "message": "too big",
                    "n_prompt_tokens": 2000, "n_ctx": 2048}}, 2000, 2048),
        ({"error": {"message": "prompt is too long"}}, -1, -1),
        ({"error": {"message": "max_tokens 100 is not allowed: the context length is 2048"}},
         -1, 2048),
    ],
)  # fmt: skip
def test_a_prompt_that_is_too_long_is_told_apart(body, tokens, limit):
    async def run():
        server = FakeServer()
        server.always = Fault(400, body)
        async with serving(server) as engine:
            with pytest.raises(PromptTooLongError, match="shorten the prompt") as error:
                await engine.complete(request())
            assert (error.value.tokens, error.value.limit) == (tokens, limit)
            assert len(server.seen) == 1

    asyncio.run(run())


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault(400, {"error": {"message": "bad roles"}}), ["400", "bad roles"]),
        (Fault(401, {"error": {"message": "no key"}}), ["401", "OPENAI_API_KEY"]),
        (Fault(404, {"error": {"message": "no model tiny"}}), ["404", "no model tiny"]),
        (
            Fault(422, {"detail": [{"loc": ["body", "messages"], "msg": "empty"}]}),
            ["messages: empty"],
        ),
        (Fault(307, None, {"Location": "http://elsewhere/"}), ["http://elsewhere/", "instead"]),
        (Fault(418, b"a teapot"), ["418", "a teapot"]),
    ],
)
def test_what_is_refused_for_good_is_not_sent_again(fault, words):
    async def run():
        one, two = FakeServer(), FakeServer()
        one.always = two.always = fault
        async with serving(one, two) as engine:
            with pytest.raises(EngineError) as error:
                await engine.complete(request())
            assert not isinstance(error.value, EngineUnavailableError)
            for word in words:
                assert word in str(error.value)
            assert len(one.seen) + len(two.seen) == 1

    asyncio.run(run())


BROKEN = [
    (Fault(500, {"error": {"message": "out of memory"}}), "500: out of memory"),
    (Fault(503), "answered 503"),
    (Fault(429, {"error": {"message": "slow down"}}), "429: slow down"),
    (Fault(200, b"<html>proxy error</html>"), "no JSON"),
    (Fault(200, b""), "no JSON"),
    (Fault(200, []), "the body is a list"),
    (Fault(200, {}), "'choices' is missing"),
    (Fault(200, {"choices": []}), "'choices' is empty"),
    (Fault(200, {"choices": {}}), "'choices' is a dict"),
    (Fault(200, {"choices": [None]}), "choices[0] is null"),
    (Fault(200, {"choices": [{}]}), "'choices[0].message' is missing"),
    (Fault(200, completion(message={"content": None})), "is null, not a text"),
    (Fault(200, completion(finish_reason="abort")), "gave up in the middle"),
    (Fault(cut=0), "broke off"),
    (Fault(cut=40), "broke off"),
    (Fault(seconds=30), "more than 0.3 s"),
]


@pytest.mark.parametrize(("fault", "words"), BROKEN, ids=[words for _, words in BROKEN])
def test_what_one_server_fails_at_another_one_answers(fault, words):
    async def run():
        servers = [FakeServer(), FakeServer()]
        async with serving(*servers, timeout=0.3 if fault.seconds else 20) as engine:
            home = servers[not engine._router.order("Ada")[0].url.startswith(servers[0].url)]
            home.always = fault
            ask = request("hello", agent="Ada")
            assert (await engine.complete(ask)).text == expected(ask)
            assert sum(len(server.answered) for server in servers) >= 1
            assert engine.statistics()["failures"] == 1
            for server in servers:
                server.always = fault
            await until(lambda: all(s.health == "up" for s in engine._servers))
            with pytest.raises(EngineUnavailableError) as error:
                await engine.complete(ask)
            assert str(error.value).count(words) == 2, error.value

    asyncio.run(run())


def test_a_server_that_gives_no_usage_and_a_cut_thought_are_taken_as_they_are():
    async def run():
        server = FakeServer()
        server.script.extend([
            Fault(200, completion()),
            Fault(200, completion(message={"content": None}, finish_reason="length")),
            Fault(200, completion(message={"content": "\ud800"})),
        ])  # fmt: skip
        async with serving(server) as engine:
            answer = await engine.complete(request())
            assert (answer.text, answer.prompt_tokens, answer.cached_tokens) == ("hi", 0, None)
            assert answer.model == "tiny"
            answer = await engine.complete(request())
            assert (answer.text, answer.finish) == ("", "length")
            assert (await engine.complete(request())).text == "?"

    asyncio.run(run())


def test_a_broken_connection_is_made_anew_even_with_one_server():
    async def run():
        server = FakeServer()
        server.script.extend([Fault(cut=0), None])
        async with serving(server) as engine:
            await engine.complete(request())
            assert len(server.seen) == 2
            assert engine.statistics()["failures"] == 0
            assert engine.statistics()["sent_again"] == 1

    asyncio.run(run())


@pytest.mark.parametrize(
    "after", ["30", "Wed, 01 Jan 2200 00:00:00 GMT", "Wed, 01 Jan 2200 00:00:00"]
)
def test_a_server_that_asks_for_time_is_left_alone(after):
    async def run():
        server = FakeServer()
        server.script.append(Fault(429, None, {"Retry-After": after}))
        async with serving(server) as engine:
            for _ in range(3):
                with pytest.raises(EngineUnavailableError) as error:
                    await engine.complete(request())
                assert error.value.retry_after > 29
            assert len(server.seen) == 1

    asyncio.run(run())


def test_an_odd_retry_after_is_no_time_to_wait():
    async def run():
        server = FakeServer()
        server.script.extend(Fault(429, None, {"Retry-After": s}) for s in ("soon", "nan"))
        async with serving(server) as engine:
            for _ in range(2):
                with pytest.raises(EngineUnavailableError) as error:
                    await engine.complete(request())
                assert error.value.retry_after is None
            await engine.complete(request())

    asyncio.run(run())


def test_calls_of_a_busy_server_go_to_another_one_meanwhile():
    async def run():
        servers = [FakeServer(), FakeServer()]
        async with serving(*servers) as engine:
            await engine.complete(request(agent="Ada"))
            home, other = servers if servers[0].seen else reversed(servers)
            home.script.append(Fault(503, None, {"Retry-After": "0.05"}))
            for _ in range(3):
                await engine.complete(request(agent="Ada"))
            assert (len(home.seen), len(other.seen)) == (2, 3)
            await asyncio.sleep(0.06)
            await engine.complete(request(agent="Ada"))
            assert (len(home.seen), len(other.seen)) == (3, 3)
            assert home.looked_at == 1  # busy is not broken

    asyncio.run(run())


def test_retry_around_the_engine_waits_as_long_as_the_server_asked():
    async def run():
        server, slept = FakeServer(), []

        async def sleep(seconds):
            slept.append(seconds)
            await asyncio.sleep(0.03)

        server.script.append(Fault(429, None, {"Retry-After": "0.02"}))
        async with serving(server) as engine:
            retrying = Retry(engine, first_wait=0.001, sleep=sleep)
            await retrying.complete(request())
            assert len(slept) == 1
            assert slept[0] >= 0.02

    asyncio.run(run())


# Starting and closing


def test_it_starts_when_one_server_answers_and_takes_in_the_others_later():
    async def run():
        late = FakeServer()
        async with late:
            pass  # it has a port now
        async with serving(FakeServer()) as _, FakeServer() as there:
            engine = OpenAIEngine([late.url, there.url], sleep=lambda _: asyncio.sleep(0.002))
            await engine.start()
            await engine.start()
            for i in range(8):
                await engine.complete(request(agent=str(i)))
            assert len(there.seen) == 8
            await late.start()
            await until(lambda: engine._servers[0].health == "up")
            for i in range(8):
                await engine.complete(request(agent=str(i)))
            assert late.seen
            await engine.close()
            await late.die()

    asyncio.run(run())


def test_it_does_not_start_when_no_server_answers():
    async def run():
        gone, broken = FakeServer(), FakeServer()
        async with gone:
            pass
        async with broken:
            broken.models_fault = Fault(200, {"object": "list"})
            engine = OpenAIEngine([gone.url, broken.url])
            with pytest.raises(EngineUnavailableError) as error:
                await engine.start()
            for word in (gone.url, "ConnectError", broken.url, "'data' is missing"):
                assert word in str(error.value)
            broken.models_fault = Fault(403, {"error": {"message": "not for you"}})
            with pytest.raises(EngineError, match="not for you") as error:
                await OpenAIEngine(broken.url).start()
            assert not isinstance(error.value, EngineUnavailableError)

    asyncio.run(run())


def test_servers_with_several_models_need_one_chosen():
    async def run():
        one, two = FakeServer(model="small"), FakeServer(model="large")
        with pytest.raises(EngineError, match="'large' at http") as error:
            async with serving(one, two):
                pass
        assert "'small'" in str(error.value)
        async with serving(one, two, model="small") as engine:
            await engine.complete(request())
            assert (one.seen or two.seen)[0].body["model"] == "small"
        one.models_fault = Fault(200, {"data": []})
        with pytest.raises(EngineError, match="list no model"):
            async with serving(one):
                pass
        one.models_fault = Fault(404)
        async with serving(one, model="small") as engine:
            await engine.complete(request())

    asyncio.run(run())


def test_closing_ends_calls_in_flight_and_waiting_ones_and_may_be_repeated():
    async def run():
        server = FakeServer(seconds=30)
        async with serving(server, concurrency=1) as engine:
            calls = [asyncio.create_task(engine.complete(request(t))) for t in "ab"]
            await until(lambda: len(server.seen) == 1)
            await engine.close()
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
            assert all(type(outcome) is EngineError for outcome in outcomes)
            await engine.close()
            with pytest.raises(EngineError, match="start"):
                await engine.complete(request())
            server.seconds = 0
            await engine.start()
            await engine.complete(request())
        await OpenAIEngine("http://localhost:1").close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("servers", "options", "error", "words"),
    [
        ([], {}, OptionError, "no server"),
        ("localhost:8000", {}, EngineError, "http://host:8000"),
        ("http://me:secret@host", {}, EngineError, "api_key_env"),
        (["http://a:1", "http://a:1/v1/"], {}, OptionError, "twice"),
        ("http://a", {"timeout": 0}, OptionError, "timeout"),
        ("http://a", {"spill": -1}, OptionError, "spill"),
        ("http://a", {"concurrency": 0}, OptionError, "at a time"),
        ("http://a", {"flavour": "sweet"}, OptionError, "'sweet'"),
    ],
)
def test_options_that_cannot_be_are_refused(servers, options, error, words):
    with pytest.raises(error, match=words) as raised:
        OpenAIEngine(servers, **options)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("address", "url", "name"),
    [
        ("http://host:8000", "http://host:8000/v1", "host:8000"),
        ("http://host:8000/v1/", "http://host:8000/v1", "host:8000"),
        ("https://api.host/openai/v1", "https://api.host/openai/v1", "api.host/openai/v1"),
    ],
)
def test_addresses_with_and_without_a_path(address, url, name):
    server = Server(address, 1, None)
    assert (server.url, server.name) == (url, name)


def test_without_httpx_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(MissingExtraError, match=r"headway\[openai\]"):
        OpenAIEngine("http://localhost:1")


def test_a_server_that_does_not_say_what_it_is_gets_standard_fields():
    async def run():
        for version in (Fault(200, b"1.0"), Fault(200, ["1.0"]), Fault(200, b"{"), Fault(cut=0)):
            server = FakeServer(owned_by=None, version=version)
            async with serving(server) as engine:
                await engine.complete(FULL)
                assert "priority" not in server.seen[0].body

    asyncio.run(run())


def test_a_server_that_does_not_answer_in_time_is_not_there(monkeypatch):
    async def run():
        monkeypatch.setattr(client, "_LOOK", 0.05)
        async with FakeServer() as server:
            server.models_fault = Fault(seconds=10)
            with pytest.raises(EngineUnavailableError, match=r"within 0\.05 s"):
                await OpenAIEngine(server.url).start()

    asyncio.run(run())


def test_a_bug_while_starting_comes_out(monkeypatch):
    async def look(*_):
        raise KeyError("a bug")

    monkeypatch.setattr(Server, "look", look)
    with pytest.raises(KeyError):
        asyncio.run(OpenAIEngine("http://localhost:1").start())
