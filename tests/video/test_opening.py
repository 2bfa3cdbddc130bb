"""What a file holds chooses its reader; what cannot be opened is told in one sentence."""

import os
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from sonoplane.errors import DamagedRecording, NotUltrasound, RecordingError, SonoplaneError, UsageError
from sonoplane.video.digest import content_digest
from sonoplane.video.opening import open_recording


def image(path: Path) -> Path:
    Image.fromarray(np.zeros((8, 10, 3), np.uint8)).save(path)
    return path


def video(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame(64, 48, "rgb24")))
        container.mux(stream.encode())
    return path


def dicom(path: Path, *, bare: bool = False) -> Path:
    """An echo cine of 30 frames; bare, it lacks the preamble and the prefix."""
    from pydicom.data import get_testdata_file

    whole = Path(get_testdata_file("examples_ybr_color.dcm", download=False)).read_bytes()
    path.write_bytes(whole[132:] if bare else whole)
    return path


@pytest.mark.parametrize("name", ["a.mp4", "A.MP4", "a", "a.dcm", "a.txt", "a.png"])
def test_a_video_opens_whatever_its_name(name, tmp_path):
    recording = open_recording(video(tmp_path / "v.mp4").rename(tmp_path / name))
    assert (recording.facts.container, recording.facts.codec) == ("mp4", "h264")
    assert recording.id == Path(name).stem
    assert len(list(recording.frames())) == 3


@pytest.mark.parametrize("name", ["a.png", "A.PNG", "a", "a.mp4", "a.dcm"])
def test_an_image_opens_whatever_its_name(name, tmp_path):
    recording = open_recording(image(tmp_path / "i.png").rename(tmp_path / name))
    assert (recording.facts.container, recording.facts.codec) == ("image", "png")
    assert recording.n_frames == 1


@pytest.mark.parametrize("bare", [False, True])
@pytest.mark.parametrize("name", ["a.dcm", "IM0001", "a.mp4", "1.2.840.113619"])
def test_dicom_opens_whatever_its_name(name, bare, tmp_path):
    recording = open_recording(dicom(tmp_path / name, bare=bare))
    assert recording.facts.container == "dicom"
    assert recording.n_frames == 30


def test_a_folder_of_frames_is_one_recording(tmp_path):
    (tmp_path / "exam.7").mkdir()
    for number in range(3):
        image(tmp_path / "exam.7" / f"f{number}.png")
    recording = open_recording(tmp_path / "exam.7")
    assert (recording.id, recording.n_frames, recording.facts.container) == ("exam.7", 3, "folder")


def test_the_given_id_is_kept(tmp_path):
    assert open_recording(image(tmp_path / "i.png"), recording_id="sweep-1").id == "sweep-1"


def test_one_patient_has_one_pseudonym_within_a_run(tmp_path):
    first, second = (open_recording(dicom(tmp_path / name)) for name in ("a", "b"))
    assert first.facts.patient == second.facts.patient is not None


