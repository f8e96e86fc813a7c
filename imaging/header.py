"""The Image Pixel module of one object (PS3.3 C.7.6.3): checked once, trusted afterwards."""

import re
from dataclasses import dataclass

from pydicom.dataset import Dataset

from domain.errors import UnreadableImage, UnsupportedImageKind
from imaging.limits import Limits
from imaging.values import code_of, needed, raw, unsigned_of

_INTEGER = re.compile(r"[+-]?[0-9]{1,11}")  # IS


@dataclass(frozen=True)
class PixelHeader:
    """Size, frames and encoding of the pixels."""

    rows: int
    columns: int
    frames: int
    samples_per_pixel: int
    bits_allocated: int
    bits_stored: int
    signed: bool
    photometric_interpretation: str
    for_processing: bool

    @property
    def frame_bytes(self) -> int:
        """Length of one uncompressed frame (PS3.5 8.1.1); two colour samples are shared in YBR_FULL_422."""
        bits = self.rows * self.columns * self.samples_per_pixel * self.bits_allocated
        if self.photometric_interpretation == "YBR_FULL_422":
            bits = bits * 2 // 3
        return (bits + 7) // 8

    def check_can_be_scored(self) -> None:
        """Raises UnsupportedImageKind unless this is one greyscale frame, ready for presentation."""
        for reason, holds in (
            (f"has {self.frames} frames", self.frames != 1),
            (
                f"is not greyscale ({self.photometric_interpretation})",
                self.samples_per_pixel != 1 or self.photometric_interpretation not in {"MONOCHROME1", "MONOCHROME2"},
            ),
            (f"has {self.bits_allocated} bits allocated", self.bits_allocated not in {8, 16}),
            ("is meant for processing, not for presentation", self.for_processing),
        ):
            if holds:
                raise UnsupportedImageKind(
                    f"The object {reason}.", next_step="Send single greyscale frames for presentation."
                )


def pixel_header(ds: Dataset, *, limits: Limits) -> PixelHeader:
    """Reads and checks the module.

    Raises:
        UnreadableImage: an attribute that every image has is missing, malformed or contradicts another.
        ImageTooLarge, ImageTooSmall: the declared size is outside the limits.
    """
    header = PixelHeader(
        rows=needed(ds, "Rows"),
        columns=needed(ds, "Columns"),
        frames=_frames(ds),
        samples_per_pixel=needed(ds, "SamplesPerPixel"),
        bits_allocated=needed(ds, "BitsAllocated"),
        bits_stored=needed(ds, "BitsStored"),
        signed=needed(ds, "PixelRepresentation") == 1,
        photometric_interpretation=code_of(ds, "PhotometricInterpretation") or "",
        for_processing=code_of(ds, "PresentationIntentType") == "FOR PROCESSING",
    )
    _check(header, high_bit=unsigned_of(ds, "HighBit"))
    limits.check_size(rows=header.rows, columns=header.columns)
    return header


def _check(header: PixelHeader, *, high_bit: int | None) -> None:
    # PS3.5 8.1.1: bits are packed from the lowest up, so High Bit is Bits Stored - 1.
    for what, holds in (
        ("Rows or Columns is zero", 0 in (header.rows, header.columns)),
        ("SamplesPerPixel is not 1 or 3", header.samples_per_pixel not in {1, 3}),
        ("BitsAllocated is not 1, 8, 16, 32 or 64", header.bits_allocated not in {1, 8, 16, 32, 64}),
        ("BitsStored is not within BitsAllocated", not 1 <= header.bits_stored <= header.bits_allocated),
        ("HighBit is not BitsStored - 1", high_bit is not None and high_bit != header.bits_stored - 1),
        ("PhotometricInterpretation is missing", not header.photometric_interpretation),
    ):
        if holds:
            raise UnreadableImage(f"{what}.", next_step="Export the image again.")


def _frames(ds: Dataset) -> int:
    value = raw(ds, "NumberOfFrames")
    text = value.decode("latin-1").strip("\0 ") if value else "1"
    if not _INTEGER.fullmatch(text) or int(text) < 1:
        raise UnreadableImage("NumberOfFrames is malformed.", next_step="Export the image again.")
    return int(text)
