"""Say what recordings show, and hand over the frames worth seeing."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol, runtime_checkable

from sonoplane.errors import UsageError
from sonoplane.inference.backends import Backend, BackendChoice, open_backend
from sonoplane.inference.settings import RunSettings
from sonoplane.inference.smoothing import kind_of
from sonoplane.inference.smoothing_transitions import transitions_of
from sonoplane.metrics.calibration_record import Calibration
from sonoplane.models.bundle import Bundle
from sonoplane.records import Findings, Recording, Timeline
from sonoplane.report.folder import (
    Failure,
    IndexEntry,
    fill_folder,
    listed,
    recording_folder,
    write_index,
)
from sonoplane.steps.cleaned import cleaned, crop_notes
from sonoplane.steps.failures import failure_of
from sonoplane.steps.locating import Locator, locator_of
from sonoplane.steps.progress import progress, say
from sonoplane.steps.recipe import Recipe
from sonoplane.steps.telling import Shown
from sonoplane.steps.watching import watch
from sonoplane.video.digest import content_digest
from sonoplane.video.discovery import Found, find_recordings
from sonoplane.video.opening import open_recording
from sonoplane.video.pseudonyms import Pseudonyms

__all__ = ["More", "Predicted", "check_out", "predict", "predict_all", "run_as_trained"]


def predict(
    recording: Recording,
    *,
    bundle: Bundle,
    backend: Backend,
    recipe: Recipe,
    locator: Locator | None = None,
    source_sha256: str | None = None,
    on_frame: Callable[[int, int | None], None] = lambda done, total: None,
) -> tuple[Findings, Timeline]:
    """Say what one recording shows, frame by frame and as a whole; memory does not grow with its length.

    Key frames get boxes where a `locator` is given; `locator_of` makes one for any number of recordings.

    Raises:
        UsageError: the network, or the backend, cannot answer in the recipe's mode; smoothing by an HMM is asked of a
            bundle without transitions.
        RecordingError: the recording cannot be read.
    """
    frames = cleaned(recording, bundle.card, recipe)
    no_crop = crop_notes(bundle.card, height=recording.height, width=recording.width)
    shown = Shown(
        recording=recording.id,
        fps=recording.fps,
        height=recording.height,
        width=recording.width,
        region=frames.region,
        facts=recording.facts,
        source_sha256=source_sha256,
    )
    watched = watch(
        frames.read(),
        shown,
        bundle=bundle,
        backend=backend,
        recipe=recipe,
        locator=locator,
        warned=lambda: (*frames.warnings, *no_crop),
        on_frame=lambda done: on_frame(done, recording.n_frames or recording.n_claimed),
    )
    return watched.findings, watched.timeline


def run_as_trained(recipe: Recipe) -> RunSettings:
    """How a network that this recipe trained is run, unless the recipe says otherwise: with the clips that it learned.

    >>> from sonoplane.steps.recipe import layered
    >>> run = run_as_trained(layered({"windows": {"kind": "n-step", "length": 8, "step": 5}}))
    >>> run.mode, run.clip_length, run.clip_step
    ('auto', 8, 5)
    >>> run_as_trained(layered({"training": {"dense": True}, "run": {"batch": 4}})).mode
    'dense'
    >>> run_as_trained(layered({"windows": {"length": 8}, "run": {"clip_length": 12}})).clip_length
    12
    """
    windows = recipe.windows
    learned = {
        "mode": "dense" if recipe.training.dense else "auto",
        "clip_length": windows.length,
        "clip_step": windows.step if windows.kind in ("n-step", "sliding") else 1,
    }
    said = recipe.run.model_fields_set
    return recipe.run.model_copy(update={name: value for name, value in learned.items() if name not in said})


@runtime_checkable
class More(Protocol):
    """Puts more into a recording's folder, before its report, and gives the findings with what it found."""

    def __call__(
        self,
        recording: Recording,
        findings: Findings,
        timeline: Timeline,
        folder: Path,
        *,
        on_frame: Callable[[int], None],
    ) -> Findings:
        """`on_frame` is to be told how many frames of the recording are done."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Predicted:
    """What became of many recordings."""

    done: tuple[IndexEntry, ...]
    failures: tuple[Failure, ...]


def predict_all(
    paths: Sequence[Path],
    *,
    bundle: Bundle,
    out: Path,
    recipe: Recipe,
    backend: BackendChoice = "auto",
    logits: bool = False,
    on_done: Callable[[Findings, Timeline], None] = lambda findings, timeline: None,
    more: More | None = None,
) -> Predicted:
    """Predict every recording below `paths` and write what they show into `out`.

    A recording that cannot be read is listed and the others go on. Results of another recording of the same name, which
    an earlier run left, stay: the new ones go beside them, a digest behind the name. The list of all is written even
    when the work is interrupted. `more` puts more into each recording's folder, which appears when all is in it.

    Raises:
        UsageError: there is no recording below `paths`, `out` cannot be written to, or the network or the backend
            cannot answer in the recipe's mode.
        BundleError, MissingExtra: the bundle's network cannot be run here.
    """
    runner = open_backend(bundle, backend, recipe.run)
    locator = locator_of(bundle, recipe)
    Calibration.from_dict(bundle.calibration, bundle.card.classes)  # refused here where it is broken
    kind_of(recipe.smoothing, transitions_of(bundle))  # refused once, not recording by recording
    check_out(out)
    found = [item for item in find_recordings(paths) if not item.path.resolve().is_relative_to(out.resolve())]
    if not found:
        raise UsageError("No recording was found.", advice="Name files, or a folder that holds recordings.")
    pseudonyms = Pseudonyms.fresh()
    done: list[IndexEntry] = []
    failures: list[Failure] = []
    try:
        for item, tell in _each(found):
            try:
                recording = open_recording(
                    item.path, frames=item.frames, recording_id=item.id, pseudonyms=pseudonyms
                )
                digest = content_digest(item.path, frames=item.frames)
                recording = replace(recording, id=_free_id(out, item.id, digest))
                findings, timeline = predict(
                    recording,
                    bundle=bundle,
                    backend=runner,
                    recipe=recipe,
                    locator=locator,
                    source_sha256=digest,
                    on_frame=partial(_in_passes, tell, 2 if more else 1),
                )
                with recording_folder(out, recording.id) as folder:
                    if more:
                        second = partial(_second, tell, timeline.n_frames)
                        findings = more(recording, findings, timeline, folder, on_frame=second)
                    fill_folder(folder, findings, timeline, logits=logits)
            except Exception as error:
                failure = failure_of(item.id, error)
                failures.append(failure)
                say(f"{item.id}: {failure.reason} {failure.what_to_do}")
            else:
                done.append(IndexEntry.of(findings))
                on_done(findings, timeline)
    finally:
        now = {entry.recording for entry in done} | {failure.recording for failure in failures}
        write_index(
            out,
            [
                *(entry for name, entry in listed(out).items() if name not in now),
                *done,
            ],
            failures,
        )
    return Predicted(done=tuple(done), failures=tuple(failures))


def _each(found: Sequence[Found]) -> Iterator[tuple[Found, Callable[[int, int | None], None]]]:
    """Every recording with a function that hears of its frames: progress is told in frames of one, or in recordings."""
    if len(found) == 1:
        with progress(found[0].id, "frames") as tell:
            yield found[0], tell
        return
    with progress("predict", "recordings", len(found)) as tell:
        for count, item in enumerate(found):
            yield item, partial(_still, tell, count)
            tell(count + 1, None)


def _in_passes(tell: Callable[[int, int | None], None], n_passes: int, done: int, total: int | None) -> None:
    """So many frames of the first pass over a recording are done."""
    tell(done, None if total is None else n_passes * total)


def _second(tell: Callable[[int, int | None], None], n_frames: int, done: int) -> None:
    """So many frames of the second pass are done."""
    tell(n_frames + done, 2 * n_frames)


def _still(tell: Callable[[int, int | None], None], count: int, done: int, total: int | None) -> None:
    """So many recordings are done, while frames of the next are."""
    tell(count, None)


def _free_id(out: Path, name: str, digest: str) -> str:
    """The name, or the name with a digest where the folder of that name is another recording's."""
    try:
        there = json.loads((out / name / "findings.json").read_text(encoding="utf-8")).get("source_sha256")
    except (OSError, ValueError, AttributeError):
        return name
    return name if there == digest else f"{name}-{digest[:8]}"


def check_out(out: Path) -> None:
    """Find out before any work whether results can be written."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=out, prefix="."):
            pass
    except OSError as error:
        raise UsageError(
            f"'{out.name}' cannot take the results: {error.strerror}.",
            advice="Name another folder with --out.",
        ) from error
