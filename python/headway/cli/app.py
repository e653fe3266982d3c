"""The command group, and how errors reach the user."""

from __future__ import annotations

import errno
import re
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from headway import __version__
from headway.cli import INTERRUPTED
from headway.cli.check import check
from headway.cli.console import clean, drop_output
from headway.cli.make import generate, import_
from headway.cli.prove import prove
from headway.cli.run import run
from headway.cli.runs import compare, replay
from headway.errors import HeadwayError, InvariantError

if TYPE_CHECKING:
    from collections.abc import Iterator


class Group(click.Group):
    """A group whose commands report Headway's errors as one line, without a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Show the commands in the order of their use."""
        return list(self.commands)

    def make_context(self, *args: Any, **extra: Any) -> click.Context:  # noqa: ANN401
        """Read the group's own options; its help is printed here."""
        with _told():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - as click declares it
        """Run the command."""
        with _told():
            return super().invoke(ctx)


@contextmanager
def _told() -> Iterator[None]:
    """Turn errors into what click prints as one line."""
    try:
        yield
    except InvariantError:
        raise  # a bug of ours: the traceback is wanted
    except HeadwayError as error:
        raise click.ClickException(clean(_in_options(str(error)))) from error
    except OSError as error:
        if error.errno == errno.EPIPE:
            raise  # whoever read the output has enough; click ends in silence
        drop_output()
        # What Headway opens has a name; click's own texts go to standard output.
        where = error.filename or "standard output"
        raise click.ClickException(clean(f"{where}: {error.strerror or error}")) from error
    except KeyboardInterrupt:
        # click alone would exit with 1, as after an error.
        click.echo("headway: interrupted", err=True)
        sys.exit(INTERRUPTED)


def _in_options(message: str) -> str:
    """Say the command line's options where a message advises Python arguments."""
    message = re.sub(
        r"\b(on_\w+)=['\"](\w+)['\"]",
        lambda found: f"--{found[1].replace('_', '-')}={found[2]}",
        message,
    )
    return message.replace("pass overwrite=True", "use --force")


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="headway %(version)s")
def app() -> None:
    """Run and replay simulations of many LLM agents, and see how much faster they could run.

    Agents of a shared world are usually advanced in lock-step: each step waits for the slowest
    agent. Headway lets an agent go as soon as nothing that can still happen could reach it, with
    the same result.

    \b
    Start here:
      headway run town                       run a small town of live agents
      headway prove town                     check that it gives what lock-step gives
      headway generate town.hwt              draw a day of a town of 25 agents
      headway compare town.hwt               how long each schedule takes
      headway import RECORDING -o mine.hwt   take a recorded town of your own
      headway check mine.hwt                 see how far its agents move

    A trace is a folder with agents, positions and LLM calls; no model is needed to replay one: the
    time an LLM server takes is modelled.

    \b
    Exit codes:
      0         fine
      1         an error, told on standard error
      2         a command line that cannot be understood
      3         `check` found moves that are too long
      4         `prove` found a run that differs from lock-step
      130, 143  interrupted (Ctrl-C), terminated
    """


app.add_command(run)
app.add_command(prove)
app.add_command(generate)
app.add_command(import_)
app.add_command(check)
app.add_command(replay)
app.add_command(compare)
