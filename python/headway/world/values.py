"""Plain values: what agents publish, write and send must not change afterwards.

A version of the world that somebody ahead has written is read by somebody behind much later, so a
list that its owner goes on changing would break the contract in silence. Values are therefore
copied into immutable ones where they enter the world.
"""

from __future__ import annotations

from math import isfinite
from types import MappingProxyType
from typing import Any

import numpy as np

from headway.errors import ValueTypeError

_ATOMS = frozenset({type(None), bool, int, float, str})

#: Deeper than any sensible value, and far from Python's own limit.
DEPTH_MAX = 50

#: Longer integers take long to print, and Python refuses to print some.
BITS_MAX = 4096


def freeze(value: Any, what: str = "value", depth: int = 0) -> Any:  # noqa: ANN401
    """Return an immutable copy of a plain value.

    Lists become tuples, dictionaries read-only mappings, numpy numbers Python ones.

    Raises
    ------
    ValueTypeError
        If it holds anything but None, bool, int, float, str, lists, tuples, and dictionaries with
        text as keys; the message names the place.
    """
    kind = type(value)
    if kind in _ATOMS:
        if kind is float and not isfinite(value):
            raise ValueTypeError(f"{what} holds {value}; only finite numbers equal themselves")
        if kind is int and value.bit_length() > BITS_MAX:
            raise ValueTypeError(f"{what} holds an integer of more than {BITS_MAX} bits")
        return value
    if depth > DEPTH_MAX:
        raise ValueTypeError(f"{what} is nested more than {DEPTH_MAX} deep")
    if isinstance(value, list | tuple):
        return tuple([freeze(item, what, depth + 1) for item in value])
    if isinstance(value, dict | MappingProxyType):
        for key in value:
            if type(key) is not str:
                raise ValueTypeError(f"{what} has the key {key!r}; keys must be text")
        return MappingProxyType({key: freeze(item, what, depth + 1) for key, item in value.items()})
    if isinstance(value, np.generic) and not isinstance(value.item(), np.generic):
        return freeze(value.item(), what, depth + 1)
    raise ValueTypeError(
        f"{what} holds a {type(value).__name__}; it must be plain (None, bool, int, float, str, "
        f"list, tuple, dict), because others read it at other times than you"
    )


def thaw(value: Any) -> Any:  # noqa: ANN401 - any plain value
    """Return a copy of a frozen value made of lists and dictionaries, as JSON knows them."""
    if isinstance(value, tuple):
        return [thaw(item) for item in value]
    if isinstance(value, MappingProxyType):
        return {key: thaw(item) for key, item in value.items()}
    return value
