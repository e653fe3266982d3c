"""The lists of mutants fit the code and the tests, and the check fails where it should."""

from __future__ import annotations

import pytest
from check import ROOT, judge, kind, main
from mutants import HERE, MUTANTS, Mutant, StaleEditError
from suites import BrokenSuiteError, Noticed, PytestSuite, Verdict
from tree import Tree


def test_every_edit_applies_exactly_once():
    stale = []
    for mutant in MUTANTS:
        try:
            mutant.applied((ROOT / mutant.path).read_text())
        except StaleEditError as error:
            stale.append(str(error))
    assert not stale, "\n".join(stale)


def test_every_mutant_has_a_name_of_its_own():
    titles = [mutant.title for mutant in MUTANTS]
    assert len(set(titles)) == len(titles)
    edits = [(mutant.path, mutant.applied((ROOT / mutant.path).read_text())) for mutant in MUTANTS]
    assert len(set(edits)) == len(edits)


def test_the_tests_that_should_notice_exist():
    for mutant in MUTANTS:
        if kind(mutant) == "cargo":
            crate = mutant.expected.replace("headway_", "")
            files = [*ROOT.glob(f"rust/*/tests/{mutant.expected}.rs"), ROOT / "rust" / crate]
            assert any(file.exists() for file in files), mutant.expected
        else:
            assert (ROOT / mutant.expected).is_file(), mutant.expected


def test_every_list_is_read():
    read = sum(len(list_.read_text().split("\nname = ")) - 1 for list_ in HERE.glob("*.toml"))
    assert read == len(MUTANTS)


MUTANT = Mutant("a sum for a difference", "it.py", "a - b", "a + b", "test_it.py")


class Says:
    """A suite that says the same of every mutant."""

    def __init__(self, answer):
        self.answer = answer

    def judge(self, mutant):
        if isinstance(self.answer, Exception):
            raise self.answer
        return Verdict(self.answer, 0.0, 0.0)


@pytest.mark.parametrize(
    ("answer", "equivalent", "problem"),
    [
        (Noticed("test_it.py", "test"), "", ""),
        (None, "", "it survives"),
        (None, "nobody can tell", ""),
        (Noticed("test_it.py", "test"), "nobody can tell", "is noticed"),
        (StaleEditError("stands 0 times"), "", "stands 0 times"),
        (BrokenSuiteError("it does not compile"), "", "it does not compile"),
    ],
)
def test_what_is_not_as_it_should_be_is_a_problem(answer, equivalent, problem):
    mutant = Mutant(*list(MUTANT.__dict__.values())[:5], equivalent=equivalent)
    found = judge(mutant, Says(answer)).problem
    assert bool(found) == bool(problem)
    assert problem in found


@pytest.mark.parametrize("text", ["a", "a - b a - b"])
def test_an_edit_that_does_not_apply_exactly_once_is_refused(text):
    with pytest.raises(StaleEditError, match="bring the list up to date"):
        MUTANT.applied(text)


@pytest.fixture
def tree(tmp_path):
    """A copy of a small project, made as the real one is."""
    (tmp_path / "python" / "headway").mkdir(parents=True)
    (tmp_path / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text())
    (tmp_path / "it.py").write_text("def less(a, b):\n    return a - b\n")
    (tmp_path / "test_it.py").write_text(
        "from it import less\n\n\ndef test_less():\n    assert less(3, 1) == 2\n"
        "    assert less(0, 0) == 0\n"
    )
    return Tree(tmp_path, tmp_path)


def test_a_mutant_is_noticed_by_the_test_that_fails_and_then_undone(tree):
    suite, before = PytestSuite(tree), (tree.at / "it.py").read_text()
    suite.check_unmutated([MUTANT])
    assert suite.judge(MUTANT).by == Noticed("test_it.py", "test_less")
    assert (tree.at / "it.py").read_text() == before


def test_a_check_that_is_interrupted_leaves_the_copy_as_it_was(tree):
    before = (tree.at / "it.py").read_text()
    with pytest.raises(KeyboardInterrupt), tree.mutated(MUTANT):
        assert "a + b" in (tree.at / "it.py").read_text()
        raise KeyboardInterrupt
    assert (tree.at / "it.py").read_text() == before


def test_tests_that_fail_without_a_mutant_stop_the_check(tree):
    (tree.at / "it.py").write_text("def less(a, b):\n    return 7\n")
    with pytest.raises(BrokenSuiteError, match="fails without a mutant"):
        PytestSuite(tree).check_unmutated([MUTANT])


def test_a_list_of_mutants_fits_the_screen(capsys):
    assert main(["--list", "--only", "rule.rs"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 40
    assert all(len(line) <= 100 for line in lines)
