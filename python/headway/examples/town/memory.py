"""What a villager remembers, and which of it comes to mind.

A memory comes to mind if it is recent, important, and has to do with the matter. The last is
measured by shared words; give `recall` another `Relevance` to use an embedding model instead.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple, TypeAlias

#: From a matter and texts to how much each text has to do with it, 0 to 1.
Relevance: TypeAlias = Callable[[str, Sequence[str]], Sequence[float]]

#: How many memories are kept; the oldest are forgotten.
CAPACITY = 400

#: Steps after which a memory is half as fresh.
HALF_LIFE = 360

_WORD = re.compile(r"[a-z]+")
_COMMON = frozenset(
    _WORD.findall(
        "a about an and are as at be but by can do for from had has have he her his how i in is it "
        "its me my of on or she said saw say so that the their them they this to told very was we "
        "were what who will with would you your"
    )
)


class Memory(NamedTuple):
    """One thing remembered: since which step, what, and how important it is, 1 to 10."""

    step: int
    text: str
    importance: int


#: Immutable, so that a copy of it costs nothing.
Memories: TypeAlias = tuple[Memory, ...]


def remember(memories: Memories, memory: Memory) -> Memories:
    """Add a memory."""
    return (*memories[-CAPACITY + 1 :], memory)


@lru_cache(maxsize=4096)
def words(text: str) -> tuple[str, ...]:
    """Return the words of a text that mean something, each once, in their order."""
    return tuple(dict.fromkeys(w for w in _WORD.findall(text.lower()) if w not in _COMMON))


def shared_words(matter: str, texts: Sequence[str]) -> list[float]:
    """Return the share of the matter's words that each text has; rare words weigh more."""
    count: dict[str, int] = {}
    for text in texts:
        for word in words(text):
            count[word] = count.get(word, 0) + 1
    weight = {word: math.log(1 + len(texts) / (1 + count.get(word, 0))) for word in words(matter)}
    whole = sum(weight.values()) or 1.0
    return [sum(weight.get(word, 0.0) for word in words(text)) / whole for text in texts]


def recall(
    memories: Memories, matter: str, step: int, count: int, relevance: Relevance = shared_words
) -> list[Memory]:
    """Return the memories that come to mind, the strongest first."""
    fitting = relevance(matter, [memory.text for memory in memories])
    strength = [
        0.5 ** ((step - memory.step) / HALF_LIFE) + memory.importance / 10 + 2 * fit
        for memory, fit in zip(memories, fitting, strict=True)
    ]
    order = sorted(range(len(memories)), key=lambda at: (-strength[at], -at))
    return [memories[at] for at in order[:count]]
