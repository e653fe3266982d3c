"""The town on vLLM in this process: out of order against lock-step, for several sizes.

    python benches/gpu_town.py MODEL                      25, 100 and 500 villagers, 150 steps
    python benches/gpu_town.py MODEL --dummy              random weights: real speed, noise for text
    python benches/gpu_town.py MODEL --agents 25 --steps 30 --engine enforce_eager=true

Needs an environment with vLLM and Headway's extras `cli` and `maps`; `make gpu-town` sets one up
and also measures the numbers of the modelled server (`calibrate_vllm.py`). The engine is started
once. Times are real. Because a real model's answers depend a little on who else is in the batch,
the two schedules need not make equal calls; the table shows how many each made.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from headway import Outcome
from headway.engines.base import Answer, Engine, Request
from headway.engines.vllm import VllmEngine
from headway.examples.town import town


class Kept(Engine):
    """An engine that goes on from run to run."""

    def __init__(self, inner: Engine) -> None:
        self.inner, self.name = inner, inner.name

    async def complete(self, request: Request) -> Answer:
        """Answer one request."""
        return await self.inner.complete(request)

    def statistics(self) -> dict[str, float]:
        """Return what the engine counted, over all runs."""
        return self.inner.statistics()


def facts(agents: int, outcome: Outcome) -> dict[str, Any]:
    """Return the figures of one run."""
    inside = outcome.schedule_seconds + outcome.world_seconds + outcome.agents_seconds
    return {
        "agents": agents,
        "schedule": outcome.schedule,
        "seconds": outcome.real_seconds,
        "agent_steps": outcome.agent_steps,
        "calls": outcome.calls,
        "prompt_tokens": outcome.prompt_tokens,
        "output_tokens": outcome.output_tokens,
        "cached_tokens": outcome.cached_tokens,
        "output_tokens_per_second": outcome.output_tokens / outcome.real_seconds,
        "calls_in_flight_mean": outcome.calls_in_flight_mean,
        "lead_max": outcome.lead_max,
        "share_outside_engine": inside / outcome.real_seconds,
    }


async def measure(
    engine: VllmEngine, sizes: list[int], steps: int, schedules: list[str], seed: int
) -> list[dict[str, Any]]:
    """Run every size under every schedule on one engine."""
    rows = []
    await engine.start()
    try:
        # The first calls compile kernels; nobody's time should hold them.
        await town(agents=5, seed=seed).run_async(10, engine=Kept(engine))
        for agents in sizes:
            for schedule in schedules:
                simulation = town(agents=agents, seed=seed)
                sys.stderr.write(f"{agents} villagers, {schedule} ...\n")
                outcome = await simulation.run_async(steps, engine=Kept(engine), schedule=schedule)
                rows.append(facts(agents, outcome))
    finally:
        await engine.close()
    return rows


def show(rows: list[dict[str, Any]]) -> None:
    """Print the figures side by side."""
    table = Table(box=None, pad_edge=False)
    for name in ("agents", "schedule", "seconds", "speed-up", "calls", "tok/s", "in flight"):
        table.add_column(name, justify="left" if name == "schedule" else "right")
    table.add_column("outside the engine", justify="right")
    slow = {row["agents"]: row["seconds"] for row in rows if row["schedule"] == "lockstep"}
    for row in rows:
        known = slow.get(row["agents"])
        table.add_row(
            f"{row['agents']:,}",
            row["schedule"],
            f"{row['seconds']:,.1f}",
            f"{known / row['seconds']:.2f}x" if known else "-",
            f"{row['calls']:,}",
            f"{row['output_tokens_per_second']:,.0f}",
            f"{row['calls_in_flight_mean']:.1f}",
            f"{row['share_outside_engine']:.2%}",
        )
    Console(width=100).print(table)


def option(text: str) -> tuple[str, Any]:
    """Read NAME=VALUE, the value as JSON where it is."""
    name, _, value = text.partition("=")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


@click.command()
@click.argument("model")
@click.option("--agents", default="25,100,500", show_default=True, help="Sizes, with commas.")
@click.option("--steps", default=150, show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option("--schedules", default="conservative,lockstep", show_default=True)
@click.option("--dummy", is_flag=True, help="Random weights; MODEL needs a config and a tokenizer.")
@click.option("--data-parallel", default=1, show_default=True, help="Copies of the model.")
@click.option("--context", default=2048, show_default=True, help="Tokens of prompt and answer.")
@click.option("--engine", multiple=True, metavar="NAME=VALUE", help="Further vLLM arguments.")
@click.option("--json", "as_json", is_flag=True)
def main(
    model: str, agents: str, steps: int, seed: int, schedules: str, *, dummy: bool,
    data_parallel: int, context: int, engine: tuple[str, ...], as_json: bool,
) -> None:  # fmt: skip
    """Run the town on vLLM."""
    arguments = dict(map(option, engine))
    if dummy:
        arguments["load_format"] = "dummy"
    made = VllmEngine(
        model, data_parallel=data_parallel, max_model_len=context, engine_args=arguments
    )
    sizes = [int(size) for size in agents.split(",")]
    rows = asyncio.run(measure(made, sizes, steps, schedules.split(","), seed))
    if as_json:
        json.dump(rows, sys.stdout, indent=2)
        sys.stdout.write("\n")
    else:
        show(rows)


if __name__ == "__main__":
    main()
