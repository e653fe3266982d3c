"""How long the core takes to decide: crowds of a thousand to a million agents, in Rust alone.

    python benches/core.py            the table of docs/performance.md; some minutes
    python benches/core.py --small    a look whether it still runs; the tests do this
    python benches/core.py --json     rows for machines
    python benches/core.py --output benches/results/core.json

Measured is `finish` and the `start` of those it made ready, one agent-step at a time unless told
otherwise, in real time of one thread; who runs when is decided by modelled durations. Each row is
the median over the rounds, which differ by seed, of the rounds' medians, 99th percentiles, means.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import click
import results
from rich.console import Console
from rich.progress import track
from rich.table import Table

WORKLOADS = ("random", "clustered", "frontier", "straggler")
RULES = ("conservative", "compatibility")

#: DESIGN section 7: median nanoseconds for each agent-step by number of agents, and bytes of each.
TARGETS_NS = {1_000: 1_000, 100_000: 3_000, 1_000_000: 5_000}
BYTES_TARGET = 300

#: What is the same in all rounds of a row.
SAME = ("workload", "rule", "index", "agents", "batch")


@dataclass(frozen=True)
class Protocol:
    """How much is run for a row: steps of each agent before and while measuring, and rounds."""

    warm_up: int
    steps: int
    rounds: int

    @staticmethod
    def of(agents: int) -> Protocol:
        """Return as much as keeps the whole within minutes."""
        if agents <= 10_000:
            return Protocol(40, 20, 5)
        return Protocol(20, 5, 3) if agents <= 100_000 else Protocol(4, 1, 1)


def binary() -> Path:
    """Build the program that measures, and return it."""
    command = ["cargo", "build", "--quiet", "--release", "-p", "headway-bench"]
    subprocess.run(command, cwd=results.ROOT, check=True)
    asked = ["cargo", "metadata", "--format-version", "1", "--no-deps"]
    told = subprocess.run(asked, cwd=results.ROOT, check=True, capture_output=True).stdout
    return Path(json.loads(told)["target_directory"]) / "release" / "headway-bench"


def measure(program: Path, protocol: Protocol, **setting: str | int) -> dict[str, Any]:
    """Run one row."""
    given = {**setting, "warm-up": protocol.warm_up, "steps": protocol.steps}
    given["rounds"] = protocol.rounds
    options = [part for name, value in given.items() for part in (f"--{name}", str(value))]
    ran = subprocess.run([program, *options], check=True, capture_output=True, text=True)
    rounds = [json.loads(line) for line in ran.stdout.splitlines()]
    row = {key: rounds[0][key] for key in SAME}
    for key in rounds[0].keys() - set(SAME) - {"digest"}:
        row[key] = median(each[key] for each in rounds)
    row["digest"] = rounds[0]["digest"]
    return row


def table(rows: list[dict[str, Any]]) -> Table:
    """Lay the rows out, with the targets beside them and the growth from row to row."""
    laid = Table(box=None, pad_edge=False)
    for name in ("workload", "rule"):
        laid.add_column(name)
    for name in ("agents", "median ns", "target", "p99 ns", "mean ns", "growth",
                 "rechecks", "bytes/agent"):  # fmt: skip
        laid.add_column(name, justify="right")
    first: dict[tuple[str, str], float] = {}
    for row in rows:
        base = first.setdefault((row["workload"], row["rule"]), row["median_ns"])
        target = TARGETS_NS.get(row["agents"])
        laid.add_row(
            row["workload"],
            row["rule"],
            f"{row['agents']:,}",
            f"{row['median_ns']:,.0f}",
            f"{target:,}" if target else "",
            f"{row['p99_ns']:,.0f}",
            f"{row['mean_ns']:,.0f}",
            f"{row['median_ns'] / base:.2f}x",
            f"{row['rechecks']:.2f}",
            f"{row['bytes_per_agent']:,.0f}",
        )
    return laid


@click.command()
@click.option("--agents", multiple=True, type=int, default=(1_000, 10_000, 100_000, 1_000_000))
@click.option("--workload", "workloads", multiple=True, default=WORKLOADS)
@click.option("--rule", "rules", multiple=True, default=RULES)
@click.option("--index", default="own", show_default=True, help="own, rstar or kiddo.")
@click.option("--batch", default=1, show_default=True, help="Agent-steps reported together.")
@click.option("--small", is_flag=True, help="100 agents, few steps, one round.")
@click.option("--json", "as_json", is_flag=True)
@click.option("--output", type=click.Path(path_type=Path))
def main(
    agents: tuple[int, ...],
    workloads: tuple[str, ...],
    rules: tuple[str, ...],
    index: str,
    batch: int,
    *,
    small: bool,
    as_json: bool,
    output: Path | None,
) -> None:
    """Measure the core."""
    program = binary()
    settings = [(w, r, n) for w in workloads for r in rules for n in ((100,) if small else agents)]
    rows = [
        measure(
            program,
            Protocol(2, 2, 1) if small else Protocol.of(n),
            workload=w, rule=r, index=index, agents=n, batch=batch,
        )
        for w, r, n in track(settings, console=Console(stderr=True), transient=True)
    ]  # fmt: skip
    if output:
        results.write(output, (__doc__ or "").split("\n\n")[-1].replace("\n", " ").strip(), rows)
    if as_json:
        json.dump(rows, sys.stdout, indent=2)
        sys.stdout.write("\n")
    else:
        Console(width=120).print(table(rows))


if __name__ == "__main__":
    main()
