"""Where the cache keeps its answers: in memory, or in a SQLite file."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

from headway.engines.base import Answer
from headway.errors import EngineError

if TYPE_CHECKING:
    import os

#: In the header of the file, so that no other program's database is taken for a cache: "HdwC".
_APPLICATION = 0x48647743
_VERSION = 1

_TABLE = """
CREATE TABLE answers (
    key TEXT PRIMARY KEY,
    text TEXT NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cached_tokens INTEGER,
    finish TEXT NOT NULL,
    model TEXT NOT NULL
) WITHOUT ROWID
"""


class MemoryStore:
    """Answers by key, as long as the process lives."""

    def __init__(self) -> None:
        self._answers: dict[str, Answer] = {}

    def get(self, key: str) -> Answer | None:
        """Return the answer kept under a key, or None."""
        return self._answers.get(key)

    def put(self, key: str, answer: Answer) -> None:
        """Keep an answer."""
        self._answers[key] = answer

    def close(self) -> None:
        """Do nothing: the answers stay."""


class FileStore:
    """Answers by key, in a SQLite file that several processes may use.

    What was put survives the end of the process at any moment; of the last seconds before a power
    failure some may be lost, none damaged.

    Parameters
    ----------
    path : path-like
        Made where it is missing, its folder too.

    Raises
    ------
    EngineError
        Where the file cannot be opened, is damaged, or no cache.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # A run has its engine to itself, but maybe in another thread than that which made it.
            self._db = sqlite3.connect(
                self._path, timeout=10.0, isolation_level=None, check_same_thread=False
            )
        except (OSError, sqlite3.Error) as error:
            raise EngineError(f"the cache {self._path} cannot be opened: {error}") from error
        try:
            self._prepare()
        except sqlite3.Error as error:
            self._db.close()
            raise self._unusable(error) from error
        except EngineError:
            self._db.close()
            raise

    def get(self, key: str) -> Answer | None:
        """Return the answer kept under a key, or None.

        Raises
        ------
        EngineError
            Where the file cannot be read.
        """
        try:
            row = self._db.execute(
                "SELECT text, prompt_tokens, output_tokens, cached_tokens, finish, model "
                "FROM answers WHERE key = ?",
                (key,),
            ).fetchone()
        except sqlite3.Error as error:
            raise self._unusable(error) from error
        return None if row is None else Answer(*row)

    def put(self, key: str, answer: Answer) -> None:
        """Keep an answer; one that is there already stays.

        Raises
        ------
        EngineError
            Where the file cannot be written, or the text has no encoding in UTF-8.
        """
        try:
            self._db.execute(
                "INSERT OR IGNORE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    key,
                    answer.text,
                    answer.prompt_tokens,
                    answer.output_tokens,
                    answer.cached_tokens,
                    answer.finish,
                    answer.model,
                ),
            )
        except (sqlite3.Error, UnicodeEncodeError) as error:
            raise self._unusable(error) from error

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _prepare(self) -> None:
        # Before anything is changed: it may be somebody else's.
        self._db.execute("BEGIN IMMEDIATE")
        application, version, tables = (
            self._db.execute(question).fetchone()[0]
            for question in (
                "PRAGMA application_id",
                "PRAGMA user_version",
                "SELECT count(*) FROM sqlite_master",
            )
        )
        if application == 0 and tables == 0:
            self._db.execute(_TABLE)
            self._db.execute(f"PRAGMA application_id = {_APPLICATION}")
            self._db.execute(f"PRAGMA user_version = {_VERSION}")
        elif application != _APPLICATION:
            raise EngineError(f"{self._path} is another program's database; choose another path")
        elif version != _VERSION:
            raise EngineError(
                f"the cache {self._path} has version {version}, but this release of Headway "
                f"understands version {_VERSION} only; choose another path"
            )
        self._db.execute("COMMIT")
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")

    def _unusable(self, error: Exception) -> EngineError:
        return EngineError(
            f"the cache {self._path} cannot be used ({error}); delete the file if it is damaged, "
            "or choose another path"
        )
