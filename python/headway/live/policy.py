"""What happens when an agent's step fails."""

from __future__ import annotations

from dataclasses import dataclass

from headway.errors import OptionError

#: What may follow after the last attempt.
THEN = ("abort", "skip", "freeze")


@dataclass(frozen=True)
class OnError:
    """What to do when a step raises, takes too long, or returns an action that cannot be.

    Attributes
    ----------
    then : {"abort", "skip", "freeze"}
        After the last attempt: stop the run; let the agent do nothing in this step; or let it
        stand still for good, while everybody who does not depend on it goes on.
    attempts : int
        How often a step is tried. Every attempt has the same view; its LLM calls are sampled anew.
        What a failed attempt has changed in the agent's own attributes stays changed, unless the
        agent has methods `snapshot()` and `restore(snapshot)`.
    time_limit : float or None
        Seconds of real time one attempt may take. A step that computes without ever awaiting
        cannot be interrupted.
    """

    then: str = "abort"
    attempts: int = 1
    time_limit: float | None = None

    def __post_init__(self) -> None:
        if self.then not in THEN:
            raise OptionError(f"on_error must be one of {', '.join(THEN)}, got {self.then!r}")
        if self.attempts < 1:
            raise OptionError(f"attempts must be at least 1, got {self.attempts}")
        if self.time_limit is not None and not self.time_limit > 0:
            raise OptionError(f"time_limit must be more than 0 seconds, got {self.time_limit}")

    @staticmethod
    def of(given: OnError | str) -> OnError:
        """Take a policy, or one named by what follows: abort, skip, freeze, or retry (3 attempts).

        Raises
        ------
        OptionError
        """
        if isinstance(given, OnError):
            return given
        return OnError(attempts=3) if given == "retry" else OnError(then=given)
