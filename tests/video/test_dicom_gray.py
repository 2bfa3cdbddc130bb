"""Gray values of any depth become 0 to 255 as the header asks."""

from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, Sequence, uid

from sonoplane.video.dicom_tables import gray_table
from tests.video.dicom_files import first, opened, ramp, save, ultrasound

WIDE = np.linspace(0, 4095, 16 * 24).reshape(1, 16, 24).astype(np.uint16)


def shades(path: Path, pixels: np.ndarray = WIDE, **elements: object) -> np.ndarray:
    return first(save(ultrasound(pixels, **elements), path / "a"))


def test_8_bits_stay_as_they_are_even_with_a_window(tmp_path: Path) -> None:
    assert np.array_equal(shades(tmp_path, ramp(1), WindowCenter="40", WindowWidth="20"), ramp(1)[0])


def test_monochrome1_is_turned_round(tmp_path: Path) -> None:
    assert np.array_equal(
        shades(tmp_path, ramp(1), PhotometricInterpretation="MONOCHROME1"), 255 - ramp(1)[0]
    )


def test_12_bits_without_window_fill_the_range_of_the_bits_stored(tmp_path: Path) -> None:
    image = shades(tmp_path, BitsStored=12, HighBit=11)
    assert np.array_equal(image, np.rint(WIDE[0] * (255 / 4095)))


def test_a_window_chooses_what_is_seen(tmp_path: Path) -> None:
    image = shades(tmp_path, BitsStored=12, HighBit=11, WindowCenter="1024", WindowWidth="512")
    share = (WIDE[0] - 1023.5) / 511 + 0.5
    assert np.array_equal(image, np.rint(np.clip(share, 0, 1) * 255))


def test_the_first_of_several_windows_counts(tmp_path: Path) -> None:
    one = shades(tmp_path, WindowCenter="1024", WindowWidth="512")
    two = shades(tmp_path, WindowCenter=["1024", "9"], WindowWidth=["512", "9"])
    assert np.array_equal(one, two)


def test_the_window_is_of_rescaled_values(tmp_path: Path) -> None:
    plain = shades(tmp_path, WindowCenter="1024", WindowWidth="512", VOILUTFunction="LINEAR_EXACT")
    scaled = shades(
        tmp_path, WindowCenter="1948", WindowWidth="1024", VOILUTFunction="LINEAR_EXACT", RescaleSlope="2",
        RescaleIntercept="-100",
    )  # fmt: skip
    assert np.abs(plain.astype(int) - scaled).max() == 0


def test_a_negative_slope_turns_gray_round() -> None:
    header = Dataset()
    header.RescaleSlope, header.RescaleIntercept = "-1", "0"
    falling, _ = gray_table(header, bits=12, signed=False, inverted=False)
    rising, _ = gray_table(Dataset(), bits=12, signed=False, inverted=False)
    assert np.array_equal(falling, rising[::-1])


def test_signed_values_start_at_black(tmp_path: Path) -> None:
    image = shades(tmp_path, (WIDE.astype(np.int32) - 2048).astype(np.int16), BitsStored=12, HighBit=11)
    assert (image.min(), image.max()) == (0, 255)
    assert np.all(np.diff(image.ravel().astype(int)) >= 0)


def test_bits_that_are_not_stored_are_ignored(tmp_path: Path) -> None:
    dirty = WIDE | 0xF000
    assert np.array_equal(shades(tmp_path, dirty, BitsStored=12), shades(tmp_path, BitsStored=12))


def test_32_bits_fill_the_range(tmp_path: Path) -> None:
    image = shades(tmp_path, np.linspace(0, 2**32 - 1, 384).reshape(1, 16, 24).astype(np.uint32))
    assert (image.min(), image.max()) == (0, 255)


@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian])
def test_a_table_of_interest_is_looked_up(tmp_path: Path, syntax: uid.UID) -> None:
    order = ">" if syntax == uid.ExplicitVRBigEndian else "<"
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [4096, 0, 8])
    item.add_new("LUTData", "OW", (np.arange(4096) % 256).astype(f"{order}u2").tobytes())
    data = ultrasound(WIDE, BitsStored=12, VOILUTSequence=Sequence([item]))
    data.PixelData = WIDE.astype(f"{order}u2").tobytes()
    assert np.array_equal(first(save(data, tmp_path / "a", syntax)), WIDE[0] % 256)


@pytest.mark.parametrize("width", ["0", "-4"])
def test_a_window_that_is_none_is_a_warning(tmp_path: Path, width: str) -> None:
    path = save(ultrasound(WIDE, WindowCenter="3", WindowWidth=width), tmp_path / "a")
    assert any("window" in warning for warning in opened(path).warnings)
    assert first(path).max() > 0
