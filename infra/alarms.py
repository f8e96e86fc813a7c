"""Alarms: what somebody must look at, as lines of ``<home>/alarms/<name>.jsonl``; whoever raises one logs it too."""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any


def file_of(home: Path, name: str) -> Path:
    """Where the alarms of one kind are written."""
    return home / "alarms" / f"{name}.jsonl"


def write(home: Path, name: str, facts: Mapping[str, Any], *, at: datetime) -> None:
    """Add a line to the file; facts are never a patient's."""
    file = file_of(home, name)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as opened:
        opened.write(json.dumps({"at": at.isoformat(), **facts}) + "\n")


def written(home: Path, name: str) -> tuple[dict[str, Any], ...]:
    """Every line of the file, oldest first, but for one that a crash cut short."""
    file = file_of(home, name)
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else ()
    return tuple(facts for line in lines if (facts := _parsed(line)) is not None)


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        facts = json.loads(line)
    except ValueError:
        return None
    return facts if isinstance(facts, dict) else None
