"""The command `headway`."""

from __future__ import annotations

import signal
import sys
from typing import Never

#: How a shell tells what ended a program: 128 and the number of the signal.
INTERRUPTED = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM


def main() -> None:
    """Run the command line; needs the extra `headway[cli]`."""
    # As an exception, so that temporary files and folders are removed on the way out.
    signal.signal(signal.SIGTERM, _terminate)
    try:
        from headway.cli.app import app  # noqa: PLC0415 - the extra is optional

        app(prog_name="headway")
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in {"click", "rich", "pyarrow"}:
            raise
        sys.exit(
            f"headway: the command line needs {missing}, which is not installed; "
            'run: pip install "headway[cli]"'
        )
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _terminate(number: int, frame: object) -> Never:
    raise SystemExit(TERMINATED)
