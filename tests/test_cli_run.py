"""`headway run`, as a user meets it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.cells import cell_len

from headway.cli import run as run_module
from headway.cli import run_files, run_report
from headway.cli.app import app
from headway.engines.registry import ENGINES
from headway.engines.scripted import ScriptedEngine
from headway.errors import EngineError, MissingExtraError
from headway.generate import generate_town
from headway.schedules.live import LIVE_SCHEDULES
from headway.trace import read_trace, write_trace

SOURCE = '''
"""Small simulations."""
import asyncio, os, signal, sys, time
from headway.live import Action, Agent, Simulation
from headway.space import Grid

ODD = "\\x1b[2J\\u202e[/b] n" * 30

class Walker(Agent):
    """Walks to and fro, and talks to whom it meets."""
    goal = 19
    async def step(self, view):
        if view.position[0] == self.goal:
            self.goal = 19 - self.goal
        near = [n.name for n in view.neighbours if n.distance <= 1]
        words = None
        if near:
            words = (await view.llm.chat(f"{self.name} meets {near} in step {view.step}")).text
        return Action(move=view.toward((self.goal, 0)), say=words, to=near)

def town(people, seed=0):
    return Simulation(Grid(20, 1), people, seed=seed, sight=2)

def make(agents=3, seed=0):
    return town([Walker(f"w{i}", (i * 6 % 20, 0)) for i in range(agents)], seed)

def pairs():
    """Four pairs, far from each other, who talk all the time."""
    class Talker(Walker):
        async def step(self, view):
            words = (await view.llm.chat(f"{self.name} in step {view.step}")).text
            return Action(say=words, to=[view.neighbours[0].name])
    people = [Talker(f"t{i}", (i // 2 * 90 + i % 2, 0)) for i in range(8)]
    return Simulation(Grid(400, 1), people, sight=2)

def many(agents, seed):
    return make(agents, seed)

def nobody():
    return make()

def anything(**others):
    assert others == {"agents": 2}, others
    return make(2)

def wants_more(agents=3, *, weather):
    return make(agents)

async def later():
    return make()

def number():
    return 7

def breaks():
    return {}["secret"]

def quits():
    sys.exit("enough")

ready = make()

def same():
    return ready

class At(Walker):
    """Does something in step 5."""
    what = staticmethod(lambda: None)
    async def step(self, view):
        if view.step == 5 and self.name == "w1":
            self.what()
        return await super().step(view)

def doing(what):
    at = make()
    people = [At(f"w{i}", (i * 6, 0)) for i in range(3)]
    people[1].what = what
    return town(people)

def boom():
    raise ValueError("boom \\x1b[31m" + "long " * 999)

def failing(agents=3):
    return doing(boom)

def exiting():
    return doing(lambda: sys.exit(3))

def interrupting():
    return doing(lambda: os.kill(os.getpid(), signal.SIGINT))

def terminating():
    return doing(lambda: os.kill(os.getpid(), signal.SIGTERM))

def printing():
    print("made")
    return doing(lambda: print("said in step 5"))

shared = []

class Sharing(Walker):
    def step(self, view):
        shared.append(self.name)
        return Action(state=len(shared))

def sharing():
    shared.append("made")
    return town([Sharing(f"s{i}", (i, 0)) for i in range(3)])

class Odd(Agent):
    def step(self, view):
        return Action(say=ODD * 50 + "\\u4f60\\u597d \\u05e9\\u05dc\\u05d5\\u05dd" * 50, to=[ODD])

def odd():
    return town([Odd(ODD + str(i), (i, 0)) for i in range(3)])

class Stuck(Walker):
    async def step(self, view):
        await asyncio.sleep(0 if self.name == "w0" else 60)

def stuck():
    return town([Stuck(f"w{i}", (i * 9, 0)) for i in range(2)])
'''


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("simulations") / "small.py"
    path.write_text(SOURCE)
    return path


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path, monkeypatch):
    """Each test has a folder and a path of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.setenv("COLUMNS", "80")


