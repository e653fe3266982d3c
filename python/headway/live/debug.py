"""The debug mode: finds what a step uses besides its view and the agent's own attributes.

What the view hands out is frozen in any case. Here every step is, besides, executed twice on the
same snapshot, with the same answers, by a copy of the agent; the global random generators are
looked at before and after; and so are the objects that agents share. While an agent's step runs,
the attributes of other agents cannot be touched. What code reaches in other ways (files, the clock
read to no visible effect, a database) is not seen.
"""

from __future__ import annotations

import copy
import random
import sys
import warnings
from contextvars import ContextVar
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from headway.errors import HiddenInputError, SharedStateWarning
from headway.live.agent import Action, Agent
from headway.live.llm import Llm
from headway.live.outline import attributes, outline
from headway.live.shared import SharedObject, shared_objects
from headway.live.view import View

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from headway.engines.base import Answer
    from headway.live.state import State

#: Attributes of other agents that never change, so that reading them tells nothing new.
CONSTANT = frozenset({"name", "sight", "speed", "reach", "joins"})

#: Steps after which shared objects are looked for again.
LOOK_EVERY = 50


@dataclass(frozen=True)
class Finding:
    """Something hidden that a step has used.

    Attributes
    ----------
    kind : {"generator", "agent", "repeat", "shared"}
        A global random generator, another agent's attributes, a second execution that differed, a
        shared object that was changed.
    agent, step
        Whose step, and which; of a shared object the first that changed it.
    text : str
        What was found and what to do, in a sentence or two.
    """

    kind: str
    agent: str
    step: int
    text: str


def complain(finding: Finding) -> None:
    """Warn of a shared object; stop the run for anything else.

    Raises
    ------
    HiddenInputError
    """
    if finding.kind == "shared":
        warnings.warn(finding.text, SharedStateWarning, stacklevel=2)
    else:
        raise HiddenInputError(
            finding.text, agent=finding.agent, step=finding.step, kind=finding.kind
        )


