"""`headway prove`, as a user meets it."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from headway.cli.app import app

SOURCE = '''
"""Small worlds: one that keeps to the contract, and some that do not."""
import functools, os, signal, sys
from headway import Action, Agent, Grid, Simulation

print("loaded")

class Walker(Agent):
    """Strolls, and talks to whom it meets."""
    async def step(self, view):
        near = [n.name for n in view.neighbours if n.distance <= 1]
        words = (await view.llm.chat(f"{self.name} meets {near}")).text if near else None
        goal = (view.random.randrange(40), view.random.randrange(3))
        return Action(move=view.toward(goal), say=words, state=view.step)

def town(people, seed=0):
    return Simulation(Grid(40, 3), people, seed=seed, sight=2)

def make(agents=8, seed=0):
    return town([Walker(f"w{i}", (i * 5 % 40, i % 3)) for i in range(agents)], seed)

class Gossip(Walker):
    """Shares a list."""
    def __init__(self, name, position, news):
        super().__init__(name, position)
        self.news = news
    async def step(self, view):
        if self.name == "w2":
            self.news.append(view.step)
        action = await super().step(view)
        action.state = len(self.news) if self.name == "w6" else 0
        return action

def gossip(agents=8, seed=0):
    news = []
    return town([Gossip(f"w{i}", (i * 5 % 40, i % 3), news) for i in range(agents)], seed)

TIMES = []

class Older(Walker):
    """Remembers from one run to the next."""
    def step(self, view):
        TIMES.append(1)
        return Action(state=len(TIMES) if self.name == "w3" else 0)

def older(seed=0):
    return town([Older(f"w{i}", (i * 5, 0)) for i in range(5)], seed)

class Odd(Gossip):
    async def step(self, view):
        if view.step == 0:
            self.news.append(self.name)
        return Action(say=f"\\x1b[31m\\u202e{self.news[0]} \\x9b")

def odd(seed=0):
    news = []
    return town([Odd(f"\\x1b[2J\\u202e[/b]{i}\\n", (i * 20, 0), news) for i in range(2)], seed)

def many_or_few(seed):
    return make(2 + seed % 3 * 3, seed)

def unseeded(agents=6):
    return make(agents)

def anything(**given):
    assert set(given) <= {"agents", "seed"}, given
    return make(**given)

part = functools.partial(make, agents=5)

class Town:
    """Makes simulations in several ways."""
    def __init__(self, seed=0):
        pass
    def make(self, seed):
        return make(seed=seed)

class Made(Simulation):
    def __init__(self, seed=0):
        people = [Walker(f"w{i}", (i * 5, 0)) for i in range(5)]
        super().__init__(Grid(40, 3), people, seed=seed, sight=2)

bound = Town().make
by_lambda = lambda seed=3: make(seed=seed)

def near(seed=0):
    return Simulation(Grid(40, 3), [Walker(f"w{i}", (i, 0)) for i in range(3)], sight=39, seed=seed)

def wants_more(seed, weather):
    return make(seed=seed)

async def later(seed=0):
    return make()

def number(seed):
    return 7

def breaks(seed):
    return {}["secret"]

def breaks_later(seed):
    return make() if seed < 2 else {}["secret"]

def quits(seed):
    sys.exit("enough")

def prints(seed):
    print("made a world")
    return doing(lambda: print("said in a step"))

ready = make()

def same(seed):
    return ready

PEOPLE = [Walker(f"w{i}", (i * 5, 0)) for i in range(3)]

def same_people(seed):
    return town(PEOPLE)

class Doing(Walker):
    what = staticmethod(lambda: None)
    async def step(self, view):
        if view.step == 2 and self.name == "w1":
            self.what()
        return await super().step(view)

def doing(what):
    people = [Doing(f"w{i}", (i * 9, 0)) for i in range(3)]
    people[1].what = what
    return town(people)

def boom():
    raise ValueError("boom \\x1b[31m " + "long " * 999)

def failing(seed):
    return doing(boom)

def exiting(seed):
    return doing(lambda: sys.exit(3))

def interrupting(seed):
    return doing(lambda: os.kill(os.getpid(), signal.SIGINT))

RUNS = []

def interrupting_later(seed):
    RUNS.append(1)
    return doing(lambda: len(RUNS) == 3 and os.kill(os.getpid(), signal.SIGINT))

class Slow(Walker):
    """Is found wanting, and then interrupted while its case is made smaller."""
    def __init__(self, name, position, news):
        super().__init__(name, position)
        self.news = news
    def step(self, view):
        self.news.append(self.name)
        if len(RUNS) > 6:
            os.kill(os.getpid(), signal.SIGINT)
        return Action(state=self.news[0] if view.step else 0)

def interrupted_while_shrinking(seed):
    RUNS.append(1)
    news = []
    return town([Slow(f"w{i}", (i * 9, 0), news) for i in range(4)])
'''

#: A few runs, which is enough where something else than overtaking is looked at.
FEW = ("--seeds", 2, "--steps", 6, "--orders", 2, "--quiet")


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path, monkeypatch):
    """Each test has a folder and a path of its own."""
    (tmp_path / "small.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.setenv("COLUMNS", "100")
    for name in ("HEADWAY_CASE", "HEADWAY_SEED"):
        monkeypatch.delenv(name, raising=False)


def invoke(what, *args):
    where = what if what in {"town", "random"} else f"small.py:{what}"
    return CliRunner().invoke(app, ["prove", where, *map(str, args)], catch_exceptions=False)


def proved(what, *args, code=0):
    result = invoke(what, *args)
    assert result.exit_code == code, result.output + result.stderr
    return result.stdout


def refused(what, *args, code=1):
    """Return the one line on standard error that says why."""
    result = invoke(what, *(args or FEW))
    assert result.exit_code == code, result.output + result.stderr
    assert "Traceback" not in result.stderr
    line = result.stderr.splitlines()[-1]
    assert len(line) < 1500
    assert "\x1b" not in line
    return line


def told(what, *args, code=0):
    return json.loads(proved(what, *args, "--json", code=code))


def test_help_fits_the_terminal_and_names_the_code():
    text = proved("make", "--help")
    assert all(len(line) <= 100 for line in text.splitlines())
    for word in ("SIMULATION", "--seeds", "--case", "--interrupt", "Exits with 4", "random"):
        assert word in text
    assert "headway prove town" in CliRunner().invoke(app, ["--help"]).stdout


def test_a_world_that_keeps_to_the_contract_is_proved():
    text = proved("make", "--seeds", 3, "--steps", 12, "--orders", 2, "--no-timing")
    found = re.fullmatch(
        r"6 runs as in lock-step, in (\d) of them somebody overtook \(by up to (\d+) steps\); "
        r"576 agent-steps, (\d+) calls",
        " ".join(text.split()),
    )
    assert found, text
    assert int(found[1]) > 3
    assert "runs a minute" in proved("make", *FEW)


def test_the_town_is_proved():
    answer = told("town", "--agents", 4, "--steps", 8, "--seeds", 1, "--orders", 1)
    assert answer["runs"] == 1
    assert answer["agent_steps"] == 4 * 8
    assert answer["difference"] is None


def test_random_worlds_are_proved_and_counted_by_what_they_are():
    text = proved("random", "--seeds", 4, "--steps", 8, "--no-timing")
    assert "worlds, by what they are; each counts in several lines" in " ".join(text.split())
    assert re.search(r"(grid|plane|graph), \w+.* +\d+ +\d+", text)
    answer = told("random", "--seeds", 4, "--steps", 8)
    assert sum(split["runs"] for split in answer["split"].values()) > answer["runs"] == 8
    assert "random worlds have as many agents as they draw" in refused(
        "random", "--agents", 3, code=2
    )


@pytest.mark.parametrize(
    "factory",
    ["make", "many_or_few", "unseeded", "anything", "part", "Made", "bound", "by_lambda"],
)
def test_whatever_makes_simulations_will_do(factory):
    answer = told(factory, "--seeds", 2, "--steps", 8, "--orders", 2, "--quiet")
    assert answer["runs"] == 4
    assert answer["overtaken"]


def test_a_factory_gets_the_seed_if_it_takes_one():
    def steps(factory, *args):
        return told(factory, "--seeds", 1, "--steps", 5, "--orders", 2, *args)["agent_steps"]

    assert [steps("many_or_few", "--first-seed", seed) for seed in range(3)] == [20, 50, 80]
    assert steps("make", "--agents", 3) == 30
    assert steps("anything", "--agents", 3) == 30
    answers = [told("part", *FEW, "--first-seed", seed, "--no-timing") for seed in (0, 5)]
    assert answers[0]["calls"] != answers[1]["calls"]
    answers = [told("unseeded", *FEW, "--first-seed", seed, "--no-timing") for seed in (0, 5)]
    assert answers[0]["calls"] == answers[1]["calls"]


def test_a_planted_bug_is_found_and_the_printed_command_finds_it_again():
    text = proved("gossip", "--seeds", 5, "--steps", 20, "--quiet", code=4)
    for words in (
        "out of order this simulation does not give what lock-step gives",
        "smallest case found:  seed 0;", "agents w2, w6", "first difference:     step",
        "'w6': the 'state' of its action", "is shared by agents and was changed by 'w2'",
    ):  # fmt: skip
        assert words in text
    command = shlex.split(text.partition("replay: ")[2].strip())
    assert command[:4] == ["headway", "prove", "small.py:gossip", "--case"]
    assert len(command) == 5

    done = subprocess.run(
        [sys.executable, "-m", "headway", *command[1:]], capture_output=True, text=True, check=False
    )
    assert done.returncode == 4, done.stderr
    again = done.stdout.partition("this simulation does not")[2]
    assert again == text.partition("this simulation does not")[2]


def test_the_number_of_agents_is_part_of_the_command():
    text = proved("gossip", "--agents", 7, "--seeds", 3, "--quiet", code=4)
    command = shlex.split(text.partition("replay: ")[2].strip())
    assert command[3:5] == ["--agents", "7"]
    assert (
        proved("gossip", *command[3:], "--quiet", code=4)
        .partition("replay")[0]
        .endswith(text.partition("runs as in lock-step:\n")[2].partition("replay")[0])
    )


def test_runs_that_differ_in_lockstep_already_are_told_apart():
    text = proved("older", *FEW, code=4)
    assert "two runs in lock-step of one seed do not give the same: no order is to blame" in text
    assert told("older", *FEW, code=4)["difference"]["compared"] == ["lockstep", "lockstep"]


def test_json_is_one_document_also_where_runs_differ():
    answer = told("gossip", "--seeds", 5, "--steps", 20, code=4)
    difference = answer["difference"]
    assert difference["agent"] == "w6"
    assert difference["what"] == "the 'state' of its action"
    assert difference["expected"] != difference["found"]
    assert difference["compared"] == ["lockstep", "conservative"]
    assert any("is shared by agents" in reason for reason in difference["reasons"])
    assert set(json.loads(difference["case"])["agents"]) == {"w2", "w6"}
    again = told("gossip", "--case", difference["case"], code=4)
    assert again["difference"] == difference
    assert told("make", *FEW)["difference"] is None


@pytest.mark.parametrize("what", ["make", "gossip", "random"])
def test_without_timing_equal_calls_print_equal_bytes(what):
    args = ("--seeds", 2, "--steps", 10, "--no-timing", "--quiet")
    code = 4 if what == "gossip" else 0
    assert proved(what, *args, code=code) == proved(what, *args, code=code)
    assert proved(what, *args, "--json", code=code) == proved(what, *args, "--json", code=code)
    assert "seconds" in told("make", *FEW)


def test_without_timing_the_order_of_sets_prints_equal_bytes_too():
    def bytes_of(seed):
        done = subprocess.run(
            [sys.executable, "-m", "headway", "prove", "small.py:gossip", "--no-timing", "--quiet"],
            capture_output=True, check=False, env={**os.environ, "PYTHONHASHSEED": seed},
        )  # fmt: skip
        assert done.returncode == 4
        return done.stdout

    assert bytes_of("1") == bytes_of("2")


def test_a_case_runs_alone_as_it_is():
    answer = told("make", "--case", '{"seed":3,"steps":4,"agents":["w1","w4"],"order":7}')
    assert (answer["runs"], answer["agent_steps"]) == (1, 8)
    # Where nobody could overtake it shows what it shows.
    assert told("make", "--case", '{"seed":3,"steps":1}')["overtaken"] == 0


def test_a_case_in_the_environment_runs_alone(monkeypatch):
    monkeypatch.setenv("HEADWAY_CASE", '{"seed":3,"steps":1}')
    assert told("make")["agent_steps"] == 8
    monkeypatch.setenv("HEADWAY_CASE", "nonsense")
    assert "is no case as a failure prints it" in refused("make")


def test_interrupted_runs_are_proved_too():
    assert told("make", *FEW, "--interrupt")["runs"] == 4


def test_where_nobody_overtakes_nothing_is_shown():
    result = invoke("near", *FEW)
    assert result.exit_code == 1
    line = result.stderr.splitlines()[-1]
    assert "nobody overtook anybody in 4 runs, so they show nothing: try more seeds" in line
    assert "in 0 of them" in result.stdout


@pytest.mark.parametrize(
    ("factory", "words", "code"),
    [
        ("ready", "is a simulation that is made already; name a function that makes it", 2),
        ("nothing", "has no 'nothing'", 1),
        ("TIMES", "is a list, neither a function that returns a simulation nor a simulation", 1),
        ("number", "returned an int; it must return a headway.live.Simulation", 1),
        ("later", "is an `async def`", 1),
        ("wants_more", "'weather'", 2),
        ("breaks", "KeyError: 'secret'", 1),
        ("breaks_later", "KeyError: 'secret'", 1),
        ("quits", "enough", 1),
        ("same", "it must make a new simulation, with new agents, each time", 1),
        ("same_people", "it must make a new simulation, with new agents, each time", 1),
        ("failing", "step 2 of 'w1' failed: ValueError: boom", 1),
        ("exiting", "SystemExit: 3", 1),
    ],
)
def test_what_goes_wrong_is_told_in_a_line(factory, words, code):
    assert words in refused(factory, "--seeds", 3, *FEW[2:], code=code)


def test_the_line_names_the_place_in_the_users_own_code():
    assert re.search(r"small\.py, line \d+, in breaks", refused("breaks"))
    assert "making small.py:breaks" in refused("breaks")
    assert "proving small.py:failing" in refused("failing")


@pytest.mark.parametrize(
    "args",
    [
        ("--case", "nonsense"), ("--case", '{"seed":1}'), ("--case", "[]"),
        ("--case", '{"seed":1,"steps":2,"agents":["nobody"]}'), ("--case", '{"seed":1,"steps":-2}'),
        ("--case", '{"seed":1,"steps":2,"late":[["w1",0,"start",NaN]]}'),
    ],
)  # fmt: skip
def test_a_case_that_is_none_is_refused_in_a_line(args):
    line = refused("make", *args)
    assert "is no case as a failure prints it" in line or "there is no agent 'nobody'" in line


@pytest.mark.parametrize(
    "args", [("--seeds", 0), ("--steps", 0), ("--orders", "many"), ("--agents", 0), ("--what",)]
)
def test_a_command_line_that_makes_no_sense_is_refused(args):
    assert invoke("make", *args).exit_code == 2


def test_what_the_users_code_prints_is_none_of_the_results():
    result = invoke("prints", *FEW, "--json")
    assert json.loads(result.stdout)["runs"] == 4
    assert "loaded" in result.stderr
    assert result.stderr.count("made a world") == 2 * 2 + 4
    assert result.stderr.count("said in a step") == 2 * 2 + 4


def test_names_and_words_cannot_steer_the_terminal():
    result = invoke("odd", "--seeds", 3, "--quiet")
    assert result.exit_code == 4
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", result.stdout), result.stdout
    command = shlex.split(result.stdout.partition("replay: ")[2].strip())
    assert invoke("odd", *command[3:], "--quiet").exit_code == 4
    assert json.loads(invoke("odd", "--json", "--quiet").stdout)["difference"]


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize(
    "factory", ["interrupting", "interrupting_later", "interrupted_while_shrinking"]
)
@pytest.mark.parametrize("more", [(), ("--interrupt",)])
def test_ctrl_c_ends_it(factory, more):
    # The simulation signals its own process.
    done = subprocess.run(
        [sys.executable, "-m", "headway", "prove", f"small.py:{factory}", "--orders", "1", *more],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 128 + signal.SIGINT, done.stdout + done.stderr
    assert done.stderr.splitlines()[-1] == "headway: interrupted"
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_file_is_found_from_another_folder(monkeypatch):
    there = Path("elsewhere")
    there.mkdir()
    monkeypatch.chdir(there)
    result = CliRunner().invoke(
        app, ["prove", "../small.py:gossip", "--seeds", "3", "--quiet"], catch_exceptions=False
    )
    assert result.exit_code == 4
    assert "replay: headway prove ../small.py:gossip --case" in result.stdout