def invoke(*args: object):
    return CliRunner().invoke(app, ["run", *map(str, args)], catch_exceptions=False)


def run(*args: object, code: int = 0, engine: str = "scripted") -> str:
    result = invoke(*args, *(["--engine", engine] if engine else []))
    assert result.exit_code == code, result.output + result.stderr
    return result.stdout if code == 0 else result.stdout + result.stderr


def told(*args: object, code: int = 0, engine: str = "scripted"):
    result = invoke(*args, "--json", "--engine", engine)
    assert result.exit_code == code, result.output + result.stderr
    return json.loads(result.stdout)


# What it says.


def test_help_lists_engines_and_schedules_and_fits_the_terminal():
    text = run("--help", engine="")
    for name in [*ENGINES, *LIVE_SCHEDULES, "town", "executes", "--compare", "local if it is"]:
        assert name in text
    assert all(len(line) <= 80 for line in text.splitlines())
    assert "run town" in CliRunner().invoke(app, ["--help"]).stdout


def test_a_run_ends_with_talk_figures_and_a_digest(file):
    text = run(f"{file}:make", "--steps", 40)
    for words in (
        " to w",
        "small.py:make: 40 steps",
        "conservative",
        "scripted",
        "time, modelled",
        "agent-steps                ",
        "tokens in / out / cached",
        "calls in flight, mean / max",
        "lead in steps, mean / max",
        "schedule and world, of real time",
        "digest of the final state",
    ):
        assert words in text
    assert re.search(r"^00:0\d:\d0  w\d to w\d: ", text, re.MULTILINE)
    assert "--compare" not in text
    assert all(len(line) <= 80 for line in text.splitlines())


def test_json_holds_the_outcome_and_what_was_run(file):
    facts = told(f"{file}:make", "--steps", 30, "--agents", 4, "--seed", 9)
    assert (facts["simulation"], facts["agents"], facts["seed"]) == (f"{file}:make", 4, 9)
    outcome = facts["outcome"]
    assert (outcome["agent_steps"], outcome["steps"], outcome["finished"]) == (120, 30, True)
    assert (outcome["engine"], outcome["schedule"]) == ("scripted", "conservative")
    assert len(outcome["digest"]) == 64
    assert outcome["calls"] > 0
    assert facts["stopped"] is None


def test_the_schedule_changes_nothing_but_the_time(file):
    outcomes = {
        name: told(f"{file}:make", "--steps", 60, "--schedule", name)["outcome"]
        for name in LIVE_SCHEDULES
    }
    assert len({outcome["digest"] for outcome in outcomes.values()}) == 1
    assert outcomes["serial"]["seconds"] > outcomes["conservative"]["seconds"]


@pytest.mark.parametrize("engine", ["scripted:3", "null", "virtual:l4-8b,2"])
@pytest.mark.parametrize("form", [(), ("--json", "--compare")])
def test_the_same_run_twice_prints_the_same_bytes(file, engine, form):
    first, second = (
        run(f"{file}:make", "--steps", 40, "--no-timing", *form, engine=engine) for _ in range(2)
    )
    assert first == second
    assert engine in first


def test_other_processes_print_the_same_bytes_too(file):
    def fresh(seed: str) -> bytes:
        env = os.environ | {"PYTHONHASHSEED": seed}
        return process(f"{file}:make", "--steps", "40", "--json", "--no-timing", env=env).stdout

    first = fresh("1")
    assert first.decode() == run(f"{file}:make", "--steps", 40, "--json", "--no-timing")
    assert json.loads(first)["outcome"]["calls"]


def process(*args: str, text: bool = False, **options):
    command = [sys.executable, "-m", "headway", "run", *args, "--engine", "scripted"]
    return subprocess.run(command, capture_output=True, check=False, text=text, **options)


def test_without_timing_nothing_measured_is_told(file):
    facts = told(f"{file}:make", "--steps", 10, "--no-timing", engine="null")["outcome"]
    assert not {"seconds", "real_seconds", "agents_seconds", "calls_in_flight_mean"} & set(facts)
    text = run(f"{file}:make", "--steps", 10, "--no-timing", engine="null")
    assert "measured" not in text
    assert "%" not in text


