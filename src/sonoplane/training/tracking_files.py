"""The trackers that need nobody else: tables of a run as CSV, and an event file for TensorBoard."""

import csv
import struct
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from sonoplane.report.confusion import confusion_png

__all__ = ["CsvFiles", "EventFile"]

#: The tables, and the columns of each.
_TABLES = {
    "parameters.csv": ("name", "value"),
    "metrics.csv": ("step", "name", "value"),
    "confusion.csv": ("epoch", "truth", "answer", "count"),
}

#: Figures of an epoch that TensorBoard compares runs by.
_COMPARED = ("val_loss", "val_accuracy", "val_macro_f1")


class CsvFiles:
    """`parameters.csv`, `metrics.csv` and `confusion.csv`, a value to a row, so that rows of all kinds fit."""

    def __init__(self, folder: Path, *, resumed: bool) -> None:
        self._folder = folder
        self._began = False
        for name, columns in _TABLES.items():
            if not (resumed and (folder / name).is_file()):
                _write(folder / name, [columns])

    def parameters(self, parameters: Mapping[str, Any]) -> None:
        """The last value of a name counts."""
        path = self._folder / "parameters.csv"
        known = dict(_read(path)[1:]) | {name: str(value) for name, value in parameters.items()}
        _write(path, [_TABLES[path.name], *known.items()])

    def metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """One row for each figure; what a killed training noted from the first step on goes before it comes again."""
        path = self._folder / "metrics.csv"
        if not self._began:
            _keep(path, lambda row: int(row[0]) < step)
            self._began = True
        _append(path, [(step, name, f"{value:.9g}") for name, value in metrics.items()])

    def confusion(self, matrix: Int[np.ndarray, "truth answer"], classes: Sequence[str], epoch: int) -> None:
        """One row for each cell."""
        rows = [
            (epoch, truth, answer, int(matrix[i, j]))
            for i, truth in enumerate(classes)
            for j, answer in enumerate(classes)
        ]
        path = self._folder / "confusion.csv"
        _keep(path, lambda row: row[0] != str(epoch))
        _append(path, rows)

    def close(self, status: str) -> None:
        """Every row is on disk already."""


class EventFile:
    """An event file of TensorBoard, whose own writers would put the name of the machine into the file's name."""

    def __init__(self, folder: Path, *, resumed: bool) -> None:
        before = sorted(folder.glob("events.out.tfevents.*.sonoplane"))
        if not resumed:
            for path in before:
                path.unlink()
        number = int(before[-1].name.split(".")[-2]) + 1 if resumed and before else 0
        self._path = folder / f"events.out.tfevents.{number:010d}.sonoplane"
        self._began = False
        self._add({"file_version": "brain.Event:2"})

    def parameters(self, parameters: Mapping[str, Any]) -> None:
        """For the page on which runs are compared."""
        from tensorboardX.summary import hparams

        told = hparams(dict(parameters), dict.fromkeys(_COMPARED, 0.0))[:2]
        self._add(*({"summary": summary} for summary in told))

    def metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """One curve for each name."""
        from tensorboardX.proto.event_pb2 import SessionLog
        from tensorboardX.proto.summary_pb2 import Summary

        if not self._began:  # what a killed training noted from this step on does not count
            self._add({"step": step, "session_log": SessionLog(status=SessionLog.START)})
            self._began = True
        values = [Summary.Value(tag=name, simple_value=value) for name, value in metrics.items()]
        self._add({"step": step, "summary": Summary(value=values)})

    def confusion(self, matrix: Int[np.ndarray, "truth answer"], classes: Sequence[str], epoch: int) -> None:
        """As a picture."""
        from tensorboardX.proto.summary_pb2 import Summary

        png = confusion_png(matrix, classes, title=f"epoch {epoch}")
        width, height = struct.unpack(">II", png[16:24])
        image = Summary.Image(height=height, width=width, colorspace=4, encoded_image_string=png)
        value = Summary.Value(tag="confusion", image=image)
        self._add({"step": epoch, "summary": Summary(value=[value])})

    def close(self, status: str) -> None:
        """Every event is in the file already."""

    def _add(self, *events: Mapping[str, Any]) -> None:
        """A record is its length, the data, and a check sum of each."""
        from tensorboardX.proto.event_pb2 import Event
        from tensorboardX.record_writer import masked_crc32c

        with self._path.open("ab") as file:
            for event in events:
                data = Event(wall_time=time.time(), **event).SerializeToString()
                length = struct.pack("<Q", len(data))
                for part in (length, data):
                    file.write(part + struct.pack("<I", masked_crc32c(part)))


def _read(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def _keep(path: Path, wanted: Callable[[list[str]], bool]) -> None:
    """Leave out the other rows, and a last one that was cut short."""
    header, *rows = _read(path)
    _write(path, [header, *(row for row in rows if len(row) == len(header) and wanted(row))])


def _append(path: Path, rows: Iterable[Sequence[Any]]) -> None:
    with path.open("a", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def _write(path: Path, rows: Iterable[Sequence[Any]]) -> None:
    fresh = path.with_name(f".{path.name}.new")
    with fresh.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
    fresh.replace(path)
