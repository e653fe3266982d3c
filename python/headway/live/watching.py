"""Watching what the code of a step does while it runs, piece by piece, whatever tasks it makes.

Global random generators and shared objects are looked at before and after every piece that runs
without waiting; the attributes of other agents cannot be touched meanwhile.
"""

from __future__ import annotations

import asyncio
import inspect
import random
import sys
import threading
from collections.abc import Coroutine
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Self

from headway.live.agent import Agent
from headway.live.outline import attributes, outline

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from headway.live.debug import Debugger
    from headway.live.shared import SharedObject

#: Attributes of other agents that never change, so that reading them tells nothing new.
CONSTANT = frozenset({"name", "sight", "speed", "reach", "joins"})

#: What watches the step that runs now.
_running: ContextVar[Watch | None] = ContextVar("running", default=None)

_watchers: list[Debugger] = []

#: For runs in several threads.
_lock = threading.Lock()


class Watch:
    """Looks, before and after every piece of a step, or of a task of it, at what is global."""

    def __init__(self, debugger: Debugger, agent: Agent, step: int) -> None:
        self.debugger, self.agent, self.step = debugger, agent, step
        #: What was raised because of what was found; None where nothing was.
        self.errors: list[Exception | None] = []
        self._generators: dict[str, str] = {}
        self._shared: list[tuple[SharedObject, str]] = []

    def of_task(self) -> Watch:
        """Return what watches a task of the step, and finds things for the same step."""
        watch = Watch(self.debugger, self.agent, self.step)
        watch.errors = self.errors
        return watch

    def run(self, piece: Callable[..., Any], *given: Any) -> Any:  # noqa: ANN401
        """Run a piece of the step."""
        token = _running.set(self)
        self.look()
        try:
            return piece(*given)
        finally:
            _running.reset(token)
            self.compare()

    def look(self) -> None:
        """Remember how everything is now."""
        self._generators = _generators()
        self._shared = [(shared, shared.glance()) for shared in self.debugger.shared]

    def compare(self) -> None:
        """Report what has changed since; what that raises is kept for the end of the step."""
        for shared, outlined in self._shared:
            if shared.glance() != outlined:
                self._found(self.debugger.changed, shared)
        for whose, drawn in _generators().items():
            if drawn != self._generators.get(whose, drawn):
                self._found(self.debugger.drew, whose)

    def _found(self, report: Callable[[Agent, int, Any], None], what: object) -> None:
        self.errors.append(None)
        try:
            report(self.agent, self.step, what)
        except Exception as error:
            self.errors[-1] = error


def aside(piece: Callable[..., Any], *given: Any) -> Any:  # noqa: ANN401
    """Run a piece that is not the step's own, although within it: what the engine does."""
    watch = _running.get()
    if watch is not None:
        watch.compare()
    token = _running.set(None)
    try:
        return piece(*given)
    finally:
        _running.reset(token)
        if watch is not None:
            watch.look()


class Watched(Coroutine[Any, Any, Any]):
    """A coroutine of which every piece that runs without waiting is run by a function.

    `run` is called with what to call, and with what.
    """

    def __init__(self, awaited: Any, run: Callable[..., Any]) -> None:  # noqa: ANN401
        self._coroutine = awaited if inspect.iscoroutine(awaited) else _awaiting(awaited)
        self._run = run
        #: Whether it had to wait.
        self.waited = False

    def send(self, value: Any) -> Any:  # noqa: ANN401
        """Run it up to where it waits next."""
        awaited = self._run(self._coroutine.send, value)
        self.waited = True
        return awaited

    def throw(self, *error: Any) -> Any:  # noqa: ANN401
        """Raise an error where it waits."""
        return self._run(self._coroutine.throw, *error)

    def close(self) -> None:
        """End it."""
        self._coroutine.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:  # noqa: ANN401
        return self.send(None)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - what asyncio shows of a task
        return getattr(self._coroutine, name)


async def _awaiting(awaited: Any) -> Any:  # noqa: ANN401
    return await awaited


class Tasks:
    """Makes the tasks of an event loop; those that steps make are watched like the steps."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._before = loop.get_task_factory()
        self._users: set[Debugger] = set()

    @staticmethod
    def join(user: Debugger) -> Tasks:
        """Watch the tasks of the loop that runs now."""
        loop = asyncio.get_running_loop()
        there: object = loop.get_task_factory()
        tasks = there if isinstance(there, Tasks) else Tasks(loop)
        tasks._users.add(user)
        loop.set_task_factory(tasks)
        return tasks

    def leave(self, user: Debugger) -> None:
        """Watch them no longer, if nobody else does."""
        self._users.discard(user)
        if not self._users and self._loop.get_task_factory() is self:
            self._loop.set_task_factory(self._before)

    def __call__(
        self,
        loop: asyncio.AbstractEventLoop,
        coro: Any,  # noqa: ANN401
        **options: Any,  # noqa: ANN401
    ) -> asyncio.Future[Any]:
        """Make a task."""
        watch = _running.get()
        if watch is not None:
            coro = Watched(coro, watch.of_task().run)
        if self._before is not None:
            return self._before(loop, coro, **options)
        return asyncio.Task(coro, loop=loop, **options)


def _generators() -> dict[str, str]:
    """Return the states of the generators everybody shares."""
    states = {"Python's global random generator": repr(random.getstate())}
    if "numpy.random" in sys.modules:
        numpy_random = sys.modules["numpy.random"]
        states["numpy's global random generator"] = outline(numpy_random.get_state(legacy=False))
    return states


def begin(debugger: Debugger) -> None:
    """Watch the attributes of all agents."""
    with _lock:
        _watchers.append(debugger)
        # Only while somebody watches: it slows every look at an attribute down.
        setattr(Agent, "__getattribute__", _get)  # noqa: B010 - to a type checker it is a method
        setattr(Agent, "__setattr__", _set)  # noqa: B010
        setattr(Agent, "__delattr__", _delete)  # noqa: B010


def end(debugger: Debugger) -> None:
    """Watch them no longer, if nobody else does."""
    with _lock:
        _watchers.remove(debugger)
        if not _watchers:
            del Agent.__getattribute__, Agent.__setattr__, Agent.__delattr__


def _get(agent: Agent, name: str) -> Any:  # noqa: ANN401
    # What comes after Agent among the classes may have its own ways.
    value = super(Agent, agent).__getattribute__(name)
    if name not in CONSTANT and (name == "__dict__" or not name.startswith("__")):
        _touch(agent, name, there=True)
    return value


def _set(agent: Agent, name: str, value: object) -> None:
    _touch(agent, name)
    super(Agent, agent).__setattr__(name, value)


def _delete(agent: Agent, name: str) -> None:
    _touch(agent, name)
    super(Agent, agent).__delattr__(name)


def _touch(agent: Agent, name: str, *, there: bool = False) -> None:
    """Report that the step that runs now touches an attribute; `there`: if the agent holds it."""
    watch = _running.get()
    if watch is None or watch.agent is agent:
        return
    if there and name != "__dict__" and name not in attributes(agent):
        return  # a method or the like
    if watch.debugger.knows(agent):
        watch.errors.append(None)
        watch.debugger.touched(watch.agent, watch.step, agent, name)