def test_measured_time_is_labelled_and_lock_step_hinted_at(file):
    text = run(f"{file}:make", "--steps", 10, engine="null")
    assert "time, measured" in text
    assert "run it again with --compare" in text


def test_what_the_simulation_prints_is_none_of_the_results(file):
    result = invoke(f"{file}:printing", "--steps", 10, "--json", "--engine", "scripted")
    assert json.loads(result.stdout)["stopped"] is None
    assert "made" in result.stderr
    assert "said in step 5" in result.stderr


def test_hostile_names_and_words_keep_the_output_in_shape(file):
    text = run(f"{file}:odd", "--steps", 10, "--compare")
    assert all(char.isprintable() or char == "\n" for char in text)
    assert all(cell_len(line) <= 80 for line in text.splitlines())
    assert len(text) < 6000


def test_an_output_that_cannot_write_a_character_gets_another_one(file):
    args = ["run", f"{file}:odd", "--steps", "3", "--engine", "scripted"]
    result = CliRunner(charset="ascii").invoke(app, args, catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    assert "n[? to " in result.stdout
    assert "digest" in result.stdout


def test_the_town_runs():
    pytest.importorskip("headway.examples.town", exc_type=ImportError)
    facts = told("town", "--agents", 5, "--steps", 40, "--seed", 2)
    assert (facts["simulation"], facts["agents"], facts["seed"]) == ("town", 5, 2)
    assert facts["outcome"]["finished"]


# Which simulation.


def test_a_module_is_found_in_the_current_folder(tmp_path):
    (tmp_path / "mod_here.py").write_text(SOURCE)
    assert told("mod_here:make", "--steps", 5)["simulation"] == "mod_here:make"


def test_a_file_imports_its_neighbours(tmp_path):
    folder = tmp_path / "deep"
    folder.mkdir()
    (folder / "mod_neighbour.py").write_text(SOURCE)
    (folder / "random.py").write_text("from mod_neighbour import make")
    assert told("deep/random.py:make", "--steps", 5)["outcome"]["finished"]
    import random

    assert random.random() < 1


def test_what_was_not_given_is_not_passed_on(file):
    assert told(f"{file}:nobody", "--steps", 2)["agents"] == 3
    assert told(f"{file}:anything", "--agents", 2, "--steps", 2)["agents"] == 2
    facts = told(f"{file}:many", "--agents", 2, "--steps", 2)
    assert (facts["agents"], facts["seed"]) == (2, 0)


@pytest.mark.parametrize(
    ("factory", "args", "code", "words"),
    [
        ("nobody", ("--agents=2",), 2, ("no parameter 'agents'", "leave out --agents")),
        ("nobody", ("--seed=2",), 2, ("no parameter 'seed'",)),
        ("many", (), 2, ("give --agents",)),
        ("wants_more", (), 2, ("'weather'", "without a default")),
        ("later", (), 1, ("async def",)),
        ("number", (), 1, ("an int", "Simulation")),
        ("ODD", (), 1, ("a str", "neither")),
        ("mkae", (), 1, ("no 'mkae'", "did you mean make")),
        ("breaks", (), 1, ("KeyError: 'secret'", "small.py, line ", ", in breaks")),
        ("quits", (), 1, ("SystemExit: enough", "in quits")),
        ("ready", ("--agents=2",), 2, ("made already", "--agents")),
        ("ready", ("--seed=2",), 2, ("made already",)),
        ("ready", ("--compare",), 2, ("made already", "--compare")),
        ("same", ("--compare", "--steps=2"), 1, ("same simulation twice",)),
    ],
)
def test_a_factory_that_cannot_be_used_is_told_in_a_line(file, factory, args, code, words):
    result = invoke(f"{file}:{factory}", *args, "--engine", "scripted", "--quiet")
    assert result.exit_code == code, result.stderr
    for word in words:
        assert word in result.stderr
    assert_one_line(result.stderr, code)


def assert_one_line(stderr: str, code: int) -> None:
    lines = stderr.splitlines()
    if code == 2:  # click tells the usage first
        assert lines[0].startswith("Usage:")
        lines = lines[3:]
    assert len(lines) == 1, stderr
    assert lines[0].startswith("Error: ")
    assert "Traceback" not in stderr
    assert len(stderr) < 1500


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("x = (\n", ("bad.py, line 1", "SyntaxError")),
        ("def f():\n    return 1 / 0\nf()\n", ("ZeroDivisionError", "bad.py, line 2, in f")),
        ("import no_such_thing\n", ("no_such_thing", "bad.py, line 1")),
        ("import sys\nsys.exit(4)\n", ("SystemExit", "bad.py, line 2")),
        ("raise ValueError('x' * 99999 + '\\x1b')\n", ("ValueError", "bad.py, line 1")),
        ("\0", ("SyntaxError",)),
    ],
)
@pytest.mark.parametrize("name", ["bad.py:make", "bad:make"])
def test_a_module_that_fails_is_told_with_file_and_line(tmp_path, content, words, name):
    (tmp_path / "bad.py").write_text(content)
    sys.modules.pop("bad", None)
    text = run(name, code=1)
    for word in words:
        assert word in text
    assert_one_line(text, 1)


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("city", 2, ("town", "MODULE:FACTORY")),
        ("town.py", 2, ("town.py:make",)),
        (":make", 2, ("MODULE:FACTORY",)),
        ("module:", 2, ("MODULE:FACTORY",)),
        ("no_such_module:make", 1, ("no module 'no_such_module'",)),
        ("json.no_such:make", 1, ("no module 'json.no_such'",)),
        ("no/such.py:make", 1, ("no/such.py", "no such file")),
        ("some/file:make", 2, ("neither the name of a module",)),
        (".:make", 2, ("neither the name of a module",)),
        ("x" * 5000 + ":make", 1, ("no module",)),
        ("\x1b[2J:make", 2, ("neither the name of a module",)),
        ("json:dumps", 2, ("without a default",)),
        ("sys:exit", 1, ("making sys:exit: SystemExit",)),
    ],
)
def test_a_name_that_names_nothing_is_told_in_a_line(name, code, words):
    result = invoke(name, "--engine", "scripted")
    assert result.exit_code == code, result.output
    text = result.stderr.replace("\n", " ")
    for word in words:
        assert word in " ".join(text.split())
    assert "Traceback" not in text
    assert "\x1b" not in text
    assert_one_line(result.stderr, code)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--engine", "magic"), ("no engine 'magic'", "scripted")),
        (("--engine", "virtual:magic"), ("no preset 'magic'",)),
        (("--engine", "scripted:x"), ("scripted:x",)),
        (("--schedule", "magic"), ("magic",)),
        (("--schedule", "lockstep", "--compare"), ("another --schedule",)),
        (("--on-error", "magic"), ("magic",)),
        (("--time-limit", "0"), ("more than 0 seconds",)),
        (("--time-limit", "nan"), ("'nan'",)),
        (("--steps", "-1"), ("-1",)),
        (("--agents", "0"), ("0",)),
        (("--record", ""), ("path is empty",)),
        (("--record", "small"), ("small", "exists already", "--force")),
        (("--events", "small/no/file"), ("small/no/file: No such file",)),
        (("--events", "old.jsonl"), ("old.jsonl exists already", "--force")),
    ],
)
def test_bad_options_are_refused_before_anything_is_run(file, tmp_path, args, words):
    (tmp_path / "small").mkdir()
    (tmp_path / "old.jsonl").write_text("old\n")
    before = sorted(tmp_path.rglob("*"))
    if "--engine" not in args:
        args = (*args, "--engine", "scripted")
    result = invoke(f"{file}:failing", *args)
    assert result.exit_code in (1, 2)
    for word in words:
        assert word in result.stderr
    assert "boom" not in result.stderr
    assert "Traceback" not in result.stderr
    assert sorted(tmp_path.rglob("*")) == before


