"""`assert_same_as_lockstep` finds, makes small and explains bugs planted into a user's agents.

Each village does something useful, has thirty steps and eight people who meet, and one of them
breaks the contract in one of the ways people do.
"""

from __future__ import annotations

import os
import random
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from headway import Action, Agent, Grid, Place, Simulation
from headway.testing import (
    Case,
    NobodyOvertookError,
    NotAsLockstepError,
    assert_same_as_lockstep,
)

STEPS = 30


class Villager(Agent):
    """Walks about, greets whom it meets, and counts the greetings it got."""

    def __init__(self, name, position, **things):
        super().__init__(name, position, state={"greeted": 0})
        self.greeted = 0
        self.things = things

    async def step(self, view):
        self.greeted += len(view.inbox)
        near = [n.name for n in view.neighbours if n.distance <= 1]
        said = await view.llm.chat(f"{self.name} meets {near}") if near else None
        return Action(
            move=view.toward((view.random.randrange(40), view.random.randrange(4))),
            say=said and said.text,
            tell=dict.fromkeys(near, "hello"),
            state={"greeted": self.greeted, "mood": self.mood(view)},
        )

    def mood(self, view):
        return round(view.random.random(), 3)


class Moody(Villager):
    """Planted: a global random generator."""

    def mood(self, view):
        return round(random.random(), 3) if self.name in {"v3", "v6"} else super().mood(view)


class MoodyByNumpy(Villager):
    """Planted: the global random generator of numpy."""

    def mood(self, view):
        if self.name == "v5":
            return float(np.random.random())  # noqa: NPY002
        return super().mood(view)


class Gossip(Villager):
    """Planted: a dictionary that all share."""

    def mood(self, view):
        heard = self.things["news"]
        if self.name == "v2" and view.step == 11:
            heard["fire"] = "at the mill"
        return len(heard) if self.name == "v6" else 0


class Peeping(Villager):
    """Planted: a look at an agent out of sight, through a reference to it."""

    def mood(self, view):
        friend = self.things.get("friend")
        return list(friend.position) if self.name == "v1" else 0


def village(kind, seed, *, count=8):
    news = {}
    people = [kind(f"v{i}", (i * 5, i % 4), news=news) for i in range(count)]
    for person, friend in zip(people, people[3:] + people[:3], strict=True):
        person.things["friend"] = friend
    return Simulation(Grid(40, 4), people, places=[Place("well", (20, 2))], seed=seed)


def failure(kind, *, seeded=False, **options):
    """Return the error that a village with a planted bug is refused with."""

    def make(seed):
        if seeded:  # the same numbers in every run, in the order they are asked for
            random.seed(seed)
            np.random.seed(seed)  # noqa: NPY002
        return village(kind, seed)

    with pytest.raises(NotAsLockstepError) as caught:
        assert_same_as_lockstep(make, seeds=10, steps=STEPS, **options)
    return caught.value


def test_a_village_without_a_bug_is_as_in_lockstep():
    def make(seed):
        return village(Villager, seed)

    proof = assert_same_as_lockstep(make, seeds=5, steps=STEPS)
    assert (proof.runs, proof.overtaken) == (10, 10)
    assert proof.calls
    assert proof.lead_max > 1


def test_a_global_random_generator_is_found():
    error = failure(Moody, seeded=True)
    assert error.schedules == ("lockstep", "conservative")
    assert set(error.case.agents) == {"v3", "v6"}
    assert error.case.steps <= 3
    assert "'v3' drew from Python's global random generator in step" in str(error)
    assert "'v6' drew from Python's global random generator in step" in str(error)
    assert "use view.random" in str(error)


def test_a_generator_that_nobody_has_seeded_is_found_without_any_order():
    error = failure(Moody)
    assert error.schedules == ("lockstep", "lockstep")
    assert error.case.agents in {("v3",), ("v6",)}
    assert error.case.steps == 1
    assert not error.case.late
    assert "two runs in lock-step of one seed do not give the same" in str(error)
    assert "drew from Python's global random generator in step 0" in str(error)


