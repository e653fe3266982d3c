"""What the driver asks of an engine, and what it gets: requests, answers, one method.

Everything that answers LLM calls is an `Engine`, wrappers included; a wrapper is an engine around
an engine (`headway.engines.wrappers`).
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Message(NamedTuple):
    """One message of a chat."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Request:
    """One LLM call of one agent.

    Attributes
    ----------
    messages : tuple of Message
        The chat, oldest first; roles are `system`, `user` and `assistant`.
    max_tokens : int
        At most so many output tokens.
    temperature : float
        0 for greedy decoding.
    stop : tuple of str
        The answer ends before the first of these.
    schema : mapping or None
        A JSON schema the answer must fulfil; engines that can enforce it do.
    choices : tuple of str
        The answer must be one of these, if there are any.
    seed : int
        For sampling; from (seed of the run, agent, step, call, attempt), so that it does not depend
        on the order of execution (DESIGN section 2).
    agent, step, call, attempt
        Whose call it is: name, the step it is made in, its number within the step from 0, and how
        often it was repeated because the answer could not be used. Together they name a call.
    priority : int
        Smaller first; the step, so that who is behind is served first.
    label : str
        What the call is for, for reports and traces ("plan", "talk").
    """

    messages: tuple[Message, ...]
    max_tokens: int = 256
    temperature: float = 0.7
    stop: tuple[str, ...] = ()
    schema: Mapping[str, Any] | None = None
    choices: tuple[str, ...] = ()
    seed: int = 0
    agent: str = ""
    step: int = 0
    call: int = 0
    attempt: int = 0
    priority: int = 0
    label: str = ""

    def __str__(self) -> str:
        """Name the call."""
        label = f" ({self.label})" if self.label else ""
        return f"call {self.call}{label} of {self.agent} in step {self.step}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model answered.

    Attributes
    ----------
    text : str
        The text, without the stop string.
    prompt_tokens, output_tokens : int
        As the engine counted them.
    cached_tokens : int or None
        Prompt tokens that came from the engine's prefix cache; None where it does not tell.
    finish : str
        `stop`, or `length` where `max_tokens` or the context ended it.
    model : str
        Which model.
    value : any
        Of a request with `schema` the parsed JSON value, of one with `choices` the choice; filled
        in by `view.llm.chat`, which validates it.
    """

    text: str
    prompt_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int | None = None
    finish: str = "stop"
    model: str = ""
    value: Any = None


class Engine:
    """Answers LLM calls. Subclasses write `complete`; the rest has defaults.

    All methods are called from one event loop. Cancelling a `complete` takes its request back.
    """

    #: Shown in reports.
    name = "engine"

    #: Whether its time is modelled: it passes in `advance`, and `now` tells it.
    virtual = False

    async def start(self) -> None:
        """Get ready: load a model, look for servers. Called once before the first request.

        Raises
        ------
        EngineError, MissingExtraError
            With what to do about it.
        """

    async def complete(self, request: Request) -> Answer:
        """Answer one request. Many run at a time; the engine batches them.

        Raises
        ------
        EngineUnavailableError
            If trying again later may help.
        EngineError
            If it will not.
        """
        raise NotImplementedError

    async def close(self) -> None:
        """Give everything back. May be called twice, and without `start`."""

    def now(self) -> float:
        """Return the engine's time in seconds, from any beginning."""
        return perf_counter()

    def advance(self) -> bool:
        """Jump to the next answer; return whether there was one.

        Only engines in virtual time have something to do here. The driver calls it when all agents
        wait for answers and no real time need pass.
        """
        return False

    def statistics(self) -> dict[str, float]:
        """Return what the engine counted about itself, for reports; keys end in their unit."""
        return {}
