"""Transfer syntaxes we take, as a table (PS3.6 Table A-1): how the data set is written and who decodes the pixels."""

from dataclasses import dataclass
from typing import Literal

Codec = Literal["native", "jpeg", "jpeg-lossless", "jpeg-ls", "jpeg2000", "rle", "deflated-frame"]


@dataclass(frozen=True)
class TransferSyntax:
    """One row of the table."""

    uid: str
    name: str
    codec: Codec
    implicit_vr: bool = False
    little_endian: bool = True
    deflated: bool = False

    @property
    def encapsulated(self) -> bool:
        """True when the pixel data are a sequence of fragments (PS3.5 A.4)."""
        return self.codec != "native"

    @property
    def basic(self) -> bool:
        """True for the two that every DICOM device writes (PS3.5 10.1 and A.2)."""
        return not (self.encapsulated or self.deflated) and self.little_endian


_ROWS = (
    TransferSyntax("1.2.840.10008.1.2", "Implicit VR Little Endian", "native", implicit_vr=True),
    TransferSyntax("1.2.840.10008.1.2.1", "Explicit VR Little Endian", "native"),
    TransferSyntax("1.2.840.10008.1.2.1.99", "Deflated Explicit VR Little Endian", "native", deflated=True),
    TransferSyntax("1.2.840.10008.1.2.2", "Explicit VR Big Endian", "native", little_endian=False),
    TransferSyntax("1.2.840.10008.1.2.4.50", "JPEG Baseline (Process 1)", "jpeg"),
    TransferSyntax("1.2.840.10008.1.2.4.51", "JPEG Extended (Process 2 and 4)", "jpeg"),
    TransferSyntax("1.2.840.10008.1.2.4.57", "JPEG Lossless (Process 14)", "jpeg-lossless"),
    TransferSyntax("1.2.840.10008.1.2.4.70", "JPEG Lossless, First-Order Prediction", "jpeg-lossless"),
    TransferSyntax("1.2.840.10008.1.2.4.80", "JPEG-LS Lossless", "jpeg-ls"),
    TransferSyntax("1.2.840.10008.1.2.4.81", "JPEG-LS Near-Lossless", "jpeg-ls"),
    TransferSyntax("1.2.840.10008.1.2.4.90", "JPEG 2000 (Lossless Only)", "jpeg2000"),
    TransferSyntax("1.2.840.10008.1.2.4.91", "JPEG 2000", "jpeg2000"),
    TransferSyntax("1.2.840.10008.1.2.4.201", "High-Throughput JPEG 2000 (Lossless Only)", "jpeg2000"),
    TransferSyntax("1.2.840.10008.1.2.4.202", "High-Throughput JPEG 2000 with RPCL (Lossless Only)", "jpeg2000"),
    TransferSyntax("1.2.840.10008.1.2.4.203", "High-Throughput JPEG 2000", "jpeg2000"),
    TransferSyntax("1.2.840.10008.1.2.5", "RLE Lossless", "rle"),
    TransferSyntax("1.2.840.10008.1.2.8.1", "Deflated Image Frame Compression", "deflated-frame"),
)

TRANSFER_SYNTAXES = {row.uid: row for row in _ROWS}
IMPLICIT_LITTLE = _ROWS[0]
EXPLICIT_LITTLE = _ROWS[1]
EXPLICIT_BIG = _ROWS[3]
