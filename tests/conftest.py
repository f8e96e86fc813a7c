"""For every test: an environment in which no vendor calls home, and DICOM files made on the spot."""

import io
import os
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.filewriter import dcmwrite
from pydicom.pixels import get_encoder
from pydicom.uid import UID, ExplicitVRLittleEndian, JPEGLSLossless

from infra.environment import process_environment


def pytest_configure() -> None:
    """The settings of every process we start, before a vendor's library is imported; one thread each."""
    os.environ.update(process_environment(threads=1))


@pytest.fixture(scope="session")
def dicom() -> Callable[..., bytes]:
    """Writes stored values as a DICOM file; keywords set or, with None, remove attributes."""
    return write_dicom


@pytest.fixture(scope="session")
def compressed_dicom() -> Callable[..., bytes]:
    """The same, with the pixels as lossless JPEG-LS."""

    def write(stored: NDArray[np.generic], **attributes: object) -> bytes:
        bits = stored.dtype.itemsize * 8
        frame = get_encoder(JPEGLSLossless).encode(
            stored.tobytes(), rows=stored.shape[0], columns=stored.shape[1], samples_per_pixel=1, bits_allocated=bits,
            bits_stored=bits, pixel_representation=0, number_of_frames=1, photometric_interpretation="MONOCHROME2",
            encoding_plugin="pyjpegls",
        )  # fmt: skip
        return write_dicom(stored, syntax=JPEGLSLossless, frame=frame, **attributes)

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
