"""The backend for Linux on x86-64: OpenVINO GenAI's continuous batching.

An answer must not depend on what else is in the batch, or out of order would not equal lock-step.
The pipeline alone does not give that; five things make it so (`test_local.py` holds them):

- Another kernel multiplies a single row than several, so a lone request gets company.
- A single token is attended to by another kernel than several, so a prompt is never split over
  steps, and what remains of it after the prefix cache is never one token.
- The cache of keys and values is not quantised, so what is read back is what was written.
- Keys and values of generated tokens, which stem from the other kernel, are not found again by a
  prompt that quotes them: an empty line before the answer, which no quotation has, marks them.
- Nothing is taken out of memory half-way: there is room for an answer before it begins.
"""

from __future__ import annotations

import json
import re
import sys
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from headway.engines.base import Answer
from headway.engines.local.cache import converted
from headway.engines.local.checks import check_length, cut_at_stop
from headway.engines.local.driver import Prepared
from headway.engines.local.grammar import Part, skeleton
from headway.errors import EngineError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from headway.engines.base import Request
    from headway.engines.local.model import Model

#: Tokens per block of the cache, on CPUs.
BLOCK = 32
#: Blocks of the cache: 0.75 GB with this model in bfloat16, if ever filled.
BLOCKS = 1024
#: Tokens of prompts begun in one step, unless a single prompt is longer.
PREFILL = 512
#: Tokens of the company of a lone request, before it gets new company.
COMPANY = 64


#: An object of the library, which has no types.
Native: TypeAlias = Any


class _Live(NamedTuple):
    prepared: Prepared
    handle: Native


