"""Everything that can be wrong with a trace in memory, each rule once.

`docs/trace-format.md` states the same rules for people who write traces from other languages.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.errors import TraceError
from headway.trace.limits import size_problem
from headway.trace.metric import GRID_LIMIT, METRICS, PLANE_LIMIT, moved
from headway.trace.model import BASES, CALL_COLUMNS, Trace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    #: A broken rule's mask over rows, and what to say about one of them.
    Rule = tuple[NDArray[np.bool_], Callable[[int], str]]

AGENT_COLUMNS = ("world", "first_step", "last_step", "follows")

#: The largest number of a world, as in the scheduler.
WORLD_MAX = 2**24 - 1
_NARROW: dict[str, type[np.generic]] = {
    "function": np.int16,
    "basis": np.int8,
}  # every other column is int32


@dataclass(frozen=True)
class Problem:
    """One rule that a trace breaks.

    Attributes
    ----------
    table : str
        `meta`, `agents`, `positions` or `calls`.
    where : str
        The first place where the rule is broken; empty where the whole table is meant.
    message : str
        The value found, the limit, and what to do.
    count : int
        In how many places the rule is broken.
    """

    table: str
    where: str
    message: str
    count: int = 1

    def __str__(self) -> str:
        """Say it in one line."""
        place = f"{self.table}, {self.where}" if self.where else self.table
        more = f" (and {self.count - 1} more like it)" if self.count > 1 else ""
        return f"{place}: {self.message}{more}"


def validate_trace(trace: Trace) -> None:
    """Check every rule of a trace.

    Raises
    ------
    TraceError
        With the first problem, and the number of others.
    """
    problems = find_problems(trace)
    if problems:
        raise TraceError(f"{trace.meta.name}: {summary(problems)}")


def summary(problems: Sequence[Problem]) -> str:
    """Name the first of some problems and count the others."""
    others = sum(p.count for p in problems[1:])
    tail = f"; {others} other problem{'s' if others > 1 else ''}" if others else ""
    return f"{problems[0]}{tail}"


def find_problems(trace: Trace) -> list[Problem]:
    """List the rules that a trace breaks, one entry for each rule, in a fixed order.

    Where columns differ in length or have a wrong type, only that is reported: nothing else can
    be read reliably then.
    """
    problems = list(_shape_problems(trace))
    if problems:
        return problems
    return [
        *_meta_problems(trace),
        *_agent_problems(trace),
        *_follower_problems(trace),
        *_position_problems(trace),
        *_call_problems(trace),
    ]


def _shape_problems(trace: Trace) -> Iterator[Problem]:
    n = trace.n_agents
    if n == 0:
        yield Problem("agents", "", "there is no agent; at least 1 is needed")
    for column in AGENT_COLUMNS:
        yield from _column_problems("agents", column, getattr(trace.agents, column), np.int32, n)
    m = len(trace.calls.step)
    for column in CALL_COLUMNS:
        kind = _NARROW.get(column, np.int32)
        yield from _column_problems("calls", column, getattr(trace.calls, column), kind, m)
    places = trace.positions
    if places.dtype not in (np.dtype(np.int32), np.dtype(np.float64)):
        yield Problem(
            "positions", "", f"their type is {places.dtype}; int32 (grid) or float64 (plane) it is"
        )
    if places.ndim != 3 or places.shape[1:] != (n, 2):
        yield Problem(
            "positions",
            "",
            f"their shape is {places.shape}; (n_steps + 1, {n}, 2) is needed for {n} agents",
        )
    elif len(places) < 2:
        yield Problem("positions", "", "there is no step; at least 1 is needed")
    elif too_many := size_problem(n, trace.n_steps):
        yield Problem("positions", "", too_many)


def _column_problems(
    table: str, column: str, values: NDArray[Any], kind: type[np.generic], rows: int
) -> Iterator[Problem]:
    if values.dtype != np.dtype(kind):
        yield Problem(
            table, f"column {column}", f"its type is {values.dtype}; {np.dtype(kind)} is needed"
        )
    if values.shape != (rows,):
        yield Problem(
            table, f"column {column}", f"its shape is {values.shape}; ({rows},) is needed"
        )


def _meta_problems(trace: Trace) -> Iterator[Problem]:
    meta = trace.meta
    for what, text in (
        ("name", meta.name),
        ("source", meta.source),
        *(("notes", n) for n in meta.notes),
    ):
        if not _is_unicode(text):
            yield Problem("meta", what, f"{text!r} cannot be written as UTF-8")
    if not meta.name.strip():
        yield Problem("meta", "name", f"it is {meta.name!r}; give it one that can be read")
    if not 0 < meta.seconds_per_step < np.inf:
        yield Problem(
            "meta", "seconds_per_step", f"{meta.seconds_per_step} is not a positive number"
        )
    try:
        datetime.fromisoformat(meta.start)
    except ValueError:
        yield Problem(
            "meta", "start", f"{meta.start!r} is not an ISO 8601 time such as 2023-02-13T06:00:00"
        )
    if meta.metric not in METRICS:
        yield Problem(
            "meta", "metric", f"{meta.metric!r} is unknown; the known ones are {', '.join(METRICS)}"
        )
    for what, value in (("sight", meta.sight), ("speed", meta.speed)):
        if value is not None and not 0 <= value < np.inf:
            yield Problem("meta", what, f"{value} is not a number of at least 0; leave it out")
    if meta.wrap is not None:
        yield from _wrap_problems(trace, meta.wrap)
    breaks = meta.time_breaks
    for before, step in zip((-1, *breaks), breaks, strict=False):
        if not before < step <= trace.n_steps:
            yield Problem(
                "meta",
                "time_breaks",
                f"step {step} does not lie between {before + 1} and {trace.n_steps}; "
                "list each break once, in growing order",
            )
            return


def _wrap_problems(trace: Trace, wrap: tuple[float, float]) -> Iterator[Problem]:
    limit = _limit(trace)
    if not all(0 < size <= limit for size in wrap):
        yield Problem(
            "meta",
            "wrap",
            f"{wrap} is not a size; both must be above 0 and at most {limit}, or leave wrap out",
        )
    elif _on_grid(trace) and any(size != int(size) for size in wrap):
        yield Problem("meta", "wrap", f"{wrap} is not whole, but the positions are on a grid")


def _agent_problems(trace: Trace) -> Iterator[Problem]:
    agents, steps = trace.agents, trace.n_steps
    yield from _first(
        _unreadable(agents.names),
        "agents",
        lambda i: (f"agent {i}", f"its name is {agents.names[i]!r}; give it one that can be read"),
    )
    yield from _first(
        _repeated(agents.names),
        "agents",
        lambda i: (_agent(trace, i), "an earlier agent has the same name; names must differ"),
    )
    yield from _first(
        (agents.world < 0) | (agents.world > WORLD_MAX),
        "agents",
        lambda i: (
            _agent(trace, i),
            f"it is in world {agents.world[i]}; worlds are numbered from 0 to {WORLD_MAX}",
        ),
    )
    yield from _first(
        (agents.first_step < 0)
        | (agents.first_step >= agents.last_step)
        | (agents.last_step > steps),
        "agents",
        lambda i: (
            _agent(trace, i),
            f"it is present in the steps {agents.first_step[i]}:{agents.last_step[i]}; they must "
            f"lie within 0:{steps}, the first one below the last",
        ),
    )


def _follower_problems(trace: Trace) -> Iterator[Problem]:
    agents = trace.agents
    former = agents.follows
    known = (former >= 0) & (former < trace.n_agents)
    of = np.where(known, former, 0)
    yield from _first(
        (former != -1) & ~known,
        "agents",
        lambda i: (_agent(trace, i), f"it follows agent {former[i]}, and there is none"),
    )
    yield from _first(
        known & (agents.last_step[of] > agents.first_step),
        "agents",
        lambda i: (
            _agent(trace, i),
            f"it joins in step {agents.first_step[i]}, before agent {former[i]}, which it "
            f"follows, leaves in step {agents.last_step[former[i]]}",
        ),
    )


def _position_problems(trace: Trace) -> Iterator[Problem]:
    places = trace.positions
    at = _place_finder(trace)
    wild = _either(~np.isfinite(places))
    yield from _first(wild, "positions", lambda i: (at(i)[0], f"{at(i)[1]} is not finite"))
    if wild.any():
        return
    limit = _limit(trace)
    yield from _first(
        _either((places > limit) | (places < -limit)),
        "positions",
        lambda i: (at(i)[0], f"{at(i)[1]} lies beyond {limit}; move the origin or change the unit"),
    )
    if trace.meta.wrap is not None and min(trace.meta.wrap) > 0:
        size = np.asarray(trace.meta.wrap, np.float64)
        yield from _first(
            _either((places < 0) | (places >= size)),
            "positions",
            lambda i: (
                at(i)[0],
                f"{at(i)[1]} lies outside the world, which has the size {trace.meta.wrap} "
                "and begins at 0; take it modulo the size",
            ),
        )
    step = np.arange(trace.n_steps)[:, None]
    absent = (step < trace.agents.first_step) | (step >= trace.agents.last_step)
    yield from _first(
        moved(places) & absent,
        "positions",
        lambda i: (
            at(i)[0],
            "it moves in this step but is not present; before its first step it has the place "
            "where it joins, after its last one the place where it left",
        ),
    )


def _call_problems(trace: Trace) -> Iterator[Problem]:
    c, n = trace.calls, trace.n_agents
    yield from _first(
        _unreadable(c.functions) | _repeated(c.functions),
        "calls",
        lambda i: (
            f"function {i}",
            f"its name is {c.functions[i]!r}; each needs one that can be read, of its own",
        ),
    )
    key = c.step.astype(np.int64) * 2**32 + c.agent
    rules: list[Rule] = [
        (
            (c.step < 0) | (c.step >= trace.n_steps),
            lambda i: f"the trace has the steps 0:{trace.n_steps}",
        ),
        ((c.agent < 0) | (c.agent >= n), lambda i: f"the trace has the agents 0:{n}"),
        (
            np.r_[False, key[1:] < key[:-1]] if len(c) else np.zeros(0, np.bool_),
            lambda i: "it comes after a later one; sort by step, then agent",
        ),
        (c.prompt_tokens < 1, lambda i: f"prompt_tokens is {c.prompt_tokens[i]}, not at least 1"),
        (c.output_tokens < 1, lambda i: f"output_tokens is {c.output_tokens[i]}, not at least 1"),
        (
            (c.partner < -1) | (c.partner >= n),
            lambda i: f"partner is {c.partner[i]}; an agent 0:{n} it is, or -1 for none",
        ),
        (c.partner == c.agent, lambda i: "partner is the agent itself; use -1 for none"),
        (
            (c.function < 0) | (c.function >= len(c.functions)),
            lambda i: f"function code {c.function[i]} is not within 0:{len(c.functions)}",
        ),
        (
            (c.basis < 0) | (c.basis >= len(BASES)),
            lambda i: f"basis code {c.basis[i]} is not within 0:{len(BASES)}",
        ),
        *_presence_rules(trace),
    ]
    for broken, explain in rules:
        yield from _first(broken, "calls", _about_call(trace, explain))


def _presence_rules(trace: Trace) -> Iterator[Rule]:
    c, agents = trace.calls, trace.agents
    known = (c.agent >= 0) & (c.agent < trace.n_agents)
    who = np.where(known, c.agent, 0)
    first, last = agents.first_step[who], agents.last_step[who]
    # A step outside the trace is reported by its own rule.
    known &= (c.step >= 0) & (c.step < trace.n_steps)
    yield (
        known & ((c.step < first) | (c.step >= last)),
        lambda i: f"the agent is present only in the steps {first[i]}:{last[i]}",
    )
    paired = known & (c.partner >= 0) & (c.partner < trace.n_agents)
    other = np.where(paired, c.partner, 0)
    yield (
        paired & (agents.world[who] != agents.world[other]),
        lambda i: f"partner {other[i]} lives in another world; nothing passes between worlds",
    )


def _first(
    broken: NDArray[np.bool_], table: str, describe: Callable[[int], tuple[str, str]]
) -> Iterator[Problem]:
    """Report a rule once: its first offender, described by its flat index, and their number."""
    count = int(np.count_nonzero(broken))
    if count:
        where, message = describe(int(np.argmax(broken)))
        yield Problem(table, where, message, count)


def _either(axes: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell where x or y is marked; much faster than `any` along so short an axis."""
    return np.asarray(axes[..., 0] | axes[..., 1])


