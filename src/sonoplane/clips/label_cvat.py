"""CVAT 1.1 XML, for video or for images, becomes labels: tracks are spans, tags and shapes of single frames runs."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sonoplane.clips.label_files import read_bytes
from sonoplane.clips.label_frames import in_frame_order
from sonoplane.clips.label_settle import Item, Source
from sonoplane.clips.label_xml import Element, parse_xml
from sonoplane.errors import LabelError

__all__ = ["read_cvat"]

#: What CVAT draws in a frame; each may stand for a label.
SHAPES = ("box", "polygon", "polyline", "points", "cuboid", "ellipse", "mask", "skeleton")

#: The name that every export has, which tells no recording.
NAMELESS = re.compile(r"annotations?(_\d+)?", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Task:
    """A task or job of the file: one recording, and which of its frames were shown."""

    id: str
    recording: str
    is_video: bool
    start: int
    last: int | None
    """The last frame that was shown; None where the file does not tell."""
    step: int
    """Every how many frames one was shown."""

    def fault(self, frame: int) -> str | None:
        """Why a label cannot be at this frame."""
        if self.last is not None and frame > self.last:
            return f"frame {frame} lies past the end, which is frame {self.last}; correct it in CVAT and export again"
        if frame < self.start:
            return f"frame {frame} lies before frame {self.start}, where the task starts; correct it in CVAT"
        return None


@dataclass(kw_only=True, slots=True)
class _Reading:
    """What is known while one file is read."""

    source: Source
    tasks: Mapping[str, _Task]
    attribute: str | None
    """The attribute whose value is the class; None: the label is."""
    open_ended: list[str] = field(default_factory=list)

    def task_of(self, element: Element) -> _Task | None:
        """The task that a track or an image belongs to."""
        told = element.attributes.get("task_id") or element.attributes.get("job_id")
        if told is None and len(self.tasks) == 1:
            return next(iter(self.tasks.values()))
        if told is not None and told in self.tasks:
            return self.tasks[told]
        what = (
            "says no task_id, but the file holds several tasks"
            if told is None
            else "has a task_id of no task"
        )
        self.source.fault(element.place, f"{what}; export the task by itself")
        return None

    def class_of(self, element: Element, owner: Element) -> str:
        """The class of a shape or tag: its label, else its track's, or the attribute that was asked for."""
        label = element.attributes.get("label", owner.attributes.get("label", ""))
        if self.attribute is None:
            return label
        for attribute in (*element.of("attribute"), *owner.of("attribute")):
            if attribute.attributes.get("name", "").strip().casefold() == self.attribute:
                return attribute.text
        return ""


def read_cvat(path: Path, *, task: str | None = None) -> Source:
    """Read an export of CVAT, one task or several; frames count from 0 and are those of the source video.

    A track holds its label from each visible shape to the next that is outside, or to its last. Where only every
    n-th frame was shown, the frames between two of them that agree take their label, the others none. If `task`
    names an attribute, its values are the classes. Places are lines of the file.
    """
    root = parse_xml(read_bytes(path), name=path.name)
    if root.tag != "annotations":
        raise LabelError(f"{path.name} is XML, but not of CVAT.", advice="Export as 'CVAT for video 1.1'.")
    source = Source(name=path.name)
    reading = _Reading(source=source, tasks=_tasks(root, source, path), attribute=_attribute(root, task))
    if reading.attribute is None:
        source.classes = _declared(root)
    for track in root.of("track"):
        owner = reading.task_of(track)
        if owner:
            source.items += _spans(track, owner, reading)
    images: dict[str, list[Element]] = defaultdict(list)
    for image in root.of("image"):
        owner = reading.task_of(image)
        if owner:
            images[owner.id].append(image)
    for name, mine in images.items():
        _read_images(mine, reading.tasks[name], reading)
    if reading.open_ended:
        text = "Tracks without an outside shape were taken to end with their last one, before the task does"
        source.note(text, reading.open_ended)
    if not source.items and not source.faults:
        source.note("The file holds no label")
    return source


def _whole(text: str | None) -> int | None:
    """A number that is whole and not negative; None where the text is none."""
    plain = (text or "").strip()
    return int(plain) if re.fullmatch(r"[0-9]{1,9}", plain) else None


def _tasks(root: Element, source: Source, path: Path) -> dict[str, _Task]:
    """The tasks and jobs that the head of the file declares, by id; one nameless task where it declares none."""
    metas = list(root.of("meta"))
    elements = [element for meta in metas for kind in ("task", "job") for element in meta.below(kind)]
    video = next((text for meta in metas if (text := meta.told("source"))), "")
    tasks: dict[str, _Task] = {}
    for element in elements or [Element("task", {}, root.place)]:
        named = element.told("source") or (video if len(elements) < 2 else "")
        recording = named or element.told("name")
        if not recording and not NAMELESS.fullmatch(path.stem):
            recording = path.stem
            source.note("The file names no video and was taken for the labels of the one of its own name")
        if not recording:
            remedy = "give the label file the video's name, or export the task instead of the job"
            source.fault(element.place, f"no video is named; {remedy}")
            recording = "unnamed"
        task = _task(element, recording, is_video=bool(named) or element.told("mode") == "interpolation")
        if task.id in tasks:
            source.fault(element.place, "another task with the id of an earlier one; export them one by one")
        tasks[task.id] = task
        if task.last is not None and task.is_video:
            frames = range(task.start, task.last + 1, task.step)
            source.seen[recording] = (*source.seen.get(recording, ()), frames)
        if task.step > 1:
            text = "the frames between two that agree took their label, the others none"
            source.note(f"Only every {task.step}th frame was shown to the annotator: {text}", [element.place])
    return tasks