class OpenVinoBackend:
    """Runs a GGUF in OpenVINO GenAI.

    Parameters
    ----------
    model : Model
    context : int
        Tokens of a prompt and its answer at most.
    max_sequences : int
    threads : int or None
        None leaves it to OpenVINO.
    cache_dir : Path
        Where the converted model is kept.
    """

    tells_cached = False

    def __init__(
        self,
        model: Model,
        *,
        context: int,
        max_sequences: int,
        threads: int | None,
        cache_dir: Path,
    ) -> None:
        self._genai, self._openvino = _import()
        self._model, self._context = model, context
        self._config = self._genai.SchedulerConfig()
        self._config.num_kv_blocks = max(BLOCKS, 2 * _blocks(context) + _blocks(COMPANY))
        self._config.max_num_batched_tokens = max(context, PREFILL) + max_sequences + BLOCK
        self._config.enable_prefix_caching = True
        native = self._openvino.Core().get_property("CPU", "INFERENCE_PRECISION_HINT")
        half = native == self._openvino.Type.bf16
        self._options: dict[str, Any] = {"KV_CACHE_PRECISION": "bf16" if half else "f32"}
        if threads is not None:
            self._options["INFERENCE_NUM_THREADS"] = threads
        source = converted(model, cache_dir, self._genai.__version__, self._convert)
        try:
            self._pipeline = self._load(source)
        except RuntimeError as error:
            raise EngineError(f"cannot load the model {model.path}: {_brief(error)}") from error
        self._source = source
        self._tokenizer = self._pipeline.get_tokenizer()
        self._eos = self._tokenizer.get_eos_token_id()
        self._newline = self._tokens("\n")[-1]
        self._live: dict[int, _Live] = {}
        self._company: Native = None
        self._fresh_tokens = 0
        self._proven: set[str] = set()
        self._refused: dict[str, str] = {}
        self._trial: int | None = None
        self._ended: list[tuple[int, Answer | EngineError]] = []

    def prepare(self, request: Request) -> Prepared:
        """Turn the chat into tokens, and check the length."""
        grammar = _grammar_name(request)
        if grammar in self._refused:
            raise EngineError(self._refused[grammar])
        chat = [{"role": role, "content": content} for role, content in request.messages]
        try:
            asked = self._tokenizer.apply_chat_template(chat, add_generation_prompt=False)
            whole = self._tokenizer.apply_chat_template(chat, add_generation_prompt=True)
            if not whole.startswith(asked):
                asked = ""
            tokens, opening = self._tokens(asked), self._tokens(whole[len(asked) :])
        except (RuntimeError, ValueError) as error:
            raise EngineError(f"{request}: the prompt cannot be used: {_brief(error)}") from error
        length = len(tokens) + len(opening) + 1
        lines = 1 + max(0, 2 - length % BLOCK)
        tokens += [self._newline] * lines + opening
        check_length(request, len(tokens), self._context)
        return Prepared(
            request=request,
            tokens=tokens,
            blocks=_blocks(len(tokens) + request.max_tokens),
            grammar=grammar,
            config=self._generation_config(request),
        )

    def fits(self, prepared: Prepared) -> bool:
        """Return whether prompts of this step, blocks, and untried grammars leave room."""
        taken = sum(live.prepared.blocks for live in self._live.values()) + _blocks(COMPANY)
        if taken + prepared.blocks > self._config.num_kv_blocks:
            return False
        if self._fresh_tokens and self._fresh_tokens + len(prepared.tokens) > PREFILL:
            return False
        tried = prepared.grammar is None or prepared.grammar in self._proven
        return tried or self._trial is None

    def add(self, key: int, prepared: Prepared) -> None:
        """Hand a request to the pipeline."""
        if prepared.grammar in self._refused:  # since it was prepared
            self._ended.append((key, EngineError(self._refused[prepared.grammar])))
            return
        handle = self._add(key, prepared.tokens, prepared.config)
        self._live[key] = _Live(prepared, handle)
        self._fresh_tokens += len(prepared.tokens)
        if prepared.grammar is not None and prepared.grammar not in self._proven:
            self._trial = key

    def step(self) -> list[tuple[int, Answer | EngineError]]:
        """Compute one token of each request; return the requests that are done."""
        if self._ended:
            ended, self._ended = self._ended, []
            return ended
        self._keep_company()
        try:
            self._pipeline.step()
        except RuntimeError as error:
            return [self._blame(error)]
        if self._trial is not None:
            self._proven.add(self._live[self._trial].prepared.grammar or "")
            self._trial = None
        self._fresh_tokens = 0
        running = self._genai.GenerationStatus.RUNNING
        done = [key for key, live in self._live.items() if live.handle.get_status() != running]
        return [(key, self._answer(self._live.pop(key))) for key in done]

    def cancel(self, key: int) -> None:
        """Take a request out of the batch."""
        self._live.pop(key).handle.cancel()

    def close(self) -> None:
        """Cancel what runs and free the model."""
        for live in self._live.values():
            live.handle.cancel()
        if self._company is not None:
            self._company.cancel()
        if self._live or self._company is not None:
            self._pipeline.step()
        self._live.clear()
        del self._pipeline, self._tokenizer

    def _load(self, source: Path) -> Native:
        # This one of the constructors lets other threads run meanwhile.
        return self._genai.ContinuousBatchingPipeline(
            source, self._config, "CPU", self._options, {}, {}
        )

    def _convert(self, gguf: Path) -> None:
        save = {"enable_save_ov_model": True}
        self._genai.ContinuousBatchingPipeline(
            gguf, self._config, "CPU", {**self._options, **save}, save, {}
        )

    def _add(self, key: int, tokens: list[int], config: Native) -> Native:
        ids = self._openvino.Tensor(np.array([tokens], dtype=np.int64))
        return self._pipeline.add_request(key, ids, config)

    def _tokens(self, text: str) -> list[int]:
        if not text:
            return []
        found = self._tokenizer.encode(text, add_special_tokens=False).input_ids.data
        return [int(token) for token in found[0]]

    def _generation_config(self, request: Request) -> Native:
        config = self._genai.GenerationConfig(
            max_new_tokens=request.max_tokens,
            eos_token_id=self._eos,
            # The text is cut at the stop string here, where half a token can be kept.
            stop_strings=set(request.stop),
            include_stop_str_in_output=True,
        )
        if request.temperature > 0:
            config.do_sample = True
            config.temperature = request.temperature
            config.top_k, config.top_p = 40, 0.95
            config.rng_seed = (request.seed ^ request.seed >> 32) & 0xFFFF_FFFF
        output = self._genai.StructuredOutputConfig
        if request.choices:
            options: Part = ("any", list(request.choices))
            config.structured_output_config = output(structural_tags_config=_build(output, options))
        elif request.schema is not None:
            parts = skeleton(request.schema)
            config.structured_output_config = (
                output(json_schema=json.dumps(request.schema))
                if parts is None
                else output(structural_tags_config=_build(output, parts))
            )
        return config

    def _keep_company(self) -> None:
        running = self._genai.GenerationStatus.RUNNING
        if self._company is not None and self._company.get_status() != running:
            self._company = None
        if len(self._live) == 1 and self._company is None:
            config = self._genai.GenerationConfig(
                max_new_tokens=COMPANY, ignore_eos=True, eos_token_id=self._eos
            )
            self._company = self._add(0, [self._newline] * 3, config)

    def _answer(self, live: _Live) -> Answer | EngineError:
        if live.handle.get_status() != self._genai.GenerationStatus.FINISHED:
            return EngineError("the local engine ran out of memory for a request")
        outputs = live.handle.read_all()
        if not outputs:  # the first token ended the answer
            return Answer(text="", prompt_tokens=len(live.prepared.tokens), model=self._model.name)
        output = outputs[0]
        tokens = list(output.generated_ids)
        text, stopped = cut_at_stop(self._tokenizer.decode(tokens), live.prepared.request.stop)
        length = output.finish_reason == self._genai.GenerationFinishReason.LENGTH
        return Answer(
            text=text,
            prompt_tokens=len(live.prepared.tokens),
            output_tokens=len(tokens),
            finish="length" if length and not stopped else "stop",
            model=self._model.name,
        )

    def _blame(self, error: RuntimeError) -> tuple[int, EngineError]:
        """Recover from a step that failed because of a grammar, or give up.

        Grammars are compiled within a step, and a bad one leaves the pipeline unusable. Only one
        untried grammar is added at a time, so there is one to blame. The others begin again, in a
        new pipeline, and come to the same answers.
        """
        if self._trial is None:
            raise EngineError(f"OpenVINO failed: {_brief(error)}") from error
        key, self._trial = self._trial, None
        grammar = self._live.pop(key).prepared.grammar or ""
        self._refused[grammar] = f"the schema or choices cannot be enforced: {_brief(error)}"
        self._company = None
        again = {key: live.prepared for key, live in self._live.items()}
        self._live.clear()
        self._pipeline = self._load(self._source)
        self._tokenizer = self._pipeline.get_tokenizer()
        self._fresh_tokens = 0
        for other, prepared in again.items():
            self.add(other, prepared)
        return key, EngineError(self._refused[grammar])


