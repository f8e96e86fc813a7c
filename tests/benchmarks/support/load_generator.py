"""The load generator: a program of its own, so that what clients cost is known and apart from what servers cost.

Reads a ``Load`` as JSON from its first argument. After the warm-up it writes ``ready`` and waits for a line, so that
the caller can read the servers' processor time at that moment; then it runs and writes its columns as JSON.
"""

import asyncio
import itertools
import json
import re
import resource
import secrets
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp

POLICY = re.compile(rb'"policy_version": ?(\d+)')
VERSION = re.compile(rb'"model_version": ?"[^"@]*@(\d+)"')
LOST = 0  # in place of an HTTP status: no answer came


class Generator:
    """Clients of one target, and the columns they fill: one entry per request."""

    def __init__(self, load: dict[str, Any], session: aiohttp.ClientSession) -> None:
        self.load, self.session = load, session
        bodies = [path.read_bytes() for path in sorted(Path(load["bodies"]).iterdir())]
        self.bodies, self.numbers = itertools.cycle(bodies), itertools.count()
        self.columns: dict[str, list[Any]] = {
            name: [] for name in ("begun", "seconds", "status", "policy", "version", "retry_after")
        }

    async def one(self) -> None:
        """Send one request and note its answer."""
        headers = dict(self.load["headers"])
        if self.load["identified"]:
            headers["X-Fiducial-Patient"] = secrets.token_hex(16)
            headers["X-Fiducial-Prediction"] = f"pr_bench_{next(self.numbers)}"
        begun = time.monotonic()
        status, content, retry_after = LOST, b"", False
        try:
            async with self.session.post(self.load["url"], data=next(self.bodies), headers=headers) as response:
                content, status = await response.read(), response.status
                retry_after = "Retry-After" in response.headers
        except (aiohttp.ClientError, TimeoutError):
            status = LOST
        policy, version = POLICY.search(content[-400:]), VERSION.search(content[-400:])
        row = {
            "begun": begun, "seconds": time.monotonic() - begun, "status": status, "retry_after": retry_after,
            "policy": int(policy[1]) if policy else None, "version": int(version[1]) if version else None,
        }  # fmt: skip
        for name, value in row.items():
            self.columns[name].append(value)

    async def closed(self, *, clients: int, seconds: float) -> None:
        """Each client sends its next request when it has its answer."""
        until = time.monotonic() + seconds

        async def client() -> None:
            while time.monotonic() < until:
                await self.one()

        await asyncio.gather(*(client() for _ in range(clients)))

    async def open(self, *, rate: float, seconds: float) -> None:
        """Requests at a fixed rate, whether answers come or not."""
        begun = time.monotonic()
        asked = []
        for number in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, begun + number / rate - time.monotonic()))
            asked.append(asyncio.create_task(self.one()))
        await asyncio.gather(*asked)


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def main(load: dict[str, Any]) -> None:
    timeout = aiohttp.ClientTimeout(total=load["timeout_s"])
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=4.0)  # uvicorn closes an idle connection after 5 s
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
        warm_up = Generator(load, session)
        await warm_up.closed(clients=load["clients"] or 4, seconds=load["warm_up_s"])
        answers = warm_up.columns["status"]
        if answers and 200 not in answers:
            raise SystemExit(f"no request of the warm-up succeeded: statuses {sorted(set(answers))}")
        say("ready")
        sys.stdin.readline()
        generator, cpu, begun = Generator(load, session), cpu_seconds(), time.monotonic()
        if load["rate"]:
            await generator.open(rate=load["rate"], seconds=load["seconds"])
        else:
            await generator.closed(clients=load["clients"], seconds=load["seconds"])
        ended = time.monotonic()
        say(json.dumps({**generator.columns, "elapsed": ended - begun, "cpu_seconds": cpu_seconds() - cpu}))


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
