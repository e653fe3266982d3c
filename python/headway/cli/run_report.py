"""What `headway run` says at the end: some of the talk, the figures, and a comparison."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from headway.cli.factories import short

if TYPE_CHECKING:
    from rich.console import Console

    from headway.cli.talk import Conversation
    from headway.live import Outcome, Simulation

#: Failures that are listed, figures of the engine that are, and characters of one.
FAILURES_MAX, FIGURES_MAX, FIGURE_WIDTH = 5, 12, 36

#: Of what engines count, that which the table has already.
KNOWN = frozenset(
    ("requests", "submitted", "finished", "seconds", "prompt_tokens", "output_tokens")
)

#: What differs from run to run: real time, and where that is the only time, what comes from it.
REAL = ("real_seconds", "schedule_seconds", "world_seconds", "agents_seconds")
MEASURED = ("seconds", "calls_in_flight_mean")


@dataclass(frozen=True)
class Stop:
    """Why a run ended before its last step; `message` is for the user, where there is an error."""

    why: str
    code: int
    message: str = ""


@dataclass(frozen=True)
class Ran:
    """A run that is over.

    Attributes
    ----------
    name, engine : str
        What was run, and on which engine, fit to be shown.
    engine_given : str
        The engine's name as `make_engine` takes it; it may hold a secret.
    certain : bool
        Whether the engine gives equal answers to equal calls.
    """

    name: str
    engine: str
    engine_given: str
    certain: bool
    simulation: Simulation
    outcome: Outcome
    talk: Conversation | None
    stop: Stop | None

    @property
    def title(self) -> str:
        """The name without the folder a file is in."""
        return short(self.name.rpartition("/")[2], 40)

    @property
    def agents(self) -> int:
        """How many there were in all."""
        return len(self.simulation.state.names)


@dataclass(frozen=True)
class Comparison:
    """A run and its twin in lock-step.

    Attributes
    ----------
    ran, lockstep : Ran
    """

    ran: Ran
    lockstep: Ran

    @property
    def identical(self) -> bool | None:
        """Whether the final states are; None where a run did not come to its end."""
        mine, twin = self.ran.outcome, self.lockstep.outcome
        return mine.digest == twin.digest if mine.finished and twin.finished else None

    @property
    def speedup(self) -> float | None:
        """How many times as long lock-step took; None where a run did not come to its end."""
        mine, twin = self.ran.outcome, self.lockstep.outcome
        if not mine.finished or not twin.finished or not mine.seconds:
            return None
        return twin.seconds / mine.seconds

    @property
    def broken(self) -> bool:
        """Whether the results differ although nothing in the engine can be the reason."""
        return self.identical is False and self.ran.certain


def for_machines(ran: Ran, comparison: Comparison | None, *, timing: bool) -> dict[str, Any]:
    """Return all there is to tell, as plain values."""
    told: dict[str, Any] = {
        "simulation": ran.name,
        "agents": ran.agents,
        "seed": ran.simulation.seed,
        "stopped": ran.stop.why if ran.stop else None,
        "outcome": _outcome(ran, timing=timing),
    }
    if comparison is not None:
        told["comparison"] = {
            "lockstep": _outcome(comparison.lockstep, timing=timing),
            "stopped": comparison.lockstep.stop.why if comparison.lockstep.stop else None,
            "identical": comparison.identical,
        }
        if timing or ran.outcome.modelled:
            told["comparison"]["speedup"] = comparison.speedup
    return told


def _outcome(ran: Ran, *, timing: bool) -> dict[str, Any]:
    facts = ran.outcome.to_dict()
    facts["engine"] = ran.engine
    if not timing:
        for name in REAL if ran.outcome.modelled else (*REAL, *MEASURED):
            del facts[name]
        facts["engine_statistics"] = _counted(ran.outcome, timing=timing)
    return facts


def show_talk(console: Console, talk: Conversation | None) -> None:
    """Print the first lines of a conversation."""
    if talk is None:
        return
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for time, words in talk.lines:
        table.add_row(Text(time), Text(words))
    if talk.count > len(talk.lines):
        table.add_row("", f"... and {talk.count - len(talk.lines):,} more lines")
    console.print()
    console.print(table)


def _heading(console: Console, text: str) -> None:
    console.print()
    _line(console, text, "table.title")
    console.print()


def _line(console: Console, text: str, style: str = "") -> None:
    console.print(Text(text, style), no_wrap=True, overflow="ellipsis")


def show_run(console: Console, ran: Ran, *, timing: bool) -> None:
    """Print the figures of a run."""
    outcome = ran.outcome
    _heading(console, f"{ran.title}: {_ending(ran)}")
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(justify="right", overflow="ellipsis", no_wrap=True)
    for name, value in _figures(ran, timing=timing):
        table.add_row(name, value)
    console.print(table)
    _show_engine(console, _counted(outcome, timing=timing))
    _show_failures(console, outcome)
    state = "of the final state" if outcome.finished else "of the state, which is not final"
    console.print(f"digest {state}:\n  {outcome.digest}")


def _ending(ran: Ran) -> str:
    outcome = ran.outcome
    if outcome.finished:
        return f"{outcome.steps:,} steps"
    state = ran.simulation.state
    clocks = [c for c, left in zip(state.clocks, state.left, strict=True) if left is None]
    why = ran.stop.why if ran.stop else "not finished: agents that stand still hold up others"
    return f"{why}; all have finished {min(clocks, default=0):,} of {outcome.steps:,} steps"


def _figures(ran: Ran, *, timing: bool) -> list[tuple[str, str]]:
    outcome, state = ran.outcome, ran.simulation.state
    gone = sum(left is not None for left in state.left)
    tokens = f"{outcome.prompt_tokens:,} / {outcome.output_tokens:,} / {outcome.cached_tokens:,}"
    rows = [
        ("schedule", outcome.schedule),
        ("engine", short(ran.engine, 40)),
        ("agents", f"{ran.agents:,}" + (f", of whom {gone:,} left" if gone else "")),
        ("seed", str(ran.simulation.seed)),
    ]
    if timing or outcome.modelled:
        kind = "modelled" if outcome.modelled else "measured"
        rows.append((f"time, {kind}", f"{outcome.seconds:,.1f} s"))
    rows += [
        ("agent-steps", f"{outcome.agent_steps:,}"),
        ("calls", f"{outcome.calls:,}"),
        ("tokens in / out / cached", tokens),
    ]
    if timing or outcome.modelled:
        in_flight = f"{outcome.calls_in_flight_mean:.2f} / {outcome.calls_in_flight_max:,}"
        rows.append(("calls in flight, mean / max", in_flight))
    lead = f"{outcome.lead_mean:,.1f} / {outcome.lead_max:,}"
    rows.append(("lead in steps, mean / max", lead))
    if outcome.answers_repaired or outcome.answers_repeated:
        answers = f"{outcome.answers_repaired:,} / {outcome.answers_repeated:,}"
        rows.append(("answers repaired / asked for again", answers))
    if outcome.attempts_failed:
        rows.append(("attempts of steps that failed", f"{outcome.attempts_failed:,}"))
    if timing:
        real = max(outcome.real_seconds, 1e-9)
        if outcome.modelled:
            rows.append(("real time", f"{outcome.real_seconds:,.1f} s"))
        own = outcome.schedule_seconds + outcome.world_seconds
        rows += [
            ("schedule and world, of real time", f"{100 * own / real:.1f} %"),
            ("the agents' own code, of real time", f"{100 * outcome.agents_seconds / real:.1f} %"),
        ]
    return rows


def _counted(outcome: Outcome, *, timing: bool) -> dict[str, float]:
    """Return what the engine counted about itself, without what is measured if that is asked."""
    return {
        name: value
        for name, value in outcome.engine_statistics.items()
        if timing or outcome.modelled or "seconds" not in name
    }


def _show_engine(console: Console, counted: dict[str, float]) -> None:
    """Print what the engine counted about itself."""
    figures = [
        f"{short(name, FIGURE_WIDTH)} {value:,.6g}"
        for name, value in counted.items()
        if isinstance(value, int | float) and value and name not in KNOWN
    ]
    if figures:
        more = [f"{len(figures) - FIGURES_MAX} more"] if len(figures) > FIGURES_MAX else []
        console.print(f"engine: {', '.join([*figures[:FIGURES_MAX], *more])}")


def _show_failures(console: Console, outcome: Outcome) -> None:
    """Print the first steps that failed for good."""
    failures = outcome.failures
    if not failures:
        return
    kinds = sorted({failure.then for failure in failures})
    counts = [f"{sum(f.then == kind for f in failures):,} x {kind}" for kind in kinds]
    console.print(f"steps that failed: {', '.join(counts)}")
    for failure in failures[:FAILURES_MAX]:
        who = short(failure.agent, 30)
        _line(console, f"  step {failure.step:,} of {who}: {short(failure.error, 400)}")
    if len(failures) > FAILURES_MAX:
        _line(console, f"  ... and {len(failures) - FAILURES_MAX:,} more (--json has all)")


def show_comparison(console: Console, comparison: Comparison, *, timing: bool) -> None:
    """Print a run beside its twin in lock-step, and whether they came to the same."""
    ran, twin = comparison.ran, comparison.lockstep
    modelled = ran.outcome.modelled
    timed = timing or modelled
    _heading(console, f"{ran.title}, beside lock-step")
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("schedule", no_wrap=True)
    columns = ["modelled\nseconds" if modelled else "measured\nseconds", "speed-\nup"]
    columns += ["in flight\nmean", "in flight\nmax", "lead\nmean", "lead\nmax"]
    for column in columns:
        if timed or column in {"in flight\nmax", "lead\nmean", "lead\nmax"}:
            table.add_column(column, justify="right", no_wrap=True)
    speedup = comparison.speedup
    for one, times in ((ran, speedup), (twin, 1.0 if speedup else None)):
        outcome = one.outcome
        cells = [
            f"{outcome.seconds:,.1f}",
            "-" if times is None else f"{times:.2f}x",
            f"{outcome.calls_in_flight_mean:.2f}",
        ]
        rest = [f"{outcome.calls_in_flight_max:,}"]
        rest += [f"{outcome.lead_mean:,.1f}", f"{outcome.lead_max:,}"]
        table.add_row(outcome.schedule, *(cells if timed else []), *rest)
    console.print(table)
    console.print(_verdict(comparison))


def _verdict(comparison: Comparison) -> str:
    """Tell whether the final states are equal, and what it means if not."""
    if comparison.identical:
        return "final states: identical"
    if comparison.identical is None:
        return "final states: not compared, as a run did not come to its end"
    if comparison.ran.certain:
        return "final states: different, which must not be; see the error"
    return (
        f"final states: different. {short(comparison.ran.engine, 40)} may answer equal calls "
        "differently, depending on what it works on at the same time, and one other word changes "
        "all that follows. Both runs are possible courses of the simulation. To test that the "
        "schedule changes nothing, use --engine scripted."
    )
