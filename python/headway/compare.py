"""Compare schedules on one trace: the table of DESIGN section 5."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from headway.causality import CausalityCheck
from headway.errors import OptionError
from headway.replay import Outcome, replay
from headway.schedules import SCHEDULES, Setting, make_schedule
from headway.schedules.neighbours import Neighbours
from headway.schedules.oracle import critical_path

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from headway.engines import Preset
    from headway.trace import Trace


@dataclass(frozen=True)
class Row:
    """One schedule's outcome, and how it stands to the others.

    `speedup` is the lockstep time over this one's, `oracle_share` the oracle's time over this
    one's; None where the other was not run. `too_early` counts the agent-steps that were started
    before everybody in sight had reached them (`headway.causality`), which lock-step never does.
    """

    schedule: str
    outcome: Outcome
    speedup: float | None
    oracle_share: float | None
    too_early: int


@dataclass(frozen=True)
class Comparison:
    """Several schedules on one trace, one engine and one footprint.

    Attributes
    ----------
    critical_path_seconds : float
        Modelled length of the longest chain of calls that the oracle's graph forces into sequence,
        each call alone on the engine: no schedule that waits for whom it sees is faster.
    """

    trace: str
    agents: int
    steps: int
    calls: int
    setting: Setting
    preset: Preset
    replicas: int
    rows: tuple[Row, ...]
    critical_path_seconds: float
    notes: tuple[str, ...]

    def row(self, schedule: str) -> Row:
        """Return the row of a schedule.

        Raises
        ------
        OptionError
            If it was not run.
        """
        for row in self.rows:
            if row.schedule == schedule:
                return row
        raise OptionError(f"{self.trace}: schedule {schedule} is not part of this comparison")

    def to_dict(self, *, timing: bool = True) -> dict[str, Any]:
        """Return all of it for machines.

        What is measured on this machine, and so differs from run to run, stands under `measured`
        and is left out with `timing=False`; all else is equal for equal inputs.
        """
        rows = []
        for row in self.rows:
            modelled = asdict(row.outcome)
            measured = {k: modelled.pop(k) for k in ("scheduler_ns_per_agent_step",)}
            entry = {
                "schedule": row.schedule,
                "speedup": row.speedup,
                "oracle_share": row.oracle_share,
                "too_early": row.too_early,
                "modelled": modelled,
            }
            rows.append({**entry, "measured": measured} if timing else entry)
        return {
            "trace": self.trace,
            "agents": self.agents,
            "steps": self.steps,
            "calls": self.calls,
            "footprint": asdict(self.setting),
            "engine": {**asdict(self.preset), "replicas": self.replicas},
            "critical_path_seconds": self.critical_path_seconds,
            "schedules": rows,
            "notes": list(self.notes),
        }


def compare(
    trace: Trace,
    *,
    setting: Setting,
    preset: Preset,
    replicas: int,
    schedules: Sequence[str] = tuple(SCHEDULES),
    progress: Callable[[str, int, int], None] | None = None,
) -> Comparison:
    """Replay a trace under several schedules.

    Parameters
    ----------
    progress : callable, optional
        Called now and then with the schedule's name, the agent-steps done and their total.

    Raises
    ------
    OptionError
        On an unknown schedule, before anything is run.
    OverSpeedError
        If the trace holds a move longer than `setting.speed`.
    """
    for name in schedules:
        if name not in SCHEDULES:
            raise OptionError(f"no schedule {name!r}; there are {', '.join(SCHEDULES)}")
    # All are made before the first is run, so that a setting that does not fit is refused at once.
    made = {name: make_schedule(name, trace, setting) for name in schedules}
    near = Neighbours(trace, sight=setting.sight, metric=setting.metric, wrap=setting.wrap)
    outcomes, checks = {}, {}
    for name, schedule in made.items():
        tell = None if progress is None else _for_schedule(progress, name)
        server = preset.server(replicas)
        checks[name] = CausalityCheck(trace, near)
        outcomes[name] = replay(trace, schedule, server, progress=tell, log=checks[name])
    calls = trace.calls
    latency = preset.server(1).lone_latency(calls.prompt_tokens, calls.output_tokens)
    lockstep, oracle = outcomes.get("lockstep"), outcomes.get("oracle")
    return Comparison(
        trace=trace.meta.name,
        agents=trace.n_agents,
        steps=trace.n_steps,
        calls=len(calls),
        setting=setting,
        preset=preset,
        replicas=replicas,
        rows=tuple(
            Row(
                name,
                outcome,
                _ratio(lockstep, outcome),
                _ratio(oracle, outcome),
                checks[name].too_early,
            )
            for name, outcome in outcomes.items()
        ),
        critical_path_seconds=critical_path(trace, near, latency),
        notes=trace.meta.notes,
    )


def _for_schedule(
    progress: Callable[[str, int, int], None], name: str
) -> Callable[[int, int], None]:
    return lambda done, total: progress(name, done, total)


def _ratio(other: Outcome | None, outcome: Outcome) -> float | None:
    if other is None or not outcome.seconds:
        return None
    return other.seconds / outcome.seconds
