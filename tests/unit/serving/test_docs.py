"""The documented audit vocabulary is the code's."""

import re
from pathlib import Path

from domain.audit import AuditAction


def test_the_documentation_lists_exactly_the_audit_actions() -> None:
    table = (Path(__file__).parents[3] / "docs" / "audit.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `([a-z_.]+)`", table, flags=re.MULTILINE) == [action.value for action in AuditAction]
