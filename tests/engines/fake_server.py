"""A small OpenAI-compatible server: deterministic answers, and faults by script.

In a test: `async with FakeServer() as server: ... server.url`. For other processes:
`python tests/engines/fake_server.py --port 8000`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import json
from collections import deque
from dataclasses import dataclass, field

REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 429: "Too Many Requests"}


@dataclass
class Fault:
    """What happens to one chat completion instead of, or before, an answer."""

    status: int = 200
    body: object = None
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    #: Send so many bytes of the answer, then break the connection; 0 sends nothing at all.
    cut: int | None = None
    #: Wait for this before anything is sent.
    until: asyncio.Event | None = None


@dataclass
class Seen:
    """One chat completion that was asked for."""

    body: dict
    headers: dict[str, str]

    @property
    def prompt(self) -> str:
        return self.body["messages"][-1]["content"]


def answer_to(body: dict) -> str:
    """Return the text that the server answers: it depends on the chat and the seed only."""
    content = json.dumps([body["messages"], body.get("seed")])
    digest = hashlib.sha256(content.encode()).hexdigest()
    choices = body.get("structured_outputs", {}).get("choice")
    if choices:
        return choices[int(digest, 16) % len(choices)]
    schema = body.get("response_format", {}).get("json_schema", {}).get("schema")
    if schema is not None:
        return json.dumps(instance(schema, int(digest, 16)))
    return f"answer {digest[:12]}"


def instance(schema: dict, chance: int) -> object:
    """Return a value of a simple schema."""
    if "enum" in schema:
        return schema["enum"][chance % len(schema["enum"])]
    kind = schema.get("type", "object")
    if kind == "object":
        return {name: instance(s, chance) for name, s in schema.get("properties", {}).items()}
    if kind == "array":
        return [instance(schema.get("items", {"type": "string"}), chance)]
    return {"integer": chance % 60, "number": 0.5, "boolean": chance % 2 == 0, "null": None}.get(
        kind, f"text {chance % 1000}"
    )


class FakeServer:
    """An OpenAI-compatible server on the loopback interface, within the running loop."""

    def __init__(
        self,
        *,
        port: int = 0,
        model: str = "tiny",
        owned_by: str | None = "vllm",
        version: str | Fault | None = "0.32.0",
        key: str | None = None,
        seconds: float = 0.0,
    ) -> None:
        self.port = port
        self.model = model
        self.owned_by = owned_by
        self.version = version
        self.key = key
        self.seconds = seconds
        #: For the next chat completions, in their order; None for none.
        self.script: deque[Fault | None] = deque()
        #: For all chat completions that the script has nothing for.
        self.always: Fault | None = None
        #: Fields that are refused with 400.
        self.refuses: set[str] = set()
        #: What `/v1/models` answers instead.
        self.models_fault: Fault | None = None
        self.seen: list[Seen] = []
        self.answered: list[str] = []
        self.broken_off = 0
        self.looked_at = 0
        self.in_flight = 0
        self.in_flight_max = 0
        self._known_prefixes: set[int] = set()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def die(self) -> None:
        """Break all connections, as if the process were killed."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._writers):
            writer.transport.abort()
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def __aenter__(self) -> FakeServer:
        await self.start()
        return self

    async def __aexit__(self, *_) -> None:
        await self.die()

    # One connection

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            while await self._serve_one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            self._writers.discard(writer)
            writer.close()
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _serve_one(self, reader, writer) -> bool:
        line = await reader.readline()
        if not line:
            return False
        method, path, _ = line.decode().split()
        headers = {}
        while (line := (await reader.readline()).decode().strip()) != "":
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        content = await reader.readexactly(int(headers.get("content-length", 0)))
        if self.key and headers.get("authorization") != f"Bearer {self.key}":
            said = f"the key {headers.get('authorization')} is wrong"
            return await self._send(writer, Fault(401, {"error": {"message": said}}))
        if (method, path) == ("POST", "/v1/chat/completions"):
            return await self._chat(reader, writer, Seen(json.loads(content), headers))
        said = self._get(path)
        await asyncio.sleep(said.seconds)
        return await self._send(writer, said)

    def _get(self, path: str) -> Fault:
        if path == "/v1/models":
            self.looked_at += 1
            entry = {"id": self.model, "object": "model"}
            if self.owned_by is not None:
                entry["owned_by"] = self.owned_by
            return self.models_fault or Fault(body={"object": "list", "data": [entry]})
        if path == "/version" and isinstance(self.version, Fault):
            return self.version
        if path == "/version" and self.version is not None:
            return Fault(body={"version": self.version})
        return Fault(404, {"detail": "Not Found"})

    async def _chat(self, reader, writer, seen: Seen) -> bool:
        self.seen.append(seen)
        self.in_flight += 1
        self.in_flight_max = max(self.in_flight_max, self.in_flight)
        try:
            fault = (self.script.popleft() if self.script else None) or self.always or Fault()
            if not await self._delay(reader, fault):
                self.broken_off += 1
                return False
            refused = sorted(self.refuses & set(seen.body))
            if refused:
                said = {"message": f"Unsupported parameter: {refused[0]}", "param": refused[0]}
                fault = Fault(400, {"error": said})
            elif fault.body is None and fault.status == 200:
                fault = Fault(200, self._completion(seen), fault.headers, cut=fault.cut)
            return await self._send(writer, fault)
        finally:
            self.in_flight -= 1

    async def _delay(self, reader, fault: Fault) -> bool:
        """Take its time; stop as soon as the client has gone, as vLLM does."""
        gone = asyncio.ensure_future(reader.read(1))
        waits = [asyncio.ensure_future(asyncio.sleep(fault.seconds or self.seconds))]
        if fault.until is not None:
            waits.append(asyncio.ensure_future(fault.until.wait()))
        ready = asyncio.gather(*waits)
        try:
            await asyncio.wait({gone, ready}, return_when=asyncio.FIRST_COMPLETED)
            return ready.done()
        finally:
            gone.cancel()
            ready.cancel()
            await asyncio.gather(gone, ready, return_exceptions=True)

    def _completion(self, seen: Seen) -> dict:
        text = answer_to(seen.body)
        self.answered.append(seen.prompt)
        words = " ".join(message["content"] for message in seen.body["messages"]).split()
        prefixes = [hash(tuple(words[: i + 1])) for i in range(len(words))]
        cached = sum(prefix in self._known_prefixes for prefix in prefixes)
        self._known_prefixes.update(prefixes)
        return {
            "object": "chat.completion",
            "model": self.model,
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": text},
                    "finish_reason": "stop",
                }
            ],
            "usage": {
                "prompt_tokens": len(words),
                "completion_tokens": len(text.split()),
                "prompt_tokens_details": {"cached_tokens": cached},
            },
        }

    async def _send(self, writer, fault: Fault) -> bool:
        body = fault.body
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        head = [f"HTTP/1.1 {fault.status} {REASONS.get(fault.status, 'Status')}"]
        head += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
        head += [f"{name}: {value}" for name, value in fault.headers.items()]
        if fault.cut is not None:
            if fault.cut:
                writer.write("\r\n".join([*head, "", ""]).encode() + content[: fault.cut])
                await writer.drain()
            return False
        writer.write("\r\n".join([*head, "", ""]).encode() + content)
        await writer.drain()
        return True


async def _main(options: argparse.Namespace) -> None:
    server = FakeServer(
        port=options.port,
        model=options.model,
        owned_by=options.owned_by,
        version="0.32.0" if options.owned_by == "vllm" else None,
        seconds=options.seconds,
    )
    async with server:
        print(f"listening on {server.url}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--owned-by", default="vllm", help="what /v1/models says")
    parser.add_argument("--seconds", type=float, default=0.0, help="for each answer")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_main(parser.parse_args()))
