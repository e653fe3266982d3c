"""What an object is made of, as one text that can be compared and shown.

Unlike pickles, outlines of equal objects are equal, whatever is shared inside them; unlike `==`,
they look into objects that define no equality, and 1, 1.0 and True are three things. Looking
changes nothing, runs as little code of the object's own as can be, and never fails.
"""

from __future__ import annotations

import datetime
import decimal
import enum
import functools
import hashlib
import pathlib
import random
import sys
import types
import uuid
import warnings
from collections import deque
from collections.abc import Iterable, Mapping, Sequence, Set
from contextlib import suppress
from typing import Any

import numpy as np

from headway.engines.base import Engine
from headway.live.agent import Agent
from headway.live.llm import Llm
from headway.live.state import State
from headway.live.view import View
from headway.space import Space

#: Parts after which the rest of an object is left out.
PARTS_MAX = 100_000

#: Nesting after which it is.
DEPTH_MAX = 60

#: What has no content of its own that a step could change.
FIXED = (
    types.ModuleType, types.FunctionType, type, property, classmethod, staticmethod, types.CodeType,
    types.MemberDescriptorType, types.GetSetDescriptorType, types.MethodDescriptorType,
    types.WrapperDescriptorType, types.MethodWrapperType, types.ClassMethodDescriptorType,
    Space, View, Llm, Engine, State,
)  # fmt: skip

#: Modules whose objects change as they are used, to no effect on what a step does.
_HARMLESS = frozenset({
    "_contextvars", "_thread", "aiohttp", "anthropic", "asyncio", "concurrent", "contextvars",
    "httpcore", "httpx", "logging", "loguru", "openai", "requests", "structlog", "threading",
    "tqdm", "urllib3",
})  # fmt: skip

#: But these pass things on from one agent to another.
_CHANNELS = frozenset({"asyncio.queues"})

#: Methods of objects; what they are bound to may change.
BOUND = (types.MethodType, types.BuiltinFunctionType)

_ATOMS = frozenset({type(None), bool, int, float, complex, str, bytes})

#: Classes whose instances, and those of subclasses, are told as these classes tell them.
_PLAIN = (int, float, complex, str, bytes, bytearray)

#: What never changes and tells itself in full.
_TELLING = frozenset({
    datetime.date, datetime.datetime, datetime.time, datetime.timedelta, datetime.timezone,
    decimal.Decimal, range, uuid.UUID, type(Ellipsis), type(NotImplemented),
})  # fmt: skip

_BRACKETS: dict[type, tuple[str, str]] = {
    list: ("[", "]"), tuple: ("(", ")"), dict: ("{", "}"), types.MappingProxyType: ("{", "}"),
}  # fmt: skip

#: Arrays of more bytes are told by their digest.
_BYTES_SHOWN = 256


def outline(value: object, *, root: object = None, most: int = PARTS_MAX) -> str:
    """Return what an object is made of.

    Other agents than `root` are outlined by their names: what they are made of is theirs. After
    `most` parts the rest is left out, but for how long it is.
    """
    return _Outliner(root, most).outline(value, 0)


def is_fixed(value: object) -> bool:
    """Return whether an object has no content of its own that a step could change."""
    if issubclass(type(value), FIXED):
        return True
    module = sys.modules.get("headway.live.simulation")  # which imports this one
    return module is not None and issubclass(type(value), module.Simulation)


@functools.lru_cache(maxsize=4096)
def is_harmless(kind: Any) -> bool:  # noqa: ANN401 - a class
    """Return whether objects of a class change to no effect on what a step does."""
    modules = {cls.__module__ for cls in kind.__mro__}
    return not modules & _CHANNELS and any(
        module.partition(".")[0] in _HARMLESS for module in modules
    )


def attributes(value: object) -> dict[str, Any]:
    """Return the attributes an instance holds, in its dictionary or in slots."""
    found: dict[str, Any] = {}
    kind: Any = type(value)
    for name, slot in _slots(kind):
        with suppress(AttributeError):
            found[name] = slot.__get__(value)
    with suppress(AttributeError):
        found.update(object.__getattribute__(value, "__dict__"))
    return found


@functools.lru_cache(maxsize=4096)
def _slots(kind: Any) -> tuple[tuple[str, Any], ...]:  # noqa: ANN401 - a class
    return tuple(
        (name, slot)
        for cls in kind.__mro__
        for name, slot in cls.__dict__.items()
        if type(slot) is types.MemberDescriptorType
        and not (name.startswith("__") and name.endswith("__"))  # offsets of compiled classes
    )


@functools.lru_cache(maxsize=4096)
def _remembered(kind: Any) -> frozenset[str]:  # noqa: ANN401 - a class
    """Return the attributes that are the results of cached properties: there once asked for."""
    return frozenset(
        name
        for cls in kind.__mro__
        for name, value in cls.__dict__.items()
        if isinstance(value, functools.cached_property)
    )


