"""The figures a synthetic town is calibrated on, and the same figures of any trace.

The published figures are those of AI Metropolis (arXiv 2411.03519, MLSys 2025), which replayed 40
simulated days of the 25-agent Generative Agents town. Figures that the paper prints are marked
"printed"; those read off its plots are marked "read off" and are good to about 1 % of the axis.
The shape of chains, walks and conversations, which the paper does not print, is that of the
recorded runs of the same town with 10 and 25 agents.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headway.trace.model import Trace

#: Agents in the town of the published figures.
TOWN_AGENTS = 25
#: Calls per hour of the day of 25 agents; read off figure 4c (one day). Hour 23 is not drawn
#: there: 800 continues the fall from 22 h and meets the 750 calls of hour 0.
CALLS_PER_HOUR: NDArray[np.float64] = np.array(
    [
        [750, 0, 0, 0, 70, 380, 970, 1820, 1780, 3210, 4200, 4940],
        [5550, 4270, 3520, 3470, 4230, 5300, 5030, 2850, 2360, 2260, 1850, 800],
    ],
    np.float64,
).ravel()
#: Calls per day of 25 agents; printed, the mean of 40 days.
CALLS_PER_DAY = 56_700
#: The drawn day is a little above the mean of the 40 days; this brings it nearer to the mean
#: while every hour stays within a few per cent of the figure.
LEVEL = 0.97
#: Mean tokens of a call; printed.
PROMPT_TOKENS = 642.6
OUTPUT_TOKENS = 21.9
#: Agents an agent depends on, itself included; printed.
DEPENDENCY = 1.85
#: Mean calls in flight when 25 agents run a whole day in lock-step; printed.2.
LOCKSTEP_PARALLELISM = 1.94
#: Time of all calls one after another over the longest dependent chain; read off figure 4a
#: (92,500 s and 18,680 s). Nothing here is fitted to it: it checks the rest.
CRITICAL_PARALLELISM = 4.95
#: Traces of more agents are not asked for their longest chain: that takes too long.
CRITICAL_AGENTS_MOST = 100
#: Chain lengths at the quantiles 0.5, 0.9, 0.99; recorded runs: 1-2, 8, 35-38.
CHAIN_QUANTILES = (0.5, 0.9, 0.99)
CHAIN_LENGTHS = (2, 8, 37)
#: Share of awake agent-steps in which the agent changes tile; recorded runs: 0.17-0.24.
MOVING_SHARE = (0.17, 0.24)
#: Distance within which an agent sees others, and within which recorded conversations start.
SIGHT = 4
TALKING_DISTANCE = 8

#: Seconds a lone call takes per prompt token and per output token (8B model, one L4).
SECONDS_PER_PROMPT_TOKEN = 0.00016
SECONDS_PER_OUTPUT_TOKEN = 0.070


@dataclass(frozen=True)
class Figures:
    """What `measure` found; the words are those of the targets in this module.

    Attributes
    ----------
    calls_per_hour : float64 (24,)
        Calls of 25 agents in each hour of the day; not a number where the trace has no step.
    calls_per_day : float
        Calls of 25 agents in 24 hours at the mean rate of the trace.
    prompt_tokens, output_tokens : float
        Means over calls.
    dependency : float
        1 + mean number of other agents within `SIGHT` (Chebyshev), every sixth step.
    chain_lengths : tuple of float
        Calls per agent-step that makes any, at `CHAIN_QUANTILES`.
    moving_share : float
        Share of awake agent-steps that change the tile. A trace does not say who is awake; an
        agent counts as awake from its first to its last move of each simulated day.
    lockstep_parallelism : float
        Time of all calls one after another, over the time when each step takes as long as its
        slowest agent; with the lone latencies of this module.
    critical_parallelism : float
        The same over the longest dependent chain: an agent waits for those it sees. Not a number
        beyond `CRITICAL_AGENTS_MOST` agents.
    talking_distance : int
        Largest distance (Chebyshev) of a call's agent to its partner.
    """

    calls_per_hour: NDArray[np.float64]
    calls_per_day: float
    prompt_tokens: float
    output_tokens: float
    dependency: float
    chain_lengths: tuple[float, ...]
    moving_share: float
    lockstep_parallelism: float
    critical_parallelism: float
    talking_distance: int

    def table(self) -> str:
        """Return the targets beside the measured figures, one line each."""
        rows: list[tuple[str, str, str]] = [
            (f"calls in hour {h:2d}", f"{aim:.0f}", f"{found:.0f}")
            for h, (aim, found) in enumerate(zip(CALLS_PER_HOUR, self.calls_per_hour, strict=True))
        ]
        rows += [
            ("calls per day", f"{CALLS_PER_DAY}", f"{self.calls_per_day:.0f}"),
            ("prompt tokens", f"{PROMPT_TOKENS}", f"{self.prompt_tokens:.1f}"),
            ("output tokens", f"{OUTPUT_TOKENS}", f"{self.output_tokens:.2f}"),
            ("agents depended on", f"{DEPENDENCY}", f"{self.dependency:.2f}"),
            (
                "parallelism, lock-step",
                f"{LOCKSTEP_PARALLELISM}",
                f"{self.lockstep_parallelism:.2f}",
            ),
            ("parallelism, at most", f"{CRITICAL_PARALLELISM}", f"{self.critical_parallelism:.2f}"),
            ("moving share", "{}-{}".format(*MOVING_SHARE), f"{self.moving_share:.3f}"),
            ("talking distance", f"<= {TALKING_DISTANCE}", f"{self.talking_distance}"),
        ]
        rows += [
            (f"chain length, quantile {q}", f"{aim}", f"{found:.0f}")
            for q, aim, found in zip(
                CHAIN_QUANTILES, CHAIN_LENGTHS, self.chain_lengths, strict=True
            )
        ]
        lines = [("figure", "target", "measured"), *rows]
        return "\n".join(f"{a:<28}{b:>12}{c:>12}" for a, b, c in lines)


def measure(trace: Trace) -> Figures:
    """Compute the calibration figures of any trace whose positions are in tiles."""
    calls = trace.calls
    lengths = np.diff(_chain_begins(trace), append=len(calls))
    talking = np.flatnonzero(calls.partner >= 0)
    here = trace.positions[calls.step[talking], calls.agent[talking]]
    there = trace.positions[calls.step[talking], calls.partner[talking]]
    hourly, daily = _call_rates(trace)
    quantiles = np.quantile(lengths, CHAIN_QUANTILES) if len(lengths) else np.zeros(3)
    return Figures(
        calls_per_hour=hourly,
        calls_per_day=daily,
        prompt_tokens=float(calls.prompt_tokens.mean()) if len(calls) else 0.0,
        output_tokens=float(calls.output_tokens.mean()) if len(calls) else 0.0,
        dependency=1.0 + _mean_neighbours(trace),
        chain_lengths=tuple(float(q) for q in quantiles),
        moving_share=_moving_share(trace),
        lockstep_parallelism=_lockstep_parallelism(trace),
        critical_parallelism=_critical_parallelism(trace),
        talking_distance=int(np.abs(here - there).max(initial=0)),
    )


def _chain_begins(trace: Trace) -> NDArray[np.int64]:
    """Return the first row of each chain; calls are sorted by step and agent."""
    step, agent = trace.calls.step, trace.calls.agent
    new = np.ones(len(step), bool)
    new[1:] = (step[1:] != step[:-1]) | (agent[1:] != agent[:-1])
    return np.flatnonzero(new)


def _seconds(trace: Trace) -> NDArray[np.float64]:
    """Return the simulated second of the day-count at which each step starts."""
    start = datetime.fromisoformat(trace.meta.start)
    first = start.hour * 3600 + start.minute * 60 + start.second
    seconds = first + np.arange(trace.n_steps) * trace.meta.seconds_per_step
    return seconds.astype(np.float64)


def _call_rates(trace: Trace) -> tuple[NDArray[np.float64], float]:
    """Return the calls of 25 agents in each hour of the day, and in 24 hours."""
    per_step = np.bincount(trace.calls.step, minlength=trace.n_steps)
    hour = (_seconds(trace) // 3600 % 24).astype(np.int64)
    steps = np.bincount(hour, minlength=24).astype(np.float64)
    calls = np.bincount(hour, weights=per_step, minlength=24)
    scale = TOWN_AGENTS / trace.n_agents * 3600 / trace.meta.seconds_per_step
    hourly = np.full(24, np.nan)
    np.divide(calls * scale, steps, out=hourly, where=steps > 0)
    return hourly, float(24 * per_step.mean() * scale)


def _latencies(trace: Trace) -> NDArray[np.float64]:
    """Return how long each call takes when it is alone."""
    c = trace.calls
    prefill = SECONDS_PER_PROMPT_TOKEN * c.prompt_tokens.astype(np.float64)
    return prefill + SECONDS_PER_OUTPUT_TOKEN * c.output_tokens.astype(np.float64)


def _lockstep_parallelism(trace: Trace) -> float:
    """Return serial time over lock-step time, both without waiting for hardware."""
    if not len(trace.calls):
        return 0.0
    latency, begins = _latencies(trace), _chain_begins(trace)
    slowest = np.zeros(trace.n_steps)
    np.maximum.at(slowest, trace.calls.step[begins], np.add.reduceat(latency, begins))
    return float(latency.sum() / slowest.sum())


def _critical_parallelism(trace: Trace) -> float:
    """Return serial time over the longest chain of steps that wait for each other."""
    if not len(trace.calls) or trace.n_agents > CRITICAL_AGENTS_MOST:
        return math.nan if len(trace.calls) else 0.0
    latency, begins = _latencies(trace), _chain_begins(trace)
    busy = np.zeros((trace.n_steps, trace.n_agents))
    busy[trace.calls.step[begins], trace.calls.agent[begins]] = np.add.reduceat(latency, begins)
    world = trace.agents.world
    together = world[:, None] == world
    done = np.zeros(trace.n_agents)
    for here, seconds in zip(trace.positions, busy, strict=False):
        apart = np.abs(here[:, None] - here)
        seen = together & (apart.max(axis=2) <= SIGHT)
        done = np.where(seen, done, 0.0).max(axis=1) + seconds
    return float(latency.sum() / done.max())


def _moving_share(trace: Trace) -> float:
    """Return the share of awake agent-steps in which the tile changes."""
    day = (_seconds(trace) // 86_400).astype(np.int64)
    moved = awake = 0
    for d in range(int(day[0]), int(day[-1]) + 1):
        rows = np.flatnonzero(day == d)
        part = trace.positions[rows[0] : rows[-1] + 2]
        moves = (part[1:] != part[:-1]).any(axis=2)
        some = moves.any(axis=0)
        first = moves.argmax(axis=0)
        last = len(rows) - 1 - moves[::-1].argmax(axis=0)
        moved += int(moves.sum())
        awake += int((last - first + 1)[some].sum())
    return moved / awake if awake else 0.0


def _mean_neighbours(trace: Trace, every: int = 6, rows_at_once: int = 2_000_000) -> float:
    """Return the mean number of others of the same world within `SIGHT`, at every sixth step."""
    sampled = np.arange(0, trace.n_steps, every)
    batch = max(1, rows_at_once // trace.n_agents)
    pairs = 0
    for begin in range(0, len(sampled), batch):
        places = trace.positions[sampled[begin : begin + batch]]
        pairs += _pairs_within_sight(places, trace.agents.world)
    return 2 * pairs / (len(sampled) * trace.n_agents)


def _pairs_within_sight(places: NDArray[Any], world: NDArray[np.int32]) -> int:
    """Count the pairs within sight, over all steps of `places` (k, n, 2)."""
    x, y = (places[..., i].ravel() for i in (0, 1))
    group = (np.arange(len(places))[:, None] * (int(world.max()) + 1) + world).ravel()
    order = np.lexsort((x, group))
    x, y, group = x[order], y[order], group[order]
    pairs = 0
    for shift in range(1, len(x)):
        # In this order the rows within sight in x follow each other: stop when none is left.
        near = (group[shift:] == group[:-shift]) & (x[shift:] - x[:-shift] <= SIGHT)
        if not near.any():
            break
        pairs += int((np.abs(y[shift:] - y[:-shift])[near] <= SIGHT).sum())
    return pairs
