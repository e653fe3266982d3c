"""How commands speak: results on standard output, progress on standard error."""

from __future__ import annotations

import json
import os
import sys
import time
import unicodedata
import uuid
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Any, cast

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

#: Columns that tables are laid out for where the terminal has fewer: a number that runs into the
#: next line can be read, one that is cut cannot.
WIDTH_MIN = 80

#: Columns where the output is no terminal.
WIDTH_FILE = 120

#: Seconds between two lines of progress where standard error is no terminal.
LINE_EVERY = 10.0

#: Characters that change the direction of what follows them, and so can disguise a text.
TURNING = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def clean(text: object) -> str:
    """Return a text as one line without control characters: what a terminal must not be told."""
    return "".join(
        " " if char in "\t\n\r" else char
        for char in str(text)
        if char in "\t\n\r"
        or (char not in TURNING and unicodedata.category(char) not in {"Cc", "Cs", "Zl", "Zp"})
    )


class _StandardOutput:
    """Standard output, which names itself in its errors."""

    def write(self, text: str) -> int:
        """Write as the stream does."""
        with naming("standard output"):
            return sys.stdout.write(text)

    def flush(self) -> None:
        """Flush as the stream does."""
        with naming("standard output"):
            sys.stdout.flush()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(sys.stdout, name)


@contextmanager
def naming(what: object) -> Iterator[None]:
    """Have errors of the system name what the user knows."""
    try:
        yield
    except OSError as error:
        error.filename = str(what)
        raise


def drop_output() -> None:
    """Forget what could not be written; Python would try again, and fail, when it ends."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, sys.stdout.fileno())
        finally:
            os.close(nowhere)


def output() -> Console:
    """Return the console for results: it takes texts as they are, and cuts no table."""
    console = Console(
        file=cast("IO[str]", _StandardOutput()),
        width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else WIDTH_FILE,
        markup=False,
        emoji=False,
        highlight=False,
        soft_wrap=False,
    )
    console.width = max(console.width, WIDTH_MIN)
    return console


def print_json(value: object) -> None:
    """Print a value for machines: keys in a fixed order, numbers in full, plain ASCII."""
    stream = _StandardOutput()
    stream.write(json.dumps(value, indent=2) + "\n")
    stream.flush()


@contextmanager
def schedule_log(path: Path | None) -> Iterator[Callable[..., None] | None]:
    """Write the events of a schedule to a CSV file, if there is one to write.

    The file appears when all is written; an interrupted run leaves none.
    """
    if path is None:
        yield None
        return
    # A pipe or a device is written to as it is, and a link stays one.
    in_place = path.exists() and not path.is_file()
    target = path if in_place else path.resolve()
    fresh = path if in_place else target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.new")
    try:
        with naming(path):
            file = fresh.open("w", encoding="utf-8", newline="")
        try:
            file.write("seconds,event,agent,step\n")
            yield _logger(file, path)
        except BaseException:
            with suppress(OSError):  # the first error is the one to tell
                file.close()
            raise
        with naming(path):
            file.close()
            if not in_place:
                fresh.replace(target)
    finally:
        if not in_place:
            fresh.unlink(missing_ok=True)


def _logger(file: IO[str], path: Path) -> Callable[..., None]:
    def log(event: str, seconds: float, agents: Any, steps: Any) -> None:  # noqa: ANN401
        with naming(path):
            for agent, step in zip(agents.tolist(), steps.tolist(), strict=True):
                file.write(f"{seconds!r},{event},{agent},{step}\n")

    return log


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[..., None]]:
    """Show on standard error how far something is: a bar, or lines where that is no terminal.

    Yields a function to call with (done, total), or (what, done, total).
    """
    console = Console(stderr=True, markup=False, emoji=False, highlight=False)
    title = clean(title)
    if not console.is_terminal:
        yield _lines(title)
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(title, total=None)

        def tell(*told: Any) -> None:  # noqa: ANN401
            *what, done, total = told
            bar.update(
                task,
                description=f"{title} {what[0]}" if what else title,
                completed=done,
                total=total,
            )

        yield tell


def _lines(title: str) -> Callable[..., None]:
    """Return a function that prints a line now and then; short work prints none."""
    last = time.monotonic()

    def tell(*told: Any) -> None:  # noqa: ANN401
        nonlocal last
        now = time.monotonic()
        if now - last < LINE_EVERY:
            return
        last = now
        *what, done, total = told
        name = " ".join([title, *map(str, what)])
        sys.stderr.write(f"{name}: {done:,} of {total:,} ({100 * done // max(total, 1)} %)\n")
        sys.stderr.flush()

    return tell
