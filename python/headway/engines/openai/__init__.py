"""Any number of OpenAI-compatible servers as one engine: vLLM, SGLang, Ollama, llama.cpp, hosted.

`routing` says which server answers whom, `client` speaks to one server, `payload` and `refusals`
know the protocol, `secret` keeps the API key. Here is what happens when a server fails.
"""

from __future__ import annotations

import asyncio
import logging
import math
from typing import TYPE_CHECKING

from headway.engines.base import Answer, Engine, Request
from headway.engines.openai.client import COUNTERS, Server, load_httpx
from headway.engines.openai.payload import Dialect
from headway.engines.openai.refusals import AttemptError
from headway.engines.openai.routing import Router
from headway.engines.openai.secret import Secret
from headway.errors import EngineError, EngineUnavailableError, OptionError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

__all__ = ["OpenAIEngine"]

_log = logging.getLogger(__name__)

_FLAVOURS = (None, "vllm", "openai")

#: Seconds between two looks at a server that is down: from the first on doubled, up to the last.
_FIRST_LOOK = 1.0
_LAST_LOOK = 30.0


class _ClosedError(Exception):
    """The engine was closed while a request waited for a place."""


class OpenAIEngine(Engine):
    """Answers calls by OpenAI-compatible servers.

    Calls of an agent go to the same server as long as it keeps up (see `routing`), and wait for a
    place there by priority. A server whose connection breaks, that takes too long or answers 5xx is
    looked at (`/v1/models`) before it is used again; if it is down, what it was executing is sent
    to the others. A call is tried once at each server (again where only a connection broke) and
    gets exactly one answer or error; what an abandoned attempt still brings is dropped. `Retry`
    around the engine repeats calls that no server answered.

    API keys come from the environment only, and are shown nowhere.

    Parameters
    ----------
    servers : str or sequence of str
        Addresses, as `http://host:8000`; where there is a path, it is the one that
        `/chat/completions` is added to (`https://host/openai/v1`).
    model : str, optional
        Its name at the servers; by default the one that they have.
    api_key_env : str or None
        The environment variable that holds the API key, if there is one. It is sent to all servers.
    concurrency : int
        So many requests at a time for each server.
    timeout : float
        Seconds for an attempt, from the moment there is a place for it.
    flavour : str, optional
        `vllm` or `openai` says what the servers understand; by default each is asked.
    spill : int, optional
        An agent is sent to another server when its own has so many calls more than the least loaded
        one; by default a quarter of `concurrency`, and at least 4.
    sleep : callable, optional
        What waits between two looks at a server that is down; for tests.

    Raises
    ------
    OptionError
        Where an option has a value it cannot have.
    EngineError
        Where an address is none.
    MissingExtraError
        Where httpx is not installed.
    """

    name = "openai"

    def __init__(
        self,
        servers: str | Sequence[str],
        *,
        model: str | None = None,
        api_key_env: str | None = "OPENAI_API_KEY",
        concurrency: int = 64,
        timeout: float = 300.0,
        flavour: str | None = None,
        spill: int | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        load_httpx()
        if flavour not in _FLAVOURS:
            raise OptionError(
                f"flavour is {flavour!r}; it is 'vllm', 'openai', or None to find out"
            )
        if not 0 < timeout < math.inf:
            raise OptionError(f"timeout is {timeout} s; it must be positive")
        if spill is not None and spill < 0:
            raise OptionError(f"spill is {spill}; it must not be negative")
        addresses = [servers] if isinstance(servers, str) else list(servers)
        if not addresses:
            raise OptionError("there is no server; give at least one address")
        dialects = [None if flavour is None else Dialect(flavour == "vllm") for _ in addresses]
        self._servers = [
            Server(address, concurrency, dialect)
            for address, dialect in zip(addresses, dialects, strict=True)
        ]
        if len({server.url for server in self._servers}) < len(self._servers):
            raise OptionError("an address is there twice; give each server once")
        self.model = model
        self._api_key_env = api_key_env
        self._timeout = timeout
        self._sleep = sleep
        self._router = Router(self._servers, max(concurrency // 4, 4) if spill is None else spill)
        self._looks: dict[Server, asyncio.Task[None]] = {}
        self._abandoned: set[asyncio.Task[Answer]] = set()
        self._started = False
        self._in_flight_max = 0

    async def start(self) -> None:
        """Look for all servers, and learn the model's name where it was not given.

        Servers that are not there are looked for again and again while the others answer.

        Raises
        ------
        EngineError
            Where no server answers (EngineUnavailableError if that may change), or the servers
            have several models and none was chosen.
        """
        if self._started:
            return
        secret = Secret(self._api_key_env)
        try:
            for server in self._servers:
                server.open(secret)
            looks = [server.look(self.model) for server in self._servers]
            outcomes = await asyncio.gather(*looks, return_exceptions=True)
            found = dict(zip(self._servers, outcomes, strict=True))
            self._check_found(found)
            self.model = self.model or self._common_model()
        except BaseException:
            await self.close()
            raise
        self._started = True
        for server, outcome in found.items():
            if outcome is not None:
                server.health, server.trouble = "down", str(outcome)
                _log.warning("%s is not used for now: %s", server.url, outcome)
                self._look_after(server)

    def _check_found(self, found: dict[Server, BaseException | None]) -> None:
        for outcome in found.values():
            if not isinstance(outcome, AttemptError | EngineError | None):
                raise outcome
        if None not in found.values():
            reasons = "\n".join(f"- {outcome}" for outcome in found.values())
            gone = any(isinstance(outcome, AttemptError) for outcome in found.values())
            kind = EngineUnavailableError if gone else EngineError
            raise kind(f"no server answers; start one, or correct the addresses:\n{reasons}")

    def _common_model(self) -> str:
        listed = {name: server.url for server in self._servers for name in server.models}
        if len(listed) == 1:
            return next(iter(listed))
        if not listed:
            raise EngineError("the servers list no model; say which with model=...")
        names = "\n".join(f"- {name!r} at {url}" for name, url in sorted(listed.items()))
        raise EngineError(f"the servers have several models; say which with model=...:\n{names}")

    async def complete(self, request: Request) -> Answer:
        """Answer one request by the server of its agent, or another one where that one fails.

        Raises
        ------
        EngineUnavailableError
            Where no server could answer; with each one's reason.
        PromptTooLongError
            Where a server says that the prompt does not fit.
        EngineError
            Where a server refuses the request.
        """
        tried: dict[Server, AttemptError] = {}
        while True:
            server, spilled = self._choose(request, tried)
            try:
                await server.gate.enter(request.priority)
            except _ClosedError:
                continue
            try:
                if not self._still_right(server, request, tried):
                    continue
                server.counts["spilled"] += spilled
                return await self._attempt(server, request, again=bool(tried))
            except AttemptError as error:
                tried[server] = error
                self._note_failure(server, error)
            finally:
                server.gate.leave()

    def _choose(self, request: Request, tried: dict[Server, AttemptError]) -> tuple[Server, bool]:
        """Choose an untried server that is up, or else one that may be."""
        if not self._started:
            raise EngineError(
                f"{request}: the engine is not started, or closed; call start() first"
            )
        now = asyncio.get_running_loop().time()

        def fit(health: str) -> Callable[[Server], bool]:
            return lambda server: server not in tried and server.is_fit(health, now)

        for health in ("up", "suspect"):
            chosen = self._router.pick(request.agent, fit(health))
            if chosen is not None:
                return chosen
        raise self._nobody(request, tried, now)

    def _still_right(
        self, server: Server, request: Request, tried: dict[Server, AttemptError]
    ) -> bool:
        """Tell whether a server may be asked, now that there is a place: it may have failed."""
        now = asyncio.get_running_loop().time()
        others = (other for other in self._servers if other not in tried)
        return server.is_fit("up", now) or (
            server.is_fit("suspect", now) and not any(other.is_fit("up", now) for other in others)
        )

    def _nobody(
        self, request: Request, tried: dict[Server, AttemptError], now: float
    ) -> EngineUnavailableError:
        reasons, waits = [], []
        for server in self._servers:
            error = tried.get(server)
            busy = server.busy_until - now
            wait = error.retry_after if error else busy if busy > 0 else None
            waits.append(wait)
            reasons.append(f"- {error or server.trouble or f'{server.url} is {server.health}'}")
        known = [wait for wait in waits if wait is not None]
        return EngineUnavailableError(
            f"no server answered {request}:\n" + "\n".join(reasons),
            retry_after=min(known) if len(known) == len(waits) else None,
        )

    async def _attempt(self, server: Server, request: Request, *, again: bool) -> Answer:
        """Have a server answer, in a task of its own, so that it can be abandoned."""
        server.counts["sent_again"] += again
        inside = sum(other.gate.inside for other in self._servers)
        self._in_flight_max = max(self._in_flight_max, inside)
        task = asyncio.create_task(server.ask(request, self.model or ""))
        server.attempts.add(task)
        try:
            await asyncio.wait({task}, timeout=self._timeout)
        finally:
            server.attempts.discard(task)
            # The time is over, or the caller gone: nobody waits for the answer any more.
            late = not task.done()
            if late:
                self._abandon(server, task)
            elif not task.cancelled():
                task.exception()  # seen, even if the caller is gone
        if late:
            raise AttemptError(f"{server.url} took more than {self._timeout:g} s")
        if task.cancelled():
            raise AttemptError(f"{server.url} went down: {server.trouble}", blame=False)
        if not isinstance(task.exception(), AttemptError):
            server.failed_in_a_row = 0
        return task.result()

    def _abandon(self, server: Server, task: asyncio.Task[Answer]) -> None:
        """Cancel an attempt, which makes the server stop too; drop what it still brings."""

        def finished(task: asyncio.Task[Answer]) -> None:
            self._abandoned.discard(task)
            if not task.cancelled() and task.exception() is None:
                server.counts["late_answers_dropped"] += 1

        self._abandoned.add(task)
        task.add_done_callback(finished)
        task.cancel()

    # Health

    def _note_failure(self, server: Server, error: AttemptError) -> None:
        server.counts["failures"] += 1
        server.trouble = str(error)
        if error.retry_after is not None:
            server.busy_until = asyncio.get_running_loop().time() + error.retry_after
        if error.blame and server.health == "up" and self._started:
            server.health = "suspect"
            server.failed_in_a_row += 1
            self._look_after(server)

    def _look_after(self, server: Server) -> None:
        if server not in self._looks:
            self._looks[server] = asyncio.create_task(self._look_until_up(server))

    async def _look_until_up(self, server: Server) -> None:
        """Look at a server until it is up again; the first time at once after a first failure."""
        down = server.health == "down"
        wait = _FIRST_LOOK if down else _pause(server.failed_in_a_row - 1)
        while True:
            if wait:
                await self._sleep(wait)
            try:
                await server.look(self.model)
            except (AttemptError, EngineError) as error:
                server.trouble = str(error)
                if not down:
                    down = True
                    self._take_down(server)
                wait = min(max(2 * wait, _FIRST_LOOK), _LAST_LOOK)
                continue
            self._looks.pop(server, None)
            server.health = "up"
            if down:
                _log.info("%s is up again", server.url)
            return

    def _take_down(self, server: Server) -> None:
        _log.warning("%s is down: %s", server.url, server.trouble)
        server.health = "down"
        # Those who wait find it down as soon as these leave.
        for task in server.attempts:
            task.cancel()

    async def close(self) -> None:
        """Close all connections; calls in flight get an error."""
        self._started = False
        looks = list(self._looks.values())
        self._looks.clear()
        attempts = [task for server in self._servers for task in server.attempts]
        for task in (*looks, *attempts):
            task.cancel()
        for server in self._servers:
            server.gate.send_away(_ClosedError)
        await asyncio.gather(*looks, *attempts, *self._abandoned, return_exceptions=True)
        for server in self._servers:
            await server.close()
            server.health = "up"

    def statistics(self) -> dict[str, float]:
        """Return what was counted, in total, and for each server under `SERVER/`."""
        totals = {name: sum(s.counts[name] for s in self._servers) for name in COUNTERS}
        counted: dict[str, float] = {**totals, "in_flight_max": self._in_flight_max}
        for server in self._servers:
            for name, count in server.counts.items():
                counted[f"{server.name}/{name}"] = count
            counted[f"{server.name}/in_flight_max"] = server.gate.inside_max
        return counted

    def __repr__(self) -> str:
        servers = ", ".join(server.url for server in self._servers)
        return f"OpenAIEngine([{servers}], model={self.model!r})"


def _pause(failures: int) -> float:
    """Return how long a server that keeps failing is left alone: nothing after the first time."""
    return 0.0 if failures < 1 else min(_FIRST_LOOK * 2.0 ** min(failures - 1, 10), _LAST_LOOK)
