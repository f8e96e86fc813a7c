"""Only the edges may catch everything: the API's handler, the worker's loop and the flow runner."""

import ast
from pathlib import Path

EDGES = {"serving/api/errors.py", "serving/worker.py", "pipelines/wiring.py", "pipelines/cli.py"}
BROAD = {"Exception", "BaseException"}


def catches_everything(handler: ast.ExceptHandler) -> bool:
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(name is None or (isinstance(name, ast.Name) and name.id in BROAD) for name in caught)


def broad_handlers(path: Path) -> list[int]:
    tree = ast.parse(path.read_text())
    return [node.lineno for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler) and catches_everything(node)]


def test_everything_is_caught_only_at_the_edges(root: Path, modules: list[Path]) -> None:
    found = {
        name: lines
        for path in modules
        if (name := path.relative_to(root).as_posix()) not in EDGES and (lines := broad_handlers(path))
    }
    assert found == {}
