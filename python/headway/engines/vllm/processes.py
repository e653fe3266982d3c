"""vLLM's processes: what they say when they fail, and where they must not be started.

vLLM runs each engine, and each GPU, in a process of its own. When one fails, this process is told
that it did; why, stands only in its log. So the errors of that log also go to a file, and the
messages of exceptions are taken from there.
"""

from __future__ import annotations

import copy
import json
import multiprocessing
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

from headway.errors import EngineError

# Inherited by the processes that vLLM starts.
_FILE_VARIABLE = "HEADWAY_VLLM_ERRORS"
_CONFIG_VARIABLE = "VLLM_LOGGING_CONFIG_PATH"
_RECORD = "\x1e"
_EXCEPTION = re.compile(r"^(?:[A-Za-z_][\w.]*\.)?[A-Z]\w*(?:Error|Exception|Interrupt)(?::|$)")
#: Exceptions that only say that there was another.
_EMPTY = (
    "EngineDeadError",
    "Engine core initialization failed",
    "WorkerProc initialization failed",
    "RuntimeError: cancelled",
)


def refuse_in_child() -> None:
    """Refuse to start vLLM where a process of it imports the user's script again.

    Raises
    ------
    EngineError
        With what the script lacks; it is also what the parent will report.
    """
    # Python itself tells in this way that a process is not yet one that may start others.
    if not getattr(multiprocessing.current_process(), "_inheriting", False):
        return
    message = (
        "the script starts the engine while it is being imported. vLLM's processes import the "
        "main script again, so what it runs must stand under  if __name__ == '__main__':"
    )
    if file := os.environ.get(_FILE_VARIABLE):
        with Path(file).open("a", encoding="utf-8") as errors:
            errors.write(f"{_RECORD}EngineError: {message}\n")
    raise EngineError(message)


class ErrorFile:
    """The errors that vLLM's processes log from now on."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="headway-vllm-"))
        self._file = self._folder / "errors"
        self._file.touch()
        self._seen = 0
        os.environ[_FILE_VARIABLE] = str(self._file)

    def attach(self, logging_config: dict[str, Any]) -> None:
        """Make the processes that vLLM will start write here, unless the user configured logging.

        Parameters
        ----------
        logging_config : dict
            What vLLM would use by default, for `logging.config.dictConfig`.
        """
        if _CONFIG_VARIABLE in os.environ or os.environ.get("VLLM_CONFIGURE_LOGGING") == "0":
            return
        config = copy.deepcopy(logging_config)
        config["formatters"]["headway"] = {"format": f"{_RECORD}%(message)s"}
        config["handlers"]["headway"] = {
            "class": "logging.FileHandler",
            "filename": str(self._file),
            "formatter": "headway",
            "level": "ERROR",
            "delay": True,
        }
        config["loggers"]["vllm"]["handlers"].append("headway")
        path = self._folder / "logging.json"
        path.write_text(json.dumps(config))
        os.environ[_CONFIG_VARIABLE] = str(path)

    def detach(self) -> None:
        """Leave the environment as it was; processes that run keep writing here."""
        os.environ.pop(_FILE_VARIABLE, None)
        if Path(os.environ.get(_CONFIG_VARIABLE, "")).parent == self._folder:
            del os.environ[_CONFIG_VARIABLE]

    def seen(self) -> None:
        """Forget what was written until now."""
        self._seen = len(self._text())

    def reason(self) -> str | None:
        """Return the first exception that says something, else the first error; None without."""
        records = [
            record
            for record in self._text()[self._seen :].split(_RECORD)
            if record.strip() and not any(word in record for word in _EMPTY)
        ]
        for record in records:
            lines = record.splitlines()
            starts = [i for i, line in enumerate(lines) if _EXCEPTION.match(line)]
            # The last of a record is the one that was not handled.
            if starts:
                return " ".join(line.strip() for line in lines[starts[-1] :]).strip()
        return records[0].splitlines()[0] if records else None

    def remove(self) -> None:
        """Delete the file. May be called twice."""
        self.detach()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _text(self) -> str:
        try:
            return self._file.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""
