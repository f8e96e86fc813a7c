"""What a new file in a plug-in folder needs besides itself: one line in params.yaml; a test names what is missing."""

from pathlib import Path

import yaml

from data.sources import list_sources
from models.tasks import list_tasks


def parameters(root: Path) -> dict[str, dict[str, object]]:
    loaded: dict[str, dict[str, object]] = yaml.safe_load((root / "params.yaml").read_text())
    return loaded


def test_every_task_is_scheduled_in_params(root: Path) -> None:
    assert set(parameters(root)["tasks"]) == set(list_tasks())


def test_every_source_that_params_names_exists(root: Path) -> None:
    assert set(parameters(root)["sources"]) <= set(list_sources())
