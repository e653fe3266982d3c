"""Traces on disk: a folder with one JSON file and three Parquet tables, format version 1.

`docs/trace-format.md` is the specification; this is the only place that reads and writes it.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.errors import MissingExtraError, TraceError
from headway.trace.header import (
    COORDINATES,
    META_FILE,
    TABLES,
    Header,
    header_text,
    is_header,
    read_header,
)
from headway.trace.limits import check_bytes, check_sizes
from headway.trace.metric import moved
from headway.trace.model import BASES, Agents, Calls, Trace
from headway.trace.validate import find_problems, summary, validate_trace

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow
    from numpy.typing import NDArray

#: Beside the tables, a recorded run may hold its answers (`headway.trace.answers`).
_FILES = {META_FILE, "answers.parquet", *(f"{table}.parquet" for table in TABLES)}

_COLUMNS = {
    "agents": {
        "agent": "int32",
        "name": "string",
        "world": "int32",
        "first_step": "int32",
        "last_step": "int32",
        "follows": "int32",
    },
    "positions": {"step": "int32", "agent": "int32", "x": "coordinate", "y": "coordinate"},
    "calls": {
        "step": "int32",
        "agent": "int32",
        "function": "string",
        "prompt_tokens": "int32",
        "output_tokens": "int32",
        "partner": "int32",
        "basis": "string",
    },
}


def write_trace(trace: Trace, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Write a trace to a folder.

    The folder appears complete or not at all: the files are written to a hidden folder beside
    it, which is then renamed. Equal traces give equal bytes (with the same releases of Headway
    and pyarrow).

    Parameters
    ----------
    trace : Trace
        It is validated first.
    path : path-like
        The folder to make; by custom its name ends in `.hwt`. Missing parents are made.
    overwrite : bool
        Replace a trace that is already there. Anything else is never replaced.

    Raises
    ------
    TraceError
        Where the trace is not valid, or the path is taken.
    MissingExtraError
        Where pyarrow is not installed.
    """
    _arrow()
    validate_trace(trace)
    target = Path(path).resolve()
    check_target(target, overwrite=overwrite)
    mark = uuid.uuid4().hex[:8]
    fresh = target.with_name(f".{target.name}.{mark}.new")
    fresh.mkdir(parents=True)
    try:
        _write_files(trace, fresh)
        if not target.exists():
            fresh.rename(target)
        else:
            stale = target.with_name(f".{target.name}.{mark}.old")
            target.rename(stale)
            try:
                fresh.rename(target)
            except BaseException:
                stale.rename(target)
                raise
            shutil.rmtree(stale)
        _sync(target.parent)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def read_trace(path: str | os.PathLike[str]) -> Trace:
    """Read a trace from a folder, and validate it.

    Raises
    ------
    TraceError
        Where the folder holds no trace, or one of a newer version, or a damaged or contradictory
        one; the message names the file and the place in it.
    MissingExtraError
        Where pyarrow is not installed.
    """
    _arrow()
    folder = Path(path)
    with _blaming(folder / META_FILE):
        head = read_header(folder)
    check_sizes(folder / META_FILE, head.rows, head.steps)
    trace = Trace(
        meta=head.meta,
        agents=_agents(folder, _read_table(folder, "agents", head)),
        positions=_positions(folder, head, _read_table(folder, "positions", head)),
        calls=_calls(folder, _read_table(folder, "calls", head)),
    )
    problems = find_problems(trace)
    if problems:
        table = problems[0].table
        file = META_FILE if table == "meta" else f"{table}.parquet"
        raise TraceError(f"{folder / file}: {summary(problems)}")
    return trace


def _arrow() -> tuple[Any, Any]:
    try:
        import pyarrow as pa  # noqa: PLC0415 - an optional dependency
        import pyarrow.parquet as pq  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtraError(
            'reading and writing traces needs pyarrow; install it with pip install "headway[trace]"'
        ) from error
    return pa, pq


# Writing


