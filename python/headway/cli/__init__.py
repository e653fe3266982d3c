"""The command `headway`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; needs the extra `headway[cli]`."""
    try:
        from headway.cli.app import app  # noqa: PLC0415 - the extra is optional
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in {"click", "rich", "pyarrow"}:
            raise
        sys.exit(
            f"headway: the command line needs {missing}, which is not installed; "
            'run: pip install "headway[cli]"'
        )
    app(prog_name="headway")
