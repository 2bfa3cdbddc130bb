"""Label Studio's JSON export becomes labels: ranges of a video's timeline, and choices for a whole video."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

from sonoplane.clips.label_files import read_text
from sonoplane.clips.label_settle import Item, Source
from sonoplane.errors import LabelError

__all__ = ["read_label_studio"]

#: What Label Studio puts before the name of an uploaded file.
UPLOAD = re.compile(r"^[0-9a-f]{8}-(?=.)")

#: A file name that may be a video's.
VIDEO = re.compile(r"\.(mp4|m4v|mov|avi|mkv|webm|mpe?g|wmv|gif|dcm|ogv|3gp)$", re.IGNORECASE)

EXPORT = "Export the project as 'JSON' (not JSON-MIN, CSV or YOLO)."


@dataclass(frozen=True, kw_only=True, slots=True)
class _Context:
    """What holds for the regions of one task."""

    source: Source
    recording: str
    n_frames: int | None
    """As Label Studio counted them; None where it does not tell."""
    times_s: Sequence[float] | None
    wanted: str | None
    """The control whose regions alone are read; None: all timelines."""


def read_label_studio(
    path: Path, *, task: str | None = None, times_s: Mapping[str, Sequence[float]] | None = None
) -> Source:
    """Read a JSON export; frames count from 1 there, with the end inclusive, and from 0 here, stop exclusive.

    Skipped annotations and predictions are left out; of several annotations the one marked as ground truth is
    read, else all. If `task` is the name of a control (`from_name`), its regions alone are read. Regions in
    seconds need the frame times of their recording. Places are JSON paths.
    """
    tasks = _tasks(path)
    source = Source(name=path.name)
    regions = [
        region for one in tasks for annotation in _annotations(one)[0] for region in _results(annotation)
    ]
    names = {name for region in regions if isinstance(name := region.get("from_name"), str)}
    wanted = next(
        (name for name in sorted(names) if name.casefold() == (task or "").strip().casefold()), None
    )
    skipped: Counter[str] = Counter()
    for number, one in enumerate(tasks):
        place = f"$[{number}]"
        if not isinstance(one, dict):
            source.fault(place, f"a task is no object; {EXPORT[0].lower()}{EXPORT[1:-1]}")
            continue
        source.items += _task_items(one, place, source, wanted, times_s or {}, skipped)
    for what, count in skipped.items():
        source.note(f"Left out: {what} ({count})")
    if not source.items and not source.faults:
        source.note("The file holds no label")
    return source


def _tasks(path: Path) -> list[Any]:
    """The tasks of the file, as they stand there."""
    try:
        content = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        raise LabelError(
            f"{path.name} is not whole JSON{f': line {line}' if line else ''}.",
            advice=f"It is cut short or was edited by hand. {EXPORT}",
        ) from error
    tasks = [content] if isinstance(content, dict) else content
    looks_right = isinstance(tasks, list) and (
        not tasks
        or any(isinstance(one, dict) and ({"annotations", "completions"} & one.keys()) for one in tasks)
    )
    if not looks_right:
        raise LabelError(f"{path.name} is JSON, but no export of Label Studio.", advice=EXPORT)
    return tasks


def _annotations(one: Any) -> tuple[list[dict[str, Any]], int]:
    """The annotations of a task that count, and how many were skipped by who labelled."""
    found = one.get("annotations", one.get("completions")) if isinstance(one, dict) else None
    every = [a for a in found if isinstance(a, dict)] if isinstance(found, list) else []
    kept = [a for a in every if not (a.get("was_cancelled") or a.get("skipped"))]
    true = [a for a in kept if a.get("ground_truth") is True]
    return true[:1] or kept, len(every) - len(kept)


def _results(annotation: Mapping[str, Any]) -> list[dict[str, Any]]:
    results = annotation.get("result")
    return [r for r in results if isinstance(r, dict)] if isinstance(results, list) else []


def _task_items(
    one: Mapping[str, Any],
    place: str,
    source: Source,
    wanted: str | None,
    times_s: Mapping[str, Sequence[float]],
    skipped: Counter[str],
) -> Iterator[Item]:
    """The labels of one task."""
    annotations, n_cancelled = _annotations(one)
    if n_cancelled:
        skipped["skipped annotations"] += n_cancelled
    found = one.get("annotations", one.get("completions"))
    if not isinstance(found, list) or any(not isinstance(a, dict) for a in found):
        source.fault(place, "the annotations are no list of objects; export the project again")
    recording = _recording(one)
    if recording is None:
        if annotations:
            source.fault(place, "no video is named under data; put its file name into data.video")
        return
    if len(annotations) > 1:
        text = "Several annotations of one video were all read; mark one as ground truth to read it alone"
        source.note(text, [place])
    n_frames = _n_frames(annotations)
    if n_frames is not None:
        source.seen[recording] = (range(n_frames),)
    context = _Context(
        source=source, recording=recording, n_frames=n_frames, times_s=times_s.get(recording), wanted=wanted
    )
    every = one.get("annotations", one.get("completions"))
    for annotation in annotations:
        at = next(
            i for i, other in enumerate(every if isinstance(every, list) else []) if other is annotation
        )
        results = annotation.get("result")
        for index, region in enumerate(results if isinstance(results, list) else []):
            where = f"{place}.annotations[{at}].result[{index}]"
            if not isinstance(region, dict) or not isinstance(region.get("value"), dict):
                source.fault(where, "the region has no value; delete it, or export the project again")
            elif wanted is None or region.get("from_name") == wanted:
                yield from _region(region, where, context, skipped)


def _recording(one: Mapping[str, Any]) -> str | None:
    """The name of a task's video: its path as far as the file tells, without what an upload put before it."""
    data = one.get("data")
    values = data if isinstance(data, dict) else {}
    texts = [value for value in values.values() if isinstance(value, str)]
    videos = [text for text in texts if VIDEO.search(_url_path(text))]
    named = values.get("video")
    text = named if isinstance(named, str) and named.strip() else next(iter(videos), one.get("file_upload"))
    if not isinstance(text, str) or not text.strip():
        return None
    path = _url_path(text)
    folders, _, name = path.rpartition("/")
    if (
        isinstance(one.get("file_upload"), str)
        or "/upload/" in f"/{folders}/"
        or "upload" in folders.split("/")
    ):
        return UPLOAD.sub("", name)
    return path.strip("/") or None


