"""Why two runs of one small case part: what each step read, held, asked and did, in both of them.

By the contract a step is a function of its view, of the agent's attributes and of the answers to
its calls. So at the first step that went differently one of these differed, and that tells whose
fault it is; if none did, the step used something else, and the debugger tells what it has seen.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from headway.live.debug import Debugger, Finding, RecordingLlm, outline_action, shown
from headway.live.outline import attributes, outline
from headway.testing.running import Factory, run

if TYPE_CHECKING:
    from collections.abc import Callable

    from headway.live import Agent, Simulation, View
    from headway.testing.case import Case

    Execute = Callable[[Agent, View], Any]

#: Findings of the debugger that are told.
FINDINGS = 4

#: What the two runs are called.
_NAMES = ("in lock-step", "out of order")


@dataclass
class StepRecord:
    """What one step of one agent read, held, asked, and did; as outlines."""

    read: dict[str, str]
    held: dict[str, str]
    asked: list[str] = field(default_factory=list)
    did: dict[str, str] = field(default_factory=dict)
    then: dict[str, str] = field(default_factory=dict)


class Recorder:
    """Records every step of a run; what is done around a step, for `run`."""

    def __init__(self) -> None:
        self.steps: dict[tuple[int, str], StepRecord] = {}

    def around(self, simulation: Simulation) -> Callable[[Execute, Agent, View], Any]:
        """Return what is done around the steps of a simulation."""

        async def recorded(execute: Execute, agent: Agent, view: View) -> Any:  # noqa: ANN401
            record = StepRecord(_read(view), _held(agent))
            self.steps[view.step, view.name] = record
            view._llm = RecordingLlm(view, view.name, view._attempt)
            result = execute(agent, view)
            if inspect.isawaitable(result):
                result = await result
            record.asked = sorted(
                outline((asked, [call.answer for call in calls]))
                for asked, calls in view._llm.answers.items()
            )
            record.did, record.then = outline_action(result), _held(agent)
            return result

        return recorded


def _read(view: View) -> dict[str, str]:
    """Return everything the view offers."""
    parts = ("position", "state", "neighbours", "inbox", "places", "areas")
    return {part: outline(getattr(view, part)) for part in parts}


def _held(agent: Agent) -> dict[str, str]:
    held = attributes(agent)
    return {name: outline(held[name], root=agent) for name in sorted(held)}


def explain(factory: Factory, case: Case, schedules: tuple[str, str]) -> list[str]:
    """Run a case again under both schedules and tell why they part, in a few sentences."""
    expected, found = Recorder(), Recorder()
    for recorder, schedule in zip((expected, found), schedules, strict=True):
        run(factory, case, schedule, recorder.around)
    twice = schedules[0] == schedules[1]
    told = _first_fault(expected, found, ("first", "then") if twice else _NAMES)
    findings = _findings(factory, case, schedules[1])
    if findings:
        told += ["what the debug mode has seen (run(debug=True) sees it too):"]
        told += [f"- {finding.text}" for finding in findings[:FINDINGS]]
    elif told[-1].startswith("it "):
        told += [
            "nothing hidden was seen; what is left are files, clocks, other processes, and "
            "variables reached in ways the debug mode does not follow"
        ]
    return told


def _findings(factory: Factory, case: Case, schedule: str) -> list[Finding]:
    """Run a case with the debugger, and return what it has found, each kind and agent once."""
    found: dict[tuple[str, str], Finding] = {}

    def report(finding: Finding) -> None:
        found.setdefault((finding.kind, finding.agent), finding)

    debuggers: list[Debugger] = []

    def around(simulation: Simulation) -> Callable[[Execute, Agent, View], Any]:
        debugger = Debugger(simulation.state, report)
        debuggers.append(debugger.__enter__())
        return lambda execute, agent, view: debugger(agent, view)

    try:
        run(factory, case, schedule, around)
    finally:
        for debugger in debuggers:
            debugger.__exit__()
    order = ("generator", "agent", "shared", "repeat")
    # That a second execution differed says little where the reason is known.
    kinds = {finding.kind for finding in found.values()}
    told = [f for f in found.values() if f.kind != "repeat" or kinds == {"repeat"}]
    return sorted(told, key=lambda f: (order.index(f.kind), f.step, f.agent))


def _first_fault(expected: Recorder, found: Recorder, names: tuple[str, str]) -> list[str]:
    """Tell of the first step that went differently, and which of its inputs differed."""
    keys = sorted({*expected.steps, *found.steps})
    for step, name in keys:
        one, other = expected.steps.get((step, name)), found.steps.get((step, name))
        if one is None or other is None:
            return [f"{names[one is not None]} step {step} of {name!r} was not executed"]
        if one != other:
            break
    else:
        return ["run again with every step recorded, both gave the same: it does not repeat itself"]
    # Of the agents at this step, somebody whose inputs were equal is where it begins.
    for other_name in (n for s, n in keys if s == step):
        one, other = expected.steps.get((step, other_name)), found.steps.get((step, other_name))
        if one and other and one != other and (one.read, one.held) == (other.read, other.held):
            return _same_inputs(step, other_name, (one, other), names)
    pair = (expected.steps[step, name], found.steps[step, name])
    return _other_inputs(step, name, pair, names)


def _same_inputs(
    step: int, name: str, pair: tuple[StepRecord, StepRecord], names: tuple[str, str]
) -> list[str]:
    one, other = pair
    told = [f"{name!r} saw the same at step {step} in both runs, and held the same itself,"]
    if one.asked != other.asked:
        mine, theirs = _unequal(one.asked, other.asked)
        return [
            *told,
            f"but of the model it got {names[0]} {shown(mine)}, {names[1]} {shown(theirs)}:",
            "it asks, or the engine answers, by something else than what is asked",
        ]
    for part in (*one.did, *other.did):
        if one.did.get(part) != other.did.get(part):
            what, values = f"{part} was", (one.did.get(part), other.did.get(part))
            break
    else:
        key = next(
            key for key in {**one.then, **other.then} if one.then.get(key) != other.then.get(key)
        )
        what, values = f"its attribute {key!r} became", (one.then.get(key), other.then.get(key))
    mine, theirs = (shown(value or "nothing") for value in values)
    return [
        *told,
        f"but {what} {names[0]} {mine}, {names[1]} {theirs}:",
        "it uses something besides its view and its attributes",
    ]


def _unequal(one: list[str], other: list[str]) -> tuple[str, str]:
    """Return the first entries that two lists differ in."""
    for mine, theirs in zip(one, other, strict=False):
        if mine != theirs:
            return mine, theirs
    longer = one if len(one) > len(other) else other
    extra = longer[min(len(one), len(other))]
    return (extra, "nothing") if longer is one else ("nothing", extra)


def _other_inputs(
    step: int, name: str, pair: tuple[StepRecord, StepRecord], names: tuple[str, str]
) -> list[str]:
    one, other = pair
    for key in {**one.held, **other.held}:
        mine, theirs = (shown(record.held.get(key, "nothing")) for record in pair)
        if one.held.get(key) != other.held.get(key):
            return [
                f"before step {step} of {name!r} its attribute {key!r} was {names[0]} {mine}, "
                f"{names[1]} {theirs}, although its own steps before had left the same:",
                "it is changed by somebody else's steps",
            ]
    key = next(key for key in one.read if one.read[key] != other.read[key])
    return [
        f"{name!r} was shown other {key} at step {step}: {names[0]} {shown(one.read[key])}, "
        f"{names[1]} {shown(other.read[key])}, although all steps before had given the same. "
        f"Either the rule of a place is not a function of what is written, the space's distance is "
        f"larger than what agents affect, or it is a bug of Headway: please report it"
    ]
