"""What both backends check before they begin, and do with a text at the end."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from headway.errors import EngineError, PromptTooLongError

if TYPE_CHECKING:
    from headway.engines.base import Request

TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")
ROLES = ("system", "user", "assistant")


def check_request(request: Request) -> None:
    """Refuse what no model could answer.

    Raises
    ------
    EngineError
        Saying which field is wrong.
    """
    if not any(message.content.strip() for message in request.messages):
        raise EngineError(f"{request}: the prompt is empty")
    for message in request.messages:
        if message.role not in ROLES:
            raise EngineError(
                f"{request}: a message has the role {message.role!r}; there are {', '.join(ROLES)}"
            )
    if request.max_tokens < 1:
        raise EngineError(f"{request}: max_tokens is {request.max_tokens}, it must be at least 1")
    if not (math.isfinite(request.temperature) and request.temperature >= 0):
        raise EngineError(f"{request}: temperature is {request.temperature}, it must be from 0")
    if "" in request.stop:
        raise EngineError(f"{request}: a stop string is empty")
    if "" in request.choices:
        raise EngineError(f"{request}: a choice is empty")
    if request.schema is not None:
        if not isinstance(request.schema, Mapping):
            raise EngineError(f"{request}: the schema is not a mapping")
        try:
            json.dumps(request.schema)
        except (TypeError, ValueError, RecursionError) as error:
            raise EngineError(f"{request}: the schema is not JSON: {error}") from error
        for kind in _types(request.schema):
            if kind not in TYPES:
                raise EngineError(
                    f"{request}: the schema has the type {kind!r}; there are {', '.join(TYPES)}"
                )


def check_length(request: Request, tokens: int, limit: int) -> None:
    """Refuse a prompt that leaves no room for its answer.

    Raises
    ------
    PromptTooLongError
    """
    if tokens + request.max_tokens > limit:
        raise PromptTooLongError(
            f"{request}: the prompt has {tokens} tokens and its answer up to {request.max_tokens}, "
            f"the context holds {limit}; shorten the prompt, or raise `context`",
            tokens=tokens,
            limit=limit,
        )


def cut_at_stop(text: str, stop: tuple[str, ...]) -> tuple[str, bool]:
    """Return the text before the first stop string, and whether there was one."""
    ends = [end for end in map(text.find, stop) if end >= 0]
    return (text[: min(ends)], True) if ends else (text, False)


def _types(schema: object) -> Iterator[str]:
    """Yield the types a schema names, itself or deeper down."""
    if isinstance(schema, Mapping):
        named = schema.get("type")
        names = named if isinstance(named, list) else [named]
        yield from (name for name in names if isinstance(name, str))
        for key, value in schema.items():
            if key not in ("enum", "const", "default", "examples"):
                yield from _types(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _types(value)
