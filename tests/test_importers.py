"""Importers: published recordings agree with the reference; bad ones give a reason."""

from __future__ import annotations

import csv
import gzip
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import recordings
from headway.errors import OptionError, TraceError
from headway.importers import import_recording
from headway.importers.frames import COORDINATES_MAX
from headway.importers.prompts import PROMPTS, REVISE_IDENTITY
from headway.importers.town_clock import jumps, steady, step_at, with_jumps
from headway.trace import BASES, Trace
from headway.trace.validate import find_problems
from recordings import TinyTown, write_json


def calls_by_place(trace: Trace) -> Counter[tuple[int, int, str, int, str]]:
    """Count calls by step, agent, function, partner and basis."""
    c = trace.calls
    return Counter(
        (int(s), int(a), c.functions[f], int(p), BASES[b])
        for s, a, f, p, b in zip(c.step, c.agent, c.function, c.partner, c.basis, strict=True)
    )


def functions_of(trace: Trace, step: int, agent: int) -> list[str]:
    """List the functions of one agent's chain in a step."""
    c = trace.calls
    rows = np.flatnonzero((c.step == step) & (c.agent == agent))
    return [c.functions[f] for f in c.function[rows]]


def message(path: Path, **options: Any) -> str:
    """Return what the error says that importing raises."""
    with pytest.raises(TraceError) as caught:
        import_recording(path, **options)
    return str(caught.value)


# --- published recordings ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    recordings.published("raw", "n3_july1")
    return recordings.lay_out_storage("n3_july1", tmp_path_factory.mktemp("n3") / "n3_july1")


@pytest.fixture(scope="module")
def compressed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    recordings.published("raw", "n25_nectar_test3")
    folder = tmp_path_factory.mktemp("n25") / "n25_nectar_test3"
    return recordings.lay_out_compressed("n25_nectar_test3", folder)


def assert_like_the_reference(mine: Trace, run: str) -> None:
    """Compare with the normalised form of the same run, and the calls inferred for it before."""
    reference = import_recording(recordings.published("normalized", run))
    assert mine.agents.names == reference.agents.names
    np.testing.assert_array_equal(mine.positions, reference.positions)
    assert mine.meta.time_breaks == reference.meta.time_breaks
    assert mine.meta.start == reference.meta.start
    calls, expected = calls_by_place(mine), calls_by_place(reference)
    # Memories dated into a jump of the clock are the only ones that may be placed otherwise.
    assert (expected - calls).total() == 0
    assert (calls - expected).total() <= 2
    for column in ("prompt_tokens", "output_tokens"):
        ratio = getattr(mine.calls, column).sum() / getattr(reference.calls, column).sum()
        assert 0.98 < ratio < 1.02, column


def test_a_storage_folder_gives_the_positions_and_calls_of_the_reference(storage: Path) -> None:
    seen: list[tuple[int, int]] = []
    trace = import_recording(storage, progress=lambda done, total: seen.append((done, total)))
    assert_like_the_reference(trace, "n3_july1")
    assert seen[0] == (1, 8655)
    assert seen[-1] == (8655, 8655)
    assert trace.meta.sight == 8
    assert not find_problems(trace)


def test_a_compressed_folder_gives_the_positions_calls_and_clock_of_the_reference(
    compressed: Path,
) -> None:
    trace = import_recording(compressed, on_extra_steps="keep")
    assert_like_the_reference(trace, "n25_nectar_test3")
    assert any("last saved after 4951 steps" in note for note in trace.meta.notes)
    assert not find_problems(trace)


def test_steps_recorded_after_the_last_save_can_be_dropped(compressed: Path) -> None:
    assert "on_extra_steps" in message(compressed)
    assert import_recording(compressed, on_extra_steps="drop").n_steps == 4951


@pytest.mark.slow
def test_a_run_of_two_days_gives_the_calls_of_the_reference(tmp_path: Path) -> None:
    recordings.published("raw", "n10_1_village")
    folder = recordings.lay_out_storage("n10_1_village", tmp_path / "n10_1_village")
    assert_like_the_reference(import_recording(folder), "n10_1_village")


