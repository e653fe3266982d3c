"""The suites that are run against mutants, and what they say of each.

Which tests there are is not written down here for the crates: cargo tells. A mutant is first put to
the tests that should notice it, then to all others from the cheapest to the dearest, by the time
they take without a mutant.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

from commands import Ended, limit_of, run

if TYPE_CHECKING:
    from mutants import Mutant
    from tree import Tree

#: Longer than any build.
BUILD_LIMIT = 1800.0

#: Nobody looks for the line a mutant fails in, and programs without line numbers are built sooner.
CARGO = {"CARGO_PROFILE_DEV_DEBUG": "0", "RUST_BACKTRACE": "0"}

#: The crates whose tests a mutant of the core is put to.
CRATES = ("headway-core", "headway-proof")

#: Tests of Python that a mutant is put to when those that should notice it have not, in order.
PYTHON_SUITE = (
    "tests/world", "tests/test_scheduler.py", "tests/test_scheduler_spawn.py",
    "tests/test_position_history.py", "tests/test_scheduler_refuses.py", "tests/live",
    "tests/test_scheduler_as_if_lockstep.py", "tests/test_schedules.py", "tests/test_replay.py",
    "tests/space", "tests/test_scheduler_property.py", "tests/examples",
)  # fmt: skip


class BrokenSuiteError(Exception):
    """A suite could not be run, or fails without a mutant."""


class Noticed(NamedTuple):
    """By which test."""

    file: str
    test: str


class Verdict(NamedTuple):
    """What a suite says of a mutant; `by` is None where nothing has noticed it."""

    by: Noticed | None
    build_seconds: float
    test_seconds: float


class CargoSuite:
    """The tests of the core, and of the crate that tries to break it."""

    def __init__(self, tree: Tree, target: Path) -> None:
        self._tree = tree
        self._given = CARGO | {"CARGO_TARGET_DIR": str(target)}
        self._flags: dict[str, list[str]] = {}
        self._seconds: dict[str, float] = {}

    def check_unmutated(self, _: list[Mutant]) -> float:
        """Build and run everything without a mutant; return the seconds it took.

        Raises
        ------
        BrokenSuiteError
        """
        begin = perf_counter()
        self._choose()
        for name, ended in self._run_each(self._build([]), limit=BUILD_LIMIT):
            if ended.code != 0:
                raise BrokenSuiteError(f"{name} fails without a mutant:\n{ended.output}")
            self._seconds[name] = ended.seconds
        return perf_counter() - begin

    def judge(self, mutant: Mutant) -> Verdict:
        """Put a mutant to the tests."""
        if mutant.expected not in self._flags:
            raise BrokenSuiteError(f"{mutant.title}: there is no test target {mutant.expected!r}")
        with self._tree.mutated(mutant):
            begin = perf_counter()
            first = self._build(self._flags[mutant.expected])
            build = perf_counter() - begin
            first = {mutant.expected: first[mutant.expected]}
            by, test = self._first_failure(first)
            if by is None:
                begin = perf_counter()
                rest = self._build([])
                build += perf_counter() - begin
                del rest[mutant.expected]
                by, more = self._first_failure(rest)
                test += more
        return Verdict(by, build, test)

    def _choose(self) -> None:
        """Find out which test targets there are."""
        command = ["cargo", "metadata", "--no-deps", "--format-version", "1"]
        ended = run(command, cwd=self._tree.at, limit=BUILD_LIMIT, given=self._given)
        if ended.code != 0:
            raise BrokenSuiteError(ended.output)
        for package in json.loads(ended.output.splitlines()[-1])["packages"]:
            for target in package["targets"]:
                name = target["name"]
                if package["name"] not in CRATES:
                    continue
                own = ["--package", package["name"]]
                if "lib" in target["kind"]:
                    self._flags[name] = [*own, "--lib"]
                elif "test" in target["kind"]:
                    self._flags[name] = [*own, "--test", name]

    def _build(self, flags: list[str]) -> dict[str, tuple[str, Path]]:
        """Build test targets, or all; return for each its program and where to run it."""
        if not flags:
            flags = ["--lib", "--tests", *(word for crate in CRATES for word in ("-p", crate))]
        command = ["cargo", "test", "--no-run", *flags, "--message-format",
                   "json-render-diagnostics"]  # fmt: skip
        ended = run(command, cwd=self._tree.at, limit=BUILD_LIMIT, given=self._given)
        if ended.code != 0:
            raise BrokenSuiteError(f"it does not compile:\n{ended.output[-3000:]}")
        programs = {}
        for line in ended.output.splitlines():
            if not line.startswith("{"):
                continue
            message = json.loads(line)
            if message.get("executable") and message["profile"]["test"]:
                where = Path(message["manifest_path"]).parent
                programs[message["target"]["name"]] = (message["executable"], where)
        return programs

    def _run_each(self, programs, limit):
        for name in sorted(programs, key=lambda name: self._seconds.get(name, 0.0)):
            program, where = programs[name]
            seconds = limit or limit_of(self._seconds[name])
            yield name, run([program], cwd=where, limit=seconds, given=self._given, enough=_failed)

    def _first_failure(self, programs) -> tuple[Noticed | None, float]:
        taken = 0.0
        for name, ended in self._run_each(programs, limit=None):
            taken += ended.seconds
            failed = [line for line in ended.output.splitlines() if _failed(line)]
            if failed:
                return Noticed(name, failed[0].split()[1]), taken
            if ended.code != 0:
                return Noticed(name, _ending(ended)), taken
        return None, taken


def _failed(line: str) -> bool:
    """Whether a line of a Rust test program tells of a test that failed."""
    return re.fullmatch(r"test .* \.\.\. FAILED\n?", line) is not None


def _ending(ended: Ended) -> str:
    return "(did not end)" if ended.code is None else f"(ended with code {ended.code})"


class PytestSuite:
    """The tests of the Python package, with the extension as it is."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._rest_seconds: float | None = None
        self._seconds: dict[str, float] = {}

    def check_unmutated(self, mutants: list[Mutant]) -> float:
        """Run the tests that should notice these mutants; return the seconds it took.

        Raises
        ------
        BrokenSuiteError
        """
        begin = perf_counter()
        self._build()
        for name in sorted({mutant.expected for mutant in mutants}):
            self._seconds[name] = self._check([name])
        return perf_counter() - begin

    def judge(self, mutant: Mutant) -> Verdict:
        """Put a mutant to the tests."""
        with self._tree.mutated(mutant):
            begin = perf_counter()
            self._build()
            build = perf_counter() - begin
            by, test = self._first_failure([mutant.expected], self._seconds[mutant.expected])
        if by is None:
            if self._rest_seconds is None:
                self._build()
                self._rest_seconds = self._check(list(PYTHON_SUITE))
            with self._tree.mutated(mutant):
                self._build()
                by, more = self._first_failure(list(PYTHON_SUITE), self._rest_seconds)
                test += more
        return Verdict(by, build, test)

    def _build(self) -> None:
        """Give the copy the extension as it was built in the checkout."""
        package = Path("python", "headway")
        for given in (self._tree.checkout / package).glob("_core*.so"):
            shutil.copy2(given, self._tree.at / package / given.name)

    def _check(self, tests: list[str]) -> float:
        ended = self._run(tests, BUILD_LIMIT)
        if ended.code != 0:
            raise BrokenSuiteError(f"{' '.join(tests)} fails without a mutant:\n{ended.output}")
        return ended.seconds

    def _run(self, tests: list[str], limit: float) -> Ended:
        command = [sys.executable, "-m", "pytest", "-x", "-q", "--tb=no", "--hypothesis-seed=0",
                   "--hypothesis-profile=unshrunk", "-p", "no:cacheprovider", *tests]  # fmt: skip
        given = {"PYTHONPATH": str(self._tree.at / "python")}
        return run(command, cwd=self._tree.at, limit=limit, given=given)

    def _first_failure(self, tests: list[str], seconds: float) -> tuple[Noticed | None, float]:
        ended = self._run(tests, limit_of(seconds))
        if ended.code == 0:
            return None, ended.seconds
        found = re.search(r"^(?:FAILED|ERROR) ([^\s:]+)(?:::(\S+))?", ended.output, re.MULTILINE)
        if found:
            return Noticed(found[1], found[2] or "(does not import)"), ended.seconds
        return Noticed(" ".join(tests), _ending(ended)), ended.seconds


class ExtensionSuite(PytestSuite):
    """The tests of the Python package, with the extension built from the copy."""

    def __init__(self, tree: Tree, target: Path) -> None:
        super().__init__(tree)
        self._target = target

    def _build(self) -> None:
        command = ["cargo", "build", "--package", "headway-py", "--message-format",
                   "json-render-diagnostics"]  # fmt: skip
        given = CARGO | {"CARGO_TARGET_DIR": str(self._target), "PYO3_PYTHON": sys.executable}
        ended = run(command, cwd=self._tree.at, limit=BUILD_LIMIT, given=given)
        if ended.code != 0:
            raise BrokenSuiteError(f"it does not compile:\n{ended.output[-3000:]}")
        messages = [json.loads(line) for line in ended.output.splitlines() if line[0] == "{"]
        built = next(m for m in messages if m.get("target", {}).get("name") == "_core")
        shutil.copy2(built["filenames"][0], self._tree.at / "python/headway/_core.abi3.so")
