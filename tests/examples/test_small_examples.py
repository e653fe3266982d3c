"""The small examples run, and show what they say they show."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"


def told_by(name: str) -> str:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_hello_shows_somebody_overtaking_with_the_same_result():
    told = told_by("hello.py")
    order = re.findall(r"^(?:lock-step|out of order): (.*)$", told, re.M)
    lockstep, free = (line.split() for line in order)
    assert sorted(lockstep) == sorted(free)
    steps = [int(each[1:]) for each in lockstep]
    assert steps == sorted(steps)
    assert [int(each[1:]) for each in free] != steps
    seconds = re.search(r"([\d.]+) s against ([\d.]+) s", told)
    assert float(seconds[1]) > float(seconds[2])
    assert "the same result: True" in told


def test_the_rumour_travels_and_nobody_waits_for_strangers():
    told = told_by("social_network.py")
    readers, users = map(int, re.search(r"(\d+) of (\d+) users have read", told).groups())
    assert users / 4 < readers <= users
    assert int(re.search(r"come (\d+) hops", told)[1]) >= 4
    assert float(re.search(r"([\d.]+) times as fast", told)[1]) > 1.2
    assert "same result: True" in told
