"""Alerts and dashboards on a real Prometheus: rules fire on their fault, every query runs, every metric exists."""

import ast
import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

pytestmark = pytest.mark.servers

ROOT = Path(__file__).resolve().parents[2]
RULES = sorted((ROOT / "monitoring/rules").glob("*.yml"))
DASHBOARDS = sorted((ROOT / "monitoring/dashboards").glob("*.json"))
SUFFIXES = {"Counter": ("_total",), "Gauge": ("",), "Histogram": ("_bucket", "_sum", "_count")}
SELECTOR = re.compile(r"(?<![\w:])(fiducial_\w+)(?:\{([^}]*)\})?")
ADDED_BY_PROMETHEUS = {"job", "instance", "le"}


def exported() -> dict[str, set[str]]:
    """Metric name → its labels, of every collector that the serving code makes."""
    found: dict[str, set[str]] = {}
    for path in (ROOT / "serving").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in SUFFIXES:
                name, *rest = (ast.literal_eval(argument) for argument in node.args)
                labels = set(rest[1]) if len(rest) > 1 else set()
                found |= {name + suffix: labels for suffix in SUFFIXES[node.func.id]}
    return found


def queries_of_rules() -> list[str]:
    groups = [group for path in RULES for group in yaml.safe_load(path.read_text())["groups"]]
    return [rule["expr"] for group in groups for rule in group["rules"]]


def queries_of_dashboards() -> list[str]:
    panels = [panel for path in DASHBOARDS for panel in json.loads(path.read_text())["panels"]]
    return [target["expr"] for panel in panels for target in panel["targets"]]


def promtool(*arguments: str) -> str:
    finished = subprocess.run(["promtool", *arguments], cwd=ROOT, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a Prometheus with the committed configuration; its targets do not exist here."""
    folder = tmp_path_factory.mktemp("prometheus")
    committed = (ROOT / "deploy/prometheus/prometheus.yml").read_text()
    (folder / "prometheus.yml").write_text(committed.replace("/etc/prometheus/rules", str(ROOT / "monitoring/rules")))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = shutil.which("prometheus")
    assert program, "make test installs Prometheus"
    process = subprocess.Popen(
        [
            program, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb",
            f"--web.listen-address=127.0.0.1:{port}", "--log.level=error",
        ]
    )  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    try:
        wait_until_ready(address)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=30)


def wait_until_ready(address: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{address}/-/ready", trust_env=False).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError("Prometheus is not ready after 30 s")


def test_every_alert_fires_on_its_fault_and_is_silent_beside_it() -> None:
    assert "SUCCESS" in promtool("test", "rules", "tests/integration/prometheus/alerts.test.yml")


def test_every_alert_has_such_a_test() -> None:
    tested = (ROOT / "tests/integration/prometheus/alerts.test.yml").read_text()
    alerts = re.findall(r"alert: (\w+)", "".join(path.read_text() for path in RULES))
    assert [alert for alert in alerts if f"alertname: {alert}" not in tested] == []


def test_every_alert_says_what_happened_and_what_to_do() -> None:
    groups = [group for path in RULES for group in yaml.safe_load(path.read_text())["groups"]]
    alerts = [rule for group in groups for rule in group["rules"] if "alert" in rule]
    assert all({"summary", "next_step"} <= set(alert["annotations"]) for alert in alerts)


@pytest.mark.parametrize("query", queries_of_rules() + queries_of_dashboards())
def test_a_query_names_only_metrics_and_labels_that_the_platform_exports(query: str) -> None:
    known = exported()
    for metric, matchers in SELECTOR.findall(query):
        assert metric in known
        assert set(re.findall(r"(\w+)\s*[=!]", matchers)) <= known[metric] | ADDED_BY_PROMETHEUS


def test_the_committed_configuration_loads_every_rule(prometheus: str) -> None:
    groups = httpx.get(f"{prometheus}/api/v1/rules", trust_env=False).json()["data"]["groups"]
    assert sum(len(group["rules"]) for group in groups) == len(queries_of_rules())


@pytest.mark.parametrize("query", queries_of_dashboards())
def test_every_dashboard_query_runs(prometheus: str, query: str) -> None:
    answer = httpx.post(f"{prometheus}/api/v1/query", data={"query": query}, trust_env=False).json()
    assert answer["status"] == "success", answer


def test_prometheus_asks_the_facade_and_the_gateway_of_the_compose_file(prometheus: str) -> None:
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text())
    deadline = time.monotonic() + 60
    hosts: set[str] = set()
    while not hosts and time.monotonic() < deadline:  # it takes up its targets some seconds after it is ready
        targets = httpx.get(f"{prometheus}/api/v1/targets", trust_env=False).json()["data"]["activeTargets"]
        hosts = {target["discoveredLabels"]["__address__"].partition(":")[0] for target in targets}
        time.sleep(0.2)
    assert hosts == {"facade", "gateway"}
    assert hosts <= set(compose["services"])


def test_grafana_reads_the_provisioned_prometheus() -> None:
    provisioned = yaml.safe_load((ROOT / "deploy/grafana/provisioning/datasources/prometheus.yml").read_text())
    uids = {source["uid"] for source in provisioned["datasources"]}
    panels = [panel for path in DASHBOARDS for panel in json.loads(path.read_text())["panels"]]
    assert {panel["datasource"]["uid"] for panel in panels} == uids
