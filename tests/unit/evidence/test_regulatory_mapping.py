"""The regulatory documents say what the checklists and the audit vocabulary say."""

import re
from pathlib import Path

from domain.audit import AuditAction
from evidence.checklists.fill import GUIDELINES

FOLDER = Path(__file__).resolve().parents[3] / "docs/regulatory"
OPEN = "no answer: the authors"


def rows(heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, without its head."""
    below = (FOLDER / "mapping.md").read_text().split(f"\n## {heading}", 1)[1]
    table = re.search(r"(?:^\|.*\n)+", below, re.MULTILINE)
    assert table
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.group().splitlines()[2:]]


def test_the_mapping_places_every_item_where_the_checklists_answer_it() -> None:
    said = {section: tuple(cells) for section, *cells in rows("Checklists by section")}
    sections = dict.fromkeys(item.where or OPEN for guideline in GUIDELINES for item in guideline.items)
    assert said == {
        section: tuple(
            ", ".join(item.number for item in guideline.items if (item.where or OPEN) == section) or "–"
            for guideline in GUIDELINES
        )
        for section in sections
    }


def test_the_mapping_has_a_row_for_every_section_of_the_report() -> None:
    sections = [row[0] for row in rows("Sections of the validation report")]
    assert [int(section.split()[0]) for section in sections] == list(range(1, 19))
    assert {item.where for guideline in GUIDELINES for item in guideline.items if item.where} <= set(sections)


def test_every_audit_action_that_the_documents_name_exists() -> None:
    known = {action.value for action in AuditAction}
    families = {action.split(".")[0] for action in known}
    dotted = {name for path in FOLDER.glob("*.md") for name in re.findall(r"`([a-z_]+\.[a-z_]+)`", path.read_text())}
    actions = {name for name in dotted if name.split(".")[0] in families and not name.endswith((".yaml", ".json"))}
    assert "record.signed" in actions
    assert actions <= known
