"""The content of a request: what its answer depends on, and nothing else.

Whose call it is, its step, priority and label are no part of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from headway.errors import EngineError

if TYPE_CHECKING:
    from headway.engines.base import Request

#: What a request's answer depends on, in the order in which it is hashed.
PARTS = ("messages", "max_tokens", "temperature", "stop", "schema", "choices", "seed")

#: Hexadecimal digits of each part's digest in `request_parts`.
_DIGITS = 8


def request_hash(request: Request) -> str:
    """Return the SHA-256 of a request's content, in hexadecimal digits.

    Raises
    ------
    EngineError
        Where the request's schema cannot be written as JSON.
    """
    return hashlib.sha256(b"".join(_digests(request))).hexdigest()


def request_parts(request: Request) -> str:
    """Return the first digits of the hash of each of `PARTS`, so that it can be told what differs.

    Raises
    ------
    EngineError
        Where the request's schema cannot be written as JSON.
    """
    return "".join(digest.hex()[:_DIGITS] for digest in _digests(request))


def differing_parts(one: str, other: str) -> tuple[str, ...]:
    """Name the parts in which two texts made by `request_parts` differ."""
    places = range(0, len(PARTS) * _DIGITS, _DIGITS)
    return tuple(
        part
        for part, at in zip(PARTS, places, strict=True)
        if one[at : at + _DIGITS] != other[at : at + _DIGITS]
    )


def _digests(request: Request) -> list[bytes]:
    return [hashlib.sha256(_spelled(request, part)).digest() for part in PARTS]


def _spelled(request: Request, part: str) -> bytes:
    value = getattr(request, part)
    if part == "temperature":
        value = float(value)  # 0 and 0.0 are the same
    # The order of a schema's keys is kept: engines make models write them in that order.
    try:
        return _encode(value).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise EngineError(
            f"the {part} of {request} cannot be written as JSON ({error}); use plain values"
        ) from None


def _as_dict(value: object) -> dict[Any, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{value!r} is no JSON value")


# Making an encoder takes longer than encoding a request.
_encode = json.JSONEncoder(default=_as_dict, separators=(",", ":")).encode
