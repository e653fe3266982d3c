"""A recording of the town in memory, whichever folder layout it came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    import numpy as np
    from numpy.typing import NDArray

#: Said by each in turn: (name, words).
Transcript = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Doing:
    """What an agent began to do at a step, as the recording describes it.

    Attributes
    ----------
    step : int
        The first step with this description.
    activity, detail : str
        "activity (detail)"; the detail is empty where the hour was not split into tasks.
    address : str
        The place, `<persona> NAME` in a conversation, `<waiting> X Y` while waiting.
    talk : tuple
        The conversation, empty outside one.
    """

    step: int
    activity: str
    detail: str
    address: str
    talk: Transcript

    @property
    def text(self) -> str:
        """Activity and detail."""
        return f"{self.activity} {self.detail}" if self.detail else self.activity

    @property
    def partner(self) -> str:
        """Name of the agent talked with, or the empty string."""
        kind, _, rest = self.address.partition(" ")
        return rest if kind == "<persona>" else ""

    @property
    def is_action(self) -> bool:
        """Whether this is neither a conversation nor waiting for somebody."""
        return not self.address.startswith(("<persona>", "<waiting>"))

    @staticmethod
    def parse(step: int, description: str, talk: Transcript) -> Doing:
        """Split a description "activity (detail) @ address"."""
        what, at, address = description.rpartition(" @ ")
        if not at:
            what, address = description, ""
        activity, _, detail = what.partition(" (") if what.endswith(")") else (what, "", "")
        detail = detail.removesuffix(")")
        return Doing(step, activity, detail, address, talk)


@dataclass(frozen=True, slots=True)
class Memory:
    """One entry of an agent's associative memory.

    Attributes
    ----------
    step : int
        The step in which it was made, -1 where its time lies outside the recording.
    kind : str
        `event` (perceived), `thought` or `chat`.
    subject, text : str
        Who or what it is about; what is remembered.
    gist : str
        The text as prompts list it.
    idle : bool
        Whether it says only that something is idle; such an entry cost no call.
    evidence : bool
        Whether it rests on other memories.
    talk : tuple
        Of a chat: the conversation. Of a thought about a chat: that conversation.
    """

    step: int
    kind: str
    subject: str
    text: str
    gist: str
    idle: bool
    evidence: bool
    talk: Transcript

    @property
    def about_talk(self) -> bool:
        """Whether this is a thought about a conversation that has just ended."""
        return self.kind == "thought" and bool(self.talk)


@dataclass(frozen=True, eq=False)
class Recording:
    """Positions, actions and memories of a recorded town.

    Attributes
    ----------
    names : tuple of str
        The agents, in the order in which they act.
    start : datetime
        Simulated time of step 0.
    times : float64 (n_steps + 1,)
        Seconds since the midnight before `start`, at the start of each step.
    positions : int32 (n_steps + 1, n_agents, 2)
        Tile at the start of each step.
    doings : tuple of tuple of Doing
        For each agent, in order of step.
    memories : tuple of tuple of Memory, or None
        For each agent, in the order in which they were made; None where none were saved.
    portrait_tokens : tuple of int
        For each agent, the length of the description of itself that many prompts begin with.
    sight : float or None
        The largest vision radius of the agents.
    notes : tuple of str
        What a reader of the trace must know.
    """

    names: tuple[str, ...]
    start: datetime
    seconds_per_step: float
    times: NDArray[np.float64]
    positions: NDArray[np.int32]
    doings: tuple[tuple[Doing, ...], ...]
    memories: tuple[tuple[Memory, ...], ...] | None
    portrait_tokens: tuple[int, ...]
    sight: float | None
    notes: tuple[str, ...]

    @property
    def n_steps(self) -> int:
        """Number of steps."""
        return len(self.positions) - 1
