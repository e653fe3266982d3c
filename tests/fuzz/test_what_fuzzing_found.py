"""What the Python targets have found, each in its plainest form."""

from __future__ import annotations

import gzip
import json
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from fuzz_targets import target

from headway import Scheduler, errors
from headway.engines import make_engine, preset_named
from headway.engines.base import Message, Request
from headway.engines.openai.payload import answer_of
from headway.errors import EngineError, SpaceError, TraceError
from headway.importers import import_recording, normalized
from headway.space import read_map
from headway.structured import UnusableAnswerError, check_schema, parse
from headway.trace import limits
from headway.trace.answers import FILE, read_answers, write_answers
from headway.trace.store import read_trace, write_trace
from strategies import assert_same_trace, change_meta, change_table, set_column, small_trace

maps, traces, importers = target("map_readers"), target("trace_readers"), target("importers")


@pytest.fixture
def folder(tmp_path) -> Path:
    path = tmp_path / "small.hwt"
    write_trace(small_trace(), path)
    return path


@pytest.fixture
def answers(tmp_path) -> Path:
    write_answers(traces.ANSWERS, tmp_path)
    return tmp_path


def written(files: dict[str, bytes], folder: Path) -> Path:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


# Traces and recorded answers


def test_a_header_that_announces_more_places_than_fit_is_refused_before_they_are_made(folder):
    change_meta(folder, steps=2**30)
    with pytest.raises(TraceError, match=rf"meta\.json: .* at most {limits.PLACES_MAX} fit") as e:
        read_trace(folder)
    assert e.value.__cause__ is None


@pytest.mark.parametrize("table", ["positions", "calls"])
def test_more_rows_than_fit_are_refused_by_the_header_alone(folder, table):
    rows = json.loads((folder / "meta.json").read_text())["rows"]
    change_meta(folder, rows={**rows, table: 2**30})
    with pytest.raises(TraceError, match=f"{2**30} rows of {table} are more than"):
        read_trace(folder)


def test_a_trace_of_more_places_than_can_be_read_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "PLACES_MAX", 5)
    with pytest.raises(TraceError, match="at most 5 fit into a trace; cut it"):
        write_trace(small_trace(), tmp_path / "large.hwt")


def test_rows_are_counted_before_they_are_unpacked(folder, monkeypatch):
    monkeypatch.setattr("headway.trace.store.read_columns", lambda *_: pytest.fail("unpacked"))
    head = json.loads((folder / "meta.json").read_text())
    change_meta(folder, rows={**head["rows"], "agents": head["rows"]["agents"] + 1})
    with pytest.raises(TraceError, match=r"rows, but meta\.json says"):
        read_trace(folder)


def test_a_table_that_unpacks_to_more_than_fits_is_refused(folder, monkeypatch):
    monkeypatch.setattr(limits, "TEXT_BYTES_MAX", 10)
    change_table(folder, "agents", lambda t: t.append_column("more", [["x" * 9000] * t.num_rows]))
    with pytest.raises(TraceError, match=r"agents\.parquet: it unpacks to .* and at most"):
        read_trace(folder)


def test_texts_that_are_no_unicode_are_refused(folder):
    bad = pa.array([b"\xff"] * 3, pa.binary()).view(pa.string())
    change_table(folder, "agents", lambda t: set_column(t, "name", bad))
    with pytest.raises(TraceError, match=r"agents\.parquet.*(UTF8|utf-8)"):
        read_trace(folder)


def test_a_bit_changed_in_a_page_never_ends_in_an_error_of_a_library(folder):
    """Headers of pages have no checksum: a text could be missing that others are numbered after."""
    file = folder / "agents.parquet"
    sound = file.read_bytes()
    for at in range(len(sound) - 8 - int.from_bytes(sound[-8:-4], "little")):
        file.write_bytes(sound[:at] + bytes([sound[at] ^ 64]) + sound[at + 1 :])
        with suppress(TraceError):
            assert_same_trace(read_trace(folder), small_trace())


def test_too_many_answers_are_refused_by_their_number(answers, monkeypatch):
    monkeypatch.setattr(limits, "CALLS_MAX", 3)
    with pytest.raises(TraceError, match=r"answers\.parquet: 4 rows of answers are more than 3"):
        read_answers(answers)


