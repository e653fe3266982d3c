"""The tree keeps its shape: sizes, import directions, nothing left behind."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import headway

ROOT = Path(__file__).parents[2]

#: Which parts of `headway` each part may import. `_core` and numpy are free to all.
MAY_IMPORT = {
    "errors": set(),
    "trace": {"errors"},
    "importers": {"errors", "trace"},
    "generate": {"errors", "trace"},
    "space": {"errors"},
    "structured": {"errors"},
    "engines": {"errors", "trace"},
    "schedules": {"errors", "trace"},
    "world": {"errors", "space"},
    "live": {"errors", "space", "world", "engines", "schedules", "structured", "trace"},
    "examples": {"errors", "space", "world", "live"},
    "testing": {"errors", "space", "world", "engines", "live"},
    "replay": {"errors", "trace", "schedules", "engines"},
    "causality": {"schedules", "trace"},
    "compare": {"errors", "trace", "schedules", "engines", "replay", "causality"},
    "cli": {
        *("errors", "trace", "importers", "generate"),
        *("engines", "schedules", "replay", "compare", "live", "testing"),
    },
    "__init__": {"errors", "live", "space", "world"},
    "__main__": {"cli"},
}

#: Extras that `import headway` must not need, and who may use them.
EXTRAS = {
    "pyarrow": {"trace"},
    "click": {"cli"},
    "rich": {"cli"},
    "zstandard": {"space"},
    "jsonschema": {"structured"},
    "json_repair": {"structured"},
    "httpx": {"engines"},
    "tenacity": {"engines"},
    "openvino_genai": {"engines"},
    "xllamacpp": {"engines"},
    "vllm": {"engines"},
    "hypothesis": {"testing"},
    "pytest": {"testing"},
}


def tracked(*suffixes: str) -> list[Path]:
    """Files of the project; those git knows, or all where there is no git."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listed.returncode == 0:
        paths = [ROOT / line for line in listed.stdout.splitlines()]
    else:
        folders = ("python", "rust", "tests", "benches", "examples", "docs")
        paths = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    return [path for path in paths if path.suffix in suffixes and path.is_file()]


def part_of(path: Path) -> str:
    return path.relative_to(ROOT / "python" / "headway").with_suffix("").parts[0]


def imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


PACKAGE = [path for path in tracked(".py") if "python/headway/" in path.as_posix()]


def test_no_part_imports_against_the_arrows():
    for path in PACKAGE:
        part = part_of(path)
        for name in imports(path):
            top, _, rest = name.partition(".")
            if top == "headway":
                other = rest.partition(".")[0]
                allowed = {part, "_core", "__version__", *MAY_IMPORT[part]}
                if part == "examples":
                    allowed |= set(headway.__all__)  # as a user would write it
                assert other in allowed, f"{path} imports {name}"
            if top in EXTRAS:
                assert part in EXTRAS[top], f"{path} imports {top}"


def test_files_hold_one_idea_and_lines_fit():
    for path in tracked(".py", ".rs"):
        lines = path.read_text().splitlines()
        # The binding's doc comments are the docstrings of the Python classes.
        if "py" in path.parts:
            lines = [line for line in lines if not line.strip().startswith("///")]
        limit = 800 if "tests" in path.parts else 500
        assert len(lines) <= limit, f"{path} has {len(lines)} lines"
        too_long = [i for i, line in enumerate(lines, 1) if len(line) > 100]
        assert not too_long, f"{path}: lines {too_long} are longer than 100 characters"


def test_functions_fit_a_screen():
    for path in PACKAGE:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                doc = ast.get_docstring(node, clean=False)
                first = node.body[1] if doc and len(node.body) > 1 else node.body[0]
                length = (node.end_lineno or 0) - first.lineno + 1
                assert length <= 70, f"{path}: {node.name} has {length} lines"


def test_every_module_says_what_it_is_for():
    for path in tracked(".py"):
        assert ast.get_docstring(ast.parse(path.read_text())), path
    for path in tracked(".rs"):
        assert path.read_text().startswith("//!"), path


def test_nothing_is_left_unfinished():
    words = ("TO" + "DO", "FIX" + "ME", "XX" + "X", "todo" + "!", "unimplemented" + "!")
    marks = re.compile(rf"\b({'|'.join(words)})")
    for path in tracked(".py", ".rs", ".md", ".toml"):
        assert not marks.search(path.read_text()), path


def test_the_inequalities_of_the_rule_stand_in_one_file_of_the_core():
    """Outside rule.rs nobody combines a sight, a reach or a speed with a lag."""
    term, rest = "(sight|reach|speed)", "[^;,{}]*"
    arithmetic = re.compile(rf"{term}\b{rest}[-+*]{rest}\b({term}|lag)\b")
    for path in sorted((ROOT / "rust" / "core" / "src").glob("*.rs")):
        if path.name == "rule.rs":
            continue
        for line in path.read_text().splitlines():
            code = line.partition("//")[0]
            assert not arithmetic.search(code), f"{path.name}: {line.strip()}"


def test_the_rule_file_stays_short():
    rule = (ROOT / "rust" / "core" / "src" / "rule.rs").read_text().splitlines()
    code = [line for line in rule if line.strip() and not line.strip().startswith("//")]
    assert len(code) <= 110
