"""`headway run`: a live simulation, out of order, and in lock-step to compare."""

from __future__ import annotations

import asyncio
import sys
import textwrap
import warnings
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headway.cli import INTERRUPTED, TERMINATED
from headway.cli.console import clean, output, print_json
from headway.cli.factories import MESSAGE_MAX, Factory, describe, is_users, load, short
from headway.cli.live_view import LiveView
from headway.cli.options import FOLDER, SECONDS, json_option, timing_option
from headway.cli.run_files import EventFile, RunFolder
from headway.cli.run_report import (
    Comparison,
    Ran,
    Stop,
    for_machines,
    show_comparison,
    show_run,
    show_talk,
)
from headway.cli.talk import Listener
from headway.engines.registry import ENGINES, make_engine
from headway.errors import EngineError, HeadwayError, SharedStateWarning, StepFailedError
from headway.live import OnError
from headway.schedules.live import LIVE_SCHEDULES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headway.engines.base import Engine
    from headway.live import Simulation
    from headway.live.events import Event

#: Engines that give equal answers to equal calls, whatever else they are asked.
CERTAIN = frozenset({"scripted", "null", "virtual", "replay"})

#: What answers where the user names nothing: the first that can be started.
PREFERRED, OTHERWISE = "local", "scripted"

#: Seconds between two looks at whether anything is to be shown.
LOOK_EVERY = 0.25


@dataclass(frozen=True)
class Orders:
    """What the user asked for."""

    factory: Factory
    agents: int | None
    seed: int | None
    steps: int
    engine: str | None
    schedule: str
    policy: OnError
    debug: bool
    quiet: bool


def _epilog() -> str:
    lists = {
        "Engines": {name: what for name, (what, _) in ENGINES.items()},
        "Schedules": LIVE_SCHEDULES,
    }
    return "\n\n".join(
        f"\b\n{title}:\n" + "\n".join(_entry(*entry) for entry in entries.items())
        for title, entries in lists.items()
    )


def _entry(name: str, what: str) -> str:
    indent = " " * 16
    return textwrap.fill(what, 76, initial_indent=f"  {name:<14}", subsequent_indent=indent)


@click.command(epilog=_epilog())
@click.argument("simulation", metavar="SIMULATION")
@click.option(
    "--agents", type=click.IntRange(min=1), help="How many.  [default: the simulation's, town: 25]"
)
@click.option(
    "--steps",
    type=click.IntRange(min=0),
    default=150,
    show_default=True,
    help="Run all agents up to this step; 150 steps of the town are 25 simulated minutes.",
)
@click.option(
    "--engine",
    metavar="NAME[:...]",
    help=f"What answers the LLM calls; see below.  [default: {PREFERRED} if it is installed, else "
    f"{OTHERWISE}]",
)
@click.option(
    "--schedule",
    type=click.Choice(list(LIVE_SCHEDULES)),
    default="conservative",
    show_default=True,
    help="Who may go when; the result does not depend on it.",
)
@click.option("--seed", type=int, help="Of all random numbers.  [default: the simulation's, 0]")
@click.option(
    "--on-error",
    type=click.Choice(["abort", "retry", "skip", "freeze"]),
    default="abort",
    show_default=True,
    help="A step that fails: stop; try it 3 times and then stop; let the agent do nothing in it; "
    "let the agent stand still for good.",
)
@click.option("--time-limit", type=SECONDS, help="Seconds of real time a step may take.")
@click.option(
    "--debug",
    is_flag=True,
    help="Execute each step twice and look for what it uses besides its view. Slow.",
)
@click.option("--compare", is_flag=True, help="Run it in lock-step too, and compare.")
@click.option(
    "--record", type=FOLDER, metavar="PATH", help="Write the run as a trace, to be replayed."
)
@click.option(
    "--events",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write everything that happens to this file, as JSON lines.",
)
@click.option("--quiet", is_flag=True, help="Show no progress.")
@click.option("--force", is_flag=True, help="Overwrite a trace or a file that is there.")
@timing_option
@json_option
def run(
    simulation: str,
    agents: int | None,
    steps: int,
    engine: str | None,
    schedule: str,
    seed: int | None,
    on_error: str,
    time_limit: float | None,
    debug: bool,
    compare: bool,
    record: Path | None,
    events: Path | None,
    quiet: bool,
    force: bool,
    timing: bool,
    as_json: bool,
) -> None:
    """Run a live simulation.

    \b
    SIMULATION is what makes it:
      town                      the town that comes with Headway
      MODULE:FACTORY            a function in a module that can be imported here
      path/to/file.py:FACTORY   a function in a file

    The function is given --agents and --seed as `agents` and `seed`, if they are given here, and
    returns a `headway.live.Simulation`. Loading and running it executes its code; nothing else is
    executed.

    Agents run ahead of each other as far as the schedule lets them. What they come to is what
    lock-step would have given; --compare shows it.
    """
    if compare and schedule == "lockstep":
        raise click.UsageError("--compare runs it in lock-step too; choose another --schedule")
    # A wrong name is told before anything is loaded.
    first = None if engine is None else make_engine(engine)
    policy = replace(OnError.of(on_error), time_limit=time_limit)
    with redirect_stdout(sys.stderr):
        factory = load(simulation)
        if compare and not factory.repeats:
            raise click.UsageError(
                f"{factory.name} is a simulation that is made already, and can only be run once; "
                "name a function that makes it, to --compare"
            )
        made = factory.make(agents, seed)
    orders = Orders(factory, agents, seed, steps, engine, schedule, policy, debug, quiet)
    folder = None
    if record is not None:
        folder = RunFolder(record, made, name=factory.name, force=force)
    file = None if events is None else EventFile(events, force=force)
    try:
        ran = _run(orders, made, first, _Ears(made, folder, file))
        problems = _written(folder, file)
    finally:
        if file is not None:
            file.discard()
    with suppress(AttributeError):
        # A character that the output cannot write is no reason to lose the report.
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    if not as_json:
        _show(ran, compare=compare, timing=timing)
    comparison = _compare(orders, ran, problems) if compare and ran.stop is None else None
    if as_json:
        print_json(for_machines(ran, comparison, timing=timing))
    elif comparison is not None:
        show_comparison(output(), comparison, timing=timing)
    _end(ran, comparison, problems)


