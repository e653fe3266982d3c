"""From a request to vLLM's sampling parameters, and from vLLM's output to an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headway.engines.base import Answer
from headway.errors import EngineError, EngineUnavailableError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headway.engines.base import Request
    from headway.engines.vllm.library import Library, Output


def sampling_params(request: Request, library: Library, further: Mapping[str, Any]) -> object:
    """Return vLLM's `SamplingParams` for a request.

    Raises
    ------
    EngineError
        If the request contradicts itself, or vLLM refuses a value.
    """
    if request.schema is not None and request.choices:
        raise EngineError(f"{request} has a schema and choices; an answer can follow one of them")
    try:
        constraint = None
        if request.schema is not None:
            constraint = library.StructuredOutputsParams(json=dict(request.schema))
        elif request.choices:
            constraint = library.StructuredOutputsParams(choice=list(request.choices))
        return library.SamplingParams(
            **{
                **further,
                "max_tokens": request.max_tokens,
                "temperature": request.temperature,
                "stop": list(request.stop) or None,
                # A seed costs a generator per sequence, and greedy decoding draws nothing.
                "seed": request.seed % 2**63 if request.temperature > 0 else None,
                "structured_outputs": constraint,
                # One message per answer, not one per token.
                "output_kind": library.RequestOutputKind.FINAL_ONLY,
            }
        )
    except (ValueError, TypeError, library.VLLMClientError) as error:
        raise EngineError(f"{request}: vLLM refuses its parameters: {error}") from error


def answer_of(request: Request, output: Output, model: str) -> Answer:
    """Return the answer in vLLM's final output of a request.

    Raises
    ------
    EngineUnavailableError
        If vLLM gave up on it for a reason that may pass.
    """
    completion = output.outputs[0]
    finish = completion.finish_reason
    if finish == "error":
        raise EngineUnavailableError(f"{request}: vLLM gave up on it; its log says why")
    return Answer(
        text=completion.text,
        prompt_tokens=len(output.prompt_token_ids or ()),
        output_tokens=len(completion.token_ids),
        cached_tokens=output.num_cached_tokens,
        finish="length" if finish == "length" else "stop",
        model=model,
    )
