"""The command line, as a user meets it."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from headway.cli import console, make
from headway.cli.app import app
from headway.cli.console import clean
from headway.generate import generate_town
from headway.schedules import SCHEDULES
from headway.trace import Trace, read_trace, write_trace

RECORDINGS = Path(__file__).parents[2] / "shared" / "traces" / "normalized"


@pytest.fixture(scope="module")
def town(tmp_path_factory) -> Path:
    """A busy half hour of eight agents."""
    path = tmp_path_factory.mktemp("traces") / "town.hwt"
    write_trace(generate_town(agents=8, steps=180, start_hour=12, seed=3), path)
    return path


@pytest.fixture(scope="module")
def jumping(tmp_path_factory, town) -> Path:
    """The same, but agent 2 jumps eight tiles in step 100."""
    trace = read_trace(town)
    positions = trace.positions.copy()
    positions[101:, 2] += 8
    path = tmp_path_factory.mktemp("traces") / "jumping.hwt"
    write_trace(Trace(trace.meta, trace.agents, positions, trace.calls), path)
    return path


def run(*args: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, [str(arg) for arg in args], catch_exceptions=False)
    assert result.exit_code == code, result.output + result.stderr
    return result.stdout if code == 0 else result.stdout + result.stderr


def test_help_names_every_command_and_the_first_steps():
    text = run("--help")
    for word in ("generate", "import", "check", "replay", "compare", "Start here"):
        assert word in text


@pytest.mark.parametrize("command", ["generate", "import", "check", "replay", "compare"])
def test_every_command_explains_itself(command):
    text = run(command, "--help")
    assert "Usage: " in text
    assert all(len(line) <= 80 for line in text.splitlines())


def test_generate_writes_a_trace_and_names_the_next_command(tmp_path):
    target = tmp_path / "deep" / "small.hwt"
    text = run("generate", target, "--agents", 3, "--steps", 20, "--start-hour", 9)
    assert read_trace(target).n_agents == 3
    assert f"headway compare {target}" in text.replace("\n", "")


def test_a_trace_is_not_overwritten_unless_forced(tmp_path):
    target = tmp_path / "small.hwt"
    run("generate", target, "--agents", 1, "--steps", 5)
    assert "--force" in run("generate", target, "--agents", 1, "--steps", 5, code=1)
    run("generate", target, "--agents", 2, "--steps", 5, "--force")
    assert read_trace(target).n_agents == 2


def test_compare_prints_every_schedule_and_says_that_times_are_modelled(town):
    text = run("compare", town)
    for name in [*SCHEDULES, "critical path"]:
        assert name in text
    assert "modelled" in text


def test_compare_with_several_traces_adds_a_summary(town):
    text = run("compare", town, town, "--schedule", "lockstep", "--schedule", "oracle")
    assert "speed-up, share of oracle" in text


def test_the_table_fits_a_narrow_terminal(town, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    text = run("compare", town, town)
    assert "…" not in text
    assert all(len(line) <= 80 for line in text.splitlines())


def test_compare_as_json_holds_what_the_table_shows(town):
    (comparison,) = json.loads(run("compare", town, "--json"))
    rows = {row["schedule"]: row for row in comparison["schedules"]}
    assert list(rows) == list(SCHEDULES)
    lockstep, oracle = rows["lockstep"]["modelled"], rows["oracle"]["modelled"]
    for row in rows.values():
        seconds = row["modelled"]["seconds"]
        assert row["speedup"] == lockstep["seconds"] / seconds
        assert row["oracle_share"] == oracle["seconds"] / seconds
        assert row["modelled"]["calls"] == comparison["calls"]
        assert (row["too_early"] > 0) == (row["schedule"] == "unconstrained")
    assert comparison["critical_path_seconds"] <= oracle["seconds"]
    assert rows["oracle"]["speedup"] > rows["conservative"]["speedup"] > 1


@pytest.mark.parametrize("args", [("compare", "--json"), ("compare",), ("replay",)])
def test_the_same_run_twice_prints_the_same_bytes(town, args):
    # Two processes with different hash seeds and terminals of their own.
    def fresh(seed: str) -> bytes:
        env = os.environ | {"PYTHONHASHSEED": seed}
        command = [sys.executable, "-m", "headway", *args, str(town), "--no-timing"]
        return subprocess.run(command, capture_output=True, check=True, env=env).stdout

    first = fresh("1")
    assert first == fresh("2")
    assert first


def test_the_schedule_can_be_written_and_is_the_same_each_time(town, tmp_path):
    logs = [tmp_path / "a.csv", tmp_path / "b.csv"]
    for log in logs:
        run("replay", town, "--log", log)
    first, second = (log.read_bytes() for log in logs)
    assert first == second
    rows = first.decode().splitlines()
    assert rows[0] == "seconds,event,agent,step"
    for event in ("start", "finish"):
        seen = {tuple(row.split(",")[2:]) for row in rows if f",{event}," in row}
        assert len(seen) == 8 * 180


def test_replays_under_different_schedules_have_different_digests(town):
    digests = {
        name: json.loads(run("replay", town, "--schedule", name, "--json"))["modelled"]["digest"]
        for name in SCHEDULES
    }
    assert len(set(digests.values())) == len(digests)


def test_more_replicas_are_never_slower_for_lockstep(town):
    times = [
        json.loads(run("replay", town, "--schedule", "lockstep", "--replicas", r, "--json"))
        for r in (1, 4)
    ]
    assert times[1]["modelled"]["seconds"] < times[0]["modelled"]["seconds"]


def test_own_engine_numbers_change_the_time_and_are_named(town):
    plain = json.loads(run("replay", town, "--json"))
    slow = json.loads(run("replay", town, "--t0", 1.0, "--json"))
    assert slow["modelled"]["seconds"] > plain["modelled"]["seconds"]
    assert "t0=1" in slow["engine"]["source"]


def test_a_calibrated_preset_is_read_from_its_file(town, tmp_path):
    numbers = {"t0": 0.5, "p": 0.001, "d": 0.0, "max_sequences": 8, "token_budget": 512}
    file = tmp_path / "mine.json"
    file.write_text(json.dumps({"name": "mine", **numbers, "source": {"how": "measured"}}))
    report = json.loads(run("replay", town, "--preset", file, "--json"))
    assert report["engine"]["name"] == "mine"
    assert {key: report["engine"][key] for key in numbers} == numbers


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not JSON"),
        ("[]", "not a JSON object"),
        ('{"t0": "fast"}', "t0 is 'fast'"),
        ('{"t0": 1, "p": 1, "d": NaN}', "d is nan"),
        ('{"t0": 1, "p": 1, "d": 1, "max_sequences": 9, "token_budget": 3}', "token_budget"),
    ],
)
def test_a_preset_that_cannot_be_used_is_refused_in_words(town, tmp_path, text, words):
    file = tmp_path / "bad.json"
    file.write_text(text)
    assert words in run("replay", town, "--preset", file, code=1)


def test_check_passes_a_trace_that_keeps_to_its_footprint(town):
    assert "none is longer than 1" in run("check", town)


def test_check_lists_a_jump_and_exits_with_3(jumping):
    text = run("check", jumping, code=3)
    assert "1 moves longer than 1" in text
    assert "--on-jump=split" in text
    report = json.loads(run("check", jumping, "--json", code=3).strip())
    assert [(jump["step"], jump["agent"]) for jump in report["jumps"]] == [(100, 2)]


def test_a_jump_stops_a_replay_unless_the_user_decides(jumping):
    text = run("replay", jumping, code=1)
    for word in ("step 100", "agent 2", "--on-jump=split", "--on-jump=clip"):
        assert word in text
    for choice in ("split", "clip"):
        report = json.loads(run("replay", jumping, "--on-jump", choice, "--json"))
        assert any(choice in note or "walk" in note or "left" in note for note in report["notes"])


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("replay", "nowhere.hwt"), ("nowhere.hwt", "no such folder")),
        (("check", "."), ("not a trace",)),
        (("import", "nowhere", "-o", "x.hwt"), ("nowhere", "no such folder")),
        (("generate", "x.hwt", "--start-hour", "25"), ("start_hour", "25")),
        (("import", "a", "-o", "x.hwt", "--steps", "5"), ("FIRST:LAST",)),
        (("import", "a", "-o", "x.hwt", "--steps", "²:5"), ("FIRST:LAST",)),
        (("import", "a", "-o", "x.hwt", "--steps", "0:" + "9" * 5000), ("FIRST:LAST",)),
        (("compare",), ("Missing argument",)),
        (("compare", ""), ("path is empty",)),
        (("generate", ""), ("path is empty",)),
        (("replay", "x.hwt", "--sight", "nan"), ("--sight", "'nan'", "a number from 0")),
        (("replay", "x.hwt", "--speed", "inf"), ("--speed", "'inf'")),
        (("replay", "x.hwt", "--reach", "-1"), ("--reach", "'-1'")),
        (("check", "x.hwt", "--sight", "1e300"), ("--sight", "'1e300'")),
        (("replay", "x.hwt", "--t0", "nan"), ("--t0", "'nan'")),
        (("replay", "x.hwt", "--p", "-inf"), ("--p", "'-inf'")),
        (("replay", "x.hwt", "--d", "much"), ("--d", "'much'")),
        (("replay", "x.hwt", "--schedule", "magic"), ("magic",)),
        (("replay", "x.hwt", "--replicas", "0"), ("replicas",)),
        (("replay", "x.hwt", "--preset", "magic"), ("magic", "l4-8b")),
        (("replay", "x.hwt", "--preset", "no.json"), ("no.json", "No such file")),
    ],
)
def test_bad_arguments_are_refused_in_words_without_a_traceback(tmp_path, monkeypatch, args, words):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, list(args))
    assert result.exit_code in (1, 2)
    assert "Traceback" not in result.stderr
    for word in words:
        assert word in result.stderr
    assert "0" * 99 not in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_footprint_that_does_not_fit_the_grid_is_refused_in_words(town):
    assert "whole number" in run("replay", town, "--sight", 2.5, code=1)


def test_a_damaged_trace_is_refused_in_words(town, tmp_path):
    trace = read_trace(town)
    write_trace(trace, tmp_path / "t.hwt")
    calls = tmp_path / "t.hwt" / "calls.parquet"
    calls.write_bytes(calls.read_bytes()[:-100])
    assert "calls.parquet" in run("replay", tmp_path / "t.hwt", code=1).replace("\n", "")


def test_a_recorded_day_can_be_imported_cut_and_compared(tmp_path):
    source = RECORDINGS / "n3_july1"
    if not source.is_dir():
        pytest.skip(f"no recordings at {RECORDINGS}")
    target = tmp_path / "july.hwt"
    text = run("import", source, source, "-o", target, "--steps", "2160:2520", "--name", "twice")
    assert "inferred" in text
    trace = read_trace(target)
    assert (trace.meta.name, trace.n_agents, trace.n_steps) == ("twice", 6, 360)
    assert np.unique(trace.agents.world).tolist() == [0, 1]
    assert "conservative" in run("compare", target)


def test_a_missing_extra_is_named_with_the_command_that_installs_it():
    code = (
        "import sys; sys.modules['rich'] = None\n"
        "from headway.cli import main\nsys.argv = ['headway']; main()"
    )
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert 'pip install "headway[cli]"' in result.stderr
    assert "Traceback" not in result.stderr


ODD = "[/] a[red]b \x1b[31m\u202e"
ODD_SHOWN = "[/] a[red]b [31m"


@pytest.fixture(scope="module")
def odd(tmp_path_factory, jumping) -> Path:
    """The jumping trace under a name, and with an agent, that a terminal could misread."""
    trace = read_trace(jumping)
    names = tuple(
        f"[/b]\x1b{name}" if i == 2 else name for i, name in enumerate(trace.agents.names)
    )
    meta = replace(trace.meta, name=ODD, notes=("a [/note]\x9b",))
    path = tmp_path_factory.mktemp("traces") / "odd.hwt"
    agents = replace(trace.agents, names=names)
    write_trace(Trace(meta, agents, trace.positions, trace.calls), path)
    return path


def test_a_clean_text_is_one_line_without_control_characters():
    assert clean("a\x1b[1mb\x9b\x7f\udcff\u2028c\nd\u202ee \N{WOMAN}\u200d") == (
        "a[1mbc de \N{WOMAN}\u200d"
    )


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (("check",), 3),
        (("replay",), 1),
        (("replay", "--on-jump=clip", "--schedule=lockstep"), 0),
        (("compare", "--on-jump=clip", "--schedule=lockstep"), 0),
    ],
)
def test_names_are_shown_as_they_are_but_for_control_characters(odd, args, code):
    text = run(*args, odd, code=code)
    assert ODD_SHOWN in text
    assert all(char.isprintable() or char == "\n" for char in text)


def test_an_agent_with_markup_in_its_name_is_listed(odd):
    name = read_trace(odd).agents.names[2].replace("\x1b", "")
    assert name.startswith("[/b]")
    assert name in run("check", odd, code=3)


def test_a_summary_shows_odd_names(odd):
    text = run("compare", odd, odd, "--on-jump=clip", "--schedule=lockstep")
    assert text.count(ODD_SHOWN) == 4


def test_a_preset_with_markup_in_its_name_is_shown(town, tmp_path):
    numbers = {"t0": 0.5, "p": 0.001, "d": 0.0, "max_sequences": 8, "token_budget": 512}
    file = tmp_path / "mine.json"
    file.write_text(json.dumps({"name": "[/x]", **numbers, "source": "[bold]"}))
    for command in ("replay", "compare"):
        text = run(command, town, "--preset", file)
        assert "8 x [/x]" in text
        assert "[bold]" in text


def test_a_target_with_markup_in_its_name_is_shown(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = run("generate", "[bold]z.hwt", "--agents", 1, "--steps", 5)
    assert text.startswith("[bold]z.hwt: 1 agents")
    assert "headway compare [bold]z.hwt" in text


def test_generate_tells_machines_what_it_wrote(tmp_path):
    target = tmp_path / "small.hwt"
    facts = json.loads(run("generate", target, "--agents", 2, "--steps", 20, "--json"))
    trace = read_trace(target)
    assert facts == {
        "path": str(target),
        "name": trace.meta.name,
        "agents": 2,
        "steps": 20,
        "calls": len(trace.calls),
        "notes": list(trace.meta.notes),
    }


def test_import_tells_machines_what_it_wrote_and_hands_on_its_choices(tmp_path, monkeypatch, town):
    asked = {}

    def imported(source, *, progress, **choices):
        asked.update(choices)
        return read_trace(town)

    monkeypatch.setattr(make, "import_recording", imported)
    target = tmp_path / "mine.hwt"
    text = run("import", town, "-o", target, "--on-missing-memory=error", "--json")
    facts = json.loads(text)
    assert list(facts) == ["path", "name", "agents", "steps", "calls", "notes"]
    assert (facts["agents"], facts["steps"]) == (8, 180)
    assert asked["on_missing_memory"] == "error"


@pytest.mark.parametrize("command", ["generate", "import"])
def test_a_target_that_cannot_be_written_is_refused_before_the_work(
    tmp_path, monkeypatch, town, command
):
    def never(*args, **options):
        raise AssertionError("worked for nothing")

    monkeypatch.setattr(make, "import_recording", never)
    monkeypatch.setattr(make, "generate_town", never)
    file = tmp_path / "file"
    file.write_text("")
    for target, words in [(town, "--force"), (file / "x.hwt", "is a file"), (file, "exists")]:
        args = ("generate", target) if command == "generate" else ("import", town, "-o", target)
        assert words in run(*args, code=1)


def test_importing_a_file_is_refused_as_such(tmp_path):
    file = tmp_path / "recording.zip"
    file.write_text("")
    assert "is a file, not a folder" in run("import", file, "-o", tmp_path / "x.hwt", code=1)


def test_the_heading_names_the_metric_and_what_is_not_the_default(town, tmp_path):
    assert "sight 4, speed 1, chebyshev; 8 x l4-8b" in run("compare", town, "--schedule=lockstep")
    trace = read_trace(town)
    size = trace.positions.max() + 1
    meta = replace(trace.meta, wrap=(float(size), float(size)))
    path = tmp_path / "torus.hwt"
    write_trace(Trace(meta, trace.agents, trace.positions, trace.calls), path)
    text = run("compare", path, "--reach", 3, "--schedule=lockstep")
    assert f"sight 4, speed 1, reach 3, chebyshev, wrap {size} x {size}; 8 x l4-8b" in text
    assert all(len(line) <= 80 for line in text.splitlines() if "reach" in line)


def test_a_schedule_asked_for_twice_is_run_once(town):
    (comparison,) = json.loads(run("compare", town, *["--schedule=lockstep"] * 2, "--json"))
    assert [row["schedule"] for row in comparison["schedules"]] == ["lockstep"]


def test_a_narrow_terminal_does_not_cut_numbers(town, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    wide = run("compare", town, "--no-timing")
    monkeypatch.setenv("COLUMNS", "40")
    assert run("compare", town, "--no-timing") == wide


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a full disk")
@pytest.mark.parametrize(
    "args", [("replay", "--json"), ("check",), ("check", "--help"), ("--help",)]
)
def test_a_full_disk_under_standard_output_is_named(town, args):
    command = [sys.executable, "-m", "headway", *args, str(town)]
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert result.stderr.splitlines() == ["Error: standard output: No space left on device"]
    assert result.returncode == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a full disk")
def test_a_full_disk_under_the_log_is_named_after_the_log(town):
    assert "/dev/full: No space left" in run("replay", town, "--log", "/dev/full", code=1)


def test_a_log_that_cannot_be_made_is_named(town, tmp_path):
    log = tmp_path / "no" / "log.csv"
    assert f"{log}: No such file" in run("replay", town, "--log", log, code=1).replace("\n", "")


@pytest.mark.parametrize(
    "failure", [KeyboardInterrupt(), SystemExit(143), OSError(errno.EIO, "bad disk", "trace")]
)
def test_an_interrupted_replay_leaves_no_log(tmp_path, failure):
    path = tmp_path / "log.csv"
    path.write_text("old")

    def work():
        with console.schedule_log(path) as log:
            log("start", 0.0, np.array([0]), np.array([0]))
            raise failure

    with pytest.raises(type(failure)):
        work()
    assert [file.name for file in tmp_path.iterdir()] == ["log.csv"]
    assert path.read_text() == "old"


def test_an_interrupted_command_exits_with_130(tmp_path, monkeypatch):
    def interrupted(**options):
        raise KeyboardInterrupt

    monkeypatch.setattr(make, "generate_town", interrupted)
    assert "interrupted" in run("generate", tmp_path / "x.hwt", code=130)


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_removes_temporary_files_and_tells_the_shell(town, tmp_path, sent, code):
    # The process signals itself in the middle of the schedule.
    script = (
        "import os, sys\nfrom headway.cli import main, runs\n"
        "def stopped(*args, log, **others):\n"
        f"    os.kill(os.getpid(), {int(sent)})\n    raise AssertionError\n"
        "runs.replay_trace = stopped\nmain()"
    )
    log = tmp_path / "log.csv"
    command = [sys.executable, "-c", script, "replay", str(town), "--log", str(log)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_help_tells_the_exit_codes():
    text = run("--help")
    assert "Exit codes" in text
    assert "130, 143" in text


def test_long_work_prints_a_line_now_and_then(monkeypatch, capsys):
    now = iter([0.0, 3.0, 11.0, 15.0, 21.5])
    monkeypatch.setattr(console.time, "monotonic", lambda: next(now))
    with console.progress_bar("town\x1b") as tell:
        tell("lockstep", 1, 4000)
        tell("lockstep", 1000, 4000)
        tell("oracle", 2000, 4000)
        tell(3000, 4000)
    assert capsys.readouterr().err.splitlines() == [
        "town lockstep: 1,000 of 4,000 (25 %)",
        "town: 3,000 of 4,000 (75 %)",
    ]
