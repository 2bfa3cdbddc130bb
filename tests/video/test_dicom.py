"""Ultrasound DICOM becomes a recording, and nothing else does."""

import contextlib
import pickle
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, Sequence, dcmread, uid

from sonoplane.errors import DamagedRecording, NotUltrasound, RecordingError, UsageError
from sonoplane.video.dicom import looks_like_dicom
from sonoplane.video.dicom_header import read_header
from tests.video.dicom_files import encoded, jpeg, opened, ramp, save, save_streams, ultrasound


def same(path: Path, frames: np.ndarray) -> bool:
    return np.array_equal(np.stack([frame.image for frame in opened(path).frames()]), frames)


@pytest.mark.parametrize(
    "syntax",
    [
        uid.ImplicitVRLittleEndian,
        uid.ExplicitVRLittleEndian,
        uid.ExplicitVRBigEndian,
        uid.DeflatedExplicitVRLittleEndian,
    ],
    ids=lambda syntax: syntax.name,
)
def test_uncompressed_frames_come_back(tmp_path: Path, syntax: uid.UID) -> None:
    path = save(ultrasound(ramp()), tmp_path / "a", syntax)
    assert same(path, ramp())
    assert opened(path).facts.codec == syntax.name


@pytest.mark.parametrize(
    "syntax", [uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian]
)
def test_a_file_without_preamble_and_meta_opens(tmp_path: Path, syntax: uid.UID) -> None:
    whole = save(ultrasound(ramp()), tmp_path / "whole", syntax).read_bytes()
    bare = tmp_path / "bare"
    bare.write_bytes(whole[144 + int.from_bytes(whole[140:144], "little") :])
    assert looks_like_dicom(bare)
    assert same(bare, ramp())


def test_a_file_that_lost_only_its_preamble_opens(tmp_path: Path) -> None:
    path = save(ultrasound(ramp()), tmp_path / "a")
    path.write_bytes(path.read_bytes()[132:])
    assert looks_like_dicom(path)
    assert same(path, ramp())


