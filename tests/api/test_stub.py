"""What `headway` offers by name: the stub, the public names, and an import without extras."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import stub_docs

import headway
from headway import _core, errors


def test_the_docstrings_of_the_stub_are_those_of_the_built_extension():
    assert stub_docs.differences() == []


def test_every_public_name_of_the_extension_is_in_the_stub():
    built = {name for name in vars(_core) if not name.startswith("__")} | {"__version__"}
    assert "Scheduler" in built
    stub = stub_docs.STUB.read_text()
    assert {name for name in built if f'"{name}"' not in stub} == set()


@pytest.mark.slow
def test_the_stub_has_the_signatures_of_the_built_extension(tmp_path):
    command = [sys.executable, "-m", "mypy.stubtest", "headway._core"]
    result = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2]
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_public_names_of_headway():
    assert sorted(headway.__all__) == [
        *("Action", "Agent", "Graph", "Grid", "OnError", "Outcome", "Place", "Plane"),
        *("PositionHistory", "Scheduler", "Simulation", "StoryEntry", "View", "__version__"),
        "errors",
    ]
    for name in headway.__all__:
        assert hasattr(headway, name)
    assert headway.__version__ == _core.__version__ == version("headway")


def test_the_tree_of_exceptions():
    tree = {
        name: cls.__mro__[1].__name__
        for name, cls in vars(errors).items()
        if isinstance(cls, type) and issubclass(cls, Exception)
    }
    scheduler = {
        *("UnknownAgentError", "AgentLeftError", "DuplicateAgentError", "BlockedError"),
        *("RunningError", "NotRunningError", "PartialClusterError", "OverSpeedError"),
        *("PositionError", "FootprintError", "JoinsTooEarlyError", "JoinsAheadError"),
        *("SpawnError", "StepError", "CapacityError"),
    }
    others = {
        *("ArrayTypeError", "ArrayShapeError", "OptionError", "SchedulerError", "InvariantError"),
        *("EngineError", "TraceError", "MissingExtraError", "ValueTypeError", "SpaceError"),
        *("ActionError", "ViewClosedError", "StepTimeoutError", "StepFailedError"),
        *("NameTakenError", "PlaceRuleError", "HiddenInputError"),
    }
    action = {"BeyondReachError", "BeyondSightError", "UnknownNameError"}
    engine = {"EngineUnavailableError", "PromptTooLongError", "AnswerError"}
    assert {name for name, parent in tree.items() if parent == "SchedulerError"} == scheduler
    assert {name for name, parent in tree.items() if parent == "HeadwayError"} == others
    assert {name for name, parent in tree.items() if parent == "ActionError"} == action
    assert {name for name, parent in tree.items() if parent == "EngineError"} == engine
    known = scheduler | others | action | engine | {"HeadwayError", "SharedStateWarning"}
    assert set(tree) == known
    assert all(cls.__doc__ for cls in vars(errors).values() if isinstance(cls, type))


def test_an_error_keeps_its_message_and_facts():
    error = errors.BlockedError("too early", agent=3, clock=7)
    assert (str(error), error.agent, error.clock) == ("too early", 3, 7)


def test_import_headway_needs_numpy_alone():
    code = (
        "import sys\n"
        "import headway\n"
        "extras = {'pyarrow', 'rich', 'click', 'hypothesis', 'scipy'} & set(sys.modules)\n"
        "assert not extras, extras\n"
        "assert 'numpy' in sys.modules or headway.Scheduler\n"
        "print(len(headway.Scheduler([(0, 0)], sight=1, speed=1)))\n"
    )
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stdout.strip()) == (0, "1"), result.stderr


def test_schedules_engines_and_replay_need_no_extra():
    code = (
        "import sys\n"
        "import headway.replay, headway.schedules, headway.engines\n"
        "extras = {'pyarrow', 'rich', 'click'} & set(sys.modules)\n"
        "assert not extras, extras\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
