"""What `--record` keeps of a live feed: one folder as `predict` leaves it, and the cleaned video, whole at the end."""

import csv
import errno
import os
import queue
import shutil
import threading
import uuid
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from sonoplane.errors import SonoplaneError, UsageError
from sonoplane.records import Findings, Image, Timeline
from sonoplane.report.folder import Failure, listed, write_index, write_report
from sonoplane.report.tables import write_timeline
from sonoplane.report.video import VideoFile

__all__ = ["VIDEO", "LiveRecording", "free_name"]

VIDEO = "video.mp4"
#: Frames that wait for the encoder at most.
_AHEAD = 30
#: Bytes of the disk that are kept free for what is written at the end, in a file of this name.
_ROOM, _ROOM_BYTES = "room", 16_000_000
#: Names that may be taken, one after the other, by others that record into the same folder.
_MOST_NAMES = 100


class _Waiting(NamedTuple):
    """A frame for the encoder, and the times of those before it that it had no room for."""

    repeats_s: tuple[float, ...]
    image: Image | None
    """None: there is no further frame."""
    time_s: float


class LiveRecording:
    """Takes cleaned frames and encodes them on a thread of its own; `finish` puts everything in its place.

    `add` never waits. Where the encoder falls behind by more than a second or so of frames, the video shows the frame
    before in their place, so that frame n of the video stays row n of the timeline; `n_repeated` counts these. Until
    `finish`, `keep` or `give_up`, all lies in a hidden folder.
    """

    def __init__(self, out: Path, name: str, *, height: int, width: int, fps: float | None) -> None:
        self.n_repeated = 0
        self.error: SonoplaneError | None = None
        """What has stopped the encoder, or kept a part from being written, such as a full disk."""
        self._out = out
        self._name = name
        self._folder = out / f".{uuid.uuid4().hex[:12]}.partial"
        self._kept = False
        self._repeats_s: list[float] = []
        self._line: queue.Queue[_Waiting] = queue.Queue(maxsize=_AHEAD)
        try:
            self._folder.mkdir(parents=True)
            self._video = VideoFile(self._folder / VIDEO, height=height, width=width, fps=fps)
        except OSError as error:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise _unfit(out, error) from error
        with suppress(OSError):  # a disk that has not even this has room for some of it
            (self._folder / _ROOM).write_bytes(bytes(_ROOM_BYTES))
        self._thread = threading.Thread(target=self._encode, name="record", daemon=True)
        self._thread.start()

    def add(self, image: Image, time_s: float) -> None:
        """Append a frame to the video, blanked outside the ultrasound region; it must not change afterwards."""
        if self.error:
            return
        try:
            self._line.put_nowait(_Waiting(tuple(self._repeats_s), image, time_s))
        except queue.Full:
            self._repeats_s.append(time_s)
            self.n_repeated += 1
        else:
            self._repeats_s.clear()

    def close(self) -> None:
        """Wait until all frames that were added are in the video; what is written now may fill the disk."""
        with suppress(OSError):
            (self._folder / _ROOM).unlink()
        if self._thread.is_alive():
            self._line.put(_Waiting(tuple(self._repeats_s), None, 0.0))
            self._thread.join()

    def finish(self, findings: Findings, timeline: Timeline) -> Path:
        """Write all that a prediction leaves, move it to its place and list it; gives the folder.

        Where the name was taken meanwhile it is the next one that is free. Where something cannot be written, such as
        on a full disk, `error` says so and the folder holds the rest.
        """
        self.close()
        try:
            place = self._put(findings, timeline)
        except Exception as error:
            return self.keep(error, timeline)
        try:
            write_index(self._out, [*listed(self._out).values()], _failed(self._out))
        except Exception as error:
            self.error = self.error or SonoplaneError(
                f"The recording could not be listed in index.html: {_why(error)}.",
                advice=f"It is whole, in '{place.name}'; look whether the disk is full.",
            )
        return place

    def keep(self, error: Exception, timeline: Timeline | None = None) -> Path:
        """Put what there is under a visible name, as `finish` does where the whole cannot be written.

        Where not even that can be done all stays in the hidden folder, which `error` then names.
        """
        self.close()
        if timeline and not (self._folder / "timeline.csv").exists():
            try:
                write_timeline(self._folder / "timeline.csv", timeline)
            except Exception:  # told below, as the report that it would have been a part of
                (self._folder / "timeline.csv").unlink(missing_ok=True)
        self._kept = True
        place = self._out / _free(self._out, self._name)
        try:
            self._folder.rename(place)
        except OSError:
            place = self._folder
        self.error = SonoplaneError(
            f"The report could not be written: {_why(error)}.",
            advice=f"What was recorded is in '{place.name}'; look whether the disk is full.",
        )
        return place

    def give_up(self) -> None:
        """Leave nothing of what is not in its place."""
        self.close()
        if not self._kept:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _put(self, findings: Findings, timeline: Timeline) -> Path:
        """All of it in its place, under the first name that nobody takes in between."""
        name, video = findings.recording, self._folder / VIDEO
        for turn in range(_MOST_NAMES):
            place = self._out / name
            if not place.exists():
                folder = write_report(
                    replace(findings, recording=name), replace(timeline, recording=name), self._folder
                )
                with suppress(FileNotFoundError):
                    video.rename(folder / VIDEO)
                try:
                    folder.rename(place)
                except OSError:
                    with suppress(FileNotFoundError):
                        (folder / VIDEO).rename(video)
                    if turn == _MOST_NAMES - 1 or not place.exists():
                        raise
                    shutil.rmtree(folder)
                else:
                    shutil.rmtree(self._folder, ignore_errors=True)
                    return place
            name = _free(self._out, findings.recording)
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))

    def _encode(self) -> None:
        try:
            while True:
                item = self._line.get()
                for time_s in item.repeats_s:
                    self._video.repeat(time_s)
                if item.image is None:
                    break
                self._video.add(item.image, item.time_s)
        except Exception as error:  # told by the thread that recognizes, which goes on
            self.error = _cut_short(error)
            self._empty()
        try:
            self._video.close()
        except Exception as error:
            self.error = self.error or _cut_short(error)

    def _empty(self) -> None:
        """Let nobody wait for room in a line that is no longer read."""
        with suppress(queue.Empty):
            while True:
                self._line.get_nowait()


def free_name(out: Path, name: str) -> str:
    """The name for a recording in `out`, with a number where there is one of that name already.

    Raises:
        UsageError: `out` cannot be written to.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=out, prefix="."):
            pass
    except OSError as error:
        raise _unfit(out, error) from error
    return _free(out, name)


def _free(out: Path, name: str) -> str:
    turn, free = 1, name
    while (out / free).exists():
        turn += 1
        free = f"{name}-{turn}"
    return free


def _unfit(out: Path, error: OSError) -> UsageError:
    return UsageError(
        f"'{out.name}' cannot take the recording: {error.strerror}.",
        advice="Name another folder with --record.",
    )


def _cut_short(error: Exception) -> SonoplaneError:
    return SonoplaneError(
        f"The video could not be written to its end: {_why(error)}.", advice="Look whether the disk is full."
    )


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or type(error).__name__


def _failed(out: Path) -> list[Failure]:
    """Recordings that an earlier `predict` into this folder could not read; listed on."""
    try:
        with (out / "failures.csv").open(encoding="utf-8", newline="") as file:
            return [Failure(**row) for row in csv.DictReader(file)]
    except FileNotFoundError:
        return []
