"""`headway.testing.pytest_plugin`, as somebody who uses it meets it: in a pytest of its own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import headway
from headway import _core
from headway.live import Simulation
from headway.testing import pytest_plugin as plugin
from headway.testing import random_simulation

BY_CONFTEST = {"conftest.py": 'pytest_plugins = ["headway.testing.pytest_plugin"]\n'}

HEAD = """
import numpy as np
import pytest
import headway
from headway import Agent, Grid, Scheduler, Simulation
from headway.testing import random_simulation

def make():
    return Scheduler(np.array([[0, 0], [5, 5]]), sight=4, speed=1)

class Broken(Scheduler):
    "One whose facts disagree."
    def validate(self):
        raise RuntimeError(f"Invariant: the clocks of {len(self)} agents are wrong")
"""


def run(folder, *args, files=None, test=""):
    """Run pytest on some files; return what it says, and how many passed, failed and erred."""
    for name, text in {**(files or {}), "test_some.py": HEAD + test}.items():
        (folder / name).write_text(text)
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    command = [sys.executable, "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, "-W", "error", *args, "."],
        cwd=folder, env=env, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    line = done.stdout.splitlines()[-1]
    return done.stdout, [_count(line, what) for what in ("passed", "failed", "error")]


def _count(line, what):
    words = line.replace(",", " ").split()
    return next((int(words[i]) for i in range(len(words) - 1) if words[i + 1].startswith(what)), 0)


#: Each is a test, and whether its schedulers are valid when it ends.
TESTS = """
def test_valid():
    scheduler = make()
    scheduler.start(scheduler.ready())

def test_broken_in_the_end():
    Broken(np.array([[0, 0], [5, 5], [9, 9]]), sight=4, speed=1)

def test_broken_beside_valid_ones():
    make(), Broken(np.array([[0, 0]]), sight=4, speed=1), make()

def test_the_next_one_is_not_to_blame():
    make()

def test_that_fails_itself():
    Broken(np.array([[0, 0]]), sight=4, speed=1)
    assert make() is None, "my own failure"

class TestInAClass:
    def test_broken(self):
        Broken(np.array([[0, 0], [1, 1]]), sight=4, speed=1)

@pytest.fixture
def scheduler():
    return Broken(np.array([[0, 0]]), sight=4, speed=1)

def test_with_a_fixture(scheduler):
    pass

def test_that_looks(headway_validates):
    made = make()
    assert headway_validates == [made]
    assert isinstance(made, headway.Scheduler) and isinstance(made, Scheduler)
    assert type(made).__name__ == "Scheduler"
"""


@pytest.mark.parametrize("by", ["a conftest", "an option"])
def test_what_is_not_valid_fails_the_test_that_has_made_it(tmp_path, by):
    if by == "an option":
        text, counts = run(tmp_path, "-p", "headway.testing.pytest_plugin", test=TESTS)
    else:
        text, counts = run(tmp_path, files=BY_CONFTEST, test=TESTS)
    assert counts == [7, 1, 5], text
    for name, agents in (
        ("test_broken_in_the_end", 3), ("test_broken_beside_valid_ones", 1),
        ("TestInAClass.test_broken", 2), ("test_with_a_fixture", 1), ("test_that_fails_itself", 1),
    ):  # fmt: skip
        assert f"ERROR at teardown of {name}" in text
        assert f"RuntimeError: Invariant: the clocks of {agents} agents are wrong" in text
    assert "my own failure" in text
    for name in ("test_valid", "test_the_next_one_is_not_to_blame", "test_that_looks"):
        assert f"of {name}" not in text


def test_without_it_nothing_is_validated(tmp_path):
    text, counts = run(tmp_path, test=TESTS.replace("def test_that_looks(", "def looks("))
    assert counts == [6, 1, 0], text


SIMULATIONS = """
import headway.schedules.live as live
from headway.world import store

class Odd(store.PositionHistory):
    def validate(self):
        raise RuntimeError("Invariant: somebody is nowhere")

