"""The door of this package: draw a trace of a synthetic town, or of many.

Chance comes from one seed. Each world has its own generators, keyed by (seed, world, day, purpose),
so a world does not depend on how many others there are, nor on which steps are asked for: a part
of the day is drawn exactly as it would be cut out of the whole day.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.errors import OptionError
from headway.generate import calibration
from headway.generate.calls import (
    Chains,
    due_chains,
    perception_weights,
    perceptions,
    together,
    write_calls,
)
from headway.generate.days import (
    HOUSES_PER_AGENT,
    MARK_MINUTES,
    begin_actions,
    block_at_marks,
    plan_day,
    settle,
)
from headway.generate.encounters import meet
from headway.generate.prompts import FUNCTIONS
from headway.generate.town import HOUSES, PLOT_COLUMNS, PLOT_ROWS, Town
from headway.generate.walks import act, fill_positions
from headway.trace.model import BASES, Agents, Calls, Meta, Trace

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.random import Generator
    from numpy.typing import NDArray

    from headway.generate.days import Day

LAYOUTS = ("towns", "one-town")
#: The first simulated midnight.
MIDNIGHT = datetime(2023, 2, 13)
#: Steps of these many seconds: a tile a step must still be a walk, and a minute a whole number.
STEP_SECONDS = (1, 2, 3, 4, 5, 6, 10)
#: More agents than this find no house on their map.
AGENTS_PER_TOWN_MOST = int(len(HOUSES) / HOUSES_PER_AGENT)
#: Chains spelled out at once; bounds the temporary memory.
CHAINS_AT_ONCE = 250_000
#: Purposes of the generators of a world.
_SETTLE, _PLAN, _BEGIN, _MEET, _ACT, _CHAINS, _HOUR = range(7)


@dataclass(frozen=True)
class _World:
    """One world to draw: its map, its agents, its steps, and the key of its chance."""

    town: Town
    number: int
    agents: int
    agents_per_district: int
    seed: int
    step_seconds: int

    @property
    def steps_per_minute(self) -> int:
        return 60 // self.step_seconds

    @property
    def steps_per_day(self) -> int:
        return 24 * 60 * self.steps_per_minute

    def chance(self, *key: int) -> Generator:
        """Return the generator for a day (or -1), a purpose, and maybe an hour."""
        spawn = (self.number, *(k + 1 for k in key))
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=spawn))


def generate_town(
    *,
    agents: int = 25,
    steps: int = 8640,
    start_step: int = 0,
    start_hour: float | None = None,
    seconds_per_step: int = 10,
    seed: int = 0,
    agents_per_town: int = 25,
    layout: str = "towns",
    name: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Trace:
    """Draw a trace of one or more synthetic towns, calibrated on published figures.

    Parameters
    ----------
    agents, steps : int
        Size of the trace; at least 1 each. The last town may be a small one.
    start_step : int
        Step of the simulation, counted from midnight of its first day, that becomes step 0.
    start_hour : float, optional
        The same in hours of the first day, 0 <= start_hour < 24; instead of `start_step`.
    seconds_per_step : int
        1, 2, 3, 4, 5, 6 or 10. Calibrated with 10; calls per hour hold for all of them.
    seed : int
        The only source of chance: equal arguments give identical arrays.
    agents_per_town : int
        Agents on each map of 140 x 100 tiles, at most 100; calibrated with 25.
    layout : str
        `towns`: every `agents_per_town` agents are a world of their own. `one-town`: one world,
        whose map grows with the number of agents (constant density), and whose agents also work
        and meet in the districts beside their own.
    name : str, optional
        Name of the trace.
    progress : callable, optional
        Called with (worlds done, worlds) after each world.

    Raises
    ------
    OptionError
        Where an argument is out of its range.
    """
    start = _first_step(start_step, start_hour, seconds_per_step)
    _check(agents, steps, seed, agents_per_town, layout)
    worlds = _worlds(agents, agents_per_town, layout, seed, seconds_per_step)
    positions = np.empty((steps + 1, agents, 2), np.int32)
    tables = _draw_all(worlds, start, steps, positions, progress)
    sizes = [w.agents for w in worlds]
    return Trace(
        meta=_meta(
            name=name or f"synthetic-{agents}",
            start=start,
            seconds_per_step=seconds_per_step,
            seed=seed,
            layout=layout,
        ),
        agents=Agents(
            names=_names(sizes),
            world=np.repeat(np.arange(len(worlds), dtype=np.int32), sizes),
            follows=np.full(agents, -1, np.int32),
            first_step=np.zeros(agents, np.int32),
            last_step=np.full(agents, steps, np.int32),
        ),
        positions=positions,
        calls=_call_table(tables, agents),
    )


def _check(agents: int, steps: int, seed: int, agents_per_town: int, layout: str) -> None:
    """Refuse arguments out of range."""
    for what, value, least in (("agents", agents, 1), ("steps", steps, 1), ("seed", seed, 0)):
        if value < least:
            raise OptionError(f"generate_town: {what} must be at least {least}, not {value}")
    if not 1 <= agents_per_town <= AGENTS_PER_TOWN_MOST:
        raise OptionError(
            f"generate_town: agents_per_town must lie between 1 and {AGENTS_PER_TOWN_MOST} (a map "
            f"has no more houses), not {agents_per_town}"
        )
    if layout not in LAYOUTS:
        raise OptionError(
            f"generate_town: unknown layout {layout!r}; choose one of {', '.join(LAYOUTS)}"
        )


def _first_step(start_step: int, start_hour: float | None, seconds_per_step: int) -> int:
    """Return the step of the simulation that becomes step 0 of the trace."""
    if seconds_per_step not in STEP_SECONDS:
        raise OptionError(
            f"generate_town: seconds_per_step must be one of {', '.join(map(str, STEP_SECONDS))} "
            f"(agents walk one tile a step), not {seconds_per_step}"
        )
    if start_step < 0:
        raise OptionError(f"generate_town: start_step must not be negative, but is {start_step}")
    if start_hour is None:
        return start_step
    if start_step:
        raise OptionError(
            f"generate_town: give start_step ({start_step}) or start_hour ({start_hour}), not both"
        )
    if not 0 <= start_hour < 24:
        raise OptionError(
            f"generate_town: start_hour must be at least 0 and less than 24, not {start_hour}"
        )
    return round(start_hour * 3600 / seconds_per_step)


def _worlds(
    agents: int, agents_per_town: int, layout: str, seed: int, step_seconds: int
) -> list[_World]:
    """Split the agents into worlds."""
    if layout == "one-town":
        town, sizes = Town.of_districts(-(-agents // agents_per_town)), [agents]
    else:
        town = Town()
        sizes = [min(agents_per_town, agents - i) for i in range(0, agents, agents_per_town)]
    return [
        _World(
            town=town,
            number=number,
            agents=size,
            agents_per_district=agents_per_town,
            seed=seed,
            step_seconds=step_seconds,
        )
        for number, size in enumerate(sizes)
    ]


def _names(sizes: list[int]) -> tuple[str, ...]:
    """Name the agents; with the number of their world where there are several."""
    if len(sizes) == 1:
        return tuple(f"villager {i}" for i in range(sizes[0]))
    return tuple(f"villager {w}.{i}" for w, size in enumerate(sizes) for i in range(size))


def _draw_all(
    worlds: list[_World],
    start: int,
    steps: int,
    positions: NDArray[np.int32],
    progress: Callable[[int, int], None] | None,
) -> dict[str, list[NDArray[Any]]]:
    """Fill in all positions; return the columns of all call tables, with agents of the trace."""
    columns: dict[str, list[NDArray[Any]]] = {}
    before = np.int32(0)
    for done, world in enumerate(worlds, start=1):
        mine = positions[:, before : before + world.agents]
        for table in _draw(world, start, steps, mine):
            table["agent"] += before
            table["partner"] += np.where(table["partner"] >= 0, before, np.int32(0))
            for column, values in table.items():
                columns.setdefault(column, []).append(values)
        before += np.int32(world.agents)
        if progress is not None:
            progress(done, len(worlds))
    return columns


def _draw(
    world: _World, start: int, steps: int, positions: NDArray[np.int32]
) -> list[dict[str, NDArray[Any]]]:
    """Fill in the positions of one world and return its calls, in tables sorted by step."""
    per_day = world.steps_per_day
    tables: list[dict[str, NDArray[Any]]] = []
    for day in range(start // per_day, (start + steps - 1) // per_day + 1):
        begin = max(start - day * per_day, 0)
        end = min(start + steps - day * per_day, per_day)
        row = day * per_day + begin - start
        # One row more than steps: where agents stand after the last; the next day overwrites it.
        out = positions[row : row + end - begin + 1]
        for table in _draw_day(world, day, begin, end, out):
            table["step"] += np.int32(day * per_day - start)
            tables.append(table)
    return tables


def _draw_day(
    world: _World, day: int, begin: int, end: int, out: NDArray[np.int32]
) -> list[dict[str, NDArray[Any]]]:
    """Draw the steps `begin <= t < end` of one day: tiles into `out`, calls as tables by hour."""
    per_minute = world.steps_per_minute
    residents = settle(
        world.town, world.agents, world.agents_per_district, world.chance(-1, _SETTLE)
    )
    plan = plan_day(world.town, residents, per_minute, world.chance(day, _PLAN))
    blocks = block_at_marks(plan, per_minute)
    begun = begin_actions(plan, blocks, per_minute, world.chance(day, _BEGIN))
    met = meet(plan, blocks, per_minute, world.chance(day, _MEET))
    actions = act(
        town=world.town,
        who=residents,
        day=plan,
        met=met,
        begun=begun,
        rng=world.chance(day, _ACT),
    )
    fill_positions(out, world.town, actions, begin, world.agents)
    per_hour = 60 * per_minute
    hours = range(begin // per_hour, (end - 1) // per_hour + 1)
    within = (hours.start * per_hour, hours.stop * per_hour)
    due = due_chains(actions, met, day, within, world.chance(day, _CHAINS))
    tables = []
    for hour in hours:
        chance = world.chance(day, _HOUR, hour)
        bounds = np.array([hour * per_hour, (hour + 1) * per_hour], np.int32)
        known = due.take(np.arange(*np.searchsorted(due.step, bounds)))
        chains = _fill_hour(
            world=world, plan=plan, blocks=blocks, known=known, hour=hour, chance=chance
        )
        for low in range(0, len(chains.step), CHAINS_AT_ONCE):
            some = chains.take(np.arange(low, min(low + CHAINS_AT_ONCE, len(chains.step))))
            tables.append(_cut(write_calls(some, chance), begin, end))
    return tables


def _fill_hour(
    *,
    world: _World,
    plan: Day,
    blocks: NDArray[np.int8],
    known: Chains,
    hour: int,
    chance: Generator,
) -> Chains:
    """Add perceptions to the known chains of one hour until it has its published calls."""
    mark_steps = MARK_MINUTES * world.steps_per_minute
    marks_per_hour = 60 // MARK_MINUTES
    marks = slice(hour * marks_per_hour, (hour + 1) * marks_per_hour)
    rooms = world.town.across * world.town.down * PLOT_COLUMNS * PLOT_ROWS
    weights = perception_weights(plan, blocks, marks, rooms, mark_steps)
    made = int(known.lengths.sum())
    return together([known, perceptions(weights, hour, made, mark_steps, chance)])


def _cut(table: dict[str, NDArray[Any]], begin: int, end: int) -> dict[str, NDArray[Any]]:
    """Keep the calls of the steps asked for."""
    rows = slice(*np.searchsorted(table["step"], [begin, end]))
    return {column: values[rows].copy() for column, values in table.items()}


def _call_table(parts: dict[str, list[NDArray[Any]]], agents: int) -> Calls:
    """Merge the tables of all worlds; drops each part as soon as it is copied, to save memory."""
    columns: dict[str, NDArray[Any]] = {}
    step, agent = (np.concatenate(parts.pop(column)) for column in ("step", "agent"))
    order = np.argsort(step.astype(np.int64) * agents + agent, kind="stable")
    columns["step"], columns["agent"] = step[order], agent[order]
    for column in list(parts):
        columns[column] = np.concatenate(parts.pop(column))[order]
    basis = np.full(len(order), BASES.index("synthetic"), np.int8)
    return Calls(**columns, basis=basis, functions=FUNCTIONS)


def _meta(*, name: str, start: int, seconds_per_step: int, seed: int, layout: str) -> Meta:
    """Say what the trace is, and that it was drawn, not recorded."""
    return Meta(
        name=name,
        seconds_per_step=float(seconds_per_step),
        start=(MIDNIGHT + timedelta(seconds=start * seconds_per_step)).isoformat(),
        metric="chebyshev",
        sight=float(calibration.SIGHT),
        speed=1.0,
        source=f"synthetic, seed {seed}",
        notes=(
            f"Synthetic ({layout}): no model was run and nobody was recorded.",
            "Calibrated on the published calls per hour, tokens per call, dependencies and "
            "lock-step parallelism of the 25-agent town of AI Metropolis (arXiv 2411.03519), and "
            "on the chains, walks and conversations of recorded runs of that town.",
        ),
    )
