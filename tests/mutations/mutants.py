"""Wrong edits a person might make, read from the lists beside this file.

A list names the files it edits, by a short name, and has a table for every mutant:

    [files]
    rule = { path = "rust/core/src/rule.rs", expected = "rule_table" }

    [[rule]]
    name = "the wrong edit in words"
    old = "text that stands in the file once"
    new = "what it becomes"

`expected` is where the mutant should be noticed: the name of a cargo test target for the crates, of
a file of tests for the rest; a mutant may name another one than its file does. `also` holds further
pairs of old and new text, for the rare mistake that is made in two places. `equivalent` says why no
test can notice the mutant: it is applied all the same, and must survive.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


class StaleEditError(Exception):
    """The text that a mutant edits does not stand in its file exactly once any more."""


@dataclass(frozen=True)
class Mutant:
    """One wrong edit; see the module's docstring."""

    name: str
    path: str
    old: str
    new: str
    expected: str
    also: tuple[tuple[str, str], ...] = ()
    equivalent: str = ""

    @property
    def title(self) -> str:
        """The name, with the file it is in."""
        return f"{self.file}: {self.name}"

    @property
    def file(self) -> str:
        """The file in short, such as core/rule.rs."""
        return "/".join([part for part in Path(self.path).parts if part != "src"][-2:])

    def applied(self, text: str) -> str:
        """Return the text of the file with the wrong edit in it.

        Raises
        ------
        StaleEditError
            If an old text does not stand there exactly once, or the edit changes nothing.
        """
        for old, new in ((self.old, self.new), *self.also):
            count = text.count(old)
            if count != 1 or old == new:
                raise StaleEditError(
                    f"{self.title}: the text {old!r} stands in {self.path} {count} times; bring "
                    f"the list up to date with the source"
                )
            text = text.replace(old, new)
        return text


def read_list(path: Path) -> list[Mutant]:
    """Read the mutants of one list."""
    tables = tomllib.loads(path.read_text())
    files = tables.pop("files")
    mutants = []
    for short_name, given in tables.items():
        for fields in given:
            also = tuple(tuple(pair) for pair in fields.pop("also", ()))
            mutants.append(Mutant(**{**files[short_name], **fields, "also": also}))
    return mutants


#: Of all lists, the cheapest to check first.
MUTANTS = [
    mutant
    for name in ("rule", "core", "space", "replay", "live", "binding")
    for mutant in read_list(HERE / f"{name}.toml")
]
