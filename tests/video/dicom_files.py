"""Small ultrasound DICOM files, made as the tests need them."""

import io
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image
from pydicom import Dataset, FileMetaDataset, dcmwrite, uid
from pydicom.encaps import encapsulate

from sonoplane.records import Recording
from sonoplane.video.dicom import open_dicom
from sonoplane.video.pseudonyms import Pseudonyms

NAMES = Pseudonyms(b"a key for these tests")


def opened(path: Path, names: Pseudonyms = NAMES) -> Recording:
    return open_dicom(path, recording_id="test", pseudonyms=names)


def first(path: Path) -> np.ndarray:
    return next(opened(path).frames()).image


def ultrasound(frames: np.ndarray, **elements: Any) -> Dataset:
    """An uncompressed multi-frame object, `time height width` with or without samples behind."""
    color = frames.ndim == 4
    bits = frames.dtype.itemsize * 8
    data = Dataset()
    data.SOPClassUID = uid.UltrasoundMultiFrameImageStorage
    data.SOPInstanceUID, data.StudyInstanceUID = uid.generate_uid(), uid.generate_uid()
    data.Modality, data.PatientID, data.PatientName = "US", "4711", "Roe^Jane"
    data.NumberOfFrames, data.Rows, data.Columns = frames.shape[:3]
    data.SamplesPerPixel = 3 if color else 1
    data.PhotometricInterpretation = "RGB" if color else "MONOCHROME2"
    if color:
        data.PlanarConfiguration = 0
    data.BitsAllocated = data.BitsStored = bits
    data.HighBit, data.PixelRepresentation = bits - 1, int(frames.dtype.kind == "i")
    raw = frames.tobytes()
    data.PixelData = raw + b"\0" * (len(raw) % 2)
    data["PixelData"].VR = "OW" if bits > 8 else "OB"
    for name, value in elements.items():
        setattr(data, name, value)
    return data


def save(data: Dataset, path: Path, syntax: uid.UID = uid.ExplicitVRLittleEndian) -> Path:
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = syntax
    dcmwrite(path, data, enforce_file_format=True)
    return path


def save_streams(
    streams: list[bytes],
    path: Path,
    syntax: uid.UID,
    shape: tuple[int, ...],
    *,
    table: bool = True,
    **elements: Any,
) -> Path:
    """Compressed frames of this shape (`height width` with or without samples behind)."""
    data = ultrasound(np.zeros((1, *shape), np.uint8), **{"NumberOfFrames": len(streams), **elements})
    data.PixelData = encapsulate(streams, has_bot=table)
    data["PixelData"].VR = "OB"
    data["PixelData"].is_undefined_length = True
    return save(data, path, syntax)


def jpeg(pixels: np.ndarray, **options: Any) -> bytes:
    """A JPEG stream by Pillow, which converts RGB to YCbCr and says so with a JFIF marker."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", **{"quality": 98, "subsampling": 0, **options})
    return buffer.getvalue()


def without_marker(stream: bytes, marker: int) -> bytes:
    """A JPEG stream without the first segment of this marker."""
    at = stream.index(bytes((0xFF, marker)))
    return stream[:at] + stream[at + 2 + int.from_bytes(stream[at + 2 : at + 4], "big") :]


def encoded(frames: np.ndarray, *, fps: int = 25, codec: str = "libx264", container: str = "h264") -> bytes:
    """A video stream, bare or in a container."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as file:
        stream = file.add_stream(codec, rate=Fraction(fps))
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "yuv420p"
        for frame in frames:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        file.mux(stream.encode())
    return buffer.getvalue()


def ramp(n_frames: int = 3, height: int = 16, width: int = 24) -> np.ndarray:
    """Gray frames that all differ, smooth enough for any codec."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows * 5 + columns * 3 + index * 20 for index in range(n_frames)]).astype(np.uint8)


def colors(n_frames: int = 1, height: int = 16, width: int = 24) -> np.ndarray:
    """RGB frames: a gray ramp whose left third is red, as color flow is."""
    frames = np.repeat(ramp(n_frames, height, width)[..., None], 3, axis=-1)
    frames[:, :, : width // 3] = (200, 30, 40)
    return frames
