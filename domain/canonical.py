"""One form of JSON for everything that is signed: sorted keys, UTF-8, no spaces, no NaN."""

import json
from typing import Any


def canonical_json(value: Any) -> bytes:
    """The only bytes this value has, so that a signature can be checked on another machine, years later."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode()


def readable_json(value: Any) -> bytes:
    """As canonical, laid out for a reader: one thing a line, one trailing newline. For files that are digested."""
    return (json.dumps(value, sort_keys=True, ensure_ascii=False, indent=1, allow_nan=False) + "\n").encode()