def check_target(path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Refuse a path that `write_trace` could not write to, before any work is done.

    Parameters
    ----------
    path, overwrite
        As for `write_trace`.

    Raises
    ------
    TraceError
        Where the path is taken, or no folder can be made there.
    MissingExtraError
        Where pyarrow is not installed.
    """
    _arrow()
    target = Path(path).resolve()
    # The nearest folder that is there: what is missing below it will be made.
    home = next(folder for folder in target.parents if folder.exists())
    if not home.is_dir():
        raise TraceError(f"{home} is a file, not a folder, so {target} cannot be made in it")
    if not os.access(home, os.W_OK | os.X_OK):
        raise TraceError(f"{home} cannot be written to; choose another path for the trace")
    if not target.exists():
        return
    if not overwrite:
        raise TraceError(f"{target} exists already; choose another path, or pass overwrite=True")
    try:
        names = {entry.name for entry in target.iterdir()}
        header = json.loads((target / META_FILE).read_bytes())
    except (OSError, ValueError):
        names, header = set(), None
    if not is_header(header):
        raise TraceError(f"{target} is not a trace and is not overwritten; choose another path")
    if names - _FILES:
        raise TraceError(
            f"{target} holds {sorted(names - _FILES)[0]!r}, which is no part of a trace, and is "
            "not overwritten; move that file away, or choose another path"
        )


def _write_files(trace: Trace, folder: Path) -> None:
    pa, pq = _arrow()
    tables = {
        "agents": _agent_columns(trace),
        "positions": _position_columns(trace),
        "calls": _call_columns(trace.calls),
    }
    for name, columns in tables.items():
        file = folder / f"{name}.parquet"
        pq.write_table(
            pa.table(columns),
            file,
            compression="zstd",
            use_dictionary=True,
            write_page_checksum=True,
        )
        _sync(file)
    rows = {name: len(columns["agent"]) for name, columns in tables.items()}
    (folder / META_FILE).write_bytes(header_text(trace, rows).encode())
    _sync(folder / META_FILE)


def _agent_columns(trace: Trace) -> dict[str, Any]:
    pa, _ = _arrow()
    agents = trace.agents
    return {
        "agent": np.arange(len(agents), dtype=np.int32),
        "name": pa.array(agents.names, pa.string()),
        "world": agents.world,
        "first_step": agents.first_step,
        "last_step": agents.last_step,
        "follows": agents.follows,
    }


def _position_columns(trace: Trace) -> dict[str, Any]:
    places = trace.positions
    new = np.concatenate([np.ones((1, trace.n_agents), np.bool_), moved(places)])
    step, agent = np.nonzero(new)
    # Adding 0 turns the negative zero into the other one, which it equals.
    x, y = places[new].T + places.dtype.type(0)
    return {"step": step.astype(np.int32), "agent": agent.astype(np.int32), "x": x, "y": y}


def _call_columns(calls: Calls) -> dict[str, Any]:
    return {
        "step": calls.step,
        "agent": calls.agent,
        "function": _dictionary(calls.function, calls.functions),
        "prompt_tokens": calls.prompt_tokens,
        "output_tokens": calls.output_tokens,
        "partner": calls.partner,
        "basis": _dictionary(calls.basis, BASES),
    }


def _dictionary(codes: NDArray[Any], names: tuple[str, ...]) -> pyarrow.DictionaryArray:
    """Return names by code, such that equal columns have equal dictionaries: those used, sorted."""
    pa, _ = _arrow()
    used = sorted({names[i] for i in np.unique(codes)})
    place = {name: i for i, name in enumerate(used)}
    recode = np.array([place.get(name, 0) for name in names] or [0], np.int32)
    return pa.DictionaryArray.from_arrays(pa.array(recode[codes]), pa.array(used, pa.string()))


def _sync(path: Path) -> None:
    """Have the disk hold a file, or the names in a folder, before anything relies on it."""
    if path.is_dir() and os.name == "nt":
        return  # folders cannot be opened there
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# Reading


@contextmanager
def _blaming(file: Path) -> Iterator[None]:
    """Turn whatever a damaged file provokes in the libraries into a TraceError naming it."""
    pa, _ = _arrow()
    try:
        yield
    except TraceError:
        raise
    except (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError) as error:
        raise TraceError(
            f"{file} cannot be read and may be damaged or cut short; get it anew ({error})"
        ) from error


def _read_table(folder: Path, table: str, head: Header) -> dict[str, Any]:
    """Return the columns of a table: arrays, and Arrow columns where they hold texts."""
    file = folder / f"{table}.parquet"
    wanted = {
        column: COORDINATES[head.kind] if kind == "coordinate" else kind
        for column, kind in _COLUMNS[table].items()
    }
    if not file.is_file():
        raise TraceError(f"{file} is missing; the trace is incomplete, get it anew")
    with _blaming(file):
        texts = [column for column, kind in wanted.items() if kind == "string"]
        with open_table(file, texts) as source:
            for column, kind in wanted.items():
                _check_column(file, source.schema_arrow, column, kind)
            rows = source.metadata.num_rows
            if rows != head.rows[table]:
                raise TraceError(
                    f"{file} has {rows} rows, but {META_FILE} says {head.rows[table]}; "
                    "one of the two is damaged or from another trace"
                )
            data = read_columns(source, list(wanted))
        for column in wanted:
            if data[column].null_count:
                row = int(np.argmax(data[column].is_null().to_numpy()))
                raise TraceError(
                    f"{file}, row {row}: {column} is null; every row needs a value (-1 for no "
                    "partner)"
                )
        return {
            column: data[column] if kind == "string" else data[column].to_numpy()
            for column, kind in wanted.items()
        }


def open_table(file: Path, texts: list[str]) -> Any:  # noqa: ANN401 - pyarrow has no types
    """Open a Parquet file whose pages are checked; each different text is unpacked once."""
    _, pq = _arrow()
    with pq.ParquetFile(file) as source:
        check_bytes(file, source.metadata)
        columns = [source.schema.column(at) for at in range(len(source.schema))]
        known = {column.path for column in columns if column.physical_type == "BYTE_ARRAY"}
    return pq.ParquetFile(
        file,
        page_checksum_verification=True,
        read_dictionary=[text for text in texts if text in known],
    )


def read_columns(source: Any, columns: list[str]) -> Any:  # noqa: ANN401 - pyarrow has no types
    """Return the columns of an open file, checked for texts that are not there."""
    data = source.read(columns=columns)
    data.validate(full=True)
    return data


def _check_column(file: Path, schema: pyarrow.Schema, column: str, wanted: str) -> None:
    places = schema.get_all_field_indices(column)
    if len(places) != 1:
        found = "missing" if not places else f"there {len(places)} times"
        raise TraceError(f"{file}: the column {column!r} is {found}; it must be there once")
    kind = schema.field(places[0]).type
    while wanted == "string" and hasattr(kind, "value_type") and hasattr(kind, "index_type"):
        kind = kind.value_type
    fits = ("string", "large_string", "string_view") if wanted == "string" else (wanted,)
    if str(kind) not in fits:
        raise TraceError(f"{file}: the column {column!r} has the type {kind}; it must be {wanted}")


def _names(file: Path, column: pyarrow.ChunkedArray) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Return a text column as codes and the sorted names that occur."""
    pa, _ = _arrow()
    with _blaming(file):
        if not hasattr(column.type, "index_type"):
            column = column.cast(pa.string()).dictionary_encode()
        column = column.unify_dictionaries().combine_chunks()
        used, codes = np.unique(column.indices.to_numpy(), return_inverse=True)
        found = [column.dictionary[int(i)].as_py() for i in used]
    names = sorted(set(found))
    place = {name: i for i, name in enumerate(names)}
    recode = np.array([place[name] for name in found] or [0], np.int64)
    return recode[codes], tuple(names)


def _agents(folder: Path, columns: dict[str, Any]) -> Agents:
    file = folder / "agents.parquet"
    index = columns["agent"]
    wrong = np.flatnonzero(index != np.arange(len(index)))
    if len(wrong):
        row = int(wrong[0])
        raise TraceError(f"{file}, row {row}: agent is {index[row]}; row i must be agent i")
    codes, names = _names(file, columns["name"])
    return Agents(
        names=tuple(names[i] for i in codes.tolist()),
        **{
            c: np.array(columns[c], np.int32)
            for c in ("world", "first_step", "last_step", "follows")
        },
    )


def _positions(folder: Path, head: Header, columns: dict[str, Any]) -> NDArray[Any]:
    """Spread the rows over all steps: each place holds until the agent's next row."""
    file = folder / "positions.parquet"
    n, steps = head.rows["agents"], head.steps
    step, agent = columns["step"], columns["agent"]
    for what, values, limit in (("step", step, steps), ("agent", agent, n - 1)):
        wrong = np.flatnonzero((values < 0) | (values > limit))
        if len(wrong):
            row = int(wrong[0])
            raise TraceError(
                f"{file}, row {row}: {what} is {values[row]}; it must lie within 0..{limit}"
            )
    key = step.astype(np.int64) * n + agent
    wrong = np.flatnonzero(key[1:] <= key[:-1])
    if len(wrong):
        row = int(wrong[0]) + 1
        again = "is there twice" if key[row] == key[row - 1] else "comes after a later one"
        raise TraceError(
            f"{file}, row {row}: the row of step {step[row]}, agent {agent[row]} {again}; sort "
            "by step, then agent, each pair at most once"
        )
    absent = np.setdiff1d(np.arange(n), agent[step == 0])
    if len(absent):
        raise TraceError(
            f"{file}: agent {absent[0]} has no row at step 0; every agent needs one (before it "
            "joins, the place where it will)"
        )
    with _blaming(file):
        row_in_force = np.zeros((steps + 1, n), np.int32)
        row_in_force[step, agent] = np.arange(len(step), dtype=np.int32)
        np.maximum.accumulate(row_in_force, axis=0, out=row_in_force)
        places = np.stack([columns["x"], columns["y"]], axis=1)
        return np.ascontiguousarray(places[row_in_force])


def _calls(folder: Path, columns: dict[str, Any]) -> Calls:
    file = folder / "calls.parquet"
    function, functions = _names(file, columns["function"])
    if len(functions) > np.iinfo(np.int16).max:
        raise TraceError(
            f"{file} names {len(functions)} functions; at most {np.iinfo(np.int16).max} are known "
            "apart: name the prompt function, not the prompt"
        )
    basis, bases = _names(file, columns["basis"])
    for code, name in enumerate(bases):
        if name not in BASES:
            raise TraceError(
                f"{file}, row {int(np.argmax(basis == code))}: basis is {name!r}; it must be one "
                f"of {', '.join(BASES)}"
            )
    recode = np.array([BASES.index(name) for name in bases] or [0], np.int8)
    numbers = ("step", "agent", "prompt_tokens", "output_tokens", "partner")
    return Calls(
        function=function.astype(np.int16),
        basis=recode[basis],
        functions=functions,
        **{column: np.array(columns[column], np.int32) for column in numbers},
    )
