"""`view.llm`: the language model as an agent's step sees it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from headway import structured
from headway.engines.base import Answer, Message, Request
from headway.errors import AnswerError, OptionError
from headway.live.chance import sampling_seed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headway.live.view import View

#: How often an answer that is not what was asked for is asked for again.
REPEATS = 3

#: Room for the repeats of one attempt of a step in the number of a call's attempt.
ATTEMPTS = 100

ROLES = ("system", "user", "assistant")


class Llm:
    """Makes the LLM calls of one step."""

    __slots__ = ("_agent", "_attempt", "_calls", "_view")

    def __init__(self, view: View, agent: str, attempt: int) -> None:
        self._view = view
        self._agent = agent
        self._attempt = attempt
        self._calls = 0

    async def chat(
        self,
        prompt: str | Sequence[Message | tuple[str, str] | Mapping[str, str]],
        *,
        max_tokens: int = 256,
        temperature: float = 0.7,
        schema: Mapping[str, Any] | None = None,
        choices: Sequence[str] = (),
        stop: str | Sequence[str] = (),
        repeats: int = REPEATS,
        label: str = "",
    ) -> Answer:
        """Ask the model.

        Calls of one step may run at the same time (`asyncio.gather`); they are numbered in the
        order they are made.

        Parameters
        ----------
        prompt : str or sequence of messages
            One message of the user, or a chat: `(role, content)` pairs or dictionaries with
            these keys; roles are `system`, `user`, `assistant`. Put what stays the same first: the
            engine caches equal beginnings.
        max_tokens : int
            At most so many output tokens.
        temperature : float
            0 for greedy decoding.
        schema : mapping, optional
            A JSON schema: the answer is JSON that fulfils it. Enforced by engines that can, and
            validated in any case.
        choices : sequence of str, optional
            The answer is one of these; likewise.
        stop : str or sequence of str
            The answer ends before the first of these.
        repeats : int
            How often to ask again, with another sampling seed, while the answer is not what
            `schema` or `choices` ask for.
        label : str
            What the call is for, in reports and traces.

        Returns
        -------
        Answer
            `text`, token counts, and with `schema` or `choices` the parsed `value`.

        Raises
        ------
        AnswerError
            If no answer could be used; it carries the last one.
        PromptTooLongError, EngineUnavailableError, EngineError
            If the engine gives up.
        OptionError
            A parameter that makes no sense.
        """
        number = self._calls
        self._calls += 1
        state, step = self._view._open(), self._view.step
        first = self._attempt * ATTEMPTS
        request = Request(
            messages=as_messages(prompt),
            max_tokens=max_tokens,
            temperature=temperature,
            stop=(stop,) if isinstance(stop, str) else tuple(stop),
            schema=schema,
            choices=tuple(choices),
            seed=sampling_seed(state.seed, self._agent, step, number, first),
            agent=self._agent,
            step=step,
            call=number,
            attempt=first,
            priority=step,
            label=label,
        )
        _check(request, repeats)
        answer = await state.ask(request)
        if schema is None and not choices:
            return answer
        for attempt in range(first + 1, first + repeats + 2):
            try:
                value, repaired = structured.parse(answer.text, schema=schema, choices=choices)
            except structured.UnusableAnswerError as error:
                reason = error
            else:
                state.counters.answers_repaired += repaired
                return replace(answer, value=value)
            if attempt <= first + repeats:
                state.counters.answers_repeated += 1
                seed = sampling_seed(state.seed, self._agent, step, number, attempt)
                request = replace(request, attempt=attempt, seed=seed)
                answer = await self._view._open().ask(request)
        raise AnswerError(
            f"{request}: no usable answer in {repeats + 1} attempts; the last one was refused "
            f"because {reason}: {answer.text[:200]!r}",
            text=answer.text,
            attempts=repeats + 1,
        )


def as_messages(
    prompt: str | Sequence[Message | tuple[str, str] | Mapping[str, str]],
) -> tuple[Message, ...]:
    """Turn a prompt or a chat into messages.

    Raises
    ------
    OptionError
        If it is empty, or a message is none.
    """
    if isinstance(prompt, str):
        if not prompt:
            raise OptionError("the prompt is empty")
        return (Message("user", prompt),)
    messages = []
    for message in prompt:
        try:
            if isinstance(message, tuple | list):
                role, content = message
            else:
                role, content = message["role"], message["content"]
        except (KeyError, TypeError, ValueError) as error:
            raise OptionError(
                f"a message must be a pair (role, content), got {message!r}"
            ) from error
        if role not in ROLES or not isinstance(content, str):
            raise OptionError(
                f"a message needs a role of {', '.join(ROLES)} and text, got {message!r}"
            )
        messages.append(Message(role, content))
    if not any(content for _, content in messages):
        raise OptionError("the prompt is empty")
    return tuple(messages)


def _check(request: Request, repeats: int) -> None:
    if not isinstance(request.max_tokens, int) or request.max_tokens < 1:
        raise OptionError(f"max_tokens must be at least 1, got {request.max_tokens!r}")
    if not 0 <= request.temperature <= 100:
        raise OptionError(f"temperature must be from 0 to 100, got {request.temperature!r}")
    if not 0 <= repeats < ATTEMPTS:
        raise OptionError(f"repeats must be from 0 to {ATTEMPTS - 1}, got {repeats!r}")
    if request.schema is not None and request.choices:
        raise OptionError("give a schema or choices, not both")
    if request.schema is not None:
        structured.check_schema(request.schema)
