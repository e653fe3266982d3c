"""Runs in the debug mode, for the tests of it: small agents, and what the run leaves behind."""

from __future__ import annotations

import asyncio
import warnings

from headway import Agent, Grid, Simulation
from headway.engines.scripted import ScriptedEngine
from headway.errors import HiddenInputError, SharedStateWarning

#: What the debug mode replaces while it watches.
WATCHED = ("__getattribute__", "__setattr__", "__delattr__")


class Doer(Agent):
    """Does in every step what a function of (agent, view) says."""

    def __init__(self, name, position, do=lambda agent, view: None, **footprint):
        super().__init__(name, position, **footprint)
        self.do = do

    def step(self, view):
        return self.do(self, view)


def line(*does, apart=20, **options) -> Simulation:
    """Make agents a0, a1, ... that stand in a row, so far apart that none affects another."""
    agents = [
        does[i](f"a{i}", (i * apart, 0))
        if isinstance(does[i], type)
        else Doer(f"a{i}", (i * apart, 0), does[i])
        for i in range(len(does))
    ]
    return Simulation(Grid(apart * len(does), 9), agents, **options)


def debug(simulation, steps=3, *, debug=True, engine=None, **options):
    """Run it, and return what came of it and the warnings of shared objects.

    Fails where anything is left behind: a task, a complaint of asyncio, a watched class.
    """
    complaints = []

    async def main():
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: complaints.append(context["message"]))
        try:
            return await simulation.run_async(
                steps, engine=engine or ScriptedEngine(), debug=debug, **options
            )
        finally:
            assert loop.get_task_factory() is None
            left = asyncio.all_tasks() - {asyncio.current_task()}
            assert not left, f"tasks are left over: {left}"

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("error")
        warnings.simplefilter("always", SharedStateWarning)
        try:
            outcome = asyncio.run(main())
        finally:
            assert not set(WATCHED) & vars(Agent).keys()
            assert not complaints, complaints
    assert {warning.category for warning in told} <= {SharedStateWarning}
    return outcome, [str(warning.message) for warning in told]


def quiet(simulation, steps=3, **options):
    """Run it in the debug mode, which must have nothing to say; return what came of it."""
    outcome, warned = debug(simulation, steps, **options)
    assert outcome.finished
    assert warned == []
    return outcome


def hidden(simulation, steps=3, **options) -> HiddenInputError:
    """Run it in the debug mode, which must find something; return the error."""
    try:
        debug(simulation, steps, **options)
    except HiddenInputError as error:
        return error
    raise AssertionError("nothing was found")
