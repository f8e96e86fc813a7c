"""DICOM, PNG and JPEG files made on the spot."""

import io
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.filewriter import dcmwrite
from pydicom.uid import UID, ExplicitVRLittleEndian

Write = Callable[..., bytes]


@pytest.fixture
def gradient() -> NDArray[np.uint16]:
    """40 × 50 twelve-bit values, all different."""
    return (np.arange(2000, dtype=np.uint16) * 2).reshape(40, 50)


@pytest.fixture
def dicom() -> Write:
    """Writes stored values as a DICOM file; keywords set or, with None, remove attributes."""
    return write_dicom


@pytest.fixture
def encoded() -> Write:
    """Encodes an image with Pillow."""

    def write(image: Image.Image, **options: object) -> bytes:
        buffer = io.BytesIO()
        image.save(buffer, **options)
        return buffer.getvalue()

    return write


def write_dicom(
    stored: NDArray[np.generic],
    *,
    syntax: str = ExplicitVRLittleEndian,
    frame: bytes | None = None,
    bare: bool = False,
    **attributes: object,
) -> bytes:
    """``frame`` is an already compressed frame; ``bare`` leaves preamble and file meta information away."""
    ds = Dataset()
    bits = stored.dtype.itemsize * 8
    defaults: dict[str, object] = {
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.1.1", "SOPInstanceUID": "1.2.3.4", "StudyInstanceUID": "1.2.3",
        "SeriesInstanceUID": "1.2.3.1", "Modality": "DX", "BodyPartExamined": "CHEST", "ViewPosition": "PA",
        "PatientID": "P-1", "PatientName": "DOE^JANE", "PatientSex": "F", "PatientAge": "004Y",
        "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2", "Rows": stored.shape[0],
        "Columns": stored.shape[1], "BitsAllocated": bits, "BitsStored": bits, "HighBit": bits - 1,
        "PixelRepresentation": int(np.issubdtype(stored.dtype, np.signedinteger)),
    }  # fmt: skip
    little = UID(syntax).is_little_endian
    for keyword, value in (defaults | attributes).items():
        if value is not None:
            setattr(ds, keyword, value)
    ds.PixelData = (
        encapsulate([frame]) if frame else stored.astype(stored.dtype.newbyteorder("<>"[not little])).tobytes()
    )
    ds["PixelData"].VR = "OW" if bits > 8 and not frame else "OB"
    ds["PixelData"].is_undefined_length = frame is not None
    buffer = io.BytesIO()
    if bare:
        dcmwrite(buffer, ds, implicit_vr=UID(syntax).is_implicit_VR, little_endian=little)
        return buffer.getvalue()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = UID(syntax)
    dcmwrite(buffer, ds, enforce_file_format=True)
    return buffer.getvalue()


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
