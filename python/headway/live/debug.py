"""The debug mode: finds what a step uses besides its view and the agent's own attributes.

What the view hands out is frozen in any case. Here every step is, besides, executed twice on the
same snapshot, with the same answers, by a copy of the agent; the global random generators are
looked at before and after; and so are the objects that agents share. While an agent's step runs,
the attributes of other agents cannot be touched. What code reaches in other ways (files, the clock
read to no visible effect, a database) is not seen.
"""

from __future__ import annotations

import asyncio
import copy
import inspect
import warnings
from contextvars import copy_context
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from headway.errors import HiddenInputError, SharedStateWarning
from headway.live.agent import Action, Agent
from headway.live.llm import Llm
from headway.live.outline import attributes, outline
from headway.live.shared import Shared, SharedObject, copied
from headway.live.view import View
from headway.live.watching import Tasks, Watch, Watched, aside, begin, end

if TYPE_CHECKING:
    from collections.abc import Callable

    from headway.engines.base import Answer
    from headway.live.state import State

#: Steps after which shared objects are looked for again; before, at 0, 1, 2, 4, 8 and so on. All
#: of a large one is looked at then only, and at the end.
LOOK_EVERY = 64


@dataclass(frozen=True)
class Finding:
    """Something hidden that a step has used.

    Attributes
    ----------
    kind : {"generator", "agent", "repeat", "shared"}
        A global random generator, another agent's attributes, a second execution that differed, a
        shared object that was changed.
    agent, step
        Whose step, and which; of a shared object the first that changed it, and if that is not
        known the last that had begun when the change was seen.
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
        Told of every `Finding`. What it raises stops the run, whatever the step makes of it.
    """

    def __init__(self, state: State, report: Callable[[Finding], None] = complain) -> None:
        self._state = state
        self._report = report
        self._shared = Shared()
        self._steps = 0
        self._tasks: Tasks | None = None
        #: Of the step that began last.
        self._last: View | None = None

    def __enter__(self) -> Debugger:
        """Begin to watch the attributes of agents."""
        begin(self)
        return self

    def __exit__(self, *_: object) -> None:
        """Watch no longer."""
        end(self)
        if self._tasks is not None:
            self._tasks.leave(self)
        self._look_at_large()

    def __call__(self, agent: Agent, view: View) -> Any:  # noqa: ANN401 - awaited by the driver
        """Execute a step twice, and return what the first execution did."""
        if self._tasks is None:
            self._tasks = Tasks.join(self)
        steps, self._steps = self._steps, self._steps + 1
        if steps % LOOK_EVERY == 0 or (steps < LOOK_EVERY and steps & (steps - 1) == 0):
            self._look_at_large()
            self._shared.look(self._state.agents)
        self._last = view
        return self._twice(agent, view)

    async def _twice(self, agent: Agent, view: View) -> Any:  # noqa: ANN401
        name, step, state = view.name, view.step, self._state
        others = (each for each in state.agents if each is not agent)
        kept = (state, state.space, state.engine, asyncio.get_running_loop(), *others)
        twin = copied(agent, self._shared, kept)
        llm = view._llm = RecordingLlm(view, name, view._attempt)
        watched, context = Watch(self, agent, step), copy_context()
        result = watched.run(agent.step, view)
        if inspect.isawaitable(result):
            result = await Watched(result, watched.run)
        for error in watched.errors:
            if isinstance(error, HiddenInputError):
                raise error
        # What is hidden is known, or time has decided: to do it again would show nothing.
        if twin is None or watched.errors or llm.given_up:
            return result
        again = View(state, view._agent, step, view._attempt)
        repeating = again._llm = _RepeatingLlm(again, name, view._attempt, llm.answers)
        try:
            repeated = context.run(twin.step, again)
            if inspect.isawaitable(repeated):
                repeated = await Watched(repeated, context.run)
        except Exception as error:
            self._differs(name, step, f"did something, then raised {error!r}")
        else:
            self._compare(name, step, (result, agent), (repeated, twin))
            if repeating.left:
                what = f"asked the model {shown(repeating.left)}, then did not"
                self._differs(name, step, what)
        finally:
            again.close()
        return result

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
            if key in before and before[key] is after.get(key):
                continue  # shared, and watched
            one = outline(before[key], root=first[1]) if key in before else "nothing"
            other = outline(after[key], root=second[1]) if key in after else "nothing"
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
        try:
            self._report(Finding(kind, name, step, text))
        except Exception as error:
            self._state.stop(error)  # even if the step catches it
            raise

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
        if not shared.told:
            shared.told = True
            self._tell("shared", name, step, str(shared))

    def _look_at_large(self) -> None:
        """Report, once, of each large shared object that has changed since it was looked for."""
        for shared in self.shared:
            if self._last is not None and shared.large and not shared.told:
                if shared.outline() == shared.seen:
                    continue
                shared.told = True
                name, step = self._last.name, self._last.step
                self._tell("shared", name, step, str(shared))

    @property
    def shared(self) -> list[SharedObject]:
        """The objects that agents share."""
        return self._shared.watched


