"""Each process refuses to start where its level forbids the configuration, with one sentence and exit code 4."""

import subprocess
from collections.abc import Callable
from typing import Any

import httpx
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.servers]


@pytest.mark.parametrize("root", ["api", "gateway", "worker", "services", "platform"])
def test_no_process_starts_at_a_level_that_is_not_built(root: str, new_platform: Callable[..., Any]) -> None:
    platform = new_platform(FIDUCIAL_LEVEL="clinical")
    process = platform.start(root)
    assert process.wait(timeout=60) == 4
    assert "The level clinical refuses to start" in platform.log.read_text()


def test_enhanced_with_basic_authentication_does_not_start(new_platform: Callable[..., Any]) -> None:
    platform = new_platform(FIDUCIAL_LEVEL="enhanced", FIDUCIAL_AUTHENTICATION="basic")
    assert platform.start("api").wait(timeout=60) == 4
    assert "authentication must be jwt" in platform.log.read_text()


def test_an_unknown_level_does_not_start(new_platform: Callable[..., Any]) -> None:
    platform = new_platform(FIDUCIAL_LEVEL="hospital")
    assert platform.start("api").wait(timeout=60) == 2
    log = platform.log.read_text()
    assert "FIDUCIAL_LEVEL: input should be 'starter', 'enhanced', 'clinical' or 'enterprise'." in log
    assert "Traceback" not in log


def test_enhanced_signs_in_with_tokens_and_has_a_worklist(
    new_platform: Callable[..., Any], film: Any, fields: dict[str, str], eventually: Any
) -> None:
    platform = new_platform(FIDUCIAL_LEVEL="enhanced")
    process: subprocess.Popen[bytes] = platform.start()
    platform.wait_ready()
    eventually(lambda: platform.served("demo_classifier") == {0}, what="the demo classifier")
    credentials = {"username": "clinician", "password": platform.secrets.password("clinician")}
    with httpx.Client(base_url=platform.url, timeout=70, trust_env=False) as client:
        assert client.get("/api/v1/worklist").status_code == 401
        token = client.post("/api/v1/token", data=credentials).json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        sent = client.post(
            "/api/v1/studies", files={"files": ("f", film())}, data=fields, params={"wait": 30}
        )  # fmt: skip
        assert sent.status_code == 200, sent.text
        assert sent.json()["predictions"][0]["demo"] is True
        (listed,) = client.get("/api/v1/worklist").json()["studies"]
    assert listed == sent.json()
    assert process.poll() is None
