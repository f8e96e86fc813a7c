"""compose.yaml keeps its promises: nobody is root, no default secret, nothing off loopback, no telemetry."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.environment import NO_TELEMETRY, process_environment

Service = dict[str, Any]
ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "compose.yaml").read_text()
SERVICES: dict[str, Service] = yaml.safe_load(TEXT)["services"]
OURS = sorted(name for name, service in SERVICES.items() if "build" in service)
SECRETS = {"POSTGRES_PASSWORD", "GRAFANA_PASSWORD"}


def test_the_whole_platform_is_there() -> None:
    online = {"facade", "gateway", "worker", "watch", "services", "postgres"}
    assert set(SERVICES) == online | {"mlflow", "prefect", "prefect-worker", "prometheus", "grafana"}


@pytest.mark.parametrize("name", SERVICES)
def test_nobody_is_root_and_nothing_writes_into_its_image(name: str) -> None:
    service = SERVICES[name]
    assert str(service["user"]).partition(":")[0] not in {"", "0", "root"}
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", SERVICES)
def test_every_image_has_an_exact_tag(name: str) -> None:
    assert re.fullmatch(r"[a-z/-]+:v?\d+\.\d+(\.\d+)?(-\w+)?", SERVICES[name]["image"])


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_published_on_loopback_only(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))


@pytest.mark.parametrize("name", SERVICES)
def test_every_part_says_whether_it_is_well_or_why_not(name: str) -> None:
    check = SERVICES[name]["healthcheck"]
    reason = re.search(rf"^  {name}:\n(?:(?!^  \S).*\n)*?\s+disable: true  # \S", TEXT, re.MULTILINE)
    assert "test" in check or reason


@pytest.mark.parametrize("name", SERVICES)
def test_nobody_waits_for_a_part_without_a_health_check(name: str) -> None:
    for needed, how in SERVICES[name].get("depends_on", {}).items():
        assert how["condition"] == "service_healthy"
        assert "test" in SERVICES[needed]["healthcheck"]


@pytest.mark.parametrize("name", ["worker", "watch", "services"])
def test_what_has_no_port_is_well_as_long_as_its_own_heartbeat_is_fresh(name: str) -> None:
    check = SERVICES[name]["healthcheck"]["test"]
    assert check == ["CMD", "python", "/app/healthcheck.py", f"/var/lib/fiducial/heartbeats/{name}-{{host}}"]
    assert f'Heartbeat(settings.heartbeats, "{name}")' in (ROOT / f"serving/wiring/{name}.py").read_text()


@pytest.mark.parametrize("name", OURS)
def test_none_of_ours_can_take_the_whole_host(name: str) -> None:
    memory = re.fullmatch(r"(\d+)g", SERVICES[name]["mem_limit"])
    assert memory
    assert 1 <= int(memory[1]) <= 8
    assert 64 <= SERVICES[name]["pids_limit"] <= 1024


def test_secrets_have_no_default_and_stand_in_the_example() -> None:
    example = (ROOT / ".env.example").read_text()
    for secret in SECRETS:
        assert set(re.findall(rf"\${{{secret}[^}}]*}}", TEXT)) == {f"${{{secret}:?set it in .env}}"}
        assert re.search(rf"^{secret}=$", example, re.MULTILINE)


def test_the_example_names_every_variable_the_file_reads() -> None:
    asked = set(re.findall(r"\$\{([A-Z_]+)", TEXT))
    assert asked == set(re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))


@pytest.mark.parametrize("name", OURS)
def test_vendors_are_as_silent_as_in_our_own_processes(name: str) -> None:
    environment = SERVICES[name]["environment"]
    assert {key: environment.get(key) for key in NO_TELEMETRY} == NO_TELEMETRY
    assert process_environment().items() <= environment.items()


def test_grafana_calls_nobody() -> None:
    environment = SERVICES["grafana"]["environment"]
    assert {"GF_ANALYTICS_REPORTING_ENABLED", "GF_ANALYTICS_CHECK_FOR_UPDATES"} <= set(environment)
    assert all(value == "false" for name, value in environment.items() if name.startswith("GF_ANALYTICS"))


@pytest.mark.parametrize("name", SERVICES)
def test_every_mounted_file_exists(name: str) -> None:
    mounts = [mount.split(":")[0] for mount in SERVICES[name].get("volumes", [])]
    assert all((ROOT / mount).exists() for mount in mounts if mount.startswith("."))


def test_model_services_are_reached_through_the_gateway_only() -> None:
    assert SERVICES["services"]["network_mode"] == "service:gateway"
    assert "ports" not in SERVICES["gateway"]
