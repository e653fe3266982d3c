"""Puts wrong edits into the code, one at a time, and sees whether the tests notice.

    python tests/mutations/check.py                  all of them
    python tests/mutations/check.py --only core/     those whose title holds one of these texts
    python tests/mutations/check.py --list           what there is

The edits are made in a copy, `build/mutants`, never in the checkout. The check fails where a mutant
survives, where an edit does not apply exactly once any more, and where the same tests fail without
a mutant. Results are printed and written as JSON.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

from mutants import MUTANTS, Mutant, StaleEditError
from suites import BrokenSuiteError, CargoSuite, ExtensionSuite, PytestSuite, Verdict
from tree import Tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).parents[2]
WIDTH = 100

#: Characters of a problem that are printed; all are in the JSON.
SHOWN = 3000


class Result(NamedTuple):
    """What came of a mutant. `problem` is empty where it went as it should."""

    mutant: Mutant
    verdict: Verdict | None
    problem: str

    def facts(self) -> dict[str, object]:
        """Return it as plain values."""
        mutant, verdict = self.mutant, self.verdict
        by = verdict.by if verdict else None
        return {
            "name": mutant.name,
            "file": mutant.path,
            "noticed": by is not None,
            "by": by and {"file": by.file, "test": by.test},
            "as_expected": by is not None and by.file == mutant.expected,
            "expected": mutant.expected,
            "equivalent": mutant.equivalent,
            "build_seconds": verdict and round(verdict.build_seconds, 2),
            "test_seconds": verdict and round(verdict.test_seconds, 2),
            "problem": self.problem,
        }


def kind(mutant: Mutant) -> str:
    """Which suite a mutant is put to."""
    if mutant.path.startswith("rust/py/"):
        return "extension"
    return "cargo" if mutant.path.startswith("rust/") else "pytest"


def judge(mutant: Mutant, suite: CargoSuite | PytestSuite) -> Result:
    """Put a mutant to a suite, and say whether that went as it should."""
    try:
        verdict = suite.judge(mutant)
    except (BrokenSuiteError, StaleEditError) as error:
        return Result(mutant, None, str(error))
    if verdict.by is None and not mutant.equivalent:
        return Result(mutant, verdict, "it survives: no test has noticed it")
    if verdict.by is not None and mutant.equivalent:
        return Result(mutant, verdict, "it is listed as equivalent, and is noticed")
    return Result(mutant, verdict, "")


def results(mutants: Iterable[Mutant], suites, unmutated: dict[str, int]) -> Iterator[Result]:
    """Put all mutants to their suites, those of one suite together.

    Seconds without a mutant are left in `unmutated`.

    Raises
    ------
    BrokenSuiteError
        If the tests fail without a mutant.
    """
    for name, suite in suites.items():
        own = [mutant for mutant in mutants if kind(mutant) == name]
        if own:
            print(f"without a mutant, {name}:", end=" ", flush=True)
            unmutated[name] = round(suite.check_unmutated(own))
            print(f"{unmutated[name]} s", flush=True)
        for mutant in own:
            yield judge(mutant, suite)


def clipped(text: str) -> str:
    return text if len(text) <= WIDTH else f"{text[: WIDTH - 1]}…"


def show(result: Result) -> None:
    """Print a mutant and what noticed it."""
    mutant, verdict = result.mutant, result.verdict
    seconds = f"{verdict.build_seconds:6.1f} {verdict.test_seconds:6.1f}" if verdict else " " * 13
    print(clipped(f"{seconds}  {mutant.title}"))
    if verdict and verdict.by:
        elsewhere = "" if verdict.by.file == mutant.expected else " (expected elsewhere)"
        print(clipped(f"{'':17}{verdict.by.file}: {verdict.by.test}{elsewhere}"))
    if mutant.equivalent:
        print(clipped(f"{'':17}equivalent: {mutant.equivalent}"))
    if result.problem:
        print(f"  >>> {result.problem[-SHOWN:]}")
    sys.stdout.flush()


def show_sums(done: list[Result]) -> None:
    """Print how many mutants of each file were noticed, and all that went wrong."""
    print("\nmutants  noticed  equivalent  wrong")
    for file in [*dict.fromkeys(result.mutant.file for result in done), ""]:
        of_file = [result for result in done if file in ("", result.mutant.file)]
        wrong = sum(bool(result.problem) for result in of_file)
        right = [result.mutant for result in of_file if not result.problem]
        equivalent = sum(bool(mutant.equivalent) for mutant in right)
        noticed = len(right) - equivalent
        print(f"{len(of_file):7}  {noticed:7}  {equivalent:10}  {wrong:5}  {file or 'all of them'}")
    for result in done:
        if result.problem:
            print(clipped(f"  {result.mutant.title}: {result.problem.partition(chr(10))[0]}"))


def save(path: Path, done: list[Result], unmutated: dict[str, int], seconds: float) -> None:
    facts = {
        "seconds": round(seconds),
        "seconds_unmutated": unmutated,
        "mutants": [result.facts() for result in done],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n")


def check(mutants: list[Mutant], path: Path) -> int:
    """Put mutants to the tests, print and save what came of it; return the exit status."""
    # Whoever ends the check, by keyboard or not, ends the tests that it has started too.
    for way in (signal.SIGINT, signal.SIGTERM):
        signal.signal(way, signal.default_int_handler)
    begin = perf_counter()
    folder = ROOT / "build" / "mutants"
    tree, target = Tree(ROOT, folder / "tree"), folder / "target"
    tree.refresh()
    suites = {
        "cargo": CargoSuite(tree, target),
        "pytest": PytestSuite(tree),
        "extension": ExtensionSuite(tree, target),
    }
    print(" build   test  the wrong edit, and what noticed it (seconds)")
    done: list[Result] = []
    unmutated: dict[str, int] = {}
    broken_off = ""
    try:
        for result in results(mutants, suites, unmutated):
            show(result)
            done.append(result)
    except BrokenSuiteError as error:
        broken_off = str(error)
    except KeyboardInterrupt:
        broken_off = "interrupted; only the copy has been edited, and it is as it was"
    seconds = perf_counter() - begin
    save(path, done, unmutated, seconds)
    show_sums(done)
    print(f"{len(done)} of {len(mutants)} mutants in {seconds:.0f} s")
    if broken_off:
        print(broken_off)
    return 1 if broken_off or any(result.problem for result in done) else 0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", nargs="+", metavar="TEXT", help="those whose title holds a TEXT")
    parser.add_argument("--list", action="store_true", help="tell what there is")
    parser.add_argument("--json", type=Path, default=ROOT / "build" / "mutants.json")
    options = parser.parse_args(arguments)
    chosen = [m for m in MUTANTS if not options.only or any(t in m.title for t in options.only)]
    if not chosen:
        parser.error("no mutant's title holds that")
    if not options.list:
        return check(chosen, options.json)
    for mutant in chosen:
        print(clipped(mutant.title))
        print(clipped(f"{'':6}{mutant.expected}"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