def test_a_normalized_run_without_a_table_of_calls_is_imported_with_a_note() -> None:
    trace = import_recording(recordings.published("normalized", "n25_cn"))
    assert len(trace.calls) == 0
    assert (trace.n_agents, trace.n_steps) == (25, 7020)
    assert "no LLM calls" in trace.meta.notes[0]
    assert not find_problems(trace)


def test_all_normalized_runs_are_valid_traces() -> None:
    for run in ("n3_july1", "n25_nectar_test3"):
        assert not find_problems(import_recording(recordings.published("normalized", run)))


# --- tiny recordings: what is inferred ----------------------------------------------------------


def test_the_layouts_of_the_same_town_give_the_same_trace(tmp_path: Path) -> None:
    town = TinyTown()
    a = import_recording(town.storage(tmp_path / "a"), name="town")
    b = import_recording(town.compressed(tmp_path / "b"), name="town")
    assert a.meta == b.meta
    np.testing.assert_array_equal(a.positions, b.positions)
    assert calls_by_place(a) == calls_by_place(b)
    np.testing.assert_array_equal(a.calls.prompt_tokens, b.calls.prompt_tokens)
    assert not find_problems(a)


def test_a_movement_is_the_position_at_the_start_of_the_next_step(tmp_path: Path) -> None:
    trace = import_recording(TinyTown().storage(tmp_path))
    assert trace.positions[:, 0].tolist() == [[9, 5], [10, 5], [11, 5], [12, 5], [13, 5]]


def test_without_an_environment_the_first_movement_is_also_the_first_position(
    tmp_path: Path,
) -> None:
    town = TinyTown()
    town.environment = None
    trace = import_recording(town.storage(tmp_path))
    assert trace.positions[:2, 0].tolist() == [[10, 5], [10, 5]]


def test_a_first_step_plans_the_day_and_the_first_action(tmp_path: Path) -> None:
    chain = functions_of(import_recording(TinyTown().storage(tmp_path)), 0, 0)
    # Nobody is seen getting up, so 7 o'clock is taken: 17 hours to plan.
    assert chain == [
        *("wake_up_hour", "daily_plan", *["hourly_schedule"] * 17),
        *("action_sector", "action_arena", "action_game_object", "pronunciatio", "event_triple"),
        *("act_obj_desc", "pronunciatio", "act_obj_event_triple"),
    ]


def test_a_conversation_is_made_by_the_one_who_speaks_first(tmp_path: Path) -> None:
    trace = import_recording(TinyTown().storage(tmp_path))
    turn = ["summarize_relationship", "iterative_convo"]
    assert functions_of(trace, 2, 0) == [
        *("event_poignancy", "decide_to_talk", *turn, *turn),
        *("summarize_conversation", "new_decomp_schedule", "new_decomp_schedule"),
    ]
    assert functions_of(trace, 2, 1) == []
    rows = (trace.calls.step == 2) & (trace.calls.agent == 0)
    assert trace.calls.partner[rows].tolist() == [-1] + [1] * 8


def test_thoughts_are_insights_or_come_from_a_conversation(tmp_path: Path) -> None:
    trace = import_recording(TinyTown().storage(tmp_path))
    kept = ["event_triple", "thought_poignancy"]
    assert functions_of(trace, 3, 0) == [
        *("chat_poignancy", "focal_pt", *["insight_and_guidance"] * 3, *kept),
        *("planning_thought_on_convo", *kept, "memo_on_convo", *kept),
    ]


def test_what_is_idle_is_perceived_without_a_call(tmp_path: Path) -> None:
    assert functions_of(import_recording(TinyTown().storage(tmp_path)), 1, 0) == []


def test_noticing_somebody_without_a_conversation_is_a_refusal_to_talk(tmp_path: Path) -> None:
    trace = import_recording(TinyTown().storage(tmp_path))
    assert functions_of(trace, 1, 1) == ["event_poignancy", "decide_to_talk"]


