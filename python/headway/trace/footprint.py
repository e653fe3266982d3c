"""Does a trace keep to a footprint, and what to do with the moves that do not.

A schedule is only as safe as the footprint it is told: an agent that moves farther than `speed`
in one step can arrive where nobody expected it. So recorded moves are checked before a replay,
and those too long are refused, or taken for leaving and joining, or walked more slowly.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.errors import OptionError, TraceError
from headway.trace.metric import METRICS, distance, length, moved, offset, within, within_speed
from headway.trace.model import Agents, Calls, Trace

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: How many conversation calls beyond sight a report shows.
SHOWN = 5


@dataclass(frozen=True)
class Jump:
    """A move in step `step`: from the place at its start to the one at the start of the next.

    `limit` is the speed that `distance` exceeds.
    """

    step: int
    agent: int
    name: str
    distance: float
    origin: tuple[float, float]
    landing: tuple[float, float]
    limit: float


@dataclass(frozen=True)
class FarCall:
    """A call about a partner who stands beyond sight at the start of the step."""

    step: int
    agent: int
    partner: int
    function: str
    distance: float


@dataclass(frozen=True)
class FootprintReport:
    """How a trace relates to a footprint.

    Attributes
    ----------
    speed, sight : float
        The footprint asked about, in the unit of the positions.
    metric : str
        The metric that distances are measured in.
    jumps : tuple of Jump
        Every move farther than `speed` of an agent that is present, by step, then agent.
    time_breaks : tuple of int
        Steps at which the recorded clock jumps; jumps often stand there.
    partner_calls, far_calls : int
        Calls that have a partner, and those of them whose partner stands beyond `sight`. The
        latter are no error: the recorded agents may have seen farther.
    farthest : float
        Greatest distance of a caller and its partner; 0 where no call has one.
    first_far_calls : tuple of FarCall
        The first few of the far calls.
    """

    speed: float
    sight: float
    metric: str
    jumps: tuple[Jump, ...]
    time_breaks: tuple[int, ...]
    partner_calls: int
    far_calls: int
    farthest: float
    first_far_calls: tuple[FarCall, ...]

    @property
    def keeps(self) -> bool:
        """Whether no move is farther than `speed`."""
        return not self.jumps

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists, numbers and texts, ready to be written as JSON."""
        plain = asdict(self)
        plain["jumps"] = [_listed(jump) for jump in plain["jumps"]]
        plain["first_far_calls"] = list(plain["first_far_calls"])
        plain["time_breaks"] = list(self.time_breaks)
        return plain


def _listed(jump: dict[str, Any]) -> dict[str, Any]:
    return {k: list(v) if isinstance(v, tuple) else v for k, v in jump.items()}


def check_footprint(
    trace: Trace, *, speed: float, sight: float, metric: str | None = None
) -> FootprintReport:
    """Compare a trace with a footprint.

    Parameters
    ----------
    trace : Trace
        A valid one.
    speed, sight : float
        How far an agent moves in one step and how far it sees, in the unit of the positions.
    metric : str, optional
        Default: the metric of the trace.

    Raises
    ------
    TraceError
        Where the metric is unknown, or speed or sight is negative or not finite.
    """
    metric = _known(metric or trace.meta.metric)
    _limit("speed", speed)
    _limit("sight", sight)
    c, p = trace.calls, trace.positions
    step, agent = _find_jumps(trace, speed, metric)
    origin, landing = p[step, agent], p[step + 1, agent]
    far = distance(origin, landing, metric, trace.meta.wrap)
    rows = np.flatnonzero(c.partner >= 0)
    here, there = p[c.step[rows], c.agent[rows]], p[c.step[rows], c.partner[rows]]
    apart = distance(here, there, metric, trace.meta.wrap)
    beyond = np.flatnonzero(~within(here, there, sight, metric, trace.meta.wrap))
    return FootprintReport(
        speed=float(speed),
        sight=float(sight),
        metric=metric,
        jumps=tuple(
            Jump(s, a, trace.agents.names[a], d, (o[0], o[1]), (g[0], g[1]), float(speed))
            for s, a, d, o, g in zip(
                step.tolist(),
                agent.tolist(),
                far.tolist(),
                origin.tolist(),
                landing.tolist(),
                strict=True,
            )
        ),
        time_breaks=trace.meta.time_breaks,
        partner_calls=len(rows),
        far_calls=len(beyond),
        farthest=float(apart.max(initial=0.0)),
        first_far_calls=tuple(
            FarCall(
                step=int(c.step[rows[i]]),
                agent=int(c.agent[rows[i]]),
                partner=int(c.partner[rows[i]]),
                function=c.functions[c.function[rows[i]]],
                distance=float(apart[i]),
            )
            for i in beyond[:SHOWN]
        ),
    )


