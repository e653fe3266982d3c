"""A trace in memory: who was where at every step, and which LLM calls each step made.

Words as in DESIGN section 1: a step is one tick of simulated time; the position at step `t` is
where an agent stands at the *start* of step `t`; the calls of one agent in one step form a chain
(each is made after the answer to the one before it).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.errors import TraceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

#: Where the knowledge of a call comes from, from the firmest to the weakest.
BASES = ("recorded", "memory-node", "chat-text", "inferred", "synthetic")


@dataclass(frozen=True, eq=False)
class Agents:
    """The agents of a trace; row `i` is agent `i`.

    An agent executes the steps `first_step <= t < last_step`. Agents of different worlds are
    infinitely far apart. `follows[i]` is the agent whose life agent `i` goes on with (it jumped, so
    it left and joined again as another), or -1; it cannot act before that one has left.
    """

    names: tuple[str, ...]
    world: NDArray[np.int32]
    first_step: NDArray[np.int32]
    last_step: NDArray[np.int32]
    follows: NDArray[np.int32]

    def __len__(self) -> int:
        """Count the agents."""
        return len(self.names)


@dataclass(frozen=True, eq=False)
class Calls:
    """The LLM calls of a trace as columns of equal length, sorted by (step, agent).

    Rows with the same step and agent stand in the order in which that agent made them.

    Attributes
    ----------
    step, agent : int32 (m,)
    function : int16 (m,)
        Index into `functions`, the prompt function's name.
    prompt_tokens, output_tokens : int32 (m,)
        At least 1 each.
    partner : int32 (m,)
        The other agent a call is about (a conversation), or -1.
    basis : int8 (m,)
        Index into `BASES`: whether the call was recorded or inferred, and from what.
    """

    step: NDArray[np.int32]
    agent: NDArray[np.int32]
    function: NDArray[np.int16]
    prompt_tokens: NDArray[np.int32]
    output_tokens: NDArray[np.int32]
    partner: NDArray[np.int32]
    basis: NDArray[np.int8]
    functions: tuple[str, ...]

    def __len__(self) -> int:
        """Count the calls."""
        return len(self.step)

    def take(self, rows: NDArray[Any], **columns: NDArray[Any]) -> Calls:
        """Return the given rows (indices or mask), with some columns replaced by new values."""
        kept = {name: getattr(self, name)[rows] for name in CALL_COLUMNS}
        kept.update(columns)
        return Calls(functions=self.functions, **kept)

    @staticmethod
    def from_columns(
        *,
        step: Sequence[int] | NDArray[Any],
        agent: Sequence[int] | NDArray[Any],
        function: Sequence[str] | NDArray[Any],
        prompt_tokens: Sequence[int] | NDArray[Any],
        output_tokens: Sequence[int] | NDArray[Any],
        partner: Sequence[int] | NDArray[Any] | None = None,
        basis: str | Sequence[str] | NDArray[Any] = "recorded",
    ) -> Calls:
        """Build the table from plain columns; sorts by (step, agent) and keeps chain order.

        `function` and `basis` are names; `basis` may be one name for all rows.
        """
        steps = np.asarray(step, np.int32)
        agents = np.asarray(agent, np.int32)
        order = np.lexsort((np.arange(len(steps)), agents, steps))
        names, codes = np.unique(np.asarray(function, dtype=np.str_), return_inverse=True)
        if isinstance(basis, str):
            bases = np.full(len(steps), BASES.index(basis), np.int8)
        else:
            bases = np.fromiter((BASES.index(b) for b in basis), np.int8, len(steps))
        partners = np.full(len(steps), -1, np.int32) if partner is None else partner
        return Calls(
            step=steps[order],
            agent=agents[order],
            function=codes.astype(np.int16)[order],
            prompt_tokens=np.asarray(prompt_tokens, np.int32)[order],
            output_tokens=np.asarray(output_tokens, np.int32)[order],
            partner=np.asarray(partners, np.int32)[order],
            basis=bases[order],
            functions=tuple(str(n) for n in names),
        )


CALL_COLUMNS = ("step", "agent", "function", "prompt_tokens", "output_tokens", "partner", "basis")


@dataclass(frozen=True)
class Meta:
    """What a trace says about itself.

    Attributes
    ----------
    name : str
        Shown in tables.
    seconds_per_step : float
        Simulated seconds in one step.
    start : str
        Simulated date and time of step 0, ISO 8601.
    metric : str
        `chebyshev`, `manhattan` or `euclidean`: the one perception was in.
    wrap : (float, float) or None
        Size of the world where its borders are joined.
    sight, speed : float or None
        The footprint the agents had, in the unit of the positions, where it is known.
    time_breaks : tuple of int
        Steps at which the recorded clock jumps.
    source : str
        Where the data come from, for people.
    notes : tuple of str
        What a reader must know (calls are inferred, moves were clipped, ...).
    """

    name: str
    seconds_per_step: float = 10.0
    start: str = "1970-01-01T00:00:00"
    metric: str = "chebyshev"
    wrap: tuple[float, float] | None = None
    sight: float | None = None
    speed: float | None = None
    time_breaks: tuple[int, ...] = ()
    source: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Trace:
    """A recorded (or synthetic) run: agents, positions, calls, and what it says about itself.

    Attributes
    ----------
    positions : int32 or float64 (n_steps + 1, n_agents, 2)
        Place of each agent at the start of each step, and after the last one. An agent that has
        not joined yet is given the place where it will; one that has left keeps its last place.
    """

    meta: Meta
    agents: Agents
    positions: NDArray[Any]
    calls: Calls = field(repr=False)

    @property
    def n_steps(self) -> int:
        """Number of steps."""
        return len(self.positions) - 1

    @property
    def n_agents(self) -> int:
        """Number of agents."""
        return len(self.agents)

    @staticmethod
    def build(
        *,
        meta: Meta,
        names: Sequence[str],
        positions: NDArray[Any],
        calls: Calls,
        world: NDArray[Any] | None = None,
        first_step: NDArray[Any] | None = None,
        last_step: NDArray[Any] | None = None,
        follows: NDArray[Any] | None = None,
    ) -> Trace:
        """Make a trace from positions of any number type; by default all agents stay throughout."""
        n = len(names)
        steps = len(positions) - 1
        kind = np.float64 if np.issubdtype(positions.dtype, np.floating) else np.int32
        return Trace(
            meta=meta,
            agents=Agents(
                names=tuple(names),
                world=np.zeros(n, np.int32) if world is None else np.asarray(world, np.int32),
                first_step=(
                    np.zeros(n, np.int32)
                    if first_step is None
                    else np.asarray(first_step, np.int32)
                ),
                last_step=(
                    np.full(n, steps, np.int32)
                    if last_step is None
                    else np.asarray(last_step, np.int32)
                ),
                follows=(
                    np.full(n, -1, np.int32) if follows is None else np.asarray(follows, np.int32)
                ),
            ),
            positions=np.ascontiguousarray(positions, dtype=kind),
            calls=calls,
        )

    def window(self, first: int, last: int, *, name: str | None = None) -> Trace:
        """Cut out the steps `first <= t < last`; they become `0 .. last - first`.

        Agents that execute no step in the window are left out.

        Raises
        ------
        TraceError
            Where the window is empty or reaches beyond the trace.
        """
        if not 0 <= first < last <= self.n_steps:
            raise TraceError(
                f"{self.meta.name}: steps {first}:{last} do not lie within the trace, "
                f"which has the steps 0:{self.n_steps}"
            )
        here = np.flatnonzero((self.agents.first_step < last) & (self.agents.last_step > first))
        new_id = np.full(self.n_agents + 1, -1, np.int32)  # the last entry serves partner -1
        new_id[here] = np.arange(len(here), dtype=np.int32)
        c = self.calls
        rows = np.flatnonzero((c.step >= first) & (c.step < last))
        return Trace(
            meta=replace(
                self.meta,
                name=name or f"{self.meta.name}[{first}:{last}]",
                time_breaks=tuple(t - first for t in self.meta.time_breaks if first < t < last),
            ),
            agents=Agents(
                names=tuple(self.agents.names[i] for i in here),
                world=self.agents.world[here],
                first_step=np.maximum(self.agents.first_step[here] - first, 0).astype(np.int32),
                last_step=np.minimum(self.agents.last_step[here] - first, last - first).astype(
                    np.int32
                ),
                follows=new_id[self.agents.follows[here]],
            ),
            positions=np.ascontiguousarray(self.positions[first : last + 1, here]),
            calls=c.take(
                rows,
                step=c.step[rows] - np.int32(first),
                agent=new_id[c.agent[rows]],
                partner=new_id[c.partner[rows]],
            ),
        )

    @staticmethod
    def side_by_side(traces: Sequence[Trace], *, name: str) -> Trace:
        """Put traces of equal length next to each other as separate worlds of one trace.

        Raises
        ------
        TraceError
            Where they differ in length, step duration, metric or kind of position.
        """
        if not traces:
            raise TraceError(f"{name}: no trace to put side by side")
        head = traces[0]
        for other in traces[1:]:
            for what, mine, theirs in (
                ("number of steps", head.n_steps, other.n_steps),
                ("seconds per step", head.meta.seconds_per_step, other.meta.seconds_per_step),
                ("metric", head.meta.metric, other.meta.metric),
                ("wrap-around", head.meta.wrap, other.meta.wrap),
                ("kind of position", head.positions.dtype, other.positions.dtype),
            ):
                if mine != theirs:
                    raise TraceError(
                        f"{name}: {head.meta.name} and {other.meta.name} differ in {what} "
                        f"({mine} and {theirs}) and cannot stand side by side"
                    )
        functions = sorted({f for t in traces for f in t.calls.functions})
        code = {f: i for i, f in enumerate(functions)}
        columns: dict[str, list[NDArray[Any]]] = {c: [] for c in CALL_COLUMNS}
        world: list[NDArray[Any]] = []
        follows: list[NDArray[Any]] = []
        agents_before = worlds_before = 0
        for t in traces:
            c = t.calls
            recode = np.array([code[f] for f in c.functions] or [0], np.int16)
            for column in CALL_COLUMNS:
                values = getattr(c, column)
                if column == "function":
                    values = recode[values]
                elif column == "agent":
                    values = values + np.int32(agents_before)
                elif column == "partner":
                    values = np.where(values < 0, values, values + np.int32(agents_before))
                columns[column].append(values)
            world.append(t.agents.world + np.int32(worlds_before))
            former = t.agents.follows
            follows.append(np.where(former < 0, former, former + np.int32(agents_before)))
            agents_before += t.n_agents
            worlds_before += int(t.agents.world.max(initial=-1)) + 1
        merged = {column: np.concatenate(parts) for column, parts in columns.items()}
        order = np.lexsort((np.arange(len(merged["step"])), merged["agent"], merged["step"]))
        many = len(traces) > 1
        return Trace(
            meta=replace(
                head.meta,
                name=name,
                time_breaks=tuple(sorted({b for t in traces for b in t.meta.time_breaks})),
                source="; ".join(dict.fromkeys(t.meta.source for t in traces if t.meta.source)),
                notes=tuple(dict.fromkeys(n for t in traces for n in t.meta.notes)),
            ),
            agents=Agents(
                names=tuple(
                    f"{n} ({k})" if many else n
                    for k, t in enumerate(traces)
                    for n in t.agents.names
                ),
                world=np.concatenate(world).astype(np.int32),
                first_step=np.concatenate([t.agents.first_step for t in traces]),
                last_step=np.concatenate([t.agents.last_step for t in traces]),
                follows=np.concatenate(follows).astype(np.int32),
            ),
            positions=np.ascontiguousarray(np.concatenate([t.positions for t in traces], axis=1)),
            calls=Calls(functions=tuple(functions), **{k: v[order] for k, v in merged.items()}),
        )
