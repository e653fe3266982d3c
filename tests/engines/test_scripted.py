"""The scripted engine: equal requests, equal answers; answers fulfil schemas; time is modelled."""

from __future__ import annotations

import asyncio
import json
from random import Random

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_engines import request, turns

from headway.engines.base import Message, Request
from headway.engines.instances import instance_of
from headway.engines.registry import make_engine
from headway.engines.scripted import ScriptedEngine, random_latency, scripted_answer
from headway.errors import EngineError, OptionError


def answers(engine, *requests):
    """Ask all at once; return (modelled time, text) of each."""

    async def ask(one):
        answer = await engine.complete(one)
        return engine.now(), answer.text

    async def main():
        tasks = [asyncio.ensure_future(ask(one)) for one in requests]
        await turns(2)
        while engine.advance():
            await turns(4)
        return [task.result() for task in tasks]

    return asyncio.run(main())


def test_equal_requests_get_equal_answers_and_others_get_others():
    texts = {scripted_answer(request(f"{i}", seed=i)) for i in range(50)}
    assert len(texts) > 20
    assert scripted_answer(request("a", seed=1)) == scripted_answer(request("a", seed=1))
    many = {scripted_answer(request("a", seed=seed)) for seed in range(50)}
    assert len(many) > 20
    greedy = {scripted_answer(request("a", seed=seed, temperature=0)) for seed in range(50)}
    assert len(greedy) == 1
    greedy = {scripted_answer(request(f"{i}", temperature=0)) for i in range(50)}
    assert len(greedy) > 20


def test_answers_respect_choices_and_length():
    for seed in range(50):
        assert scripted_answer(request(seed=seed, choices=("a", "b"))) in ("a", "b")
        assert len(scripted_answer(request(seed=seed, max_tokens=2)).split()) <= 2


def test_answers_come_after_their_latencies_in_their_order():
    engine = ScriptedEngine(lambda r: r.agent, latency=lambda r: float(r.agent))
    requests = [request(agent=agent) for agent in ("3", "1", "2", "1")]
    assert answers(engine, *requests) == [(3, "3"), (1, "1"), (2, "2"), (1, "1")]
    assert engine.statistics() == {"requests": 4}
    assert engine.advance() is False
    assert engine.now() == 3


def test_an_engine_without_latencies_answers_at_once_in_real_time():
    engine = ScriptedEngine(latency=None)
    assert engine.virtual is False
    before = engine.now()
    assert answers(engine, request(seed=1))[0][1] == scripted_answer(request(seed=1))
    assert engine.now() > before


def test_latencies_depend_on_the_call_and_the_seed_alone():
    calls = [request(agent=f"a{i}", step=i, call=i % 3) for i in range(40)]
    first, second = random_latency(1), random_latency(2)
    assert [first(call) for call in calls] == [random_latency(1)(call) for call in calls]
    assert len({first(call) for call in calls} | {second(call) for call in calls}) == 80
    assert all(0 < first(call) < 30 for call in calls)


def test_a_request_that_is_taken_back_is_not_answered():
    asked = []
    engine = ScriptedEngine(lambda r: asked.append(r.agent) or "x", latency=lambda r: 1.0)

    async def main():
        tasks = [asyncio.ensure_future(engine.complete(request(agent=a))) for a in "ab"]
        await turns(2)
        tasks[0].cancel()
        await turns(2)
        assert engine.advance()
        await turns(2)
        assert not engine.advance()
        return [task.cancelled() for task in tasks]

    assert asyncio.run(main()) == [True, False]
    assert asked == ["b"]


def test_time_does_not_pass_for_requests_that_were_taken_back():
    engine = ScriptedEngine(latency=lambda r: float(r.agent))

    async def main():
        tasks = [asyncio.ensure_future(engine.complete(request(agent=a))) for a in ("1", "9")]
        await turns(2)
        assert engine.advance()
        tasks[1].cancel()
        await turns(2)
        assert not engine.advance()

    asyncio.run(main())
    assert engine.now() == 1


@pytest.mark.parametrize("latency", [-1.0, float("nan"), float("inf")])
def test_a_latency_that_cannot_be_is_refused(latency):
    engine = ScriptedEngine(latency=lambda r: latency)
    with pytest.raises((OptionError, EngineError), match="latency"):
        answers(engine, request())


