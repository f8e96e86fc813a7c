"""Refuse and record every connection off loopback, in each Python process that has this folder on its PYTHONPATH.

An audit hook (PEP 578) sees connect, sendto and name look-ups of Python's own sockets before they happen and cannot be
removed. What it refuses is appended to the file that ``SOCKET_GUARD_LOG`` names, with who asked; the caller sees an
``OSError``, as on a machine without a network. libuv's sockets (uvloop) raise no audit events, so uvloop is kept out.
"""

import ipaddress
import os
import socket
import sys
import traceback
from pathlib import Path

LOOK_UPS = {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"}
CONNECTIONS = {"socket.connect", "socket.sendto", "socket.sendmsg"}
# A machine may ask for its own name; no packet leaves for that.
LOCAL_NAMES = {"", "localhost", "localhost.localdomain", "ip6-localhost", socket.gethostname()}
INTERNET = {socket.AF_INET, socket.AF_INET6}


def stays_here(host: object) -> bool:
    """True for loopback addresses and this machine's own names."""
    name = host.decode() if isinstance(host, bytes) else host
    if name is None or name in LOCAL_NAMES:
        return True
    try:
        address = ipaddress.ip_address(str(name).partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def refuse(event: str, host: object) -> None:
    """Write down who wanted to go where, then stop it."""
    callers = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_stack()[:-2]]
    line = f"{event} {host!r} pid={os.getpid()} argv={sys.argv[:4]!r} from={' < '.join(reversed(callers[-6:]))}\n"
    with Path(os.environ["SOCKET_GUARD_LOG"]).open("a") as log:
        log.write(line)
    raise PermissionError(f"socket guard: {event} to {host!r} is off loopback")


def hook(event: str, arguments: tuple[object, ...]) -> None:
    """The audit hook."""
    if event in LOOK_UPS and not stays_here(arguments[0]):
        refuse(event, arguments[0])
    if event in CONNECTIONS and isinstance(arguments[1], tuple):
        connection = arguments[0]
        if getattr(connection, "family", None) in INTERNET and not stays_here(arguments[1][0]):
            refuse(event, arguments[1][0])


if "SOCKET_GUARD_LOG" in os.environ:
    sys.modules["uvloop"] = None  # type: ignore[assignment]
    sys.addaudithook(hook)
    Path(os.environ["SOCKET_GUARD_LOG"]).with_suffix(".active").touch()  # so that its silence means something