def shown(text: str) -> str:
    """Return an outline for a message, shortened."""
    return text if len(text) <= 120 else text[:119] + "…"


def outline_action(given: object) -> dict[str, str]:
    """Return what a step returned, part by part."""
    if not isinstance(given, Action | None):
        return {"what it returned": outline(given)}
    action = given or Action()
    parts = {field.name: getattr(action, field.name) for field in fields(Action)}
    if isinstance(action.spawn, list | tuple):
        parts["spawn"] = [
            (type(child), attributes(child)) if isinstance(child, Agent) else child
            for child in action.spawn
        ]
    return {f"its action's {name!r}": outline(part) for name, part in parts.items()}


# Answers for the second execution.


@dataclass
class _Call:
    """A call of the first execution: what came of it, and whether it had to wait."""

    answer: Answer | BaseException | None = None
    waited: bool = False


class RecordingLlm(Llm):
    """Remembers what the model answered."""

    __slots__ = ("answers",)

    def __init__(self, view: View, agent: str, attempt: int) -> None:
        super().__init__(view, agent, attempt)
        self.answers: dict[str, list[_Call]] = {}

    async def chat(self, prompt: Any, **options: Any) -> Answer:  # noqa: ANN401
        """Ask the model; see `Llm.chat`."""
        call = _Call()
        self.answers.setdefault(outline((prompt, options)), []).append(call)
        asking = Watched(super().chat(prompt, **options), aside)
        try:
            answer: Answer = await asking
        except BaseException as error:
            call.answer = error
            raise
        finally:
            call.waited = asking.waited
        # The step may change what it got.
        call.answer = replace(answer, value=copy.deepcopy(answer.value))
        return answer

    @property
    def given_up(self) -> bool:
        """Whether the step did not wait for some of the answers; that depends on time."""
        return any(
            call.answer is None or isinstance(call.answer, asyncio.CancelledError)
            for calls in self.answers.values()
            for call in calls
        )


class _RepeatingLlm(Llm):
    """Answers as the model did."""

    __slots__ = ("_recorded",)

    def __init__(
        self, view: View, agent: str, attempt: int, answers: dict[str, list[_Call]]
    ) -> None:
        super().__init__(view, agent, attempt)
        self._recorded = {key: list(calls) for key, calls in answers.items()}

    async def chat(self, prompt: Any, **options: Any) -> Answer:  # noqa: ANN401
        """Give the answer that the first execution got."""
        self._view._open()
        asked = outline((prompt, options))
        calls = self._recorded.get(asked)
        if not calls:
            raise RuntimeError(f"asked the model something else: {shown(outline(prompt))}")
        call = calls.pop(0)
        if call.waited:
            await asyncio.sleep(0)  # others of the step get their turn, as they did
        if isinstance(call.answer, BaseException):
            raise call.answer
        assert call.answer is not None
        return call.answer

    @property
    def left(self) -> str:
        """What the first execution has asked and this one has not."""
        return next((asked for asked, calls in self._recorded.items() if calls), "")
