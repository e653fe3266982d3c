"""Something that fulfils a JSON schema, for engines without a model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar
from urllib.parse import unquote

from headway.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

_WORDS = ("bread", "garden", "music", "letter", "river", "lamp", "market", "walk")

#: Numbers are drawn from so wide a range where the schema gives no maximum.
_SPAN = 10

#: So deep in a schema, or after so many parts, only what has to be there is drawn.
_DEEP, _MANY = 12, 500

#: A value that cannot be finished within so many levels is taken to have no end.
_LIMIT = 50

#: How often a value is drawn again that does not fit all of several demands.
_TRIES = 100

#: A JSON value; a schema is one too.
_Json: TypeAlias = Any
_Option = TypeVar("_Option")

_NOTES = frozenset(
    {"title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly"}
    | {"$schema", "$id", "$comment", "$defs", "definitions"}
)
#: The keywords of each kind, by which a schema without a type is taken to be of it.
_KINDS = {
    "object": frozenset({"properties", "required", "additionalProperties"}),
    "array": frozenset({"items", "minItems", "maxItems"}),
    "string": frozenset({"minLength", "maxLength"}),
    "number": frozenset({"minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"}),
}
_CHOICES = ("anyOf", "oneOf")
_KNOWN = _NOTES.union({"$ref", "const", "enum", "type", *_CHOICES}, *_KINDS.values())
_ITEM = {"type": "string"}


def instance_of(schema: Mapping[str, Any], chance: Random) -> Any:  # noqa: ANN401 - any JSON
    """Draw a value that fulfils a schema of the common kinds.

    Knows `enum`, `const`, `anyOf`, `oneOf`, `$ref` within the schema (`#`, `#/...`), and objects,
    arrays, strings, numbers, integers, booleans and null with their lengths, sizes and ranges.
    Titles, descriptions and the like are passed over. Properties that are not required are left
    out far down, so that parts of their own kind come to an end.

    Raises
    ------
    EngineError
        If the schema needs more than that, wherever it does; the message names the keyword. Also if
        nothing fulfils it, or nothing is found that does.
    """
    return _Drawing(schema, chance).value()


class _Drawing:
    """Draws one value."""

    def __init__(self, root: _Json, chance: Random) -> None:
        self._root = root
        self._chance = chance
        self._drawn = 0
        # By the identity of a part of the root, which lives as long as this does, and the levels.
        self._ends: dict[tuple[int, int], bool] = {}

    def value(self) -> _Json:
        self._check_all()
        if not self._can_end(self._root, _LIMIT):
            raise _refusal(self._root, "nothing that comes to an end fulfils it")
        return self._draw(self._root, 0)

    # What is known.

    def _check_all(self) -> None:
        """Refuse what is not known before anything is drawn, so that it is not up to chance."""
        open_, seen = [self._root], set()
        while open_:
            schema = open_.pop()
            if isinstance(schema, bool) or id(schema) in seen:
                continue
            seen.add(id(schema))
            self._check(schema)
            if "$ref" in schema:
                open_.append(self._target(schema))
            for key in _CHOICES:
                open_.extend(schema.get(key, ()))
            properties = schema.get("properties", {})
            open_.extend(properties.values())
            open_.extend(_property(schema, name) for name in schema.get("required", ()))
            open_.append(schema.get("items", True))

    def _check(self, schema: _Json) -> None:
        if not isinstance(schema, Mapping):
            raise _refusal(schema, "it is not a schema")
        unknown = [key for key in schema if key not in _KNOWN]
        if "$id" in schema and schema is not self._root:
            unknown.append("$id")  # Changes what the references below it are relative to.
        # Exclusive limits were true or false up to draft 4.
        limits = ("exclusiveMinimum", "exclusiveMaximum")
        unknown += [key for key in limits if isinstance(schema.get(key), bool)]
        if unknown:
            raise _refusal(schema, f"it does not know {unknown[0]!r} there")
        for kind in _kinds(schema):
            if kind not in (*_KINDS, "integer", "boolean", "null"):
                raise _refusal(schema, f"it does not know the 'type' {kind!r}")

    def _target(self, schema: Mapping[str, Any]) -> _Json:
        """Look up the reference of a schema."""
        reference = schema["$ref"]
        if reference == "#":
            return self._root
        if not isinstance(reference, str) or not reference.startswith("#/"):
            raise _refusal(schema, f"'$ref' leads elsewhere: {reference!r}")
        at = self._root
        try:
            for name in unquote(reference[2:]).split("/"):
                key = name.replace("~1", "/").replace("~0", "~")
                at = at[int(key)] if isinstance(at, list) else at[key]
        except (LookupError, TypeError, ValueError):
            raise _refusal(schema, f"there is nothing at the '$ref' {reference!r}") from None
        return at

    # What comes to an end.

    def _can_end(self, schema: _Json, levels: int) -> bool:
        """Whether some value of the schema is finished within so many levels."""
        if isinstance(schema, bool) or levels <= 0:
            return schema is True
        key = id(schema), levels
        if key not in self._ends:
            self._ends[key] = self._parts_can_end(schema, levels)
        return self._ends[key]

    def _parts_can_end(self, schema: Mapping[str, Any], levels: int) -> bool:
        if "$ref" in schema and not self._can_end(self._target(schema), levels - 1):
            return False
        for key in _CHOICES:
            if key in schema and not any(self._can_end(of, levels - 1) for of in schema[key]):
                return False
        if "const" in schema or "enum" in schema:
            return True
        return any(self._kind_can_end(schema, kind, levels) for kind in _kinds(schema))

    def _kind_can_end(self, schema: Mapping[str, Any], kind: str, levels: int) -> bool:
        if kind == "object":
            required = schema.get("required", ())
            return all(self._can_end(_property(schema, name), levels - 1) for name in required)
        if kind == "array" and schema.get("minItems", 0) > 0:
            return self._can_end(schema.get("items", _ITEM), levels - 1)
        return True

    def _is_deep(self, depth: int) -> bool:
        return depth >= _DEEP or self._drawn > _MANY

    def _pick(
        self, options: Sequence[_Option], can_end: Callable[[_Option, int], bool], depth: int
    ) -> _Option | None:
        """Pick one of those that come to an end; far down, of those that do so soonest."""
        able = [option for option in options if can_end(option, _LIMIT)]
        if self._is_deep(depth):
            for levels in range(_LIMIT):
                soonest = [option for option in able if can_end(option, levels)]
                if soonest:
                    return self._chance.choice(soonest)
        return self._chance.choice(able) if able else None

    # Drawing.

    def _draw(self, schema: _Json, depth: int) -> _Json:
        self._drawn += 1
        if schema is True:
            return None
        if schema is False or depth > 2 * _LIMIT:
            raise _refusal(schema, "nothing that comes to an end fulfils it")
        if "const" in schema or "enum" in schema:
            return self._listed(schema)
        for key in ("$ref", *_CHOICES):
            if key in schema:
                return self._one_of_several(schema, key, depth)
        return self._plain(schema, depth)

    def _listed(self, schema: Mapping[str, Any]) -> _Json:
        if "const" in schema:
            if self._fits(schema["const"], schema):
                return schema["const"]
        elif values := [value for value in schema["enum"] if self._fits(value, schema)]:
            return self._chance.choice(values)
        raise _refusal(schema, "none of the values fits the rest of it")

    def _one_of_several(self, schema: Mapping[str, Any], key: str, depth: int) -> _Json:
        """Draw what fulfils a reference or an alternative, and what stands beside it."""
        rest = {name: schema[name] for name in schema if name != key and name not in _NOTES}
        for attempt in range(_TRIES):
            if key == "$ref":
                part = self._target(schema)
            else:
                part = self._pick(schema[key], self._can_end, depth)
            if part is None:
                break
            # Every other time as if far down: with optional properties more than one may hold.
            below = max(depth + 1, _DEEP * (attempt % 2))
            value = self._draw(_joined(rest, part) if rest else part, below)
            if (not rest and key != "oneOf") or self._fits(value, schema):
                return value
        raise _refusal(schema, f"no value was found that fits {key!r} and what is beside it")

    def _plain(self, schema: Mapping[str, Any], depth: int) -> _Json:
        kinds = _kinds(schema)
        kind: str | None = kinds[0]
        if isinstance(schema.get("type"), list):
            kind = self._pick(
                kinds, lambda of, levels: self._kind_can_end(schema, of, levels), depth
            )
        match kind:
            case "object":
                return self._object(schema, depth)
            case "array":
                return self._array(schema, depth)
            case "string":
                return _text(schema, self._chance)
            case "integer":
                return _whole(schema, self._chance)
            case "number":
                return _fraction(schema, self._chance)
        return self._chance.random() < 0.5 if kind == "boolean" else None

    def _object(self, schema: Mapping[str, Any], depth: int) -> dict[str, _Json]:
        required = schema.get("required", ())
        optional = () if self._is_deep(depth) else schema.get("properties", {})
        described = [
            name
            for name in schema.get("properties", {})
            if name in required
            or (name in optional and self._can_end(schema["properties"][name], _LIMIT))
        ]
        names = dict.fromkeys([*described, *required])
        return {name: self._draw(_property(schema, name), depth + 1) for name in names}

    def _array(self, schema: Mapping[str, Any], depth: int) -> list[_Json]:
        items = schema.get("items", _ITEM)
        least = math.ceil(schema.get("minItems", 0))
        most = min(math.floor(schema.get("maxItems", least + 3)), least + 3)
        if most < least:
            raise _refusal(schema, "'minItems' is larger than 'maxItems'")
        if self._is_deep(depth) or not self._can_end(items, _LIMIT):
            most = least
        count = self._chance.randint(max(least, min(1, most)), most)
        return [self._draw(items, depth + 1) for _ in range(count)]

    # Checking.

    def _fits(self, value: _Json, schema: _Json, depth: int = 0) -> bool:
        """Whether a value fulfils a schema."""
        if isinstance(schema, bool):
            return schema
        self._check(schema)
        if depth > 2 * _LIMIT:
            raise _refusal(schema, "its references lead in a circle, or too deep")
        if "type" in schema and not any(_is(value, kind) for kind in _kinds(schema)):
            return False
        if "const" in schema and not _same(value, schema["const"]):
            return False
        if "enum" in schema and not any(_same(value, one) for one in schema["enum"]):
            return False
        return self._fits_choices(value, schema, depth + 1) and self._fits_kind(
            value, schema, depth + 1
        )

    def _fits_choices(self, value: _Json, schema: Mapping[str, Any], depth: int) -> bool:
        if "$ref" in schema and not self._fits(value, self._target(schema), depth):
            return False
        if "anyOf" in schema and not any(self._fits(value, of, depth) for of in schema["anyOf"]):
            return False
        if "oneOf" not in schema:
            return True
        return sum(self._fits(value, of, depth) for of in schema["oneOf"]) == 1

    def _fits_kind(self, value: _Json, schema: Mapping[str, Any], depth: int) -> bool:
        if _is(value, "object"):
            return all(name in value for name in schema.get("required", ())) and all(
                self._fits(value[name], _property(schema, name), depth) for name in value
            )
        if _is(value, "array"):
            most = schema.get("maxItems", math.inf)
            return schema.get("minItems", 0) <= len(value) <= most and all(
                self._fits(item, schema.get("items", True), depth) for item in value
            )
        if _is(value, "string"):
            most = schema.get("maxLength", math.inf)
            return bool(schema.get("minLength", 0) <= len(value) <= most)
        return not _is(value, "number") or _within(value, schema)


def _refusal(schema: _Json, why: str) -> EngineError:
    return EngineError(
        f"the scripted engine cannot make an answer for the schema {schema!r}: {why}"
    )


def _kinds(schema: Mapping[str, Any]) -> list[str]:
    """Return the types a value may have; without a type one that the keywords are about."""
    if "type" in schema:
        kinds = schema["type"]
        return list(kinds) if isinstance(kinds, list) else [kinds]
    return [kind for kind, keys in _KINDS.items() if not keys.isdisjoint(schema)] or ["null"]


def _property(schema: Mapping[str, Any], name: str) -> _Json:
    """Return the schema of a property, described or not."""
    return schema.get("properties", {}).get(name, schema.get("additionalProperties", True))


def _joined(rest: Mapping[str, Any], part: _Json) -> Mapping[str, Any]:
    """Return a schema whose values are likely to fulfil both."""
    if part is True:
        return rest
    joined = {**rest, **part}
    if "properties" in joined:
        joined["properties"] = {**rest.get("properties", {}), **part.get("properties", {})}
    if "required" in joined:
        joined["required"] = [*rest.get("required", ()), *part.get("required", ())]
    return joined


def _is(value: _Json, kind: str) -> bool:
    """Whether a value is of a type of JSON Schema, to which 1.0 is an integer and true is not."""
    if isinstance(value, bool) or value is None:
        return kind == ("null" if value is None else "boolean")
    match kind:
        case "object":
            return isinstance(value, Mapping)
        case "array":
            return isinstance(value, list | tuple)
        case "string":
            return isinstance(value, str)
        case "integer":
            return isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    return kind == "number" and isinstance(value, int | float)


def _same(one: _Json, other: _Json) -> bool:
    """Whether two JSON values are equal; to Python true is 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if _is(one, "array") and _is(other, "array"):
        return len(one) == len(other) and all(map(_same, one, other))
    if _is(one, "object") and _is(other, "object"):
        return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)
    return bool(one == other)


