"""Running a case, in lock-step or out of order, and what is kept of it for comparing."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headway.engines.scripted import ScriptedEngine
from headway.errors import OptionError, StepFailedError
from headway.live import Simulation
from headway.testing.order import Order, OrderedEngine

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from headway.engines.base import Engine
    from headway.live import Agent, OnError, Outcome, View
    from headway.testing.case import Case

    Execute = Callable[[Agent, View], Any]


@dataclass
class Setup:
    """A simulation with how to run it, for factories that want a say in it.

    Attributes
    ----------
    simulation : Simulation
    engine : Engine or None
        Whose answers to use. It must answer at once, and equal requests equally. By default the
        scripted engine's.
    on_error : OnError or str
        What happens when a step fails.
    labels : sequence of str
        Of what kind the world is, for the counts of a `Proof`.
    """

    simulation: Simulation
    engine: Engine | None = None
    on_error: OnError | str = "abort"
    labels: Sequence[str] = ()


@dataclass(frozen=True)
class Run:
    """What is compared of a run, and how far it got out of step.

    Attributes
    ----------
    events : list of str
        Everything that happened, a line each, in the order lock-step would have.
    final : mapping
        The final state; see `Simulation.final_state`.
    error : str or None
        Which step of whom failed and how, if that ended the run.
    outcome : Outcome
    order : Order
        With the delays that were used.
    labels : sequence of str
        Of the setup.
    """

    events: list[str]
    final: dict[str, Any]
    error: str | None
    outcome: Outcome
    order: Order
    labels: Sequence[str] = ()


class Factory:
    """Makes setups from what the user gave.

    Raises
    ------
    OptionError
        If what the user gave makes something else than simulations.
    """

    def __init__(self, makes: Callable[..., Any]) -> None:
        if isinstance(makes, Simulation) or not callable(makes):
            raise OptionError(
                f"give a function that makes a simulation, with new agents each time it is called, "
                f"not {makes!r:.80}"
            )
        self.makes = makes
        try:
            parameters = [
                p
                for p in inspect.signature(makes).parameters.values()
                if p.kind not in {p.VAR_KEYWORD, p.VAR_POSITIONAL}
            ]
        except (TypeError, ValueError):
            parameters = []
        keyword = [p for p in parameters if p.name == "seed" and p.kind != p.POSITIONAL_ONLY]
        required = [p for p in parameters if p.default is p.empty]
        self._keyword = bool(keyword)
        self._positional = not keyword and len(required) == 1
        #: Whether its worlds differ by seed.
        self.takes_seed = self._keyword or self._positional

    def make(self, case: Case) -> Setup:
        """Make the world of a case."""
        if self._keyword:
            made = self.makes(seed=case.seed)
        else:
            made = self.makes(case.seed) if self._positional else self.makes()
        setup = Setup(made) if isinstance(made, Simulation) else made
        if not isinstance(setup, Setup) or not isinstance(setup.simulation, Simulation):
            raise OptionError(f"the factory returned {made!r:.80}; it must return a Simulation")
        if setup.simulation._driver is not None:
            raise OptionError(
                "the factory returned a simulation that has been run; it must make a new one, with "
                "new agents, each time"
            )
        if case.agents is not None:
            setup.simulation = setup.simulation.subset(case.agents)
        return setup


def run(
    factory: Factory,
    case: Case,
    schedule: str,
    around: Callable[[Simulation], Callable[[Execute, Agent, View], Any]] | None = None,
) -> Run:
    """Run a case under a schedule; in lock-step nothing is delayed and nothing interrupted.

    `around` makes, from the simulation, what else is done around every step.
    """
    setup = factory.make(case)
    simulation = setup.simulation
    in_step = schedule != "conservative"
    order = Order(delays={}) if in_step else case.make_order()
    answers = setup.engine or ScriptedEngine(latency=None)
    engine = OrderedEngine(answers, order)
    events: list[str] = []
    error: str | None = None
    options: dict[str, Any] = {
        "schedule": schedule,
        "engine": engine,
        "on_error": setup.on_error,
        "on_event": lambda event: events.append(event.to_json()),
        "around_step": engine.around_step,
    }
    if around is not None:
        outer, inner = engine.around_step, around(simulation)
        options["around_step"] = lambda execute, agent, view: outer(
            lambda agent, view: inner(execute, agent, view), agent, view
        )
    try:
        asyncio.run(_in_parts(simulation, case.steps, None if in_step else case.cut, options))
    except StepFailedError as failed:
        if in_step:
            raise
        # What had been finished by then depends on the order; whose failure it is may, too.
        error = f"{type(failed.__cause__).__name__}: {failed.__cause__}"
    outcome = simulation.outcome()
    return Run(events, outcome.final, error, outcome, order, setup.labels)


async def _in_parts(
    simulation: Simulation, steps: int, cut: int | None, options: dict[str, Any]
) -> None:
    """Run it; interrupted once after `cut` steps of agents, if that is a number."""
    if cut is not None:
        begun = 0
        around = options["around_step"]
        running: asyncio.Task[Outcome] | None = None

        def counted(execute: Execute, agent: Agent, view: View) -> Any:  # noqa: ANN401
            nonlocal begun
            begun += 1
            if begun == cut and running is not None:
                running.cancel()
            return around(execute, agent, view)

        options = {**options, "around_step": counted}
        running = asyncio.ensure_future(simulation.run_async(steps, **options))
        with contextlib.suppress(asyncio.CancelledError):
            await running
    await simulation.run_async(steps, **options)
