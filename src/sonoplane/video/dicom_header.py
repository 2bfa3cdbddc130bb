"""What a DICOM header says about a recording: only the elements named here are ever read."""

import io
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydicom import Dataset, config, uid
from pydicom.filereader import read_partial
from pydicom.tag import BaseTag, Tag

from sonoplane.errors import DamagedRecording, NotUltrasound, RecordingError
from sonoplane.video.dicom_frames import ByteStream, Span

__all__ = ["Header", "check_ultrasound", "open_data", "read_header", "uid_name"]

# pydicom logs what it warns of, with the offending value in it: a name or a date may be one.
config.logger.propagate = False

PIXEL_DATA, PIXEL_DATA_KINDS = Tag("PixelData"), (0x7FE00008, 0x7FE00009, 0x7FE00010)
UNDEFINED = 0xFFFFFFFF

#: All that is read of a header. The patient's id and the study's UID leave this room as pseudonyms alone.
ALLOWED = (
    "SOPClassUID",
    "Modality",
    "PatientID",
    "StudyInstanceUID",
    "Manufacturer",
    "ManufacturerModelName",
    "FrameTime",
    "FrameTimeVector",
    "FrameIncrementPointer",
    "CineRate",
    "RecommendedDisplayFrameRate",
    "SequenceOfUltrasoundRegions",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "PlanarConfiguration",
    "BitsAllocated",
    "BitsStored",
    "PixelRepresentation",
    "RescaleSlope",
    "RescaleIntercept",
    "ModalityLUTSequence",
    "WindowCenter",
    "WindowWidth",
    "VOILUTFunction",
    "VOILUTSequence",
    "PixelPresentation",
    "RedPaletteColorLookupTableDescriptor",
    "GreenPaletteColorLookupTableDescriptor",
    "BluePaletteColorLookupTableDescriptor",
    "RedPaletteColorLookupTableData",
    "GreenPaletteColorLookupTableData",
    "BluePaletteColorLookupTableData",
    "SegmentedRedPaletteColorLookupTableData",
    "SegmentedGreenPaletteColorLookupTableData",
    "SegmentedBluePaletteColorLookupTableData",
    "ExtendedOffsetTable",
)

#: Ultrasound image storage: single and multi-frame, today's and the retired ones, and the enhanced volume.
ULTRASOUND_CLASSES = {
    f"1.2.840.10008.5.1.4.1.1.{end}" for end in ("6.1", "3.1", "6", "3", "6.2")
}  # fmt: skip
SINGLE_FRAME_CLASSES = {f"1.2.840.10008.5.1.4.1.1.{end}" for end in ("6.1", "6", "7")}
VOLUME_CLASS = "1.2.840.10008.5.1.4.1.1.6.2"

#: Ultrasound, intravascular ultrasound, and the retired codes for echocardiography and Doppler.
ULTRASOUND_MODALITIES = {"US", "IVUS", "EC", "CD", "DD"}

#: Preamble, prefix, and the element that tells the length of the rest of the file meta information.
META_START = 128 + 4 + 12

_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True, kw_only=True, slots=True)
class Header:
    """The allowed part of a header, and where its pixel data lie."""

    data: Dataset = field(repr=False)
    syntax: uid.UID
    sop_class: str
    """What kind of object this is; of a header cut short, what the file meta information says."""
    pixels: Span | None
    """None: no pixel data. A length of -1: compressed, up to an end mark."""
    pixel_vr: str = "OW"
    file_bytes: int = 0
    """Of the file, or of what it inflates to."""
    notes: tuple[str, ...] = ()

    def number(self, keyword: str) -> int | None:
        """A whole number, or None where it is missing or is none."""
        try:
            return int(self.data[keyword].value)
        except (KeyError, TypeError, ValueError):
            return None

    def text(self, keyword: str) -> str:
        """Words without the blanks around them; empty where missing."""
        value = self.data.get(keyword)
        return "" if value is None else str(value).strip(" \0")


@contextmanager
def open_data(path: Path) -> Iterator[ByteStream]:
    """The file; where its data set is deflated, what it inflates to, without the file meta information."""
    try:
        with path.open("rb") as file:
            start = file.read(META_START)
            meta = file.read(int.from_bytes(start[-4:], "little")) if start[128:132] == b"DICM" else b""
            if uid.DeflatedExplicitVRLittleEndian.encode() in meta:
                yield io.BytesIO(zlib.decompress(file.read(), -zlib.MAX_WBITS))
            else:
                file.seek(0)
                yield file
    except (OSError, zlib.error) as error:
        raise DamagedRecording(
            "The DICOM file cannot be read to its end.", advice="Check that it is still there and whole."
        ) from error


