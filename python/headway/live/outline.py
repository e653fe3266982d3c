"""What an object is made of, as one text that can be compared and shown.

Unlike pickles, outlines of equal objects are equal, whatever is shared inside them; unlike `==`,
they look into objects that define no equality, and 1, 1.0 and True are three things.
"""

from __future__ import annotations

import hashlib
import random
import types
from collections import deque
from collections.abc import Mapping, Sequence, Set
from contextlib import suppress
from typing import Any

import numpy as np

from headway.live.agent import Agent
from headway.space import Space

#: Parts after which the rest of an object is left out.
PARTS_MAX = 100_000

#: Nesting after which it is.
DEPTH_MAX = 60

#: What has no content of its own that a step could change.
FIXED = (
    types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.MethodType, type,
    property, types.CodeType, Space,
)  # fmt: skip

_ATOMS = (type(None), bool, int, float, complex, str, bytes)

_BRACKETS: dict[type, tuple[str, str]] = {
    list: ("[", "]"), tuple: ("(", ")"), set: ("{", "}"), dict: ("{", "}"),
    types.MappingProxyType: ("{", "}"),
}  # fmt: skip

#: Arrays of more bytes are told by their digest.
_BYTES_SHOWN = 256


def outline(value: object, *, root: object = None) -> str:
    """Return what an object is made of.

    Other agents than `root` are outlined by their names: what they are made of is theirs.
    """
    return _Outliner(root).outline(value, 0)


def attributes(value: object) -> dict[str, Any]:
    """Return the attributes an instance holds, in its dictionary or in slots."""
    found: dict[str, Any] = {}
    for kind in type(value).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in {"__dict__", "__weakref__"}:
                private = name.startswith("__") and not name.endswith("__")
                slot = f"_{kind.__name__.lstrip('_')}{name}" if private else name
                with suppress(AttributeError):
                    found[name] = object.__getattribute__(value, slot)
    with suppress(AttributeError):
        found.update(object.__getattribute__(value, "__dict__"))
    return found


class _Outliner:
    """Outlines one object."""

    def __init__(self, root: object) -> None:
        self._root = root
        #: Ids of the objects that the one looked at is inside of.
        self._above: set[int] = set()
        self._parts = 0

    def outline(self, value: Any, depth: int) -> str:  # noqa: ANN401
        if type(value) in _ATOMS:
            return repr(value)
        self._parts += 1
        if depth > DEPTH_MAX or self._parts > PARTS_MAX or id(value) in self._above:
            return "…"
        if isinstance(value, FIXED):
            return f"<{getattr(value, '__qualname__', type(value).__name__)}>"
        if isinstance(value, Agent) and value is not self._root:
            return f"<agent {attributes(value).get('name')!r}>"
        self._above.add(id(value))
        told = self._contents(value, depth + 1)
        self._above.discard(id(value))
        return told

    def _contents(self, value: Any, depth: int) -> str:  # noqa: ANN401
        held = self._items(value, depth)
        attributes_held = [] if _is_opaque(value) else list(attributes(value).items())
        named = [f"{name}={self.outline(each, depth)}" for name, each in attributes_held]
        kind = type(value)
        if kind in _BRACKETS and not named:
            opening, closing = _BRACKETS[kind]
            return f"{opening}{', '.join(held)}{closing}"
        return f"{kind.__name__}({', '.join([*held, *sorted(named)])})"

    def _items(self, value: Any, depth: int) -> list[str]:  # noqa: ANN401
        if _is_opaque(value):
            return [_state_of(value)]
        if isinstance(value, Mapping):
            pairs = value.items()
            return [f"{self.outline(k, depth)}: {self.outline(v, depth)}" for k, v in pairs]
        if isinstance(value, Set):
            # Sets have an order that depends on addresses.
            return sorted(self.outline(each, depth) for each in value)
        if isinstance(value, Sequence | deque) and not isinstance(value, str | bytes):
            return [self.outline(each, depth) for each in value]
        return []


def _is_opaque(value: object) -> bool:
    """Return whether an object keeps its state where no attribute shows it, but elsewhere."""
    return isinstance(
        value, np.ndarray | np.random.Generator | random.Random | bytearray | memoryview
    )


def _state_of(value: Any) -> str:  # noqa: ANN401
    if isinstance(value, np.ndarray):
        if value.dtype.hasobject or value.nbytes <= _BYTES_SHOWN:
            return f"{value.dtype.str}, {value.tolist()!r}"
        digest = hashlib.blake2b(np.ascontiguousarray(value).tobytes(), digest_size=8).hexdigest()
        return f"{value.dtype.str}, {value.shape}, {digest}"
    if isinstance(value, np.random.Generator):
        return hashlib.blake2b(repr(value.bit_generator.state).encode()).hexdigest()[:16]
    if isinstance(value, random.Random):
        return hashlib.blake2b(repr(value.getstate()).encode()).hexdigest()[:16]
    return repr(bytes(value))