def _written(folder: RunFolder | None, file: EventFile | None) -> list[Exception]:
    """Write what is to be written, however the run ended; return what went wrong."""
    problems: list[Exception] = []
    if file is not None:
        try:
            file.close()
            _note(f"{file.path}: {file.count:,} events")
        except OSError as error:
            problems.append(error)
    if folder is not None:
        try:
            _note(folder.write())
        except (OSError, HeadwayError) as error:
            problems.append(error)
    return problems


def _note(text: str) -> None:
    with suppress(OSError):
        click.echo(clean(text), err=True)


class _Ears:
    """Takes the events of a run and hands them to whoever wants them."""

    def __init__(
        self, made: Simulation, folder: RunFolder | None = None, file: EventFile | None = None
    ) -> None:
        self.listener = Listener(made)
        self.folder = folder
        self.file = file
        self.view: LiveView | None = None

    def hear(self, event: Event) -> None:
        """Take an event."""
        if event.what == "say":
            self.listener.hear(event)
            if self.view is not None:
                self.view.hear(event)
        if self.folder is not None:
            self.folder.on_event(event)
        if self.file is not None:
            self.file.write(event)


def _run(orders: Orders, made: Simulation, first: Engine | None, ears: _Ears) -> Ran:
    """Run it on the engine that was asked for, or on the best there is."""
    factory = orders.factory.name
    stop = None
    for name, engine in _engines(orders.engine, first):
        title = f"{short(factory, 60)}, {orders.schedule}, {engine.name}"
        with LiveView(title, made, orders.steps, quiet=orders.quiet) as ears.view:
            running = _watched(
                ears.view,
                made,
                steps=orders.steps,
                engine=engine,
                schedule=orders.schedule,
                on_error=orders.policy,
                on_event=ears.hear,
                on_call=None if ears.folder is None else ears.folder.on_call,
                progress=ears.view.progress,
                debug=orders.debug,
            )
            try:
                stop = _until_stopped(running)
                break
            except (EngineError, ImportError) as error:
                if orders.engine is not None or name == OTHERWISE:
                    raise
                why = _without(error)
        _note(why)
    kind = name.partition(":")[0]
    model = getattr(engine, "model", None)
    shown = name if kind in CERTAIN else f"{engine.name}{f' ({model})' if model else ''}"
    return Ran(
        name=factory,
        engine=clean(shown),
        engine_given=name,
        certain=kind in CERTAIN,
        simulation=made,
        outcome=made.outcome(),
        talk=ears.listener.longest,
        stop=stop,
    )


