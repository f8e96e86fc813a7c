"""Another implementation's encoder and decoder: what DCMTK compresses we decode to the same pixels."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.filereader import dcmread

from imaging.limits import Limits
from imaging.radiograph import decode

LIMITS = Limits()


@pytest.fixture(scope="module", params=["CT_small.dcm", "MR_small.dcm"])
def plain(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real image, presented by its whole range of values."""
    ds: Dataset = dcmread(str(get_testdata_file(request.param, download=False)))
    for keyword in ("WindowCenter", "WindowWidth", "PixelPaddingValue", "RescaleSlope", "RescaleIntercept"):
        if keyword in ds:
            delattr(ds, keyword)
    path = tmp_path_factory.mktemp("dcmtk") / request.param
    ds.save_as(path)
    return path


@pytest.mark.parametrize(
    "options",
    [["+e1"], ["+el", "+sv", "1"], ["+el", "+sv", "4"], ["+el", "+sv", "5"], ["+el", "+sv", "6"], ["+el", "+sv", "7"]],
    ids=" ".join,
)
def test_lossless_jpeg_of_dcmtk_is_decoded_to_every_pixel(plain: Path, tmp_path: Path, options: list[str]) -> None:
    assert_same(plain, tmp_path, program="dcmcjpeg", options=options)


def test_rle_of_dcmtk_is_decoded_to_every_pixel(plain: Path, tmp_path: Path) -> None:
    assert_same(plain, tmp_path, program="dcmcrle", options=[])


@pytest.mark.parametrize("options", [["+el"]], ids=" ".join)
def test_jpeg_ls_of_dcmtk_is_decoded_to_every_pixel(plain: Path, tmp_path: Path, options: list[str]) -> None:
    assert_same(plain, tmp_path, program="dcmcjpls", options=options)


def assert_same(plain: Path, folder: Path, *, program: str, options: list[str]) -> None:
    packed = folder / "packed.dcm"
    subprocess.run([f"/usr/bin/{program}", *options, str(plain), str(packed)], check=True, capture_output=True)
    before, after = (decode(path.read_bytes(), limits=LIMITS) for path in (plain, packed))
    assert before.bits == after.bits
    assert np.array_equal(before.pixels, after.pixels)
