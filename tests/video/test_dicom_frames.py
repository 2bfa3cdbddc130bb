"""Every frame's bytes are found, whatever the tables and the header say."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread, uid
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate, encapsulate_extended

from sonoplane.errors import DamagedRecording
from sonoplane.video.dicom_frames import Span, encapsulated_layout, native_layout
from tests.video.dicom_files import first, jpeg, opened, ramp, save, save_streams, ultrasound

FRAMES = ramp(4, 32, 48)
STREAMS = [jpeg(frame) for frame in FRAMES]


def cine(path: Path, **options: object) -> Path:
    return save_streams(STREAMS, path / "a", uid.JPEGBaseline8Bit, (32, 48), **options)  # type: ignore[arg-type] # any


def as_read(path: Path) -> np.ndarray:
    return np.stack([frame.image for frame in opened(path).frames()]).astype(int)


@pytest.mark.parametrize("table", [True, False])
@pytest.mark.parametrize("claimed", [4, 2, 9, None])
def test_frames_are_found_whatever_the_header_claims(
    tmp_path: Path, table: bool, claimed: int | None
) -> None:
    path = cine(tmp_path, table=table, NumberOfFrames=claimed)
    assert np.abs(as_read(path) - FRAMES).max() <= 3
    assert opened(path).n_frames == 4
    assert bool(opened(path).warnings) == (claimed != 4)


@pytest.mark.parametrize("table", [True, False])
def test_frames_of_several_fragments_are_joined(tmp_path: Path, table: bool) -> None:
    data = dcmread(cine(tmp_path))
    data.PixelData = encapsulate(STREAMS, fragments_per_frame=3, has_bot=table)
    data["PixelData"].is_undefined_length = True
    data.save_as(tmp_path / "b")
    assert np.abs(as_read(tmp_path / "b") - FRAMES).max() <= 3
    assert opened(tmp_path / "b").n_frames == 4


def test_an_extended_offset_table_is_followed(tmp_path: Path) -> None:
    data = dcmread(cine(tmp_path))
    data.PixelData, data.ExtendedOffsetTable, data.ExtendedOffsetTableLengths = encapsulate_extended(STREAMS)
    data["PixelData"].is_undefined_length = True
    data.save_as(tmp_path / "b")
    assert np.abs(as_read(tmp_path / "b") - FRAMES).max() <= 3


def test_a_table_that_points_elsewhere_is_not_believed() -> None:
    stream = encapsulate([b"\xff\xd8" + bytes(8)] * 3, fragments_per_frame=2)
    lying = stream[:8] + struct.pack("<3L", 0, 5, 7) + stream[20:]
    layout = encapsulated_layout(io.BytesIO(lying), 0, claimed=3, file_bytes=len(lying))
    assert [len(spans) for spans in layout.frames] == [2, 2, 2]


@pytest.mark.parametrize("share", [0.5, 0.8, 0.97])
def test_compressed_frames_cut_short_are_damage(tmp_path: Path, share: float) -> None:
    path = cine(tmp_path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(DamagedRecording, match="cut short"):
        opened(path)


def test_a_missing_end_mark_is_a_warning(tmp_path: Path) -> None:
    path = cine(tmp_path)
    path.write_bytes(path.read_bytes()[:-8])
    assert opened(path).n_frames == 4
    assert any("end mark" in warning for warning in opened(path).warnings)


def test_a_frame_that_cannot_be_decoded_is_damage_when_it_is_read(tmp_path: Path) -> None:
    broken = [STREAMS[0], STREAMS[1][:90] + bytes(len(STREAMS[1]) - 90), STREAMS[2]]
    recording = opened(save_streams(broken, tmp_path / "a", uid.JPEGBaseline8Bit, (32, 48)))
    assert len(list(recording.frames(2, 3))) == 1
    with pytest.raises(DamagedRecording, match="Frame 1 "):
        list(recording.frames())


def test_frames_of_another_size_than_the_header_says_are_damage(tmp_path: Path) -> None:
    recording = opened(save_streams(STREAMS, tmp_path / "a", uid.JPEGBaseline8Bit, (30, 48)))
    with pytest.raises(DamagedRecording, match="size"):
        list(recording.frames())


def test_run_lengths_come_back(tmp_path: Path) -> None:
    data = dcmread(save(ultrasound(FRAMES), tmp_path / "a"))
    data.compress(uid.RLELossless, encoding_plugin="pydicom")
    data.save_as(tmp_path / "b")
    assert np.array_equal(as_read(tmp_path / "b"), FRAMES)


def test_compressed_pixels_under_an_uncompressed_syntax_are_recognized(tmp_path: Path) -> None:
    path = save_streams(STREAMS, tmp_path / "a", uid.JPEGBaseline8Bit, (32, 48))
    path.write_bytes(path.read_bytes().replace(b"1.2.840.10008.1.2.4.50", b"1.2.840.10008.1.2.1\0\0\0"))
    assert np.abs(as_read(path) - FRAMES).max() <= 3
    assert any("JPEG" in warning for warning in opened(path).warnings)


def test_only_the_frames_asked_for_are_read_from_the_file(tmp_path: Path) -> None:
    path = cine(tmp_path)
    (frame,) = opened(path).frames(3, 4)
    whole = path.read_bytes()
    at = whole.index(STREAMS[0])
    path.write_bytes(whole[:at] + bytes(len(STREAMS[0])) + whole[at + len(STREAMS[0]) :])
    assert np.array_equal(next(opened(path).frames(3)).image, frame.image)


def test_the_pad_behind_tiny_frames_is_no_frame() -> None:
    assert len(native_layout(Span(0, 2), frame_bytes=1, claimed=1, file_bytes=2).frames) == 1


@pytest.mark.parametrize(
    "name", ["jpeg_ls_lossless", "jp2klossless", "RLE", "bigendian", "implicit", "padded"]
)
def test_deep_pixels_of_every_codec_equal_the_uncompressed_ones(tmp_path: Path, name: str) -> None:
    plain = first(relabelled("MR_small.dcm", tmp_path))
    assert np.array_equal(first(relabelled(f"MR_small_{name}.dcm", tmp_path)), plain)


def test_jpeg_of_12_bits_is_decoded(tmp_path: Path) -> None:
    image = first(
        relabelled("JPGExtended.dcm", tmp_path)
    )  # its values reach 264 of 4095, by GDCM and by DCMTK
    assert image.max() == round(264 * 255 / 4095)


def test_a_stream_that_gdcm_cannot_bear_is_damage(tmp_path: Path) -> None:
    path = relabelled("MR_small_jpeg_ls_lossless.dcm", tmp_path)
    content = path.read_bytes()
    at = content.index(b"\xff\xf7") + 4
    path.write_bytes(content[:at] + b"\xf1" + content[at + 1 :])  # 241 bits a sample
    with pytest.raises(DamagedRecording, match="Frame 0 "):
        first(path)


def relabelled(name: str, folder: Path) -> Path:
    """A file of pydicom with its modality set to ultrasound."""
    found = get_testdata_file(name, download=False)
    assert isinstance(found, str)
    content = Path(found).read_bytes()
    for tag in (b"\x08\0\x60\0CS\2\0", b"\x08\0\x60\0\2\0\0\0", b"\0\x08\0\x60CS\0\2"):
        for modality in (b"MR", b"NM"):
            content = content.replace(tag + modality, tag + b"US")
    (folder / name).write_bytes(content)
    return folder / name
