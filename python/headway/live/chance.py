"""Random numbers keyed by what they are for, never drawn from a shared state (DESIGN section 2)."""

from __future__ import annotations

from hashlib import blake2b
from random import Random


def keyed_seed(*key: int | str) -> int:
    """Return a seed of 63 bits that depends on the key alone."""
    text = "\x1f".join(map(str, key)).encode()
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big") >> 1


def generator(seed: int, agent: str, step: int) -> Random:
    """Return the random generator of one agent in one step."""
    return Random(keyed_seed("step", seed, agent, step))


def sampling_seed(seed: int, agent: str, step: int, call: int, attempt: int) -> int:
    """Return the seed a model samples an answer with: 31 bits, which every engine takes."""
    return keyed_seed("call", seed, agent, step, call, attempt) >> 32