def _url_path(text: str) -> str:
    """The path in a URL, or in what Label Studio writes for a local file, slashes forward."""
    try:
        url = urlsplit(text.strip())
    except ValueError:
        return text.strip()
    local = parse_qs(url.query).get("d") if url.path.endswith("local-files/") else None
    return unquote(local[0] if local else url.path).replace("\\", "/")


def _n_frames(annotations: Sequence[Mapping[str, Any]]) -> int | None:
    """The number of frames, where a region tells it."""
    for annotation in annotations:
        for region in _results(annotation):
            value = region.get("value")
            told = _whole(value.get("framesCount")) if isinstance(value, dict) else None
            if told:
                return told
    return None


def _whole(number: object) -> int | None:
    """A whole number of a size that frames have; None for anything else."""
    if isinstance(number, bool) or not isinstance(number, int | float):
        return None
    return int(number) if abs(number) < 1e9 and number == int(number) else None


def _region(
    region: Mapping[str, Any], where: str, context: _Context, skipped: Counter[str]
) -> Iterator[Item]:
    """The labels of one region."""
    kind, value = region.get("type"), region["value"]
    key = next((key for key in ("timelinelabels", "labels", "choices") if key in value), None)
    if key == "choices" and context.wanted is None:
        key = None  # about something else than the timeline, unless asked for
    if key is None:
        skipped[f"regions of type {kind!r}" if str(kind).isidentifier() else "regions of another type"] += 1
        return
    names = value[key]
    if not isinstance(names, list) or len(names) != 1 or not isinstance(names[0], str):
        context.source.fault(where, "a region needs one class; choose one in Label Studio and export again")
        return
    if key == "choices":
        yield Item(place=where, recording=context.recording, label=names[0])
    elif "ranges" in value:
        yield from _ranges(value["ranges"], names[0], where, context)
    elif "start" in value and "end" in value:
        yield from _seconds(value, names[0], where, context)
    else:
        context.source.fault(where, "the region has no ranges of frames; delete it, or draw it again")


def _ranges(ranges: object, label: str, where: str, context: _Context) -> Iterator[Item]:
    """The runs of frames of a region."""
    if not isinstance(ranges, list) or not ranges:
        context.source.fault(where, "the region has no ranges of frames; delete it, or draw it again")
        return
    for index, one in enumerate(ranges):
        place = f"{where}.value.ranges[{index}]"
        start, end = (_whole(one.get(key)) if isinstance(one, dict) else None for key in ("start", "end"))
        if start is None or end is None:
            fault = "start and end are not both whole numbers; draw the range again"
        elif start < 1:
            fault = f"start is {start}, but Label Studio counts frames from 1; correct it there"
        elif end < start:
            fault = f"end {end} is before start {start}; swap them or draw the range again"
        elif context.n_frames is not None and end > context.n_frames:
            fault = f"end {end} is past the last frame, which is {context.n_frames}; shorten the range"
        else:
            yield Item(place=place, recording=context.recording, label=label, start=start - 1, stop=end)
            continue
        context.source.fault(place, fault)


def _seconds(value: Mapping[str, Any], label: str, where: str, context: _Context) -> Iterator[Item]:
    """The frames whose times lie within a region in seconds, its end exclusive."""
    start, end = value["start"], value["end"]
    if any(isinstance(t, bool) or not isinstance(t, int | float) or not 0 <= t < 1e9 for t in (start, end)):
        context.source.fault(where, "start and end are no seconds from 0 on; draw the region again")
    elif context.times_s is None:
        remedy = "label with TimelineLabels, which counts frames, or give the recording's frame times"
        context.source.fault(where, f"the region is in seconds, which tell no frame for sure; {remedy}")
    else:
        first, stop = (int(i) for i in np.searchsorted(np.asarray(context.times_s), (start, end)))
        if first < stop:
            yield Item(place=where, recording=context.recording, label=label, start=first, stop=stop)
        else:
            context.source.fault(where, "no frame lies within the region; lengthen or delete it")
