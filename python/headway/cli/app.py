"""The command group, and how errors reach the user."""

from __future__ import annotations

import re
from typing import Any

import click

from headway import __version__
from headway.cli.check import check
from headway.cli.make import generate, import_
from headway.cli.runs import compare, replay
from headway.errors import HeadwayError, InvariantError


class Group(click.Group):
    """A group whose commands report Headway's errors as one line, without a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Show the commands in the order of their use."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - as click declares it
        """Run the command."""
        try:
            return super().invoke(ctx)
        except InvariantError:
            raise  # a bug of ours: the traceback is wanted
        except HeadwayError as error:
            raise click.ClickException(_in_options(str(error))) from error
        except OSError as error:
            raise click.ClickException(
                f"{error.filename or ''}: {error.strerror or error}"
            ) from error


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
    """Replay simulations of many LLM agents, and see how much faster they could run.

    Agents of a shared world are usually advanced in lock-step: each step waits for the slowest
    agent. Headway lets an agent go as soon as nothing that can still happen could reach it, with
    the same result.

    \b
    Start here:
      headway generate town.hwt              draw a day of a town of 25 agents
      headway compare town.hwt               how long each schedule takes
      headway import RECORDING -o mine.hwt   take a recorded town of your own
      headway check mine.hwt                 see how far its agents move

    A trace is a folder with agents, positions and LLM calls; no model is needed to replay one: the
    time an LLM server takes is modelled.
    """


app.add_command(generate)
app.add_command(import_)
app.add_command(check)
app.add_command(replay)
app.add_command(compare)
