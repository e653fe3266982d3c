"""One OpenAI-compatible server: its address, its health, what it understands, what it did."""

from __future__ import annotations

import asyncio
import functools
import json
import logging
from collections.abc import Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from headway.engines.gate import Gate
from headway.engines.openai.payload import (
    Dialect,
    MalformedError,
    answer_of,
    body_of,
    models_of,
)
from headway.engines.openai.refusals import AttemptError, check_status, refused_field
from headway.errors import EngineError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx

    from headway.engines.base import Answer, Request
    from headway.engines.openai.secret import Secret

_log = logging.getLogger(__name__)

COUNTERS = (
    "requests",
    "failures",
    "sent_again",
    "spilled",
    "late_answers_dropped",
    "prompt_tokens",
    "output_tokens",
    "cached_tokens",
)

#: Seconds for connecting, and for an answer to the question whether a server is there.
_CONNECT = 10.0
_LOOK = 10.0
#: Shorter than the 5 s after which most servers close an idle connection.
_KEEP_ALIVE = 4.0

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Server:
    """One server.

    Parameters
    ----------
    address : str
        As the user gave it; without a path, `/v1` is added.
    concurrency : int
        So many requests at a time.
    dialect : Dialect or None
        What it understands, where the user says so; by default it is found out.

    Attributes
    ----------
    url, name : str
        The address in full, and what it is called in reports.
    gate : Gate
        Where requests wait for a place.
    health : str
        `up`, `suspect` (something failed; being looked at) or `down`.
    failed_in_a_row : int
        Failures since the last answer.
    busy_until : float
        The loop's time before which it asked not to be sent anything.
    trouble : str
        What was wrong the last time.
    counts : dict
        See `COUNTERS`.
    attempts : set of Task
        What it is executing.

    Raises
    ------
    EngineError
        Where the address is none, or holds a password.
    """

    def __init__(self, address: str, concurrency: int, dialect: Dialect | None) -> None:
        parts = urlsplit(address)
        if "@" in parts.netloc:
            raise EngineError(
                f"the address of the server {parts.hostname} holds a password; API keys come from "
                "the environment (api_key_env), never from an address"
            )
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise EngineError(
                f"{address!r} is no address of a server; write it as http://host:8000"
            )
        root = f"{parts.scheme}://{parts.netloc}"
        self.url = root + (parts.path.rstrip("/") or "/v1")
        self.name = parts.netloc + ("" if self.url == f"{root}/v1" else parts.path.rstrip("/"))
        self.gate = Gate(concurrency)
        self.health = "up"
        self.failed_in_a_row = 0
        self.busy_until = 0.0
        self.trouble = ""
        self.counts = dict.fromkeys(COUNTERS, 0)
        self.attempts: set[asyncio.Task[Answer]] = set()
        self.dialect = dialect or Dialect()
        self.models: dict[str, str] = {}
        self._root = root
        self._knows_dialect = dialect is not None
        self._idle: list[httpx.AsyncClient] = []
        self._secret: Secret | None = None

    @property
    def load(self) -> int:
        """How many requests it executes, or has waiting for it."""
        return self.gate.inside + self.gate.waiting

    def is_fit(self, health: str, now: float) -> bool:
        """Tell whether it has this health and has not asked to be left alone."""
        return self.health == health and self.busy_until <= now

    def open(self, secret: Secret) -> None:
        """Allow requests; connections are made as they are needed."""
        self._secret = secret

    async def close(self) -> None:
        """Close all connections."""
        self._secret = None
        clients, self._idle = self._idle, []
        for client in clients:
            await client.aclose()

    async def look(self, model: str | None) -> None:
        """Look whether it is there, which models it has, and whether it is vLLM.

        Raises
        ------
        AttemptError
            Where it is not there, or not fit.
        EngineError
            Where it refuses.
        """
        late = False
        try:
            async with asyncio.timeout(_LOOK):
                await self._look(model)
        except TimeoutError:
            late = True
        if late:  # not above: the context of an error is kept with it, see `_send`
            raise AttemptError(f"{self.url} did not answer within {_LOOK:g} s")

    async def _look(self, model: str | None) -> None:
        status, headers, text = await self._send("GET", f"{self.url}/models")
        if status in (404, 405, 501) and model is not None:
            return  # it keeps no list, which is no fault
        check_status(self.url, status, headers, text, self._key_from)
        try:
            self.models = models_of(self._parsed(text))
        except MalformedError as error:
            raise AttemptError(f"{self.url}/models is not a list of models: {error}") from None
        if self._knows_dialect:
            return
        owners = set(self.models.values()) - {""}
        self.dialect.vllm = "vllm" in owners or (not owners and await self._has_version())
        self._knows_dialect = True

    async def _has_version(self) -> bool:
        """Tell whether there is a `/version` as vLLM has it."""
        try:
            status, _, text = await self._send("GET", f"{self._root}/version")
            content = self._parsed(text) if status == 200 else None
        except (AttemptError, MalformedError):
            return False
        return isinstance(content, dict) and isinstance(content.get("version"), str)

    async def ask(self, request: Request, model: str) -> Answer:
        """Ask for one answer.

        Raises
        ------
        AttemptError
            Where it failed and another server may do better.
        EngineError
            Where the request or a setting is wrong.
        """
        headers = {"Content-Type": "application/json"}
        if self.dialect.vllm and request.agent:
            # Routers in front of vLLM keep a session at one replica.
            headers["X-Session-ID"] = quote(request.agent, errors="replace")
        while True:
            body = body_of(request, model, self.dialect)
            content = _encoded(body, request)
            self.counts["requests"] += 1
            status, said, text = await self._send(
                "POST", f"{self.url}/chat/completions", content, headers
            )
            field = refused_field(text, body) if status in (400, 422) else None
            if field is None:
                break
            self._leave_out(field, text)
        check_status(self.url, status, said, text, self._key_from)
        try:
            answer = answer_of(self._parsed(text), request, model)
        except MalformedError as error:
            raise AttemptError(f"the answer of {self.url} cannot be read: {error}") from None
        self.counts["prompt_tokens"] += answer.prompt_tokens
        self.counts["output_tokens"] += answer.output_tokens
        self.counts["cached_tokens"] += answer.cached_tokens or 0
        return answer

    def _leave_out(self, field: str, text: str) -> None:
        if self.dialect.takes(field):  # else another request, sent before, was told the same
            self.dialect.refused.add(field)
            _log.warning("%s refuses %r, which is left out from now on: %s", self.url, field, text)

    async def _send(
        self,
        method: str,
        url: str,
        content: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, dict[str, str], str]:
        """Send one request; once more where the connection broke, which may have been an old one.

        Exceptions of httpx hold the request with its key, so none gets out of here, not even as
        the context of another one.
        """
        httpx = load_httpx()
        failure = ""
        for again in (False, True):
            try:
                async with self._client() as client:
                    response = await client.request(method, url, content=content, headers=headers)
            except (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError) as error:
                failure = self._clean(_described(error))
                self.counts["sent_again"] += method == "POST" and not again
            except (httpx.HTTPError, OSError) as error:
                failure = self._clean(_described(error))
                break
            else:
                kept = ("retry-after", "location")
                said = {n: self._clean(v) for n, v in response.headers.items() if n in kept}
                return response.status_code, said, self._clean(response.text)
        raise AttemptError(f"{self.url} cannot be reached or broke off: {failure}")

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[httpx.AsyncClient]:
        """Lend a client with one connection, the one used last if there is one.

        One client with many connections would look at all of them for every request.
        """
        secret = self._secret
        if secret is None:
            raise AttemptError(f"the connections to {self.url} are closed", blame=False)
        client = self._idle.pop() if self._idle else self._new_client(secret)
        try:
            yield client
        except BaseException:
            await client.aclose()
            raise
        self._idle.append(client)

    def _new_client(self, secret: Secret) -> httpx.AsyncClient:
        web = load_httpx()
        client: httpx.AsyncClient = web.AsyncClient(
            headers=secret.headers(),
            verify=_tls(),
            limits=web.Limits(max_connections=1, keepalive_expiry=_KEEP_ALIVE),
            timeout=web.Timeout(None, connect=_CONNECT),
            # Proxies of the environment are for the world outside.
            trust_env=urlsplit(self.url).hostname not in _LOOPBACK,
        )
        return client

    def _clean(self, text: str) -> str:
        return text if self._secret is None else self._secret.redact(text)

    @property
    def _key_from(self) -> str | None:
        return None if self._secret is None else self._secret.variable

    @staticmethod
    def _parsed(text: str) -> Any:  # noqa: ANN401 - any JSON value
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            start = f", it begins {text[:60]!r}" if text else ""
            raise MalformedError(f"the body is no JSON ({error}){start}") from None

    def __repr__(self) -> str:
        return f"Server({self.url!r}, {self.health})"


def load_httpx() -> Any:  # noqa: ANN401 - a module
    """Return httpx.

    Raises
    ------
    MissingExtraError
        Where it is not installed.
    """
    try:
        import httpx  # noqa: PLC0415 - an optional dependency
    except ImportError as error:
        raise MissingExtraError(
            'OpenAI-compatible servers need httpx; install it with pip install "headway[openai]"'
        ) from error
    return httpx


@functools.cache
def _tls() -> Any:  # noqa: ANN401 - the context that httpx makes, which takes some 50 ms
    return load_httpx().create_ssl_context()


def _encoded(body: dict[str, Any], request: Request) -> bytes:
    try:
        return json.dumps(body, default=_as_dict, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise EngineError(f"{request} cannot be written as JSON: {error}") from None


def _as_dict(value: object) -> dict[Any, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{value!r} is no JSON value")


def _described(error: Exception) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
