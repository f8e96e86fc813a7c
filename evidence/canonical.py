"""One form of JSON for everything that is signed: sorted keys, UTF-8, no spaces, no NaN."""

import json
from typing import Any


def canonical_json(value: Any) -> bytes:
    """The only bytes this value has, so that a signature can be checked on another machine, years later."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode()