def resolve_jumps(
    trace: Trace, *, speed: float, on_jump: str = "error", metric: str | None = None
) -> Trace:
    """Return a trace in which no agent moves farther than `speed` in one step.

    Parameters
    ----------
    trace : Trace
        A valid one. It is returned as it is where no move is too long.
    speed : float
        How far an agent may move in one step, in the unit of the positions.
    on_jump : {"error", "split", "clip"}
        `error` refuses such a trace. `split` takes a jump for leaving and joining: the agent
        leaves with the step of the jump, and a new one, named `Ann Lee #2`, joins with the next
        step at the landing place and has all later calls. New agents get the indices after the
        last old one, by the step in which they join, then the index of the old agent. A jump in
        an agent's last step is only left out, for nobody would execute a step after it. `clip`
        lets the agent walk after its recorded place, at most `speed` a step, until it has
        caught up: on a plane in a straight line; on a grid along both axes at once (Chebyshev),
        x first and then y (Manhattan), or as near to the straight line as the tiles allow
        (Euclidean).
    metric : str, optional
        Default: the metric of the trace.

    Raises
    ------
    TraceError
        With `error`, naming the first jump; or where the metric or `on_jump` is unknown, or
        the speed is negative or not finite.
    """
    metric = _known(metric or trace.meta.metric)
    _limit("speed", speed)
    if on_jump not in ("error", "split", "clip"):
        raise OptionError(f"on_jump is {on_jump!r}; it must be 'error', 'split' or 'clip'")
    step, agent = _find_jumps(trace, speed, metric)
    if not len(step):
        return trace
    if on_jump == "error":
        raise TraceError(_refusal(trace, step, agent, speed, metric))
    if on_jump == "split":
        return _split(trace, step, agent, f"speed {speed:g} ({metric})")
    return _clip(trace, step, np.unique(agent), speed, metric)