def _import() -> tuple[Any, Any]:
    try:
        with _without_telemetry():
            openvino = import_module("openvino")
            genai = import_module("openvino_genai")
    except ImportError as error:
        raise MissingExtraError(
            f'the local engine needs openvino-genai: pip install "headway[local]" ({error})'
        ) from error
    return genai, openvino


@contextmanager
def _without_telemetry() -> Iterator[None]:
    """Import OpenVINO as if openvino-telemetry were not installed.

    It would send an event when it is imported; without it OpenVINO uses a stub of its own.
    """
    name = "openvino_telemetry"
    before = {key: sys.modules.pop(key) for key in [*sys.modules] if key.partition(".")[0] == name}
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[name]
        sys.modules.update(before)


def _build(output: Native, part: Part) -> Native:
    if isinstance(part, str):
        return output.ConstString(part)
    how, content = part
    if how == "schema":
        return output.JSONSchema(json.dumps(content))
    parts = [_build(output, inner) for inner in content if inner != ""]
    if len(parts) == 1:
        return parts[0]
    return (output.Concat if how == "all" else output.Union)(parts)


def _grammar_name(request: Request) -> str | None:
    if request.choices:
        return json.dumps(request.choices)
    return None if request.schema is None else json.dumps(request.schema)


def _blocks(tokens: int) -> int:
    return -(-tokens // BLOCK) + 1


def _brief(error: Exception) -> str:
    """Return the last line of an OpenVINO message, without the place in the library's source."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return re.sub(r"^\[[\d:]+\] \S+:\d+: ", "", lines[-1].strip()) if lines else repr(error)
