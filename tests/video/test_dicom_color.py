"""Colors are what the header says, unless the stream knows better."""

from pathlib import Path

import numpy as np
import pytest
from openjpeg.utils import encode_array
from pydicom import Dataset, dcmread, uid
from pydicom.data import get_testdata_file
from pydicom.pixels import convert_color_space

from sonoplane.errors import DamagedRecording
from sonoplane.video.dicom_color import ybr_to_rgb
from tests.video.dicom_files import (
    colors,
    first,
    jpeg,
    opened,
    ramp,
    save,
    save_streams,
    ultrasound,
    without_marker,
)

SHAPE = (16, 24, 3)
LARGE = colors(1, 64, 96)[0]
JFIF, ADOBE = 0xE0, 0xEE


def ybr(pixels: np.ndarray) -> np.ndarray:
    return np.asarray(convert_color_space(pixels, "RGB", "YBR_FULL"))


def apart(one: np.ndarray, other: np.ndarray) -> int:
    return int(np.abs(one.astype(int) - other).max())


def raw_rgb_jpeg(pixels: np.ndarray) -> bytes:
    """A JPEG of RGB samples that says nothing of its color space: YCbCr of what is YCbCr to it."""
    swapped = np.array(convert_color_space(pixels, "YBR_FULL", "RGB"))
    return without_marker(jpeg(swapped, quality=100), JFIF)


def test_planar_rgb_is_interleaved(tmp_path: Path) -> None:
    planes = colors().transpose(0, 3, 1, 2)
    data = ultrasound(colors(), PlanarConfiguration=1, PixelData=planes.tobytes())
    assert np.array_equal(first(save(data, tmp_path / "a")), colors()[0])


@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian])
def test_uncompressed_ybr_full_becomes_rgb(tmp_path: Path, syntax: uid.UID) -> None:
    path = save(ultrasound(ybr(colors()), PhotometricInterpretation="YBR_FULL"), tmp_path / "a", syntax)
    assert apart(first(path), colors()[0]) <= 2


@pytest.mark.parametrize("kind", ["YBR_FULL_422", "YBR_PARTIAL_422"])
def test_uncompressed_422_becomes_rgb(tmp_path: Path, kind: str) -> None:
    full = ybr(colors())[0].reshape(16, 12, 2, 3)
    if kind == "YBR_PARTIAL_422":
        full = np.rint(full * np.array([219, 224, 224]) / 255 + np.array([16, 16, 16])).astype(np.uint8)
    pairs = np.stack([full[..., 0, 0], full[..., 1, 0], full[..., 0, 1], full[..., 0, 2]], axis=-1)
    data = ultrasound(colors(), PhotometricInterpretation=kind, PixelData=pairs.tobytes())
    assert apart(first(save(data, tmp_path / "a")), colors()[0]) <= 4


@pytest.mark.parametrize("stored", ["RGB", "YBR_FULL"])
def test_a_stale_422_over_whole_pixels_is_seen_through(tmp_path: Path, stored: str) -> None:
    pixels = colors() if stored == "RGB" else ybr(colors())
    path = save(ultrasound(pixels, PhotometricInterpretation="YBR_FULL_422"), tmp_path / "a")
    assert apart(first(path), colors()[0]) <= 2
    assert any(f"the pixels are {stored}" in warning for warning in opened(path).warnings)


@pytest.mark.parametrize("kind", ["YBR_FULL", "YBR_FULL_422", "RGB"])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_a_jpeg_that_says_ycbcr_is_ycbcr_whatever_the_header_says(
    tmp_path: Path, kind: str, subsampling: int
) -> None:
    stream = jpeg(colors()[0], subsampling=subsampling)
    path = save_streams([stream], tmp_path / "a", uid.JPEGBaseline8Bit, SHAPE, PhotometricInterpretation=kind)
    assert apart(first(path)[:, 10:], colors()[0][:, 10:]) <= 4
    assert bool(opened(path).warnings) == (kind == "RGB")


