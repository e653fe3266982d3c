"""Running a command whose code may be wrong in any way: for so long and no longer."""

from __future__ import annotations

import os
import signal
import subprocess
from threading import Timer
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

#: What a test run may take, as a multiple of what it takes without a mutant, and at least.
PATIENCE, LEAST = 10, 30.0


class Ended(NamedTuple):
    """How a command ended. `code` is None where it ran out of time."""

    code: int | None
    output: str
    seconds: float


def run(
    command: list[str],
    *,
    cwd: Path,
    limit: float,
    given: Mapping[str, str] | None = None,
    enough: Callable[[str], bool] = lambda line: False,
) -> Ended:
    """Run a command until it ends, has printed a line that is enough, or has used up its time."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HEADWAY_")}
    begin, late = perf_counter(), []
    process = subprocess.Popen(
        command, cwd=cwd, env=environment | dict(given or {}), text=True, errors="replace",
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip

    def end() -> None:
        # The group holds this command and what it has started, nothing else.
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)

    def give_up() -> None:
        late.append(True)
        end()

    timer = Timer(limit, give_up)
    timer.start()
    lines: list[str] = []
    try:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if enough(line):
                end()
                break
        process.stdout.close()
        code = process.wait()
    finally:
        timer.cancel()
        end()
    return Ended(None if late else code, "".join(lines), perf_counter() - begin)


def limit_of(seconds: float) -> float:
    """Return how long a run may take that takes so long without a mutant."""
    return max(PATIENCE * seconds, LEAST)