class Debugger:
    """Executes steps with an eye on what they use; the `around_step` of a run.

    Parameters
    ----------
    state : State
        Of the simulation.
    report : callable
        Told of every `Finding`; may raise.
    """

    def __init__(self, state: State, report: Callable[[Finding], None] = complain) -> None:
        self._state = state
        self._report = report
        self._shared: list[SharedObject] = []
        self._told: set[int] = set()
        self._steps = 0

    def __enter__(self) -> Debugger:
        """Begin to watch the attributes of agents."""
        _watch(self)
        return self

    def __exit__(self, *_: object) -> None:
        """Watch no longer."""
        _unwatch(self)

    def __call__(self, agent: Agent, view: View) -> Any:  # noqa: ANN401 - awaited by the driver
        """Execute a step twice, and return what the first execution did."""
        if self._steps % LOOK_EVERY == 0:
            known = {id(shared.value): shared for shared in self._shared}
            found = shared_objects(self._state.agents)
            self._shared = [known.get(id(shared.value), shared) for shared in found]
        self._steps += 1
        return self._twice(agent, view)

    async def _twice(self, agent: Agent, view: View) -> Any:  # noqa: ANN401
        name, step = view.name, view.step
        twin = self._copy(agent)
        llm = view._llm = RecordingLlm(view, name, view._attempt)
        result = await _Watched(self, agent, step, agent.step, view)
        if twin is None:
            return result
        again = View(self._state, view._agent, step, view._attempt)
        again._llm = _RepeatingLlm(again, name, view._attempt, llm.answers)
        try:
            repeated = await _Watched(None, twin, step, twin.step, again)
        except Exception as error:
            self._differs(name, step, f"did something, then raised {error!r}")
        else:
            self._compare(name, step, (result, agent), (repeated, twin))
        finally:
            again.close()
        return result

    def _copy(self, agent: Agent) -> Agent | None:
        """Return a copy of an agent that knows the same others, if it can be copied."""
        memo = {id(other): other for other in self._state.agents if other is not agent}
        for kept in (self._state.space, self._state, *(shared.value for shared in self._shared)):
            memo[id(kept)] = kept  # type: ignore[assignment]
        try:
            return copy.deepcopy(agent, memo)
        except Exception:
            return None  # it holds a socket, a lock or the like

    def _compare(
        self, name: str, step: int, first: tuple[Any, Agent], second: tuple[Any, Agent]
    ) -> None:
        did, did_again = outline_action(first[0]), outline_action(second[0])
        for part in [*did, *did_again]:
            one, other = did.get(part, "nothing"), did_again.get(part, "nothing")
            if one != other:
                self._differs(name, step, f"{part} was {shown(one)} and then {shown(other)}")
                return
        before, after = attributes(first[1]), attributes(second[1])
        for key in sorted({*before, *after}):
            one = outline(before.get(key), root=first[1])
            other = outline(after.get(key), root=second[1])
            if one != other:
                what = f"its attribute {key!r} became {shown(one)} and then {shown(other)}"
                self._differs(name, step, what)
                return

    def _differs(self, name: str, step: int, what: str) -> None:
        self._tell(
            "repeat", name, step,
            f"{name!r} executed step {step} twice on the same snapshot with the same answers, and "
            f"{what}. A step must be a function of its view and of the agent's own attributes: no "
            f"variables shared with others, no global random generator (there is view.random), no "
            f"clock (there is view.time)",
        )  # fmt: skip

    def _tell(self, kind: str, name: str, step: int, text: str) -> None:
        self._report(Finding(kind, name, step, text))

    # Told by what watches.

    def knows(self, agent: Agent) -> bool:
        """Return whether an agent is one of the simulation's."""
        return any(agent is one for one in self._state.agents)

    def touched(self, agent: Agent, step: int, other: Agent, attribute: str) -> None:
        """Report that a step has touched another agent's attribute."""
        state = self._state
        me = next(i for i, one in enumerate(state.agents) if one is agent)
        them = next(i for i, one in enumerate(state.agents) if one is other)
        away = state.space.distance(state.positions[me], state.positions[them])
        self._tell(
            "agent", state.names[me], step,
            f"{state.names[me]!r} used {attribute!r} of {state.names[them]!r} directly in step "
            f"{step}, not through its view. That one stands {away:g} away (sight is "
            f"{state.sight[me]:g}) and may be at any other step (now at {state.clocks[them]}): "
            f"look at others with view.agent(name) or view.neighbours, which give them as they "
            f"were at the start of the step",
        )  # fmt: skip

    def drew(self, agent: Agent, step: int, whose: str) -> None:
        """Report that a step has drawn from a global random generator."""
        name = attributes(agent)["name"]
        self._tell(
            "generator", name, step,
            f"{name!r} drew from {whose} in step {step}, whose numbers depend on who else drew "
            f"before: use view.random, which is a generator of its own for each agent and step",
        )  # fmt: skip

    def changed(self, agent: Agent, step: int, shared: SharedObject) -> None:
        """Report, once, that a step has changed a shared object."""
        name = attributes(agent)["name"]
        shared.writers.setdefault(name, step)
        if id(shared) not in self._told:
            self._told.add(id(shared))
            self._tell("shared", name, step, str(shared))

    @property
    def shared(self) -> list[SharedObject]:
        """The objects that agents share."""
        return self._shared


def shown(text: str) -> str:
    """Return an outline for a message, shortened."""
    return text if len(text) <= 120 else text[:119] + "…"


def outline_action(given: object) -> dict[str, str]:
    """Return what a step returned, part by part."""
    if not isinstance(given, Action | None):
        return {"what it returned": outline(given)}
    action = given or Action()
    parts = {field.name: getattr(action, field.name) for field in fields(Action)}
    parts["spawn"] = [attributes(child) for child in action.spawn]
    return {f"its action's {name!r}": outline(part) for name, part in parts.items()}


# Watching a step while it runs.

#: Of the step that runs now: who watches it, whose it is, and which.
_running: ContextVar[tuple[Debugger, Agent, int] | None] = ContextVar("running", default=None)

_watchers: list[Debugger] = []


