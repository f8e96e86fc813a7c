"""Files and functions stay small enough to be read in one go."""

import ast
from collections.abc import Iterator
from pathlib import Path

FILE_LINES = 300
FUNCTION_LINES = 40


def code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef, lines: list[str]) -> int:
    """Lines of a function that are neither blank, comment nor docstring."""
    first = function.body[0]
    documented = (
        isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    )
    docstring = range(first.lineno, (first.end_lineno or 0) + 1) if documented else range(0)
    body = range(function.lineno, (function.end_lineno or function.lineno) + 1)
    texts = (lines[number - 1].strip() for number in body if number not in docstring)
    return sum(1 for text in texts if text and not text.startswith("#"))


def functions(path: Path) -> Iterator[tuple[str, int]]:
    text = path.read_text()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, code_lines(node, text.splitlines())


def test_no_module_is_longer_than_300_lines(modules: list[Path]) -> None:
    assert {p.as_posix(): n for p in modules if (n := len(p.read_text().splitlines())) > FILE_LINES} == {}


def test_no_function_has_more_than_40_lines_of_code(modules: list[Path]) -> None:
    assert {f"{p}:{name}": n for p in modules for name, n in functions(p) if n > FUNCTION_LINES} == {}
