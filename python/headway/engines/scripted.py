"""The scripted engine: answers that are a function of the request, after modelled latencies.

For tests, examples and dry runs: no model, equal requests get equal answers, and the latencies,
which decide who overtakes whom, are drawn from a seed of their own.
"""

from __future__ import annotations

import json
import math
from random import Random
from typing import TYPE_CHECKING, Any

from headway.engines.base import Answer, Engine, Request
from headway.engines.clock import VirtualClock
from headway.engines.instances import instance_of
from headway.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable

_OPENINGS = ("Good to see you", "Well", "I was just thinking", "You know", "Listen", "Ah")
_MIDDLES = (
    "the bread turned out well today", "I should get back to work soon",
    "somebody left a book at the cafe", "it may rain this evening",
    "the garden needs a hand", "there is music at the square tonight",
    "I slept badly", "the mill is running again", "we could meet at noon",
)  # fmt: skip

#: Characters of English in a token, roughly.
CHARACTERS_PER_TOKEN = 4


def tokens_of(text: str) -> int:
    """Estimate the tokens of a text."""
    return len(text) // CHARACTERS_PER_TOKEN + 1


def prompt_tokens_of(request: Request) -> int:
    """Estimate the tokens of a prompt."""
    return sum(tokens_of(content) + 4 for _, content in request.messages)


def scripted_answer(request: Request) -> str:
    """Answer a request: a choice, JSON that fulfils the schema, or a sentence, by the prompt.

    Like a model's, the answer depends on the sampling seed too, unless the temperature is 0.
    """
    content = "\n".join(content for _, content in request.messages)
    seed = request.seed if request.temperature else 0
    chance = Random(f"{seed}\n{content}")
    if request.choices:
        return chance.choice(request.choices)
    if request.schema is not None:
        return json.dumps(instance_of(request.schema, chance), ensure_ascii=False)
    words = f"{chance.choice(_OPENINGS)}, {chance.choice(_MIDDLES)}.".split()
    return " ".join(words[: request.max_tokens])


def random_latency(seed: int = 0) -> Callable[[Request], float]:
    """Return latencies that vary a lot: a third of a second in the middle, now and then a few."""

    def latency(request: Request) -> float:
        key = f"{seed} {request.agent} {request.step} {request.call} {request.attempt}"
        return Random(key).lognormvariate(-1.0, 0.8)

    return latency


class ScriptedEngine(Engine):
    """Answers by a function, after latencies in modelled time.

    Parameters
    ----------
    answer : callable, optional
        From a request to the text of its answer; by default `scripted_answer`.
    latency : callable or None
        From a request to the modelled seconds its answer takes; by default `random_latency()`.
        A call whose latency is negative or not finite raises EngineError. With None every answer is
        there at once, and time is real: the null engine.
    """

    name = "scripted"

    def __init__(
        self,
        answer: Callable[[Request], str] = scripted_answer,
        *,
        latency: Callable[[Request], float] | None = random_latency(),  # noqa: B008 - pure
    ) -> None:
        self._answer = answer
        self._latency = latency
        self.virtual = latency is not None
        self._clock = VirtualClock()
        self._made = 0

    async def complete(self, request: Request) -> Answer:
        """Answer one request."""
        if self._latency is not None:
            latency = self._latency(request)
            if not (math.isfinite(latency) and latency >= 0):
                raise EngineError(
                    f"{request}: its latency is {latency} seconds; it must be finite and at least 0"
                )
            self._made += 1
            await self._clock.sleep(latency)
        text = self._answer(request)
        return Answer(
            text=text,
            prompt_tokens=prompt_tokens_of(request),
            output_tokens=tokens_of(text),
            model=self.name,
        )

    def now(self) -> float:
        """Return the modelled time, or the real one of the null engine."""
        return self._clock.now() if self.virtual else super().now()

    def advance(self) -> bool:
        """Jump to the next answer that is still waited for."""
        return self._clock.advance()

    async def close(self) -> None:
        """Forget what was not waited for."""
        self._clock.clear()

    def statistics(self) -> dict[str, Any]:
        """Return how many requests were made in modelled time."""
        return {"requests": self._made}
