"""The answers of a run, in `answers.parquet` beside the tables of its trace, format version 1.

A trace says that a call was made and how long it was; this file says what was answered, so that the
run can be executed again without a model (`headway.engines.replay`).
"""

from __future__ import annotations

import itertools
import os
import re
import uuid
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headway.errors import TraceError
from headway.trace import limits
from headway.trace.limits import check_rows
from headway.trace.store import (
    _arrow,
    _blaming,
    _check_column,
    _sync,
    open_table,
    read_columns,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow

FILE = "answers.parquet"

_VERSION = 1
#: In the metadata of the file's schema.
_MARK = b"headway-answers"

#: Texts that must have a form, and which in words.
_FORMS = {
    "request_hash": (re.compile(r"[0-9a-f]{64}"), "it must be 64 hexadecimal digits"),
    "request_parts": (re.compile(r"([0-9a-f]{8})*"), "it must be 8 hexadecimal digits a part"),
    "finish": (re.compile(r"stop|length"), "it must be one of stop, length"),
}
_MOST = 2**31 - 1


@dataclass(frozen=True, slots=True)
class RecordedAnswer:
    """One answered call.

    Attributes
    ----------
    step, agent, call, attempt
        Which call it was, as in `headway.engines.base.Request`.
    label : str
        What it was for.
    request_hash, request_parts : str
        What was asked, as `headway.engines.wrappers.request_hash` and `request_parts` say it.
    text, prompt_tokens, output_tokens, cached_tokens, finish, model
        What was answered, as in `headway.engines.base.Answer`.
    """

    step: int
    agent: str
    call: int
    attempt: int
    label: str
    request_hash: str
    request_parts: str
    text: str
    prompt_tokens: int
    output_tokens: int
    cached_tokens: int | None
    finish: str
    model: str

    @property
    def place(self) -> tuple[int, str, int, int, str]:
        """By which answers are sorted; each is there once.

        One call has several answers where a step was rolled back and asked something else then.
        """
        return self.step, self.agent, self.call, self.attempt, self.request_hash


_COLUMNS = {
    field.name: "string" if str(field.type) == "str" else "int32"
    for field in fields(RecordedAnswer)
}


def write_answers(
    answers: Iterable[RecordedAnswer], path: str | os.PathLike[str], *, overwrite: bool = False
) -> None:
    """Write answers to a folder, mostly that of the run's trace.

    The file appears complete or not at all. Equal answers give equal bytes, in whatever order they
    come (with the same releases of Headway and pyarrow).

    Parameters
    ----------
    answers : iterable of RecordedAnswer
    path : path-like
        The folder; made where it is missing.
    overwrite : bool
        Replace answers that are already there. Anything else is never replaced.

    Raises
    ------
    TraceError
        Where an answer cannot be written, or the path is taken.
    MissingExtraError
        Where pyarrow is not installed.
    """
    pa, pq = _arrow()
    file = Path(path).resolve() / FILE
    rows = list(answers)
    _check(file, rows)
    rows.sort(key=lambda answer: answer.place)
    _check_order(file, rows)
    table = pa.table(
        {
            name: pa.array([getattr(row, name) for row in rows], kind)
            for name, kind in _COLUMNS.items()
        }
    ).replace_schema_metadata({_MARK: str(_VERSION).encode()})
    fresh = file.with_name(f".{FILE}.{uuid.uuid4().hex[:8]}.new")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        _check_target(file, overwrite=overwrite)
        pq.write_table(table, fresh, compression="zstd", write_page_checksum=True)
        _sync(fresh)
        fresh.replace(file)
        _sync(file.parent)
    except OSError as error:
        raise TraceError(f"{file} cannot be written: {error}; choose another path") from error
    finally:
        if fresh.exists():
            fresh.unlink()


def read_answers(path: str | os.PathLike[str]) -> list[RecordedAnswer]:
    """Read the answers of a run, and check them.

    Parameters
    ----------
    path : path-like
        The folder that holds them.

    Raises
    ------
    TraceError
        Where there are none, or they are of a newer version, damaged, or contradict each other;
        the message names the row.
    MissingExtraError
        Where pyarrow is not installed.
    """
    _arrow()
    file = Path(path) / FILE
    with _blaming(file):
        if not file.is_file():
            raise TraceError(
                f"{file} is missing: no answers were recorded there; record a run, or give another "
                "path"
            )
        texts = [name for name, kind in _COLUMNS.items() if kind == "string"]
        with open_table(file, texts) as source:
            _check_version(file, source.schema_arrow.metadata)
            check_rows(file, "answers", source.metadata.num_rows, limits.CALLS_MAX)
            for column, kind in _COLUMNS.items():
                _check_column(file, source.schema_arrow, column, kind)
            data = read_columns(source, list(_COLUMNS))
        columns = [_values(data[name]) for name in _COLUMNS]
    rows = [RecordedAnswer(*values) for values in zip(*columns, strict=True)]
    _check(file, rows)
    _check_order(file, rows)
    return rows


def _values(column: pyarrow.ChunkedArray) -> list[Any]:
    """Return the values of a column; a text that repeats is one object."""
    if not hasattr(column.type, "index_type"):
        values: list[Any] = column.to_pylist()
        return values
    found: list[Any] = []
    for chunk in column.chunks:
        texts = chunk.dictionary.to_pylist()
        found += [None if at is None else texts[at] for at in chunk.indices.to_pylist()]
    return found


def _check_target(file: Path, *, overwrite: bool) -> None:
    if not file.exists():
        return
    if not overwrite:
        raise TraceError(f"{file} exists already; choose another path, or pass overwrite=True")
    _, pq = _arrow()
    try:
        with pq.ParquetFile(file) as source:
            metadata = source.schema_arrow.metadata
    except (OSError, ValueError):
        metadata = None
    if not metadata or _MARK not in metadata:
        raise TraceError(
            f"{file} does not hold answers and is not overwritten; choose another path"
        )


def _check_version(file: Path, metadata: dict[bytes, bytes] | None) -> None:
    said = (metadata or {}).get(_MARK)
    if said is None:
        raise TraceError(f"{file} does not hold answers: its metadata lack {_MARK.decode()!r}")
    if not said.isdigit() or int(said) < 1:
        raise TraceError(f"{file}: the version is {said!r}; it must be a whole number from 1")
    if int(said) > _VERSION:
        raise TraceError(
            f"{file}: the answers have format version {int(said)}, but this release of Headway "
            f"understands version {_VERSION} only; install a newer release to read them"
        )


def _check(file: Path, rows: list[RecordedAnswer]) -> None:
    """Refuse the first row that cannot be."""
    for number, row in enumerate(rows):
        problem = _problem(row)
        if problem is not None:
            raise TraceError(f"{file}, row {number}: {problem}")


def _check_order(file: Path, rows: list[RecordedAnswer]) -> None:
    """Refuse the first row that is not where it belongs, or there twice."""
    for number, (before, row) in enumerate(itertools.pairwise(rows), 1):
        if row.place <= before.place:
            again = "is there twice" if row.place == before.place else "comes after a later one"
            raise TraceError(
                f"{file}, row {number}: the answer to call {row.call} (attempt {row.attempt}) of "
                f"{row.agent} in step {row.step} {again}; sort by step, agent, call, attempt, "
                "request_hash, each once"
            )


def _problem(row: RecordedAnswer) -> str | None:
    """Say what is wrong with a row by itself, or None."""
    for name in _COLUMNS:
        problem = _problem_of(name, getattr(row, name))
        if problem is not None:
            return problem
    return None


def _problem_of(name: str, value: str | int | None) -> str | None:
    if value is None:
        free = name == "cached_tokens"
        return None if free else f"{name} is null; every row needs a value (but for cached_tokens)"
    if not isinstance(value, str):
        return None if 0 <= value <= _MOST else f"{name} is {value}; it must lie within 0..{_MOST}"
    if not value.isascii() and not _has_encoding(value):
        return f"{name} holds half a surrogate pair, which has no encoding; replace it"
    form, wanted = _FORMS.get(name, (None, ""))
    return None if form is None or form.fullmatch(value) else f"{name} is {value!r}; {wanted}"


def _has_encoding(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
