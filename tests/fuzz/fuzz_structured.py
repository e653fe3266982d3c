"""Target: `headway.structured`. Whatever a model answers, what comes back fulfils the schema or is
one of the choices; whatever is given as a schema works or is refused.
"""

from __future__ import annotations

import copy
import json

import jsonschema
from fuzz_draw import Draw
from fuzz_folders import other_value
from referencing.jsonschema import EMPTY_REGISTRY

from headway.errors import EngineError
from headway.structured import UnusableAnswerError, parse

NAME = "structured_answers"

ACTION = {
    "type": "object",
    "properties": {
        "action": {"enum": ["talk", "walk", "sleep"]},
        "minutes": {"type": "integer", "minimum": 0, "multipleOf": 5},
        "say": {"type": ["string", "null"], "maxLength": 40, "pattern": "^[A-Z]"},
    },
    "required": ["action", "minutes"],
    "additionalProperties": False,
}
PLAN = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "array",
    "items": {"$ref": "#/$defs/hour"},
    "minItems": 1,
    "uniqueItems": True,
    "$defs": {
        "hour": {
            "type": "object",
            "properties": {
                "at": {"type": "number", "exclusiveMaximum": 24},
                "then": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/hour"}]},
                "who": {"type": "array", "items": {"type": "string"}, "contains": {"const": "Ann"}},
            },
            "required": ["at"],
        }
    },
}
NUMBER = {"type": "number", "multipleOf": 0.1}
SCHEMAS = (ACTION, PLAN, NUMBER, {}, {"type": "string", "format": "date"}, {"$ref": "#"})
ANSWERS = (
    {"action": "talk", "minutes": 10, "say": "Hello"},
    [{"at": 7, "then": {"at": 8.5, "who": ["Ann", "Ben"]}}, {"at": 9}],
    3.5,
)
CHOICES = (("yes", "no"), ("Yes", "yes", " yes."), ("", "```"), ("talk to Ann", "1"))
TEXTS = (
    '```json\n{"action": "talk", "minutes": 10}\n```',
    '<think>{"action": "walk", "minutes": 1}? No.</think>\n{"action": "talk", "minutes": 10}',
    "{'action': 'talk', 'minutes': 10,} // done",
    '{"action": "talk", "minutes": 3, "say": "See you at 12',
    '[{"at": 7, "who": ["Ann"',
    "Yes.",
)


def seeds() -> list[bytes]:
    drawn = [bytes([kind, *range(n, n + 40)]) for kind in range(5) for n in range(8)]
    texts = [text.encode() for text in (*TEXTS, *map(json.dumps, ANSWERS))]
    plain = [bytes([0, schema]) + text for schema in range(3) for text in texts]
    chosen = [
        bytes([1, n]) + text for n in range(4) for text in (b"yes", b'"Yes."', b"```\nno\n```")
    ]
    spelled = [b"\x02" + json.dumps(schema).encode() + b"\n" + texts[0] for schema in SCHEMAS]
    return [*drawn, *plain, *chosen, *spelled]


def run(data: bytes) -> bool:
    """Read one answer; tell whether something usable came of it."""
    draw = Draw(data)
    match draw.below(5):
        case 0:
            schema = draw.one_of(SCHEMAS)
            return _parse(_text(draw.rest()), schema)
        case 1:
            return _choose(draw)
        case 2:
            spelled, _, text = draw.rest().partition(b"\n")
            try:
                schema = json.loads(spelled)
            except (ValueError, RecursionError):
                return False
            return _parse(_text(text), schema)
        case 3:
            schema = copy.deepcopy(draw.one_of(SCHEMAS))
            for _ in range(1 + draw.below(3)):
                schema = other_value(schema, draw)
            return _parse(json.dumps(draw.one_of(ANSWERS)), schema)
        case _:
            value = copy.deepcopy(draw.one_of(ANSWERS))
            for _ in range(draw.below(3)):
                value = other_value(value, draw)
            text = json.dumps(value, ensure_ascii=draw.rarely(2))
            cut = draw.one_of(['"', ",", "}", ":", "]", " "])
            text = text.replace(cut, "", draw.below(3))
            return _parse(text[: len(text) - draw.below(12)], draw.one_of(SCHEMAS))


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape" if data[:1] == b"\xff" else "replace")


def _parse(text: str, schema: object) -> bool:
    try:
        value, repaired = parse(text, schema=schema)  # type: ignore[arg-type]
    except UnusableAnswerError as error:
        assert str(error).encode(), "no reason"
        return False
    except EngineError as error:
        str(error).encode()
        return False
    if schema is None:
        assert value == text
        return True
    json.dumps(value, allow_nan=False)
    kind = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
    assert kind(schema, registry=EMPTY_REGISTRY).is_valid(value), f"{value!r} of {text!r}"
    if not repaired:
        assert json.loads(text) == value
    return True


def _choose(draw: Draw) -> bool:
    choices = draw.one_of(CHOICES)
    text = _text(draw.rest())
    try:
        value, repaired = parse(text, choices=choices)
    except UnusableAnswerError as error:
        assert str(error), "no reason"
        return False
    assert value in choices
    assert repaired or text.strip() == value.strip()
    return True


def close() -> None:
    """Nothing is kept."""
