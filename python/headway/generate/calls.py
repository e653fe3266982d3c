"""Which calls each agent makes in each step.

What an agent must say follows from its day: a plan at midnight, a chain at every new action, a
long chain in the step in which it starts a conversation. The rest of an hour's published calls
are perceptions (and reflections they set off), made more often in company.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.generate.calibration import CALLS_PER_HOUR, LEVEL, TOWN_AGENTS
from headway.generate.days import ASLEEP, BED, MARK_MINUTES, WAKE
from headway.generate.prompts import (
    PIECE_BEGINS,
    PIECE_CALLS,
    PIECE_CODE,
    PIECE_FUNCTIONS,
    PIECES,
    draw_tokens,
)

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    from headway.generate.days import Day
    from headway.generate.encounters import Encounters
    from headway.generate.walks import Actions

#: Standard deviation of an hour's calls around the published number.
HOUR_SPREAD = 0.02
#: Hours for which the day plan asks, one call each; 20 make the plans of 25 agents 750 calls.
SCHEDULE_CALLS = (18, 22)
#: Chance that a new action decomposes the task first (opening a block; within one).
DECOMPOSE = (0.8, 0.12)
#: Events an agent perceives when it opens its eyes; attention ends at 8.
WAKING_EVENTS = (3, 8)
#: Utterances of a conversation: mostly all 16, else at least 6.
ALL_UTTERANCES, FULL_LENGTH_TALK, FEWEST_UTTERANCES = 16, 0.85, 6
#: Mean calls of a perception, and the most.
PERCEIVED, PERCEIVED_MOST = 1.6, 8
#: Share of an hour's calls in reflections, calls of one, its most thoughts, and the share of
#: waking and of talking agents that reflect.
REFLECT_SHARE, REFLECT_CALLS, THOUGHTS_MOST, REFLECT_AFTER = 0.055, 10, 5, 0.2
#: Share of perceptions to which an agent considers reacting.
REACT = 0.02
#: How much likelier a perception is per other agent in the room (at most 4), and in the minute's
#: first and second step, when the new actions of others come into view.
COMPANY = 0.5
STEP_OF_MINUTE = (0.8, 1.8, 0.9)


@dataclass(frozen=True)
class Chains:
    """Chains of one world and day: how often each piece occurs (m, pieces), and for whom."""

    step: NDArray[np.int32]
    agent: NDArray[np.int32]
    partner: NDArray[np.int32]
    pieces: NDArray[np.int16]

    def take(self, rows: NDArray[Any]) -> Chains:
        """Return some of the chains."""
        return Chains(self.step[rows], self.agent[rows], self.partner[rows], self.pieces[rows])

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Calls of each chain."""
        return self.pieces.astype(np.int64) @ PIECE_CALLS


def chains_of(
    *,
    agent: NDArray[Any],
    step: NDArray[Any],
    within: tuple[int, int],
    partner: NDArray[Any] | int = -1,
    **pieces: NDArray[Any] | int,
) -> Chains:
    """Make chains from the repetitions of some pieces (their names with underscores).

    Only those of the steps `within` are kept: a day of a large world has too many.
    """
    rows = np.flatnonzero((step >= within[0]) & (step < within[1]))
    counts = np.zeros((len(rows), len(PIECES)), np.int16)
    for name, repetitions in pieces.items():
        counts[:, PIECE_CODE[name.replace("_", " ")]] = np.broadcast_to(repetitions, len(step))[
            rows
        ]
    return Chains(
        step=step[rows].astype(np.int32),
        agent=agent[rows].astype(np.int32),
        partner=np.broadcast_to(partner, len(step))[rows].astype(np.int32),
        pieces=counts,
    )


def together(parts: list[Chains]) -> Chains:
    """Put chains in one table, sorted by (step, agent); those of one agent-step become one."""
    step = np.concatenate([p.step for p in parts])
    agent = np.concatenate([p.agent for p in parts])
    order = np.lexsort((agent, step))
    step, agent = step[order], agent[order]
    starts = np.ones(len(step), bool)
    starts[1:] = (step[1:] != step[:-1]) | (agent[1:] != agent[:-1])
    begins = np.flatnonzero(starts)
    partner = np.concatenate([p.partner for p in parts])[order]
    pieces = np.concatenate([p.pieces for p in parts])[order]
    if len(begins) < len(step):
        partner = np.maximum.reduceat(partner, begins)
        pieces = np.add.reduceat(pieces, begins, axis=0)
    return Chains(step[begins], agent[begins], partner, pieces)