def test_an_answer_that_repeats_is_kept_once(answers):
    """A small file repeats a long text without end; each copy would take its size."""
    table = pq.read_table(answers / FILE)
    longest = table.set_column(
        table.column_names.index("text"), "text", pa.array(["x" * 10**6] * table.num_rows)
    )
    pq.write_table(longest, answers / FILE)
    found = read_answers(answers)
    assert len({id(row.text) for row in found}) == 1


def test_a_path_too_long_for_any_file_is_refused_in_words():
    with pytest.raises(TraceError, match="too long"):
        read_answers("9" * 5000)
    with pytest.raises(errors.HeadwayError, match="too long"):
        make_engine("replay:" + "9" * 5000)


# Recordings


def test_a_recording_that_makes_no_sound_trace_is_refused(tmp_path):
    files = dict(importers.bases()[2])
    head = json.loads(files["meta.json"])
    files["meta.json"] = json.dumps({**head, "time_breaks": [2, 2]}).encode()
    with pytest.raises(TraceError, match="time_breaks: step 2 does not lie between") as error:
        import_recording(written(files, tmp_path))
    assert str(tmp_path) in str(error.value)


@pytest.mark.parametrize("line", ["0" * 3000, "\n" * 5000])
def test_a_table_of_calls_is_not_unpacked_for_ever(tmp_path, monkeypatch, line):
    monkeypatch.setattr(normalized, "CALLS_BYTES_MAX", 4000)
    monkeypatch.setattr(normalized, "LINE_BYTES_MAX", 2000)
    files = dict(importers.bases()[2])
    text = gzip.decompress(files[normalized.CALLS_FILE]) + line.encode()
    files[normalized.CALLS_FILE] = gzip.compress(text)
    with pytest.raises(TraceError, match="unpacked it has more than 4000 bytes, or 2000 in one"):
        import_recording(written(files, tmp_path))


# Maps


@pytest.mark.parametrize("cell", [0.5, "1_0", True, " 1", "\u0661", None, [1], "x"])
def test_only_whole_numbers_are_tiles(tmp_path, cell):
    layer = maps.tf.tile_layer("collision", maps.WALLS)
    layer["data"] = [cell, *[0] * 11]
    layer.pop("encoding", None)
    files = {"map.tmj": json.dumps(maps.tf.town(4, 3, [layer])).encode()}
    with pytest.raises(SpaceError, match="must hold tile numbers"):
        read_map(written(files, tmp_path) / "map.tmj")


@pytest.mark.parametrize("name", ["zlib", "gzip", "zstd"])
def test_tiles_cut_short_before_their_checksum_are_refused(tmp_path, name):
    packed = maps.PACKERS[name](maps.WALLS.astype("<u4").tobytes())
    whole = written(maps._packed_map(name, packed), tmp_path / "whole")
    assert read_map(whole / "map.tmj").walls.any()
    cut = written(maps._packed_map(name, packed[:-2]), tmp_path / "cut")
    with pytest.raises(SpaceError, match="damaged"):
        read_map(cut / "map.tmj")


def test_a_frame_that_announces_another_size_is_not_unpacked(tmp_path):
    packed = zstandard.ZstdCompressor().compress(bytes(10**6))
    path = written(maps._packed_map("zstd", packed), tmp_path) / "map.tmj"
    with pytest.raises(SpaceError, match="unpacks to 1000000 bytes, and its tiles take 48"):
        read_map(path)


def test_a_frame_that_does_not_know_its_size_is_read(tmp_path):
    sound = maps.WALLS.astype("<u4").tobytes()
    packed = zstandard.ZstdCompressor(write_content_size=False).compress(sound)
    path = written(maps._packed_map("zstd", packed), tmp_path) / "map.tmj"
    assert (read_map(path).walls == (maps.WALLS > 0)).all()


@pytest.mark.parametrize("cell", ["1_0", "\u0661", "+1", "-0", "9" * 19])
def test_only_digits_are_blocks_of_a_town(tmp_path, cell):
    files = dict(maps.bases()[0])
    cells = files["maze/sector_maze.csv"].decode().split(",")
    changed = {**files, "maze/sector_maze.csv": ",".join([cell, *cells[1:]]).encode()}
    with pytest.raises(SpaceError, match=r"sector_maze\.csv: tile \(0, 0\) must hold a block"):
        read_map(written(changed, tmp_path / "tile"))
    changed = {**files, "special_blocks/sector_blocks.csv": f"{cell}, house".encode()}
    with pytest.raises(SpaceError, match=r"sector_blocks\.csv, line 1: expected a block number"):
        read_map(written(changed, tmp_path / "block"))