# Which engine.


def test_without_the_embedded_model_the_scripted_engine_answers_and_it_is_said(file, monkeypatch):
    def missing(_):
        raise MissingExtraError("pip install the model")

    monkeypatch.setitem(ENGINES, "local", ("", missing))
    result = invoke(f"{file}:make", "--steps", 20, "--json")
    assert json.loads(result.stdout)["outcome"]["engine"] == "scripted"
    assert "note: " in result.stderr
    assert "pip install the model" in result.stderr
    assert "pip install the model" in run(f"{file}:make", engine="local", code=1)


def test_an_embedded_model_that_does_not_start_is_replaced_too(file, monkeypatch):
    class Broken(ScriptedEngine):
        async def start(self):
            raise EngineError("the model file is cut off")

    monkeypatch.setitem(ENGINES, "local", ("", lambda _: Broken(latency=None)))
    result = invoke(f"{file}:make", "--steps", 40, "--compare", "--events", "log.jsonl")
    assert result.exit_code == 0, result.output
    assert result.stderr.count("the model file is cut off") == 1
    assert "identical" in result.stdout
    assert " to w" in result.stdout
    assert Path("log.jsonl").read_text().count('"say"') > 2
    text = run(f"{file}:make", "--events", "other.jsonl", engine="local", code=1)
    assert "the model file is cut off" in text
    assert [path.name for path in Path.cwd().iterdir()] == ["log.jsonl"]