BAD = {
    "empty.mp4": (b"", DamagedRecording, "is empty"),
    "empty": (b"", DamagedRecording, "is empty"),
    "text.mp4": (b"Dear colleague,\nplease find attached\n" * 9, RecordingError, "is a text file"),
    "umlaut.mp4": ("Später Befund\n".encode() * 400, RecordingError, "is a text file"),
    "utf16.avi": ("Befund".encode("utf-16"), RecordingError, "is a text file"),
    "page.gif": (b"<html><body>not found</body></html>", RecordingError, "is a text file"),
    "noise.mp4": (bytes(range(256)) * 20, RecordingError, "no kind of recording"),
    "zeros.dcm": (bytes(5000), RecordingError, "no kind of recording"),
    "study.zip": (b"PK\x03\x04" + bytes(50), RecordingError, "archive or a document"),
    "cut.mp4": (b"\0\0\0\x20ftypisom" + bytes(40), DamagedRecording, "cannot be read as a video"),
    "cut.png": (b"\x89PNG\r\n\x1a\n" + bytes(30), DamagedRecording, "cannot be read"),
    "cut.gif": (b"GIF89a\x10\0\x10\0", DamagedRecording, "cut.gif"),
    "cut.dcm": (bytes(128) + b"DICM", RecordingError, None),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_opened_is_told_by_name(name, tmp_path):
    content, error, words = BAD[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(error, match=words) as caught:
        open_recording(tmp_path / name)
    assert str(tmp_path) not in str(caught.value)
    assert caught.value.advice
    assert "\n" not in str(caught.value)


def test_dicom_that_is_no_ultrasound_is_told(tmp_path):
    from pydicom.data import get_testdata_file

    with pytest.raises(NotUltrasound):
        open_recording(Path(get_testdata_file("CT_small.dcm", download=False)))


def test_a_dangling_link_fails_by_name(tmp_path):
    (tmp_path / "gone.mp4").symlink_to(tmp_path / "nowhere.mp4")
    with pytest.raises(DamagedRecording, match=r"gone\.mp4 is a link to a file that is not there"):
        open_recording(tmp_path / "gone.mp4")


def test_a_circle_of_links_fails_by_name(tmp_path):
    (tmp_path / "a.mp4").symlink_to(tmp_path / "b.mp4")
    (tmp_path / "b.mp4").symlink_to(tmp_path / "a.mp4")
    with pytest.raises(DamagedRecording, match=r"a\.mp4 is a link that leads in a circle"):
        open_recording(tmp_path / "a.mp4")


def test_a_misspelled_name_gets_the_right_one(tmp_path):
    (tmp_path / "sweep_12.MP4").touch()
    with pytest.raises(UsageError, match=r"no file or folder sweep12\.mp4\. Did you mean sweep_12\.MP4\?"):
        open_recording(tmp_path / "sweep12.mp4")
    with pytest.raises(UsageError, match="Check the path"):
        open_recording(tmp_path / "q")
    with pytest.raises(UsageError, match="folder sweeps is not there either"):
        open_recording(tmp_path / "sweeps" / "a.mp4")
    with pytest.raises(UsageError):
        open_recording(tmp_path / "sweep_12.MP4" / "a")


@pytest.mark.parametrize("name", ["x" * 300, "a\0b"])
def test_an_impossible_name_is_told(name, tmp_path):
    with pytest.raises(UsageError, match="no usable path"):
        open_recording(tmp_path / name)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_told(tmp_path):
    image(tmp_path / "i.png").chmod(0)
    with pytest.raises(RecordingError, match="may not be read"):
        open_recording(tmp_path / "i.png")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are of Unix")
def test_a_pipe_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(RecordingError, match="neither a file nor a folder"):
        open_recording(tmp_path / "pipe")


def test_every_beginning_of_a_video_opens_or_fails_in_words(tmp_path):
    whole = video(tmp_path / "v.mp4").read_bytes()
    for length in range(0, len(whole), 97):
        (tmp_path / "cut.mp4").write_bytes(whole[:length])
        try:
            list(open_recording(tmp_path / "cut.mp4").frames())
        except SonoplaneError as error:
            assert "cut.mp4" in str(error)  # noqa: PT017


def test_a_video_needs_no_dicom_library(tmp_path):
    code = (
        "import sys; from pathlib import Path; from sonoplane.video.opening import open_recording;"
        f"open_recording(Path({str(video(tmp_path / 'v.mp4'))!r})); print('pydicom' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_frames_among_those_of_other_recordings_open_by_themselves(tmp_path):
    for number in (1, 2, 5):
        image(tmp_path / f"v1_{number}.png")
        image(tmp_path / f"v2_{number}.png")
    frames = [tmp_path / f"v1_{number}.png" for number in (1, 2, 5)]
    recording = open_recording(tmp_path / "v1", frames=frames)
    assert (recording.id, recording.n_frames, recording.facts.container) == ("v1", 3, "folder")
    assert recording.warnings == ("The frame numbers have gaps: 3 to 4 missing.",)
    digest = content_digest(tmp_path / "v1", frames=frames)
    assert digest == content_digest(tmp_path / "v1", frames=frames[::-1])
    Image.fromarray(np.ones((8, 10, 3), np.uint8)).save(frames[0])
    assert digest != content_digest(tmp_path / "v1", frames=frames)


def test_frames_have_the_digest_of_a_folder_that_holds_nothing_else(tmp_path):
    frames = [image(tmp_path / f"v_{number}.png") for number in range(3)]
    assert content_digest(tmp_path / "v", frames=frames) == content_digest(tmp_path)
