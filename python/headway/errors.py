"""Every exception Headway raises on purpose, in one tree.

The message of each says what is wrong, where (file, agent, step), the limit that was passed and
what to do. All are about what the caller gave, except `InvariantError`, which is always a bug of
Headway. A refused call has changed nothing.

The scheduler's exceptions carry the numbers of their message as attributes (`agent`, `clock`,
`distance`, ...), named in each class.
"""

from __future__ import annotations


class HeadwayError(Exception):
    """Root of every error raised on purpose by Headway."""

    def __init__(self, message: str = "", **facts: object) -> None:
        super().__init__(message)
        self.__dict__.update(facts)


class ArrayTypeError(HeadwayError, TypeError):
    """An array (or what should become one) has the wrong dtype."""


class ArrayShapeError(HeadwayError, ValueError):
    """An array has the wrong shape, or two arrays of one call differ in length."""


class OptionError(HeadwayError, ValueError):
    """An option has a value that is not one of the possible ones."""


class ValueTypeError(HeadwayError, TypeError):
    """A value that is to be seen by others is not plain, so it could change under their eyes."""


class ActionError(HeadwayError, ValueError):
    """An action that an agent's step returned cannot be carried out; nothing of it has been."""


class BeyondReachError(ActionError):
    """An effect farther away than the agent's reach."""


class BeyondSightError(ActionError, LookupError):
    """A look at, or a message to, somebody or something the agent does not see."""


class UnknownNameError(ActionError, LookupError):
    """There is nothing of this name."""


class NameTakenError(HeadwayError, ValueError):
    """Two agents have brought about children of one name; which comes first is up to chance."""


class PlaceRuleError(HeadwayError, ValueError):
    """The function that is the rule of a place failed."""


class ViewClosedError(HeadwayError, RuntimeError):
    """A view was read after the step it was made for had ended."""


class HiddenInputError(HeadwayError, RuntimeError):
    """A step used something besides its view and the agent's own attributes.

    Found by `Simulation.run(debug=True)`. It stops the run whatever the policy. Attributes: `agent`
    (name), `step`, `kind` ("generator", "agent" or "repeat").
    """

    agent: str
    step: int
    kind: str


class SharedStateWarning(UserWarning):
    """Agents share an object that their steps change. Found by `Simulation.run(debug=True)`."""


class StepTimeoutError(HeadwayError, TimeoutError):
    """A step took longer than its time limit."""


class StepFailedError(HeadwayError, RuntimeError):
    """A step failed and the policy is to stop; the reason is its cause.

    What had been finished is kept. Attributes: `agent` (name), `step`, `attempts`.
    """

    agent: str
    step: int
    attempts: int


class SchedulerError(HeadwayError, ValueError):
    """A call that does not fit the state of the scheduler, or of a history of positions."""


class UnknownAgentError(SchedulerError, LookupError):
    """No agent with this id has ever joined. Attributes: `agent`, `agents`."""

    agent: int
    agents: int


class AgentLeftError(SchedulerError):
    """The agent has left. Attributes: `agent`, `clock` (of a history: since which step)."""

    agent: int
    clock: int


class DuplicateAgentError(SchedulerError):
    """An agent stands twice in one batch. Attributes: `agent`, `clock`."""

    agent: int
    clock: int


class BlockedError(SchedulerError):
    """Asked to start an agent that has to wait.

    Attributes: `agent`, `clock`, `witness` (whom it waits for; None where it waits for its
    cluster), `until` (the clock of the witness at which it is examined again, or None).
    """

    agent: int
    clock: int
    witness: int | None
    until: int | None


class RunningError(SchedulerError):
    """Asked to start or remove an agent that is executing a step. Attributes: `agent`, `clock`."""

    agent: int
    clock: int


class NotRunningError(SchedulerError):
    """Asked to finish a step of an agent that executes none. Attributes: `agent`, `clock`."""

    agent: int
    clock: int


class PartialClusterError(SchedulerError):
    """A batch holds only a part of a cluster. Attributes: `agent`, `given`, `size`."""

    agent: int
    given: int
    size: int


class OverSpeedError(SchedulerError):
    """A move longer than the agent's speed.

    Attributes: `agent`, `clock` (the step), `distance`, `speed`.
    """

    agent: int
    clock: int
    distance: float
    speed: float


class PositionError(SchedulerError):
    """A position that cannot be used.

    Attributes: `agent` (None where a place to look around is meant), `clock` (the step it ends
    there; None for one about to join), `position` (on a graph the number of the node).
    """

    agent: int | None
    clock: int | None
    position: tuple[float, float] | float


class FootprintError(SchedulerError):
    """A sight, reach or speed that cannot be used. Attributes: `agent`, `what`, `value`."""

    agent: int
    what: str
    value: float


class JoinsTooEarlyError(SchedulerError):
    """Somebody may already have read what the newcomer could affect.

    Attributes: `agent`, `step`, `earliest`.
    """

    agent: int
    step: int
    earliest: int


class JoinsAheadError(SchedulerError):
    """In a world changed in place, somebody behind would see the newcomer too early.

    Attributes: `agent`, `step`, `behind` (who), `clock` (that one's).
    """

    agent: int
    step: int
    behind: int
    clock: int


class SpawnError(SchedulerError):
    """A running agent cannot bring about this newcomer, or there, as an effect of its step.

    Attributes: `agent` (the parent), `clock` (the step it executes), `what` ("distance", "speed" or
    "rule"), `value` and `limit` (None for "rule").
    """

    agent: int
    clock: int
    what: str
    value: float | None
    limit: float | None


class StepError(SchedulerError, LookupError):
    """A step that a history of positions cannot be asked about, or told of.

    Attributes: `agent` (None where all are meant), `step`, `limit` (the oldest step that is kept,
    the first one the agent was there, or the one since which it stands where it stands); None where
    what was given is no step at all.
    """

    agent: int | None
    step: int | None
    limit: int | None


class CapacityError(SchedulerError):
    """More agents, steps or worlds than fit. Attributes: `what`, `limit`."""

    what: str
    limit: int


class InvariantError(HeadwayError, RuntimeError):
    """A bug of Headway: a re-derived fact disagrees with the stored one. Please report it."""


class EngineError(HeadwayError, ValueError):
    """A request or a setting that an engine cannot take."""


class EngineUnavailableError(EngineError):
    """An engine does not answer now: down, overloaded, too slow. Trying again may help.

    Attributes: `retry_after` (seconds it asked to wait, or None).
    """

    retry_after: float | None = None


class PromptTooLongError(EngineError):
    """A prompt and its answer do not fit the model's context.

    Attributes: `tokens` (of the prompt), `limit` (of the context).
    """

    tokens: int
    limit: int


class AnswerError(EngineError):
    """A model's answer does not fulfil what was asked for, after all repeats.

    Attributes: `text` (the last answer), `attempts`.
    """

    text: str
    attempts: int


class SpaceError(HeadwayError, ValueError):
    """A place or a move that the map does not allow, or a map that cannot be used."""


class TraceError(HeadwayError, ValueError):
    """A trace, or a recording to import, is damaged, incomplete or contradicts itself."""


class MissingExtraError(HeadwayError, ImportError):
    """A feature needs a package that is not installed; the message names the extra to install."""