def test_a_subsampled_jpeg_without_marks_is_ycbcr(tmp_path: Path) -> None:
    stream = without_marker(jpeg(colors()[0], subsampling=2), JFIF)
    path = save_streams([stream], tmp_path / "a", uid.JPEGBaseline8Bit, SHAPE)
    assert apart(first(path)[:, 10:], colors()[0][:, 10:]) <= 4


def test_a_jpeg_without_marks_is_what_the_header_says(tmp_path: Path) -> None:
    gray = np.repeat(ramp(1)[0][..., None], 3, axis=-1) // 5 + 110
    stream = raw_rgb_jpeg(gray)
    path = save_streams(
        [stream], tmp_path / "a", uid.JPEGBaseline8Bit, SHAPE, PhotometricInterpretation="RGB"
    )
    assert apart(first(path), gray) <= 4
    path = save_streams(
        [stream], tmp_path / "b", uid.JPEGBaseline8Bit, SHAPE, PhotometricInterpretation="YBR_FULL"
    )
    assert apart(first(path), gray) > 15


@pytest.mark.parametrize("kind", ["RGB", "YBR_FULL_422", "YBR_FULL"])
def test_a_jpeg_that_says_rgb_is_rgb_whatever_the_header_says(tmp_path: Path, kind: str) -> None:
    stream = jpeg(colors()[0], keep_rgb=True)
    path = save_streams([stream], tmp_path / "a", uid.JPEGBaseline8Bit, SHAPE, PhotometricInterpretation=kind)
    assert apart(first(path), colors()[0]) <= 4
    assert bool(opened(path).warnings) == (kind != "RGB")


@pytest.mark.parametrize("kind", ["YBR_RCT", "YBR_ICT", "RGB", "YBR_FULL"])
def test_jpeg_2000_undoes_its_transform_whatever_the_header_says(tmp_path: Path, kind: str) -> None:
    stream = bytes(encode_array(LARGE, photometric_interpretation=1, use_mct=True))
    path = save_streams(
        [stream], tmp_path / "a", uid.JPEG2000Lossless, LARGE.shape, PhotometricInterpretation=kind
    )
    assert np.array_equal(first(path), LARGE)
    assert bool(opened(path).warnings) == (kind == "YBR_FULL")


@pytest.mark.parametrize(("kind", "levels"), [("RGB", 0), ("YBR_FULL", 2)])
def test_jpeg_2000_without_a_transform_is_what_the_header_says(
    tmp_path: Path, kind: str, levels: int
) -> None:
    pixels = LARGE if kind == "RGB" else ybr(LARGE)
    stream = bytes(encode_array(pixels, photometric_interpretation=1, use_mct=False))
    path = save_streams(
        [stream], tmp_path / "a", uid.JPEG2000Lossless, LARGE.shape, PhotometricInterpretation=kind
    )
    assert apart(first(path), LARGE) <= levels


def test_ybr_of_both_ranges_keeps_gray_gray() -> None:
    gray = np.stack([np.arange(256, dtype=np.uint8), *[np.full(256, 128, np.uint8)] * 2], axis=-1)[None]
    assert np.array_equal(ybr_to_rgb(gray)[..., 1], gray[..., 0])
    assert ybr_to_rgb(gray, partial=True)[0, [0, 16, 235, 255], 0].tolist() == [0, 0, 255, 255]


