"""Make the virtual environment ``.venv`` from ``torch.txt`` and ``requirements.lock``; reuse it while they stay so.

Runs with the system's Python and its standard library only; it must parse on an old Python to be able to refuse it.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / "installed.json"
INPUTS = ("torch.txt", "requirements.lock")
COMMAND = """#!{python}
\"\"\"The fiducial command of this checkout.\"\"\"

import sys

sys.path.insert(0, {root!r})
from pipelines.cli import main

sys.exit(main())
"""


def refuse(message: str) -> None:
    """End with one message and exit code 1."""
    sys.exit("fiducial: " + message)


def digest() -> str:
    """SHA-256 of what the environment is made from, and of the Python that makes it."""
    content = hashlib.sha256(sys.version.encode())
    for name in INPUTS:
        content.update((ROOT / name).read_bytes())
    return content.hexdigest()


def present() -> "dict[str, object]":
    """What the stamp of a finished environment says; empty without one."""
    if not STAMP.exists() or not (VENV / "bin" / "python").exists():
        return {}
    stamp: dict[str, object] = json.loads(STAMP.read_text())
    return stamp


def require_python() -> None:
    """Refuse any Python but 3.11, and a Debian Python without its venv module where it cannot be installed."""
    if sys.version_info[:2] != (3, 11):
        found = "{}.{}".format(*sys.version_info[:2])
        refuse(f"needs Python 3.11, found {found} at {sys.executable}. Install it and run: make PYTHON=python3.11")
    if subprocess.run([sys.executable, "-c", "import ensurepip, venv"], capture_output=True).returncode == 0:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        refuse("this Python cannot make virtual environments. Install its venv module, e.g. apt install python3-venv")
    from system_parts import install

    install(["python3-venv"])


def pip(*arguments: str) -> None:
    """Run the new environment's pip; its own output is the error message."""
    command = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--disable-pip-version-check", "-qq"]
    finished = subprocess.run([*command, *arguments], cwd=ROOT)
    if finished.returncode != 0:
        refuse("pip could not install the environment (see above). Mend the cause and run the same command again.")


def create() -> None:
    """A fresh environment: torch first, by itself, then the lock, then the ``fiducial`` command."""
    shutil.rmtree(VENV, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
    # The lock as constraint: torch's own dependencies come in their locked versions at once.
    index = os.environ.get("TORCH_INDEX")
    pip(*(["--index-url", index] if index else []), "-r", "torch.txt", "-c", "requirements.lock")
    pip("-r", "requirements.lock")


def write_command() -> None:
    """``.venv/bin/fiducial``. The project itself is not installed: a Bento must not find it on its path by accident."""
    command = VENV / "bin" / "fiducial"
    command.write_text(COMMAND.format(python=VENV / "bin" / "python", root=str(ROOT)))
    command.chmod(0o755)


def main() -> None:
    """Make or reuse, and say how long it took."""
    require_python()
    wanted = digest()
    if present().get("digest") == wanted:
        print("environment: .venv is up to date (installing it took {} s)".format(present()["seconds"]), flush=True)
        return
    print("environment: installing .venv from requirements.lock; about three minutes", flush=True)
    begun = time.monotonic()
    create()
    write_command()
    seconds = round(time.monotonic() - begun)
    STAMP.write_text(json.dumps({"digest": wanted, "seconds": seconds}))
    print(f"environment: .venv installed in {seconds} s", flush=True)


if __name__ == "__main__":
    main()
