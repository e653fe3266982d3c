"""How fast the driver is: agent-steps a second without LLM calls, and calls a second.

    python benches/throughput.py             1,000 agents, the median of 5 rounds
    python benches/throughput.py --agents 100000 --steps 10
    python benches/throughput.py --small     a look whether it still runs; the tests do this

The engines do nothing, so what is measured is Headway and the agents' own few lines, in seconds of
this one thread's processor time, which others on the machine disturb less than real time; DESIGN
section 7's targets stand beside it. Agents stand at the density of a town (one on fifty
tiles, sight 4). `null` answers at once; `soon` makes every call wait for a turn of the event loop,
as a real engine does, so that each step becomes a task. What the last column tells is the same for
every run of equal settings: a digest of the final state.
"""

from __future__ import annotations

import asyncio
import json
import math
import sys
from dataclasses import asdict, dataclass
from random import Random
from statistics import median
from time import process_time

import click
from rich.console import Console
from rich.table import Table

from headway import Action, Agent, Grid, Simulation, View
from headway.engines.base import Answer, Engine, Request
from headway.engines.scripted import ScriptedEngine

#: Tiles for each agent.
TILES_PER_AGENT = 50

#: DESIGN section 7: agent-steps a second without calls, and calls a second.
STEPS_TARGET, CALLS_TARGET = 100_000, 20_000


class Soon(Engine):
    """Answers in the next turn of the event loop."""

    name = "soon"

    async def complete(self, request: Request) -> Answer:
        """Answer one request."""
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        loop.call_soon(turn.set_result, None)
        await turn
        return Answer("yes", 4, 1)


class Idle(Agent):
    """Does nothing."""

    def step(self, view: View) -> None:
        """Do nothing."""


class Walker(Agent):
    """Walks to and fro."""

    def step(self, view: View) -> Action:
        """Walk on."""
        x, y = view.position
        return Action(move=(x + 1, y) if view.step % 2 == 0 else (x - 1, y))


class Onlooker(Agent):
    """Walks to and fro and looks at everybody in sight."""

    async def step(self, view: View) -> Action:
        """Walk on, having looked round."""
        self.met = len(view.neighbours)
        x, y = view.position
        return Action(move=(x + 1, y) if view.step % 2 == 0 else (x - 1, y))


class Caller(Agent):
    """Makes a call in every step."""

    async def step(self, view: View) -> None:
        """Make a call."""
        await view.llm.chat("Is it going to rain?", max_tokens=1)


@dataclass(frozen=True)
class Row:
    """One workload's figures; rates are per second of processor time, medians over the rounds."""

    workload: str
    engine: str
    agents: int
    steps: int
    agent_steps_per_second: float
    calls_per_second: float
    schedule_share: float
    world_share: float
    digest: str


def town(kind: type[Agent], agents: int) -> Simulation:
    """Make agents that stand at the density of a town."""
    side = math.isqrt(agents * TILES_PER_AGENT) + 2
    chance = Random(0)
    people = [
        kind(f"a{i}", (chance.randrange(side - 1), chance.randrange(side))) for i in range(agents)
    ]
    return Simulation(Grid(side, side), people, sight=4, speed=1)


def measure(kind: type[Agent], engine: Engine, agents: int, steps: int, rounds: int) -> Row:
    """Run a workload so many times."""
    seconds, outcome = [], None
    for _ in range(rounds):
        simulation = town(kind, agents)
        begin = process_time()
        outcome = simulation.run(steps, engine=engine)
        seconds.append(process_time() - begin)
    assert outcome is not None
    typical = median(seconds)
    return Row(
        workload=kind.__name__.lower(),
        engine=engine.name if engine.name != "scripted" else "null",
        agents=agents,
        steps=steps,
        agent_steps_per_second=outcome.agent_steps / typical,
        calls_per_second=outcome.calls / typical,
        schedule_share=outcome.schedule_seconds / outcome.real_seconds,
        world_share=outcome.world_seconds / outcome.real_seconds,
        digest=outcome.digest[:12],
    )


def rows(agents: int, steps: int, rounds: int) -> list[Row]:
    """Measure all workloads."""
    null = ScriptedEngine(latency=None)
    work = [(Idle, null), (Walker, null), (Onlooker, null), (Caller, null), (Caller, Soon())]
    return [measure(kind, engine, agents, steps, rounds) for kind, engine in work]


def table(measured: list[Row]) -> Table:
    """Lay the figures out, the targets beside them."""
    table = Table(box=None, pad_edge=False)
    for name in ("workload", "engine", "agents"):
        table.add_column(name, justify="left" if name != "agents" else "right")
    for name in ("agent-steps/s", "calls/s", "target", "schedule", "world", "digest"):
        table.add_column(name, justify="right")
    for row in measured:
        calls = row.calls_per_second > 0
        table.add_row(
            row.workload,
            row.engine,
            f"{row.agents:,}",
            f"{row.agent_steps_per_second:,.0f}",
            f"{row.calls_per_second:,.0f}" if calls else "-",
            f"{CALLS_TARGET:,} calls" if calls else f"{STEPS_TARGET:,} steps",
            f"{row.schedule_share:.0%}",
            f"{row.world_share:.0%}",
            row.digest,
        )
    return table


@click.command()
@click.option("--agents", default=1000, show_default=True)
@click.option("--steps", default=100, show_default=True)
@click.option("--rounds", default=5, show_default=True)
@click.option("--small", is_flag=True, help="50 agents, 5 steps, one round.")
@click.option("--json", "as_json", is_flag=True)
def main(agents: int, steps: int, rounds: int, *, small: bool, as_json: bool) -> None:
    """Measure the driver."""
    if small:
        agents, steps, rounds = 50, 5, 1
    measured = rows(agents, steps, rounds)
    if as_json:
        json.dump([asdict(row) for row in measured], sys.stdout, indent=2)
        sys.stdout.write("\n")
    else:
        Console(width=120).print(table(measured))


if __name__ == "__main__":
    main()
