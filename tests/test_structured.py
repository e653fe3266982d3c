"""What `parse` returns fulfils the schema or is one of the choices, and repairs are told."""

from __future__ import annotations

import json
import random
import sys
from types import MappingProxyType

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway import structured
from headway.errors import EngineError, MissingExtraError
from headway.structured import UnusableAnswerError, check_schema, parse

ACTION = {
    "type": "object",
    "properties": {
        "action": {"enum": ["talk", "walk", "sleep"]},
        "minutes": {"type": "integer", "minimum": 0},
        "say": {"type": "string"},
    },
    "required": ["action", "minutes"],
    "additionalProperties": False,
}
TALK = {"action": "talk", "minutes": 10}


def assert_unusable(text: str, *words: str, schema=ACTION, choices=()) -> None:
    with pytest.raises(UnusableAnswerError) as error:
        parse(text, schema=schema, choices=choices)
    for word in words:
        assert word in str(error.value), f"{word!r} is not in {error.value}"


def test_without_schema_and_choices_the_text_comes_back_as_it_is():
    assert parse("  Good morning! ") == ("  Good morning! ", False)


# JSON


@pytest.mark.parametrize(
    "text", ['{"action":"talk","minutes":10}', '\n {"minutes":10,"action":"talk"}\n']
)
def test_json_that_fulfils_the_schema_is_no_repair(text):
    assert parse(text, schema=ACTION) == (TALK, False)


@pytest.mark.parametrize(
    "text",
    [
        '```json\n{"action": "talk", "minutes": 10}\n```',
        '```\n{"action": "talk", "minutes": 10}```',
        'Sure! Here it is:\n```json\n{"action": "talk", "minutes": 10}\n```\nAnything else?',
        'I would say {"action": "talk", "minutes": 10}, because it is early.',
        '<think>{"action": "walk", "minutes": 1}? No.</think>\n{"action": "talk", "minutes": 10}',
        'The set {a, b} is left. [x] {"action": "talk", "minutes": 10}',
        "{'action': 'talk', 'minutes': 10}",
        '{"action": "talk", "minutes": 10,}',
        '{action: "talk", minutes: 10}',
        '{"minutes": 10, "action": "talk"',
        '{"minutes": 10, "action": "talk',
        '```json\n{"minutes": 10, "action": "talk"',
        '{"action": "talk", "minutes": 10}\n{"action": "walk", "minutes": 3}',
        '{"action": "talk", "minutes": 10} // done',
    ],
)
def test_what_small_models_write_is_repaired_and_told(text):
    assert parse(text, schema=ACTION) == (TALK, True)


def test_a_text_cut_within_a_string_keeps_what_there_is():
    value, repaired = parse('{"action": "talk", "minutes": 3, "say": "see you at 12', schema=ACTION)
    assert value == {"action": "talk", "minutes": 3, "say": "see you at 12"}
    assert repaired


@pytest.mark.parametrize(
    "cut", ['{"action": "talk", "minutes": 1', '{"action": "talk", "minutes":']
)
def test_a_number_cut_in_the_middle_is_not_made_up(cut):
    assert_unusable(cut, "minutes", "required")


def test_a_key_cut_off_its_value_is_not_given_one():
    value, _ = parse('{"action": "talk", "minutes": 10, "say":', schema=ACTION)
    assert value == TALK


def test_a_list_loses_only_the_number_that_may_be_half():
    assert parse("[10, 20, 3", schema={"type": "array"}) == ([10, 20], True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["no JSON"]),
        ("I do not know.", ["'I do not know.'", "no JSON"]),
        ('{"action": "talk"}', ["$", "'minutes' is a required property"]),
        ('{"action": "fly", "minutes": 1}', ["$.action", "'fly' is not one of"]),
        ('{"action": "talk", "minutes": "10"}', ["$.minutes", "'10' is not of type 'integer'"]),
        ('Well: {"action": "fly", "minutes": 1}', ["does not fit", "$.action"]),
        ('[{"action": "talk", "minutes": 10}]', ["not of type 'object'"]),
    ],
)
def test_what_does_not_fulfil_the_schema_is_refused_with_the_place(text, words):
    assert_unusable(text, *words)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
@pytest.mark.parametrize("text", ["{}", "[{}", "so: [{}]"])
def test_numbers_that_are_no_json_never_come_back(number, text):
    schema = {"type": ["number", "array"], "items": {"type": "number"}, "minItems": 1}
    assert_unusable(text.replace("{}", number), schema=schema)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 50_000, "{" * 200_000, '"' * 9999 + "{"])
def test_hostile_texts_are_refused_in_reasonable_time(text):
    assert_unusable(text, "no JSON")


def test_the_reason_quotes_long_texts_in_part():
    with pytest.raises(UnusableAnswerError) as error:
        parse("word " * 10_000, schema=ACTION)
    assert len(str(error.value)) < 400


@given(st.text(max_size=60) | st.text(alphabet="{}[]\":,'`0123456789.eE-+ntfal \\\n", max_size=60))
def test_whatever_a_model_writes_only_values_of_the_schema_come_back(text):
    schema = {"type": ["object", "array"], "maxItems": 2, "maxProperties": 2}
    try:
        value, repaired = parse(text, schema=schema)
    except UnusableAnswerError:
        return
    jsonschema.validate(value, schema)
    json.dumps(value, allow_nan=False)
    if not repaired:
        assert value == json.loads(text)


