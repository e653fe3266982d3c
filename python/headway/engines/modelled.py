"""The virtual-time engine for live agents: texts from another engine, time from a modelled server.

What a run would have taken on the modelled hardware, with agents that really talk. Prompts and
answers are measured in estimated tokens.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from headway.engines.base import Answer, Engine, Request
from headway.engines.scripted import ScriptedEngine, prompt_tokens_of, tokens_of
from headway.errors import OptionError

if TYPE_CHECKING:
    from headway.engines.virtual import Preset


class ModelledEngine(Engine):
    """Answers after the time a modelled LLM server takes.

    Parameters
    ----------
    preset : Preset
        The modelled hardware; see `headway.engines.preset_named`.
    replicas : int
        How many copies of the model.
    answers : Engine, optional
        Whose texts to use; by default the scripted engine's. Must answer at once.

    Raises
    ------
    OptionError
        If the time of `answers` is modelled too: nobody would let it pass.
    """

    name = "virtual"
    virtual = True

    def __init__(self, preset: Preset, *, replicas: int = 1, answers: Engine | None = None) -> None:
        if answers is not None and answers.virtual:
            raise OptionError(
                f"the engine whose texts are used must answer at once, but the time of"
                f" {answers.name!r} is modelled too; pass one in real time, such as"
                " ScriptedEngine(latency=None)"
            )
        self._server = preset.server(replicas)
        self._answers = answers or ScriptedEngine(latency=None)
        self._waiting: dict[int, asyncio.Future[None]] = {}

    async def start(self) -> None:
        """Get the engine ready whose texts are used."""
        await self._answers.start()

    async def complete(self, request: Request) -> Answer:
        """Answer one request when the modelled server has."""
        answer = await self._answers.complete(request)
        prompt_tokens = answer.prompt_tokens or prompt_tokens_of(request)
        output_tokens = answer.output_tokens or tokens_of(answer.text)
        ids = self._server.submit([request.priority], [prompt_tokens], [output_tokens])
        number = int(ids[0])
        self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            await self._waiting[number]
        except asyncio.CancelledError:
            self._server.cancel(number)
            raise
        finally:
            self._waiting.pop(number, None)
        return answer

    def now(self) -> float:
        """Return the modelled seconds since the start."""
        return self._server.now

    def advance(self) -> bool:
        """Jump to the next time at which requests finish."""
        finished = self._server.advance().tolist()
        for number in finished:
            waiting = self._waiting.get(number)
            if waiting is not None and not waiting.done():
                waiting.set_result(None)
        return bool(finished)

    async def close(self) -> None:
        """Close the engine whose texts are used."""
        await self._answers.close()

    def statistics(self) -> dict[str, float]:
        """Return what the modelled server did; see `VirtualServer.statistics`."""
        return self._server.statistics()
