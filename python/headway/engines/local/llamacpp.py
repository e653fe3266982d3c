"""The backend for other platforms: llama.cpp's server, in this process.

Each request is a blocking call in a thread of a pool; llama.cpp batches them. How it adds up
numbers depends on the batch, so the answers can depend on what else runs.
"""

from __future__ import annotations

import json
import os
import queue
import secrets
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import TYPE_CHECKING, Any

from headway.engines.base import Answer
from headway.engines.local.checks import check_length, cut_at_stop
from headway.engines.local.driver import Prepared
from headway.errors import EngineError, MissingExtraError

if TYPE_CHECKING:
    from headway.engines.base import Request
    from headway.engines.local.model import Model

#: Seconds after which a step without an end gives the queue a chance.
PATIENCE = 0.01
#: MiB of memory for prompts that may come again.
CACHE_MIB = 512


class LlamaCppBackend:
    """Runs a GGUF in llama.cpp.

    Parameters
    ----------
    model : Model
    context : int
        Tokens of a prompt and its answer at most.
    max_sequences : int
    threads : int or None
        None for all cores.
    """

    tells_cached = True

    def __init__(
        self, model: Model, *, context: int, max_sequences: int, threads: int | None
    ) -> None:
        try:
            xllamacpp = import_module("xllamacpp")
        except ImportError as error:
            raise MissingExtraError(
                f'the local engine needs xllamacpp: pip install "headway[local]" ({error})'
            ) from error
        self._model, self._context = model, context
        options = xllamacpp.CommonParams()
        options.model.path = str(model.path)
        options.n_parallel = max_sequences
        options.n_ctx = context * max_sequences
        options.cpuparams.n_threads = threads or os.cpu_count() or 1
        options.cpuparams_batch.n_threads = threads or os.cpu_count() or 1
        options.cache_ram_mib = CACHE_MIB
        options.warmup, options.ui, options.offline = False, False, True
        options.verbosity = -1
        # llama.cpp listens on a port of this machine, which cannot be turned off.
        options.api_keys = [secrets.token_hex()]
        try:
            self._server = xllamacpp.Server(options)
        except RuntimeError as error:
            raise EngineError(f"cannot load the model {model.path}: {error}") from error
        self._pool = ThreadPoolExecutor(max_sequences, thread_name_prefix="headway-local")
        self._done: queue.SimpleQueue[tuple[int, Answer | EngineError]] = queue.SimpleQueue()
        self._wanted: set[int] = set()

    def prepare(self, request: Request) -> Prepared:
        """Leave everything to llama.cpp."""
        return Prepared(request)

    def fits(self, prepared: Prepared) -> bool:
        """Return that there is always room: each slot has the whole context."""
        return True

    def add(self, key: int, prepared: Prepared) -> None:
        """Begin to answer a request in a thread."""
        self._wanted.add(key)
        self._pool.submit(self._work, key, prepared.request)

    def step(self) -> list[tuple[int, Answer | EngineError]]:
        """Wait a moment for answers."""
        ended = []
        try:
            ended.append(self._done.get(timeout=PATIENCE))
            while True:
                ended.append(self._done.get_nowait())
        except queue.Empty:
            pass
        ended = [(key, outcome) for key, outcome in ended if key in self._wanted]
        self._wanted.difference_update(key for key, _ in ended)
        return ended

    def cancel(self, key: int) -> None:
        """Let llama.cpp stop at the next token."""
        self._wanted.discard(key)

    def close(self) -> None:
        """Stop all requests, wait for their threads, free the model."""
        self._wanted.clear()
        self._pool.shutdown(wait=True, cancel_futures=True)
        del self._server

    def _work(self, key: int, request: Request) -> None:
        try:
            outcome: Answer | EngineError = self._ask(key, request)
        except EngineError as error:
            outcome = error
        except Exception as error:  # of the library, whatever it is
            outcome = EngineError(f"{request}: llama.cpp refused it: {error}")
        self._done.put((key, outcome))

    def _ask(self, key: int, request: Request) -> Answer:
        pieces: list[dict[str, Any]] = []

        def receive(piece: dict[str, Any]) -> bool:
            """Take a piece of the answer; return whether to stop."""
            pieces.append(piece)
            return key not in self._wanted or self._length(piece) > allowed

        allowed = self._context - request.max_tokens
        self._server.handle_chat_completions(_body(request), receive)
        for piece in pieces:
            if "error" in piece and "n_prompt_tokens" not in piece["error"]:
                raise EngineError(f"{request}: llama.cpp refused it: {piece['error']['message']}")
            check_length(request, self._length(piece), self._context)
        return self._answer(request, pieces)

    @staticmethod
    def _length(piece: dict[str, Any]) -> int:
        """Return the tokens of the prompt, which the first piece tells."""
        told = piece.get("prompt_progress", {}).get("total", 0)
        return int(told or piece.get("error", {}).get("n_prompt_tokens", 0))

    def _answer(self, request: Request, pieces: list[dict[str, Any]]) -> Answer:
        text, finish = "", "stop"
        usage: dict[str, Any] = {}
        for piece in pieces:
            usage = piece.get("usage", usage)
            for choice in piece.get("choices", ()):
                text += choice["delta"].get("content") or ""
                finish = choice["finish_reason"] or finish
        text, stopped = cut_at_stop(text, request.stop)
        return Answer(
            text=text,
            prompt_tokens=usage.get("prompt_tokens", 0),
            output_tokens=usage.get("completion_tokens", 0),
            cached_tokens=usage.get("prompt_tokens_details", {}).get("cached_tokens"),
            finish="length" if finish == "length" and not stopped else "stop",
            model=self._model.name,
        )


def _body(request: Request) -> dict[str, Any]:
    body: dict[str, Any] = {
        "messages": [message._asdict() for message in request.messages],
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_k": 40,
        "top_p": 0.95,
        "min_p": 0,
        "seed": (request.seed ^ request.seed >> 32) & 0xFFFF_FFFF,
        "stop": list(request.stop),
        "stream": True,
        "return_progress": True,
        "stream_options": {"include_usage": True},
    }
    if request.choices:
        options = (json.dumps(choice, ensure_ascii=False) for choice in request.choices)
        body["grammar"] = "root ::= " + " | ".join(options)
    elif request.schema is not None:
        body["json_schema"] = request.schema
    return body