@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 5000, b"08 comes first here.\n" * 99, b"\0\0\0\x20ftypisom" + b"\0" * 999, b"RIFF\x08\0\0\0AVI LIST",
     b"\x08\0", b"\x08\0\x05\0" * 500, bytes(range(256)) * 9],
)  # fmt: skip
def test_other_content_is_not_taken_for_dicom(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.dcm"
    path.write_bytes(content)
    assert not looks_like_dicom(path)
    with pytest.raises((NotUltrasound, DamagedRecording)):
        opened(path)


def test_a_missing_file_is_damaged_not_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    assert not looks_like_dicom(tmp_path / "link")
    with pytest.raises(DamagedRecording):
        opened(tmp_path / "link")


def test_reading_a_part_gives_that_part(tmp_path: Path) -> None:
    recording = opened(save(ultrasound(ramp(6)), tmp_path / "a"))
    assert [frame.index for frame in recording.frames(2, 4)] == [2, 3]
    assert [frame.index for frame in recording.frames(4)] == [4, 5]
    assert not list(recording.frames(9, 12))
    with pytest.raises(UsageError):
        recording.frames(-1)


def test_facts_are_pseudonyms_and_the_scanner(tmp_path: Path) -> None:
    data = ultrasound(
        ramp(), Manufacturer="Acme", ManufacturerModelName="Probe 1", PatientBirthDate="19600229"
    )
    recording = opened(save(data, tmp_path / "a"))
    assert recording.facts.scanner == "Acme Probe 1"
    assert recording.facts.container == "dicom"
    assert recording.facts.patient
    told = repr(recording)
    assert not any(secret in told for secret in ("4711", "Roe", "1960", data.StudyInstanceUID))


def test_a_recording_without_patient_has_no_patient(tmp_path: Path) -> None:
    assert opened(save(ultrasound(ramp(), PatientID=""), tmp_path / "a")).facts.patient is None


@pytest.mark.parametrize(
    ("kind", "modality"),
    [
        ("6.1", "US"),
        ("3.1", "US"),
        ("6", "US"),
        ("3", "US"),
        ("3.1", "OT"),
        ("7", "US"),
        ("7.2", "US"),
        ("7.4", "IVUS"),
    ],
)
def test_ultrasound_classes_and_captures_open(tmp_path: Path, kind: str, modality: str) -> None:
    data = ultrasound(ramp(), SOPClassUID=f"1.2.840.10008.5.1.4.1.1.{kind}", Modality=modality)
    assert same(save(data, tmp_path / "a"), ramp())


@pytest.mark.parametrize(("kind", "modality"), [("2", "CT"), ("4", "MR"), ("7", "OT"), ("7", "")])
def test_other_images_are_no_ultrasound(tmp_path: Path, kind: str, modality: str) -> None:
    data = ultrasound(ramp(), SOPClassUID=f"1.2.840.10008.5.1.4.1.1.{kind}", Modality=modality)
    with pytest.raises(NotUltrasound, match="no ultrasound"):
        opened(save(data, tmp_path / "a"))


def test_an_ultrasound_report_holds_no_image(tmp_path: Path) -> None:
    data = ultrasound(ramp(), SOPClassUID=uid.ComprehensiveSRStorage)
    for name in ("PixelData", "Rows", "Columns"):
        del data[name]
    with pytest.raises(NotUltrasound, match="holds no image"):
        opened(save(data, tmp_path / "a"))


def test_multi_frame_in_the_single_frame_class_is_a_warning(tmp_path: Path) -> None:
    recording = opened(save(ultrasound(ramp(), SOPClassUID=uid.UltrasoundImageStorage), tmp_path / "a"))
    assert recording.n_frames == 3
    assert any("single-frame class" in warning for warning in recording.warnings)


@pytest.mark.parametrize("share", [0.2, 0.3, 0.6, 0.98])
def test_a_truncated_file_is_damaged_in_one_sentence(tmp_path: Path, share: float) -> None:
    path = save(ultrasound(ramp()), tmp_path / "a")
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(DamagedRecording) as caught:
        opened(path)
    assert ". " not in caught.value.message
    assert caught.value.advice


@pytest.mark.parametrize("n_frames", [1, 3])
def test_halved_chroma_cut_in_the_first_frame_is_damage(tmp_path: Path, n_frames: int) -> None:
    frames = np.repeat(ramp(n_frames)[..., None], 3, axis=-1)
    path = save(ultrasound(frames, PhotometricInterpretation="YBR_FULL_422"), tmp_path / "a")
    content = path.read_bytes()
    path.write_bytes(content[: content.index(frames.tobytes()) + frames[0].size - 100])
    with pytest.raises(DamagedRecording, match="cut short") as caught:
        opened(path)
    assert caught.value.advice


def test_no_damage_ends_in_another_error(tmp_path: Path) -> None:
    chance = np.random.default_rng(1)
    files = [
        save(ultrasound(ramp()), tmp_path / "a"),
        save(ultrasound(ramp()), tmp_path / "b", uid.DeflatedExplicitVRLittleEndian),
        save(ultrasound(ramp()), tmp_path / "c", uid.ImplicitVRLittleEndian),
        save_streams([jpeg(frame) for frame in ramp()], tmp_path / "d", uid.JPEGBaseline8Bit, (16, 24)),
    ]
    for content in [path.read_bytes() for path in files] * 60:
        damaged = np.frombuffer(content, dtype=np.uint8).copy()
        damaged[chance.integers(132, len(content), size=6)] = chance.integers(256, size=6)
        (tmp_path / "x").write_bytes(damaged.tobytes())
        with contextlib.suppress(RecordingError):
            for frame in opened(tmp_path / "x").frames(0, 9):
                assert frame.image.dtype == np.uint8


def test_more_frames_than_claimed_are_read_with_a_warning(tmp_path: Path) -> None:
    recording = opened(save(ultrasound(ramp(5), NumberOfFrames=3), tmp_path / "a"))
    assert recording.n_frames == 5
    assert any("3 frames" in warning for warning in recording.warnings)


def test_values_that_dicom_forbids_do_not_hinder(tmp_path: Path) -> None:
    path = save(ultrasound(ramp(), CineRate="25"), tmp_path / "a")
    path.write_bytes(
        path.read_bytes().replace(b"1.2.840.10008.5.1.4.1.1.3.1", b"1.2.840.10008.5.1.4.1.1.3.X")
    )
    assert opened(path).n_frames == 3


@pytest.mark.parametrize(
    ("syntax", "codec", "container"),
    [
        (uid.MPEG2MPHL, "mpeg2video", "mpeg2video"),
        (uid.MPEG2MPHL, "mpeg2video", "mpegts"),
        (uid.MPEG4HP41, "libx264", "h264"),
        (uid.MPEG4HP42STEREO, "libx264", "mpegts"),
        (uid.HEVCMP51, "libx265", "hevc"),
    ],
)
def test_an_encapsulated_video_opens(tmp_path: Path, syntax: uid.UID, codec: str, container: str) -> None:
    frames = np.repeat(ramp(10, 64, 96)[..., None], 3, axis=-1)
    stream = encoded(frames, codec=codec, container=container)
    elements = {"NumberOfFrames": 10, "FrameTime": "50", "PhotometricInterpretation": "YBR_PARTIAL_420"}
    recording = opened(save_streams([stream], tmp_path / "a", syntax, (64, 96, 3), **elements))
    read = list(recording.frames(2, 7))
    assert (recording.n_frames, recording.fps, recording.color) == (10, 20.0, True)
    assert recording.facts.codec == syntax.name
    assert [frame.index for frame in read] == [2, 3, 4, 5, 6]
    assert read[0].time_s == pytest.approx(0.1)
    assert np.abs(read[0].image.astype(int) - frames[2]).mean() < 6


def test_a_video_in_several_fragments_opens(tmp_path: Path) -> None:
    stream = encoded(np.repeat(ramp(8, 64, 96)[..., None], 3, axis=-1))
    parts = [stream[:1000], stream[1000:]]
    path = save_streams(parts, tmp_path / "a", uid.MPEG4HP41F, (64, 96, 3), NumberOfFrames=8)
    assert len(list(opened(path).frames())) == opened(path).n_frames == 8


def test_a_video_whose_header_lies_about_its_frames_is_not_counted(tmp_path: Path) -> None:
    stream = encoded(np.repeat(ramp(8, 64, 96)[..., None], 3, axis=-1), container="mpegts")
    recording = opened(save_streams([stream], tmp_path / "a", uid.MPEG4HP41, (64, 96, 3), NumberOfFrames=99))
    assert recording.n_frames is None
    assert any("99 frames" in warning for warning in recording.warnings)
    assert len(list(recording.frames())) == 8


def test_an_encapsulated_video_that_is_none_is_damaged(tmp_path: Path) -> None:
    path = save_streams([b"no video" * 99], tmp_path / "a", uid.MPEG4HP41, (64, 96, 3))
    with pytest.raises(DamagedRecording):
        opened(path)


def test_a_file_that_vanishes_is_damaged(tmp_path: Path) -> None:
    recording = opened(save(ultrasound(ramp()), tmp_path / "a"))
    (tmp_path / "a").unlink()
    with pytest.raises(DamagedRecording):
        list(recording.frames())


def test_frames_may_be_written_into(tmp_path: Path) -> None:
    files = [
        save(ultrasound(ramp()), tmp_path / "a"),
        save_streams([jpeg(ramp()[0])], tmp_path / "b", uid.JPEGBaseline8Bit, (16, 24)),
    ]
    assert all(next(opened(path).frames()).image.flags.writeable for path in files)


def test_a_recording_travels_to_another_process(tmp_path: Path) -> None:
    recording = pickle.loads(pickle.dumps(opened(save(ultrasound(ramp()), tmp_path / "a"))))
    assert len(list(recording.frames())) == 3


def test_regions_reach_the_facts(tmp_path: Path) -> None:
    region = Dataset()
    region.RegionSpatialFormat, region.RegionDataType = 1, 1
    region.RegionLocationMinX0, region.RegionLocationMinY0 = 2, 3
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = 20, 10
    path = save(ultrasound(ramp(), SequenceOfUltrasoundRegions=Sequence([region])), tmp_path / "a")
    (found,) = opened(path).facts.regions
    assert (found.box.width, found.box.height, found.kind) == (19, 8, "tissue")


def test_opening_reads_no_names(tmp_path: Path) -> None:
    path = save(ultrasound(ramp()), tmp_path / "a")
    assert "PatientName" in dcmread(path)
    assert "PatientName" not in read_header(path).data
