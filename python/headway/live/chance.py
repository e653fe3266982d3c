"""Random numbers keyed by what they are for, never drawn from a shared state (DESIGN section 2)."""

from __future__ import annotations

import json
from hashlib import blake2b
from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headway.engines.base import Message


def keyed_seed(*key: int | str) -> int:
    """Return a seed of 63 bits that depends on the key alone."""
    text = "\x1f".join(map(str, key)).encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big") >> 1


def generator(seed: int, agent: str, step: int) -> Random:
    """Return the random generator of one agent in one step."""
    return Random(keyed_seed("step", seed, agent, step))


def call_content(
    messages: tuple[Message, ...],
    max_tokens: int,
    temperature: float,
    stop: tuple[str, ...],
    choices: tuple[str, ...],
    schema: Mapping[str, Any] | None,
) -> str:
    """Return what a call asks for as one text: equal texts, equal questions."""
    texts = [text for message in messages for text in message]
    fixed = "" if schema is None else json.dumps(schema, default=dict)
    numbers = f"{max_tokens} {float(temperature)}"
    return "\x1f".join((*texts, numbers, *stop, "\x1e", *choices, fixed))


def sampling_seed(
    seed: int, agent: str, step: int, content: str, occurrence: int, attempt: int
) -> int:
    """Return the seed a model samples an answer with: 31 bits, which every engine takes.

    Keyed by what is asked rather than by the number of the call: when several calls of a step run
    at the same time, which of their answers comes first decides who makes the next call.
    """
    return keyed_seed("call", seed, agent, step, content, occurrence, attempt) >> 32
