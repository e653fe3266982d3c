"""Running a case, in lock-step or out of order, and what is kept of it for comparing."""

from __future__ import annotations

import asyncio
import inspect
from dataclasses import dataclass, replace
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

#: Parameters that take whatever is given.
_ANYTHING = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


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
        self._seed_as = _seed_parameter(makes)
        #: Whether its worlds differ by seed.
        self.takes_seed = self._seed_as is not None
        #: Who was made last, and has been run since.
        self._made: tuple[Agent, ...] = ()

    def make(self, case: Case) -> Setup:
        """Make the world of a case."""
        if self._seed_as:
            made = self.makes(**{self._seed_as: case.seed})
        else:
            made = self.makes() if self._seed_as is None else self.makes(case.seed)
        setup = Setup(made) if isinstance(made, Simulation) else made
        if not isinstance(setup, Setup) or not isinstance(setup.simulation, Simulation):
            if inspect.iscoroutine(made):
                made.close()
                raise OptionError("the factory is an `async def`; it must be a plain `def`")
            raise OptionError(f"the factory returned {made!r:.80}; it must return a Simulation")
        agents = tuple(setup.simulation.state.agents)
        again = {id(agent) for agent in self._made}
        if setup.simulation._driver is not None or any(id(agent) in again for agent in agents):
            raise OptionError(
                "the factory returned agents that have been run; it must make a new simulation, "
                "with new agents, each time"
            )
        self._made = agents
        if case.agents is not None:
            setup = replace(setup, simulation=setup.simulation.subset(case.agents))
        return setup


def _seed_parameter(makes: Callable[..., Any]) -> str | None:
    """Return the name a factory takes the seed by; "" for its first argument, None for none."""
    try:
        parameters = list(inspect.signature(makes).parameters.values())
    except (TypeError, ValueError):  # something compiled, which does not tell
        return None
    needed = [p for p in parameters if p.default is p.empty and p.kind not in _ANYTHING]
    named = [p for p in parameters if p.name == "seed"]
    for parameter in named or (needed if len(needed) == 1 else []):
        if parameter.kind is not parameter.POSITIONAL_ONLY:
            return parameter.name
        return "" if parameter is parameters[0] else None
    # One that takes any names passes them on.
    return "seed" if any(p.kind is p.VAR_KEYWORD for p in parameters) and not needed else None


def run(
    factory: Factory,
    case: Case,
    schedule: str,
    around: Callable[[Simulation], Callable[[Execute, Agent, View], Any]] | None = None,
) -> Run:
    """Run a case under a schedule; in lock-step nothing is delayed and nothing interrupted.

    `around` makes, from the simulation, what else is done around every step.
    """
    if asyncio._get_running_loop() is not None:
        raise OptionError(
            "an event loop is running already (an async test, a notebook?): compare runs in a "
            "plain function, or by `await asyncio.to_thread(...)`"
        )
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
    except Exception as failed:
        if in_step:
            raise
        # What had been finished by then depends on the order; whose failure it is may, too.
        why = failed.__cause__ if isinstance(failed, StepFailedError) else failed
        error = f"{type(why).__name__}: {why}"
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

        running = asyncio.ensure_future(
            simulation.run_async(steps, **{**options, "around_step": counted})
        )
        await asyncio.wait([running])  # which Ctrl-C ends, too
        if not running.cancelled():
            running.result()
    await simulation.run_async(steps, **options)
