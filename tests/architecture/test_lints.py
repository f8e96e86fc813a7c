"""Two lints of our own: repositories always take a tenant scope, and log calls never receive a patient."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

STATEMENTS = {"select", "insert", "update", "delete", "text", "execute", "scalars", "scalar", "query", "get", "commit"}
LOG_METHODS = {"debug", "info", "warning", "error", "critical", "exception", "log", "msg"}
LOGGERS = {"log", "logger", "logging", "_log", "_logger", "LOG", "LOGGER", "_LOG", "_LOGGER"}
PATIENT_WORDS = {
    "ds", "dataset", "patient_id", "patient_name", "patient_birth_date", "PatientID", "PatientName", "PatientBirthDate",
    "OtherPatientIDs", "AccessionNumber", "accession_number", "person_name",
}  # fmt: skip


def repositories(root: Path) -> Iterator[tuple[Path, ast.ClassDef]]:
    for path in sorted((root / "infra" / "db").glob("*.py")):
        if path.name != "base.py":
            for node in ast.parse(path.read_text()).body:
                if isinstance(node, ast.ClassDef):
                    yield path, node


def base_names(node: ast.ClassDef) -> set[str]:
    return {base.id for base in node.bases if isinstance(base, ast.Name)}


def unscoped(tree: ast.AST) -> Iterator[str]:
    """Statements begun elsewhere than in the base repository, whose helpers add the tenant."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name) and node.func.id in STATEMENTS - {"get"}:
                yield f"line {node.lineno}: {node.func.id}()"
            on_session = isinstance(node.func, ast.Attribute) and _is_session(node.func.value)
            scoped = bool(node.args) and _begins_scoped(node.args[0], tree)
            if on_session and node.func.attr in STATEMENTS and not scoped:
                yield f"line {node.lineno}: session.{node.func.attr}()"


def _is_session(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "_session"


def _begins_scoped(node: ast.expr, tree: ast.AST) -> bool:
    """True when the expression is a chain of calls that begins with ``self._select`` or a name bound to one."""
    while isinstance(node, ast.Call | ast.Attribute):
        if isinstance(node, ast.Attribute) and node.attr in {"_select", "_update", "_delete"}:
            return True
        node = node.func if isinstance(node, ast.Call) else node.value
    return isinstance(node, ast.Name) and any(
        isinstance(bound, ast.Assign)
        and any(isinstance(target, ast.Name) and target.id == node.id for target in bound.targets)
        and _begins_scoped(bound.value, ast.Module([], []))
        for bound in ast.walk(tree)
    )


def logged_patients(tree: ast.AST) -> Iterator[str]:
    """Arguments of log calls that are, or are drawn from, a data set or a person's name."""
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LOG_METHODS):
            continue
        if not _is_logger(node.func.value):
            continue
        for argument in [*node.args, *(keyword.value for keyword in node.keywords)]:
            words = {n.id for n in ast.walk(argument) if isinstance(n, ast.Name)}
            words |= {n.attr for n in ast.walk(argument) if isinstance(n, ast.Attribute)}
            if words & PATIENT_WORDS:
                yield f"line {node.lineno}: {sorted(words & PATIENT_WORDS)}"
        if named := {keyword.arg for keyword in node.keywords} & PATIENT_WORDS:
            yield f"line {node.lineno}: {named}"


def _is_logger(node: ast.expr) -> bool:
    if isinstance(node, ast.Call):  # logs.get(__name__).info(…)
        return isinstance(node.func, ast.Attribute) and node.func.attr in {"get", "getLogger", "get_logger", "bind"}
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    return name in LOGGERS


def test_every_class_with_a_session_is_a_repository_of_one_tenant(root: Path) -> None:
    for path, node in repositories(root):
        uses_session = any(isinstance(n, ast.Attribute) and n.attr == "_session" for n in ast.walk(node))
        assert not uses_session or "Repository" in base_names(node), f"{path.name}: {node.name}"


def test_every_row_is_of_one_tenant(root: Path) -> None:
    for path, node in repositories(root):
        if any(isinstance(n, ast.Name) and n.id == "__tablename__" for n in ast.walk(node)):
            assert base_names(node) & {"TenantRow", "SerialRow"}, f"{path.name}: {node.name}"


def test_repositories_begin_no_statement_without_the_tenant(root: Path) -> None:
    found = {
        path.name: hits
        for path in sorted((root / "infra" / "db").glob("*.py"))
        if path.name not in {"base.py", "session.py"} and (hits := list(unscoped(ast.parse(path.read_text()))))
    }
    assert found == {}


def test_only_the_unit_of_work_commits(modules: list[Path]) -> None:
    commits = {
        path.name
        for path in modules
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr == "commit" and isinstance(node.value, ast.Name)
        and node.value.id in {"session", "connection"}
    }  # fmt: skip
    assert commits == {"session.py"}


def test_no_log_call_receives_a_patient(modules: list[Path]) -> None:
    assert {str(p): hits for p in modules if (hits := list(logged_patients(ast.parse(p.read_text()))))} == {}


@pytest.mark.parametrize(
    "bad",
    [
        "select(StudyRow).where(StudyRow.study_id == study_id)",
        "self._session.get(StudyRow, study_id)",
        "self._session.execute(statement)",
        "query = other()\nself._session.scalars(query)",
    ],
)
def test_the_tenant_lint_finds_what_it_is_for(bad: str) -> None:
    assert list(unscoped(ast.parse(bad)))


@pytest.mark.parametrize(
    "bad",
    [
        "log.info('received', ds=ds)",
        "logger.error(f'failed for {ds.PatientName}')",
        "logs.get(__name__).warning('odd', name=str(image.patient_id))",
        "_LOG.info('x', patient_name=who)",
    ],
)
def test_the_log_lint_finds_what_it_is_for(bad: str) -> None:
    assert list(logged_patients(ast.parse(bad)))
