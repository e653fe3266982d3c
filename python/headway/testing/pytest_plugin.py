"""Validates every scheduler and every history of positions a test has made, when it has ended.

Put `pytest_plugins = ["headway.testing.pytest_plugin"]` into the top `conftest.py`, or run
`pytest -p headway.testing.pytest_plugin`. Simulations have one of each, too. Validating re-derives
every stored fact from positions, clocks and the rule; a disagreement is a bug of Headway and fails
the test with its text. What code has made that took the classes over before this was imported is
not seen, nor what other processes make.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from headway import _core

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Validating looks at everybody: what has more agents is left out.
AGENTS_MAX = 20_000

_made: list[Scheduler | PositionHistory] = []


class Scheduler(_core.Scheduler):
    """A scheduler that is validated when the test that has made it ends."""

    def __new__(cls, *args: Any, **options: Any) -> Scheduler:  # noqa: ANN401
        """Make it, and remember it."""
        made = super().__new__(cls, *args, **options)
        _made.append(made)
        return made


class PositionHistory(_core.PositionHistory):
    """A history of positions that is validated when the test that has made it ends."""

    def __new__(cls, *args: Any, **options: Any) -> PositionHistory:  # noqa: ANN401
        """Make it, and remember it."""
        made = super().__new__(cls, *args, **options)
        _made.append(made)
        return made


_WATCHED = {_core.Scheduler: Scheduler, _core.PositionHistory: PositionHistory}


def _replace(classes: dict[type, type]) -> None:
    """Let every module that has taken a class over by its name take the other."""
    for module_name, module in list(sys.modules.items()):
        if module_name.partition(".")[0] != "headway" or module_name in {__name__, _core.__name__}:
            continue
        for old, new in classes.items():
            if vars(module).get(old.__name__) is old:
                setattr(module, old.__name__, new)


def pytest_configure() -> None:
    """Watch again, where pytest is run once more in this process."""
    _replace(dict(_WATCHED))


def pytest_unconfigure() -> None:
    """Watch no longer."""
    _replace({new: old for old, new in _WATCHED.items()})


# At once: test modules, which take the names over, are imported after this one.
_replace(dict(_WATCHED))


@pytest.fixture(autouse=True)
def headway_validates() -> Iterator[list[Scheduler | PositionHistory]]:
    """Validate what the test has made, when it has ended; gives the list of it."""
    _made.clear()
    yield _made
    made = _made.copy()
    _made.clear()
    wrong: list[Exception] = []
    for each in made:
        try:
            if len(each) <= AGENTS_MAX:
                each.validate()
        except Exception as error:
            wrong.append(error)
    if wrong:
        raise wrong[0] if len(wrong) == 1 else ExceptionGroup("several are not valid", wrong)
