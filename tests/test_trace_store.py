"""A trace comes back from disk as it was, and writing one never harms what is there."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given

from headway.errors import MissingExtraError, TraceError
from headway.trace import store
from headway.trace.model import Calls, Meta, Trace
from headway.trace.store import read_trace, write_trace
from strategies import (
    assert_same_trace,
    change_meta,
    change_table,
    function_names,
    patient,
    set_column,
    small_trace,
    traces,
)

RECORDED = Path(__file__).parents[2] / "shared" / "traces" / "normalized"


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder that holds the small trace."""
    path = tmp_path / "small.hwt"
    write_trace(small_trace(), path)
    return path


def content(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.iterdir()}


# Round trip


@patient
@given(traces())
def test_a_trace_comes_back_as_it_was_and_a_second_write_gives_the_same_bytes(trace):
    with tempfile.TemporaryDirectory() as place:
        first, second = Path(place, "first.hwt"), Path(place, "second.hwt")
        write_trace(trace, first)
        back = read_trace(first)
        assert_same_trace(back, trace)
        assert list(back.calls.functions) == sorted(set(function_names(trace.calls)))
        write_trace(back, second)
        assert content(first) == content(second)


def test_equal_traces_give_equal_bytes_however_their_functions_are_numbered(folder, tmp_path):
    calls = small_trace().calls
    renumbered = replace(
        calls,
        function=np.array([2, 2, 0, 0], np.int16),
        functions=("talk", "never called", "plan"),
    )
    write_trace(replace(small_trace(), calls=renumbered), tmp_path / "renumbered.hwt")
    assert content(folder) == content(tmp_path / "renumbered.hwt")


def test_negative_zero_is_written_as_the_zero_it_equals(tmp_path):
    zero, negative = small_trace(grid=False), small_trace(grid=False)
    negative.positions[:] = np.where(negative.positions == 0, -0.0, negative.positions)
    write_trace(zero, tmp_path / "zero.hwt")
    write_trace(negative, tmp_path / "negative.hwt")
    assert content(tmp_path / "zero.hwt") == content(tmp_path / "negative.hwt")


def test_a_trace_without_calls_comes_back(tmp_path):
    empty = Calls.from_columns(step=[], agent=[], function=[], prompt_tokens=[], output_tokens=[])
    write_trace(small_trace(calls=empty), tmp_path / "quiet.hwt")
    assert_same_trace(read_trace(tmp_path / "quiet.hwt"), small_trace(calls=empty))


def test_only_changes_of_place_are_written(folder):
    table = pq.read_table(folder / "positions.parquet").to_pydict()
    assert list(zip(*table.values(), strict=True)) == [
        (0, 0, 0, 0),
        (0, 1, 5, 5),
        (0, 2, 9, 9),
        (1, 0, 1, 0),
        (2, 0, 2, 0),
        (2, 1, 5, 6),
        (3, 0, 3, 0),
        (4, 0, 4, 0),
    ]


def test_a_row_that_repeats_the_place_changes_nothing(folder):
    def repeat(t: pa.Table) -> pa.Table:
        again = t.slice(2, 1).set_column(0, "step", pa.array([1], pa.int32()))
        return pa.concat_tables([t.slice(0, 4), again, t.slice(4)])

    change_table(folder, "positions", repeat)
    assert_same_trace(read_trace(folder), small_trace())


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_names_written_without_a_dictionary_are_read(folder, kind):
    def plain(t: pa.Table) -> pa.Table:
        for name in ("function", "basis"):
            t = set_column(t, name, t[name].cast(kind))
        return t

    change_table(folder, "calls", plain)
    assert_same_trace(read_trace(folder), small_trace())


def test_tables_in_several_row_groups_with_dictionaries_of_their_own_are_read(folder):
    for table in ("agents", "positions", "calls"):
        file = folder / f"{table}.parquet"
        pq.write_table(pq.read_table(file), file, row_group_size=1)
    assert_same_trace(read_trace(folder), small_trace())


def test_unknown_columns_and_fields_are_ignored(folder):
    change_table(folder, "calls", lambda t: t.append_column("cost", pa.array([1.0] * 4)))
    change_meta(folder, colour="blue")
    assert_same_trace(read_trace(folder), small_trace())


def test_a_hundred_agents_over_a_day_are_read_in_well_under_a_second(tmp_path):
    rng = np.random.default_rng(7)
    steps, n, m = 8640, 100, 100_000
    moves = rng.integers(-1, 2, (steps + 1, n, 2)) * (rng.random((steps + 1, n, 1)) < 0.17)
    trace = Trace.build(
        meta=Meta(name="day"),
        names=[f"agent {i}" for i in range(n)],
        positions=np.cumsum(moves, axis=0),
        calls=Calls.from_columns(
            step=rng.integers(0, steps, m),
            agent=rng.integers(0, n, m),
            function=np.array(["plan", "talk"])[rng.integers(0, 2, m)],
            prompt_tokens=np.full(m, 400),
            output_tokens=np.full(m, 20),
        ),
    )
    write_trace(trace, tmp_path / "day.hwt")
    times = []
    for _ in range(3):
        start = perf_counter()
        back = read_trace(tmp_path / "day.hwt")
        times.append(perf_counter() - start)
    np.testing.assert_array_equal(back.positions, trace.positions)
    assert min(times) < 1.0