def _place_finder(trace: Trace) -> Callable[[int], tuple[str, str]]:
    """Return a function from a flat (step, agent) index to words for where and which place."""

    def find(flat: int) -> tuple[str, str]:
        step, agent = divmod(flat, trace.n_agents)
        x, y = trace.positions[step, agent].tolist()
        return f"step {step}, {_agent(trace, agent)}", f"({x}, {y})"

    return find


def _agent(trace: Trace, i: int) -> str:
    return f"agent {i} {trace.agents.names[i]!r}"


def _about_call(trace: Trace, explain: Callable[[int], str]) -> Callable[[int], tuple[str, str]]:
    return lambda row: (_call(trace, row), explain(row))


def _call(trace: Trace, row: int) -> str:
    step, agent = int(trace.calls.step[row]), int(trace.calls.agent[row])
    name = _agent(trace, agent) if 0 <= agent < trace.n_agents else f"agent {agent}"
    return f"row {row} (step {step}, {name})"


def _on_grid(trace: Trace) -> bool:
    return bool(np.issubdtype(trace.positions.dtype, np.integer))


def _unreadable(names: Sequence[str]) -> NDArray[np.bool_]:
    return np.array([not n.strip() or not _is_unicode(n) for n in names], np.bool_)


def _repeated(names: Sequence[str]) -> NDArray[np.bool_]:
    seen: dict[str, int] = {}
    return np.array([seen.setdefault(n, i) != i for i, n in enumerate(names)], np.bool_)


def _limit(trace: Trace) -> float:
    return GRID_LIMIT if _on_grid(trace) else PLANE_LIMIT


def _is_unicode(text: str) -> bool:
    """Tell whether a text can be written: half of a surrogate pair cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
