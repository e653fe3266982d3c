"""From a chat to the token ids that the model is given, with the model's own chat template."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headway.errors import EngineError, PromptTooLongError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headway.engines.base import Request
    from headway.engines.vllm.library import Tokenizer

_TRIAL = [{"role": "user", "content": "Hello"}]


class Prompts:
    """Applies a chat template, and refuses what does not fit the model's context.

    Parameters
    ----------
    tokenizer : Tokenizer
        Of the model.
    limit : int
        The tokens of the context, for the prompt and the answer together.
    template : str or None
        A Jinja template in place of the model's own.
    template_args : mapping
        Further variables for the template, such as `enable_thinking`.

    Raises
    ------
    EngineError
        If there is no template, or it does not work.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        limit: int,
        template: str | None,
        template_args: Mapping[str, Any],
    ) -> None:
        self.limit = limit
        self._tokenizer = tokenizer
        self._options = dict(template_args)
        if template is not None:
            self._options["chat_template"] = template
        try:
            self._apply(_TRIAL)
        except Exception as error:
            raise EngineError(
                f"the chat template cannot be used: {error}. A base model has none: take an "
                "instruction-tuned one, or give VllmEngine(chat_template=...), a Jinja template"
            ) from error

    def token_ids(self, request: Request) -> list[int]:
        """Return the prompt of a request.

        Raises
        ------
        EngineError
            If the model's template refuses the chat (some want no system message, or that user
            and assistant take turns).
        PromptTooLongError
            If there is no room for the prompt and `max_tokens` more.
        """
        chat = [{"role": role, "content": content} for role, content in request.messages]
        try:
            ids = self._apply(chat)
        except Exception as error:
            roles = ", ".join(message.role for message in request.messages) or "no message"
            raise EngineError(
                f"{request}: the model's chat template refuses this chat ({roles}): {error}"
            ) from error
        if len(ids) + request.max_tokens > self.limit:
            raise PromptTooLongError(
                f"{request}: the prompt has {len(ids)} tokens and its answer may have "
                f"{request.max_tokens}, but the context holds {self.limit}; shorten the prompt, "
                "lower max_tokens, or raise VllmEngine(max_model_len=...) if the model allows it",
                tokens=len(ids),
                limit=self.limit,
            )
        return ids

    def _apply(self, chat: list[dict[str, str]]) -> list[int]:
        ids = self._tokenizer.apply_chat_template(
            chat, tokenize=True, add_generation_prompt=True, return_dict=False, **self._options
        )
        return [int(token) for token in ids]
