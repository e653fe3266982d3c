"""A tape answers exactly what was recorded, and nothing damaged or different passes."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import fields, replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_engines import Echo, request

from headway.engines.base import Answer, Message, Request
from headway.engines.replay import ReplayEngine, tape
from headway.engines.wrappers import Cache, Recording, model_of
from headway.errors import EngineError, MissingExtraError, TraceError
from headway.trace.answers import FILE, RecordedAnswer, read_answers, write_answers
from headway.trace.store import read_trace, write_trace
from strategies import assert_same_trace, small_trace

ASKED = [
    request(f"{agent} {step} {call}", agent=agent, step=step, call=call, seed=step, label="plan")
    for step in range(3)
    for agent in ("Ada", "Bob")
    for call in range(2)
]


def record(asked=ASKED, engine=None) -> list[tuple[Request, Answer]]:
    """Ask everything and return what was recorded."""
    pairs: list[tuple[Request, Answer]] = []

    async def run():
        recording = Recording(engine or Echo(), pairs)
        for one in asked:
            await recording.complete(one)

    asyncio.run(run())
    return pairs


def ask(engine, one: Request) -> Answer:
    return asyncio.run(engine.complete(one))


@pytest.fixture
def folder(tmp_path):
    """A folder that holds the answers to `ASKED`."""
    write_answers(tape(record()), tmp_path / "run.hwt")
    return tmp_path / "run.hwt"


# Recording and replaying


def test_a_recorded_run_is_answered_again_without_a_model(folder):
    engine = ReplayEngine(folder)
    pairs = record()
    for one, answer in reversed(pairs):
        assert ask(engine, one) == answer
    assert ask(engine, ASKED[0]) == pairs[0][1]
    assert engine.statistics() == {"replayed_calls": len(ASKED) + 1, "unplayed_calls": 0}
    assert model_of(engine) == "echo-1"


def test_a_tape_need_not_be_on_disk():
    engine = ReplayEngine(tape(record()[:1]))
    assert ask(engine, ASKED[0]).text == "Ada 0 0"
    assert engine.statistics()["unplayed_calls"] == 0


def test_priority_and_label_may_differ(folder):
    ask(ReplayEngine(folder), replace(ASKED[0], priority=5, label="talk"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"agent": "Cid"}, ["of Cid", "'Cid'", "'Ada', 'Bob'"]),
        ({"step": 9}, ["of Ada in step 9", "steps from 0 to 2"]),
        ({"call": 7}, ["call 7", "2 calls"]),
        ({"attempt": 1}, ["attempt 1", "fewer attempts"]),
    ],
)
def test_a_call_that_was_not_recorded_is_refused_with_what_there_is(folder, change, words):
    with pytest.raises(EngineError) as error:
        ask(ReplayEngine(folder), replace(ASKED[0], **change))
    for word in [str(folder), "not the recorded one", *words]:
        assert word in str(error.value), f"{word!r} is not in {error.value}"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"messages": (Message("user", "else"),)}, ["messages differ"]),
        ({"seed": 99}, ["seed differs"]),
        ({"temperature": 0.1, "max_tokens": 7}, ["max_tokens and temperature differ"]),
        ({"schema": {}, "label": "talk"}, ["schema differs", "'plan'"]),
    ],
)
def test_a_call_that_asks_something_else_is_refused_with_what_differs(folder, change, words):
    with pytest.raises(EngineError) as error:
        ask(ReplayEngine(folder), replace(ASKED[0], **change))
    for word in ["call 0", "of Ada in step 0", *words]:
        assert word in str(error.value), f"{word!r} is not in {error.value}"


def test_a_step_that_was_rolled_back_leaves_both_of_its_questions():
    first, second = ASKED[0], replace(ASKED[0], messages=(Message("user", "anew"),), seed=4)
    rows = tape(record([first, second]))
    engine = ReplayEngine(rows)
    assert ask(engine, first).text == "Ada 0 0"
    assert ask(engine, second).text == "anew"
    with pytest.raises(EngineError, match=": seed differs"):
        ask(engine, replace(second, seed=5))


def test_of_two_answers_to_the_same_question_the_later_one_is_kept():
    pairs = record([ASKED[0], ASKED[0]], Echo(Answer("first"), Answer("second")))
    (row,) = tape(pairs)
    assert row.text == "second"
    with pytest.raises(EngineError, match="twice"):
        ReplayEngine([row, row])


def test_an_empty_tape_has_nobody():
    with pytest.raises(EngineError, match="nobody"):
        ask(ReplayEngine([]), request(agent="Ada"))


def test_tapes_of_many_agents_name_a_few():
    rows = tape(record([request(agent=str(i)) for i in range(9)]))
    with pytest.raises(EngineError, match="'0', '1', '2' and 6 more"):
        ask(ReplayEngine(rows), request(agent="x"))


def test_a_cache_around_a_replay_gives_the_same(folder):
    engine = Cache(ReplayEngine(folder))
    assert ask(engine, ASKED[3]) == record()[3][1]


# The file

answers = st.builds(
    RecordedAnswer,
    step=st.integers(0, 5), agent=st.sampled_from(["Ada", "Bob", "Ä🎉", ""]),
    call=st.integers(0, 2), attempt=st.integers(0, 1), label=st.text(max_size=3),
    request_hash=st.sampled_from(["0" * 64, "f" * 64]), request_parts=st.just("ab" * 28),
    text=st.text(st.characters(exclude_categories=["Cs"])),
    prompt_tokens=st.integers(0, 2**31 - 1), output_tokens=st.integers(0, 9),
    cached_tokens=st.none() | st.integers(0, 9), finish=st.sampled_from(["stop", "length"]),
    model=st.sampled_from(["", "tiny"]),
)  # fmt: skip


@given(st.lists(answers, unique_by=lambda a: a.place, max_size=8), st.randoms())
def test_what_is_written_is_read_and_the_order_does_not_matter(tmp_path_factory, rows, chance):
    folder = tmp_path_factory.mktemp("answers")
    write_answers(rows, folder)
    assert read_answers(folder) == sorted(rows, key=lambda row: row.place)
    before = (folder / FILE).read_bytes()
    chance.shuffle(rows)
    write_answers(rows, folder, overwrite=True)
    assert (folder / FILE).read_bytes() == before
    assert [entry.name for entry in folder.iterdir()] == [FILE]


def test_answers_stand_beside_a_trace(tmp_path):
    folder = tmp_path / "run.hwt"
    write_trace(small_trace(), folder)
    write_answers(tape(record()), folder)
    assert_same_trace(read_trace(folder), small_trace())
    assert len(read_answers(folder)) == len(ASKED)


def test_what_is_there_is_replaced_only_if_asked_and_if_it_is_answers(folder):
    with pytest.raises(TraceError, match="overwrite=True"):
        write_answers([], folder)
    write_answers([], folder, overwrite=True)
    assert read_answers(folder) == []
    for other in (b"mine", None):
        if other is None:
            pq.write_table(pa.table({"a": [1]}), folder / FILE)
        else:
            (folder / FILE).write_bytes(other)
        before = (folder / FILE).read_bytes()
        with pytest.raises(TraceError, match="not overwritten"):
            write_answers([], folder, overwrite=True)
        assert (folder / FILE).read_bytes() == before


def test_a_path_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(TraceError, match="cannot be written"):
        write_answers([], tmp_path / "file")


def test_a_write_that_fails_leaves_what_was_there(folder, monkeypatch):
    def full(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", full)
    before = (folder / FILE).read_bytes()
    with pytest.raises(TraceError, match="disk full"):
        write_answers([], folder, overwrite=True)
    assert (folder / FILE).read_bytes() == before
    assert [entry.name for entry in folder.iterdir()] == [FILE]


# Damaged files


def assert_refused(folder, *words) -> None:
    for reads in (read_answers, ReplayEngine):
        with pytest.raises(TraceError) as error:
            reads(folder)
        for word in (FILE, *words):
            assert word in str(error.value), f"{word!r} is not in {error.value}"


def rewrite(folder, change) -> None:
    table = pq.read_table(folder / FILE)
    pq.write_table(change(table), folder / FILE)


def set_value(folder, name, row, value) -> None:
    def change(table):
        values = table[name].to_pylist()
        values[row] = value
        place = table.column_names.index(name)
        return table.set_column(place, name, pa.array(values, table[name].type))

    rewrite(folder, change)


def test_a_folder_without_answers_is_refused(tmp_path):
    assert_refused(tmp_path, "missing", "record a run")
    assert_refused(tmp_path / "nowhere", "nowhere", "missing")


@pytest.mark.parametrize("keep", [0, 1, 100, -1, -9])
def test_a_file_that_was_cut_short_is_refused(folder, keep):
    data = (folder / FILE).read_bytes()
    (folder / FILE).write_bytes(data[:keep])
    assert_refused(folder, "damaged")


def test_a_flipped_bit_never_changes_an_answer(folder):
    good = read_answers(folder)
    data = (folder / FILE).read_bytes()
    refused = 0
    for at in range(0, len(data), 23):
        damaged = bytearray(data)
        damaged[at] ^= 1 << at % 8
        (folder / FILE).write_bytes(damaged)
        try:
            assert [row.text for row in read_answers(folder)] == [row.text for row in good]
        except TraceError:
            refused += 1
    assert refused > 20


@pytest.mark.parametrize(
    ("version", "words"),
    [(b"2", ["version 2", "version 1", "newer release"]), (b"0", ["b'0'"]), (b"one", ["b'one'"])],
)
def test_a_version_that_is_not_understood_is_refused(folder, version, words):
    rewrite(folder, lambda table: table.replace_schema_metadata({b"headway-answers": version}))
    assert_refused(folder, *words)


def test_another_table_is_refused(folder):
    rewrite(folder, lambda table: table.replace_schema_metadata(None))
    assert_refused(folder, "does not hold answers")


@pytest.mark.parametrize("name", [field.name for field in fields(RecordedAnswer)])
def test_every_column_must_be_there_with_its_type(folder, name):
    data = (folder / FILE).read_bytes()
    rewrite(folder, lambda table: table.drop_columns(name))
    assert_refused(folder, f"'{name}'", "missing")
    (folder / FILE).write_bytes(data)
    place = [field.name for field in fields(RecordedAnswer)].index(name)
    wrong = pa.array([1.5] * len(ASKED))
    rewrite(folder, lambda table: table.set_column(place, name, wrong))
    assert_refused(folder, f"'{name}'", "double")


@pytest.mark.parametrize("name", [field.name for field in fields(RecordedAnswer)])
def test_only_cached_tokens_may_be_null(folder, name):
    set_value(folder, name, 3, None)
    if name == "cached_tokens":
        assert read_answers(folder)[3].cached_tokens is None
    else:
        assert_refused(folder, "row 3", f"{name} is null")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("step", -1, ["step is -1", "0..2147483647"]),
        ("call", -1, ["call is -1"]),
        ("attempt", -2, ["attempt is -2"]),
        ("prompt_tokens", -1, ["prompt_tokens is -1"]),
        ("cached_tokens", -1, ["cached_tokens is -1"]),
        ("request_hash", "abc", ["'abc'", "64"]),
        ("request_parts", "xyz", ["'xyz'"]),
        ("finish", "done", ["'done'", "stop, length"]),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_its_row(folder, name, value, words):
    set_value(folder, name, 2, value)
    assert_refused(folder, "row 2", *words)


def test_rows_out_of_order_and_twice_are_refused(folder):
    data = (folder / FILE).read_bytes()
    rewrite(folder, lambda table: pa.concat_tables([table.slice(0, 3), table.slice(2)]))
    assert_refused(folder, "row 3", "call 0 (attempt 0) of Bob in step 0 is there twice")
    (folder / FILE).write_bytes(data)
    rewrite(folder, lambda table: pa.concat_tables([table.slice(3), table.slice(0, 3)]))
    assert_refused(folder, "row 9", "comes after a later one")


@pytest.mark.parametrize(
    "change",
    [{"text": "\ud800"}, {"prompt_tokens": 2**31}, {"request_hash": ""}, {"agent": None}],
)
def test_answers_that_could_not_be_read_again_are_not_written(tmp_path, change):
    (row,) = tape(record(ASKED[:1]))
    with pytest.raises(TraceError, match="row 0"):
        write_answers([replace(row, **change)], tmp_path)
    with pytest.raises(TraceError, match="twice"):
        write_answers([row, row], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_without_pyarrow_the_extra_is_named(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"headway\[trace\]"):
        ReplayEngine(folder)
    assert ask(ReplayEngine(tape(record())), ASKED[0]).text == "Ada 0 0"
