"""No damaged folder comes back as a trace: every error names the file and the place in it."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.errors import TraceError
from headway.trace.store import read_trace, write_trace
from strategies import (
    assert_same_trace,
    change_meta,
    change_table,
    patient,
    set_column,
    small_trace,
)

FILES = ("agents.parquet", "calls.parquet", "meta.json", "positions.parquet")


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder that holds the small trace."""
    path = tmp_path / "small.hwt"
    write_trace(small_trace(), path)
    return path


def set_value(path: Path, table: str, name: str, row: int, value) -> None:
    def change(t: pa.Table) -> pa.Table:
        values = t[name].to_pylist()
        values[row] = value
        kind = pa.string() if pa.types.is_dictionary(t[name].type) else t[name].type
        return set_column(t, name, pa.array(values, kind))

    change_table(path, table, change)


def assert_refused(path: Path, *words: str) -> None:
    with pytest.raises(TraceError) as error:
        read_trace(path)
    for word in words:
        assert word in str(error.value), f"{word!r} is not in {error.value}"


# Damaged meta.json


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    assert_refused(tmp_path / "nowhere.hwt", "nowhere.hwt", "no such folder")


def test_a_newer_version_is_refused_with_the_version_understood(folder):
    change_meta(folder, version=2)
    assert_refused(folder, "meta.json", "version 2", "understands version 1", "newer release")


@pytest.mark.parametrize("version", [0, -1, "1", 1.0, None, True])
def test_a_version_that_is_none_is_refused(folder, version):
    change_meta(folder, version=version)
    assert_refused(folder, "meta.json", f"{version!r}")


@pytest.mark.parametrize("text", ["{}", "[]", '{"format": "other", "version": 1}', "7"])
def test_an_unknown_format_is_refused(folder, text):
    (folder / "meta.json").write_text(text)
    assert_refused(folder, "meta.json", "'headway-trace'")


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"9" * 5000])
def test_a_meta_file_that_is_no_json_is_refused(folder, data):
    (folder / "meta.json").write_bytes(data)
    assert_refused(folder, "meta.json")


@pytest.mark.parametrize(
    "field", ["kind", "steps", "rows", "name", "seconds_per_step", "start", "metric"]
)
def test_a_missing_field_is_refused(folder, field):
    file = folder / "meta.json"
    fields = json.loads(file.read_text())
    del fields[field]
    file.write_text(json.dumps(fields))
    assert_refused(folder, "meta.json", f"'{field}'")


@pytest.mark.parametrize("field", ["wrap", "sight", "speed", "time_breaks", "source", "notes"])
def test_the_other_fields_may_be_left_out(folder, field):
    file = folder / "meta.json"
    fields = json.loads(file.read_text())
    del fields[field]
    file.write_text(json.dumps(fields))
    assert_same_trace(read_trace(folder), small_trace())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kind", "sphere"),
        ("kind", ["grid"]),
        ("steps", "4"),
        ("steps", -1),
        ("steps", 2**40),
        ("steps", True),
        ("rows", {"agents": 3}),
        ("rows", [3, 8, 4]),
        ("name", 7),
        ("seconds_per_step", "10"),
        ("seconds_per_step", 10**400),
        ("start", None),
        ("metric", 1),
        ("wrap", [1.0]),
        ("wrap", 10.0),
        ("wrap", {"a": 1, "b": 2}),
        ("sight", "far"),
        ("speed", False),
        ("time_breaks", 3),
        ("time_breaks", [1.5]),
        ("source", []),
        ("notes", "one"),
        ("notes", [1]),
    ],
)
def test_a_field_of_a_wrong_type_is_refused(folder, field, value):
    change_meta(folder, **{field: value})
    assert_refused(folder, "meta.json", f"'{field}'")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"metric": "taxicab"}, ("meta.json", "metric", "'taxicab'")),
        ({"seconds_per_step": -10}, ("seconds_per_step", "-10")),
        ({"seconds_per_step": float("nan")}, ("seconds_per_step", "nan")),
        ({"wrap": [0, 5]}, ("wrap", "(0.0, 5.0)")),
        ({"wrap": [5, 20]}, ("positions.parquet", "positions, step 0, agent 1 'Ben'", "modulo")),
        ({"steps": 0}, ("positions.parquet, row 3", "0..0")),
    ],
)
def test_a_field_that_breaks_a_rule_is_refused(folder, fields, words):
    change_meta(folder, **fields)
    assert_refused(folder, str(folder), *words)


