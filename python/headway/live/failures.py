"""Failures of steps, told to people."""

from __future__ import annotations

from dataclasses import dataclass

from headway.errors import (
    ActionError,
    HiddenInputError,
    NameTakenError,
    PlaceRuleError,
    StepFailedError,
    StepTimeoutError,
)

#: Errors that stop the run whatever the policy: those that are no single agent's, where who meets
#: them first depends on who was faster, and what the debug mode has found.
FATAL = (PlaceRuleError, NameTakenError, HiddenInputError)


@dataclass(frozen=True)
class Failure:
    """A step that failed for good: whose, which, why, and what followed (skip or freeze)."""

    agent: str
    step: int
    error: str
    then: str


def step_failed(name: str, step: int, tried: int, error: BaseException) -> StepFailedError:
    """Return the error that stops a run because of a step."""
    tries = f" in {tried} attempts" if tried > 1 else ""
    failed = StepFailedError(
        f"step {step} of {name!r} failed{tries}: {told(error)}; what had been finished is kept "
        f"(on_error can be retry, skip or freeze)",
        agent=name,
        step=step,
        attempts=tried,
    )
    failed.__cause__ = error
    return failed


def told(error: BaseException) -> str:
    """Tell an error in a line, even one that cannot tell itself."""
    try:
        text = str(error)
    except Exception:
        text = ""
    if isinstance(error, ActionError | StepTimeoutError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
