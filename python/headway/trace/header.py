"""The file `meta.json` of a trace: which format it has, and what the trace says of itself."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.errors import TraceError
from headway.trace.model import Meta, Trace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FORMAT = "headway-trace"
VERSION = 1

META_FILE = "meta.json"
TABLES = ("agents", "positions", "calls")

#: The Parquet type of a coordinate for each kind of position.
COORDINATES = {"grid": "int32", "plane": "double"}


@dataclass(frozen=True)
class Header:
    """What `meta.json` says.

    Attributes
    ----------
    meta : Meta
    kind : str
        Of position: `grid` or `plane`.
    steps : int
        Number of steps.
    rows : dict
        Number of rows of each table.
    """

    meta: Meta
    kind: str
    steps: int
    rows: dict[str, int]


def header_text(trace: Trace, rows: dict[str, int]) -> str:
    """Return the content of `meta.json` for a valid trace whose tables have so many rows."""
    meta = trace.meta
    content = {
        "format": FORMAT,
        "version": VERSION,
        "writer": f"headway {metadata.version('headway')}",
        "kind": "grid" if np.issubdtype(trace.positions.dtype, np.integer) else "plane",
        "steps": trace.n_steps,
        "rows": rows,
        "name": meta.name,
        "seconds_per_step": float(meta.seconds_per_step),
        "start": meta.start,
        "metric": meta.metric,
        "wrap": None if meta.wrap is None else [float(size) for size in meta.wrap],
        "sight": None if meta.sight is None else float(meta.sight),
        "speed": None if meta.speed is None else float(meta.speed),
        "time_breaks": [int(step) for step in meta.time_breaks],
        "source": meta.source,
        "notes": list(meta.notes),
    }
    return json.dumps(content, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def is_header(content: object) -> bool:
    """Tell whether the parsed content of a `meta.json` belongs to a trace, of whatever version."""
    return isinstance(content, dict) and content.get("format") == FORMAT


def read_header(folder: Path) -> Header:
    """Read the `meta.json` of a trace.

    Raises
    ------
    TraceError
        Where there is none, or it is not a trace's, or of a newer version, or a field is missing
        or of a wrong type. Values are judged when the trace is validated.
    OSError, ValueError
        Where the file cannot be read, or is not JSON.
    """
    file = folder / META_FILE
    if not folder.exists():
        raise TraceError(f"there is no trace {folder}: no such folder")
    if not file.is_file():
        raise TraceError(f"{folder} is not a trace: there is no file {META_FILE} in it")
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except RecursionError as error:
        raise TraceError(f"{file} is nested too deeply to be a trace's") from error
    if not is_header(content):
        raise TraceError(f"{file} is not a trace's: its field 'format' is not {FORMAT!r}")
    _check_version(file, content.get("version"))
    return Header(
        meta=Meta(**{f.name: _field(file, content, f.name) for f in fields(Meta)}),
        kind=_field(file, content, "kind"),
        steps=_field(file, content, "steps"),
        rows={table: _rows(file, content, table) for table in TABLES},
    )


def _check_version(file: Path, version: object) -> None:
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise TraceError(f"{file}: field 'version' is {version!r}; a whole number from 1 it is")
    if version > VERSION:
        raise TraceError(
            f"{file}: the trace has format version {version}, but this release of Headway "
            f"understands version {VERSION} only; install a newer release to read it"
        )


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError
    return float(value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**31 - 1:
        raise TypeError
    return value


def _kind(value: object) -> str:
    if not isinstance(value, str) or value not in COORDINATES:
        raise TypeError
    return value


def _size(value: object) -> tuple[float, float]:
    if not isinstance(value, list):
        raise TypeError
    x, y = value
    return _number(x), _number(y)


def _list_of(item: Callable[[object], Any]) -> Callable[[object], tuple[Any, ...]]:
    def read(value: object) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise TypeError
        return tuple(item(v) for v in value)

    return read


#: How to read each field of `meta.json`, what it must be, and its value where it is left out.
_REQUIRED = object()
_FIELDS: dict[str, tuple[Callable[[object], Any], str, Any]] = {
    "kind": (_kind, "'grid' or 'plane'", _REQUIRED),
    "steps": (_count, "a whole number of 32 bits", _REQUIRED),
    "name": (_text, "a text", _REQUIRED),
    "seconds_per_step": (_number, "a number", _REQUIRED),
    "start": (_text, "a text", _REQUIRED),
    "metric": (_text, "a text", _REQUIRED),
    "wrap": (_size, "two numbers or null", None),
    "sight": (_number, "a number or null", None),
    "speed": (_number, "a number or null", None),
    "time_breaks": (_list_of(_count), "a list of whole numbers", ()),
    "source": (_text, "a text", ""),
    "notes": (_list_of(_text), "a list of texts", ()),
}


def _field(file: Path, content: dict[str, Any], name: str) -> Any:  # noqa: ANN401 - one type each
    read, wanted, default = _FIELDS[name]
    value = content.get(name)
    if value is None and default is not _REQUIRED:
        return default
    if name not in content:
        raise TraceError(f"{file}: the field {name!r} is missing; it must be {wanted}")
    try:
        return read(value)
    except (TypeError, ValueError, OverflowError):
        raise TraceError(f"{file}: field {name!r} is {value!r}; it must be {wanted}") from None


def _rows(file: Path, content: dict[str, Any], table: str) -> int:
    rows = content.get("rows")
    try:
        return _count(rows[table] if isinstance(rows, dict) else None)
    except (KeyError, TypeError):
        raise TraceError(
            f"{file}: field 'rows' is {rows!r}; it must tell the number of rows of each of "
            f"{', '.join(TABLES)}"
        ) from None