def test_notes_say_that_calls_are_inferred_and_what_is_not_in_them(tmp_path: Path) -> None:
    notes = import_recording(TinyTown().storage(tmp_path)).meta.notes
    assert "inferred" in notes[0]
    assert "not in the calls" in notes[1]


def test_every_call_has_a_basis_and_at_least_one_token(tmp_path: Path) -> None:
    calls = import_recording(TinyTown().storage(tmp_path)).calls
    assert {BASES[b] for b in calls.basis} == {"memory-node", "chat-text", "inferred"}
    assert calls.prompt_tokens.min() >= 1
    assert calls.output_tokens.min() >= 1


def test_every_prompt_size_has_its_source() -> None:
    for prompt in (*PROMPTS.values(), *REVISE_IDENTITY):
        assert prompt.source
        assert prompt.fixed > 0
        assert prompt.answer > 0


# --- the clock ----------------------------------------------------------------------------------


def test_times_of_steps_reveal_where_the_clock_jumped(tmp_path: Path) -> None:
    town = TinyTown()
    town.times[2:] = ["February 13, 2023, 01:00:20", "February 13, 2023, 01:00:30"]
    assert import_recording(town.storage(tmp_path)).meta.time_breaks == (2,)


def test_a_clock_that_goes_back_is_an_error(tmp_path: Path) -> None:
    town = TinyTown()
    town.times[2] = town.times[1]
    assert "of step 2 is not after the step before" in message(town.storage(tmp_path))


def test_a_jump_is_placed_where_it_explains_most_sightings() -> None:
    times = steady(recordings.START, 10.0, 100)
    seen = [(s, 0) for s in range(5, 40, 5)] + [(s, 7) for s in range(40, 90, 5)] + [(60, 0)]
    moved = with_jumps(times, 10.0, 7, seen)
    assert jumps(moved, 10.0) == (40,)
    assert moved[40] - times[40] == 70


def test_a_memory_made_while_the_clock_jumped_belongs_to_the_step_before() -> None:
    times = np.array([0.0, 10.0, 50.0, 60.0])
    assert [step_at(times, s) for s in (-1, 0, 10, 30, 50, 59, 60)] == [-1, 0, 1, 1, 2, 2, -1]


# --- incomplete recordings ----------------------------------------------------------------------


def test_without_memories_positions_are_imported_with_no_calls_and_a_note(tmp_path: Path) -> None:
    town = TinyTown()
    town.memories = {}
    trace = import_recording(town.storage(tmp_path))
    assert len(trace.calls) == 0
    assert trace.meta.notes == (
        "no LLM calls: the recording has no memories of Ann, Ben under personas",
    )
    text = message(tmp_path, on_missing_memory="error")
    assert "no memories of Ann, Ben" in text
    assert 'on_missing_memory="note"' in text


def test_without_settings_prompts_are_taken_as_of_mean_length(tmp_path: Path) -> None:
    town = TinyTown()
    town.settings = {}
    trace = import_recording(town.storage(tmp_path))
    assert trace.meta.sight is None
    assert any("no settings of Ann, Ben" in note for note in trace.meta.notes)
    assert len(trace.calls) == len(import_recording(TinyTown().storage(tmp_path / "b")).calls)


def test_a_missing_step_file_is_an_error_naming_the_step(tmp_path: Path) -> None:
    folder = TinyTown().storage(tmp_path)
    (folder / "movement" / "2.json").unlink()
    text = message(folder)
    assert "movement: step 2 is missing (1 of 4 steps are)" in text
    assert 'on_missing_step="hold"' in text


def test_a_missing_step_can_hold_everybody_in_place(tmp_path: Path) -> None:
    folder = TinyTown().storage(tmp_path)
    (folder / "movement" / "2.json").unlink()
    trace = import_recording(folder, on_missing_step="hold")
    assert trace.positions[2:4, 0].tolist() == [[11, 5], [11, 5]]
    assert "1 steps were missing; everybody keeps their place there" in trace.meta.notes
    assert not find_problems(trace)


