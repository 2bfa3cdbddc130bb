"""An ultrasound DICOM file becomes a recording."""

from dataclasses import replace
from pathlib import Path

from sonoplane.errors import DamagedRecording, NotUltrasound
from sonoplane.records import Facts, Recording
from sonoplane.video.dicom_frames import fragments
from sonoplane.video.dicom_header import (
    SINGLE_FRAME_CLASSES,
    VOLUME_CLASS,
    Header,
    check_ultrasound,
    open_data,
    read_header,
)
from sonoplane.video.dicom_images import open_images
from sonoplane.video.dicom_regions import read_regions
from sonoplane.video.dicom_sniff import looks_like_dicom
from sonoplane.video.dicom_times import read_clock
from sonoplane.video.dicom_video import VIDEO_SYNTAXES, VideoSource, count_pictures, probe_video
from sonoplane.video.pseudonyms import Pseudonyms

__all__ = ["looks_like_dicom", "open_dicom"]


def open_dicom(path: Path, *, recording_id: str, pseudonyms: Pseudonyms) -> Recording:
    """Open an ultrasound DICOM file; its frames are decoded one at a time, as they are asked for.

    Frames are 8-bit gray or RGB. `NotUltrasound` for a file that is no ultrasound image, `DamagedRecording`
    for one that is empty, cut short, or in a form that cannot be decoded.
    """
    if not path.is_file() or path.stat().st_size == 0:
        raise DamagedRecording(
            "The DICOM file is empty or missing.", advice="Copy it again from where it came."
        )
    if not looks_like_dicom(path):
        raise NotUltrasound("The file is no DICOM file.", advice="Choose a DICOM image or a video.")
    header = read_header(path)
    check_ultrasound(header)
    if header.syntax in VIDEO_SYNTAXES:
        recording = _open_video(path, header, recording_id)
    else:
        recording = _open_images(path, header, recording_id)
    return _with_facts(recording, header, pseudonyms)


def _open_images(path: Path, header: Header, recording_id: str) -> Recording:
    source, notes = open_images(path, header)
    n_frames, form = len(source.frames), source.form
    clock, odd_times = read_clock(header.data, n_frames=n_frames)
    return Recording(
        id=recording_id,
        height=form.rows,
        width=form.columns,
        color=form.samples == 3 or form.photometric == "PALETTE COLOR",
        fps=clock.fps,
        n_frames=n_frames,
        facts=Facts(container="dicom", codec=form.syntax.name),
        warnings=(*notes, *odd_times),
        source=replace(source, clock=clock),
    )


def _open_video(path: Path, header: Header, recording_id: str) -> Recording:
    assert header.pixels is not None
    with open_data(path) as stream:
        _, spans, closed = fragments(stream, header.pixels.start, file_bytes=header.file_bytes)
    facts = probe_video(path, tuple(spans))
    claimed, counted = header.number("NumberOfFrames"), count_pictures(path, tuple(spans))
    notes = [] if closed else ["The compressed pixel data have no end mark."]
    if counted is not None and counted != claimed:
        notes.append(f"The header says {claimed or 'no number of'} frames, the video stream holds {counted}.")
    if (facts.height, facts.width) != (header.number("Rows"), header.number("Columns")):
        notes.append(f"The frames are {facts.width} x {facts.height}, which the header does not say.")
    clock, odd_times = read_clock(header.data, n_frames=counted)
    return Recording(
        id=recording_id,
        height=facts.height,
        width=facts.width,
        color=facts.color,
        fps=clock.fps or facts.fps,
        n_frames=counted if counted == claimed else None,
        facts=Facts(container="dicom", codec=header.syntax.name),
        warnings=(*notes, *odd_times),
        source=VideoSource(path=path, spans=tuple(spans), clock=clock),
    )


def _with_facts(recording: Recording, header: Header, pseudonyms: Pseudonyms) -> Recording:
    """The recording with what else may be known of it."""
    regions, odd_regions = read_regions(header.data, height=recording.height, width=recording.width)
    notes = [*header.notes, *recording.warnings, *odd_regions]
    kind = header.sop_class
    if kind in SINGLE_FRAME_CLASSES and recording.n_frames != 1:
        notes.append("The file is of a single-frame class, but holds several frames: all are used.")
    if kind == VOLUME_CLASS:
        notes.append("The frames are slices of a volume, not moments in time.")
    patient, study = header.text("PatientID"), header.text("StudyInstanceUID")
    scanner = " ".join(header.text(name) for name in ("Manufacturer", "ManufacturerModelName")).strip()
    facts = replace(
        recording.facts,
        patient=pseudonyms.of("patient", patient) if patient else None,
        study=pseudonyms.of("study", study) if study else None,
        scanner=scanner or None,
        regions=regions,
    )
    return replace(recording, facts=facts, warnings=tuple(notes))
