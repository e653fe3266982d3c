"""Structured answers: is a model's text what was asked for, and if not, can it be made so.

Small models wrap JSON in code fences and talk, and stop in the middle. `parse` reads such texts too
and says that it repaired them. What it returns always fulfils the schema, or is one of the choices.
"""

from __future__ import annotations

import functools
import json
import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from headway.errors import EngineError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_FENCE = re.compile(r"```[\w-]*[ \t]*\n?(.*?)(?:```|\Z)", re.DOTALL)
_THOUGHT = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)
_LAST_KEY = re.compile(r'"(?:[^"\\]|\\.)*"\s*:\s*\Z')

#: Longer texts are not repaired: no answer is that long.
_LONGEST_REPAIR = 100_000
#: So often a repair may look at a character, for each there is, and besides. What models break
#: takes 3 looks a character; for some texts the repair takes cubic time.
_LOOKS_A_CHARACTER, _MORE_LOOKS = 20, 50_000
#: A key that has no value is looked for in so much of the end.
_LONGEST_KEY = 1000
#: At so many places of a text JSON is looked for.
_MOST_STARTS = 64

_KEPT_SCHEMAS = 256
#: By identity, so that the hot path need not spell a schema out: id -> (the schema, its validator).
_by_identity: dict[int, tuple[Mapping[str, Any], Any]] = {}


class UnusableAnswerError(ValueError):
    """A text that is not what was asked for; the message is the reason.

    Internal: who asked repeats the call, and raises `AnswerError` after the last time.
    """


def parse(
    text: str,
    *,
    schema: Mapping[str, Any] | None = None,
    choices: Sequence[str] = (),
) -> tuple[Any, bool]:
    """Read a model's answer.

    Parameters
    ----------
    text : str
        What the model wrote.
    schema : mapping, optional
        A JSON schema the value must fulfil. It must not be changed after its first use.
    choices : sequence of str
        The answer must be one of these, if there are any. White space, quotes, a code fence, a
        final full stop and the case of letters are forgiven where only one choice then fits.

    Returns
    -------
    value : any
        The parsed JSON value, the choice, or without schema and choices the text.
    repaired : bool
        Whether the text was not yet what was asked for. White space around it does not count.

    Raises
    ------
    UnusableAnswerError
        With the reason.
    EngineError
        Where the schema is none, or both a schema and choices are given.
    MissingExtraError
        Where jsonschema or json-repair are needed and not installed.
    """
    if schema is not None:
        if choices:
            raise EngineError("an answer has either a schema or choices, not both; leave one out")
        return _parse_json(text, schema)
    if choices:
        return _parse_choice(text, choices)
    return text, False


def check_schema(schema: Mapping[str, Any]) -> None:
    """Refuse a schema that no answer could be checked against, before a call is made with it.

    Raises
    ------
    EngineError
        Where it is no JSON schema, or refers to something outside itself; with the place.
    MissingExtraError
        Where jsonschema is not installed.
    """
    _validator(schema)


# Choices


def _parse_choice(text: str, choices: Sequence[str]) -> tuple[str, bool]:
    for said in (text, text.strip()):
        if said in choices:
            return said, False
    said = _plain(text)
    fitting = sorted({choice for choice in choices if _plain(choice) == said})
    if len(fitting) == 1:
        return fitting[0], True
    if fitting:
        raise UnusableAnswerError(
            f"{_short(text)} could be any of the choices {_listed(fitting)}; write one exactly"
        )
    raise UnusableAnswerError(f"{_short(text)} is none of the choices {_listed(choices)}")


def _plain(text: str) -> str:
    text = _THOUGHT.sub("", text)
    fence = _FENCE.search(text)
    if fence:
        text = fence[1]
    return text.strip().strip("\"'`*").removesuffix(".").strip("\"'`* \t\n").casefold()


# JSON