def _task(element: Element, recording: str, *, is_video: bool) -> _Task:
    step_told = re.search(r"step\s*=\s*([1-9][0-9]{0,8})", element.told("frame_filter"))
    step = int(step_told[1]) if step_told else 1
    start = _whole(element.told("start_frame")) or 0
    last = _whole(element.told("stop_frame"))
    size = _whole(element.told("size"))
    if last is None and size:
        last = start + (size - 1) * step
    return _Task(
        id=element.told("id"), recording=recording, is_video=is_video, start=start, last=last, step=step
    )


def _declared(root: Element) -> tuple[str, ...]:
    """The labels that the head of the file declares."""
    labels = (label for meta in root.of("meta") for label in meta.below("label"))
    return tuple(dict.fromkeys(name for label in labels if (name := label.told("name"))))


def _attribute(root: Element, task: str | None) -> str | None:
    """The attribute that the task's name means, if there is one."""
    names = {
        (attribute.attributes.get("name") or attribute.told("name")).strip().casefold()
        for attribute in root.below("attribute")
    }
    wanted = (task or "").strip().casefold()
    return wanted if wanted and wanted in names else None


def _marks(track: Element, task: _Task, reading: _Reading) -> Iterator[tuple[int, str | None, Element]]:
    """Frame, class (None: outside) and element of each shape of a track, in order."""
    previous = -1
    for shape in track.of(*SHAPES, "tag"):
        frame = _whole(shape.attributes.get("frame"))
        outside = shape.attributes.get("outside", "0").strip()
        if frame is None:
            fault = "the frame is no whole number from 0 on; give the shape its frame"
        elif outside not in ("0", "1"):
            fault = "outside is neither 0 nor 1; write 1 where the track is not seen, else 0"
        elif frame == previous:
            fault = f"frame {frame} has two shapes of one track; delete one"
        elif frame < previous:
            fault = f"frame {frame} comes after frame {previous}; put the track's shapes in order"
        else:
            previous = frame
            problem = None if outside == "1" else task.fault(frame)
            if problem is None:
                label = None if outside == "1" else reading.class_of(shape, track)
                if label is not None and not label and reading.attribute:
                    problem = f"there is no attribute '{reading.attribute}'; fill it in, in CVAT"
                else:
                    yield frame, label, shape
                    continue
            fault = problem
        reading.source.fault(shape.place, fault)


def _spans(track: Element, task: _Task, reading: _Reading) -> Iterator[Item]:
    """The runs of frames in which a track is seen with one class."""
    if not any(True for _ in track.of(*SHAPES, "tag")):
        reading.source.fault(track.place, "the track holds no shape; delete it, or draw it again")
        return
    held: tuple[int, str, Element] | None = None
    latest = -1
    for frame, label, shape in _marks(track, task, reading):
        if held and label != held[1]:
            yield _span(held, max(held[0], frame - task.step) + 1, task)
            held = None
        if held is None and label is not None:
            held = (frame, label, shape)
        latest = frame
    if held:
        yield _span(held, latest + 1, task)
        if task.last is not None and latest + task.step <= task.last:
            reading.open_ended.append(track.place)


def _span(held: tuple[int, str, Element], stop: int, task: _Task) -> Item:
    start, label, shape = held
    return Item(place=shape.place, recording=task.recording, label=label, start=start, stop=stop)


def _read_images(images: Sequence[Element], task: _Task, reading: _Reading) -> None:
    """The labels of single frames: tags, or where there are none the shapes drawn in them."""
    frames = _frames(images, task, reading.source)
    kinds = ("tag",) if any(True for image in images for _ in image.of("tag")) else SHAPES
    for image in images:
        if image.place not in frames:
            continue
        recording, frame = frames[image.place]
        labels: dict[str, Element] = {}
        for element in image.of(*kinds):
            label = reading.class_of(element, image)
            if label in labels and element.tag != "tag":  # two structures of one class in a frame
                continue
            labels[label] = element
            place = element.place
            reading.source.items.append(
                Item(
                    place=place, recording=recording, label=label, start=frame, stop=frame + 1, is_frame=True
                )
            )


def _frames(images: Sequence[Element], task: _Task, source: Source) -> dict[str, tuple[str, int]]:
    """Place of an image -> its recording and frame.

    Frames of a video have the video's numbers as ids. Images of a folder have CVAT's own order, so that their
    names are put in natural order, as folders are read here; that needs all of them.
    """
    ids: dict[int, Element] = {}
    for image in images:
        number = _whole(image.attributes.get("id"))
        if number is None:
            source.fault(image.place, "the image's id is no whole number from 0 on; export the task again")
        elif number in ids:
            source.fault(image.place, f"another image with id {number}; delete one of the two")
        elif task.is_video and (problem := task.fault(number)):
            source.fault(image.place, problem)
        else:
            ids[number] = image
    names = [image.attributes.get("name", "") for image in ids.values()]
    if task.is_video or all(re.fullmatch(r"frame_\d+(\.\w+)?", name) for name in names):
        return {image.place: (task.recording, number) for number, image in ids.items()}
    if sorted(ids) != list(range(len(ids))):
        remedy = "restore deleted images in CVAT, take out the frame filter, and export again"
        source.fault(images[0].place, f"image ids are missing, so that frames cannot be counted; {remedy}")
        return {}
    return {
        image.place: (folder or task.recording, frame)
        for folder, members in in_frame_order(
            (name, image) for name, image in zip(names, ids.values(), strict=True)
        )
        for frame, image in enumerate(members)
    }
