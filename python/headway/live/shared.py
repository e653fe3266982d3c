"""What several agents can reach and what can change, which is then seen at once, not a step later.

It is found by looking: what the attributes of agents hold, and what the code of their classes and
of the functions they hold names (globals, variables around them, default arguments, attributes of
classes and of modules). What code reaches in other ways is not seen.
"""

from __future__ import annotations

import copy
import enum
import functools
import sys
import sysconfig
import types
import warnings
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.live.agent import Agent
from headway.live.outline import BOUND, attributes, is_fixed, is_harmless, outline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

#: Cannot change themselves, and hold nothing.
_ATOMS = frozenset({type(None), bool, int, float, complex, str, bytes})

#: Cannot change themselves, but what they hold may.
_UNCHANGING = frozenset({tuple, frozenset, functools.partial})

#: Containers whose items are looked through.
_HOLDERS = (list, tuple, set, frozenset, deque)

#: How far attributes of attributes are followed, and how many objects of one agent are looked at.
_DEPTH, _OBJECTS = 8, 5_000

#: Characters of an outline from which on an object is large, and the parts of such a one that are
#: looked at around every piece of a step. All of it is looked at now and then.
_LARGE, _GLANCE = 10_000, 200

_LIBRARIES = tuple({sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")})

#: What functions keep from call to call.
_REMEMBERING = ("__closure__", "__defaults__", "__kwdefaults__", "__dict__")

#: Of something that can be reached: by what it is told apart.
_Key = tuple[Any, ...]


@dataclass
class SharedObject:
    """An object or a variable that can change and that several agents can reach.

    Attributes
    ----------
    where : str
        How it is reached, in words.
    read : callable
        Returns what it is now.
    users : set of str
        The agents that can reach it, by name.
    writers : mapping of str to int
        The agents whose steps have changed it, with the first of these steps.
    told : bool
        Whether it has been told of.
    seen : str
        What it was made of when last looked for.
    """

    where: str
    read: Callable[[], object]
    users: set[str] = field(default_factory=set)
    writers: dict[str, int] = field(default_factory=dict)
    told: bool = False
    seen: str = ""

    def outline(self) -> str:
        """Return what it is made of now."""
        return outline(self.read())

    @property
    def large(self) -> bool:
        """Whether looking at all of it takes too long to do so around every piece of a step."""
        return len(self.seen) > _LARGE

    def glance(self) -> str:
        """Return what it is made of, and of a large one the beginning and how long it is."""
        return outline(self.read(), most=_GLANCE) if self.large else self.outline()

    def __str__(self) -> str:
        """Tell what was shared, and who changed it."""
        first = sorted(self.writers.items(), key=lambda item: (item[1], item[0]))[:3]
        changes = ", ".join(f"{name!r} in step {step}" for name, step in first)
        changes = changes or "somebody (it is too large to see by whom)"
        more = f" and {len(self.writers) - 3} others" if len(self.writers) > 3 else ""
        others = sorted(self.users - set(self.writers))[:3]
        also = f"; {', '.join(map(repr, others))} can reach it too" if others else ""
        kind = type(self.read()).__name__
        return (
            f"{self.where}, {'an' if kind[0].lower() in 'aeiou' else 'a'} {kind}, is shared by "
            f"agents and was changed by {changes}{more}{also}. Changes of what agents share are "
            f"seen at once, in whatever order steps happen to run: keep it in each agent, in its "
            f"public state, or in a Place"
        )


@dataclass
class Shared:
    """What several agents can reach.

    Attributes
    ----------
    watched : list of SharedObject
        What can change; what is inside another one of these, and no further, is left out.
    kept : list of object
        All of it that is an object, with the locks and loggers: a copy of an agent shares it, too.
    cells : set of int
        The ids of the variables around functions that are shared.
    """

    watched: list[SharedObject] = field(default_factory=list)
    kept: list[object] = field(default_factory=list)
    cells: set[int] = field(default_factory=set)
    _known: dict[_Key, SharedObject] = field(default_factory=dict)

    def look(self, agents: Iterable[Agent]) -> None:
        """Look for what these agents share; what was known keeps its writers."""
        graph = _Graph(agents)
        found = [node for node in graph.nodes.values() if len(node.users) > 1]
        self.kept = [node.read() for node in found if node.key[0] == "object"]
        self.cells = {node.key[1] for node in found if node.key[0] == "variable around"}
        told = {
            node: self._known.get(node.key, SharedObject(node.where, node.read))
            for node in found
            if node.watched
        }
        for node, shared in told.items():
            shared.users |= node.users
            shared.seen = shared.outline()
        # What is cut off does not show what is inside it.
        whole = {node for node, shared in told.items() if "…" not in shared.seen}
        shown_in: dict[_Node, _Node] = {}
        for node in told:
            for other in node.inside:
                if other in whole and node.users <= other.users:
                    last = other
                    while last in shown_in:
                        last = shown_in[last]
                    if last is not node:
                        shown_in[node] = other
                        break
        self._known = {node.key: each for node, each in told.items() if node not in shown_in}
        self.watched = list(self._known.values())


@dataclass(eq=False, slots=True)
class _Node:
    """An object, a variable, or code that agents can reach.

    `inside` are those that show it, too; `open` if what it holds has been followed.
    """

    key: _Key
    where: str
    read: Callable[[], object]
    watched: bool
    open: bool = False
    inside: list[_Node] = field(default_factory=list)
    users: set[str] = field(default_factory=set)
    parts: list[_Node] = field(default_factory=list)


class _Graph:
    """What agents can reach, and from where."""

    def __init__(self, agents: Iterable[Agent]) -> None:
        self.nodes: dict[_Key, _Node] = {}
        agents = list(agents)
        tops = {type(agent).__module__.partition(".")[0] for agent in agents}
        self._own = tops - {"headway", "builtins"}
        #: What is to be looked at: where, what, how deep, and as a part of what.
        self._pending: deque[tuple[str, object, int, _Node]] = deque()
        for agent in agents:
            self._add(agent)

    def _add(self, agent: Agent) -> None:
        """Follow everything that an agent can reach, each thing once."""
        name, held = attributes(agent).get("name", "?"), attributes(agent)
        root = _Node(("agent",), "", lambda: agent, watched=False)
        for attribute, value in held.items():
            self._follow(f"the attribute {attribute!r} of {name!r}", [value], -1, root)
        self._follow("", [type(agent)], -1, root)
        end = len(self.nodes) + _OBJECTS
        while self._pending and len(self.nodes) < end:
            self._look_at(*self._pending.popleft())
        self._pending.clear()
        reached = [root]
        while reached:
            for node in reached.pop().parts:
                if name not in node.users:
                    node.users.add(name)
                    reached.append(node)

    def _follow(self, where: str, values: Iterable[object], depth: int, node: _Node) -> None:
        self._pending.extend((where, value, depth + 1, node) for value in values)

    def _look_at(self, where: str, value: Any, depth: int, whole: _Node) -> None:  # noqa: ANN401
        kind: Any = type(value)
        is_code = issubclass(kind, types.FunctionType | type)
        if kind in _ATOMS or issubclass(kind, Agent) or (is_fixed(value) and not is_code):
            return
        key = ("code" if is_code else "object", id(value))
        harmless = is_harmless(kind)
        passes_on = is_code or harmless or kind in _UNCHANGING or issubclass(kind, BOUND)
        node = self._node(key, where, lambda: value, whole, watched=not passes_on)
        if not is_code:
            node.inside += [whole] if whole.watched else whole.inside
        if node.open or depth > _DEPTH:
            return
        node.open = True
        if is_code:
            self._code(value, depth, node)
        elif issubclass(kind, BOUND):
            parts = (value.__self__, getattr(value, "__func__", None))
            self._follow(where, parts, depth, node)
        elif not harmless:
            self._follow(where, [*_parts(value), kind], depth, node)

    def _node(
        self,
        key: _Key,
        where: str,
        read: Callable[[], object],
        whole: _Node,
        *,
        watched: bool,
    ) -> _Node:
        """Return what is known of something, as a part of something else."""
        node = self.nodes.get(key)
        if node is None:
            node = self.nodes[key] = _Node(key, where, read, watched)
        whole.parts.append(node)
        return node

    # What code names.

    def _code(self, value: Any, depth: int, node: _Node) -> None:  # noqa: ANN401
        """Follow what a function, or the functions of a class, name."""
        if issubclass(type(value), type):
            if self._is_users(value.__module__) and not issubclass(value, enum.Enum):
                self._class(value, depth, node)
            self._follow("", value.__bases__, depth - 1, node)
        elif self._is_users(value.__globals__.get("__name__")):
            self._function(value, depth, node)

    def _class(self, cls: type, depth: int, node: _Node) -> None:
        for name, value in list(vars(cls).items()):
            functions = _functions_of(value)
            if functions or issubclass(type(value), type):
                self._follow("", functions or (value,), depth, node)
            elif not name.startswith(("__", "_abc_")):
                read = functools.partial(_item, vars(cls), name)
                where = f"the class attribute {cls.__name__}.{name}"
                self._variable(("class", id(cls), name), where, read, depth, node)

    def _function(self, function: types.FunctionType, depth: int, node: _Node) -> None:
        names = _names(function.__code__)
        scopes = {id(function.__globals__): function.__globals__}
        for name in sorted(names & function.__globals__.keys()):
            value = function.__globals__[name]
            if type(value) is types.ModuleType and self._is_users(value.__name__):
                scopes[id(vars(value))] = vars(value)
        for scope in scopes.values():
            for name in sorted(names & scope.keys()):
                read = functools.partial(_item, scope, name)
                where = f"the global variable {name!r} of module {scope.get('__name__')}"
                self._variable(("global", id(scope), name), where, read, depth, node)
        cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=False)
        for name, cell in cells:
            where = f"the variable {name!r} around {function.__qualname__}"
            read = functools.partial(_content, cell)
            self._variable(("variable around", id(cell)), where, read, depth, node)
        for name in vars(function):
            where = f"the attribute {name!r} of the function {function.__qualname__}"
            read = functools.partial(_item, vars(function), name)
            self._variable(("attribute", id(function), name), where, read, depth, node)
        defaults = (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values())
        self._follow(f"a default argument of {function.__qualname__}", defaults, depth, node)

    def _variable(
        self, key: _Key, where: str, read: Callable[[], object], depth: int, whole: _Node
    ) -> None:
        """Tell of a variable, which can be set anew, and follow what it holds."""
        value = read()
        kind: Any = type(value)
        fixed = is_fixed(value) or issubclass(kind, Agent) or is_harmless(kind)
        node = self._node(key, where, read, whole, watched=not fixed)
        if not node.open:
            node.open = True
            self._follow(where, [value], depth, node)

    def _is_users(self, module: object) -> bool:
        """Return whether a module belongs to the simulation, and not to a library."""
        if type(module) is not str or module.partition(".")[0] in self._own:
            return True
        return _is_no_library(module)


def _parts(value: object) -> list[object]:
    """Return what an object holds, one step deep."""
    held: list[object] = []
    with suppress(Exception):  # it may tell of its items by code of its own
        if issubclass(type(value), Mapping):
            held += [part for pair in value.items() for part in pair]  # type: ignore[attr-defined]
        elif issubclass(type(value), _HOLDERS):
            held += list(value)  # type: ignore[call-overload]
    if not issubclass(type(value), np.ndarray):
        held += attributes(value).values()
    return held


def _functions_of(value: Any) -> list[Any]:  # noqa: ANN401
    """Return the functions that something in a class is made of."""
    kind = type(value)
    if issubclass(kind, types.FunctionType):
        return [value]
    if issubclass(kind, staticmethod | classmethod):
        return [value.__func__]
    if issubclass(kind, property):
        return [value.fget, value.fset, value.fdel]
    if issubclass(kind, functools.cached_property | functools.partialmethod):
        return [value.func]
    return []


def _item(scope: Mapping[str, object], name: str) -> object:
    return scope.get(name)


def _content(cell: types.CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:
        return None  # not set yet


@functools.lru_cache(maxsize=4096)
def _is_no_library(module: str) -> bool:
    top = module.partition(".")[0]
    if top == "headway":
        return module.startswith("headway.examples")
    file = getattr(sys.modules.get(module), "__file__", None) or ""
    return top not in sys.stdlib_module_names and not file.startswith(_LIBRARIES)


@functools.lru_cache(maxsize=4096)
def _names(code: types.CodeType) -> frozenset[str]:
    """Return the names a function's code uses, its inner functions' included."""
    inner = (_names(each) for each in code.co_consts if isinstance(each, types.CodeType))
    return frozenset(code.co_names).union(*inner)


# Copies.


def copied(agent: Agent, shared: Shared, kept: Iterable[object]) -> Agent | None:
    """Return a copy of an agent that goes on sharing what it shares; None if it has none.

    `kept` is what it shares besides: other agents, the space.
    """
    memo: dict[int, Any] = {id(each): each for each in (*kept, *shared.kept)}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # iterators complain of being copied
            _copy_functions(agent, shared.cells, memo)
            twin = copy.deepcopy(agent, memo)
    except Exception:
        return None  # it holds a socket, a lock or the like
    return twin if type(twin) is type(agent) and twin is not agent else None


def _copy_functions(agent: Agent, cells: set[int], memo: dict[int, Any]) -> None:
    """Copy the functions that an agent holds, with the variables around them and their defaults.

    To `copy`, functions and methods of compiled objects are constants, whatever they remember.
    """
    fresh: dict[int, tuple[types.CellType, types.CellType]] = {}
    twins: list[tuple[Any, Any]] = []
    held = _own(agent, memo)
    for value in held:
        if type(value) is types.FunctionType:
            around = tuple(
                cell
                if id(cell) in cells
                else fresh.setdefault(id(cell), (cell, types.CellType()))[1]
                for cell in value.__closure__ or ()
            )
            memo[id(value)] = twin = types.FunctionType(
                value.__code__, value.__globals__, value.__name__, None, around
            )
            twins.append((value, twin))
    for value in held:
        if type(value) is types.BuiltinFunctionType:
            memo[id(value)] = getattr(copy.deepcopy(value.__self__, memo), value.__name__)
    for old, new in fresh.values():
        with suppress(ValueError):  # not set yet
            new.cell_contents = copy.deepcopy(old.cell_contents, memo)
    for value, twin in twins:
        twin.__qualname__, twin.__module__ = value.__qualname__, value.__module__
        for name in ("__defaults__", "__kwdefaults__", "__dict__"):
            setattr(twin, name, copy.deepcopy(getattr(value, name), memo))


def _own(agent: Agent, memo: dict[int, Any]) -> list[Any]:
    """Return the functions and methods that an agent holds, and nobody else.

    Locks, loggers and the like are put into the memo as they are.
    """
    found: list[Any] = []
    met = set(memo)
    pending: deque[Any] = deque(attributes(agent).values())
    while pending and len(met) < len(memo) + _OBJECTS:
        value = pending.popleft()
        kind: Any = type(value)
        if kind in _ATOMS or id(value) in met or value is agent:
            continue
        met.add(id(value))
        if is_harmless(kind):
            memo[id(value)] = value  # a lock need not be copied
        elif kind is types.FunctionType:
            if any(getattr(value, name) for name in _REMEMBERING):
                found.append(value)
            pending.extend(map(_content, value.__closure__ or ()))
        elif issubclass(kind, BOUND):
            owner = value.__self__
            if kind is types.BuiltinFunctionType and not (owner is None or is_fixed(owner)):
                found.append(value)
            pending.append(owner)
        elif not is_fixed(value):
            pending.extend(_parts(value))
    return found
