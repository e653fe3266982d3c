"""What a run is written to: its events as JSON lines, itself as a trace with answers."""

from __future__ import annotations

import os
import uuid
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from headway.cli.console import naming
from headway.engines.replay import tape
from headway.live.recording import Recorder
from headway.trace import write_trace
from headway.trace.answers import write_answers
from headway.trace.store import check_target

if TYPE_CHECKING:
    from headway.engines.base import Answer, Request
    from headway.live import Simulation
    from headway.live.events import Event
    from headway.trace.answers import RecordedAnswer


class EventFile:
    """A file that appears when all is written; what was written before, stays until then.

    A pipe or a device is written to as it is. An error while the run goes on is kept and raised by
    `close`, so that a full disk does not end the run.
    """

    def __init__(self, path: Path, *, force: bool) -> None:
        self.path = path
        self.count = 0
        self._in_place = path.exists() and not path.is_file()
        if path.is_file() and path.stat().st_size and not force:
            raise click.ClickException(f"{path} exists already; use --force to replace it")
        self._target = path if self._in_place else path.resolve()
        mark = uuid.uuid4().hex[:8]
        self._fresh = (
            path if self._in_place else self._target.with_name(f".{self._target.name}.{mark}.new")
        )
        self._error: OSError | None = None
        try:
            # A lone surrogate in a text becomes an escape that JSON knows.
            self._file: IO[str] = self._fresh.open(
                "w", encoding="utf-8", errors="backslashreplace", newline="\n"
            )
        except OSError as error:
            error.filename = str(path)
            raise

    def write(self, event: Event) -> None:
        """Write an event, unless writing has failed before."""
        if self._error is None:
            try:
                self._file.write(event.to_json() + "\n")
                self.count += 1
            except OSError as error:
                self._error = error

    def close(self) -> None:
        """Let the file appear.

        Raises
        ------
        OSError
            If not all could be written; there is no file then.
        """
        try:
            if self._error is not None:
                raise self._error
            self._file.flush()
            if not self._in_place:
                os.fsync(self._file.fileno())
            self._file.close()
            if not self._in_place:
                self._fresh.replace(self._target)
        except OSError as error:
            error.filename, error.filename2 = str(self.path), None
            raise
        finally:
            self.discard()

    def discard(self) -> None:
        """Remove what has not appeared yet."""
        with suppress(OSError):
            self._file.close()
        if not self._in_place:
            self._fresh.unlink(missing_ok=True)


class RunFolder:
    """A trace of the run, with the answers, so that it can be run again without a model."""

    def __init__(self, path: Path, simulation: Simulation, *, name: str, force: bool) -> None:
        self.path = path
        self._force = force
        self._recorder = Recorder(simulation, name=name)
        self._answers: list[RecordedAnswer] = []
        check_target(path, overwrite=force)

    def on_event(self, event: Event) -> None:
        """Take an event of the run."""
        self._recorder.on_event(event)

    def on_call(self, request: Request, answer: Answer) -> None:
        """Take an answered call of the run."""
        self._recorder.on_call(request, answer)
        self._answers += tape([(request, answer)])

    def write(self) -> str:
        """Write what all agents have finished, and tell what it is.

        Raises
        ------
        OSError, TraceError
            If it cannot be written.
        """
        trace = self._recorder.trace()
        if not trace.n_steps:
            return f"{self.path}: not written, as no step has been finished by all agents"
        with naming(self.path):
            write_trace(trace, self.path, overwrite=self._force)
            # What was asked again after a step had failed stands there once.
            answers = {row.place: row for row in self._answers if row.step < trace.n_steps}
            write_answers(answers.values(), self.path)
        return (
            f"{self.path}: {trace.n_steps:,} steps, {len(answers):,} answers; next: headway "
            f"compare {self.path}, or the same run with --engine replay:{self.path}"
        )