def test_a_missing_step_of_a_compressed_recording_is_an_error_too(tmp_path: Path) -> None:
    town = TinyTown()
    town.frames[2] = None
    assert "master_movement.json: step 2 is missing" in message(town.compressed(tmp_path))
    held = import_recording(tmp_path, on_missing_step="hold")
    assert held.positions[2:4, 0].tolist() == [[11, 5], [11, 5]]


def test_a_recording_of_mostly_missing_steps_is_not_held(tmp_path: Path) -> None:
    town = TinyTown()
    town.meta["step"] = 1000
    text = message(town.storage(tmp_path), on_missing_step="hold")
    assert "996 of 1000 steps are missing" in text


def test_an_agent_missing_in_a_step_is_an_error_naming_both(tmp_path: Path) -> None:
    town = TinyTown()
    del town.frames[2]["Ben"]
    folder = town.storage(tmp_path)
    assert "2.json: Ben is missing in step 2" in message(folder)
    trace = import_recording(folder, on_missing_step="hold")
    assert any("1 times an agent was missing" in note for note in trace.meta.notes)


def test_an_agent_missing_in_the_first_step_is_an_error_in_either_layout(tmp_path: Path) -> None:
    town = TinyTown()
    del town.frames[0]["Ben"]
    for folder in (town.storage(tmp_path / "a"), town.compressed(tmp_path / "b")):
        assert "Ben is missing in step 0" in message(folder, on_missing_step="hold")


def test_fewer_steps_than_meta_says_are_missing_steps(tmp_path: Path) -> None:
    town = TinyTown()
    town.meta["step"] = 6
    folder = town.storage(tmp_path)
    assert "step 4 is missing (2 of 6 steps are)" in message(folder)
    assert import_recording(folder, on_missing_step="hold").n_steps == 6


def test_more_steps_than_meta_says_are_an_error_unless_kept_or_dropped(tmp_path: Path) -> None:
    town = TinyTown()
    town.meta |= {"step": 3, "curr_time": "February 13, 2023, 00:00:30"}
    folder = town.storage(tmp_path)
    assert "says the simulation was saved after 3" in message(folder)
    assert import_recording(folder, on_extra_steps="keep").n_steps == 4
    assert import_recording(folder, on_extra_steps="drop").n_steps == 3


# --- damaged recordings -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ([float("nan"), 5], "expected a whole number, found nan"),
        ([float("inf"), 5], "expected a whole number, found inf"),
        ([3.5, 5], "expected a whole number, found 3.5"),
        (["3", 5], "expected a whole number, found '3'"),
        ([True, 5], "expected a whole number, found True"),
        ([140, 5], ": x: 140 is outside 0..139"),
        ([3, -1], ": y: -1 is outside 0..99"),
        ([3, 10**30], ": y: 1000000000000000000000000000000 is outside 0..99"),
        ([3, 4, 5], "expected a pair [x, y], found [3, 4, 5]"),
        ("3,4", "expected a pair [x, y], found '3,4'"),
        (None, "expected a pair [x, y], found None"),
    ],
)
def test_a_bad_position_is_an_error_naming_file_agent_step_and_value(
    tmp_path: Path, place: Any, says: str
) -> None:
    town = TinyTown()
    town.frames[1]["Ben"]["movement"] = place
    text = message(town.storage(tmp_path / "a"))
    assert "1.json, Ben, movement of step 1" in text
    assert says in text
    assert says in message(town.compressed(tmp_path / "b"))


def test_a_map_that_is_not_known_bounds_positions_only_roughly(tmp_path: Path) -> None:
    town = TinyTown()
    town.meta["maze_name"] = "elsewhere"
    town.frames[1]["Ben"]["movement"] = [5000, 5]
    assert import_recording(town.storage(tmp_path / "a")).positions[2, 1, 0] == 5000
    town.frames[1]["Ben"]["movement"] = [COORDINATES_MAX, 5]
    assert f"{COORDINATES_MAX} is outside" in message(town.storage(tmp_path / "b"))


