"""Reading what others wrote: bounded, and with errors that name the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from headway.errors import SpaceError

#: Largest file that is read.
FILE_LIMIT = 32 << 20


def read_bytes(path: Path, kind: str) -> bytes:
    """Return the content of a regular file.

    Raises
    ------
    SpaceError
        If it cannot be read or is too large.
    """
    try:
        # A pipe or a device could be endless.
        if not path.is_file():
            what = "is not a file" if path.exists() else "does not exist"
            raise SpaceError(f"{path}: this {kind} {what}")
        with path.open("rb") as file:
            # Asking for the limit would set aside as much for every small file.
            data = file.read(min(path.stat().st_size, FILE_LIMIT) + 1)
    except (OSError, ValueError) as error:
        if isinstance(error, SpaceError):
            raise
        raise SpaceError(f"{path}: this {kind} cannot be read: {error}") from error
    if len(data) > FILE_LIMIT:
        raise SpaceError(f"{path}: this {kind} is larger than {FILE_LIMIT >> 20} MiB")
    return data


def read_text(path: Path, kind: str) -> str:
    """Return the content of a text file in UTF-8.

    Raises
    ------
    SpaceError
        If it cannot be read, is too large or is not UTF-8.
    """
    try:
        return read_bytes(path, kind).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SpaceError(f"{path}: this {kind} is not text in UTF-8 ({error})") from error


def parse_json(text: str | bytes, path: Path, kind: str) -> Any:  # noqa: ANN401 -- JSON is anything
    """Return the value of a JSON text.

    Raises
    ------
    SpaceError
        If it is not JSON.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SpaceError(f"{path}: this {kind} is not valid JSON: {error}") from error
