"""`headway prove`: whether a simulation gives, out of order, what lock-step gives."""

from __future__ import annotations

import os
import shlex
import sys
import time
from contextlib import nullcontext, redirect_stdout
from typing import TYPE_CHECKING, Any

import click
from rich.text import Text

from headway.cli.console import clean, output, print_json, progress_bar
from headway.cli.factories import Factory, load, short, users_code
from headway.cli.options import json_option, timing_option
from headway.cli.tables import plain_table
from headway.testing import Case, NotAsLockstepError, Proof, assert_same_as_lockstep, random_setup
from headway.testing.lockstep import CASE_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable

#: Random worlds, besides the simulations that `headway run` knows.
RANDOM = "random"

#: Exit code where a run differs from lock-step: told apart from 1, an error.
DIFFERS = 4


@click.command()
@click.argument("simulation", metavar="SIMULATION")
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="How many worlds to try; they are made with the seeds 0, 1, ...",
)
@click.option("--first-seed", type=int, default=0, show_default=True, help="Where to begin.")
@click.option(
    "--steps",
    type=click.IntRange(min=1),
    default=30,
    show_default=True,
    help="How many steps of each world are run.",
)
@click.option(
    "--orders",
    type=click.IntRange(min=1),
    default=2,
    show_default=True,
    help="How many orders of execution of each world are tried.",
)
@click.option("--agents", type=click.IntRange(min=1), help="How many, where it can be told.")
@click.option(
    "--interrupt",
    is_flag=True,
    help="Interrupt and continue every run once; for agents with snapshot and restore.",
)
@click.option("--case", metavar="JSON", help="Only this case, as a failure prints it.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
@timing_option
@json_option
def prove(
    simulation: str,
    seeds: int,
    first_seed: int,
    steps: int,
    orders: int,
    agents: int | None,
    interrupt: bool,
    case: str | None,
    quiet: bool,
    timing: bool,
    as_json: bool,
) -> None:
    """Check that a simulation gives, out of order, what it gives in lock-step.

    SIMULATION is as of `headway run`: town, MODULE:FACTORY, or path/to/file.py:FACTORY; or random,
    for worlds in which any wrong read is noticed. Every world is run in lock-step and in several
    orders of execution, with answers of the scripted engine in modelled time; all that happens and
    the final states must be equal to the byte. What differs is made smaller and explained.

    Exits with 4 where a run differs.
    """
    told = {"agents": agents, "steps": steps, "orders": orders}
    only = case or os.environ.get(CASE_VARIABLE)
    with redirect_stdout(sys.stderr):  # what the user's code prints is none of the results
        makes = _maker(simulation, agents)
    begin = time.perf_counter()
    difference: NotAsLockstepError | None = None
    proof = Proof()

    def replay(case: Case) -> str:
        given = ["--agents", str(agents)] if agents is not None else []
        return shlex.join(["headway", "prove", simulation, *given, "--case", case.to_json()])

    total = 1 if only else seeds * orders
    with (
        nullcontext(_silent) if quiet else progress_bar("runs") as show,
        redirect_stdout(sys.stderr),
    ):

        def count(so_far: Proof) -> None:
            nonlocal proof
            proof = so_far
            show(so_far.runs, total)

        with users_code(f"proving {short(simulation, 200)}"):
            try:
                proof = assert_same_as_lockstep(
                    makes, seeds=range(first_seed, first_seed + seeds), steps=steps, orders=orders,
                    interrupt=interrupt, must_overtake=False, progress=count, command=replay,
                    case=None if case is None else Case.from_json(case),
                )  # fmt: skip
            except NotAsLockstepError as error:
                difference = error
    seconds = time.perf_counter() - begin
    if as_json:
        print_json({"simulation": simulation, **told, **_for_machines(proof, difference),
                    **({"seconds": seconds} if timing else {})})  # fmt: skip
    else:
        _show(proof, difference, seconds if timing else None)
    if difference is not None:
        sys.exit(DIFFERS)
    if not proof.overtaken and not only:
        raise click.ClickException(
            f"nobody overtook anybody in {proof.runs} runs, so they show nothing: try more seeds, "
            "orders or steps, or agents farther apart"
        )


def _maker(simulation: str, agents: int | None) -> Callable[[int], Any]:
    """Return what makes the world of a seed."""
    if simulation == RANDOM:
        if agents is not None:
            raise click.UsageError("random worlds have as many agents as they draw: no --agents")
        return random_setup
    factory: Factory = load(simulation)
    if not factory.repeats:
        raise click.UsageError(
            f"{factory.name} is a simulation that is made already; name a function that makes it"
        )
    seeded = factory.takes("seed")
    return lambda seed: factory.make(agents, seed if seeded else None)


def _silent(*_: object) -> None:
    """Show no progress."""


def _show(proof: Proof, difference: NotAsLockstepError | None, seconds: float | None) -> None:
    console = output()
    if proof.split:
        table = plain_table("worlds, by what they are; each counts in several lines")
        table.add_column("world")
        table.add_column("runs", justify="right")
        table.add_column("overtaken", justify="right")
        for label, (runs, overtaken) in sorted(proof.split.items()):
            table.add_row(Text(label), f"{runs:,}", f"{overtaken:,}")
        console.print(table)
        console.print()
    if difference is not None:
        console.print(f"after {proof.runs} runs as in lock-step:", markup=False)
        told = "\n".join(map(clean, str(difference).split("\n")))
        console.print(told, markup=False, highlight=False, soft_wrap=True)
        return
    console.print(str(proof), markup=False, highlight=False)
    if seconds is not None:
        rate = 60 * proof.runs / max(seconds, 1e-9)
        console.print(f"{seconds:.1f} s, {rate:.0f} runs a minute", highlight=False)


def _for_machines(proof: Proof, difference: NotAsLockstepError | None) -> dict[str, Any]:
    told: dict[str, Any] = {
        "runs": proof.runs,
        "overtaken": proof.overtaken,
        "lead_max": proof.lead_max,
        "agent_steps": proof.agent_steps,
        "calls": proof.calls,
        "split": {
            label: {"runs": runs, "overtaken": overtaken}
            for label, (runs, overtaken) in sorted(proof.split.items())
        },
        "difference": None,
    }
    if difference is not None:
        first = difference.difference
        told["difference"] = {
            "case": difference.case.to_json(),
            "compared": list(difference.schedules),
            "step": first.step,
            "agent": first.agent,
            "what": first.what,
            "expected": first.expected,
            "found": first.found,
            "reasons": difference.reasons,
        }
    return told