class _Outliner:
    """Outlines one object."""

    def __init__(self, root: object, most: int) -> None:
        self._root = root
        self._most = most
        #: Ids of the objects that the one looked at is inside of.
        self._above: set[int] = set()
        self._parts = 0

    def outline(self, value: Any, depth: int) -> str:  # noqa: ANN401
        try:
            return self._outline(value, depth)
        except Exception:  # code of its own that fails, or changes it meanwhile
            return f"{type(value).__name__}(…)"

    def _outline(self, value: Any, depth: int) -> str:  # noqa: ANN401
        kind: Any = type(value)
        self._parts += 1
        if kind in _ATOMS:
            return _plain(value, kind)
        if depth > DEPTH_MAX or self._parts > self._most or id(value) in self._above:
            return "…"
        if kind not in _BRACKETS and (is_fixed(value) or is_harmless(kind)):
            return _named(value)
        if issubclass(kind, Agent) and value is not self._root:
            return f"<agent {attributes(value).get('name')!s:.100}>"
        self._above.add(id(value))
        try:
            return self._contents(value, depth + 1)
        finally:
            self._above.discard(id(value))

    def _contents(self, value: Any, depth: int) -> str:  # noqa: ANN401
        kind: Any = type(value)
        if kind in _BRACKETS:
            pairs = issubclass(kind, Mapping)
            held = self._each(value.items() if pairs else value, depth, pairs=pairs)
            opening, closing = _BRACKETS[kind]
            return f"{opening}{', '.join(held)}{closing}"
        if kind in _TELLING:
            return repr(value)
        if issubclass(kind, enum.Enum):
            return f"{kind.__name__}.{value._name_ or value._value_}"
        if issubclass(kind, pathlib.PurePath):  # which remembers what it was asked for
            return f"{kind.__name__}({str(value)!r})"
        if issubclass(kind, BOUND):
            return self._bound(value, depth)
        parts, whole = self._items(value, depth), attributes(value)
        remembered = _remembered(kind)
        named = [
            f"{name}={self.outline(each, depth)}"
            for name, each in whole.items()
            if name not in remembered
        ]
        if parts is None:
            parts = [] if whole else self._state(value, depth)
        return f"{kind.__name__}({', '.join([*parts, *sorted(named)])})"

    def _items(self, value: Any, depth: int) -> list[str] | None:  # noqa: ANN401
        """Return what it holds besides attributes; None if it is not known to hold anything."""
        kind = type(value)
        for plain in _PLAIN:
            if issubclass(kind, plain):
                return [_plain(value, plain)]
        told = self._opaque(value, depth)
        if told is not None:
            return [told]
        if issubclass(kind, Set):
            # Sets have an order that depends on addresses, so they are told whole or not at all.
            held = self._each(value, depth)
            return held[-1:] if held and held[-1].startswith("… ") else sorted(held)
        if issubclass(kind, Mapping):
            return self._each(value.items(), depth, pairs=True)
        if issubclass(kind, BaseException):
            value = value.args
        elif not issubclass(kind, Sequence | deque):
            return None
        return self._each(value, depth)

    def _each(self, values: Iterable[Any], depth: int, *, pairs: bool = False) -> list[str]:
        told: list[str] = []
        for value in values:
            if self._parts > self._most:
                told.append(f"… {len(values)} in all")  # type: ignore[arg-type]
                break
            if pairs:
                told.append(f"{self.outline(value[0], depth)}: {self.outline(value[1], depth)}")
            else:
                told.append(self.outline(value, depth))
        return told

    def _bound(self, value: Any, depth: int) -> str:  # noqa: ANN401
        name, owner = value.__name__, value.__self__
        if owner is None or is_fixed(owner) or issubclass(type(owner), Agent):
            return f"<{name}>"
        return f"<{name} of {self.outline(owner, depth)}>"

    def _opaque(self, value: Any, depth: int) -> str | None:  # noqa: ANN401
        """Tell what keeps its state where no attribute shows it."""
        kind = type(value)
        told: str | None = None
        if issubclass(kind, np.ndarray):
            described = value.dtype.descr if value.dtype.names else value.dtype.str
            if value.dtype.hasobject:
                told = self.outline(value.tolist(), depth)
            elif value.nbytes <= _BYTES_SHOWN:
                told = repr(value.tolist())
            else:
                told = _digest(np.ascontiguousarray(value).tobytes())
            told = f"{described}, {value.shape}, {told}"
        elif issubclass(kind, np.generic):
            told = f"{value.dtype.str}, {value.item()!r}"
        elif issubclass(kind, np.random.Generator):
            told = _digest(repr(value.bit_generator.state).encode())
        elif issubclass(kind, random.Random):
            with suppress(NotImplementedError):  # that of the system has no state
                told = _digest(repr(value.getstate()).encode())
        elif issubclass(kind, memoryview):
            told = _digest(bytes(value))
        return told

    def _state(self, value: Any, depth: int) -> list[str]:  # noqa: ANN401
        """Return what an object that shows nothing gives to whoever copies it."""
        with suppress(Exception), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # iterators complain of being copied
            given = value.__reduce_ex__(2)
            if type(given) is tuple:
                parts = [part for part in given[1:3] if part is not None]
                return self._each(parts, depth)
        return []


def _plain(value: Any, kind: Any) -> str:  # noqa: ANN401 - of that class
    """Tell a plain value as its class does, whatever a subclass would say."""
    try:
        told: str = kind.__repr__(value)
    except ValueError:  # Python refuses to print the largest numbers
        told = hex(value)
    return told


def _named(value: Any) -> str:  # noqa: ANN401
    kind = type(value)
    if issubclass(kind, types.FunctionType | type):
        return f"<{value.__qualname__}>"
    if issubclass(kind, types.ModuleType):
        return f"<{vars(value).get('__name__')}>"
    for ours in (View, Llm, Engine):
        if issubclass(kind, ours):
            return f"<{ours.__name__.lower()}>"
    return f"<{kind.__name__}>"


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=8).hexdigest()