def test_engines_are_made_by_name():
    assert make_engine("null").virtual is False
    assert make_engine("scripted").virtual is True
    assert make_engine("scripted:7")._latency(request()) == random_latency(7)(request())
    assert make_engine("virtual:l4-8b-paper,3").statistics() is not None
    for name, reason in (
        ("oracle", "no engine 'oracle'; there are scripted, null"),
        ("scripted:seven", "scripted:SEED"),
        ("virtual:h900", "no preset 'h900'"),
        ("virtual:l4-8b,many", "PRESET,REPLICAS"),
        ("", "no engine ''"),
    ):
        with pytest.raises(OptionError, match=reason):
            make_engine(name)


def test_an_engine_that_takes_nothing_says_so():
    with pytest.raises(OptionError, match="null"):
        make_engine("null:7")


# Values that fulfil a schema.


def numbers(kind):
    low, size = st.integers(-50, 50), st.integers(3, 60)
    return st.builds(
        lambda low, size, least, most: {
            "type": kind,
            **({least: low} if least else {}),
            **({most: low + size} if most and least else {}),
        },
        low, size, st.sampled_from(["minimum", "exclusiveMinimum", None]),
        st.sampled_from(["maximum", "exclusiveMaximum", None]),
    )  # fmt: skip


TEXTS = st.builds(
    lambda least, most: {"type": "string", "minLength": least, "maxLength": least + most},
    st.integers(0, 60), st.integers(0, 40),
)  # fmt: skip
LEAVES = st.one_of(
    st.sampled_from([{"type": "boolean"}, {"type": "null"}, {"type": "string"}, {}, True]),
    numbers("integer"), numbers("number"), TEXTS,
    st.lists(st.integers() | st.text(), min_size=1).map(lambda values: {"enum": values}),
    (st.integers() | st.text() | st.none()).map(lambda value: {"const": value}),
    st.lists(st.sampled_from(["string", "integer", "null"]), min_size=1, unique=True).map(
        lambda kinds: {"type": kinds}
    ),
    st.just({"$ref": "#/$defs/name"}),
)  # fmt: skip


def larger(inner):
    properties = st.dictionaries(st.text(max_size=5), inner, max_size=4)
    return st.one_of(
        properties.map(
            lambda p: {
                "type": "object", "properties": p, "required": list(p),
                "additionalProperties": False,
            }
        ),
        properties.map(lambda p: {"properties": p, "type": "object"}),
        st.builds(
            lambda items, least, most: {
                "type": "array", "items": items, "minItems": least, "maxItems": least + most
            },
            inner, st.integers(0, 4), st.integers(0, 4),
        ),
        inner.map(lambda items: {"type": "array", "items": items}),
        st.lists(inner, min_size=1, max_size=3).map(lambda of: {"anyOf": of}),
    )  # fmt: skip


SCHEMAS = st.recursive(LEAVES, larger, max_leaves=8)


@given(SCHEMAS, st.integers())
def test_a_drawn_value_fulfils_its_schema(schema, seed):
    whole = {"$defs": {"name": {"type": "string", "minLength": 1}}, "allOf": [schema]}
    root = {**({} if schema is True else schema), "$defs": whole["$defs"]}
    value = instance_of(root, Random(seed))
    jsonschema.Draft202012Validator(whole).validate(value)
    text = scripted_answer(Request(messages=(Message("user", "x"),), schema=root, seed=abs(seed)))
    jsonschema.Draft202012Validator(whole).validate(json.loads(text))


