"""Bytes into choices, and small mutations of bytes for runs without a fuzzer."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Draw:
    """What is left of an input; when it is used up every choice is the first one."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def below(self, end: int) -> int:
        """A number below `end`, from one byte, or two where one is not enough."""
        size = 1 if end <= 256 else 2
        piece = self._data[self._at : self._at + size]
        self._at += size
        return int.from_bytes(piece, "little") % end

    def one_of(self, items: Sequence[T]) -> T:
        return items[self.below(len(items))]

    def rarely(self, one_in: int) -> bool:
        """True about once in so many times, not when the bytes are used up."""
        return self.below(one_in) == one_in - 1

    def bits(self, size: int) -> int:
        """A number of so many bytes."""
        piece = self._data[self._at : self._at + size]
        self._at += size
        return int.from_bytes(piece, "little")

    def rest(self) -> bytes:
        piece = self._data[self._at :]
        self._at = len(self._data)
        return piece


def mutated(data: bytes, chance: random.Random, others: Sequence[bytes]) -> bytes:
    """A neighbour of an input, as fuzzers make them."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 4, 8))):
        at = chance.randrange(len(changed) + 1)
        size = chance.choice((1, 1, 2, 4, 16))
        match chance.randrange(6):
            case 0:
                changed[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                changed[at : at + 1] = bytes(c ^ 1 << chance.randrange(8) for c in changed[at:][:1])
            case 2:
                changed[at:at] = chance.randbytes(size)
            case 3:
                del changed[at : at + size]
            case 4:
                changed[at:at] = changed[at : at + size] * chance.randrange(1, 5)
            case _:
                other = chance.choice(others)
                start = chance.randrange(len(other) + 1)
                changed[at : at + size] = other[start : start + size]
    return bytes(changed)
