"""Every DICOM file inside pydicom and pydicom-data, and the shared one, opens or says why not."""

from collections import Counter
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import gdcm
import numpy as np
import pytest

from sonoplane.errors import DamagedRecording, NotUltrasound, RecordingError
from sonoplane.video.dicom import looks_like_dicom, open_dicom
from sonoplane.video.pseudonyms import Pseudonyms
from tests.video.opened_table import Opened

#: Decoders of lossy streams differ by this much, where their colors come from samples at half resolution too.
LOSSY_LEVELS = 2

NAMES = Pseudonyms(b"a key for these tests")


def package_folder(name: str) -> Path:
    spec = find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


FILES = sorted(
    path
    for folder in (package_folder("pydicom") / "data", package_folder("data_store") / "data")
    for path in folder.rglob("*")
    if path.is_file() and looks_like_dicom(path)
)

#: The ultrasound among them, by hand; no other file may open.
ULTRASOUND = {
    "ExplVR_BigEnd.dcm": 1,
    "JPGLosslessP14SV1_1s_1f_8b.dcm": 1,
    "OBXXXX1A.dcm": 1,
    "OBXXXX1A_2frame.dcm": 2,
    "OBXXXX1A_expb.dcm": 1,
    "OBXXXX1A_expb_2frame.dcm": 2,
    "OBXXXX1A_rle.dcm": 1,
    "OBXXXX1A_rle_2frame.dcm": 2,
    "US1_J2KI.dcm": 1,
    "US1_J2KR.dcm": 1,
    "US1_UNCI.dcm": 1,
    "US1_UNCR.dcm": 1,
    "color-pl.dcm": 1,
    "color-px.dcm": 1,
    "color3d_jpeg_baseline.dcm": 120,
    "examples_jpeg2k.dcm": 1,
    "examples_palette.dcm": 1,
    "examples_rgb_color.dcm": 1,
    "examples_ybr_color.dcm": 30,
    "gdcm-US-ALOKA-16.dcm": 1,
    "gdcm-US-ALOKA-16_big.dcm": 1,
}


def gdcm_frames(path: Path) -> Iterator[np.ndarray]:
    """A full decode by GDCM alone, to 8-bit gray or RGB."""
    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    assert reader.Read()
    image = reader.GetImage()
    columns, rows, n_frames = (
        image.GetDimension(axis) if axis < image.GetNumberOfDimensions() else 1 for axis in range(3)
    )
    kind = str(image.GetPhotometricInterpretation()).strip()
    if kind == "PALETTE COLOR":
        palette = gdcm.ImageApplyLookupTable()
        palette.SetInput(image)
        assert palette.Apply()
        image = palette.GetOutput()
    raw = np.frombuffer(image.GetBuffer().encode("utf-8", "surrogateescape"), dtype=np.uint8)
    planar = image.GetPlanarConfiguration() == 1
    samples = image.GetPixelFormat().GetSamplesPerPixel()
    wide = image.GetPixelFormat().GetBitsAllocated() == 16
    values = (raw.view(np.uint16) >> 8).astype(np.uint8) if wide else raw
    values = values[: n_frames * rows * columns * samples]
    for frame in values.reshape(n_frames, -1):
        if samples == 1:
            yield frame.reshape(rows, columns)
            continue
        pixels = (
            frame.reshape(3, rows, columns).transpose(1, 2, 0) if planar else frame.reshape(rows, columns, 3)
        )
        yield rgb(pixels) if kind.startswith("YBR_FULL") else pixels


def rgb(pixels: np.ndarray) -> np.ndarray:
    """The matrix of DICOM PS3.3 C.7.6.3.1.2, turned round."""
    matrix = np.array([[0.2990, 0.5870, 0.1140], [-0.1687, -0.3313, 0.5000], [0.5000, -0.4187, -0.0813]])
    values = (pixels - np.array([0, 128, 128.0])) @ np.linalg.inv(matrix).T
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def levels_apart(path: Path) -> tuple[int, int, int]:
    """Frames here, frames by GDCM, and by how many levels any two pixels differ at most."""
    recording = open_dicom(path, recording_id="test", pseudonyms=NAMES)
    expected = list(gdcm_frames(path))
    found = list(recording.frames())
    assert all(frame.image.ndim == (3 if recording.color else 2) for frame in found)
    pairs = zip(found, expected, strict=False)
    return len(found), len(expected), max(levels(frame.image, other) for frame, other in pairs)


def levels(one: np.ndarray, other: np.ndarray) -> int:
    """By how many levels two pixels differ at most."""
    return int(np.abs(one.astype(int) - other).max())


@pytest.mark.parametrize(
    "path", [path for path in FILES if path.name in ULTRASOUND], ids=lambda path: path.name
)
def test_ultrasound_opens_with_the_pixels_that_another_tool_sees(
    path: Path, opened_table: list[Opened]
) -> None:
    recording = open_dicom(path, recording_id="test", pseudonyms=NAMES)
    here, there, apart = levels_apart(path)
    lossy = "JPEG Baseline" in recording.facts.codec or recording.facts.codec.endswith(
        "2000 Image Compression"
    )
    opened_table.append(
        Opened(
            path.name,
            here,
            f"{there} GDCM",
            f"{recording.width} x {recording.height}",
            recording.fps or "-",
            "opened",
        )
    )
    assert here == there == recording.n_frames == ULTRASOUND[path.name]
    assert apart <= (LOSSY_LEVELS if lossy else 0)


def test_the_shared_dicom_opens(shared_data: Path, opened_table: list[Opened]) -> None:
    (path,) = (shared_data / "itkpocus").glob("*.dcm")
    recording = open_dicom(path, recording_id="test", pseudonyms=NAMES)
    (frame,) = recording.frames()
    (samples,) = gdcm_frames(path)
    opened_table.append(
        Opened(
            path.name, 1, "1 GDCM", f"{recording.width} x {recording.height}", recording.fps or "-", "opened"
        )
    )
    assert recording.n_frames == 1
    assert any("YCbCr" in warning for warning in recording.warnings)
    assert min(levels(frame.image, samples), levels(frame.image, rgb(samples))) <= LOSSY_LEVELS


def test_all_else_is_refused_in_one_sentence(opened_table: list[Opened]) -> None:
    reasons: Counter[str] = Counter()
    for path in FILES:
        if path.name in ULTRASOUND:
            continue
        with pytest.raises(RecordingError) as caught:
            open_dicom(path, recording_id="test", pseudonyms=NAMES)
        error = caught.value
        assert isinstance(error, NotUltrasound | DamagedRecording)
        assert error.message.endswith(".")
        assert ". " not in error.message
        assert error.advice
        assert path.stem not in str(error)
        reasons[f"{type(error).__name__}: {error.message}"] += 1
    opened_table.extend(
        Opened(f"{count} more DICOM files", "-", "-", "-", "-", reason) for reason, count in reasons.items()
    )


def test_every_ultrasound_was_there() -> None:
    assert {path.name for path in FILES} >= set(ULTRASOUND)