class _Watched:
    """Awaits a step, looking at what is global before and after every piece of it."""

    def __init__(
        self,
        debugger: Debugger | None,
        agent: Agent,
        step: int,
        call: Callable[[View], Any],
        view: View,
    ) -> None:
        self._debugger, self._agent, self._step = debugger, agent, step
        self._call, self._view = call, view

    def __await__(self) -> Generator[Any, Any, Any]:
        result = self._piece(self._call, self._view)
        if not hasattr(result, "__await__"):
            return result
        steps = result.__await__()
        resume: Callable[..., Any] = steps.__next__
        value: tuple[Any, ...] = ()
        while True:
            try:
                awaited = self._piece(resume, *value)
            except StopIteration as stop:
                return stop.value
            try:
                value, resume = ((yield awaited),), steps.send
            except GeneratorExit:
                steps.close()
                raise
            except BaseException as error:
                value, resume = (error,), steps.throw

    def _piece(self, resume: Callable[..., Any], *value: Any) -> Any:  # noqa: ANN401
        debugger = self._debugger
        if debugger is None:
            return resume(*value)
        _running.set((debugger, self._agent, self._step))
        generators = _generators()
        before = [shared.outline() for shared in debugger.shared]
        try:
            return resume(*value)
        finally:
            _running.set(None)
            for shared, outlined in zip(debugger.shared, before, strict=True):
                if shared.outline() != outlined:
                    debugger.changed(self._agent, self._step, shared)
            for whose, drawn in _generators().items():
                if drawn != generators.get(whose, drawn):
                    debugger.drew(self._agent, self._step, whose)


def _generators() -> dict[str, object]:
    """Return the states of the generators everybody shares."""
    states: dict[str, object] = {"Python's global random generator": random.getstate()}
    if "numpy.random" in sys.modules:
        numpy_random = sys.modules["numpy.random"]
        states["numpy's global random generator"] = repr(numpy_random.get_state(legacy=False))
    return states


def _watch(debugger: Debugger) -> None:
    _watchers.append(debugger)
    # Only while somebody watches: it slows every look at an attribute down.
    setattr(Agent, "__getattribute__", _get)  # noqa: B010 - to a type checker it is a method
    setattr(Agent, "__setattr__", _set)  # noqa: B010


def _unwatch(debugger: Debugger) -> None:
    _watchers.remove(debugger)
    if not _watchers:
        del Agent.__getattribute__, Agent.__setattr__


def _get(agent: Agent, name: str) -> Any:  # noqa: ANN401
    value = object.__getattribute__(agent, name)
    _touch(agent, name)
    return value


def _set(agent: Agent, name: str, value: object) -> None:
    _touch(agent, name)
    object.__setattr__(agent, name, value)


def _touch(agent: Agent, name: str) -> None:
    running = _running.get()
    if running is None or running[1] is agent or name in CONSTANT or name.startswith("__"):
        return
    debugger, current, step = running
    if name in attributes(agent) and debugger.knows(agent):
        debugger.touched(current, step, agent, name)


# Answers for the second execution.


class RecordingLlm(Llm):
    """Remembers what the model answered."""

    __slots__ = ("answers",)

    def __init__(self, view: View, agent: str, attempt: int) -> None:
        super().__init__(view, agent, attempt)
        self.answers: dict[str, list[Answer | BaseException]] = {}

    async def chat(self, prompt: Any, **options: Any) -> Answer:  # noqa: ANN401
        """Ask the model; see `Llm.chat`."""
        key = outline((prompt, options))
        answers = self.answers.setdefault(key, [])
        place = len(answers)
        answers.append(RuntimeError("this call was not answered in the first execution"))
        try:
            answer = await super().chat(prompt, **options)
        except BaseException as error:
            answers[place] = error
            raise
        answers[place] = answer
        return answer


class _RepeatingLlm(Llm):
    """Answers as the model did."""

    __slots__ = ("_recorded",)

    def __init__(
        self,
        view: View,
        agent: str,
        attempt: int,
        answers: dict[str, list[Answer | BaseException]],
    ) -> None:
        super().__init__(view, agent, attempt)
        self._recorded = {key: iter(given) for key, given in answers.items()}

    async def chat(self, prompt: Any, **options: Any) -> Answer:  # noqa: ANN401
        """Give the answer that the first execution got."""
        key = outline((prompt, options))
        answer = next(self._recorded.get(key, iter(())), None)
        if answer is None:
            raise RuntimeError(f"asked the model something else: {shown(outline(prompt))}")
        if isinstance(answer, BaseException):
            raise answer
        return answer
