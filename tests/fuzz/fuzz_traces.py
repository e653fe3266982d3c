"""Target: the readers of `headway.trace`. What is no sound trace is refused with the file named;
what is taken is sound and the same when written and read again; damage in a page is noticed.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from fuzz_draw import Draw
from fuzz_folders import Files, Folder, content, damaged, raw_inputs

from headway.errors import TraceError
from headway.trace import limits
from headway.trace.answers import RecordedAnswer, read_answers, write_answers
from headway.trace.model import Meta
from headway.trace.store import read_trace, write_trace
from strategies import assert_same_trace, small_trace

NAME = "trace_readers"

ANSWERS = [
    RecordedAnswer(
        step, agent, 0, 0, "plan", f"{step:064x}", "0123abcd", "Yes, é.", 7, 2, cached, "stop", "m"
    )
    for step, cached in ((0, None), (3, 5))
    for agent in ("Ann", "Ben")
]

NUMBERS = (0, 1, -1, 2, 3, 4, 5, 7, 1000, 2**24, 2**30 + 1, 2**31 - 1, -(2**31))
TEXTS = ("", " ", "Ann", "recorded", "été", "\0", "x" * 300, None)
KINDS = (pa.int8(), pa.int32(), pa.int64(), pa.uint32(), pa.float64(), pa.string(), pa.null())


@functools.cache
def bases() -> tuple[Files, ...]:
    """Small sound folders: grid, plane with joined borders; the last with answers alone."""
    wrapped = Meta(name="small", wrap=(20.0, 30.0), sight=4.0, speed=1.0, notes=("é",))
    found = []
    with TemporaryDirectory() as place:
        for number, trace in enumerate((small_trace(), small_trace(grid=False, meta=wrapped))):
            folder = Path(place, str(number))
            write_trace(trace, folder)
            found.append(content(folder))
        write_answers(ANSWERS, Path(place, "answers"))
        found.append(content(Path(place, "answers")))
    return tuple(found)


def seeds() -> list[bytes]:
    drawn = [bytes([base, 0, *range(kind, kind + 40)]) for base in range(3) for kind in range(8)]
    raw = [
        each for base, files in enumerate(bases()) for each in raw_inputs(files, bytes([base, 0]))
    ]
    tables = [
        bytes([base, kind, *range(n, n + 60)])
        for base in (0, 1)
        for kind in (2, 3)
        for n in range(6)
    ]
    return [*drawn, *raw, *tables]


@functools.cache
def _folder() -> Folder:
    # Below this limit everything is quick; that there is one is what matters.
    limits.PLACES_MAX, limits.CALLS_MAX = 1 << 20, 1 << 20
    return Folder()


def run(data: bytes) -> bool:
    """Read one folder; tell whether it was taken."""
    draw = Draw(data)
    base = draw.below(3)
    files = bases()[base]
    match draw.below(4):
        case 2:
            given = with_other_tables(files, draw)
        case 3:
            given = with_damaged_pages(files, draw)
        case _:
            given = damaged(files, draw)
            return read(given, answers=base == 2) is not None
    found = read(given, answers=base == 2)
    return found is not None


def read(files: Files, *, answers: bool = False) -> Any:
    """What the files hold; None where they are refused, as they should be."""
    path = _folder().holds(files)
    try:
        found = read_answers(path) if answers else read_trace(path)
    except TraceError as error:
        assert str(path) in str(error), f"the file is not named: {error}"
        assert not isinstance(error.__cause__, MemoryError), f"what is too large is read: {error}"
        str(error).encode()
        return None
    with TemporaryDirectory() as place:
        if answers:
            write_answers(found, place)
            assert read_answers(place) == found
        else:
            write_trace(found, Path(place, "again"))
            assert_same_trace(read_trace(Path(place, "again")), found)
    return found


def with_damaged_pages(files: Files, draw: Draw) -> Files:
    """Bits flipped in the pages of tables, which have checksums: the damage must show."""
    tables = [name for name in files if name.endswith(".parquet")]
    name = draw.one_of(tables)
    data = bytearray(files[name])
    pages = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    for _ in range(1 + draw.below(3)):
        data[draw.below(pages)] ^= 1 << draw.below(8)
    changed = {**files, name: bytes(data)}
    answers = "meta.json" not in files
    found = read(changed, answers=answers)
    if found is not None:
        sound = read(files, answers=answers)
        if answers:
            assert found == sound
        else:
            assert_same_trace(found, sound)
    return changed


def with_other_tables(files: Files, draw: Draw) -> Files:
    """Tables with other values, columns and rows, written as other programs might."""
    changed = dict(files)
    rows = json.loads(files["meta.json"])["rows"] if "meta.json" in files else {}
    for name in [name for name in files if name.endswith(".parquet")]:
        if not draw.rarely(2):
            continue
        table = pq.read_table(pa.BufferReader(files[name]))
        for _ in range(1 + draw.below(3)):
            table = other_table(table, draw)
        sink = pa.BufferOutputStream()
        try:
            pq.write_table(
                table,
                sink,
                compression=draw.one_of(["zstd", "none", "snappy", "gzip"]),
                use_dictionary=not draw.rarely(3),
                data_page_version=draw.one_of(["1.0", "2.0"]),
                row_group_size=draw.one_of([1 << 20, 1, 2, 3]),
                store_schema=not draw.rarely(3),
                write_page_checksum=not draw.rarely(3),
            )
        except (pa.ArrowException, ValueError):
            continue  # no file comes of it
        changed[name] = sink.getvalue().to_pybytes()
        rows[name.removesuffix(".parquet")] = table.num_rows
    if "meta.json" in files:
        head = json.loads(files["meta.json"])
        if not draw.rarely(8):
            head["rows"] = rows
        if draw.rarely(4):
            head["steps"] = draw.one_of(NUMBERS)
        changed["meta.json"] = json.dumps(head).encode()
    return changed


def other_table(table: pa.Table, draw: Draw) -> pa.Table:
    """A table after one change; the same where there can be no such."""
    if not table.num_columns or not table.num_rows:
        return table
    try:
        return draw.one_of(CHANGES)(table, draw.below(table.num_columns), draw)
    except (pa.ArrowException, OverflowError):
        return table


def _other_cell(table: pa.Table, at: int, draw: Draw) -> pa.Table:
    column = table.column(at)
    values = column.to_pylist()
    text = any(isinstance(value, str) for value in values)
    values[draw.below(len(values))] = draw.one_of(TEXTS if text else NUMBERS)
    kind = pa.string() if text else column.type
    return table.set_column(at, table.column_names[at], pa.array(values, kind))


def _other_kind(table: pa.Table, at: int, draw: Draw) -> pa.Table:
    column = table.column(at).cast(draw.one_of(KINDS))
    return table.set_column(at, table.column_names[at], column)


def _other_rows(table: pa.Table, _: int, draw: Draw) -> pa.Table:
    taken = [draw.below(table.num_rows) for _ in range(draw.below(2 * table.num_rows))]
    return table.take(pa.array(taken, pa.int64()))


def _other_column(table: pa.Table, at: int, draw: Draw) -> pa.Table:
    other = table.column(draw.below(table.num_columns))
    return table.set_column(at, table.column_names[at], other)


CHANGES = (
    *(_other_cell, _other_cell, _other_cell, _other_kind, _other_rows, _other_column),
    lambda table, at, _: table.remove_column(at),
    lambda table, at, _: table.append_column(table.column_names[at], table.column(at)),
)


def close() -> None:
    _folder().close()
