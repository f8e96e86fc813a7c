"""Code stays in git and bytes stay out: the ignore rules, asked of git itself."""

import subprocess
from pathlib import Path

import pytest

CODE = [
    "data/splits.py",
    "data/sources/kermany_chest_xray.py",
    "data/store/reports/task/network/report.json",
    "dvc.lock",
]
BYTES = [
    "data/store/raw/phantom_chest/images.tar",
    "data/store/prepared/phantom_chest/shards/00000.tar",
    "data/store/checkpoints/task/network/model.onnx",
    "data/store/predictions/task/network.parquet",
    ".fiducial/platform.db",
    ".dvc/config.local",
    ".env",
    ".venv/bin/python",
]


def ignored(root: Path, path: str) -> bool:
    return subprocess.run(["git", "check-ignore", "--quiet", "--no-index", path], cwd=root).returncode == 0


@pytest.mark.parametrize("path", CODE)
def test_code_and_small_documents_are_never_ignored(root: Path, path: str) -> None:
    assert not ignored(root, path)


@pytest.mark.parametrize("path", BYTES)
def test_images_weights_state_and_secrets_are_always_ignored(root: Path, path: str) -> None:
    assert ignored(root, path)
