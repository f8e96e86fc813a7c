"""Only an edge may swallow everything: the worker's loop. (The API's edge is an exception handler, not an except.)"""

import ast
from pathlib import Path

EDGES = {"serving/worker.py"}
BROAD = {"Exception", "BaseException"}


def catches_everything(handler: ast.ExceptHandler) -> bool:
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(name is None or (isinstance(name, ast.Name) and name.id in BROAD) for name in caught)


def passes_on(handler: ast.ExceptHandler) -> bool:
    """True when the handler tidies up and raises what it caught."""
    return any(isinstance(node, ast.Raise) and node.exc is None for node in ast.walk(handler))


def swallowing(path: Path) -> list[int]:
    handlers = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ExceptHandler))
    return [handler.lineno for handler in handlers if catches_everything(handler) and not passes_on(handler)]


def test_everything_is_swallowed_at_the_edges_only(root: Path, modules: list[Path]) -> None:
    found = {path.relative_to(root).as_posix() for path in modules if swallowing(path)}
    assert found == EDGES
