"""What a run gave: the final state, and how it went."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from headway.world.values import thaw

if TYPE_CHECKING:
    from headway.live.failures import Failure
    from headway.live.state import State


@dataclass(frozen=True)
class Outcome:
    """What a run gave, up to now if it was interrupted.

    Attributes
    ----------
    schedule, engine : str
        Their names.
    steps : int
        The step the run was to stop before.
    finished : bool
        Whether every agent got there (or left).
    agent_steps, calls, prompt_tokens, output_tokens, cached_tokens : int
        How many were executed, made, read, written, and found in the engine's prefix cache.
    seconds : float
        How long it took: of modelled time where `modelled`, else of real time.
    modelled : bool
        Whether `seconds` and what is derived from it are modelled.
    real_seconds : float
        Real time.
    schedule_seconds, world_seconds, agents_seconds : float
        Real time in the schedule, in the world with its checks, and in the agents' own code.
    calls_in_flight_mean, calls_in_flight_max : float, int
        Averaged over `seconds`.
    lead_mean, lead_max : float, int
        How far ahead of the slowest agent steps were started.
    answers_repaired, answers_repeated : int
        Structured answers that had to be mended, or asked for again.
    attempts_failed : int
        Attempts of steps that failed.
    failures : tuple of Failure
        Steps that failed for good.
    final : mapping
        The final state of every agent and place as plain values; see `Simulation.final_state`.
    engine_statistics : mapping
        What the engine counted about itself.
    """

    schedule: str
    engine: str
    steps: int
    finished: bool
    agent_steps: int
    calls: int
    prompt_tokens: int
    output_tokens: int
    cached_tokens: int
    seconds: float
    modelled: bool
    real_seconds: float
    schedule_seconds: float
    world_seconds: float
    agents_seconds: float
    calls_in_flight_mean: float
    calls_in_flight_max: int
    lead_mean: float
    lead_max: int
    answers_repaired: int
    answers_repeated: int
    attempts_failed: int
    failures: tuple[Failure, ...]
    final: dict[str, Any] = field(repr=False)
    engine_statistics: dict[str, float] = field(repr=False)

    @property
    def digest(self) -> str:
        """SHA-256 of the final state: equal digests, equal results."""
        return hashlib.sha256(canonical(self.final)).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the final state as plain values, for machines."""
        told = {
            name: value
            for name, value in self.__dict__.items()
            if name not in {"final", "failures", "engine_statistics"}
        }
        told["failures"] = [asdict(failure) for failure in self.failures]
        told["engine_statistics"] = dict(self.engine_statistics)
        told["digest"] = self.digest
        return told


def canonical(value: Any) -> bytes:  # noqa: ANN401 - any plain value
    """Return a plain value as JSON in one fixed form."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def final_state(state: State) -> dict[str, Any]:
    """Return what a run has come to, as plain values.

    `agents`: name -> clock, position, public state, words just said, unread messages, and whether
    it has left. `places`: name -> state, as of the smallest clock.
    """
    agents = {}
    for agent in state.in_order():
        clock, left = state.clocks[agent], state.left[agent]
        facts: dict[str, Any] = {"clock": clock, "position": thaw(state.positions[agent])}
        if left is None:
            said = state.world.said(agent, clock)
            facts["state"] = thaw(state.world.state(agent, clock))
            facts["said"] = None if said is None else [said.text, list(said.to)]
            facts["inbox"] = [
                [message.sender, thaw(message.body)] for message in state.world.inbox(agent, clock)
            ]
        else:
            facts["left"] = left
        agents[state.names[agent]] = facts
    present = [c for c, left in zip(state.clocks, state.left, strict=True) if left is None]
    frontier = min(present, default=max(state.clocks, default=0))
    places = {name: thaw(state.world.place_state(name, frontier)) for name in state.world.places}
    return {"agents": agents, "places": places}
