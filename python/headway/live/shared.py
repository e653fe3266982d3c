"""Objects that several agents can reach and whose changes would be seen at once, not a step later.

They are found by looking: what the attributes of agents hold, and what the code of their classes
names (globals, closures, class attributes). What code reaches in other ways is not seen.
"""

from __future__ import annotations

import functools
import inspect
import types
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from headway.live.agent import Agent
from headway.live.outline import FIXED, attributes, outline

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_ATOMS = (type(None), bool, int, float, complex, str, bytes, tuple, frozenset)

#: Containers whose items are looked through.
_HOLDERS = (list, tuple, set, frozenset, dict, deque, types.MappingProxyType)

#: Modules whose objects change as they are used, to no effect on what a step does.
_HARMLESS = frozenset(
    {"logging", "asyncio", "threading", "_thread", "weakref", "contextvars", "re"}
)

#: How far attributes of attributes are followed, and how many objects of one agent are looked at.
_DEPTH, _OBJECTS = 8, 5_000


@dataclass
class SharedObject:
    """An object that can change and that several agents can reach.

    Attributes
    ----------
    where : str
        How it is reached, in words.
    value : object
        The object.
    users : set of str
        The agents that can reach it, by name.
    writers : mapping of str to int
        The agents whose steps have changed it, with the first of these steps.
    """

    where: str
    value: object
    users: set[str] = field(default_factory=set)
    writers: dict[str, int] = field(default_factory=dict)

    def outline(self) -> str:
        """Return what it is made of now."""
        return outline(self.value)

    def __str__(self) -> str:
        """Tell what was shared, and who changed it."""
        first = sorted(self.writers.items(), key=lambda item: (item[1], item[0]))[:3]
        changes = ", ".join(f"{name!r} in step {step}" for name, step in first)
        more = f" and {len(self.writers) - 3} others" if len(self.writers) > 3 else ""
        others = sorted(self.users - set(self.writers))[:3]
        also = f"; {', '.join(map(repr, others))} can reach it too" if others else ""
        return (
            f"{self.where}, a {type(self.value).__name__}, is shared by agents and was changed by "
            f"{changes}{more}{also}. Changes of what agents share are seen at once, in whatever "
            f"order steps happen to run: keep it in each agent, in its public state, or in a Place"
        )


def shared_objects(agents: Iterable[Agent]) -> list[SharedObject]:
    """Return the objects that can change and that more than one of these agents can reach."""
    found: dict[int, SharedObject] = {}
    for agent in agents:
        name = attributes(agent).get("name", "?")
        for where, value in _reached(agent):
            shared = found.setdefault(id(value), SharedObject(where, value))
            shared.users.add(name)
    return [shared for shared in found.values() if len(shared.users) > 1]


def _reached(agent: Agent) -> Iterator[tuple[str, object]]:
    """Yield what can change and can be reached from an agent, each once."""
    met: set[int] = set()
    pending: deque[tuple[str, object, int]] = deque()
    name = attributes(agent).get("name", "?")
    for attribute, value in attributes(agent).items():
        pending.append((f"the attribute {attribute!r} of {name!r}", value, 0))
    for where, value in _named_by_code(type(agent)):
        pending.append((where, value, 0))
    while pending and len(met) < _OBJECTS:
        where, value, depth = pending.popleft()
        if isinstance(value, (*FIXED, Agent)) and not isinstance(value, types.MethodType):
            continue
        if type(value).__module__.partition(".")[0] in _HARMLESS:
            continue
        if id(value) in met or type(value) in {type(None), bool, int, float, complex, str, bytes}:
            continue
        met.add(id(value))
        if not isinstance(value, _ATOMS):
            yield where, value
        if depth < _DEPTH:
            pending.extend((where, part, depth + 1) for part in _parts(value))


def _parts(value: object) -> Iterator[object]:
    if isinstance(value, np.ndarray):
        return
    if isinstance(value, dict | types.MappingProxyType):
        yield from list(value.values())
    elif isinstance(value, _HOLDERS):
        yield from list(value)
    elif isinstance(value, types.MethodType):
        yield value.__self__
    elif isinstance(value, functools.partial):
        yield from (*value.args, *value.keywords.values())
    if not isinstance(value, _HOLDERS):
        yield from attributes(value).values()


def _named_by_code(kind: type) -> list[tuple[str, object]]:
    """Return what the code of an agent's class names: class attributes, globals, closures."""
    found: list[tuple[str, object]] = []
    for cls in kind.__mro__:
        if cls in {Agent, object} or cls.__module__.startswith("headway.live"):
            continue
        for name, value in vars(cls).items():
            function = inspect.unwrap(getattr(value, "__func__", value))
            if isinstance(value, property):
                function = value.fget
            if isinstance(function, types.FunctionType):
                found += _named_by(function)
            elif not name.startswith("__") and not isinstance(value, FIXED):
                found.append((f"the class attribute {cls.__name__}.{name}", value))
    return found


def _named_by(function: types.FunctionType) -> Iterator[tuple[str, object]]:
    module = function.__module__
    names = set(_names(function.__code__))
    for name in sorted(names & function.__globals__.keys()):
        value = function.__globals__[name]
        yield f"the global variable {name!r} of module {module}", value
        if isinstance(value, types.FunctionType) and value.__module__ == module:
            # One call deep: what the functions beside the class name.
            for inner in sorted(set(_names(value.__code__)) & value.__globals__.keys()):
                where = f"the global variable {inner!r} of module {module}"
                yield where, value.__globals__[inner]
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
        try:
            yield f"the variable {name!r} around {function.__qualname__}", cell.cell_contents
        except ValueError:
            continue  # not set yet


def _names(code: types.CodeType) -> Iterator[str]:
    """Yield the names a function's code uses, its inner functions' included."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)
