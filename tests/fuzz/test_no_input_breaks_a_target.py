"""Each Python target on its seeds and on a fixed number of inputs drawn at random; and that what
breaks one is found, left behind and replayed. `make fuzz` goes on for as long as it is told.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import campaign
import pytest
from fuzz_draw import Draw, mutated
from fuzz_targets import MODULES

pytest.importorskip("resource")
HERE = Path(__file__).parent

#: Besides the seeds; together they take some ten seconds.
INPUTS = {
    "trace_readers": 60,
    "importers": 100,
    "map_readers": 100,
    "structured_answers": 300,
    "run_inputs": 150,
    "scheduler_door": 300,
}

#: A target that breaks wherever an input has a 77, in the way its first byte says.
PLANTED = """
import os, sys
import fuzz_targets
class planted:
    def run(data):
        if 77 in data and data[0] == {how}:
            {breaks}
        return True
    def seeds():
        return [bytes([{how}, n]) for n in range(70)]
    def close():
        pass
fuzz_targets.MODULES["planted"] = "planted"
import run_target
run_target.target = lambda name: planted
run_target.main()
"""


def run(*arguments: object, planted: str | None = None) -> subprocess.CompletedProcess[str]:
    script = [str(HERE / "run_target.py")] if planted is None else ["-c", planted]
    return subprocess.run(
        [sys.executable, *script, *map(str, arguments)],
        text=True, capture_output=True, check=False, env={**os.environ, "PYTHONPATH": str(HERE)},
    )  # fmt: skip


def test_every_target_is_run():
    assert set(INPUTS) == set(MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_no_input_breaks_a_target(name, tmp_path):
    inputs = os.environ.get("HEADWAY_SEEDS", INPUTS[name])
    done = run(name, "--inputs", inputs, "--broken", tmp_path / "left.input")
    assert done.returncode == 0, done.stderr[-3000:]
    counted = json.loads(done.stdout)
    # If all were refused, or none, nothing would have been looked at.
    assert 0 < counted["taken"] < counted["executions"]
    assert counted["executions"] > int(inputs)


@pytest.mark.parametrize("breaks", ["raise KeyError(data)", "os.abort()", "sys.exit(0)"])
def test_what_breaks_a_target_is_left_behind_and_replayed(tmp_path, breaks):
    script, file = PLANTED.format(how=5, breaks=breaks), tmp_path / "left.input"
    done = run("planted", "--inputs", 3000, "--broken", file, planted=script)
    assert 77 in file.read_bytes()
    assert "executions" not in done.stdout
    assert done.returncode != 0 or breaks == "sys.exit(0)"
    again = run("planted", file, planted=script)
    assert "as it should be" not in again.stdout


def test_equal_seeds_give_equal_inputs():
    script = PLANTED.format(how=5, breaks="raise KeyError(data)")
    said = [run("planted", "--inputs", 3000, "--seed", n, planted=script).stderr for n in (1, 1, 2)]
    assert "KeyError" in said[0]
    assert said[0] == said[1] != said[2]


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    monkeypatch.setattr(campaign, "ROOT", tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    return tmp_path


def planted_way(breaks: str) -> campaign.Way:
    script = [sys.executable, "-c", PLANTED.format(how=5, breaks=breaks), "planted"]
    return campaign.Way(script, None, script)


def test_a_campaign_counts_a_crash_and_says_how_to_replay_it(workplace):
    outcome = campaign.run("planted", 60, planted_way("os.abort()"))
    assert outcome.crashes == len(outcome.replay) == 1
    (left,) = (workplace / "build" / "fuzz" / "crashes" / "planted").iterdir()
    assert left.name.startswith("crash-")
    assert 77 in left.read_bytes()
    assert outcome.replay[0].endswith(str(left.relative_to(workplace)))
    shown = campaign.table([outcome]).splitlines()
    assert shown[0].split() == ["target", "executions", "a", "second", "crashes", "inputs"]
    assert shown[1].endswith("1  random, not coverage-guided")


def test_a_campaign_without_a_crash_counts_executions(workplace):
    outcome = campaign.run("planted", 0, planted_way("pass"))
    assert (outcome.executions, outcome.crashes, outcome.replay) == (70, 0, [])


def test_a_process_that_ends_without_a_word_is_a_crash(workplace):
    way = campaign.Way([], None, [sys.executable, "-c", "import os; os._exit(3)"])
    outcome = campaign.run("planted", 1, way)
    assert outcome.crashes == 1
    assert "it left no input" in outcome.replay[0]


def test_the_executions_of_libfuzzer_are_read_from_what_it_prints():
    log = "#2\tINITED cov: 5 ft: 6\n#70000\tpulse  cov: 8\n#81234\tDONE   cov: 9 ft: 10\n"
    assert campaign.executions_in(log) == 81234
    assert campaign.executions_in('noise\n{"executions": 12, "taken": 3}\n') == 12
    assert campaign.executions_in("") == 0


def test_used_up_bytes_make_first_choices_and_mutations_need_no_bytes():
    draw = Draw(b"\x05")
    assert draw.below(4) == 1
    assert not draw
    assert [draw.below(300), draw.one_of("ab"), draw.rarely(3), draw.bits(4)] == [0, "a", False, 0]
    chance = random.Random(0)
    assert all(isinstance(mutated(b"", chance, [b""]), bytes) for _ in range(100))
