"""Stored values → what is displayed: modality, VOI and presentation transforms as one table (PS3.3 C.11, PS3.14)."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from domain.errors import UnreadableImage
from imaging.boundary import unreadable
from imaging.header import PixelHeader
from imaging.sequences import first_item
from imaging.values import byte_order, code_of, decimal_of, decimals_of, raw

Values = NDArray[np.float64]


@dataclass(frozen=True)
class LookupTable:
    """A LUT of PS3.3 C.11.1.1 and C.11.2.1.1: entry 0 answers ``first_mapped`` and everything below."""

    entries: Values
    first_mapped: int
    bits: int

    def __call__(self, values: Values) -> Values:
        """Entry for each value; beyond its ends the first and the last."""
        index = np.clip(np.rint(values) - self.first_mapped, 0, len(self.entries) - 1).astype(np.int64)
        return np.asarray(self.entries[index])


def display_table(ds: Dataset, header: PixelHeader) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """For every possible stored bit pattern its grey value, dark to bright, from 0 to 2^bits - 1 (bits: at least 8).

    Raises:
        UnreadableImage: a transform is malformed: shown wrongly is worse than not shown.
    """
    stored = _stored_values(header)
    bits = max(8, header.bits_stored)
    modality, bounds = _modality(ds, stored, signed=header.signed)
    unit = _voi(ds, modality, bounds=bounds, signed=header.signed)
    if header.photometric_interpretation == "MONOCHROME1":
        unit = 1.0 - unit
    grey = np.rint(unit * (2**bits - 1))
    grey[_padding(ds, stored, header)] = 0  # PS3.3 C.7.5.1.1.2: outside the image
    if bits == 8:
        return np.asarray(grey, dtype=np.uint8)
    return np.asarray(grey, dtype=np.uint16)


def _stored_values(header: PixelHeader) -> Values:
    patterns = np.arange(2**header.bits_stored, dtype=np.float64)
    if header.signed:
        patterns[len(patterns) // 2 :] -= len(patterns)
    return patterns


def _modality(ds: Dataset, stored: Values, *, signed: bool) -> tuple[Values, tuple[float, float]]:
    item = _table_item(ds, "ModalityLUTSequence")
    if item is not None:
        values = _lookup_table(item, signed=signed)(stored)
    else:
        slope = decimal_of(ds, "RescaleSlope", default=1.0)
        if slope == 0.0:
            raise UnreadableImage("RescaleSlope is zero.", next_step="Export the image again.")
        values = stored * slope + decimal_of(ds, "RescaleIntercept", default=0.0)
    return values, (float(values.min()), float(values.max()))


def _voi(ds: Dataset, values: Values, *, bounds: tuple[float, float], signed: bool) -> Values:
    """Values of interest from 0 to 1: the VOI LUT, else the first window, else the whole range."""
    item = _table_item(ds, "VOILUTSequence")
    if item is not None:
        table = _lookup_table(item, signed=signed or bounds[0] < 0)
        return np.asarray(np.clip(table(values) / (2**table.bits - 1), 0.0, 1.0))
    centers, widths = decimals_of(ds, "WindowCenter"), decimals_of(ds, "WindowWidth")
    if centers and widths:
        function = code_of(ds, "VOILUTFunction") or "LINEAR"
        return _windowed(values, center=centers[0], width=widths[0], function=function)
    low, high = bounds
    return np.asarray((values - low) / max(high - low, math.ulp(1.0)))


def _windowed(values: Values, *, center: float, width: float, function: str) -> Values:
    formula = WINDOW_FUNCTIONS.get(function)
    if formula is None or width < (1.0 if function == "LINEAR" else math.ulp(1.0)):
        raise UnreadableImage("The window is malformed.", next_step="Export the image again.")
    return np.asarray(np.clip(formula(values, center, width), 0.0, 1.0))


def _linear(values: Values, center: float, width: float) -> Values:
    if width == 1.0:
        return (values > center - 0.5).astype(np.float64)
    return (values - (center - 0.5)) / (width - 1) + 0.5


def _linear_exact(values: Values, center: float, width: float) -> Values:
    return (values - center) / width + 0.5


def _sigmoid(values: Values, center: float, width: float) -> Values:
    return 1.0 / (1.0 + np.exp(np.clip(-4.0 * (values - center) / width, -700.0, 700.0)))


WINDOW_FUNCTIONS: dict[str, Callable[[Values, float, float], Values]] = {
    "LINEAR": _linear,  # PS3.3 C.11.2.1.2.1
    "LINEAR_EXACT": _linear_exact,  # PS3.3 C.11.2.1.3.2
    "SIGMOID": _sigmoid,  # PS3.3 C.11.2.1.3.1
}


def _table_item(ds: Dataset, keyword: str) -> Dataset | None:
    """The item of a LUT sequence; some devices write one without a table, which states nothing."""
    item = first_item(ds, keyword)
    empty = item is None or (raw(item, "LUTDescriptor") is None and raw(item, "LUTData") is None)
    return None if empty else item


def _lookup_table(item: Dataset, *, signed: bool) -> LookupTable:
    order = byte_order(item)
    descriptor, data = raw(item, "LUTDescriptor"), raw(item, "LUTData")
    if descriptor is None or len(descriptor) != 6 or data is None:
        raise unreadable("lookup table")
    count, first, bits = (int(word) for word in np.frombuffer(descriptor, f"{order}u2"))
    count = count or 65536
    if signed and first >= 32768:  # the second word has the sign of the values looked up
        first -= 65536
    word = "u1" if len(data) == count + count % 2 else f"{order}u2"
    entries = np.frombuffer(data, word)[:count]
    if len(entries) != count or not 8 <= bits <= 16:
        raise unreadable("lookup table")
    return LookupTable(entries.astype(np.float64), first, bits)


def _padding(ds: Dataset, stored: Values, header: PixelHeader) -> NDArray[np.bool_]:
    """Which stored values are padding: one value, or a range up to Pixel Padding Range Limit."""
    limits = [_word(ds, keyword, header) for keyword in ("PixelPaddingValue", "PixelPaddingRangeLimit")]
    present = [limit for limit in limits if limit is not None]
    if limits[0] is None:
        return np.zeros(len(stored), dtype=np.bool_)
    return np.asarray((stored >= min(present)) & (stored <= max(present)), dtype=np.bool_)


def _word(ds: Dataset, keyword: str, header: PixelHeader) -> int | None:
    value = raw(ds, keyword)
    if value is None or len(value) != 2:
        return None
    return int(np.frombuffer(value, byte_order(ds) + ("i2" if header.signed else "u2"))[0])
