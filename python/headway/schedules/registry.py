"""Schedules by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from headway._core import Scheduler
from headway.errors import OptionError
from headway.schedules.neighbours import Neighbours
from headway.schedules.oracle import Oracle
from headway.schedules.reference import Lockstep, Serial, Unconstrained

if TYPE_CHECKING:
    from collections.abc import Callable

    from headway.schedules.base import Schedule, Setting
    from headway.trace import Trace


@dataclass(frozen=True)
class Described:
    """A schedule's name, what it is in a line, and how to make one for a trace."""

    name: str
    what: str
    make: Callable[[Trace, Setting], Schedule]


def _core(rule: str) -> Callable[[Trace, Setting], Schedule]:
    def make(trace: Trace, setting: Setting) -> Schedule:
        return Scheduler(
            trace.positions[0],
            sight=setting.sight,
            speed=setting.speed,
            reach=setting.reach,
            metric=setting.metric,
            wrap=setting.wrap,
            rule=rule,
            worlds=trace.agents.world,
            story_capacity=0,
        )

    return make


def _oracle(trace: Trace, setting: Setting) -> Schedule:
    near = Neighbours(trace, sight=setting.sight, metric=setting.metric, wrap=setting.wrap)
    return Oracle(trace, near)


#: All schedules a trace can be replayed under, slowest first.
SCHEDULES = {
    described.name: described
    for described in (
        Described(
            "serial", "one agent at a time, one call at a time", lambda t, _: Serial(t.n_agents)
        ),
        Described(
            "lockstep",
            "a barrier after every step; the baseline",
            lambda t, _: Lockstep(t.n_agents),
        ),
        Described(
            "metropolis",
            "the published rule: clusters, world changed in place",
            _core("compatibility"),
        ),
        Described(
            "conservative", "Headway's rule: versioned world, no clusters", _core("conservative")
        ),
        Described("oracle", "knows the trace; not attainable online", _oracle),
        Described(
            "unconstrained",
            "no waiting between agents; the hardware's limit",
            lambda t, _: Unconstrained(t.n_agents),
        ),
    )
}


def make_schedule(name: str, trace: Trace, setting: Setting) -> Schedule:
    """Make the schedule of this name for a trace.

    Raises
    ------
    OptionError
        If there is none; the message lists the names.
    SchedulerError
        If the trace or the setting does not fit.
    """
    if name not in SCHEDULES:
        raise OptionError(f"no schedule {name!r}; there are {', '.join(SCHEDULES)}")
    return SCHEDULES[name].make(trace, setting)
