"""Child processes: started again after a pause, ended with us however we end."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil

from serving.processes import Child, end_all, free_port

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


def wait_for(condition: object, *, within_s: float = 5.0) -> bool:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if condition():  # type: ignore[operator]
            return True
        time.sleep(0.02)
    return False


def test_a_child_that_ends_is_started_again_after_a_pause() -> None:
    child = Child(name="short", command=[sys.executable, "-c", ""], environment={})
    assert child.keep_running()
    assert wait_for(lambda: not child.is_running())
    assert not child.keep_running()
    assert wait_for(child.keep_running)
    child.end()


def test_the_pause_grows_with_each_failure() -> None:
    child = Child(name="short", command=["true"], environment={})
    pauses = []
    for _ in range(3):
        assert wait_for(child.keep_running, within_s=10)
        assert wait_for(lambda: not child.is_running())
        begun = time.monotonic()
        child.keep_running()
        pauses.append(child._not_before - begun)
    assert pauses == sorted(pauses)
    assert pauses[2] > 2 * pauses[0]


def test_several_children_end_together() -> None:
    children = [Child(name=str(number), command=SLEEP, environment={}) for number in range(3)]
    for child in children:
        child.keep_running()
    end_all(children)
    assert not any(child.is_running() for child in children)


def test_a_child_that_ignores_sigterm_is_killed() -> None:
    stubborn = "import signal, time; signal.signal(15, signal.SIG_IGN); print('x', flush=True); time.sleep(60)"
    child = Child(name="stubborn", command=[sys.executable, "-c", stubborn], environment={})
    child.keep_running()
    time.sleep(0.3)
    child.end(within_s=0.3)
    assert not child.is_running()


def test_children_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    program = textwrap.dedent(f"""
        import sys, time, pathlib
        from serving.processes import Child
        child = Child(name="child", command=[sys.executable, "-c", "import time; time.sleep(60)"], environment={{}})
        child.keep_running()
        pathlib.Path({str(tmp_path / "pid")!r}).write_text(str(child.pid))
        time.sleep(60)
    """)
    parent = subprocess.Popen([sys.executable, "-c", program], cwd=Path(__file__).parents[3])
    pid_file = tmp_path / "pid"
    assert wait_for(lambda: pid_file.exists() and pid_file.read_text(), within_s=20)
    child = psutil.Process(int(pid_file.read_text()))
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    assert wait_for(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


def test_a_free_port_is_not_one_already_taken() -> None:
    first = free_port(0)
    assert free_port(first, taken=frozenset({first})) != first
