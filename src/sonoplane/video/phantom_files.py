"""Simulated recordings as files: multi-frame DICOM, H.264 or AVI video, a folder of PNG frames."""

from fractions import Fraction
from pathlib import Path
from typing import Literal, TypeAlias, cast

import av
import cv2
import numpy as np
from av.video.stream import VideoStream
from jaxtyping import UInt8
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders.base import get_encoder
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
    UltrasoundMultiFrameImageStorage,
    generate_uid,
)

from sonoplane.records import Box
from sonoplane.video.phantom import PhantomExam

__all__ = ["Coding", "write_avi", "write_dicom", "write_mp4", "write_png_folder"]

Coding: TypeAlias = Literal["native", "rle", "jpeg2000"]
"""How a DICOM file holds its pixels; all three keep every gray level."""

_SYNTAXES: dict[Coding, UID] = {
    "native": ExplicitVRLittleEndian,
    "rle": RLELossless,
    "jpeg2000": JPEG2000Lossless,
}


def write_dicom(exam: PhantomExam, path: Path, *, coding: Coding = "native") -> Path:
    """Write an exam as one Ultrasound Multi-frame Image (DICOM PS3.3 A.7) with a fake patient in its header.

    `native` is fastest and largest (15 MB for 120 frames), `jpeg2000` slowest and smallest. The same exam gives the
    same bytes.
    """
    frames = [frame.image for frame in exam.recording.frames()]
    dataset = _header(exam, n_frames=len(frames))
    dataset.file_meta = _file_meta(exam, _SYNTAXES[coding])
    if coding == "native":
        dataset.PixelData = b"".join(image.tobytes() for image in frames)
    else:
        dataset.PixelData = encapsulate([_encoded(image, coding) for image in frames])
    dataset["PixelData"].VR = "OB"
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


def write_mp4(exam: PhantomExam, path: Path, *, quality: int = 16) -> Path:
    """Write an exam as H.264 video; `quality` is x264's constant rate factor, where lower is better."""
    options = {"crf": str(quality), "preset": "veryfast", "threads": "1"}
    return _write_video(
        exam, path, codec="libx264", pixels="yuv420p", fps=exam.source.settings.fps, options=options
    )


def write_avi(exam: PhantomExam, path: Path, *, fps: float = 15.0) -> Path:
    """Write an exam as Motion JPEG in an AVI file, by default at the 15 frames a second common for echo loops."""
    return _write_video(exam, path, codec="mjpeg", pixels="yuvj420p", fps=fps, options={"qscale": "3"})


def write_png_folder(exam: PhantomExam, folder: Path, *, prefix: str | None = None) -> Path:
    """Write an exam as numbered PNG frames, `<prefix>_000.png` on; the prefix is the exam's id unless given."""
    folder.mkdir(parents=True, exist_ok=True)
    prefix = exam.id if prefix is None else prefix
    for frame in exam.recording.frames():
        coded = cv2.imencode(".png", frame.image, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1]
        (folder / f"{prefix}_{frame.index:03d}.png").write_bytes(coded.tobytes())
    return folder


def _uid(exam: PhantomExam, what: str) -> UID:
    source = exam.source
    return generate_uid(entropy_srcs=["sonoplane phantom", exam.preset, str(source.seed), what])


def _file_meta(exam: PhantomExam, syntax: UID) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UltrasoundMultiFrameImageStorage
    meta.MediaStorageSOPInstanceUID = _uid(exam, f"instance {exam.id}")
    meta.TransferSyntaxUID = syntax
    return meta


def _header(exam: PhantomExam, *, n_frames: int) -> Dataset:
    banner, recording, centre = exam.banner, exam.recording, exam.source.centre
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "", "0001"]
    ds.SOPClassUID = UltrasoundMultiFrameImageStorage
    ds.SOPInstanceUID = _uid(exam, f"instance {exam.id}")
    ds.StudyInstanceUID = _uid(exam, f"study {exam.id}")
    ds.SeriesInstanceUID = _uid(exam, f"series {exam.id}")
    ds.FrameOfReferenceUID = _uid(exam, f"frame of reference {exam.id}")
    ds.StudyDate = ds.SeriesDate = ds.ContentDate = exam.date
    ds.StudyTime = ds.SeriesTime = ds.ContentTime = "120000"
    ds.AccessionNumber, ds.StudyID = "", str(exam.source.exam)
    ds.Modality, ds.Manufacturer, ds.ManufacturerModelName = "US", centre.maker, centre.model
    ds.InstitutionName, ds.ReferringPhysicianName = centre.name, ""
    ds.PatientName, ds.PatientID = banner.name, banner.patient_id
    ds.PatientBirthDate, ds.PatientSex, ds.PatientOrientation = "19700101", "O", ""
    ds.SeriesNumber = ds.InstanceNumber = 1
    ds.BurnedInAnnotation, ds.LossyImageCompression = "YES", "00"
    ds.NumberOfFrames = n_frames
    ds.FrameTime = f"{1000 / (recording.fps or 25):.4f}"
    ds.FrameIncrementPointer = 0x00181063
    ds.CineRate = ds.RecommendedDisplayFrameRate = round(recording.fps or 25)
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = recording.height, recording.width
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
    ds.PresentationLUTShape, ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "IDENTITY", "0", "1", "US"
    ds.SequenceOfUltrasoundRegions = Sequence([_region(exam)])
    return ds


def _region(exam: PhantomExam) -> Dataset:
    """The sector, as PS3.3 C.8.5.5 describes it: 2D, tissue, centimeters."""
    sector = exam.source.stage.sector
    box: Box = sector.box()
    item = Dataset()
    item.RegionSpatialFormat, item.RegionDataType, item.RegionFlags = 1, 1, 0
    item.RegionLocationMinX0, item.RegionLocationMinY0 = box.left, box.top
    item.RegionLocationMaxX1, item.RegionLocationMaxY1 = box.right - 1, box.bottom - 1
    item.ReferencePixelX0 = round(sector.left) - box.left
    item.ReferencePixelY0 = round(sector.top) - box.top
    item.PhysicalUnitsXDirection = item.PhysicalUnitsYDirection = 3
    item.PhysicalDeltaX = item.PhysicalDeltaY = sector.mm_per_pixel / 10
    return item


def _encoded(image: UInt8[np.ndarray, "height width"], coding: Coding) -> bytes:
    height, width = image.shape
    return get_encoder(_SYNTAXES[coding]).encode(
        image,
        rows=height,
        columns=width,
        samples_per_pixel=1,
        bits_allocated=8,
        bits_stored=8,
        pixel_representation=0,
        photometric_interpretation="MONOCHROME2",
        number_of_frames=1,
        encoding_plugin="gdcm" if coding == "rle" else "pylibjpeg",
    )


def _write_video(
    exam: PhantomExam, path: Path, *, codec: str, pixels: str, fps: float, options: dict[str, str]
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = exam.recording.height, exam.recording.width
    with av.open(str(path), "w", options={"fflags": "+bitexact"}) as container:
        stream = cast(
            VideoStream,
            container.add_stream(codec, rate=Fraction(fps).limit_denominator(1001), options=options),
        )
        stream.width, stream.height, stream.pix_fmt = width + width % 2, height + height % 2, pixels
        stream.codec_context.thread_count = 1
        for frame in exam.recording.frames():
            even = np.pad(frame.image, ((0, height % 2), (0, width % 2)))
            picture = av.VideoFrame.from_ndarray(even, format="gray").reformat(format=pixels)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path
