"""Requests as OpenAI-compatible servers take them, and their answers as we take them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from headway.engines.base import Answer, Request

#: Seeds are folded into this many values: some servers take 32 bits only, and the number is prime,
#: so that all bits of a seed count.
_SEEDS = 2**31 - 1

#: Tokens granted on top of `max_tokens` for what is written around a choice.
_WRAPPING = 16


class MalformedError(ValueError):
    """A body that is not what the protocol says; the message says where."""


@dataclass
class Dialect:
    """What one server understands.

    Attributes
    ----------
    vllm : bool
        It takes the fields that only vLLM has.
    refused : set of str
        Fields it has refused; they are left out.
    """

    vllm: bool = False
    refused: set[str] = field(default_factory=set)

    def takes(self, name: str) -> bool:
        """Tell whether a field may be sent."""
        return name not in self.refused


def body_of(request: Request, model: str, dialect: Dialect) -> dict[str, Any]:
    """Return the body of a chat completion, with no field the server does not know."""
    body: dict[str, Any] = {
        "model": model,
        "messages": [{"role": m.role, "content": m.content} for m in request.messages],
        "temperature": request.temperature,
        "seed": request.seed % _SEEDS,
    }
    limit = "max_tokens" if dialect.takes("max_tokens") else "max_completion_tokens"
    body[limit] = request.max_tokens
    if request.stop:
        body["stop"] = list(request.stop)
    if dialect.vllm:
        body["priority"] = request.priority
    if request.choices:
        _ask_for_choice(body, limit, request.choices, dialect)
    elif request.schema is not None:
        _ask_for_json(body, request.schema, dialect)
    return {name: value for name, value in body.items() if dialect.takes(name)}


def _ask_for_choice(
    body: dict[str, Any], limit: str, choices: tuple[str, ...], dialect: Dialect
) -> None:
    if dialect.vllm and dialect.takes("structured_outputs"):
        body["structured_outputs"] = {"choice": list(choices)}
    elif dialect.takes("response_format"):
        # The root must be an object, so the choice comes wrapped; `answer_of` unwraps it.
        schema = {
            "type": "object",
            "properties": {"choice": {"type": "string", "enum": list(choices)}},
            "required": ["choice"],
            "additionalProperties": False,
        }
        body["response_format"] = _json_schema(schema)
        body[limit] += _WRAPPING
    else:
        lines = "\n".join(f"- {choice}" for choice in choices)
        _instruct(body, f"Answer with exactly one of these lines and nothing else:\n{lines}")


def _ask_for_json(body: dict[str, Any], schema: Mapping[str, Any], dialect: Dialect) -> None:
    if dialect.takes("response_format"):
        body["response_format"] = _json_schema(schema)
    else:
        spelled = json.dumps(schema, default=dict)
        _instruct(body, f"Answer with JSON that fulfils this schema and nothing else:\n{spelled}")


def _json_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": schema, "strict": _is_closed(schema)},
    }


def _is_closed(schema: object) -> bool:
    """Tell whether all objects name all their properties: only such schemas may be `strict`."""
    if isinstance(schema, Mapping):
        if schema.get("type") == "object" or "additionalProperties" in schema:
            properties = schema.get("properties", {})
            required = schema.get("required", ())
            if schema.get("additionalProperties") is not False or set(properties) != set(required):
                return False
        return all(_is_closed(part) for part in schema.values())
    return not isinstance(schema, list) or all(_is_closed(part) for part in schema)


def _instruct(body: dict[str, Any], text: str) -> None:
    last = body["messages"][-1] if body["messages"] else None
    if last is not None and last["role"] == "user":
        last["content"] += f"\n\n{text}"
    else:
        body["messages"].append({"role": "user", "content": text})


def answer_of(content: object, request: Request, model: str) -> Answer:
    """Read the body of a chat completion.

    Raises
    ------
    MalformedError
        Where it is none.
    """
    choices = _get(content, "choices", list)
    if not choices:
        raise MalformedError("'choices' is empty")
    finish = choices[0].get("finish_reason") if isinstance(choices[0], dict) else None
    if finish in ("abort", "error", "cancelled"):
        raise MalformedError(f"it gave up in the middle (finish_reason {finish!r})")
    message = _get(choices[0], "message", dict, "choices[0].")
    text = message.get("content")
    if text is None and finish == "length":
        text = ""  # all tokens went into thinking
    if not isinstance(text, str):
        raise MalformedError(
            f"'choices[0].message.content' is {_kind(text)}, not a text (finish_reason {finish!r})"
        )
    usage = content.get("usage") if isinstance(content, dict) else None
    details = usage.get("prompt_tokens_details") if isinstance(usage, dict) else None
    said = content.get("model") if isinstance(content, dict) else None
    if request.choices:
        text = _unwrapped(text)
    return Answer(
        text=_sayable(text),
        prompt_tokens=_count(usage, "prompt_tokens") or 0,
        output_tokens=_count(usage, "completion_tokens") or 0,
        cached_tokens=_count(details, "cached_tokens"),
        finish="length" if finish == "length" else "stop",
        model=_sayable(said) if isinstance(said, str) and said else model,
    )


def _sayable(text: str) -> str:
    """Replace half a surrogate pair, which has no encoding and could not be kept anywhere."""
    return text.encode(errors="replace").decode()


def models_of(content: object) -> dict[str, str]:
    """Return the models that a body of `/v1/models` lists, each with its owner.

    Raises
    ------
    MalformedError
        Where it is none.
    """
    listed = _get(content, "data", list)
    return {
        entry["id"]: str(entry.get("owned_by", ""))
        for entry in listed
        if isinstance(entry, dict) and isinstance(entry.get("id"), str)
    }


def _get(content: object, name: str, kind: type, where: str = "") -> Any:  # noqa: ANN401 - JSON
    if not isinstance(content, dict):
        raise MalformedError(
            f"{where.rstrip('.') or 'the body'} is {_kind(content)}, not an object"
        )
    if name not in content:
        raise MalformedError(f"'{where}{name}' is missing")
    if not isinstance(content[name], kind):
        raise MalformedError(f"'{where}{name}' is {_kind(content[name])}, not a {kind.__name__}")
    return content[name]


def _kind(value: object) -> str:
    return "null" if value is None else f"a {type(value).__name__}"


def _count(content: object, name: str) -> int | None:
    """Return a number of tokens; one that cannot be, and that no trace could hold, is not told."""
    value = content.get(name) if isinstance(content, dict) else None
    sound = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31
    return value if sound else None


def _unwrapped(text: str) -> str:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return text
    choice = content.get("choice") if isinstance(content, dict) else None
    return choice if isinstance(choice, str) else text
