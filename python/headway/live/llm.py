"""`view.llm`: the language model as an agent's step sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from headway import structured
from headway.engines.base import Answer, Message, Request
from headway.errors import AnswerError, OptionError
from headway.live.chance import call_content, sampling_seed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headway.live.view import View

#: How often an answer that is not what was asked for is asked for again.
REPEATS = 3

#: Room for the repeats of one attempt of a step in the number of a call's attempt.
ATTEMPTS = 100

#: Tokens around a choice: quotation marks, the end of the answer.
CHOICE_MARGIN = 8

ROLES = ("system", "user", "assistant")


class Llm:
    """Makes the LLM calls of one step."""

    __slots__ = ("_agent", "_attempt", "_calls", "_occurrences", "_tasks", "_view")

    def __init__(self, view: View, agent: str, attempt: int) -> None:
        self._view = view
        self._agent = agent
        self._attempt = attempt
        self._calls = 0
        self._occurrences: dict[str, int] = {}
        self._tasks: list[asyncio.Task[Any] | None] = []

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

        Calls of one step may run at the same time (`asyncio.gather`). What a model samples depends
        on the run's seed, the agent, the step and what is asked, not on when; calls of one step
        that ask the very same are told apart by the order they are made in.

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
            The answer is one of these; likewise. They all fit, whatever `max_tokens` says.
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
        state, step = self._view._open(), self._view.step
        _check(max_tokens, temperature, schema, choices, repeats, label)
        if schema is not None:
            structured.check_schema(schema)
        messages, stop, choices = as_messages(prompt), _texts(stop, "stop"), _texts(choices)
        content = call_content(messages, max_tokens, temperature, stop, choices, schema)
        if choices:  # the longest of them must fit; a token is a character at least
            max_tokens = max(max_tokens, max(map(len, choices)) + CHOICE_MARGIN)
        occurrence = self._occurrences.get(content, 0)
        self._occurrences[content] = occurrence + 1
        number, attempt = self._calls, self._attempt * ATTEMPTS
        self._calls += 1
        key = (state.seed, self._agent, step, content, occurrence)
        request = Request(
            messages, max_tokens, temperature, stop, schema, choices, sampling_seed(*key, attempt),
            self._agent, step, number, attempt, step, label,
        )  # fmt: skip
        task = asyncio.current_task()
        self._tasks.append(task)
        try:
            answer = self._seen(await state.ask(request))
            if schema is None and not choices:
                return answer
            return await self._usable(request, key, answer, repeats)
        finally:
            self._tasks.remove(task)

    def _seen(self, answer: Answer) -> Answer:
        """Return an answer as the agent may see it, if the step still goes on."""
        self._view._open()
        # How much came from the engine's cache depends on who was faster.
        return answer if answer.cached_tokens is None else replace(answer, cached_tokens=None)

    async def _usable(
        self, request: Request, key: tuple[int, str, int, str, int], answer: Answer, repeats: int
    ) -> Answer:
        """Return an answer that is what was asked for, asking again if need be."""
        schema, choices = request.schema, request.choices
        state = self._view._open()
        for repeat in range(repeats + 1):
            try:
                value, repaired = structured.parse(answer.text, schema=schema, choices=choices)
            except structured.UnusableAnswerError as error:
                reason = error
            else:
                state.counters.answers_repaired += repaired
                return replace(answer, value=value)
            if repeat < repeats:
                state.counters.answers_repeated += 1
                attempt = request.attempt + 1
                request = replace(request, attempt=attempt, seed=sampling_seed(*key, attempt))
                answer = self._seen(await state.ask(request))
        raise AnswerError(
            f"{request}: no usable answer in {repeats + 1} attempts; the last one was refused "
            f"because {reason}: {answer.text[:200]!r}",
            text=answer.text,
            attempts=repeats + 1,
        )

    def close(self) -> None:
        """Take back the calls that are still made: the step has ended without them."""
        for task in tuple(self._tasks):
            if task is not None:
                task.cancel()


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
    if not isinstance(prompt, Iterable):
        raise OptionError(f"a prompt is text or messages, got {prompt!r}")
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


def _texts(given: str | Sequence[str], what: str = "choices") -> tuple[str, ...]:
    if isinstance(given, str):
        if what == "choices":
            raise OptionError(f"choices must be several texts, got {given!r}")
        return (given,)
    try:
        texts = tuple(given)
    except TypeError as error:
        raise OptionError(f"{what} must be texts, got {given!r}") from error
    for text in texts:
        if not isinstance(text, str) or not text:
            raise OptionError(f"{what} must be texts that are not empty, got {text!r}")
    return texts


def _check(
    max_tokens: object,
    temperature: object,
    schema: object,
    choices: object,
    repeats: object,
    label: object,
) -> None:
    if type(max_tokens) is not int or max_tokens < 1:
        raise OptionError(f"max_tokens must be at least 1, got {max_tokens!r}")
    if not isinstance(temperature, int | float) or not 0 <= temperature <= 100:
        raise OptionError(f"temperature must be from 0 to 100, got {temperature!r}")
    if type(repeats) is not int or not 0 <= repeats < ATTEMPTS:
        raise OptionError(f"repeats must be from 0 to {ATTEMPTS - 1}, got {repeats!r}")
    if schema is not None and choices:
        raise OptionError("give a schema or choices, not both")
    if not isinstance(label, str):
        raise OptionError(f"label must be text, got {label!r}")