class Moody(ScriptedEngine):
    """Answers by how often it was asked."""

    name = "moody"
    model = "mood-7b\x1b"

    def __init__(self):
        super().__init__(lambda request: f"{request.step} {id(self)}", latency=None)


def test_an_uncertain_engine_may_come_to_another_end_and_it_is_explained(file, monkeypatch):
    monkeypatch.setitem(ENGINES, "local", ("", lambda _: Moody()))
    (Path.cwd() / "louder.py").write_text(
        SOURCE + "\nclass Loud(Walker):\n"
        "    async def step(self, view):\n"
        "        return Action(state=(await view.llm.chat('x')).text)\n"
        "def loud():\n    return town([Loud('a', (0, 0))])\n"
    )
    text = run("louder.py:loud", "--steps", 5, "--compare", engine="")
    assert "moody (mood-7b)" in text
    assert "final states: different" in text
    assert "possible courses" in text


def test_what_an_engine_counts_is_shown(file):
    assert "engine: " not in run(f"{file}:make", "--steps", 5, engine="null")
    assert "iterations" in run(f"{file}:make", "--steps", 40, engine="virtual")


# Comparing.


def test_compare_shows_both_runs_and_that_they_came_to_the_same(file):
    text = run(f"{file}:pairs", "--steps", 60, "--compare")
    assert "final states: identical" in text
    assert re.search(r"^conservative +[\d.,]+ +\d+\.\d\dx", text, re.MULTILINE)
    assert re.search(r"^lockstep +[\d.,]+ +1\.00x", text, re.MULTILINE)
    facts = told(f"{file}:pairs", "--steps", 60, "--compare")
    twin = facts["comparison"]["lockstep"]
    assert facts["comparison"]["identical"] is True
    assert twin["digest"] == facts["outcome"]["digest"]
    assert facts["comparison"]["speedup"] == twin["seconds"] / facts["outcome"]["seconds"] > 1


def test_results_that_differ_on_a_certain_engine_are_an_error(file):
    text = run(f"{file}:sharing", "--steps", 20, "--compare", code=1)
    assert "different" in text
    assert "share variables" in text
    assert (
        told(f"{file}:sharing", "--steps", 20, "--compare", code=1)["comparison"]["identical"]
        is False
    )


def test_a_twin_that_cannot_be_run_does_not_lose_the_run(file):
    result = invoke(f"{file}:same", "--compare", "--steps=2", "--json", "--engine=scripted")
    assert result.exit_code == 1
    assert "same simulation twice" in result.stderr
    facts = json.loads(result.stdout)
    assert facts["outcome"]["agent_steps"] == 6
    assert "comparison" not in facts


