"""Recording: hand on every call that was answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headway.engines.wrappers.base import Wrapper

if TYPE_CHECKING:
    from collections.abc import Callable

    from headway.engines.base import Answer, Engine, Request


class Recording(Wrapper):
    """Hands (request, answer) of every successful call to somebody.

    Parameters
    ----------
    inner : Engine
    sink : list or callable
        A list is given pairs; a callable is called as `sink(request, answer)`, before the caller
        gets the answer, and what it raises the caller gets instead. Calls come in the order in
        which they are answered; `headway.engines.replay.tape` makes a tape of the pairs.
    """

    def __init__(
        self,
        inner: Engine,
        sink: list[tuple[Request, Answer]] | Callable[[Request, Answer], object],
    ) -> None:
        super().__init__(inner)
        self._sink = sink
        self._recorded = 0

    async def complete(self, request: Request) -> Answer:
        """Pass the request on and hand both to the sink once it is answered."""
        answer = await self.inner.complete(request)
        if isinstance(self._sink, list):
            self._sink.append((request, answer))
        else:
            self._sink(request, answer)
        self._recorded += 1
        return answer

    def counted(self) -> dict[str, float]:
        """Return how many calls were recorded."""
        return {"recorded_calls": self._recorded}