def _parse_json(text: str, schema: Mapping[str, Any]) -> tuple[Any, bool]:
    validator = _validator(schema)
    try:
        value = _load(text)
    except (ValueError, RecursionError) as error:
        reason = f"{_short(text)} is no JSON ({error})"
    else:
        problem = _problem(validator, value)
        if problem is None:
            return value, False
        raise UnusableAnswerError(problem)
    for value in _repairs(_THOUGHT.sub("", text)):
        problem = _problem(validator, value)
        if problem is None:
            return value, True
        reason = f"{_short(text)} is no JSON, and what can be made of it does not fit: {problem}"
    raise UnusableAnswerError(reason)


def _load(text: str) -> Any:  # noqa: ANN401 - any JSON value
    return _DECODER.decode(text)


def _finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(f"{number} is no finite number")
    return value


# json reads NaN and 1e999, which are no JSON and compare with nothing.
_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_finite)


def _repairs(text: str) -> Iterator[Any]:
    """Yield what the text may have meant, the closest first."""
    fenced = [match[1] for match in _FENCE.finditer(text)]
    for part in fenced:
        try:
            yield _load(part)
        except (ValueError, RecursionError):
            continue
    yield from _embedded(text)
    if len(text) > _LONGEST_REPAIR:
        return
    looks = [_LOOKS_A_CHARACTER * len(text) + _MORE_LOOKS]
    for part in [*fenced, text]:
        start = re.search(r"[{\[]", part)
        if start:
            yield from _mended(part[start.start() :], looks)


def _embedded(text: str) -> Iterator[Any]:
    """Yield the objects and lists that stand in a text, in their order."""
    at = 0
    for _ in range(_MOST_STARTS):
        start = re.compile(r"[{\[]").search(text, at)
        if start is None:
            return
        try:
            value, at = _DECODER.raw_decode(text, start.start())
        except (ValueError, RecursionError):
            at = start.end()
            continue
        yield value


class _Watched(str):
    """A text that gives up when it has been looked at too often; all parts of it share a count."""

    __slots__ = ("_looks",)
    _looks: list[int]

    @classmethod
    def of(cls, text: str, looks: list[int]) -> _Watched:
        watched = cls(text)
        watched._looks = looks
        return watched

    def __getitem__(self, at: Any) -> str:  # noqa: ANN401 - what str takes
        found = super().__getitem__(at)
        self._looks[0] -= 1 + len(found) // 64
        if self._looks[0] < 0:
            raise UnusableAnswerError("the text would take too long to repair")
        return _Watched.of(found, self._looks) if isinstance(at, slice) else found

    def __add__(self, other: str) -> str:
        return _Watched.of(super().__add__(other), self._looks)

    def __radd__(self, other: str) -> str:
        return _Watched.of(other + str(self), self._looks)


def _mended(text: str, looks: list[int]) -> Iterator[Any]:
    """Yield what json-repair makes of broken JSON, if it makes anything with so many looks."""
    try:
        import json_repair  # noqa: PLC0415 - an optional dependency
    except ImportError as error:
        raise _missing("json-repair") from error
    text = text.rstrip()
    # A number at the very end may be half a number, and a key there has no value: both are left
    # out rather than made up, so that the schema decides.
    if len(re.findall(r'(?<!\\)"', text)) % 2 == 0:
        text = text.rstrip("+-.0123456789eE").rstrip()
        key = _LAST_KEY.search(text, max(0, len(text) - _LONGEST_KEY))
        text = text[: key.start() if key else len(text)].rstrip().rstrip(",")
    try:
        mended = json_repair.loads(_Watched.of(text, looks))
        value = json.loads(json.dumps(mended, allow_nan=False))
    except Exception:
        return  # whatever it stumbles over, the text is not usable
    yield value


# Schemas


def _problem(validator: Any, value: object) -> str | None:  # noqa: ANN401 - jsonschema has no types
    """Say where a value does not fulfil the schema, or None."""
    try:
        if validator.is_valid(value):
            return None
    except RecursionError:
        return "the answer is nested too deeply"
    except OverflowError:
        return "the answer has a number that is too large to be checked"
    import jsonschema.exceptions  # noqa: PLC0415 - an optional dependency

    error = jsonschema.exceptions.best_match(validator.iter_errors(value))
    return f"at {_place(error)}: {_short(error.message, quote=False)}"


