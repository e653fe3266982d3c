"""Something that fulfils a JSON schema, for engines without a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headway.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

_WORDS = ("bread", "garden", "music", "letter", "river", "lamp", "market", "walk")

#: Numbers are drawn from so wide a range where the schema gives no maximum.
_SPAN = 10


def instance_of(schema: Mapping[str, Any], chance: Random) -> Any:  # noqa: ANN401 - any JSON
    """Draw a value that fulfils a schema of the common kinds.

    Knows `enum`, `const`, `anyOf`, `oneOf`, local `$ref`, and objects, arrays, strings, numbers,
    integers, booleans and null with their lengths, sizes and ranges.

    Raises
    ------
    EngineError
        If the schema needs more than that.
    """
    return _draw(schema, schema, chance)


def _draw(schema: Any, root: Mapping[str, Any], chance: Random) -> Any:  # noqa: ANN401, PLR0911
    if schema is True or schema == {}:
        return None
    if "$ref" in schema:
        return _draw(_resolve(schema["$ref"], root), root, chance)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return chance.choice(list(schema["enum"]))
    for kind in ("anyOf", "oneOf"):
        if kind in schema:
            return _draw(chance.choice(list(schema[kind])), root, chance)
    kind = schema.get("type", "object" if "properties" in schema else None)
    kind = chance.choice(kind) if isinstance(kind, list) else kind
    match kind:
        case "object":
            properties = schema.get("properties", {})
            return {name: _draw(properties[name], root, chance) for name in properties}
        case "array":
            least = schema.get("minItems", 0)
            most = min(schema.get("maxItems", least + 3), least + 3)
            count = chance.randint(max(least, min(1, most)), most)
            items = schema.get("items", {"type": "string"})
            return [_draw(items, root, chance) for _ in range(count)]
        case "string":
            return _text(schema, chance)
        case "integer" | "number":
            return _number(schema, chance, whole=kind == "integer")
        case "boolean":
            return chance.random() < 0.5
        case "null":
            return None
    raise EngineError(f"the scripted engine cannot make an answer for the schema {schema!r}")


def _resolve(reference: str, root: Mapping[str, Any]) -> Any:  # noqa: ANN401
    if not reference.startswith("#/"):
        raise EngineError(f"the scripted engine cannot look up the schema {reference!r}")
    at: Any = root
    for name in reference[2:].split("/"):
        at = at[name]
    return at


def _text(schema: Mapping[str, Any], chance: Random) -> str:
    if "pattern" in schema or "format" in schema:
        raise EngineError(f"the scripted engine cannot make text for the schema {schema!r}")
    text = " ".join(chance.choice(_WORDS) for _ in range(3))
    least = schema.get("minLength", 0)
    while len(text) < least:
        text += " " + chance.choice(_WORDS)
    return text[: schema.get("maxLength", len(text))]


def _number(schema: Mapping[str, Any], chance: Random, *, whole: bool) -> int | float:
    low: float = schema.get("minimum", schema.get("exclusiveMinimum", 0))
    high: float = schema.get("maximum", schema.get("exclusiveMaximum", low + _SPAN))
    if not whole:
        return low + (high - low) * (0.01 + 0.98 * chance.random())
    low += "exclusiveMinimum" in schema
    high -= "exclusiveMaximum" in schema
    return chance.randint(int(low), int(high))
