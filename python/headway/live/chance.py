"""Random numbers keyed by what they are for, never drawn from a shared state (DESIGN section 2)."""

from __future__ import annotations

import json
from hashlib import blake2b
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headway.engines.base import Request


def keyed_seed(*key: int | str) -> int:
    """Return a seed of 63 bits that depends on the key alone."""
    text = "\x1f".join(map(str, key)).encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big") >> 1


def generator(seed: int, agent: str, step: int) -> Random:
    """Return the random generator of one agent in one step."""
    return Random(keyed_seed("step", seed, agent, step))


def call_content(request: Request) -> str:
    """Return what a call asks for as one text: equal texts, equal questions."""
    texts = [text for message in request.messages for text in message]
    schema = "" if request.schema is None else json.dumps(request.schema, default=dict)
    numbers = f"{request.max_tokens} {request.temperature}"
    return "\x1f".join((*texts, numbers, *request.stop, "\x1e", *request.choices, schema))


def sampling_seed(
    seed: int, agent: str, step: int, content: str, occurrence: int, attempt: int
) -> int:
    """Return the seed a model samples an answer with: 31 bits, which every engine takes.

    Keyed by what is asked rather than by the number of the call: when several calls of a step run
    at the same time, which of their answers comes first decides who makes the next call.
    """
    return keyed_seed("call", seed, agent, step, content, occurrence, attempt) >> 32