def _engines(name: str | None, first: Engine | None) -> Iterator[tuple[str, Engine]]:
    """Yield the engine that was asked for, or the ones to try."""
    if name is not None:
        yield name, first or make_engine(name)
        return
    try:
        yield PREFERRED, make_engine(PREFERRED)
    except (EngineError, ImportError) as error:
        _note(_without(error))
    yield OTHERWISE, make_engine(OTHERWISE)


def _without(error: Exception) -> str:
    return (
        f"note: answers are made up by the engine {OTHERWISE!r}, as the embedded model cannot be "
        f"used: {short(error, MESSAGE_MAX)}"
    )


async def _watched(view: LiveView, made: Simulation, **options: Any) -> None:  # noqa: ANN401
    """Run it, and look now and then, also while nothing ends."""

    async def look() -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            view.look()

    looking = asyncio.create_task(look())
    try:
        # What the user's code prints is none of the results.
        with redirect_stdout(sys.stderr), _findings_noted():
            await made.run_async(**options)
    finally:
        looking.cancel()


@contextmanager
def _findings_noted() -> Iterator[None]:
    """Tell what the debug mode warns of in a line, without where Headway warned of it."""
    with warnings.catch_warnings():
        usual = warnings.showwarning

        def show(
            message: Warning | str,
            category: type[Warning],
            *where: Any,  # noqa: ANN401
        ) -> None:
            if issubclass(category, SharedStateWarning):
                _note(f"warning: {message}")
            else:
                usual(message, category, *where)

        warnings.showwarning = show  # type: ignore[assignment]
        yield


def _until_stopped(running: Any) -> Stop | None:  # noqa: ANN401 - a coroutine
    """Run it to its end, or tell why it was stopped; what had been finished is kept."""
    try:
        asyncio.run(running)
    except KeyboardInterrupt:
        return Stop("interrupted", INTERRUPTED)
    except SystemExit as error:
        if error.code == TERMINATED:
            return Stop("terminated", TERMINATED)
        return Stop("failed", 1, f"the simulation ended the program: {describe(error)}")
    except StepFailedError as error:
        tries = f" in {error.attempts} attempts" if error.attempts > 1 else ""
        return Stop(
            "failed",
            1,
            f"step {error.step} of {short(error.agent, 60)!r} failed{tries}: "
            f"{describe(error.__cause__ or error)}; --on-error can be retry, skip or freeze",
        )
    except HeadwayError:
        raise
    except Exception as error:
        if not is_users(error):
            raise  # a bug of ours: the traceback is wanted
        return Stop("failed", 1, f"the simulation failed outside of a step: {describe(error)}")
    return None


def _compare(orders: Orders, ran: Ran, problems: list[Exception]) -> Comparison | None:
    """Make it once more and run it in lock-step; what goes wrong must not lose the first run."""
    name = orders.factory.name
    orders = replace(orders, schedule="lockstep", engine=ran.engine_given)
    try:
        with redirect_stdout(sys.stderr):
            made = orders.factory.make(orders.agents, orders.seed)
        if made is ran.simulation:
            raise click.ClickException(
                f"{name} returned the same simulation twice; to --compare it must make a new one, "
                "with new agents, each time"
            )
        return Comparison(ran, _run(orders, made, None, _Ears(made)))
    except (HeadwayError, click.ClickException) as error:
        problems.append(error)
        return None


def _show(ran: Ran, *, compare: bool, timing: bool) -> None:
    console = output()
    show_talk(console, ran.talk)
    show_run(console, ran, timing=timing)
    done = ran.outcome
    alone = not compare and done.schedule != "lockstep"
    if alone and not done.modelled and done.finished and timing:
        console.print("How long lock-step takes: run it again with --compare.")


def _end(ran: Ran, comparison: Comparison | None, problems: list[Exception]) -> None:
    """Exit as the run did, with the reason."""
    for stop in (ran.stop, comparison.lockstep.stop if comparison else None):
        if stop is None:
            continue
        for problem in problems:
            if isinstance(problem, OSError):
                _note(f"Error: {problem.filename}: {problem.strerror}")
            else:
                _note(f"Error: {problem}")
        if stop.message:
            raise click.ClickException(stop.message)
        _note(f"headway: {stop.why}")
        sys.exit(stop.code)
    if problems:
        raise problems[0]
    if comparison is not None and comparison.broken:
        raise click.ClickException(
            "out of order and in lock-step it came to different ends, although the engine gives "
            "equal answers to equal calls. Agents that share variables, use the global random "
            "generator or the clock do that, and so does --time-limit; if yours do not, it is a "
            "bug of Headway"
        )
