"""`headway check`: whether a trace keeps to a footprint."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.text import Text

from headway.cli.console import clean, output, print_json
from headway.cli.options import FOLDER, Footprint, footprint_options, json_option
from headway.cli.tables import plain_table
from headway.trace import FootprintReport, Trace, check_footprint, read_trace

#: How many jumps the table shows.
SHOWN = 20

#: Exit code where a move is too long: told apart from 1, an error.
TOO_LONG = 3


@click.command()
@click.argument("source", metavar="TRACE", type=FOLDER)
@footprint_options
@json_option
def check(
    source: Path,
    footprint: Footprint,
    as_json: bool,
) -> None:
    """Check how far the agents of a trace move.

    A schedule assumes a footprint; TRACE should keep to it. Lists moves longer than the speed,
    steps where the recorded clock jumps, and calls about a partner out of sight (these tell that
    the agents saw farther when they were recorded; a replay is not wrong for it). Exits with 3 if a
    move is too long, with 1 on an error.
    """
    trace = read_trace(source)
    setting = footprint.setting(trace)
    report = check_footprint(trace, speed=setting.speed, sight=setting.sight, metric=setting.metric)
    if as_json:
        print_json({"trace": trace.meta.name, **report.to_dict()})
    else:
        _show(trace, report)
    sys.exit(0 if report.keeps else TOO_LONG)


def _show(trace: Trace, report: FootprintReport) -> None:
    console = output()
    console.print(
        Text.assemble(
            (clean(trace.meta.name), "bold"),
            f": {trace.n_agents} agents, {trace.n_steps} steps, {len(trace.calls)} calls; "
            f"speed {report.speed:g}, sight {report.sight:g}, {report.metric}",
        )
    )
    if report.keeps:
        console.print(f"moves: none is longer than {report.speed:g}")
    else:
        table = plain_table(f"{len(report.jumps)} moves longer than {report.speed:g}")
        for column in ("step", "agent", "name", "distance", "from", "to"):
            table.add_column(column, justify="left" if column == "name" else "right")
        for jump in report.jumps[:SHOWN]:
            table.add_row(
                str(jump.step),
                str(jump.agent),
                clean(jump.name),
                f"{jump.distance:g}",
                "{:g}, {:g}".format(*jump.origin),
                "{:g}, {:g}".format(*jump.landing),
            )
        console.print(table)
        if len(report.jumps) > SHOWN:
            console.print(f"and {len(report.jumps) - SHOWN} more (--json lists all)")
        console.print(
            "Replay with --on-jump=split (a jump is leaving and joining again) or "
            "--on-jump=clip (the agent walks after its recorded place)."
        )
    breaks = ", ".join(map(str, report.time_breaks)) or "nowhere"
    console.print(f"recorded clock jumps at step: {breaks}")
    if report.partner_calls:
        console.print(
            f"calls about a partner: {report.partner_calls}, of which {report.far_calls} are about "
            f"one farther than {report.sight:g} away (farthest {report.farthest:g})"
        )