def due_chains(
    actions: Actions, met: Encounters, day: int, within: tuple[int, int], rng: Generator
) -> Chains:
    """Return the chains that follow from a day's plans and encounters, in the steps `within`."""
    return together(
        [
            _day_plans(actions, day, within, rng),
            _new_actions(actions, within, rng),
            *_talks(met, within, rng),
        ]
    )


def _day_plans(actions: Actions, day: int, within: tuple[int, int], rng: Generator) -> Chains:
    """Return the chains of midnight: every agent plans its day, then goes on sleeping."""
    agent = actions.agent[actions.opens_block & (actions.block == ASLEEP)]
    hours = rng.integers(SCHEDULE_CALLS[0], SCHEDULE_CALLS[1] + 1, len(agent))
    return chains_of(
        agent=agent,
        step=np.zeros(len(agent), np.int32),
        within=within,
        wake_up=1,
        plan_day=int(day == 0),
        revise=4 * int(day > 0),
        schedule=hours - 3 * int(day > 0),
        act=1,
    )


def _new_actions(actions: Actions, within: tuple[int, int], rng: Generator) -> Chains:
    """Return the chains in which agents choose what to do next."""
    begun = np.flatnonzero(actions.chooses & (actions.step >= 0))
    opens = actions.opens_block[begun]
    wakes = opens & (actions.block[begun] == WAKE)
    k = len(begun)
    decompose = (rng.random(k) < np.where(opens, *DECOMPOSE)).astype(np.int16)
    decompose += opens & (rng.random(k) < DECOMPOSE[0] / 2)
    seen = rng.integers(WAKING_EVENTS[0], WAKING_EVENTS[1] + 1, k)
    reflects = wakes & (rng.random(k) < REFLECT_AFTER)
    return chains_of(
        agent=actions.agent[begun],
        step=actions.step[begun],
        within=within,
        perceive=np.where(wakes, seen, 0),
        decompose=decompose + wakes,
        act=1,
        **_reflection(reflects, rng),
    )


def _talks(met: Encounters, within: tuple[int, int], rng: Generator) -> list[Chains]:
    """Return the chains of refusals, of conversations, and of what the two think afterwards."""
    k = len(met.step)
    talk = met.talk
    short = rng.integers(FEWEST_UTTERANCES, ALL_UTTERANCES, k)
    utterances = np.where(rng.random(k) < FULL_LENGTH_TALK, ALL_UTTERANCES, short)
    asked = chains_of(
        agent=met.initiator,
        step=met.step,
        partner=met.partner,
        within=within,
        perceive=rng.integers(1, 3, k),
        decide_to_talk=1,
        utter=np.where(talk, utterances, 0),
        sum_up=talk,
        reschedule=2 * talk,
        **_reflection(talk & (rng.random(k) < REFLECT_AFTER), rng),
    )
    one, other, start, end = (a[talk] for a in (met.initiator, met.partner, met.step, met.end))
    return [
        asked,
        chains_of(agent=other, step=start + 1, partner=one, within=within, perceive_chat=1),
        chains_of(agent=one, step=end - 1, partner=other, within=within, look_back=1),
        chains_of(agent=other, step=end - 1, partner=one, within=within, look_back=1),
    ]


def _reflection(who: NDArray[np.bool_], rng: Generator) -> dict[str, NDArray[Any]]:
    """Return the pieces of a reflection for those who reflect."""
    thoughts = rng.integers(1, THOUGHTS_MOST + 1, len(who))
    return {"focus": who, "insight": 3 * who, "think": np.where(who, thoughts, 0)}


