"""What reports look like on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from headway.cli.console import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from headway.compare import Comparison
    from headway.schedules import Setting


def plain_table(title: str) -> Table:
    """Return a table without lines, one space between columns.

    The title's names are `clean` already, its lines wanted.
    """
    return Table(
        title=Text(f"\n{title}\n", style="table.title"),
        title_justify="left",
        box=None,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )


def footprint_words(setting: Setting) -> str:
    """Return the footprint in a line: what is not its default, and always the metric."""
    words = [f"sight {setting.sight:g}", f"speed {setting.speed:g}"]
    if setting.reach not in {None, setting.speed}:
        words.append(f"reach {setting.reach:g}")
    words.append(setting.metric)
    if setting.wrap is not None:
        words.append("wrap {:g} x {:g}".format(*setting.wrap))
    return ", ".join(words)


def comparison_table(comparison: Comparison, *, timing: bool) -> Table:
    """Return the table of DESIGN section 5."""
    table = plain_table(
        f"{clean(comparison.trace)}: {comparison.agents} agents, {comparison.steps} steps, "
        f"{comparison.calls} calls\n{footprint_words(comparison.setting)}; "
        f"{comparison.replicas} x {clean(comparison.preset.name)}"
    )
    table.add_column("schedule", no_wrap=True)
    # In two lines, so that the table fits 80 columns.
    for column in (
        "modelled\nseconds",
        "speed-\nup",
        "in\nflight",
        "of\noracle",
        "too\nearly",
        "wasted\ntokens",
        "lead\nmean",
        "lead\nmax",
        *(["us/\nstep"] if timing else []),
    ):
        table.add_column(column, justify="right", no_wrap=True)
    for row in comparison.rows:
        outcome = row.outcome
        cells = [
            row.schedule,
            f"{outcome.seconds:,.0f}",
            _times(row.speedup),
            f"{outcome.calls_in_flight_mean:.2f}",
            _percent(row.oracle_share),
            f"{row.too_early:,}",
            f"{outcome.wasted_tokens:,}",
            f"{outcome.lead_mean:,.0f}",
            f"{outcome.lead_max:,}",
        ]
        if timing:
            cells.append(f"{outcome.scheduler_ns_per_agent_step / 1000:.1f}")
        table.add_row(*cells)
    table.add_row("critical path", f"{comparison.critical_path_seconds:,.0f}", *[""] * 7)
    return table


def summary_table(comparisons: Sequence[Comparison]) -> Table:
    """Return one line per trace: speedup over lockstep and share of oracle of each schedule."""
    table = plain_table("speed-up, share of oracle")
    table.add_column("trace")
    for row in comparisons[0].rows:
        table.add_column(row.schedule, justify="right")
    for comparison in comparisons:
        table.add_row(
            clean(comparison.trace),
            *(f"{_times(row.speedup)}\n{_percent(row.oracle_share)}" for row in comparison.rows),
        )
    return table


def show_footer(console: Console, comparisons: Sequence[Comparison], *, timing: bool) -> None:
    """Say what the figures are, and what the traces say of themselves."""
    preset = comparisons[0].preset
    console.print(
        f"Times are modelled: {clean(preset.name)} is {clean(preset.source)} (t0 {preset.t0:g} s, "
        f"p {preset.p:g} s, d {preset.d:g} s, {preset.max_sequences} sequences, "
        f"{preset.token_budget} tokens)."
    )
    if timing:
        console.print("us/step: real time in the schedule per agent-step, measured here.")
    for note in dict.fromkeys(note for c in comparisons for note in c.notes):
        console.print(f"note: {clean(note)}")


def show_outcome(console: Console, report: dict[str, Any]) -> None:
    """Print one replay."""
    modelled, engine = report["modelled"], report["engine"]
    table = plain_table(f"{clean(report['trace'])} under {report['schedule']}")
    table.show_header = False
    table.add_column()
    table.add_column(justify="right")
    table.add_row("modelled time", f"{modelled['seconds']:,.1f} s")
    table.add_row("agent-steps", f"{modelled['agent_steps']:,}")
    table.add_row("calls", f"{modelled['calls']:,}")
    table.add_row("calls in flight, mean", f"{modelled['calls_in_flight_mean']:.2f}")
    table.add_row("replicas busy", _percent(modelled["busy_share"]))
    table.add_row("wasted tokens", f"{modelled['wasted_tokens']:,}")
    lead = f"{modelled['lead_mean']:,.1f}, {modelled['lead_max']:,} steps"
    table.add_row("lead over the slowest, mean and max", lead)
    if "measured" in report:
        spent = report["measured"]["scheduler_ns_per_agent_step"] / 1000
        table.add_row("scheduler, measured here", f"{spent:.2f} us per agent-step")
    console.print(table)
    console.print(f"digest {modelled['digest']}")
    console.print(
        f"engine: {engine['replicas']} x {clean(engine['name'])}: {clean(engine['source'])}"
    )
    for note in report["notes"]:
        console.print(f"note: {clean(note)}")


def _times(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.2f}x"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.0f} %"