def _find_jumps(
    trace: Trace, speed: float, metric: str
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return steps and agents of the moves farther than `speed`, by step, then agent."""
    present = _present(trace, np.arange(trace.n_steps)[:, None])
    step, agent = np.nonzero(moved(trace.positions) & present)
    p = trace.positions
    far = ~within_speed(p[step, agent], p[step + 1, agent], speed, metric, trace.meta.wrap)
    return step[far], agent[far]


def _present(trace: Trace, step: NDArray[np.intp]) -> NDArray[np.bool_]:
    return np.asarray((step >= trace.agents.first_step) & (step < trace.agents.last_step))


def _refusal(
    trace: Trace, step: NDArray[np.intp], agent: NDArray[np.intp], speed: float, metric: str
) -> str:
    t, a = int(step[0]), int(agent[0])
    origin, landing = trace.positions[t, a], trace.positions[t + 1, a]
    far = float(distance(origin, landing, metric, trace.meta.wrap))
    others = len(step) - 1
    more = f" {others} more move{'s are' if others > 1 else ' is'} too long." if others else ""
    return (
        f"{trace.meta.name}: agent {a} {trace.agents.names[a]!r} moves {far:g} in step {t}, from "
        f"{tuple(origin.tolist())} to {tuple(landing.tolist())}, farther than speed {speed:g} "
        f"({metric}).{more} "
        "Take each for leaving and joining with on_jump='split', or let the agent walk there "
        "with on_jump='clip'"
    )


def _split(trace: Trace, step: NDArray[np.intp], agent: NDArray[np.intp], limit: str) -> Trace:
    old, n, width = trace.agents, trace.n_agents, trace.n_steps + 1
    goes_on = step + 1 < old.last_step[agent]
    joins, parent = step[goes_on] + 1, agent[goes_on]
    # An agent's time falls into stretches between jumps: stretch i becomes agent i. Sorted by
    # key, those of one old agent stand together, so that a step is looked up by bisection.
    came_from = np.r_[np.arange(n), parent]
    key = came_from * width + np.r_[np.zeros(n, np.intp), joins]
    order = np.argsort(key)
    first = np.r_[old.first_step, joins].astype(np.int32)
    last = old.last_step[came_from]
    same = np.flatnonzero(came_from[order][1:] == came_from[order][:-1])
    last[order[same]] = first[order[same + 1]]
    # Each stretch goes on with the one before it; the first of an agent with the last of the agent
    # that one went on with.
    final = order[np.r_[np.flatnonzero(np.diff(came_from[order])), len(order) - 1]]
    follows = np.r_[final, -1][old.follows[came_from]]
    follows[order[same + 1]] = order[same]
    agents = Agents(
        names=(*old.names, *_new_names(old.names, parent)),
        world=old.world[came_from],
        first_step=first,
        last_step=last,
        follows=follows.astype(np.int32),
    )
    jumps = set(zip(agent.tolist(), (step + 1).tolist(), strict=True))
    landed = int(np.count_nonzero(~goes_on))
    note = (
        f"moves farther than {limit} taken for leaving and joining: {len(step)}; "
        f"agents added: {len(joins)}"
    )
    note += f"; moves left out because nobody acts after them: {landed}" if landed else ""
    c = trace.calls

    def owner(of: NDArray[np.int32]) -> NDArray[np.int32]:
        row = np.searchsorted(key[order], of.astype(np.int64) * width + c.step, side="right") - 1
        return np.where(of < 0, of, order[row]).astype(np.int32)

    return replace(
        trace,
        meta=replace(trace.meta, notes=(*trace.meta.notes, note)),
        agents=agents,
        positions=_split_positions(trace.positions, agents, came_from, jumps),
        calls=_sorted_calls(c, owner(c.agent), owner(c.partner)),
    )


def _new_names(names: tuple[str, ...], parents: NDArray[np.intp]) -> list[str]:
    taken, number, new = set(names), dict.fromkeys(names, 2), []
    for parent in parents.tolist():
        name = names[parent]
        while f"{name} #{number[name]}" in taken:
            number[name] += 1
        new.append(f"{name} #{number[name]}")
        taken.add(new[-1])
    return new


def _split_positions(
    old: NDArray[Any], agents: Agents, came_from: NDArray[np.intp], jumps: set[tuple[int, int]]
) -> NDArray[Any]:
    """Hold each agent where it joins before its stretch, and where it left after it.

    `jumps` holds the old agents that jump, each with the step at whose start it has landed.
    """
    new = old[:, came_from]
    for i, parent in enumerate(came_from.tolist()):
        first, last = int(agents.first_step[i]), int(agents.last_step[i])
        # A leaver ends where it stood before the jump; one that walked out, where it arrived.
        end = last - 1 if (parent, last) in jumps else last
        new[:first, i] = new[first, i]
        new[end + 1 :, i] = new[end, i]
    return new


def _sorted_calls(c: Calls, agent: NDArray[np.int32], partner: NDArray[np.int32]) -> Calls:
    order = np.lexsort((np.arange(len(c)), agent, c.step))
    return c.take(order, agent=agent[order], partner=partner[order])


def _clip(
    trace: Trace, jump_step: NDArray[np.intp], who: NDArray[np.intp], speed: float, metric: str
) -> Trace:
    wanted = trace.positions[:, who]
    walked = wanted.copy()
    last = trace.agents.last_step[who]
    jumps = np.unique(jump_step)
    step = int(jumps[0])
    while step < trace.n_steps:
        target = np.where((step < last)[:, None], wanted[step + 1], walked[step])
        walked[step + 1] = _towards(walked[step], target, speed, metric, trace.meta.wrap)
        step += 1
        if (walked[step] == wanted[step]).all():
            # Everybody has caught up: nothing differs until the next jump.
            ahead = np.searchsorted(jumps, step)
            step = int(jumps[ahead]) if ahead < len(jumps) else trace.n_steps
    positions = trace.positions.copy()
    positions[:, who] = walked
    present = _present(trace, np.arange(trace.n_steps)[:, None])[:, who]
    elsewhere = present & (walked != wanted).any(axis=2)[:-1]
    note = (
        f"moves farther than speed {speed:g} ({metric}) walked instead: {len(jump_step)}; "
        f"agent-steps that begin elsewhere than recorded: {np.count_nonzero(elsewhere)}"
    )
    meta = replace(trace.meta, notes=(*trace.meta.notes, note))
    return replace(trace, meta=meta, positions=positions)


def _towards(
    here: NDArray[Any],
    target: NDArray[Any],
    speed: float,
    metric: str,
    wrap: tuple[float, float] | None,
) -> NDArray[Any]:
    """Return the places one step of at most `speed` from `here` towards `target`, (k, 2) each."""
    arrived = within_speed(here, target, speed, metric, wrap)[:, None]
    way = offset(here, target, wrap)
    if np.issubdtype(here.dtype, np.integer):
        place = _wrapped(here + _grid_step(way, speed, metric), wrap)
        return np.where(arrived, target, place).astype(here.dtype)
    share = speed / np.where(arrived, 1.0, length(way, metric)[:, None])
    place = _wrapped(here + way * share, wrap)
    for power in range(-52, 1):
        # Rounding of the coordinates can carry a place beyond the bound; step back a little.
        beyond = ~within_speed(here, place, speed, metric, wrap)[:, None]
        if not beyond.any():
            break
        shorter = _wrapped(here + way * share * (1 - 2.0**power), wrap)
        place = np.where(beyond, shorter, place)
    return np.where(arrived, target, place)


def _grid_step(way: NDArray[np.float64], speed: float, metric: str) -> NDArray[np.float64]:
    """Return whole steps (k, 2) along `way`, never longer than `speed` or than the way itself."""
    reach = float(np.floor(speed))
    if metric == "chebyshev":
        return np.clip(way, -reach, reach)
    if metric == "manhattan":
        x = np.clip(way[:, 0], -reach, reach)
        rest = reach - np.abs(x)
        return np.stack([x, np.clip(way[:, 1], -rest, rest)], axis=1)
    share = np.minimum(speed / np.maximum(length(way, metric), 1.0), 1.0)
    step = np.trunc(way * share[:, None])
    # Truncation alone would leave a diagonal walker standing at speed 1: spend what is left of
    # the speed on the axis with the longer way.
    rows, axis = np.arange(len(way)), np.argmax(np.abs(way), axis=1)
    along, across = np.abs(way[rows, axis]), step[rows, 1 - axis]
    most = np.floor(np.sqrt(np.maximum(speed**2 - across**2, 0.0)))
    most -= np.sqrt(most**2 + across**2) > speed  # rounding may have made one tile too many
    step[rows, axis] = np.copysign(np.minimum(most, along), way[rows, axis])
    return step


def _wrapped(place: NDArray[Any], wrap: tuple[float, float] | None) -> NDArray[Any]:
    if wrap is None:
        return place
    inside = np.mod(place, np.asarray(wrap, np.float64))
    return np.where(inside >= wrap, 0.0, inside)  # a tiny negative number rounds up to the size


def _known(metric: str) -> str:
    if metric not in METRICS:
        raise TraceError(f"unknown metric {metric!r}; the known ones are {', '.join(METRICS)}")
    return metric


def _limit(what: str, value: float) -> None:
    if not 0 <= value < np.inf:
        raise TraceError(f"{what} is {value}; it must be a number of at least 0")