def test_an_unknown_persona_is_an_error_naming_it(tmp_path: Path) -> None:
    town = TinyTown()
    town.frames[1]["Zoe"] = town.frames[1]["Ben"]
    assert "step 1 moves 'Zoe', who is not among the 2 personas" in message(town.storage(tmp_path))


def test_an_entry_without_a_movement_is_an_error(tmp_path: Path) -> None:
    town = TinyTown()
    del town.frames[1]["Ben"]["movement"]
    assert "1.json, Ben: 'movement' is missing" in message(town.storage(tmp_path))


def test_truncated_json_is_an_error_naming_file_and_byte(tmp_path: Path) -> None:
    folder = TinyTown().storage(tmp_path)
    path = folder / "movement" / "1.json"
    path.write_bytes(path.read_bytes()[:100])
    text = message(folder)
    assert f"{path}: not JSON at byte" in text
    assert "of 100" in text


def test_the_byte_of_damaged_json_counts_bytes_not_letters(tmp_path: Path) -> None:
    folder = TinyTown().storage(tmp_path)
    (folder / "movement" / "1.json").write_text('{"é": x', encoding="utf-8")
    assert "not JSON at byte 7 of 8" in message(folder)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "cut off"),
        (b'{"persona": \xff}', "byte 12 is not UTF-8"),
        (b"[1, 2]", "expected an object"),
        (b"[" * 100_000, "JSON that cannot be taken in"),
        (b"9" * 5_000, "JSON that cannot be taken in"),
        (b'{"persona": [1]}', "expected an object {...}, found [1]"),
        (b"{}", "'persona' is missing; it has nothing"),
        (b'{"persona": {}, "meta": 3}', "Ann is missing in step 1"),
    ],
)
def test_a_damaged_step_file_is_an_error_naming_it(tmp_path: Path, raw: bytes, says: str) -> None:
    folder = TinyTown().storage(tmp_path)
    (folder / "movement" / "1.json").write_bytes(raw)
    text = message(folder)
    assert "1.json" in text
    assert says in text


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"persona_names": []}, "expected a list of names"),
        ({"persona_names": ["Ann", "Ann"]}, "different and not empty, found ['Ann']"),
        ({"persona_names": ["Ann", 3]}, "expected text, found 3"),
        ({"persona_names": ["Ann", "../Ben"]}, "is no name of a folder"),
        ({"step": "4"}, "step: expected a whole number, found '4'"),
        ({"step": -1}, "step: -1 is outside"),
        ({"sec_per_step": 0}, "expected a positive number of seconds, found 0"),
        ({"sec_per_step": 1e-320}, "sec_per_step: 1e-320 s are fewer than 1e-06"),
        ({"start_date": "13.2.2023"}, "'13.2.2023' is not a time such as"),
        ({"start_date": "February 31, 2023"}, "is not a time such as"),
        ({"curr_time": None}, "curr_time: expected text, found None"),
    ],
)
def test_a_bad_value_in_meta_is_an_error_naming_it(
    tmp_path: Path, change: dict[str, Any], says: str
) -> None:
    town = TinyTown()
    town.meta |= change
    text = message(town.storage(tmp_path))
    assert "meta.json" in text
    assert says in text


@pytest.mark.parametrize("key", ["persona_names", "step", "sec_per_step", "start_date"])
def test_a_missing_value_in_meta_is_an_error_naming_it(tmp_path: Path, key: str) -> None:
    town = TinyTown()
    del town.meta[key]
    assert f"meta.json: '{key}' is missing" in message(town.compressed(tmp_path))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"type": "dream"}, "type 'dream' is none of event, thought, chat"),
        ({"created": "yesterday"}, "'yesterday' is not a time"),
        ({"node_count": "one"}, "expected a whole number, found 'one'"),
        ({"description": None}, "description: expected text, found None"),
        ({"type": "chat", "filling": ["hello"]}, "expected [name, words], found 'hello'"),
    ],
)
def test_a_damaged_memory_is_an_error_naming_agent_and_node(
    tmp_path: Path, change: dict[str, Any], says: str
) -> None:
    town = TinyTown()
    town.memories["Ann"]["node_1"] |= change
    text = message(town.storage(tmp_path))
    assert "Ann" in text
    assert "nodes.json, node_1" in text
    assert says in text