def test_runs_that_did_not_end_are_not_compared(file):
    text = run(f"{file}:failing", "--steps", 40, "--compare", "--on-error", "freeze", "--quiet")
    assert "not compared" in text
    assert "not final" in text
    assert "1 x freeze" in text


# Writing it down.


def test_a_recorded_run_can_be_compared_as_a_trace(file):
    result = invoke(f"{file}:make", "--steps", 40, "--record", "run.hwt", "--engine", "scripted")
    assert result.exit_code == 0, result.stderr
    assert "next: headway compare run.hwt" in result.stderr
    trace = read_trace("run.hwt")
    assert (trace.n_agents, trace.n_steps) == (3, 40)
    assert len(trace.calls) == told(f"{file}:make", "--steps", 40)["outcome"]["calls"]
    compared = CliRunner().invoke(app, ["compare", "run.hwt"])
    assert compared.exit_code == 0, compared.output
    assert "--force" in run(f"{file}:make", "--record", "run.hwt", code=1)


def test_a_recorded_run_can_be_run_again_without_its_engine(file):
    first = told(f"{file}:make", "--steps", 40, "--record", "run.hwt", engine="scripted:5")
    again = told(f"{file}:make", "--steps", 40, "--compare", engine="replay:run.hwt")
    assert again["outcome"]["digest"] == first["outcome"]["digest"]
    assert again["comparison"]["identical"]
    text = run(f"{file}:make", "--steps", 40, "--seed", 3, engine="replay:run.hwt", code=1)
    assert "replay" in text or "run.hwt" in text


def test_a_trace_is_replaced_if_forced(file):
    write_trace(generate_town(agents=1, steps=5), "run.hwt")
    assert "exists already" in run(f"{file}:make", "--record", "run.hwt", code=1)
    run(f"{file}:make", "--steps", 20, "--record", "run.hwt", "--force")
    assert read_trace("run.hwt").n_steps == 20


