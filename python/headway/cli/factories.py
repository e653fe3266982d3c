"""What `headway run` runs: a simulation by the name of the function that makes it.

The only module of the command line that executes somebody else's code, and it executes only what
the user has named.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import inspect
import sys
import sysconfig
import traceback
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headway.cli import TERMINATED
from headway.cli.console import clean
from headway.errors import MissingExtraError
from headway.live import Simulation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

#: Simulations that come with Headway, by their short names.
EXAMPLES = {"town": "headway.examples.town:town"}

#: Characters of an error that are shown; what raised it may have put anything into it.
MESSAGE_MAX = 600

_PACKAGE = str(Path(__file__).parents[1])
_LIBRARIES = tuple({sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")})


@dataclass(frozen=True)
class Factory:
    """Makes simulations.

    Attributes
    ----------
    name : str
        As the user gave it, without control characters.
    makes : object
        A function that returns a simulation, or a simulation.
    """

    name: str
    makes: Any

    @property
    def repeats(self) -> bool:
        """Whether it can make another one."""
        return not isinstance(self.makes, Simulation)

    def takes(self, name: str) -> bool:
        """Whether it has a parameter of this name."""
        try:
            parameters = inspect.signature(self.makes).parameters.values()
        except (TypeError, ValueError):
            return True  # something compiled, which does not tell
        return any(p.name == name or p.kind is p.VAR_KEYWORD for p in parameters)

    def make(self, agents: int | None, seed: int | None) -> Simulation:
        """Make a simulation with the arguments that were given.

        Raises
        ------
        click.ClickException
            In a line, whatever went wrong.
        """
        if not self.repeats:
            if agents is not None or seed is not None:
                raise click.UsageError(
                    f"{self.name} is a simulation that is made already, so --agents and --seed "
                    "come too late; name a function that makes it"
                )
            return self.makes  # type: ignore[no-any-return]
        arguments = self._arguments(agents, seed)
        with users_code(f"making {self.name}"):
            made = self.makes(**arguments)
        if inspect.iscoroutine(made):
            made.close()
            raise click.ClickException(
                f"{self.name} is an `async def`; what makes a simulation must be a plain `def`"
            )
        if not isinstance(made, Simulation):
            raise click.ClickException(
                f"{self.name} returned {_a(made)}; it must return a headway.live.Simulation"
            )
        return made

    def _arguments(self, agents: int | None, seed: int | None) -> dict[str, int]:
        given = {
            name: value for name, value in (("agents", agents), ("seed", seed)) if value is not None
        }
        try:
            parameters = inspect.signature(self.makes).parameters.values()
        except (TypeError, ValueError):
            return given  # something compiled, which does not tell
        anything = any(p.kind is p.VAR_KEYWORD for p in parameters)
        named = {
            p.name: p.default is not p.empty
            for p in parameters
            if p.kind in {p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY}
        }
        for name in given:
            if name not in named and not anything:
                raise click.UsageError(
                    f"{self.name} has no parameter {name!r}; leave out --{name}, or add the "
                    "parameter"
                )
        if not named.get("seed", True):
            given.setdefault("seed", 0)
        for name, has_default in named.items():
            if name == "agents" and not has_default and name not in given:
                raise click.UsageError(f"{self.name} has to be told how many: give --agents")
            if not has_default and name not in given:
                raise click.UsageError(
                    f"{self.name} has a parameter {clean(name)!r} without a default, which the "
                    "command line cannot give; give it a default"
                )
        return given


def load(name: str) -> Factory:
    """Find what makes a simulation.

    Parameters
    ----------
    name : str
        An example, `MODULE:FACTORY`, or `path/to/file.py:FACTORY`.

    Raises
    ------
    click.ClickException
        In a line, whatever went wrong.
    """
    where, colon, what = EXAMPLES.get(name, name).rpartition(":")
    shown = short(name, 200)
    if not colon or not where or not what:
        example = name if name.endswith(".py") else "town.py"
        raise click.UsageError(
            f"{shown!r} names no simulation: give {', '.join(EXAMPLES)}, MODULE:FACTORY, or a "
            f"file and the function in it, as in {short(example, 200)}:make"
        )
    module = _load_file(where) if where.endswith(".py") else _load_module(where)
    found: Any = module
    for part in what.split("."):
        if not hasattr(found, part):
            raise click.ClickException(_no_such(found, where, part))
        found = getattr(found, part)
    if not callable(found) and not isinstance(found, Simulation):
        raise click.ClickException(
            f"{shown} is {_a(found)}, neither a function that returns a simulation nor a simulation"
        )
    return Factory(shown, found)


def _load_file(where: str) -> ModuleType:
    path = Path(where)
    if not path.is_file():
        why = "is a folder" if path.is_dir() else "there is no such file"
        raise click.ClickException(f"{short(where, 200)}: {why}")
    _importable(path.resolve().parent)
    # A name of its own, so that a file `random.py` replaces no module of that name.
    name = f"headway_run_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path.resolve())
    assert spec is not None and spec.loader is not None, "Invariant: its name ends in .py"
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    with users_code(f"loading {short(where, 200)}"):
        spec.loader.exec_module(module)
    return module


def _load_module(where: str) -> ModuleType:
    shown = short(where, 200)
    if not all(part.isidentifier() for part in where.split(".")):
        raise click.UsageError(
            f"{shown!r} is neither the name of a module nor a file whose name ends in .py"
        )
    _importable(Path.cwd())
    with users_code(f"importing {shown}"):
        try:
            return importlib.import_module(where)
        except ModuleNotFoundError as error:
            # A module that the named one needs is an error of its own.
            if not f"{where}.".startswith(f"{error.name}."):
                raise
            raise click.ClickException(
                f"there is no module {shown!r}, neither in this folder nor installed"
            ) from None


def _importable(folder: Path) -> None:
    """Let modules of a folder be imported, as Python does with the folder of a script."""
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    importlib.invalidate_caches()


def _no_such(found: object, where: str, part: str) -> str:
    names = [name for name, value in vars(found).items() if callable(value)]
    near = difflib.get_close_matches(part, names, n=3)
    hint = f"; did you mean {' or '.join(map(clean, near))}?" if near else ""
    return f"{short(where, 200)} has no {short(part, 60)!r}{hint}"


def _a(value: object) -> str:
    name = clean(type(value).__name__)
    return f"an {name}" if name[:1].lower() in "aeiou" else f"a {name}"


def short(text: object, most: int) -> str:
    """Return the beginning of a text in one line, without control characters."""
    text = str(text)
    cut = clean(text[:most])
    return f"{cut}…" if len(text) > most else cut


# The user's own errors.


@contextmanager
def users_code(doing: str) -> Iterator[None]:
    """Turn whatever is raised inside into one line that names the user's own file and line."""
    try:
        yield
    except (click.ClickException, MissingExtraError):
        raise  # says itself what to do
    except (Exception, SystemExit) as error:
        if isinstance(error, SystemExit) and error.code == TERMINATED:
            raise
        raise click.ClickException(f"{doing}: {describe(error)}") from error


