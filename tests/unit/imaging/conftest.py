"""PNG and JPEG files made on the spot, and what a call needs of memory."""

import io
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

Write = Callable[..., bytes]


@pytest.fixture
def gradient() -> NDArray[np.uint16]:
    """40 × 50 twelve-bit values, all different."""
    return (np.arange(2000, dtype=np.uint16) * 2).reshape(40, 50)


@pytest.fixture
def encoded() -> Write:
    """Encodes an image with Pillow."""

    def write(image: Image.Image, **options: object) -> bytes:
        buffer = io.BytesIO()
        image.save(buffer, **options)
        return buffer.getvalue()

    return write


@pytest.fixture
def peak_kib() -> Callable[[Callable[[], None]], int]:
    """What a call allocates at most, in KiB; NumPy's and Python's memory are both counted."""

    def measure(call: Callable[[], None]) -> int:
        tracemalloc.start()
        try:
            call()
            return tracemalloc.get_traced_memory()[1] // 1024
        finally:
            tracemalloc.stop()

    return measure
