"""Write ``requirements.lock``: every package that pyproject.toml's dependencies need, as pip resolves them today.

Versions stay as they are in the present lock unless ``--upgrade`` is given. torch is left out: it is a step of its own
(``torch.txt``), so that its CPU or its CUDA build can be chosen.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
TORCH = ROOT / "torch.txt"
# aiohttp and redis need it on Python before 3.11.3, which Debian 12 has; pip resolves for the Python it runs on.
ALSO = ("async-timeout",)
# torch and what only its CUDA build brings; nvidia-ml-py is BentoML's.
NOT_LOCKED = re.compile(r"^(torch|triton|cuda-.*|nvidia-(?!ml-py$).*)$")


def canonical(name: str) -> str:
    """A distribution's name as PEP 503 writes it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def declared() -> list[str]:
    """The requirements that pyproject.toml states, those of development included."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [*project["dependencies"], *project["optional-dependencies"]["dev"]]


def resolve(requirements: list[str], *, constraints: Path | None) -> dict[str, str]:
    """Name → version of all that pip would install into an empty environment; nothing is installed."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"]
        limits = ["--constraint", str(constraints)] if constraints else []
        subprocess.run(
            [*command, "--report", str(report), *limits, "--requirement", str(TORCH), *requirements], check=True
        )
        installed = json.loads(report.read_text())["install"]
    return {canonical(item["metadata"]["name"]): item["metadata"]["version"] for item in installed}


def main() -> None:
    """Resolve and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions that fit, not the locked ones")
    upgrade = parser.parse_args().upgrade
    versions = resolve([*declared(), *ALSO], constraints=LOCK if LOCK.exists() and not upgrade else None)
    lines = [f"{name}=={version}" for name, version in sorted(versions.items()) if not NOT_LOCKED.match(name)]
    LOCK.write_text("\n".join(lines) + "\n")
    print(f"{LOCK.name}: {len(lines)} packages")


if __name__ == "__main__":
    main()