def test_events_are_those_of_lockstep_whatever_the_schedule(file):
    for name in ("conservative", "lockstep"):
        run(f"{file}:make", "--steps", 40, "--schedule", name, "--events", f"{name}.jsonl")
    lines = Path("conservative.jsonl").read_text().splitlines()
    assert lines == Path("lockstep.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    assert {"move", "say"} <= {event["what"] for event in events}
    assert [event["step"] for event in events] == sorted(event["step"] for event in events)
    run(f"{file}:make", "--steps", 2, "--events", "lockstep.jsonl", "--force")
    assert len(Path("lockstep.jsonl").read_text().splitlines()) < len(lines)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a full disk")
def test_a_full_disk_under_the_events_does_not_lose_the_run(file):
    text = run(f"{file}:make", "--steps", 40, "--events", "/dev/full", code=1)
    assert "digest of the final state" in text
    assert "Error: /dev/full: No space left" in text


def test_a_trace_that_cannot_be_written_does_not_lose_the_run(file, monkeypatch):
    def full(*args, **options):
        raise OSError(28, "No space left on device", "somewhere/else")

    monkeypatch.setattr(run_files, "write_trace", full)
    text = run(f"{file}:make", "--steps", 10, "--record", "run.hwt", code=1)
    assert "digest of the final state" in text
    assert "Error: run.hwt: No space left" in text


# Runs that are stopped.


def test_a_failed_step_is_told_with_agent_step_and_place(file):
    result = invoke(f"{file}:failing", "--steps", 40, "--engine", "scripted", "--events", "e.jsonl")
    assert result.exit_code == 1
    error = result.stderr.splitlines()[-1]
    for words in ("step 5 of 'w1' failed", "ValueError: boom [31mlong", "in boom", "--on-error"):
        assert words in error
    assert re.search(r"small\.py, line \d+, in boom", error)
    assert "\x1b" not in result.stderr
    assert len(error) < 1500
    assert "failed; all have finished" in result.stdout
    assert Path("e.jsonl").read_text().count("\n") > 3
    assert told(f"{file}:failing", "--steps", 40, code=1)["stopped"] == "failed"


@pytest.mark.parametrize("policy", ["skip", "freeze"])
def test_failures_that_are_lived_with_are_listed(file, policy):
    result = invoke(f"{file}:failing", "--steps", 40, "--engine", "scripted", "--on-error", policy)
    assert result.exit_code == 0
    assert f"steps that failed: 1 x {policy}" in result.stdout
    assert "step 5 of w1: ValueError: boom [31mlong" in result.stdout
    assert all(len(line) <= 80 for line in result.stdout.splitlines())


def test_retried_steps_are_tried_three_times(file):
    text = run(f"{file}:failing", "--steps", 40, "--on-error", "retry", code=1)
    assert "in 3 attempts" in text
    assert "attempts of steps that failed" in text


def test_a_step_that_takes_too_long_is_ended(file):
    text = run(
        f"{file}:stuck", "--steps", 2, "--time-limit", 0.05, "--on-error", "skip", engine="null"
    )
    assert "2 x skip" in text
    assert "longer than 0.05 s" in text


def test_a_simulation_that_ends_the_program_is_told(file):
    text = run(f"{file}:exiting", "--steps", 20, code=1)
    assert "ended the program: SystemExit: 3" in text
    assert "digest" in text


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize(
    ("factory", "code", "why"),
    [("interrupting", 130, "interrupted"), ("terminating", 143, "terminated")],
)
def test_a_signal_keeps_what_was_finished(file, tmp_path, factory, code, why):
    # The simulation signals its own process in step 5.
    result = process(
        *(f"{file}:{factory}", "--steps", "20000"),
        *("--record", "run.hwt", "--events", "log.jsonl"),
        text=True, cwd=tmp_path,
    )  # fmt: skip
    assert result.returncode == code, result.stderr
    assert result.stderr.splitlines()[-1] == f"headway: {why}"
    assert "Traceback" not in result.stderr
    assert f"{why}; all have finished" in result.stdout
    steps = int(re.search(r"finished ([\d,]+) of 20,000", result.stdout)[1].replace(",", ""))
    assert 3 < steps < 20000
    assert read_trace(tmp_path / "run.hwt").n_steps == steps
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert max(line["step"] for line in lines) == steps - 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log.jsonl", "run.hwt"]


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_an_interrupted_lockstep_twin_leaves_the_run_itself(file, monkeypatch):
    real = run_module._run

    def second_interrupted(orders, *args):
        if orders.schedule == "lockstep":
            orders.factory.makes.__globals__["At"].what = staticmethod(
                lambda: os.kill(os.getpid(), signal.SIGINT)
            )
        return real(orders, *args)

    monkeypatch.setattr(run_module, "_run", second_interrupted)
    path = Path("twin.py")
    path.write_text(
        SOURCE + "\ndef plain():\n    return town([At(f'w{i}', (i * 6, 0)) for i in range(3)])\n"
    )
    text = run("twin.py:plain", "--steps", 300, "--compare", "--quiet", code=130)
    assert "300 steps" in text
    assert "not compared" in text


def test_a_run_stopped_at_once_writes_no_trace(file, monkeypatch):
    monkeypatch.setattr(run_module, "_until_stopped", lambda running: running.close())
    result = invoke(f"{file}:make", "--record", "run.hwt", "--engine", "scripted")
    assert "not written" in result.stderr
    assert not Path("run.hwt").exists()


def test_more_failures_than_fit_are_counted(file):
    assert run_report.FAILURES_MAX == 5
    (Path.cwd() / "often.py").write_text(
        SOURCE + "\nclass Bad(Agent):\n    def step(self, view):\n        boom()\n"
        "def often():\n    return town([Bad(ODD, (0, 0))])\n"
    )
    text = run("often.py:often", "--steps", 9, "--on-error", "skip", "--quiet")
    assert "steps that failed: 9 x skip" in text
    assert "and 4 more" in text
    assert all(len(line) <= 80 for line in text.splitlines())
