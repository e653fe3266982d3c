"""Write the docstrings of the built extension into its stub: `python tests/api/stub_docs.py`.

The Rust doc comments are the source; the stub repeats them for editors. `test_stub.py` fails while
they differ.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from pathlib import Path

from headway import _core

STUB = Path(__file__).parents[2] / "python" / "headway" / "_core.pyi"


def documented(tree: ast.Module) -> list[tuple[ast.ClassDef | ast.FunctionDef, object]]:
    """Pair each public class and method of the stub with the built object."""
    pairs: list[tuple[ast.ClassDef | ast.FunctionDef, object]] = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            pairs.append((node, getattr(_core, node.name)))
        if isinstance(node, ast.ClassDef):
            built = getattr(_core, node.name)
            pairs.append((node, built))
            pairs.extend(
                (member, vars(built)[member.name])
                for member in node.body
                if isinstance(member, ast.FunctionDef) and not member.name.startswith("__")
            )
    return pairs


def differences() -> list[str]:
    """Name what has another docstring in the stub than in the built extension."""
    tree = ast.parse(STUB.read_text())
    return [
        node.name
        for node, built in documented(tree)
        if (ast.get_docstring(node) or "") != inspect.cleandoc(getattr(built, "__doc__", "") or "")
    ]


def rewrite() -> None:
    """Put the built docstrings into the stub."""
    lines = STUB.read_text().splitlines()
    tree = ast.parse("\n".join(lines))
    for node, built in sorted(documented(tree), key=lambda pair: -pair[0].body[0].lineno):
        first = node.body[0]
        has_doc = ast.get_docstring(node) is not None
        has_dots = isinstance(first, ast.Expr) and not has_doc
        start = min([first.lineno, *(d.lineno for d in getattr(first, "decorator_list", []))])
        end = first.end_lineno if has_doc or has_dots else start - 1
        indent = " " * (node.col_offset + 4)
        doc = inspect.cleandoc(getattr(built, "__doc__", "") or "")
        text = textwrap.indent(f'"""{doc}\n"""' if "\n" in doc else f'"""{doc}"""', indent)
        inner = [line.rstrip() for line in text.splitlines()]
        head = lines[: start - 1]
        if head[-1].endswith(" ..."):
            head[-1] = head[-1].removesuffix(" ...")
        lines = head + inner + lines[end:]
    STUB.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    rewrite()
