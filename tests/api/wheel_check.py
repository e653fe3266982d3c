"""Run by `make wheel` with the Python of an environment that holds the wheel and numpy alone."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import headway
from headway.compare import compare
from headway.engines import preset_named
from headway.errors import MissingExtraError
from headway.generate import generate_town
from headway.schedules import Setting
from headway.trace import write_trace

installed = {dist.metadata["Name"].lower() for dist in metadata.distributions()}
assert not installed & {"pyarrow", "click", "rich"}, "this environment holds extras"
assert "site-packages" in headway.__file__, "this is not the wheel"
assert metadata.version("headway") == headway.__version__
assert (Path(headway.__file__).parent / "py.typed").exists()

town = generate_town(agents=5, steps=60, start_hour=12)
setting = Setting(sight=4, speed=1)
result = compare(town, setting=setting, preset=preset_named("l4-8b"), replicas=2)
assert result.row("conservative").outcome.agent_steps == 300


class Asker(headway.Agent):
    """Asks something in every step."""

    async def step(self, view: headway.View) -> headway.Action:
        """Ask whether to go on."""
        answer = await view.llm.chat("Go on?", choices=["yes", "no"])
        return headway.Action(move=view.toward((9, 9)), say=answer.value)


def crowd() -> headway.Simulation:
    """Make some who ask."""
    return headway.Simulation(headway.Grid(10, 10), [Asker(f"a{i}", (i, 0)) for i in range(5)])


assert crowd().run(9).final == crowd().run(9, schedule="lockstep").final

try:
    write_trace(town, "nowhere.hwt")
except MissingExtraError as error:
    assert 'pip install "headway[trace]"' in str(error)
else:
    raise AssertionError("a trace was written without pyarrow")

command = [str(Path(sys.executable).parent / "headway"), "--help"]
refused = subprocess.run(command, capture_output=True, text=True, check=False)
assert refused.returncode == 1, refused
assert 'pip install "headway[cli]"' in refused.stderr, refused.stderr
print(f"the wheel of headway {headway.__version__} works with numpy alone")
