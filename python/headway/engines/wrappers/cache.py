"""Cache: a request whose content was answered before is answered at once."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from headway.engines.wrappers.answer_store import FileStore, MemoryStore
from headway.engines.wrappers.base import Wrapper
from headway.engines.wrappers.content import request_hash
from headway.errors import EngineError

if TYPE_CHECKING:
    import os

    from headway.engines.base import Answer, Engine, Request

_log = logging.getLogger(__name__)


class Cache(Wrapper):
    """Answers requests of equal content once, whoever makes them and when.

    The content is what `request_hash` says: messages, sampling parameters, schema, choices and
    seed; to it comes the name of the model. Since seeds come from (seed of the run, agent, step,
    call, attempt), mostly the calls of an earlier run with the same seed are found.

    Two equal requests at a time are asked once: the second waits for the answer of the first, in
    that one's place in the engine's queue. If the first is cancelled, the second asks.

    Parameters
    ----------
    inner : Engine
    path : path-like, optional
        A SQLite file to keep answers in, made where it is missing; by default they are kept in
        memory. Several processes may use one file.
    model : str, optional
        Which model answers, where the engine inside does not say (it has no attribute `model`).

    Raises
    ------
    EngineError
        Where the file cannot be used.
    """

    def __init__(
        self,
        inner: Engine,
        path: str | os.PathLike[str] | None = None,
        *,
        model: str | None = None,
    ) -> None:
        super().__init__(inner)
        self._model = model
        self._path = path
        self._store: MemoryStore | FileStore | None = None
        self._open_store()
        #: Who is being asked: None where the one who asked is gone without an outcome.
        self._asking: dict[str, asyncio.Future[Answer | EngineError | None]] = {}
        self._hits = 0
        self._joined = 0
        self._misses = 0
        self._unkept = 0

    @property
    def model(self) -> str:
        """Which model answers."""
        return self._model or super().model

    async def complete(self, request: Request) -> Answer:
        """Answer from what is kept, or pass the request on and keep the answer.

        Raises
        ------
        EngineError
            As the engine inside, and where the file cannot be read. Errors are not kept.
        """
        key = f"{request_hash(request)} {self.model}"
        while True:
            answer = self._open_store().get(key)
            if answer is not None:
                self._hits += 1
                return answer
            asking = self._asking.get(key)
            if asking is None:
                return await self._ask(key, request)
            outcome = await asyncio.shield(asking)
            if isinstance(outcome, EngineError):
                raise outcome
            if outcome is not None:
                self._joined += 1
                return outcome

    async def close(self) -> None:
        """Close the file and the engine inside."""
        if isinstance(self._store, FileStore):
            self._store.close()
            self._store = None
        await self.inner.close()

    def counted(self) -> dict[str, float]:
        """Return how many calls were found, joined another one, were passed on, were not kept."""
        return {
            "cache_hit_calls": self._hits,
            "cache_joined_calls": self._joined,
            "cache_missed_calls": self._misses,
            "cache_unkept_answers": self._unkept,
        }

    async def _ask(self, key: str, request: Request) -> Answer:
        self._misses += 1
        asking = self._asking[key] = asyncio.get_running_loop().create_future()
        outcome: Answer | EngineError | None = None
        try:
            outcome = await self.inner.complete(request)
            self._keep(key, outcome)
        except EngineError as error:
            outcome = error
            raise
        finally:
            del self._asking[key]
            asking.set_result(outcome)
        return outcome

    def _keep(self, key: str, answer: Answer) -> None:
        try:
            self._open_store().put(key, answer)
        except EngineError as error:
            # The answer is there and may have cost something: a full disk must not lose it.
            self._unkept += 1
            if self._unkept == 1:
                _log.warning("answers are no longer kept: %s", error)

    def _open_store(self) -> MemoryStore | FileStore:
        if self._store is None:
            self._store = MemoryStore() if self._path is None else FileStore(self._path)
        return self._store
