"""`assert_same_as_lockstep`: the result out of order is the one that lock-step gives."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from headway.errors import OptionError
from headway.testing.case import Case
from headway.testing.diagnosis import explain
from headway.testing.difference import Difference, first_difference
from headway.testing.running import Factory, Run, run
from headway.testing.shrink import Shrinker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

#: Set to what a failure has printed: only that case is tried.
CASE_VARIABLE = "HEADWAY_CASE"

#: Set to a number: only that seed is tried.
SEED_VARIABLE = "HEADWAY_SEED"

OUT_OF_ORDER = ("lockstep", "conservative")
TWICE = ("lockstep", "lockstep")


class NotAsLockstepError(AssertionError):
    """A run out of order did not give what lock-step gives.

    Attributes
    ----------
    case : Case
        The smallest case that was found.
    difference : Difference
        The first thing that differs in it.
    reasons : list of str
        Why, as far as could be found out.
    schedules : tuple of str
        What was compared: "lockstep" with "conservative", or with itself.
    """

    def __init__(
        self,
        case: Case,
        difference: Difference,
        reasons: list[str],
        schedules: tuple[str, str],
        command: str,
    ) -> None:
        self.case, self.difference, self.reasons = case, difference, reasons
        self.schedules = schedules
        if schedules == TWICE:
            head = "two runs in lock-step of one seed do not give the same: no order is to blame"
            names = ("the first", "the second")
        else:
            head = "out of order this simulation does not give what lock-step gives"
            names = ("lock-step", "out of order")
        who = "" if difference.agent is None else f", {difference.agent!r}"
        lines = [
            head,
            f"  smallest case found:  {case}",
            f"  first difference:     step {difference.step}{who}: {difference.what}",
            f"      {names[0] + ':':13} {difference.expected}",
            f"      {names[1] + ':':13} {difference.found}",
            *(f"  {'why:' if not i else '    '} {reason}" for i, reason in enumerate(reasons)),
            f"  replay: {command}",
        ]
        super().__init__("\n".join(lines))


class NobodyOvertookError(AssertionError):
    """In no run anybody overtook anybody, so the runs have shown nothing."""


@dataclass(frozen=True)
class Proof:
    """What was compared.

    Attributes
    ----------
    runs : int
        Runs out of order, each compared with one in lock-step.
    overtaken : int
        Those in which an agent started a step while somebody else was behind.
    lead_max : int
        The most steps somebody was ahead.
    agent_steps, calls : int
        Executed and made in the runs out of order.
    split : mapping of str to (int, int)
        Runs, and runs in which somebody overtook, by the labels of the factory's setups.
    """

    runs: int = 0
    overtaken: int = 0
    lead_max: int = 0
    agent_steps: int = 0
    calls: int = 0
    split: dict[str, tuple[int, int]] = field(default_factory=dict)

    def plus(self, run: Run) -> Proof:
        """Count a run out of order."""
        done, overtook = run.outcome, run.outcome.lead_max > 0
        split = dict(self.split)
        for label in run.labels:
            runs, overtaken = split.get(label, (0, 0))
            split[label] = (runs + 1, overtaken + overtook)
        return Proof(
            self.runs + 1,
            self.overtaken + overtook,
            max(self.lead_max, done.lead_max),
            self.agent_steps + done.agent_steps,
            self.calls + done.calls,
            split,
        )

    def __str__(self) -> str:
        """Tell it in a line."""
        return (
            f"{self.runs} runs as in lock-step, in {self.overtaken} of them somebody overtook (by "
            f"up to {self.lead_max} steps); {self.agent_steps} agent-steps, {self.calls} calls"
        )


def assert_same_as_lockstep(
    simulation_factory: Callable[..., Any],
    *,
    seeds: int | Iterable[int] = 20,
    steps: int = 30,
    orders: int = 2,
    interrupt: bool = False,
    must_overtake: bool = True,
    case: Case | None = None,
    progress: Callable[[Proof], None] | None = None,
    command: Callable[[Case], str] | None = None,
) -> Proof:
    """Check that a simulation run out of order gives, to the byte, what lock-step gives.

    Every seed's world is run in lock-step, twice, and out of order in several orders of execution
    (of starts and ends of steps and of answers, in modelled time). All events and the final states
    must be equal. A case that fails is made smaller (fewer steps, agents, delays), then explained.
    The environment variable HEADWAY_CASE, as a failure prints it, has only that case run;
    HEADWAY_SEED only one seed.

    Parameters
    ----------
    simulation_factory : callable
        Makes a simulation, with new agents, each time it is called; with a parameter `seed`, or
        just one parameter, it gets the number of the world. It may return a `Setup` instead.
    seeds : int or iterable of int
        The numbers of the worlds, or how many.
    steps : int
        How many steps are run.
    orders : int
        How many orders of execution of each world are tried.
    interrupt : bool
        Interrupt and continue every run out of order once, too. For agents with `snapshot` and
        `restore`, or whose steps change no attributes: what was in flight is executed again.
    must_overtake : bool
        Fail if in no run anybody overtook anybody.
    case : Case, optional
        Only this one, as it is; also given by the environment variable.
    progress : callable, optional
        Told the `Proof` so far after every run.
    command : callable, optional
        From a case to the command that replays it, for the message.

    Returns
    -------
    Proof
        What was compared.

    Raises
    ------
    NotAsLockstepError
        With the smallest case that was found, why, and how to replay it.
    NobodyOvertookError
        If the runs have shown nothing.
    StepFailedError
        If a step fails in lock-step, and its policy is to stop.
    OptionError
        A parameter that makes no sense.
    """
    if steps < 1 or orders < 1:
        raise OptionError(f"steps and orders must be at least 1, got {steps} and {orders}")
    factory, proof = Factory(simulation_factory), Proof()
    comparing = _Comparison(factory, command or _command)
    given = os.environ.get(CASE_VARIABLE)
    if case is None and given:
        case = Case.from_json(given)
    if case is not None:
        return proof.plus(comparing.replay(case))
    for seed in _chosen(seeds):
        world = Case(seed, steps, order=0)
        expected = run(factory, world, "lockstep")
        comparing.check(world, expected, run(factory, world, "lockstep"), TWICE)
        for number in range(orders):
            case = replace(world, order=seed * orders + number)
            if interrupt:
                case = replace(case, cut=1 + (7 * seed + 11 * number) % (steps * 3))
            found = run(factory, case, "conservative")
            comparing.check(case, expected, found, OUT_OF_ORDER)
            proof = proof.plus(found)
            if progress is not None:
                progress(proof)
    if must_overtake and not proof.overtaken:
        raise NobodyOvertookError(
            f"nobody overtook anybody in {proof.runs} runs, so they show nothing: let agents stand "
            f"farther apart, see less far, or try more seeds, orders or steps "
            f"(must_overtake=False leaves this check out)"
        )
    return proof


def _chosen(seeds: int | Iterable[int]) -> Iterable[int]:
    only = os.environ.get(SEED_VARIABLE)
    if only:
        return [int(only)]
    return range(seeds) if isinstance(seeds, int) else seeds


class _Comparison:
    """Compares runs; makes what fails smaller and explains it."""

    def __init__(self, factory: Factory, command: Callable[[Case], str]) -> None:
        self._factory, self._command = factory, command

    def check(self, case: Case, expected: Run, found: Run, schedules: tuple[str, str]) -> None:
        """Fail, with the smallest case, if two runs differ."""
        difference = first_difference(expected, found, case.steps)
        if difference is None:
            return
        names = list(expected.final["agents"])
        given = self._factory.make(case).simulation.state.names
        shrinker = Shrinker(
            lambda smaller: self._difference(smaller, schedules),
            [name for name in names if name in given],
        )
        used = {} if schedules == TWICE else found.order.used
        self._fail(*shrinker.shrink(case, difference, used), schedules)

    def replay(self, case: Case) -> Run:
        """Check one case, as it is."""
        for schedules in (TWICE, OUT_OF_ORDER):
            expected = run(self._factory, case, schedules[0])
            found = run(self._factory, case, schedules[1])
            difference = first_difference(expected, found, case.steps)
            if difference is not None:
                self._fail(case, difference, schedules)
        return found

    def _difference(self, case: Case, schedules: tuple[str, str]) -> Difference | None:
        """Return what a smaller case shows; nothing if it cannot be run at all."""
        try:
            expected = run(self._factory, case, schedules[0])
            found = run(self._factory, case, schedules[1])
        except Exception:
            return None
        return first_difference(expected, found, case.steps)

    def _fail(self, case: Case, difference: Difference, schedules: tuple[str, str]) -> None:
        try:
            reasons = explain(self._factory, case, schedules)
        except Exception as error:
            reasons = [f"could not be found out: {type(error).__name__}: {error}"]
        raise NotAsLockstepError(case, difference, reasons, schedules, self._command(case))


def _command(case: Case) -> str:
    """Return the command that replays a case: the test that runs now, or the program."""
    test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0]
    what = ["python", "-m", "pytest", test] if test else ["python", *sys.argv]
    return f"{CASE_VARIABLE}={shlex.quote(case.to_json())} {shlex.join(what)}"
