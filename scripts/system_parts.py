"""Programs and libraries that tests need beside Python: install what is missing (Debian, as root), else list it all.

Standard library only. ``make test`` runs it first, so that no test has to skip.
"""

import os
import shutil
import subprocess
import sys
from ctypes.util import find_library
from dataclasses import dataclass
from pathlib import Path

POLICY = Path("/usr/sbin/policy-rc.d")


@dataclass(frozen=True)
class Part:
    """One program: where it is looked for, the Debian packages that bring it, and what it is needed for."""

    program: str
    packages: str
    purpose: str
    elsewhere: str = ""  # a pattern below /, for programs that Debian keeps off the PATH

    def present(self) -> bool:
        """True when the program can be started."""
        return shutil.which(self.program) is not None or any(Path("/").glob(self.elsewhere or "nowhere"))


@dataclass(frozen=True)
class Library(Part):
    """One shared library, by the name a linker takes."""

    def present(self) -> bool:
        """True when it can be loaded."""
        return find_library(self.program) is not None


PARTS = (
    Part("postgres", "postgresql", "the facade on a real PostgreSQL", "usr/lib/postgresql/*/bin/postgres"),
    Part("dcmcjpeg", "dcmtk", "DICOM files written by a second implementation"),
    Part("chromium", "chromium fonts-liberation", "the upload page in a real browser"),
    Part("prometheus", "prometheus", "alert rules and dashboard queries on a real Prometheus"),
    Part("promtool", "prometheus", "tests of the alert rules"),
    Library("pango-1.0", "libpango-1.0-0 fonts-dejavu-core fonts-liberation", "validation reports as PDF"),
    Library("pangoft2-1.0", "libpangoft2-1.0-0", "validation reports as PDF"),
    Library("harfbuzz-subset", "libharfbuzz-subset0", "validation reports as PDF"),
    Part("openssl", "openssl", "an evidence bundle checked by hand, as its README.txt says"),
    Part("unzip", "unzip", "an evidence bundle opened without us"),
)


def missing() -> "list[Part]":
    """The parts that this machine lacks."""
    return [part for part in PARTS if not part.present()]


def install(packages: "list[str]") -> None:
    """apt-get install without starting a service.

    A policy-rc.d that forbids starting (Debian Policy 9.3.3) stands only while packages are installed; one that is
    already there stays untouched.
    """
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    ours = not POLICY.exists()
    if ours:
        POLICY.write_text("#!/bin/sh\nexit 101\n")
        POLICY.chmod(0o755)
    try:
        for command in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
            subprocess.run(["apt-get", "-qq", *command], env=environment, check=True, stdout=subprocess.DEVNULL)
    finally:
        if ours:
            POLICY.unlink()


def main() -> None:
    """Install or refuse."""
    lacking = missing()
    if not lacking:
        return
    packages = sorted({package for part in lacking for package in part.packages.split()})
    if os.geteuid() == 0 and shutil.which("apt-get") is not None:
        print(f"system parts: installing {', '.join(packages)}", flush=True)
        install(packages)
        lacking = missing()
    if lacking:
        needs = "".join(f"\n  {part.program}: {part.purpose} (Debian: {part.packages})" for part in lacking)
        sys.exit(
            f"fiducial: tests need programs or libraries that are not on this machine:{needs}\n"
            f"On Debian or Ubuntu: sudo apt-get install {' '.join(packages)}\n"
            "Elsewhere install them by your system's packages, on the PATH. `make test-unit` needs none of them."
        )


if __name__ == "__main__":
    main()
