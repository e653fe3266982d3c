"""Translates JSON schemas for grammars that are kind to small models.

Between the parts of an object the grammar of a schema allows any white space, and a small model
then often writes nothing but line breaks. `skeleton` fixes all of that text: what is left to the
model are the scalars. It accepts less than the schema (every property is there, in order, and
arrays stay short), never more.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

#: An array gets at most so many elements, unless the schema demands more.
ARRAY_LIMIT = 8

_NOTES = {"title", "description", "default", "examples", "$schema", "$id", "$comment"}
_STRUCTURE = {"properties", "items", "anyOf", "allOf", "oneOf", "not", "if", "$ref"}
_OBJECT = {"type", "properties", "required", "additionalProperties"}
_ARRAY = {"type", "items", "minItems", "maxItems"}

#: A text; ("schema", scalar schema); ("all", parts in order); ("any", alternatives).
Part = str | tuple[str, Any]


def skeleton(schema: Mapping[str, Any]) -> Part | None:
    """Return the parts an answer consists of, or None if the schema says more than this knows."""
    if not isinstance(schema, dict):
        return None
    keys = schema.keys() - _NOTES
    kind = schema.get("type")
    if kind == "object" and keys <= _OBJECT and schema.get("properties"):
        return _object(schema)
    if kind == "array" and keys <= _ARRAY and "items" in schema:
        return _array(schema)
    if keys == {"anyOf"} and isinstance(schema["anyOf"], list) and schema["anyOf"]:
        return _gather("any", [skeleton(option) for option in schema["anyOf"]])
    scalar = isinstance(kind, str) and kind not in ("object", "array")
    if not keys & _STRUCTURE and (scalar or "enum" in keys or "const" in keys):
        return ("schema", schema)
    return None


def _object(schema: Mapping[str, Any]) -> Part | None:
    properties, required = schema["properties"], schema.get("required", [])
    if not isinstance(properties, dict) or not isinstance(required, list):
        return None
    if not set(required) <= properties.keys():
        return None
    parts: list[Part | None] = []
    for name, value in properties.items():
        parts += [("{" if not parts else ", ") + json.dumps(name) + ": ", skeleton(value)]
    return _gather("all", [*parts, "}"])


def _array(schema: Mapping[str, Any]) -> Part | None:
    least, most = schema.get("minItems", 0), schema.get("maxItems")
    item = skeleton(schema["items"])
    if item is None or not isinstance(least, int) or not isinstance(most, int | None):
        return None
    limit = max(least, ARRAY_LIMIT)
    most = limit if most is None else min(most, limit)
    if most < least:
        return None
    # From the last element to the first: each may be followed by the rest.
    rest: Part = "]"
    for number in range(most, 0, -1):
        more: Part = ("all", [", " if number > 1 else "", item, rest])
        rest = more if number <= least else ("any", [more, "]"])
    return ("all", ["[", rest])


def _gather(how: str, parts: list[Part | None]) -> Part | None:
    return None if any(part is None for part in parts) else (how, parts)