def test_a_palette_becomes_rgb(tmp_path: Path) -> None:
    levels = np.arange(256, dtype=np.uint16)
    channels = {"Red": levels, "Green": levels[::-1], "Blue": levels // 2}
    data = ultrasound(ramp(1), PhotometricInterpretation="PALETTE COLOR")
    for name, table in channels.items():
        setattr(data, f"{name}PaletteColorLookupTableDescriptor", [256, 0, 16])
        setattr(data, f"{name}PaletteColorLookupTableData", (table << 8).tobytes())
    image = first(save(data, tmp_path / "a"))
    assert np.array_equal(image, np.stack([table[ramp(1)[0]] for table in channels.values()], axis=-1))


def test_a_missing_palette_is_damage(tmp_path: Path) -> None:
    with pytest.raises(DamagedRecording, match="palette"):
        opened(save(ultrasound(ramp(1), PhotometricInterpretation="PALETTE COLOR"), tmp_path / "a"))


#: Files of many encoders in pydicom, each with the uncompressed pixels of the same image.
KNOWN = {
    "SC_rgb_dcmtk_+eb+cr.dcm": "SC_rgb_dcmtk_ebcr_dcmd.dcm",
    "SC_rgb_dcmtk_+eb+cy+n1.dcm": "SC_rgb_dcmtk_ebcyn1_dcmd.dcm",
    "SC_rgb_dcmtk_+eb+cy+n2.dcm": "SC_rgb_dcmtk_ebcyn2_dcmd.dcm",
    "SC_rgb_dcmtk_+eb+cy+np.dcm": "SC_rgb_dcmtk_ebcynp_dcmd.dcm",
    "SC_rgb_dcmtk_+eb+cy+s2.dcm": "SC_rgb_dcmtk_ebcys2_dcmd.dcm",
    "SC_rgb_dcmtk_+eb+cy+s4.dcm": "SC_rgb_dcmtk_ebcys4_dcmd.dcm",
    "SC_jpeg_no_color_transform.dcm": "SC_rgb_jpeg_dcmd.dcm",
    "SC_jpeg_no_color_transform_2.dcm": "SC_rgb_jpeg_dcmd.dcm",
    "SC_rgb_jpeg_app14_dcmd.dcm": "SC_rgb_jpeg_dcmd.dcm",
    "SC_rgb_jpeg.dcm": "SC_rgb_jpeg_dcmd.dcm",
    "SC_rgb_jpeg_gdcm.dcm": "SC_rgb.dcm",
    "SC_rgb_gdcm_KY.dcm": "SC_rgb_gdcm2k_uncompressed.dcm",
    "SC_rgb_rle.dcm": "SC_rgb.dcm",
    "SC_rgb_rle_2frame.dcm": "SC_rgb_2frame.dcm",
    "SC_rgb_rle_16bit.dcm": "SC_rgb.dcm",
    "SC_rgb_rle_32bit.dcm": "SC_rgb.dcm",
    "SC_rgb_16bit.dcm": "SC_rgb.dcm",
    "SC_rgb_expb_16bit.dcm": "SC_rgb.dcm",
    "SC_rgb_expb_32bit.dcm": "SC_rgb.dcm",
    "SC_rgb_jls_lossy_line.dcm": "SC_rgb.dcm",
    "SC_rgb_jls_lossy_sample.dcm": "SC_rgb.dcm",
    "SC_ybr_full_uncompressed.dcm": "SC_rgb.dcm",
    "SC_ybr_full_422_uncompressed.dcm": "SC_rgb.dcm",
    "SC_rgb_small_odd_big_endian.dcm": "SC_rgb_small_odd.dcm",
}


@pytest.mark.parametrize(("name", "reference"), KNOWN.items())
def test_every_encoder_gives_the_same_colors(tmp_path: Path, name: str, reference: str) -> None:
    image, expected = (first(as_ultrasound(file, tmp_path / file)) for file in (name, reference))
    assert np.abs(image.astype(int) - expected).mean() < 2  # of 255, where these images have pure colors


def as_ultrasound(name: str, path: Path) -> Path:
    found = get_testdata_file(name, download=False)
    assert isinstance(found, str)
    raw = Path(found).read_bytes()
    for encoded in (b"\x08\0\x60\0CS\2\0OT", b"\x08\0\x60\0\2\0\0\0OT", b"\0\x08\0\x60CS\0\2OT"):
        raw = raw.replace(encoded, encoded[:-2] + b"US")
    path.write_bytes(raw)
    if raw == Path(found).read_bytes():
        data: Dataset = dcmread(found)
        data.Modality = "US"
        data.save_as(path, enforce_file_format=True)
    return path