# Answers and schemas


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("{" + "1" * 99_000 + "x", id="digits"),
        pytest.param("{]" + r"1]\{" * 2500 + "}", id="brackets"),
    ],
)
def test_texts_that_take_for_ever_to_mend_are_given_up(text):
    start = time.monotonic()
    with pytest.raises(UnusableAnswerError):
        parse(text, schema={"type": "object", "required": ["b"]})
    assert time.monotonic() - start < 20


def test_a_number_too_large_to_be_checked_is_unusable():
    with pytest.raises(UnusableAnswerError, match="too large to be checked"):
        parse("1" + "0" * 400, schema={"multipleOf": 0.1})


@pytest.mark.parametrize(
    "schema",
    [
        {"$schema": ["x"]},
        {"$schema": {}},
        {"$schema": "http://["},
        {"$schema": "http://json-schema.org/draft-04/schema#", "patternProperties": {"(": {}}},
    ],
)
def test_whatever_is_no_schema_is_refused_in_words(schema):
    with pytest.raises(EngineError, match="schema of an answer"):
        check_schema(schema)


def test_a_name_that_has_no_encoding_is_told_escaped():
    with pytest.raises(EngineError, match=r"ud800") as error:
        check_schema({"properties": {"\ud800": {"type": "int"}}})
    assert str(error.value).encode()
    with pytest.raises(UnusableAnswerError, match=r"ud800") as unusable:
        parse('{"\\ud800": "x"}', schema={"additionalProperties": {"type": "integer"}})
    assert str(unusable.value).encode()


def reply(**usage: int) -> dict:
    return {"choices": [{"message": {"content": "hi"}}], "usage": usage, "model": "\ud800"}


@pytest.mark.parametrize("count", [-1, 2**31, 10**400, True])
def test_counts_of_tokens_that_no_trace_could_hold_are_not_told(count):
    answer = answer_of(reply(prompt_tokens=count), Request((Message("user", "?"),)), "m")
    assert answer.prompt_tokens == 0
    assert answer.model == "?"


@pytest.mark.parametrize(
    ("field", "value"), [("token_budget", 0), ("max_sequences", 1.5), ("max_sequences", 2**31)]
)
def test_a_preset_that_makes_no_server_is_refused_by_file_and_field(tmp_path, field, value):
    numbers = {"t0": 0.5, "p": 0.001, "d": 0.0, "max_sequences": 8, "token_budget": 512}
    file = tmp_path / "mine.json"
    file.write_text(json.dumps({**numbers, field: value}))
    with pytest.raises(EngineError, match=rf"mine\.json: .*{field}"):
        preset_named(str(file))


# The door of the scheduler


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_arrays_of_derived_classes_count_as_the_arrays_they_are():
    """A matrix stays two-dimensional whatever it is reshaped to."""
    s = Scheduler(np.matrix([[0, 0], [50, 0]], np.int8), sight=4, speed=1)
    assert s.positions.tolist() == [[0, 0], [50, 0]]
    with pytest.raises(errors.ArrayShapeError):
        s.start(np.matrix([0, 1], np.int8))


@pytest.mark.parametrize("dtype", ["i8", "i4", "f8"])
def test_an_array_that_repeats_one_place_without_end_is_refused(dtype):
    endless = np.broadcast_to(np.zeros((1, 2), dtype), (2**42, 2))
    with pytest.raises(MemoryError, match="bytes of memory, more than there are"):
        Scheduler(endless, sight=4, speed=1)


@pytest.mark.parametrize("dtype", ["i8", "i1"])
def test_ids_that_repeat_without_end_are_refused(dtype):
    s = Scheduler(np.array([[0, 0]]), sight=4, speed=1)
    with pytest.raises(MemoryError, match="ids need"):
        s.start(np.broadcast_to(np.zeros(1, dtype), 2**44))
    assert s.status(0) == "ready"