def perceptions(
    weights: NDArray[np.float32], hour: int, made: int, mark_steps: int, rng: Generator
) -> Chains:
    """Fill up one hour: perceptions of awake agents until the hour has its published calls.

    `weights` (agents, marks of the hour) says how likely each agent is to perceive something,
    `made` how many calls the hour has already.
    """
    n, marks = weights.shape
    wanted = CALLS_PER_HOUR[hour] * LEVEL * n / TOWN_AGENTS
    wanted *= 1 + HOUR_SPREAD * float(np.clip(rng.standard_normal(), -2, 2))
    reflections = max(0.0, min(wanted * REFLECT_SHARE, wanted - made) / REFLECT_CALLS)
    missing = max(0.0, wanted - made - reflections * REFLECT_CALLS)
    chains = min(_whole(missing / (PERCEIVED + REACT), rng), n * marks * mark_steps)
    steps_per_minute = mark_steps // MARK_MINUTES
    of_minute = np.full(steps_per_minute, STEP_OF_MINUTE[-1], np.float32)
    of_minute[:2] = STEP_OF_MINUTE[: len(of_minute[:2])]
    chance = weights[:, :, None] * np.tile(of_minute, MARK_MINUTES)
    # Smallest arrival times at these rates: a weighted draw without replacement.
    arrival = rng.standard_exponential(chance.shape, np.float32)
    np.divide(arrival, chance, out=arrival, where=chance > 0)
    arrival[chance <= 0] = np.inf
    del chance
    latest = np.partition(arrival, chains - 1, axis=None)[chains - 1] if chains else -1.0
    place = np.flatnonzero((arrival <= latest) & np.isfinite(arrival))[:chains]
    chains = len(place)
    agent, step = np.divmod(place, marks * mark_steps)
    seen = np.minimum(rng.geometric(1 / PERCEIVED, chains), PERCEIVED_MOST)
    reflects = rng.permutation(chains) < _whole(reflections, rng)
    return chains_of(
        agent=agent,
        step=step + hour * marks * mark_steps,
        within=(0, 24 * marks * mark_steps),
        perceive=seen,
        decide_to_react=rng.random(chains) < REACT,
        **_reflection(reflects, rng),
    )


def perception_weights(
    day: Day, blocks: NDArray[np.int8], marks: slice, rooms: int, mark_steps: int
) -> NDArray[np.float32]:
    """Return how likely each agent is to perceive something at each of the marks (n, marks)."""
    rows = np.arange(len(blocks))
    weights = np.zeros((len(blocks), marks.stop - marks.start), np.float32)
    for mark in range(marks.start, marks.stop):
        begin, block = np.int32(mark * mark_steps), blocks[:, mark]
        awake = (begin >= day.starts[:, WAKE]) & (begin + mark_steps <= day.starts[:, BED])
        there = awake & (day.settled[rows, block] <= begin)
        here = day.rooms[rows, block]
        others = np.bincount(here[there], minlength=rooms)[here] - 1
        company = np.where(there, np.minimum(others, 4), 1)  # on the way one meets people too
        weights[:, mark - marks.start] = np.where(awake, 0.5 + COMPANY * company, 0)
    return weights


def write_calls(chains: Chains, rng: Generator) -> dict[str, NDArray[Any]]:
    """Spell the chains out call by call; return the columns of a call table but `basis`."""
    counts = chains.pieces.ravel()
    piece = np.repeat(np.tile(np.arange(len(PIECES)), len(chains.step)), counts)
    chain = np.repeat(np.arange(len(chains.step)), chains.pieces.sum(axis=1))
    group_begins = np.repeat(np.cumsum(counts, dtype=np.int64) - counts, counts)
    repetition = np.arange(len(piece)) - group_begins
    calls = PIECE_CALLS[piece]
    within = np.arange(int(calls.sum())) - np.repeat(np.cumsum(calls) - calls, calls)
    function = PIECE_FUNCTIONS[np.repeat(PIECE_BEGINS[piece], calls) + within]
    row = np.repeat(chain, calls)
    social = np.isin(piece, SOCIAL)
    prompt, output = draw_tokens(function, np.repeat(repetition, calls), rng)
    return {
        "step": chains.step[row],
        "agent": chains.agent[row],
        "function": function,
        "prompt_tokens": prompt,
        "output_tokens": output,
        "partner": np.where(np.repeat(social, calls), chains.partner[row], np.int32(-1)),
    }


def _whole(number: float, rng: Generator) -> int:
    """Round up or down at random, so that the mean is `number`."""
    return int(number + rng.random())


#: Pieces that are about the partner of a chain.
SOCIAL = np.array(
    [PIECE_CODE[p] for p in ("perceive chat", "decide to talk", "utter", "sum up", "reschedule")]
    + [PIECE_CODE["look back"]]
)