def test_a_damaged_conversation_is_an_error_naming_it(tmp_path: Path) -> None:
    town = TinyTown()
    town.frames[2]["Ann"]["chat"] = [["Ann", "hello"], ["Ben"]]
    assert "Ann, chat of step 2: expected [name, words], found ['Ben']" in message(
        town.storage(tmp_path)
    )


def test_keys_that_are_no_steps_are_an_error(tmp_path: Path) -> None:
    folder = TinyTown().compressed(tmp_path)
    frames = json.loads((folder / "master_movement.json").read_text())
    write_json(folder / "master_movement.json", frames | {"last": {}})
    assert "'last' is no step number" in message(folder)


def test_an_unrecognised_folder_is_an_error_naming_what_was_looked_for(tmp_path: Path) -> None:
    text = message(tmp_path)
    for sign in ("positions.npz", "reverie/meta.json", "master_movement.json"):
        assert sign in text
    assert "no such folder" in message(tmp_path / "nowhere")


def test_a_layout_that_is_told_is_not_guessed(tmp_path: Path) -> None:
    folder = TinyTown().storage(tmp_path)
    assert "master_movement" not in message(folder, layout="normalized")
    assert f"{folder / 'meta.json'}: no such file" in message(folder, layout="compressed")
    with pytest.raises(OptionError, match="layout='zip' is none of"):
        import_recording(folder, layout="zip")


