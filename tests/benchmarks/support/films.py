"""Invented radiographs, and the bytes in which they travel."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from serving.gateway_client import npy_bytes
from tests.benchmarks.support.knobs import BODY

COUNT = 32  # different films in rotation, so that nothing answers from a cache
SIDES_PX = (224, 1024)


def film(seed: int, *, side_px: int) -> NDArray[np.uint8]:
    """Soft shadows with grain: what PNG makes of it is about as large as of a real film of that size."""
    y, x = np.mgrid[0:side_px, 0:side_px] / side_px
    image = 120 + 60 * np.sin(8 * x + seed) + 40 * np.cos(7 * y)
    image += np.random.default_rng(seed).normal(0, 4, x.shape)
    return np.asarray(np.clip(image, 0, 255), dtype=np.uint8)


def films(side_px: int, *, count: int = COUNT) -> list[NDArray[np.uint8]]:
    """Different films of one size."""
    return [film(seed, side_px=side_px) for seed in range(count)]


def png(pixels: NDArray[np.uint8]) -> bytes:
    """A film as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", compress_level=6)
    return buffer.getvalue()


def encoded(pixels: NDArray[np.uint8], *, as_: str = BODY) -> bytes:
    """A film as the body of a request."""
    return png(pixels) if as_ == "png" else npy_bytes(pixels)


def decoded(body: bytes) -> NDArray[Any]:
    """The pixels of a body, by the libraries the service uses."""
    if body.startswith(b"\x89PNG"):
        return np.asarray(Image.open(io.BytesIO(body)))
    pixels: NDArray[Any] = np.load(io.BytesIO(body), allow_pickle=False)
    return pixels


def write_bodies(folder: Path, *, side_px: int, as_: str = BODY, count: int = COUNT) -> Path:
    """A folder of bodies for the load generator."""
    target = folder / f"{as_}-{side_px}"
    target.mkdir(exist_ok=True)
    for number, pixels in enumerate(films(side_px, count=count)):
        (target / f"{number:03}").write_bytes(encoded(pixels, as_=as_))
    return target