def test_simulations_have_one_of_each(headway_validates):
    random_simulation(1).run(5)
    kinds = {type(made).__name__ for made in headway_validates}
    assert kinds == {"Scheduler", "PositionHistory"}

def test_a_broken_scheduler_of_a_simulation(monkeypatch):
    monkeypatch.setattr(live, "Scheduler", Broken)
    random_simulation(1).run(3)

def test_a_broken_history_of_a_simulation(monkeypatch):
    monkeypatch.setattr(store, "PositionHistory", Odd)
    random_simulation(1).run(3)

@pytest.mark.parametrize("schedule", ["conservative", "lockstep", "serial"])
def test_valid_ones(schedule):
    random_simulation(2).run(5, schedule=schedule)

def test_a_run_that_fails_is_validated_too(monkeypatch):
    class Fails(Agent):
        def step(self, view):
            raise ValueError("no")
    monkeypatch.setattr(live, "Scheduler", Broken)
    with pytest.raises(RuntimeError):
        Simulation(Grid(9, 9), [Fails("a", (0, 0))]).run(2)

def test_made_by_a_scheduler_that_refuses(headway_validates):
    with pytest.raises((ValueError, TypeError)):
        Scheduler(np.array([[0, 0]]), sight=-1, speed=1)
    assert headway_validates == []
"""


def test_the_schedulers_and_histories_of_simulations_are_validated(tmp_path):
    text, counts = run(tmp_path, files=BY_CONFTEST, test=SIMULATIONS)
    assert counts == [8, 0, 3], text
    assert text.count("ERROR at teardown of") == 3
    assert "ERROR at teardown of test_a_broken_scheduler_of_a_simulation" in text
    assert "ERROR at teardown of test_a_broken_history_of_a_simulation" in text
    assert "RuntimeError: Invariant: somebody is nowhere" in text


def test_with_two_that_are_not_valid_both_are_told(tmp_path):
    test = """
class Worse(Scheduler):
    def validate(self):
        raise RuntimeError("Invariant: this one is worse")

def test_two():
    Broken(np.array([[0, 0]]), sight=4, speed=1)
    Worse(np.array([[0, 0]]), sight=4, speed=1)
"""
    text, counts = run(tmp_path, files=BY_CONFTEST, test=test)
    assert counts == [1, 0, 1], text
    assert "the clocks of 1 agents are wrong" in text
    assert "this one is worse" in text


def test_the_classes_are_as_before_when_pytest_ends(tmp_path):
    script = """
import sys
import pytest
import headway
from headway import _core
from headway.schedules import live
from headway.world import store

def classes():
    return headway.Scheduler, live.Scheduler, store.PositionHistory

before = classes()
assert before == (_core.Scheduler, _core.Scheduler, _core.PositionHistory)
for _ in range(2):
    assert pytest.main(["-q", "-p", "headway.testing.pytest_plugin", "-p", "no:cacheprovider"]) == 0
    assert classes() == before
print("as before")
"""
    test = """
def test_watched():
    assert headway.Scheduler is not headway._core.Scheduler
    assert issubclass(headway.Scheduler, headway._core.Scheduler)
    make()
"""
    (tmp_path / "test_some.py").write_text(HEAD + test)
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "as before"


# In this very run, which uses it, too.


def test_a_watched_class_behaves_like_the_one_it_stands_for(headway_validates):
    positions = [[0, 0], [1, 1], [30, 30]]
    watched = headway.Scheduler(positions, sight=4, speed=1)
    plain = _core.Scheduler(positions, sight=4, speed=1)
    assert isinstance(watched, headway.Scheduler)
    assert isinstance(watched, _core.Scheduler)
    assert repr(watched) == repr(plain)
    assert watched.ready().tolist() == plain.ready().tolist()
    assert [watched] == headway_validates
    assert type(watched).__doc__


def test_every_simulation_of_a_test_is_watched(headway_validates):
    simulation = random_simulation(3)
    assert isinstance(simulation, Simulation)
    simulation.run(3)
    assert [type(made) for made in headway_validates if isinstance(made, _core.Scheduler)] == [
        plugin.Scheduler
    ]