def describe(error: BaseException) -> str:
    """Tell an error of the user's code in a line: what it is, and where."""
    where = place_of(error)
    return f"{_what(error)}{f' ({where})' if where else ''}"


def _what(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return short(f"{type(error).__name__}: {error.msg}", MESSAGE_MAX)
    text = str(error)
    kind = type(error).__name__
    return short(f"{kind}: {text}" if text else kind, MESSAGE_MAX)


def place_of(error: BaseException) -> str:
    """Return the last place in the user's own code that an error went through, or nothing."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_near(error.filename)}, line {error.lineno}"
    frames = _frames(error)
    if not frames:
        return ""
    frame = ([frame for frame in frames if _is_users(frame)] or frames)[-1]
    return f"{_near(frame.filename)}, line {frame.lineno}, in {clean(frame.name)}"


def is_users(error: BaseException) -> bool:
    """Tell whether an error went through the user's own code."""
    return any(map(_is_users, _frames(error)))


def _frames(error: BaseException) -> list[traceback.FrameSummary]:
    return [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith((_PACKAGE, "<frozen"))
    ]


def _is_users(frame: traceback.FrameSummary) -> bool:
    return not frame.filename.startswith(_LIBRARIES)


def _near(filename: str) -> str:
    """Return a file's name as seen from here."""
    try:
        return short(Path(filename).relative_to(Path.cwd()), 200)
    except ValueError:
        return short(filename, 200)
