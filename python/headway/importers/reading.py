"""Reading what other programs wrote: every defect becomes a `TraceError` that says where it is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from headway.errors import TraceError

if TYPE_CHECKING:
    from pathlib import Path

#: Larger files are refused: no recorded town comes near, and reading one needs several times this.
BYTES_MAX = 2 << 30
#: Of a step: no clock of a recording tells less.
SECONDS_MIN = 1e-6


def read_bytes(path: Path) -> bytes:
    """Read a whole file.

    Raises
    ------
    TraceError
        Where the file is absent, unreadable, or larger than `BYTES_MAX`.
    """
    try:
        size = path.stat().st_size
        if size > BYTES_MAX:
            raise TraceError(
                f"{path}: {size} bytes, and at most {BYTES_MAX} are read; "
                "cut the recording into shorter ones"
            )
        return path.read_bytes()
    except FileNotFoundError:
        raise TraceError(f"{path}: no such file; the recording is incomplete") from None
    except OSError as e:
        raise TraceError(f"{path}: cannot be read ({e.strerror or e})") from e


def read_json(path: Path) -> object:
    """Read a JSON file; damage is reported with the byte at which it begins.

    Raises
    ------
    TraceError
        Where the file cannot be read or is not JSON in UTF-8.
    """
    raw = read_bytes(path)
    try:
        value: object = json.loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as e:
        raise TraceError(
            f"{path}: byte {e.start} is not UTF-8; the file is damaged or no JSON file"
        ) from e
    except json.JSONDecodeError as e:
        byte = len(e.doc[: e.pos].encode())
        end = "; the file ends there, it was cut off" if not e.doc[e.pos :].strip() else ""
        raise TraceError(f"{path}: not JSON at byte {byte} of {len(raw)} ({e.msg}){end}") from e
    except (ValueError, RecursionError) as e:
        # A number of thousands of digits, or thousands of nested brackets.
        raise TraceError(f"{path}: JSON that cannot be taken in ({e})") from e
    return value


def read_object(path: Path) -> dict[str, Any]:
    """Read a JSON file whose outermost value is an object."""
    return as_object(read_json(path), str(path))


def as_object(value: object, where: str) -> dict[str, Any]:
    """Return the value, which must be a JSON object."""
    if not isinstance(value, dict):
        raise TraceError(f"{where}: expected an object {{...}}, found {shown(value)}")
    return value


def member(mapping: dict[str, Any], key: str, where: str) -> object:
    """Return `mapping[key]`, which must be there."""
    try:
        return mapping[key]
    except KeyError:
        has = ", ".join(repr(k) for k in list(mapping)[:6]) or "nothing"
        raise TraceError(f"{where}: {key!r} is missing; it has {has}") from None


def as_text(value: object, where: str) -> str:
    """Return the value, which must be a string."""
    if not isinstance(value, str):
        raise TraceError(f"{where}: expected text, found {shown(value)}")
    if not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value):
        raise TraceError(f"{where}: {shown(value)} holds half a character and cannot be written")
    return value


def as_whole(value: object, where: str, *, low: int, high: int) -> int:
    """Return the value as an int; it must be a whole number with `low <= value <= high`."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
        raise TraceError(f"{where}: expected a whole number, found {shown(value)}")
    if not low <= value <= high:
        raise TraceError(f"{where}: {shown(value)} is outside {low}..{high}")
    return int(value)


def as_seconds(value: object, where: str) -> float:
    """Return the value as a positive, finite number of seconds."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e9:
        raise TraceError(f"{where}: expected a positive number of seconds, found {shown(value)}")
    if value < SECONDS_MIN:
        raise TraceError(
            f"{where}: {value} s are fewer than {SECONDS_MIN}, the least that is taken"
        )
    return float(value)


def as_names(value: object, where: str) -> tuple[str, ...]:
    """Return the value as agents' names: a non-empty list of different, non-empty strings."""
    if not isinstance(value, list) or not value:
        raise TraceError(f"{where}: expected a list of names, found {shown(value)}")
    names = tuple(as_text(n, where) for n in value)
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice or "" in names:
        raise TraceError(f"{where}: names must be different and not empty, found {twice or ['']}")
    return names


def shown(value: object) -> str:
    """Write a value for a message, cut to a readable length."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
