"""The pages of MLflow and Prefect in a real browser: they work without the network and show what the main job did."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

Demo = Any  # the dataclass of conftest.py
pytestmark = [pytest.mark.slow, pytest.mark.servers, pytest.mark.timeout(1800)]
DESKTOP = {"width": 1440, "height": 900}  # an engineer's; neither vendor's pages are made for a phone
SCREENSHOTS = os.environ.get("FIDUCIAL_SCREENSHOTS")
TASK = "chest_xray_pneumonia"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        options = ["--headless", "--no-sandbox", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=options)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, demo: Demo) -> Iterator[Page]:
    """A page that asks nobody but this machine, as in a hospital; nor do the servers behind it for being looked at."""
    context = browser.new_context(viewport=DESKTOP)
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    yield context.new_page()
    context.close()
    assert [url for url in asked if not url.startswith(("http://127.0.0.1:", "data:", "blob:"))] == []
    assert not demo.guard_log.exists() or not demo.guard_log.read_text()


def picture(page: Page, name: str) -> None:
    if SCREENSHOTS:
        page.screenshot(path=Path(SCREENSHOTS) / f"{name}.png")


def test_mlflow_shows_the_runs_and_the_registered_model(demo: Demo, page: Page) -> None:
    page.goto(f"{demo.address('MLflow')}/#/experiments")
    expect(page.get_by_text(TASK).first).to_be_visible(timeout=60_000)
    picture(page, "mlflow-experiments")
    page.goto(f"{demo.address('MLflow')}/#/models/{TASK}")
    expect(page.get_by_text("champion").first).to_be_visible(timeout=60_000)
    picture(page, "mlflow-model")


def test_prefect_shows_the_flows_of_the_main_job(demo: Demo, page: Page) -> None:
    page.goto(demo.address("Prefect"))
    expect(page.get_by_text("Flow Runs").first).to_be_visible(timeout=60_000)
    page.goto(f"{demo.address('Prefect')}/runs")
    expect(page.get_by_text("monitoring", exact=True).first).to_be_visible(timeout=60_000)
    picture(page, "prefect-runs")