def _validator(schema: Mapping[str, Any]) -> Any:  # noqa: ANN401 - jsonschema has no types
    known = _by_identity.get(id(schema))
    # The schema is kept alive, so its id is not used again; `is` guards the clearing below.
    if known is not None and known[0] is schema:
        return known[1]
    validator = _compile(_spelled(schema))
    if len(_by_identity) >= _KEPT_SCHEMAS:
        _by_identity.clear()
    _by_identity[id(schema)] = (schema, validator)
    return validator


def _spelled(schema: Mapping[str, Any]) -> str:
    if not isinstance(schema, Mapping):
        raise EngineError(
            f"the schema of an answer is a {type(schema).__name__}; it must be a mapping, as in "
            '{"type": "object", "properties": ...}'
        )
    try:
        return json.dumps(schema, default=_as_dict, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise EngineError(f"the schema of an answer cannot be written as JSON: {error}") from None


def _as_dict(value: object) -> dict[Any, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{value!r} is no JSON value")


@functools.lru_cache(_KEPT_SCHEMAS)
def _compile(spelled: str) -> Any:  # noqa: ANN401 - jsonschema has no types
    try:
        import jsonschema  # noqa: PLC0415 - an optional dependency
        from referencing.jsonschema import EMPTY_REGISTRY  # noqa: PLC0415 - comes with it
    except ImportError as error:
        raise _missing("jsonschema") from error
    schema = json.loads(spelled)
    try:
        kind = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
        kind.check_schema(schema)
        # With an empty registry a reference to an address is an error; jsonschema would fetch it.
        validator = kind(schema, registry=EMPTY_REGISTRY)
        _check_parts(schema, validator._resolver.lookup)
    except jsonschema.SchemaError as error:
        raise EngineError(
            f"the schema of an answer is no JSON schema: at {_place(error)}: "
            f"{_short(error.message, quote=False)}; correct it there"
        ) from None
    except EngineError:
        raise
    except Exception as error:  # of jsonschema, of a pattern, of whatever else stands there
        reason = _short(repr(error), quote=False)
        raise EngineError(
            f"the schema of an answer is no JSON schema: {reason}; correct it"
        ) from error
    return validator


def _check_parts(schema: Any, look_up: Callable[[str], object]) -> None:  # noqa: ANN401 - JSON
    """Refuse references to what is not there, and names that are no patterns but must be."""
    from referencing.exceptions import Unresolvable  # noqa: PLC0415 - an optional dependency

    left = [schema]
    while left:
        part = left.pop()
        if isinstance(part, list):
            left.extend(part)
        if not isinstance(part, dict):
            continue
        left.extend(
            part[key] for key in part if key not in ("enum", "const", "default", "examples")
        )
        names = part.get("patternProperties")
        for name in names if isinstance(names, dict) else ():
            re.compile(name)
        for reference in (part.get("$ref"), part.get("$dynamicRef")):
            if not isinstance(reference, str):
                continue
            try:
                look_up(reference)
            except Unresolvable:
                raise EngineError(
                    f"the schema of an answer refers to {reference!r}, which is not in it; put it "
                    'under "$defs" and refer to it as "#/$defs/NAME"'
                ) from None


def _missing(package: str) -> MissingExtraError:
    return MissingExtraError(
        f'answers with a schema need {package}; install it with pip install "headway[schema]"'
    )


# Words for people


def _short(text: str, *, quote: bool = True) -> str:
    cut = text if len(text) <= 160 else f"{text[:100]}…{text[-50:]}"
    return repr(cut) if quote else cut


def _place(error: Any) -> str:  # noqa: ANN401 - jsonschema has no types
    """Tell where in the JSON it is; half a character in a name has no encoding."""
    path: str = error.json_path
    return path.encode(errors="backslashreplace").decode()


def _listed(choices: Sequence[str]) -> str:
    return _short(", ".join(repr(choice) for choice in choices), quote=False)
