"""What all wrappers share: whatever they do not change goes to the engine inside."""

from __future__ import annotations

from headway.engines.base import Answer, Engine, Request


class Wrapper(Engine):
    """An engine around an engine; by itself it changes nothing.

    Parameters
    ----------
    inner : Engine
        It is started and closed with the wrapper.
    """

    def __init__(self, inner: Engine) -> None:
        self.inner = inner
        self.name = inner.name
        self.virtual = inner.virtual

    @property
    def model(self) -> str:
        """Which model answers, as far as the engine inside says."""
        return model_of(self.inner)

    async def start(self) -> None:
        """Start the engine inside."""
        await self.inner.start()

    async def complete(self, request: Request) -> Answer:
        """Pass the request on."""
        return await self.inner.complete(request)

    async def close(self) -> None:
        """Close the engine inside."""
        await self.inner.close()

    def now(self) -> float:
        """Return the time of the engine inside."""
        return self.inner.now()

    def advance(self) -> bool:
        """Let the engine inside jump to its next answer."""
        return self.inner.advance()

    def statistics(self) -> dict[str, float]:
        """Return what the engine inside counted, and what the wrapper counted itself."""
        return {**self.inner.statistics(), **self.counted()}

    def counted(self) -> dict[str, float]:
        """Return what the wrapper counted; wrappers that count write this."""
        return {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.inner!r})"


def model_of(engine: Engine) -> str:
    """Return the model that an engine says it has, or else the engine's name."""
    return str(getattr(engine, "model", None) or engine.name)
