"""`headway replay` and `headway compare`: a trace under one schedule, or under all."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from headway.cli.console import output, print_json, progress_bar, schedule_log
from headway.cli.options import (
    FOLDER,
    Engine,
    Footprint,
    Jumps,
    engine_options,
    footprint_options,
    json_option,
    jump_option,
    timing_option,
)
from headway.cli.tables import comparison_table, show_footer, show_outcome, summary_table
from headway.compare import compare as compare_schedules
from headway.replay import replay as replay_trace
from headway.schedules import SCHEDULES, make_schedule
from headway.trace import read_trace


@click.command()
@click.argument("source", metavar="TRACE", type=FOLDER)
@click.option(
    "--schedule",
    type=click.Choice(list(SCHEDULES)),
    default="conservative",
    show_default=True,
    help="Who may run when; see `headway compare --help`.",
)
@click.option(
    "--log",
    "log_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write every start, finish and leave of the schedule to this file, as CSV.",
)
@engine_options
@footprint_options
@jump_option
@timing_option
@json_option
def replay(
    source: Path,
    schedule: str,
    log_file: Path | None,
    engine: Engine,
    footprint: Footprint,
    jumps: Jumps,
    timing: bool,
    as_json: bool,
) -> None:
    """Replay a trace under one schedule.

    Prints the modelled completion time, the calls in flight, how far ahead agents ran, and a
    digest: equal digests mean equal schedules.
    """
    trace = read_trace(source)
    setting = footprint.setting(trace)
    trace = jumps.resolve(trace, setting)
    with progress_bar(schedule) as tell, schedule_log(log_file) as log:
        outcome = replay_trace(
            trace,
            make_schedule(schedule, trace, setting),
            engine.preset.server(engine.replicas),
            progress=tell,
            log=log,
        )
    facts = asdict(outcome)
    measured = facts.pop("scheduler_ns_per_agent_step")
    report = {
        "trace": trace.meta.name,
        "schedule": schedule,
        "footprint": asdict(setting),
        "engine": {**asdict(engine.preset), "replicas": engine.replicas},
        "modelled": facts,
        "notes": list(trace.meta.notes),
    }
    if timing:
        report["measured"] = {"scheduler_ns_per_agent_step": measured}
    if as_json:
        print_json(report)
    else:
        show_outcome(output(), report)


@click.command(
    epilog="\b\nSchedules:\n"
    + "\n".join(f"  {s.name:<15}{s.what}" for s in SCHEDULES.values())
    + "\n  critical path  longest chain of calls that nothing can shorten"
)
@click.argument("sources", metavar="TRACE...", nargs=-1, required=True, type=FOLDER)
@click.option(
    "--schedule",
    "schedules",
    type=click.Choice(list(SCHEDULES)),
    multiple=True,
    help="Only these (may be repeated).  [default: all]",
)
@engine_options
@footprint_options
@jump_option
@timing_option
@json_option
def compare(
    sources: tuple[Path, ...],
    schedules: tuple[str, ...],
    engine: Engine,
    footprint: Footprint,
    jumps: Jumps,
    timing: bool,
    as_json: bool,
) -> None:
    """Replay traces under every schedule.

    Prints a table for each TRACE, and with several a summary.

    All times are modelled: the same calls, with their recorded numbers of tokens, on the same
    modelled LLM server. Speedup is over lockstep; share of oracle tells how much of what is
    possible a schedule reaches.
    """
    console = output()
    comparisons = []
    for source in sources:
        trace = read_trace(source)
        setting = footprint.setting(trace)
        trace = jumps.resolve(trace, setting)
        with progress_bar(trace.meta.name) as tell:
            comparison = compare_schedules(
                trace,
                setting=setting,
                preset=engine.preset,
                replicas=engine.replicas,
                schedules=tuple(dict.fromkeys(schedules or SCHEDULES)),
                progress=tell,
            )
        comparisons.append(comparison)
        if not as_json:
            console.print(comparison_table(comparison, timing=timing))
    if as_json:
        print_json([comparison.to_dict(timing=timing) for comparison in comparisons])
        return
    if len(comparisons) > 1:
        console.print(summary_table(comparisons))
    show_footer(console, comparisons, timing=timing)
