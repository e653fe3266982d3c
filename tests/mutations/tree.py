"""The copy of the checkout that mutants are applied to, one at a time."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mutants import Mutant


class Tree:
    """A copy of all files that git does not ignore.

    What is equal already is left alone, so that build products stay good.
    """

    def __init__(self, checkout: Path, at: Path) -> None:
        self.checkout, self.at = checkout, at

    def refresh(self) -> None:
        """Make the copy equal to the checkout, whatever a run that was broken off has left."""
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=self.checkout, capture_output=True, text=True, check=True,
        )  # fmt: skip
        names = set(listed.stdout.split("\0")[:-1])
        for name in names:
            given, copy = self.checkout / name, self.at / name
            if given.is_symlink():
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.unlink(missing_ok=True)
                copy.symlink_to(given.readlink())
            elif given.is_file():
                self._write(copy, given.read_bytes())
        for path in self.at.rglob("*"):
            name = path.relative_to(self.at).as_posix()
            if path.is_file() and name not in names and path.suffix in {".py", ".rs", ".toml"}:
                path.unlink()

    @contextmanager
    def mutated(self, mutant: Mutant) -> Iterator[None]:
        """Hold a mutant's edit in the copy for as long as the context lasts."""
        path = self.at / mutant.path
        original = path.read_bytes()
        self._write(path, mutant.applied(original.decode()).encode())
        try:
            yield
        finally:
            self._write(path, original)

    def _write(self, path: Path, content: bytes) -> None:
        if path.is_file() and path.read_bytes() == content:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        # Python tells old byte code by whole seconds and the size, which an edit may leave alone.
        if path.suffix == ".py":
            shutil.rmtree(path.parent / "__pycache__", ignore_errors=True)
