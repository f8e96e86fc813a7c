"""One image → pixels as they are displayed: two-dimensional, greyscale, dark to bright."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from imaging.boundary import foreign_decoder
from imaging.codecs import stored_values
from imaging.dataset import parse
from imaging.greyscale import display_table
from imaging.header import pixel_header
from imaging.limits import Limits
from imaging.part10 import format_of
from imaging.raster import read_raster
from imaging.values import decimals_of


@dataclass(frozen=True)
class Radiograph:
    """Rows × columns, MONOCHROME2 sense: 0 is black, 2^bits - 1 is white."""

    pixels: NDArray[np.uint8] | NDArray[np.uint16]
    bits: int
    pixel_spacing_mm: tuple[float, float] | None = None  # between rows, between columns; None: not stated


def decode(data: bytes, *, limits: Limits) -> Radiograph:
    """Decodes a PNG, JPEG or DICOM image with its modality, VOI and presentation transforms.

    Raises:
        UnsupportedImageKind: readable, but not one greyscale frame for presentation.
        BadInput: empty, of no known format, outside the limits, truncated or corrupt.
    """
    limits.check_bytes(len(data))
    image_format = format_of(data)
    if image_format == "dicom":
        return _decode_dicom(data, limits=limits)
    pixels = read_raster(data, image_format=image_format, limits=limits)
    return Radiograph(pixels, bits=pixels.dtype.itemsize * 8)


def _decode_dicom(data: bytes, *, limits: Limits) -> Radiograph:
    parsed = parse(data, limits=limits)
    with foreign_decoder("pixel data"):
        header = pixel_header(parsed.ds, limits=limits)
        header.check_can_be_scored()
        table = display_table(parsed.ds, header)
        pixels = table[stored_values(parsed, header)]
        return Radiograph(pixels, max(8, header.bits_stored), pixel_spacing_mm=_pixel_spacing_mm(parsed.ds))


def _pixel_spacing_mm(ds: Dataset) -> tuple[float, float] | None:
    """Of the patient if calibrated (0028,0030), else at the detector (0018,1164)."""
    for keyword in ("PixelSpacing", "ImagerPixelSpacing"):
        values = decimals_of(ds, keyword)
        if len(values) == 2 and min(values) > 0:
            return values[0], values[1]
    return None
