"""Everything of one recording lands in its folder at once: whole, or not at all."""

import contextlib
import shutil
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sonoplane.errors import SonoplaneError, UsageError
from sonoplane.records import Findings, Timeline
from sonoplane.report import findings_json
from sonoplane.report.html import report_html
from sonoplane.report.images import image_names, write_png
from sonoplane.report.index import Failure, IndexEntry, index_html
from sonoplane.report.tables import write_failures, write_logits, write_timeline

__all__ = [
    "Failure",
    "IndexEntry",
    "fill_folder",
    "listed",
    "recording_folder",
    "write_index",
    "write_page",
    "write_report",
]


def write_report(findings: Findings, timeline: Timeline, out: Path, *, logits: bool = False) -> Path:
    """Write `out/<recording>/` and return it: `findings.json`, `timeline.csv`, `keyframes/`, `report.html`.

    With `logits` also `logits.csv`. An earlier result of the same recording stays until the new one is
    complete, and is then replaced whole. `UsageError` where the recording's id cannot be a folder's name, or
    where findings and timeline are of different recordings.
    """
    with recording_folder(out, findings.recording) as folder:
        fill_folder(folder, findings, timeline, logits=logits)
    return out / findings.recording


@contextlib.contextmanager
def recording_folder(out: Path, recording: str) -> Iterator[Path]:
    """A hidden folder that becomes `out/<recording>/` at the end, in place of an earlier one; nothing, on an error.

    Raises:
        UsageError: the recording's id cannot be a folder's name.
    """
    _check_name(recording)
    with _replacing_folder(out / recording) as folder:
        yield folder


def fill_folder(folder: Path, findings: Findings, timeline: Timeline, *, logits: bool = False) -> None:
    """Write what `write_report` does into a folder that is there, beside what it holds."""
    _check(findings, timeline)
    names = image_names(findings.keyframes)
    findings_json.write(folder / "findings.json", findings_json.to_json(findings, names))
    write_timeline(folder / "timeline.csv", timeline)
    if logits:
        write_logits(folder / "logits.csv", timeline)
    (folder / findings_json.KEYFRAMES).mkdir()
    paths = [folder / findings_json.KEYFRAMES / name for name in names]
    with ThreadPoolExecutor() as pool:  # packing pixels is most of the work here
        list(pool.map(write_png, paths, [keyframe.image for keyframe in findings.keyframes]))
    page = report_html(findings, timeline, names, beside={path.name for path in folder.iterdir()})
    (folder / "report.html").write_text(page, encoding="utf-8")


def listed(out: Path) -> dict[str, IndexEntry]:
    """Every recording whose findings lie in `out`, by the name of its folder."""
    entries = {}
    for path in sorted(out.glob("*/findings.json")):
        with contextlib.suppress(OSError, SonoplaneError):  # not ours to list
            entries[path.parent.name] = IndexEntry.read(path.parent)
    return entries


def write_index(out: Path, entries: Sequence[IndexEntry], failures: Sequence[Failure]) -> Path:
    """Write `out/failures.csv` (its header alone where nothing failed) and `out/index.html`, and return that."""
    out.mkdir(parents=True, exist_ok=True)
    with _replacing_file(out / "failures.csv") as path:
        write_failures(path, failures)
    return write_page(out / "index.html", index_html(entries, failures))


def write_page(path: Path, page: str) -> Path:
    """Write a page, whole or not at all, and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _replacing_file(path) as fresh:
        fresh.write_text(page, encoding="utf-8")
    return path


def _check_name(name: str) -> None:
    if not name or name.startswith(".") or any(sign in name for sign in "/\\:\0"):
        raise UsageError(
            f"{name!r} cannot be the name of a folder.",
            advice="Give the recording an id without slashes, colons or a leading dot.",
        )


def _check(findings: Findings, timeline: Timeline) -> None:
    name = findings.recording
    _check_name(name)
    if (timeline.recording, timeline.n_frames) != (name, findings.n_frames):
        raise UsageError(
            f"The timeline is of {timeline.recording!r} with {timeline.n_frames} frames, "
            f"the findings of {name!r} with {findings.n_frames}.",
            advice="Write findings together with the timeline they were found in.",
        )


@contextlib.contextmanager
def _replacing_folder(target: Path) -> Iterator[Path]:
    """A hidden folder beside `target` that takes its place at the end, or goes away on an error."""
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh, earlier = _beside(target), _beside(target)
    fresh.mkdir()
    try:
        yield fresh
        if target.exists():
            target.rename(earlier)
        try:
            fresh.rename(target)
        except OSError:
            if earlier.exists():
                earlier.rename(target)
            raise
        shutil.rmtree(earlier, ignore_errors=True)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


@contextlib.contextmanager
def _replacing_file(target: Path) -> Iterator[Path]:
    """A hidden file beside `target` that takes its place at the end, or goes away on an error."""
    fresh = _beside(target)
    try:
        yield fresh
        fresh.replace(target)
    finally:
        fresh.unlink(missing_ok=True)


def _beside(target: Path) -> Path:
    """A new name in the same folder, hidden, short whatever the target's length."""
    return target.with_name(f".{uuid.uuid4().hex[:12]}.partial")