def _text(schema: Mapping[str, Any], chance: Random) -> str:
    least = math.ceil(schema.get("minLength", 0))
    most = math.floor(schema.get("maxLength", max(least, 1_000)))
    if most < least:
        raise _refusal(schema, "'minLength' is larger than 'maxLength'")
    text = " ".join(chance.choice(_WORDS) for _ in range(3))
    while len(text) < least:
        text += " " + chance.choice(_WORDS)
    return text[:most]


def _range(schema: Mapping[str, Any]) -> tuple[float, float]:
    """Return a range of numbers, with the limits where there are some."""
    lows = [schema[key] for key in ("minimum", "exclusiveMinimum") if key in schema]
    highs = [schema[key] for key in ("maximum", "exclusiveMaximum") if key in schema]
    high = min(highs, default=None)
    low = max(lows, default=0 if high is None or high > 0 else high - _SPAN)
    return low, low + _SPAN if high is None else high


def _within(value: float, schema: Mapping[str, Any]) -> bool:
    """Whether a number is within the limits."""
    return bool(
        schema.get("minimum", -math.inf) <= value <= schema.get("maximum", math.inf)
        and ("exclusiveMinimum" not in schema or value > schema["exclusiveMinimum"])
        and ("exclusiveMaximum" not in schema or value < schema["exclusiveMaximum"])
    )


def _whole(schema: Mapping[str, Any], chance: Random) -> int:
    low, high = _range(schema)
    least, most = math.ceil(low), math.floor(high)
    # Exclusive limits take one away at either end; so does the rounding of huge numbers.
    least += not _within(least, schema)
    most -= most > least and not _within(most, schema)
    most = max(least, most)
    if not (_within(least, schema) and _within(most, schema)):
        raise _refusal(schema, "there is no integer in the range")
    return chance.randint(least, most)


def _fraction(schema: Mapping[str, Any], chance: Random) -> float:
    low, high = _range(schema)
    drawn = low + (high - low) * (0.01 + 0.98 * chance.random())
    # In ranges that are hardly there, or too wide for a float, the drawn one may be outside.
    for value in (drawn, low / 2 + high / 2, low, high, math.nextafter(low, math.inf)):
        if math.isfinite(value) and _within(value, schema):
            return value
    raise _refusal(schema, "there is no number in the range")