#: Schemas of kinds the docstring promises; each must give a fitting value.
PROMISED = {
    "a maximum below 0": {"type": "integer", "maximum": -5},
    "a number with a maximum below 0": {"type": "number", "maximum": -5},
    "a minimum between integers": {"type": "integer", "minimum": 0.5, "maximum": 1},
    "a maximum between integers": {"type": "integer", "minimum": -3, "maximum": -2.5},
    "both lower limits": {"type": "integer", "minimum": 0, "exclusiveMinimum": 90},
    "an exclusive maximum between": {
        "type": "integer", "minimum": 2, "exclusiveMaximum": 2.5
    },
    "alternatives of which one may hold": {
        "oneOf": [{"type": "integer"}, {"type": "number"}]
    },
    "required and not described": {"type": "object", "required": ["name"]},
    "an optional part of its own kind": {
        "$ref": "#/$defs/node",
        "$defs": {"node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}},
    },
    "a reference to the whole": {
        "type": "object", "properties": {"next": {"$ref": "#"}}
    },
    "a reference with a slash": {"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"type": "null"}}},
    "only a title": {"title": "Anything"},
    "a required part of its own kind, or nothing": {
        "$ref": "#/$defs/node",
        "$defs": {"node": {
            "type": "object", "required": ["left", "right", "more"],
            "properties": {
                "left": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
                "right": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
                "more": {"type": "array", "items": {"$ref": "#/$defs/node"}},
            },
        }},
    },
    "alternatives that never end": {
        "type": "object", "required": ["next"],
        "properties": {"next": {"anyOf": [{"$ref": "#"}, {"$ref": "#"}, {"type": "null"}]}},
    },
    "one of two properties": {
        "type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "integer"}},
        "oneOf": [{"required": ["a"]}, {"required": ["b"]}],
    },
    "a reference and more": {
        "$ref": "#/$defs/many", "minimum": 8, "$defs": {"many": {"type": "integer"}}
    },
    "listed values and a type": {"type": "string", "enum": [1, True, "a", None]},
    "notes": {
        "$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
        "properties": {"a": {"type": "boolean", "default": True, "examples": [False]}},
        "additionalProperties": {"type": "integer"}, "required": ["b"], "description": "Two.",
    },
}  # fmt: skip


@pytest.mark.parametrize("what", PROMISED)
def test_a_value_is_drawn_for_every_kind_it_claims_to_know(what):
    schema = PROMISED[what]
    for seed in range(20):
        value = instance_of(schema, Random(seed))
        jsonschema.Draft202012Validator(schema).validate(value)


#: What it does not know must be refused, or the model is asked again and again in vain.
UNKNOWN = {
    "a pattern": {"type": "string", "pattern": "^[a-z]$"},
    "a format": {"type": "string", "format": "date"},
    "an address elsewhere": {"$ref": "https://example.org/schema.json"},
}
UNNOTICED = {
    "multiples": {"type": "integer", "multipleOf": 7},
    "unique items": {"type": "array", "items": {"enum": [1]}, "minItems": 2, "uniqueItems": True},
    "items by place": {"type": "array", "prefixItems": [{"type": "null"}], "minItems": 1},
    "contained items": {"type": "array", "items": {"type": ["string", "null"]},
                        "contains": {"type": "null"}},
    "all of several": {"type": "object", "allOf": [{"required": ["a"]}]},
    "not": {"type": "boolean", "not": {"const": True}},
    "a number of properties": {"type": "object", "minProperties": 2},
    "nothing": False,
}  # fmt: skip


def test_a_refusal_names_the_keyword_wherever_it_stands():
    for inner, keyword in (
        ({"type": "integer", "multipleOf": 7}, "'multipleOf'"),
        ({"allOf": [True]}, "'allOf'"),
        ({"type": "string", "format": "date"}, "'format'"),
        ({"type": "integer", "exclusiveMinimum": True, "minimum": 1}, "'exclusiveMinimum'"),
        ({"type": "date"}, "'date'"),
        ({"$ref": "#/$defs/nothing"}, "#/\\$defs/nothing"),
    ):
        for schema in (
            inner,
            {"type": "array", "items": inner},
            {"anyOf": [{"type": "null"}, {"properties": {"a": inner}}]},
            {"$ref": "#/$defs/a", "$defs": {"a": inner}},
        ):
            with pytest.raises(EngineError, match=f"the scripted engine cannot .*{keyword}"):
                instance_of(schema, Random(1))


def test_a_schema_that_nothing_finite_fulfils_is_refused():
    for schema in (
        {"type": "object", "required": ["a"], "properties": {"a": {"$ref": "#"}}},
        {"$ref": "#"},
        {"type": "integer", "minimum": 0.2, "maximum": 0.8},
        {"type": "number", "minimum": 1, "exclusiveMaximum": 1},
        {"type": "string", "minLength": 3, "maxLength": 2},
        {"oneOf": [{"type": "null"}, {"type": "null"}]},
        {"type": "string", "enum": [1]},
    ):
        with pytest.raises(EngineError, match="the scripted engine cannot"):
            instance_of(schema, Random(1))


@pytest.mark.parametrize("what", UNKNOWN)
def test_a_schema_that_needs_more_is_refused(what):
    with pytest.raises(EngineError, match="the scripted engine cannot"):
        instance_of(UNKNOWN[what], Random(1))


@pytest.mark.parametrize("what", UNNOTICED)
def test_a_schema_with_unknown_keywords_is_refused_or_fulfilled(what):
    schema = UNNOTICED[what]
    for seed in range(20):
        try:
            value = instance_of(schema, Random(seed))
        except EngineError:
            continue
        jsonschema.Draft202012Validator(schema).validate(value)
