"""JSON whose bytes are decided by its content: what is digested, signed or compared is written by this alone."""

import json
from typing import Any


def canonical_json(value: Any) -> bytes:
    """Sorted keys, UTF-8, one space of indentation, one trailing newline; a number that JSON cannot hold is refused."""
    return (json.dumps(value, sort_keys=True, ensure_ascii=False, indent=1, allow_nan=False) + "\n").encode()
