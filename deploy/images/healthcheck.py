"""Exit 0 when the address given as the first argument answers 200 within three seconds: the images carry no curl."""

import sys
import urllib.request

with urllib.request.urlopen(sys.argv[1], timeout=3) as answer:  # noqa: S310 - the address stands in the compose file
    sys.exit(0 if answer.status == 200 else 1)
