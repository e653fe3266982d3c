"""What a run counts about itself."""

from __future__ import annotations


class Counters:
    """Sums of one run, from its first step on."""

    def __init__(self) -> None:
        self.agent_steps = 0
        self.calls = 0
        self.prompt_tokens = 0
        self.output_tokens = 0
        self.cached_tokens = 0
        self.answers_repaired = 0
        self.answers_repeated = 0
        self.attempts_failed = 0
        self.calls_in_flight = 0
        self.calls_in_flight_max = 0
        self.in_flight_seconds = 0.0
        self._changed_at: float | None = None
        self.lead_sum = 0
        self.lead_max = 0
        self.lead_count = 0
        #: Real seconds in the schedule, in the world and its checks, and in agents' own code.
        self.schedule_ns = 0
        self.world_ns = 0
        self.agents_ns = 0

    def begin_call(self, now: float) -> None:
        """Count a call that is made now."""
        self._pass(now)
        self.calls_in_flight += 1
        self.calls_in_flight_max = max(self.calls_in_flight_max, self.calls_in_flight)

    def end_call(self, now: float) -> None:
        """Count a call that has ended, in whatever way."""
        self._pass(now)
        self.calls_in_flight -= 1

    def _pass(self, now: float) -> None:
        if self._changed_at is not None:
            self.in_flight_seconds += self.calls_in_flight * (now - self._changed_at)
        self._changed_at = now

    def start_steps(self, clocks: list[int], frontier: int) -> None:
        """Count steps that are started now."""
        self.lead_count += len(clocks)
        self.lead_sum += sum(clocks) - frontier * len(clocks)
        self.lead_max = max(self.lead_max, max(clocks) - frontier)