def test_every_cut_of_an_answer_is_refused_or_fulfils_the_schema():
    full = json.dumps({"action": "walk", "minutes": 125, "say": 'to the "mill" {or} not'})
    for end in range(len(full)):
        try:
            value, repaired = parse(full[:end], schema=ACTION)
        except UnusableAnswerError:
            continue
        jsonschema.validate(value, ACTION)
        assert repaired
        assert value["minutes"] == 125


# Choices

PLACES = ("the cafe", "the Park", "home")


@pytest.mark.parametrize("text", ["the cafe", " the cafe\n"])
def test_a_choice_is_taken_as_written(text):
    assert parse(text, choices=PLACES) == ("the cafe", False)


@pytest.mark.parametrize(
    "text",
    ["The Cafe", '"the cafe"', "the cafe.", "'The cafe'.", "```\nthe cafe\n```", "**the cafe**"],
)
def test_a_choice_written_a_little_otherwise_is_repaired_and_told(text):
    assert parse(text, choices=PLACES) == ("the cafe", True)


@pytest.mark.parametrize("text", ["", "cafe", "the cafe or home", "the cafes"])
def test_anything_else_is_no_choice(text):
    assert_unusable(text, "none of the choices", "'the cafe'", schema=None, choices=PLACES)


def test_a_choice_that_could_be_two_is_refused():
    assert parse("a", choices=("a", "A")) == ("a", False)
    assert_unusable('"a"', "any of the choices", schema=None, choices=("a", "A"))


def test_choices_that_differ_in_white_space_only_are_told_apart():
    assert parse(" a", choices=(" a", "a")) == (" a", False)


def test_a_schema_and_choices_together_are_refused():
    with pytest.raises(EngineError, match="not both"):
        parse("a", schema=ACTION, choices=("a",))


# Schemas


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "int"}, ["$.type", "'int'"]),
        ({"properties": {"a": {"minimum": "one"}}}, ["$.properties.a.minimum"]),
        ({"pattern": "("}, ["$.pattern"]),
        ({"$ref": "#/$defs/day"}, ["'#/$defs/day'", "$defs"]),
        ({"properties": {"a": {"$ref": "https://example.org/a.json"}}}, ["example.org"]),
        ({"const": {1, 2}}, ["JSON"]),
        ({"maximum": float("nan")}, ["JSON"]),
        (["type"], ["list", "mapping"]),
        ("object", ["str", "mapping"]),
    ],
)
def test_a_schema_that_is_none_is_refused_with_the_place(schema, words):
    with pytest.raises(EngineError) as error:
        check_schema(schema)
    for word in words:
        assert word in str(error.value), f"{word!r} is not in {error.value}"


def test_no_reference_is_fetched_from_anywhere(monkeypatch):
    def fetch(*_, **__):
        pytest.fail("an address was asked for")

    monkeypatch.setattr("urllib.request.urlopen", fetch)
    with pytest.raises(EngineError, match="refers to"):
        check_schema({"$ref": "http://127.0.0.1:9/schema.json"})
    with pytest.raises(EngineError, match="refers to"):
        check_schema({"items": {"$dynamicRef": "http://127.0.0.1:9/schema.json"}})


def test_schemas_may_refer_to_their_own_parts_and_be_any_mapping():
    schema = MappingProxyType(
        {
            "$defs": {"tree": {"type": "array", "items": {"$ref": "#/$defs/tree"}}},
            "properties": MappingProxyType({"$ref": {"type": "string"}}),
            "enum": [{"$ref": "no reference"}, [[], []]],
            "$ref": "#/$defs/tree",
        }
    )
    check_schema(schema)
    assert parse("[[],[]]", schema=schema) == ([[], []], False)
    assert_unusable("[[],1]", schema=schema)


def test_each_schema_is_compiled_once(monkeypatch):
    structured._compile.cache_clear()
    structured._by_identity.clear()
    for _ in range(3):
        parse('{"action":"talk","minutes":10}', schema=ACTION)
        parse('{"action":"talk","minutes":10}', schema=json.loads(json.dumps(ACTION)))
    assert structured._compile.cache_info().misses == 1
    spelled = []
    monkeypatch.setattr(structured, "_spelled", spelled.append)
    parse('{"action":"talk","minutes":10}', schema=ACTION)
    assert spelled == []


def test_thousands_of_schemas_are_told_apart_and_not_all_kept():
    numbers = list(range(1000))
    random.Random(1).shuffle(numbers)
    for n in numbers:
        schema = {"const": n}
        assert parse(str(n), schema=schema) == (n, False)
        assert_unusable(str(n + 1), schema=schema)
    assert len(structured._by_identity) <= 256


@pytest.mark.parametrize(
    ("package", "text"), [("jsonschema", "{}"), ("json_repair", '{"action": "talk"')]
)
def test_a_missing_package_is_told_with_the_extra(monkeypatch, package, text):
    structured._compile.cache_clear()
    structured._by_identity.clear()
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=r"headway\[schema\]"):
        parse(text, schema=ACTION)