def test_the_generator_of_numpy_is_found():
    error = failure(MoodyByNumpy)
    assert error.case.agents == ("v5",)
    assert "drew from numpy's global random generator in step 0" in str(error)


def test_a_shared_dictionary_is_found():
    error = failure(Gossip)
    assert set(error.case.agents) == {"v2", "v6"}
    assert error.case.steps <= 13
    assert len(error.case.late) <= 1
    assert "a dict, is shared by agents and was changed by 'v2' in step 11" in str(error)
    assert "keep it in each agent, in its public state, or in a Place" in str(error)


def test_a_look_at_an_agent_out_of_sight_is_found():
    error = failure(Peeping)
    assert set(error.case.agents) == {"v1", "v4"}
    assert error.case.steps == 1
    assert len(error.case.late) <= 1
    assert "'v1' used 'position' of 'v4' directly in step 0, not through its view" in str(error)
    assert re.search(r"stands 1[4-6] away \(sight is 4\)", str(error))
    assert "view.agent(name)" in str(error)


@pytest.mark.parametrize("kind", [Gossip, Peeping])
def test_the_smallest_case_fails_when_it_is_run_again_and_prints_the_same(kind):
    first = failure(kind)
    again = failure(kind, case=Case.from_json(first.case.to_json()))
    assert again.case == first.case
    assert str(again) == str(first)


def test_equal_calls_fail_with_equal_texts():
    assert str(failure(Gossip)) == str(failure(Gossip))


def test_the_printed_command_replays_the_failure(tmp_path):
    test = tmp_path / "test_village.py"
    test.write_text(
        "import sys\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from test_planted_bugs import Gossip, village\n"
        "from headway.testing import assert_same_as_lockstep\n\n\n"
        "def test_mine():\n"
        "    assert_same_as_lockstep(lambda seed: village(Gossip, seed))\n"
    )
    clean = {name: value for name, value in os.environ.items() if not name.startswith("HEADWAY")}
    clean.pop("PYTEST_CURRENT_TEST", None)

    def run(words, more):
        return subprocess.run(
            words, cwd=tmp_path, env={**clean, **more}, capture_output=True, text=True, check=False
        )

    first = run([sys.executable, "-m", "pytest", "-q", "--tb=short", str(test)], {})
    assert first.returncode == 1, first.stdout
    line = next(line for line in first.stdout.splitlines() if "replay: " in line)
    command = shlex.split(line.partition("replay: ")[2])
    variable, _, case = command[0].partition("=")
    assert (variable, command[1:4]) == ("HEADWAY_CASE", ["python", "-m", "pytest"])
    again = run([sys.executable, *command[2:], "-q", "--tb=short"], {variable: case})
    assert again.returncode == 1
    assert line.strip() in again.stdout
    assert len(Case.from_json(case).agents) == 2


def test_a_village_where_nobody_can_overtake_shows_nothing():
    def make(seed):
        people = [Villager(f"v{i}", (i, 0)) for i in range(3)]
        return Simulation(Grid(40, 4), people, sight=40, seed=seed)

    with pytest.raises(NobodyOvertookError, match="nobody overtook anybody in 10 runs"):
        assert_same_as_lockstep(make, seeds=5, steps=4)
    assert not assert_same_as_lockstep(make, seeds=5, steps=4, must_overtake=False).overtaken


def test_an_agent_that_is_changed_by_another_is_told_apart_from_one_that_reads_it():
    class Cursed(Villager):
        def mood(self, view):
            if self.name == "v0":
                self.things["friend"].greeted += 100
            return 0

    error = failure(Cursed)
    assert set(error.case.agents) == {"v0", "v3"}
    assert "its attribute 'greeted'" in str(error)
    assert "it is changed by somebody else's steps" in str(error)
    assert "'v0' used 'greeted' of 'v3' directly" in str(error)
