"""Servers started for the demo must come up, be told apart when they fail, and leave nothing behind."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from domain.errors import Unavailable
from pipelines.processes import alone_in, free_port, processes, require_free


def test_a_server_is_waited_for_and_ended_with_the_block(tmp_path: Path) -> None:
    port = free_port(0, host="127.0.0.1")
    with processes(logs=tmp_path, environment={}) as running:
        running.start("web", "http.server", str(port), "--bind", "127.0.0.1")
        running.wait_until_ready("web", f"http://127.0.0.1:{port}/", timeout_s=20)
        assert running.ended() == ()
    with pytest.raises(httpx.TransportError):
        httpx.get(f"http://127.0.0.1:{port}/", timeout=1.0)


def test_a_server_that_dies_while_starting_is_reported_with_its_log(tmp_path: Path) -> None:
    with processes(logs=tmp_path, environment={}) as running:
        running.start("broken", "no_such_module")
        with pytest.raises(Unavailable, match=r"broken ended while starting.*broken\.log"):
            running.wait_until_ready("broken", "http://127.0.0.1:9/", timeout_s=20)
    assert "no_such_module" in (tmp_path / "broken.log").read_text()


def test_a_second_platform_on_the_same_home_is_refused_and_the_first_stays_alone(tmp_path: Path) -> None:
    second = "from pathlib import Path; from pipelines.processes import alone_in\nwith alone_in(Path({!r})): pass"
    command = [sys.executable, "-c", second.format(str(tmp_path / "home"))]
    with alone_in(tmp_path / "home"):
        refused = subprocess.run(command, capture_output=True, text=True)
        assert "Another process serves from" in refused.stderr
    assert subprocess.run(command, capture_output=True).returncode == 0  # the claim ends with the block


def test_a_port_in_use_is_refused_by_name(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Unavailable, match=rf"Port {port} .* is in use.*FIDUCIAL_API_PORT"):
            require_free(port, host="127.0.0.1", setting="FIDUCIAL_API_PORT")
    require_free(port, host="127.0.0.1", setting="FIDUCIAL_API_PORT")


def test_a_taken_port_is_replaced_by_a_free_one(tmp_path: Path) -> None:
    port = free_port(0, host="127.0.0.1")
    with processes(logs=tmp_path, environment=dict(os.environ)) as running:
        running.start("web", "http.server", str(port), "--bind", "127.0.0.1")
        running.wait_until_ready("web", f"http://127.0.0.1:{port}/", timeout_s=20)
        assert free_port(port, host="127.0.0.1") != port


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_servers_end_with_whoever_started_them(tmp_path: Path, number: signal.Signals) -> None:
    port = free_port(0, host="127.0.0.1")
    url = f"http://127.0.0.1:{port}/"
    owner = (
        "import time\nfrom pathlib import Path\nfrom pipelines.processes import processes\n"
        f"with processes(logs=Path({str(tmp_path)!r}), environment={{}}) as running:\n"
        f"    running.start('web', 'http.server', '{port}', '--bind', '127.0.0.1')\n"
        f"    running.wait_until_ready('web', {url!r}, timeout_s=20)\n"
        "    print('ready', flush=True)\n    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", owner], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            httpx.get(url, timeout=1.0)
        except httpx.TransportError:
            return
        time.sleep(0.1)
    pytest.fail("the server outlived its owner")
