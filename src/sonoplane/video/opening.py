"""One way to open any recording: its content, not its name, chooses the reader."""

import errno
import stat
from collections.abc import Sequence
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from sonoplane.errors import DamagedRecording, RecordingError, SonoplaneError, UsageError
from sonoplane.records import Recording
from sonoplane.video.discovery import safe_id, without_suffix
from sonoplane.video.pseudonyms import Pseudonyms
from sonoplane.video.signatures import kind_of, looks_like_text, read_head

__all__ = ["open_recording"]

KINDS = "Give DICOM, a video (MP4, MOV, AVI, MKV, MPEG, GIF), an image, or a folder of images."


def open_recording(
    path: Path,
    *,
    frames: Sequence[Path] = (),
    recording_id: str | None = None,
    pseudonyms: Pseudonyms | None = None,
) -> Recording:
    """Open a DICOM file, a video, an image or a folder of frames; its pixels are read as they are asked for.

    `frames`: the image files of a recording whose frames lie among those of others, in order; `path` then only
    names it (`discovery.Found` has both). Without `recording_id` the recording is named after the file. Patients
    and studies get pseudonyms that hold for this run alone, unless a keyed `Pseudonyms` is given. Errors:
    `UsageError` where nothing has that name, `DamagedRecording`, `NotUltrasound` or another `RecordingError` where
    what is there cannot be opened.
    """
    path = Path(path)
    mode = 0 if frames else _mode(path)
    named = recording_id or safe_id(path.resolve().name if stat.S_ISDIR(mode) else without_suffix(path.name))
    try:
        if frames:
            from sonoplane.video.folder import open_frames

            return open_frames(frames, recording_id=named)
        if stat.S_ISDIR(mode):
            from sonoplane.video.folder import open_folder

            return open_folder(path, recording_id=named)
        if not stat.S_ISREG(mode):
            raise RecordingError(f"{path.name} is neither a file nor a folder.", advice=KINDS)
        return _open_file(path, recording_id=named, pseudonyms=pseudonyms or _of_this_run())
    except PermissionError as error:
        raise RecordingError(
            f"{path.name} may not be read by this user.", advice="Allow reading it, or copy it."
        ) from error
    except SonoplaneError:
        raise
    except OSError as error:
        raise RecordingError(
            f"{path.name} cannot be read: {error.strerror or type(error).__name__}.",
            advice="Check the disk or the network share it lies on.",
        ) from error


def _open_file(path: Path, *, recording_id: str, pseudonyms: Pseudonyms) -> Recording:
    """Open a regular file with the reader that its first bytes ask for; each reader is loaded when needed."""
    head = read_head(path)
    if not head:
        raise DamagedRecording(f"{path.name} is empty.", advice="Copy it again from where it was made.")
    kind = kind_of(head)
    if kind == "image":
        from sonoplane.video.folder import open_image

        return open_image(path, recording_id=recording_id)
    if kind == "dicom" or (kind is None and _is_bare_dicom(path)):
        from sonoplane.video.dicom import open_dicom

        return open_dicom(path, recording_id=recording_id, pseudonyms=pseudonyms)
    if kind == "foreign":
        raise RecordingError(f"{path.name} is an archive or a document, not a recording.", advice=KINDS)
    if kind is None and looks_like_text(head):
        raise RecordingError(f"{path.name} is a text file, not a recording.", advice=KINDS)
    from sonoplane.video.container import open_container

    try:
        return open_container(path, recording_id=recording_id)
    except DamagedRecording as error:
        if kind == "video":
            raise
        raise RecordingError(f"{path.name} is no kind of recording that is known.", advice=KINDS) from error


def _is_bare_dicom(path: Path) -> bool:
    """Whether this is DICOM without the prefix that says so."""
    from sonoplane.video.dicom import looks_like_dicom

    return looks_like_dicom(path)


def _mode(path: Path) -> int:
    """What lies at a path; an error in one sentence where nothing does."""
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        if path.is_symlink():
            raise DamagedRecording(
                f"{path.name} is a link to a file that is not there.",
                advice="Bring the file back, or remove the link.",
            ) from error
        raise UsageError(f"There is no file or folder {path.name}.", advice=_suggestion(path)) from error
    except PermissionError as error:
        raise RecordingError(
            f"{path.name} may not be read by this user.", advice="Allow reading its folder, or copy it."
        ) from error
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno == errno.ELOOP:
            raise DamagedRecording(
                f"{path.name} is a link that leads in a circle.", advice="Remove the link."
            ) from error
        raise UsageError(f"{path.name[:80]} is no usable path.", advice="Check how it is written.") from error


def _suggestion(path: Path) -> str:
    """Which name beside it may have been meant."""
    folder = path.parent
    if not folder.is_dir():
        return f"The folder {folder.name} is not there either: check the path."
    try:
        names = {entry.name.casefold(): entry.name for entry in folder.iterdir()}
    except OSError:
        return "Check the path."
    close = get_close_matches(path.name.casefold(), names, n=1)
    return f"Did you mean {names[close[0]]}?" if close else "Check the path."


@cache
def _of_this_run() -> Pseudonyms:
    """Pseudonyms that are equal for one patient within this run, and useless after it."""
    return Pseudonyms.fresh()
