"""The wall around foreign decoders: their exceptions become ours, their warnings, which may quote data, stay in."""

import logging
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from PIL.Image import DecompressionBombError
from pydicom.errors import BytesLengthException, InvalidDicomError

from domain.errors import FiducialError, ImageTooLarge, UnreadableImage

# What pydicom, Pillow, the codecs and NumPy raise on broken bytes, as families: no list of single classes stays true.
FOREIGN = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BufferError,
    BytesLengthException,
    EOFError,
    InvalidDicomError,
    LookupError,
    OSError,
    RuntimeError,  # holds RecursionError and NotImplementedError
    SyntaxError,  # Pillow's word for a broken PNG
    TypeError,
    ValueError,
    Warning,
    struct.error,
    zlib.error,
)

_LOCK = threading.Lock()
_INSIDE = 0
_FILTERS = ExitStack()

logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)
logging.getLogger("PIL").setLevel(logging.CRITICAL + 1)


@contextmanager
def foreign_decoder(what: str) -> Iterator[None]:
    """Runs code of a decoding library; whatever it raises leaves as a BadInput that says ``what`` could not be read."""
    try:
        with _silence():
            yield
    except FiducialError:
        raise
    except (DecompressionBombError, MemoryError):
        raise ImageTooLarge(f"The {what} would need too much memory.", next_step="Send a smaller image.") from None
    except FOREIGN:
        raise unreadable(what) from None
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # a Rust decoder's failed assertion is no Exception
            raise
        raise unreadable(what) from None


def unreadable(what: str) -> UnreadableImage:
    """The error for a part that is truncated or corrupt."""
    return UnreadableImage(f"The {what} cannot be read.", next_step="Export the image again and send the new file.")


@contextmanager
def _silence() -> Iterator[None]:
    # warnings.catch_warnings belongs to the process, so threads share one: the first in opens it, the last out closes.
    global _INSIDE
    with _LOCK:
        if _INSIDE == 0:
            _FILTERS.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore")
        _INSIDE += 1
    try:
        yield
    finally:
        with _LOCK:
            _INSIDE -= 1
            if _INSIDE == 0:
                _FILTERS.close()
