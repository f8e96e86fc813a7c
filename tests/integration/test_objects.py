"""A process that is killed while it stores an object leaves nothing under the object's name."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from domain.identifiers import DEFAULT_TENANT, sha256_of
from infra.objects import ObjectStore

PROGRAM = """
import os, sys, time, pathlib
from infra.objects import ObjectStore
step = sys.argv[2]
real = getattr(os, step)
def hang(*arguments):
    print("there", flush=True)
    time.sleep(600)
setattr(os, step, hang)
ObjectStore(pathlib.Path(sys.argv[1])).put("default", b"film" * 2**20)
"""


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_kill_9_before_the_rename_leaves_no_half_object(
    tmp_path: Path, python: Callable[..., "subprocess.Popen[str]"], step: str
) -> None:
    dying = python(PROGRAM, str(tmp_path), step)
    assert dying.stdout
    assert dying.stdout.readline().strip() == "there"
    dying.kill()
    dying.wait()
    store, data = ObjectStore(tmp_path), b"film" * 2**20
    assert not store.path(DEFAULT_TENANT, sha256_of(data)).exists()
    assert store.get(DEFAULT_TENANT, store.put(DEFAULT_TENANT, data)) == data