@pytest.mark.parametrize("seed", range(4))
def test_random_damage_gives_a_trace_error_or_a_valid_trace(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    folders = [
        TinyTown().storage(tmp_path / "storage"),
        TinyTown().compressed(tmp_path / "compressed"),
        normalized(tmp_path / "normalized"),
    ]
    files = [(folder, f) for folder in folders for f in folder.rglob("*") if f.is_file()]
    tokens = (b"null", b"1e999", b"-1", b"[]", b"{}", b'""', b"NaN", b"true", b'"x"', b'"\\ud800"')
    for _ in range(60):
        folder, path = rng.choice(files)
        whole = path.read_bytes()
        first = rng.randrange(len(whole))
        last = first + rng.choice([1, 1, 4, 20, len(whole)])
        path.write_bytes(whole[:first] + rng.choice((b"", *tokens)) + whole[last:])
        try:
            trace = import_recording(folder, on_missing_step=rng.choice(["error", "hold"]))
        except TraceError as e:
            assert str(folder) in str(e)
        else:
            assert not find_problems(trace)
        path.write_bytes(whole)


# --- the uniform format -------------------------------------------------------------------------

ROW = {
    "seq": 0,
    "step": 1,
    "agent": 0,
    "function": "decide_to_talk",
    "prompt_tokens_est": 200,
    "output_tokens_est": 20,
    "partner": 1,
    "basis": "inferred",
}


def normalized(
    folder: Path, *, xy: Any = None, rows: list[dict[str, Any]] | None = None, **meta: Any
) -> Path:
    """Write a uniform recording of two agents and three steps."""
    folder.mkdir(parents=True, exist_ok=True)
    head = {"run": "tiny", "agents": ["Ann", "Ben"], "n_steps": 3, "sec_per_step": 10}
    write_json(folder / "meta.json", head | {"start": "2023-02-13 00:00:00"} | meta)
    np.savez(folder / "positions.npz", xy=np.zeros((4, 2, 2), np.int16) if xy is None else xy)
    with gzip.open(folder / "llm_calls_inferred.csv.gz", "wt", newline="") as f:
        out = csv.DictWriter(f, list(ROW))
        out.writeheader()
        out.writerows([ROW] if rows is None else rows)
    return folder


def test_a_uniform_recording_becomes_a_trace(tmp_path: Path) -> None:
    mine = {"seq": 1, "partner": 0, "function": "iterative_convo", "basis": "chat-text"}
    trace = import_recording(normalized(tmp_path, rows=[ROW, ROW | mine]))
    assert trace.meta.name == "tiny"
    assert trace.meta.start == "2023-02-13T00:00:00"
    assert [trace.calls.functions[f] for f in trace.calls.function] == [
        "decide_to_talk",
        "iterative_convo",
    ]
    # The row names the agent itself in the other's turn; its partner is still the other.
    assert trace.calls.partner.tolist() == [1, 1]
    assert not find_problems(trace)


@pytest.mark.parametrize(
    ("xy", "says"),
    [
        (np.zeros((3, 2, 2)), "xy has shape (3, 2, 2)"),
        (np.zeros((4, 2)), "xy has shape (4, 2)"),
        (np.full((4, 2, 2), np.nan), "xy[0, 0], the x of agent 0 at step 0, is nan"),
        (np.full((4, 2, 2), 0.5), "is 0.5, no whole number"),
        (np.full((4, 2, 2), -1), "is -1, no whole number in 0..32767"),
        (np.full((4, 2, 2), "a"), "xy holds <U1"),
        (np.full((4, 2, 2), None), "damaged or no npz file"),
    ],
)
def test_bad_positions_of_a_uniform_recording_are_an_error(
    tmp_path: Path, xy: Any, says: str
) -> None:
    text = message(normalized(tmp_path, xy=xy))
    assert "positions.npz" in text
    assert says in text


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"prompt_tokens_est": 0}, "line 2: prompt_tokens_est: 0 is outside 1.."),
        ({"output_tokens_est": -5}, "output_tokens_est: -5 is outside 1.."),
        ({"prompt_tokens_est": "many"}, "prompt_tokens_est is 'many', no whole number"),
        ({"step": 3}, "step: 3 is outside 0..2"),
        ({"agent": 2}, "agent: 2 is outside 0..1"),
        ({"partner": -2}, "partner: -2 is outside -1..1"),
        ({"basis": "guess"}, "basis 'guess' one of recorded"),
        ({"function": ""}, "function '' must be a name"),
    ],
)
def test_a_bad_row_of_calls_is_an_error_naming_the_line(
    tmp_path: Path, change: dict[str, Any], says: str
) -> None:
    assert says in message(normalized(tmp_path, rows=[ROW | change]))


@pytest.mark.parametrize("file", ["positions.npz", "llm_calls_inferred.csv.gz"])
@pytest.mark.parametrize("damage", ["cut", "flip", "text", "empty"])
def test_a_damaged_archive_is_an_error_naming_it(tmp_path: Path, file: str, damage: str) -> None:
    path = normalized(tmp_path) / file
    raw = bytearray(path.read_bytes())
    if damage == "flip":
        for i in range(30, 60):
            raw[i] ^= 0xFF
    path.write_bytes(
        {"cut": bytes(raw[: len(raw) // 2]), "flip": bytes(raw), "text": b"hello", "empty": b""}[
            damage
        ]
    )
    assert file in message(tmp_path)


def test_a_uniform_recording_without_its_array_or_columns_is_an_error(tmp_path: Path) -> None:
    folder = normalized(tmp_path)
    np.savez(folder / "positions.npz", places=np.zeros(3))
    assert "no array 'xy'; it has places" in message(folder)
    np.savez(folder / "positions.npz", xy=np.zeros((4, 2, 2), np.int16))
    with gzip.open(folder / "llm_calls_inferred.csv.gz", "wt") as f:
        f.write("step,agent\n1,2\n")
    assert "the columns basis, function" in message(folder)
    (folder / "llm_calls_inferred.csv.gz").unlink()
    assert len(import_recording(folder).calls) == 0