# Damaged tables


@pytest.mark.parametrize("file", FILES)
def test_a_missing_file_is_refused(folder, file):
    (folder / file).unlink()
    assert_refused(folder, file)


@pytest.mark.parametrize("file", FILES)
def test_a_folder_in_the_place_of_a_file_is_refused(folder, file):
    (folder / file).unlink()
    (folder / file).mkdir()
    assert_refused(folder, file)


@pytest.mark.parametrize("file", FILES)
def test_a_file_cut_short_anywhere_is_refused(folder, file):
    whole = (folder / file).read_bytes()
    for size in {*range(0, len(whole), 1 + len(whole) // 80), *range(len(whole) - 12, len(whole))}:
        (folder / file).write_bytes(whole[:size])
        if whole[size:].strip():
            assert_refused(folder, file)
        else:  # only the last line break of the JSON is gone
            assert_same_trace(read_trace(folder), small_trace())


@patient
@given(st.sampled_from(FILES[:2] + FILES[3:]), st.data())
def test_a_byte_changed_in_the_pages_of_a_table_is_noticed_or_harmless(file, data):
    with tempfile.TemporaryDirectory() as place:
        path = Path(place, "small.hwt")
        write_trace(small_trace(), path)
        damaged = bytearray((path / file).read_bytes())
        footer = int.from_bytes(damaged[-8:-4], "little") + 8
        at = data.draw(st.integers(0, len(damaged) - footer - 1))
        damaged[at] ^= 1 << data.draw(st.integers(0, 7))
        (path / file).write_bytes(damaged)
        try:
            back = read_trace(path)
        except TraceError as error:
            assert file in str(error)
        else:
            assert_same_trace(back, small_trace())


@pytest.mark.parametrize(
    ("table", "column"),
    [("agents", "name"), ("positions", "x"), ("calls", "basis"), ("calls", "partner")],
)
def test_a_missing_column_is_refused(folder, table, column):
    change_table(folder, table, lambda t: t.drop_columns([column]))
    assert_refused(folder, f"{table}.parquet", f"'{column}'", "missing")


def test_a_column_that_is_there_twice_is_refused(folder):
    change_table(folder, "calls", lambda t: t.append_column("step", t["step"]))
    assert_refused(folder, "calls.parquet", "'step'", "2 times")


@pytest.mark.parametrize(
    ("table", "column", "kind", "wanted"),
    [
        ("agents", "world", pa.int64(), "int32"),
        ("agents", "name", pa.binary(), "string"),
        ("positions", "step", pa.int16(), "int32"),
        ("positions", "x", pa.float64(), "int32"),
        ("calls", "output_tokens", pa.uint32(), "int32"),
        ("calls", "function", pa.binary(), "string"),
        ("calls", "partner", pa.string(), "int32"),
    ],
)
def test_a_column_of_a_wrong_type_is_refused(folder, table, column, kind, wanted):
    def change(t: pa.Table) -> pa.Table:
        plain = pa.array(t[column].to_pylist(), pa.string() if wanted == "string" else pa.int32())
        return set_column(t, column, plain.cast(kind))

    change_table(folder, table, change)
    assert_refused(folder, f"{table}.parquet", f"'{column}'", str(kind), wanted)


def test_coordinates_of_the_other_kind_are_refused(folder):
    change_meta(folder, kind="plane")
    assert_refused(folder, "positions.parquet", "'x'", "int32", "double")


@pytest.mark.parametrize("table", ["agents", "positions", "calls"])
def test_row_counts_that_differ_from_the_meta_file_are_refused(folder, table):
    rows = json.loads((folder / "meta.json").read_text())["rows"]
    change_meta(folder, rows=rows | {table: rows[table] + 1})
    assert_refused(folder, f"{table}.parquet", f"{rows[table]} rows", f"{rows[table] + 1}")


@pytest.mark.parametrize(
    ("table", "column"),
    [("agents", "name"), ("agents", "world"), ("positions", "y"), ("calls", "function")],
)
def test_a_null_is_refused(folder, table, column):
    set_value(folder, table, column, 1, None)
    assert_refused(folder, f"{table}.parquet", "row 1", f"{column} is null")


def test_agents_out_of_order_are_refused(folder):
    change_table(folder, "agents", lambda t: t.take([0, 2, 1]))
    assert_refused(folder, "agents.parquet", "row 1", "agent is 2")


def test_unsorted_places_are_refused(folder):
    change_table(folder, "positions", lambda t: t.take([0, 1, 2, 4, 3, 5, 6, 7]))
    assert_refused(folder, "positions.parquet", "row 4", "step 1, agent 0", "sort")


def test_a_place_given_twice_is_refused(folder):
    change_table(folder, "positions", lambda t: t.take([0, 1, 2, 3, 3, 4, 5, 6, 7]))
    assert_refused(folder, "positions.parquet", "row 4", "step 1, agent 0", "twice")


def test_a_missing_row_at_step_0_is_refused(folder):
    change_table(folder, "positions", lambda t: t.take([0, 2, 3, 4, 5, 6, 7]))
    assert_refused(folder, "positions.parquet", "agent 1", "step 0")


@pytest.mark.parametrize(
    ("column", "row", "value", "limit"),
    [
        ("agent", 3, 3, "0..2"),
        ("agent", 3, -1, "0..2"),
        ("step", 7, 5, "0..4"),
        ("step", 0, -1, "0..4"),
    ],
)
def test_a_place_of_an_unknown_agent_or_step_is_refused(folder, column, row, value, limit):
    set_value(folder, "positions", column, row, value)
    assert_refused(folder, "positions.parquet", f"row {row}", f"{column} is {value}", limit)


def test_an_unknown_basis_is_refused(folder):
    set_value(folder, "calls", "basis", 2, "hearsay")
    assert_refused(folder, "calls.parquet", "row 2", "'hearsay'", "recorded")


@pytest.mark.parametrize(
    ("cell", "value", "words"),
    [
        (("calls", "output_tokens", 2), 0, ("calls, row 2 (step 1, agent 2 'Cas')", "at least 1")),
        (("calls", "step", 1), 3, ("calls, row 2", "sort")),
        (("calls", "agent", 3), 9, ("calls, row 3 (step 2, agent 9)", "0:3")),
        (("calls", "partner", 1), 0, ("calls, row 1", "itself")),
        (("agents", "name", 1), "Ann", ("agent 1 'Ann'", "same name")),
        (("agents", "last_step", 0), 9, ("agent 0 'Ann'", "0:9")),
        (("positions", "x", 3), 2**30 + 1, ("positions, step 1, agent 0 'Ann'", "1073741825")),
    ],
)
def test_a_value_that_breaks_a_rule_is_refused(folder, cell, value, words):
    set_value(folder, *cell, value)
    assert_refused(folder, f"{cell[0]}.parquet", *words)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_place_on_a_plane_that_is_not_finite_is_refused(tmp_path, value):
    path = tmp_path / "plane.hwt"
    write_trace(small_trace(grid=False), path)
    set_value(path, "positions", "x", 3, value)
    assert_refused(path, "positions, step 1, agent 0 'Ann'", str(value))


def test_too_many_functions_are_refused(folder):
    m = 40_000

    def change(t: pa.Table) -> pa.Table:
        rows = t.take([3] * m)
        return set_column(rows, "function", pa.array([f"prompt {i}" for i in range(m)]))

    change_table(folder, "calls", change)
    assert_refused(folder, "calls.parquet", "40000 functions", "32767")