def read_header(path: Path) -> Header:
    """Read a header up to the pixel data; `DamagedRecording` where it cannot be read."""
    try:
        with _ONE_AT_A_TIME, warnings.catch_warnings(), open_data(path) as stream:
            warnings.simplefilter("ignore")
            return _read(stream)
    except RecordingError:
        raise
    except Exception as error:  # a damaged header makes pydicom raise nearly anything
        raise DamagedRecording(
            "The DICOM header is damaged.", advice="Copy or export the file again from where it came."
        ) from error


def _read(stream: ByteStream) -> Header:
    data = read_partial(
        stream, stop_when=_at_pixels, force=True, specific_tags=[Tag(keyword) for keyword in ALLOWED]
    )
    for keyword in ALLOWED:
        _convert(data, keyword)
    implicit, little = data.original_encoding
    syntax = data.file_meta.get("TransferSyntaxUID")
    notes = []
    if isinstance(stream, io.BytesIO):
        syntax = uid.DeflatedExplicitVRLittleEndian
    elif not syntax:
        notes.append("The file names no transfer syntax: taken from its first element.")
        explicit = uid.ExplicitVRBigEndian if little is False else uid.ExplicitVRLittleEndian
        syntax = uid.ImplicitVRLittleEndian if implicit else explicit
    data.file_meta.TransferSyntaxUID = uid.UID(syntax)  # where pydicom looks for the order of bytes
    pixels, vr = _pixel_element(stream, order="big" if little is False else "little")
    return Header(
        data=data,
        syntax=uid.UID(syntax),
        sop_class=_sop_class(data),
        pixels=pixels,
        pixel_vr=vr,
        file_bytes=stream.seek(0, io.SEEK_END),
        notes=tuple(notes),
    )


def _sop_class(data: Dataset) -> str:
    kinds = [str(data.get("SOPClassUID") or ""), str(data.file_meta.get("MediaStorageSOPClassUID") or "")]
    return next((kind for kind in kinds if uid_name(kind)), "")


def _at_pixels(tag: BaseTag, vr: str | None, length: int) -> bool:
    return tag in PIXEL_DATA_KINDS


def _convert(data: Dataset, keyword: str) -> None:
    """Parse an element now, while warnings are held; one that cannot be parsed counts as missing."""
    try:
        data.get(keyword)
    except Exception:  # pydicom raises what the value's own conversion raises
        del data[keyword]


def _pixel_element(stream: ByteStream, *, order: Literal["little", "big"]) -> tuple[Span | None, str]:
    """Where the value of the pixel data element is, which the stream stands before."""
    at = stream.tell()
    start = stream.read(12)
    if len(start) < 8 or _tag(start, order) != PIXEL_DATA:
        return None, ""
    explicit = start[4:6] in (b"OB", b"OW", b"UN")  # no length begins so: these would be odd
    length = int.from_bytes(start[8:12] if explicit else start[4:8], order)
    vr = start[4:6].decode() if explicit else "OW"
    return Span(at + (12 if explicit else 8), -1 if length == UNDEFINED else length), vr


def _tag(start: bytes, order: Literal["little", "big"]) -> BaseTag:
    return Tag(int.from_bytes(start[:2], order), int.from_bytes(start[2:4], order))


def uid_name(value: str) -> str | None:
    """What DICOM calls this UID; None for one it does not know, which may be private."""
    name = uid.UID(value, validation_mode=config.IGNORE).name
    return None if name == value else name


def check_ultrasound(header: Header) -> None:
    """Pass ultrasound images; else `NotUltrasound`, or `DamagedRecording` where the pixels are gone."""
    kind, modality = header.sop_class, header.text("Modality").upper()
    if kind not in ULTRASOUND_CLASSES and modality not in ULTRASOUND_MODALITIES:
        name = uid_name(kind) or "an object of unknown kind"
        said = f"modality {modality}" if modality.isalnum() and len(modality) <= 16 else "no modality"
        raise NotUltrasound(
            f"The DICOM file is no ultrasound: {name}, {said}.",
            advice="Choose ultrasound images; if it is one, its Modality must say US.",
        )
    if header.pixels is None:
        if kind in ULTRASOUND_CLASSES or header.number("Rows"):
            raise DamagedRecording(
                "The DICOM file ends before its pixel data.",
                advice="Copy or export it again from where it came.",
            )
        raise NotUltrasound(
            "The DICOM file holds no image.", advice="Choose the images of the study, not its reports."
        )