@pytest.mark.skipif(not RECORDED.exists(), reason="the recorded traces are not here")
def test_recorded_places_come_back(tmp_path):
    xy = np.load(RECORDED / "n25_nectar_test3" / "positions.npz")["xy"]
    trace = small_trace(
        positions=xy[:, :3], first_step=None, last_step=None, meta=Meta(name="nectar")
    )
    write_trace(trace, tmp_path / "nectar.hwt")
    assert_same_trace(read_trace(tmp_path / "nectar.hwt"), trace)


def test_a_copy_of_the_folder_is_the_same_trace(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "copy of it")
    assert_same_trace(read_trace(os.fspath(tmp_path / "copy of it")), small_trace())


# Writing


def test_an_existing_folder_is_not_overwritten_unasked(folder):
    before = content(folder)
    with pytest.raises(TraceError, match="exists already"):
        write_trace(small_trace(steps=6), folder)
    assert content(folder) == before


def test_a_trace_is_overwritten_on_request_and_leaves_nothing_behind(folder):
    write_trace(small_trace(steps=6), folder, overwrite=True)
    assert_same_trace(read_trace(folder), small_trace(steps=6))
    assert [p.name for p in folder.parent.iterdir()] == [folder.name]


def test_a_damaged_trace_is_overwritten_on_request(folder):
    (folder / "calls.parquet").unlink()
    write_trace(small_trace(), folder, overwrite=True)
    assert_same_trace(read_trace(folder), small_trace())


@pytest.mark.parametrize("meta", [None, "{}", '{"format": "other"}', "[]", "nonsense"])
def test_what_is_not_a_trace_is_never_overwritten(tmp_path, meta):
    path = tmp_path / "thesis"
    path.mkdir()
    if meta is not None:
        (path / "meta.json").write_text(meta)
    before = content(path)
    with pytest.raises(TraceError, match="is not a trace"):
        write_trace(small_trace(), path, overwrite=True)
    assert content(path) == before


def test_a_plain_file_is_never_overwritten(tmp_path):
    (tmp_path / "notes").write_text("keep me")
    with pytest.raises(TraceError, match="is not a trace"):
        write_trace(small_trace(), tmp_path / "notes", overwrite=True)
    assert (tmp_path / "notes").read_text() == "keep me"


def test_a_trace_with_a_file_of_somebody_else_in_it_is_not_overwritten(folder):
    (folder / "notes.txt").write_text("keep me")
    with pytest.raises(TraceError, match=r"'notes\.txt'"):
        write_trace(small_trace(), folder, overwrite=True)
    assert (folder / "notes.txt").exists()


def test_a_trace_that_breaks_a_rule_is_not_written(tmp_path):
    calls = replace(small_trace().calls, output_tokens=np.zeros(4, np.int32))
    with pytest.raises(TraceError, match="output_tokens is 0"):
        write_trace(replace(small_trace(), calls=calls), tmp_path / "bad.hwt")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("fails", ["_sync", "header_text"])
def test_an_interrupted_write_leaves_what_was_there(folder, monkeypatch, overwrite, fails):
    target = folder if overwrite else folder.with_name("other.hwt")
    before = content(folder)

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(store, fails, interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_trace(small_trace(steps=6), target, overwrite=overwrite)
    assert [p.name for p in folder.parent.iterdir()] == [folder.name]
    assert content(folder) == before


def test_an_overwrite_that_fails_at_the_last_rename_puts_the_old_trace_back(folder, monkeypatch):
    before, rename = content(folder), Path.rename

    def refuse(self, target):
        if self.name.endswith(".new"):
            raise OSError("no")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(OSError, match="no"):
        write_trace(small_trace(steps=6), folder, overwrite=True)
    assert [p.name for p in folder.parent.iterdir()] == [folder.name]
    assert content(folder) == before


@pytest.mark.parametrize("module", ["pyarrow", "pyarrow.parquet"])
def test_without_pyarrow_the_extra_to_install_is_named(folder, monkeypatch, module):
    monkeypatch.setitem(sys.modules, module, None)
    for action in (lambda: read_trace(folder), lambda: write_trace(small_trace(), "x.hwt")):
        with pytest.raises(MissingExtraError, match=r'pip install "headway\[trace\]"'):
            action()


def test_the_example_of_the_format_page_runs():
    page = (Path(__file__).parents[1] / "docs" / "trace-format.md").read_text(encoding="utf-8")
    exec(page.split("```python\n")[1].split("```")[0], {})
