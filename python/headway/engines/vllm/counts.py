"""What the engine counts: its requests, and what vLLM tells after each of its iterations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headway.engines.base import Answer


@dataclass(slots=True)
class Counts:
    """Counters of one engine; those from vLLM are 0 where it does not tell."""

    requests: int = 0
    aborted: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    preemptions: int = 0
    prefix_queries: int = 0
    prefix_hits: int = 0
    running_max: int = 0
    waiting_max: int = 0
    _running: dict[int, int] = field(default_factory=dict)
    _waiting: dict[int, int] = field(default_factory=dict)

    def answered(self, answer: Answer) -> None:
        """Count an answer."""
        self.prompt_tokens += answer.prompt_tokens
        self.output_tokens += answer.output_tokens
        self.cached_tokens += answer.cached_tokens or 0

    def logger(self, _vllm_config: object, rank: int = 0) -> RankLogger:
        """Return what vLLM calls after each iteration of a rank: a factory for `stat_loggers`."""
        return RankLogger(self, rank)

    def iteration(self, rank: int, scheduler: object, iteration: object) -> None:
        """Count what vLLM tells about one iteration; its fields may be missing in some versions."""
        if scheduler is not None:
            self._running[rank] = getattr(scheduler, "num_running_reqs", 0)
            self._waiting[rank] = getattr(scheduler, "num_waiting_reqs", 0)
            self.running_max = max(self.running_max, sum(self._running.values()))
            self.waiting_max = max(self.waiting_max, sum(self._waiting.values()))
            prefix = getattr(scheduler, "prefix_cache_stats", None)
            self.prefix_queries += getattr(prefix, "queries", 0)
            self.prefix_hits += getattr(prefix, "hits", 0)
        self.preemptions += getattr(iteration, "num_preempted_reqs", 0)


class RankLogger:
    """Hands what vLLM tells about one rank on to `Counts`."""

    def __init__(self, counts: Counts, rank: int) -> None:
        self._counts = counts
        self._rank = rank

    def record(
        self,
        scheduler_stats: object = None,
        iteration_stats: object = None,
        *_: object,
        **__: object,
    ) -> None:
        """Take the figures of one iteration."""
        self._counts.iteration(self._rank, scheduler_stats, iteration_stats)

    def log(self) -> None:
        """Do nothing: the figures are asked for."""

    def log_engine_initialized(self) -> None:
        """Do nothing."""

    def record_sleep_state(self, *_: object, **__: object) -> None:
        """Do nothing."""

    def record_admission_rejection(self, *_: object, **__: object) -> None:
        """Do nothing."""
