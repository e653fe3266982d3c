"""The API key gets to the server and is shown nowhere."""

from __future__ import annotations

import asyncio
import logging
import traceback

import pytest
from fake_server import FakeServer, Fault
from served import completion, expected, serving
from small_engines import request, turns

from headway.engines.openai import OpenAIEngine
from headway.engines.wrappers import Recording
from headway.errors import (
    EngineError,
)

KEY = "sk-verysecret-0123456789"


@pytest.fixture(autouse=True)
def no_key(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def everything_about(error: BaseException | None) -> str:
    """Return an error with all its contexts and the local variables of our and others' frames."""
    if error is None:
        return ""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename == __file__:
        frames = frames.tb_next
    error = error.with_traceback(frames)
    trace = traceback.TracebackException.from_exception(error, capture_locals=True)
    hidden = everything_about(error.__context__) if error.__suppress_context__ else ""
    return "".join(trace.format()) + hidden + repr(vars(error))


@pytest.mark.parametrize(
    "fault",
    [
        None,
        Fault(200, {**completion(message={"content": f"your key is {KEY}"}), "model": KEY}),
        Fault(400, {"error": {"message": f"priority: unknown field for {KEY}"}}),
        Fault(401, {"error": {"message": f"wrong key {KEY}"}}),
        Fault(404, f"who is {KEY}?".encode()),
        Fault(500, {"error": {"message": f"trace: Bearer {KEY}"}}),
        Fault(302, None, {"Location": f"http://elsewhere/?key={KEY}"}),
        Fault(200, KEY.encode()),
        Fault(200, {KEY: KEY}),
        Fault(cut=40),
        Fault(seconds=30),
    ],
)
def test_the_key_is_sent_and_shown_nowhere(fault, monkeypatch, caplog, capfd):
    async def run():
        monkeypatch.setenv("HOSTED_KEY", KEY)
        server, pairs, shown = FakeServer(key=KEY), [], []
        options = {"api_key_env": "HOSTED_KEY", "timeout": 0.05}
        async with serving(server, **options) as engine:
            recording = Recording(engine, pairs)
            server.always = fault
            for _ in range(2):
                try:
                    await recording.complete(request(agent="Ada"))
                except EngineError as error:
                    shown.append(everything_about(error))
                await turns()
            assert server.seen
            shown += [repr(engine), repr(engine.statistics()), repr(pairs)]
            shown += [repr(vars(engine)), *(repr(vars(server)) for server in engine._servers)]
        return shown

    with caplog.at_level(logging.DEBUG):
        shown = asyncio.run(run())
    # At its lowest level httpcore logs all that comes in, before we see it.
    records = [r for r in caplog.records if "receive_response_headers" not in r.getMessage()]
    shown += [f"{r.getMessage()} {vars(r)}" for r in records] + list(capfd.readouterr())
    assert not [text for text in shown if KEY in text]


def test_a_wrong_key_is_told_by_the_name_of_its_variable(monkeypatch):
    async def run():
        async with FakeServer(key=KEY) as server:
            for said in ("", "some-other-secret"):
                monkeypatch.setenv("HOSTED_KEY", said)
                with pytest.raises(EngineError, match="HOSTED_KEY") as error:
                    await OpenAIEngine(server.url, api_key_env="HOSTED_KEY").start()
                assert "some-other-secret" not in everything_about(error.value)
            with pytest.raises(EngineError, match="no environment variable"):
                await OpenAIEngine(server.url, api_key_env=None).start()
            monkeypatch.setenv("HOSTED_KEY", "två-hemliga\nord")
            with pytest.raises(EngineError, match="HOSTED_KEY") as error:
                await OpenAIEngine(server.url, api_key_env="HOSTED_KEY").start()
            assert "hemliga" not in everything_about(error.value)

    asyncio.run(run())


def test_dummy_keys_are_no_secrets(monkeypatch):
    async def run():
        monkeypatch.setenv("OPENAI_API_KEY", "answer")
        async with serving(FakeServer(key="answer")) as engine:
            assert (await engine.complete(request())).text == expected(request())

    asyncio.run(run())
