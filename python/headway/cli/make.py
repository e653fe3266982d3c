"""`headway generate` and `headway import`: where traces come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.text import Text

from headway.cli.console import clean, naming, output, print_json, progress_bar
from headway.cli.options import FOLDER, json_option, step_range
from headway.errors import TraceError
from headway.generate import LAYOUTS, generate_town
from headway.importers import import_recording
from headway.trace import Trace, write_trace
from headway.trace.store import check_target

force_option = click.option("--force", is_flag=True, help="Overwrite a trace that is there.")


@click.command()
@click.argument("target", type=FOLDER)
@click.option("--agents", type=click.IntRange(min=1), default=25, show_default=True)
@click.option(
    "--steps",
    type=click.IntRange(min=1),
    default=8640,
    show_default=True,
    help="Steps of 10 simulated seconds; 8640 are a day.",
)
@click.option("--start-hour", type=float, help="Hour of the day at step 0.  [default: 0]")
@click.option("--seed", type=int, default=0, show_default=True, help="Equal seeds, equal towns.")
@click.option(
    "--layout",
    type=click.Choice(list(LAYOUTS)),
    default="towns",
    show_default=True,
    help="Above 25 agents: several towns side by side, or one that grows.",
)
@force_option
@json_option
def generate(
    target: Path,
    agents: int,
    steps: int,
    start_hour: float | None,
    seed: int,
    layout: str,
    force: bool,
    as_json: bool,
) -> None:
    """Draw a synthetic town.

    It is written as the trace TARGET. Its calls per hour, tokens, chains of calls and dependencies
    follow what was published about the Generative Agents town. Nothing in it was recorded.
    """
    check_target(target, overwrite=force)
    with progress_bar("drawing towns") as tell:
        trace = generate_town(
            agents=agents,
            steps=steps,
            start_hour=start_hour,
            seed=seed,
            layout=layout,
            progress=tell,
        )
    _write(trace, target, force=force, as_json=as_json)


@click.command("import")
@click.argument("sources", nargs=-1, required=True, type=FOLDER)
@click.option("-o", "--output", "target", required=True, type=FOLDER, help="The trace.")
@click.option("--name", help="Name of the trace.  [default: the recording's]")
@click.option(
    "--layout",
    type=click.Choice(["auto", "normalized", "storage", "compressed"]),
    default="auto",
    show_default=True,
    help="What the folders hold.",
)
@click.option(
    "--steps",
    callback=step_range,
    metavar="FIRST:LAST",
    help="Cut out these steps; LAST is left out.",
)
@click.option(
    "--on-missing-step",
    type=click.Choice(["error", "hold"]),
    default="error",
    show_default=True,
    help="A step that is not recorded: refuse, or let everybody keep their place.",
)
@click.option(
    "--on-extra-steps",
    type=click.Choice(["error", "keep", "drop"]),
    default="error",
    show_default=True,
    help="More steps than the recording says it has.",
)
@click.option(
    "--on-missing-memory",
    type=click.Choice(["note", "error"]),
    default="note",
    show_default=True,
    help="Memories that were not saved: import positions without calls, or refuse.",
)
@force_option
@json_option
def import_(
    sources: tuple[Path, ...],
    target: Path,
    name: str | None,
    steps: tuple[int, int] | None,
    force: bool,
    as_json: bool,
    **choices: Any,  # noqa: ANN401
) -> None:
    """Turn recordings into a trace.

    Reads what the Generative Agents program saved.

    \b
    A SOURCE is a folder, recognised by what it holds:
      storage      its storage/<simulation>: movement/<step>.json, personas/
      compressed   its compressed_storage/<simulation>: master_movement.json
      normalized   meta.json, positions.npz, llm_calls_inferred.csv.gz

    Several SOURCES stand side by side as separate worlds. The program does not record its LLM
    calls; they are inferred from what the agents remember, and the trace says so.
    """
    check_target(target, overwrite=force)
    for source in sources:
        if source.is_file():
            raise TraceError(f"{source} is a file, not a folder; give the folder of one recording")
    traces = []
    for source in sources:
        with progress_bar(f"reading {source.name}") as tell:
            trace = import_recording(source, progress=tell, **choices)
        traces.append(trace if steps is None else trace.window(*steps))
    one = len(traces) == 1
    default = traces[0].meta.name if one else " + ".join(t.meta.name for t in traces)
    trace = Trace.side_by_side(traces, name=name or default)
    _write(trace, target, force=force, as_json=as_json)


def _write(trace: Trace, target: Path, *, force: bool, as_json: bool) -> None:
    """Write a trace and say what it holds."""
    with naming(target):
        write_trace(trace, target, overwrite=force)
    facts = {
        "path": str(target),
        "name": trace.meta.name,
        "agents": trace.n_agents,
        "steps": trace.n_steps,
        "calls": len(trace.calls),
        "notes": list(trace.meta.notes),
    }
    if as_json:
        print_json(facts)
        return
    console = output()
    console.print(
        Text.assemble(
            (clean(target), "bold"),
            f": {trace.n_agents:,} agents, {trace.n_steps:,} steps, {len(trace.calls):,} calls",
        ),
        soft_wrap=True,
    )
    for note in trace.meta.notes:
        console.print(f"  note: {clean(note)}")
    console.print(f"next: headway compare {clean(target)}", soft_wrap=True)
