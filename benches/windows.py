"""The windows of recorded towns that DESIGN section 7 speaks of, measured against its figures.

    python benches/windows.py                       all windows, 8 replicas, sight 4
    python benches/windows.py --replicas 1          one replica
    python benches/windows.py --sight 8             agents that see twice as far
    python benches/windows.py --write build/windows only writes the windows as traces

The recordings are looked for in ../shared/traces, seen from the repository; without them there is
nothing to measure, and the program says so and exits with 2. All times are modelled.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import click
from rich.console import Console
from rich.table import Table

from headway.cli.tables import summary_table
from headway.compare import Comparison, compare
from headway.engines import PRESETS, preset_named
from headway.importers import import_recording
from headway.schedules import SCHEDULES, Setting
from headway.trace import Trace, resolve_jumps, write_trace

RECORDINGS = Path(__file__).parents[2] / "shared" / "traces" / "normalized"

#: Schedules that DESIGN section 7 has figures for.
KNOWN = ("lockstep", "metropolis", "conservative", "oracle")


@dataclass(frozen=True)
class Window:
    """A part of the recordings, and the DESIGN section 7 figures for it.

    `towns` towns, each six minutes to a day long; speedup over lockstep and share of oracle of
    lockstep, metropolis, conservative and oracle, with 8 replicas and sight 4.
    """

    name: str
    towns: int
    hour: int
    speedup: tuple[float, float, float, float] | None
    share: tuple[float, float, float, float] | None


WINDOWS = (
    Window("half-day-25", 0, 0, (1.00, 1.62, 1.70, 3.15), (0.32, 0.51, 0.54, 1.0)),
    Window("day-20", 0, 0, (1.00, 2.39, 2.44, 3.83), (0.26, 0.62, 0.64, 1.0)),
    Window("busy-100", 10, 12, (1.00, 8.24, 8.22, 10.7), (0.09, 0.77, 0.77, 1.0)),
    Window("evening-100", 10, 18, (1.00, 5.75, 5.79, 8.88), (0.11, 0.65, 0.65, 1.0)),
    Window("quiet-100", 10, 6, (1.00, 7.57, 7.81, 8.59), (0.12, 0.88, 0.91, 1.0)),
    Window("busy-500", 50, 12, (1.00, 18.8, 19.0, 21.6), (0.05, 0.87, 0.88, 1.0)),
    Window("quiet-500", 50, 6, None, None),
)


def cut(window: Window) -> Trace:
    """Cut a window out of the recordings, as traces/README.md defines it."""

    def run(name: str) -> Trace:
        return import_recording(RECORDINGS / name)

    if window.name == "half-day-25":
        return run("n25_nectar_test3").window(0, 4900, name=window.name)
    if window.name == "day-20":
        days = [run("n10_1_village").window(0, 8640), run("n10_1_race").window(0, 8640)]
        return Trace.side_by_side(days, name=window.name)
    runs = (run("n10_1_village"), run("n10_1_race"))
    towns = []
    for i in range(window.towns):
        first = 8640 * ((i // 2) % 2) + 360 * window.hour + 7 * (i // 4)
        towns.append(runs[i % 2].window(first, first + 360))
    return Trace.side_by_side(towns, name=window.name)


def measure(
    window: Window, sight: float, replicas: int, preset: str, schedules: tuple[str, ...]
) -> tuple[Comparison, float]:
    """Compare the schedules on a window; also return the seconds it really took."""
    begin = perf_counter()
    trace = resolve_jumps(cut(window), speed=1, on_jump="split")
    comparison = compare(
        trace,
        setting=Setting(sight=sight, speed=1),
        preset=preset_named(preset),
        replicas=replicas,
        schedules=schedules,
    )
    return comparison, perf_counter() - begin


def deviations(results: list[Comparison]) -> Table:
    """Set what was found beside the figures of DESIGN section 7."""
    table = Table(title="found / DESIGN section 7 (speedup; share of oracle)", title_justify="left")
    table.add_column("window")
    for name in KNOWN:
        table.add_column(name, justify="right")
    by_name = {window.name: window for window in WINDOWS}
    for result in results:
        window = by_name[result.trace]
        if window.speedup is None or window.share is None:
            continue
        cells = []
        for name, speedup, share in zip(KNOWN, window.speedup, window.share, strict=True):
            row = result.row(name)
            assert row.speedup is not None and row.oracle_share is not None
            cells.append(
                f"{row.speedup:.2f}/{speedup:g} ({100 * (row.speedup / speedup - 1):+.1f} %); "
                f"{100 * row.oracle_share:.1f}/{100 * share:.0f} %"
            )
        table.add_row(result.trace, *cells)
    return table


@click.command()
@click.option("--window", "names", multiple=True, type=click.Choice([w.name for w in WINDOWS]))
@click.option("--sight", type=float, default=4, show_default=True)
@click.option("--replicas", type=int, default=8, show_default=True)
@click.option("--preset", type=click.Choice(list(PRESETS)), default="l4-8b", show_default=True)
@click.option("--write", "folder", type=click.Path(path_type=Path), help="Write the windows here.")
@click.option("--json", "as_json", is_flag=True)
def main(
    names: tuple[str, ...],
    sight: float,
    replicas: int,
    preset: str,
    folder: Path | None,
    as_json: bool,
) -> None:
    """Measure the schedules on windows of the recorded towns. All times are modelled."""
    if not RECORDINGS.is_dir():
        click.echo(f"there are no recordings at {RECORDINGS}", err=True)
        sys.exit(2)
    chosen = [window for window in WINDOWS if not names or window.name in names]
    if folder is not None:
        for window in chosen:
            write_trace(cut(window), folder / f"{window.name}.hwt", overwrite=True)
            click.echo(folder / f"{window.name}.hwt")
        return
    schedules = tuple(SCHEDULES)
    with ProcessPoolExecutor(max_workers=2) as pool:
        jobs = [pool.submit(measure, w, sight, replicas, preset, schedules) for w in chosen]
        found = [job.result() for job in jobs]
    results = [comparison for comparison, _ in found]
    if as_json:
        click.echo(json.dumps([result.to_dict() for result in results], indent=2))
        return
    console = Console(width=150, highlight=False)
    console.print(f"{replicas} x {preset}, sight {sight:g}, speed 1; all times are modelled")
    console.print(summary_table(results))
    if (replicas, sight, preset) == (8, 4, "l4-8b"):
        console.print(deviations(results))
    for result, seconds in found:
        console.print(f"{result.trace}: {len(result.rows)} schedules took {seconds:.1f} s to run")


if __name__ == "__main__":
    main()
