"""How commands speak: results on standard output, progress on standard error."""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def output() -> Console:
    """Return the console for results; tables are not cut where the output is no terminal."""
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else 120
    return Console(width=width, highlight=False, soft_wrap=False)


def print_json(value: object) -> None:
    """Print a value for machines: keys in a fixed order, numbers in full."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


@contextmanager
def schedule_log(path: Path | None) -> Iterator[Callable[..., None] | None]:
    """Write the events of a schedule to a CSV file, if there is one to write."""
    if path is None:
        yield None
        return
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write("seconds,event,agent,step\n")

        def log(event: str, seconds: float, agents: Any, steps: Any) -> None:  # noqa: ANN401
            for agent, step in zip(agents.tolist(), steps.tolist(), strict=True):
                file.write(f"{seconds!r},{event},{agent},{step}\n")

        yield log


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[..., None]]:
    """Show a bar on standard error while something works, if that is a terminal.

    Yields a function to call with (done, total), or (what, done, total).
    """
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
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
