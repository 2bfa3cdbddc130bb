"""How well copies of real recordings are told from other patients': `python -m studies.near_duplicates FOLDER`.

Every recording is put into an archive as `prepare` does it; every sixth also changed in each of the ways below and
written as H.264. For each change the table tells which share of the copies is found by the fingerprints alone (as
before speckle was looked at), which are candidates, and which are found. For pairs of two patients it tells how many
are.

`--work WORK` keeps the archive, so that a run that was stopped goes on; `--patient PATTERN` finds the patient in a
file's name (default `patient_([0-9]+)`); where it does not match, each recording is a patient of its own; `--every N`
copies each N-th, 0 none. The phantom's pairs follow. The numbers are added to `near_duplicates.json` beside this file.
"""

import argparse
import json
import re
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import av
import cv2
import numpy as np

from sonoplane.clips.duplicates import Hashes, Pair, near_duplicates
from sonoplane.clips.duplicates_settings import DuplicateSettings
from sonoplane.errors import SonoplaneError
from sonoplane.frames.archive import Archive, open_archive
from sonoplane.frames.archive_writer import ArchiveWriter, create_archive
from sonoplane.frames.cleaning import clean
from sonoplane.frames.entries import EntryFacts
from sonoplane.frames.fingerprint import Fingerprint
from sonoplane.frames.speckle import show_speckle
from sonoplane.models.card import Card
from sonoplane.records import Frame, Image, Recording
from sonoplane.steps.input_card import input_card
from sonoplane.steps.twins_speckle import speckle_of
from sonoplane.training.settings import InputSettings
from sonoplane.video.discovery import find_recordings
from sonoplane.video.opening import open_recording
from sonoplane.video.phantom import PhantomSettings, simulate

Row = dict[str, float]


class Change(NamedTuple):
    """One way in which a copy differs."""

    image: Callable[[Image], Image] = lambda image: image
    frames: slice = slice(None)
    start: float = 0.0
    """Share of the frames that is cut off before."""
    crf: int = 23
    """x264's constant rate factor: higher is worse."""


def cut(share: float) -> Callable[[Image], Image]:
    """Cut this share off each side."""

    def change(image: Image) -> Image:
        rows, columns = (int(share * size) for size in image.shape[:2])
        return image[rows : image.shape[0] - rows, columns : image.shape[1] - columns]

    return change


def scale(factor: float) -> Callable[[Image], Image]:
    """Resize."""
    return lambda image: cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)


def tone(curve: Callable[[np.ndarray], np.ndarray]) -> Callable[[Image], Image]:
    """Change gray levels, 0 to 1; black stays black."""
    table = np.clip(curve(np.linspace(0, 1, 256)) * 255, 0, 255).round().astype(np.uint8)
    table[0] = 0
    return lambda image: table[image]


def chain(*steps: Callable[[Image], Image]) -> Callable[[Image], Image]:
    """One after the other."""

    def change(image: Image) -> Image:
        for step in steps:
            image = step(image)
        return image

    return change


CHANGES = {
    "re-encoded, CRF 18": Change(crf=18),
    "re-encoded, CRF 32": Change(crf=32),
    "re-encoded, CRF 40": Change(crf=40),
    "half the size": Change(scale(0.5)),
    "first 30 % cut off": Change(start=0.3),
    "3 % cut off each side": Change(cut(0.03)),
    "5 % cut off each side": Change(cut(0.05)),
    "gamma 0.7": Change(tone(lambda gray: gray**0.7)),
    "brighter": Change(tone(lambda gray: 1.2 * gray + 0.04)),
    "half the frame rate": Change(frames=slice(None, None, 2)),
    "every third frame": Change(frames=slice(1, None, 3)),
    "trim, cut 2 %, gamma 1.4, size 0.6, half rate, CRF 28": Change(
        chain(cut(0.02), scale(0.6), tone(lambda gray: gray**1.4)), slice(None, None, 2), start=0.2, crf=28
    ),
    "mirrored": Change(lambda image: image[:, ::-1]),
}


def write_copy(source: Path, change: Change, path: Path) -> None:
    """A changed copy as H.264."""
    images = [frame.image for frame in open_recording(source).frames()]
    images = [change.image(image) for image in images[int(change.start * len(images)) :][change.frames]]
    height, width = (size // 2 * 2 for size in images[0].shape[:2])
    with av.open(str(path), "w") as container:
        options = {"crf": str(change.crf), "preset": "veryfast", "threads": "1"}
        stream = container.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for image in images:
            pixels = np.ascontiguousarray(image[:height, :width])
            frame = av.VideoFrame.from_ndarray(pixels, format="gray" if pixels.ndim == 2 else "rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def put(writer: ArchiveWriter, card: Card, recording: Recording, *, id: str, patient: str) -> None:
    """Into the archive as `prepare` does it: cleaned, cut to the region, at the network's size."""
    frames, seen = clean(recording), Fingerprint()

    def passed() -> Iterator[Frame]:
        for frame in frames:
            image = np.ascontiguousarray(frame.image[frames.region.box.slices])
            seen.see(image)
            gray = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
            yield replace(frame, image=card.geometry(gray))

    writer.add(EntryFacts(id=id, patient=patient), passed(), arrays=lambda: {"fingerprint": seen.hashes})


def fill(
    writer: ArchiveWriter, card: Card, sources: list[Path], *, pattern: str, every: int, work: Path
) -> None:
    """Every recording as its number; the copies of each so many-th as the change's number and its own."""
    for number, path in enumerate(sources):
        found = re.search(pattern, path.name)
        patient = found.group(1) if found else f"{number:04d}"
        wanted: dict[str, Change | None] = {f"{number:04d}": None}
        if every and number % every == 0:
            wanted |= {f"{place:02d}-{number:04d}": change for place, change in enumerate(CHANGES.values())}
        for id, change in wanted.items():
            if writer.has(id):
                continue
            copy = work / "copy.mp4"
            try:
                if change:
                    write_copy(path, change, copy)
                put(writer, card, open_recording(copy if change else path), id=id, patient=patient)
            except SonoplaneError as error:
                print(f"{id} is left out: {type(error).__name__}")
            finally:
                copy.unlink(missing_ok=True)


class Judged(NamedTuple):
    """What the two stages say of a pair."""

    before: bool
    """Whether it is one by the fingerprints alone."""
    candidate: bool
    alone: bool
    """Whether it would count where frames are too small to show speckle."""
    speckle: float | None
    """None where it was not looked at."""

    @property
    def found(self) -> bool:
        """Whether it counts."""
        if self.speckle is None:
            return self.alone
        return self.speckle >= SETTINGS.least_speckle


SETTINGS = DuplicateSettings()
SMALL = SETTINGS.model_copy(update={"least_share": SETTINGS.least_share_small})
LOOSE = SETTINGS.model_copy(update={"alike": SETTINGS.perhaps_alike})


def judge(archive: Archive, pairs: Iterable[Pair], hashes: Mapping[str, Hashes]) -> list[Judged]:
    """Each candidate."""
    judged = []
    for pair in pairs:
        both = {name: hashes[name] for name in pair.names}
        entry = archive.entry(pair.recording)
        speckle = speckle_of(pair, archive, hashes) if show_speckle(entry.height, entry.width) else None
        before, alone = (bool(near_duplicates(both, how)) for how in (SETTINGS, SMALL))
        judged.append(Judged(before, True, alone, speckle))
    return judged


def copies(archive: Archive, hashes: Mapping[str, Hashes]) -> dict[str, Row]:
    """One row for each change: the copies, each beside its original."""
    table = {}
    for place, name in enumerate(CHANGES):
        judged = []
        for id in hashes:
            number, _, original = id.partition("-")
            if original in hashes and number == f"{place:02d}":
                candidates = near_duplicates({one: hashes[one] for one in (id, original)}, LOOSE)
                judged += judge(archive, candidates, hashes) or [Judged(False, False, False, None)]
        if judged:
            speckle = [item.speckle for item in judged if item.speckle is not None]
            table[name] = {
                "n": len(judged),
                "before": round(float(np.mean([item.before for item in judged])), 3),
                "candidates": round(float(np.mean([item.candidate for item in judged])), 3),
                "found": round(float(np.mean([item.found for item in judged])), 3),
            } | ({"speckle p10": round(float(np.quantile(speckle, 0.1)), 3)} if speckle else {})
            print(f"{name:55s} {table[name]}", flush=True)
    return table


def strangers(archive: Archive, hashes: Mapping[str, Hashes]) -> Row:
    """All pairs of two patients."""
    originals = {id: rows for id, rows in hashes.items() if re.fullmatch(r"[0-9]{4}|p[0-9]+-e[0-9]+", id)}
    patient = {id: archive.entry(id).patient for id in originals}
    names = list(patient.values())
    n_pairs = (len(names) ** 2 - sum(names.count(name) for name in names)) // 2
    pairs = [
        pair for pair in near_duplicates(originals, LOOSE) if len({patient[id] for id in pair.names}) == 2
    ]
    start = time.perf_counter()
    judged = judge(archive, pairs, hashes)
    took = time.perf_counter() - start
    row: Row = {
        "n": n_pairs,
        "before": sum(item.before for item in judged),
        "candidates": len(judged),
        "found": sum(item.found for item in judged),
    }
    if judged:
        row["speckle max"] = round(max(item.speckle or 0.0 for item in judged), 3)
        row["seconds a candidate"] = round(took / len(judged), 3)
    print(f"{'pairs of two patients':55s} {row}", flush=True)
    return row


def all_hashes(archive: Archive) -> dict[str, Hashes]:
    """Recording -> fingerprint."""
    return {entry.id: archive.fingerprint(entry.id) for entry in archive.entries}


def study(folder: Path, work: Path, *, pattern: str, every: int) -> dict[str, Row]:
    """The rows of a folder of recordings."""
    card = input_card(InputSettings())
    place = work / folder.name
    with create_archive(place, geometry=f"card:{card.geometry_hash}", settings={}) as writer:
        sources = [item.path for item in find_recordings([folder])]
        fill(writer, card, sources, pattern=pattern, every=every, work=work)
    archive = open_archive(place)
    hashes = all_hashes(archive)
    return {"pairs of two patients": strangers(archive, hashes)} | copies(archive, hashes)


def phantom(work: Path, name: str, settings: PhantomSettings, card: Card) -> Row:
    """Sweeps of 24 simulated patients."""
    place = work / name
    with create_archive(place, geometry=f"card:{card.geometry_hash}", settings={}) as writer:
        for exam in simulate("liver-sweep", patients=24, exams=(1, 1), seed=5, settings=settings):
            if not writer.has(exam.id):
                put(writer, card, exam.recording, id=exam.id, patient=exam.patient)
    archive = open_archive(place)
    return strangers(archive, all_hashes(archive))


def main() -> None:
    """Print the tables, and keep them as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, nargs="+")
    parser.add_argument("--work", type=Path)
    parser.add_argument("--every", type=int, default=6)
    parser.add_argument("--patient", default="patient_([0-9]+)")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    small = PhantomSettings(height=160, width=200, frames=24)
    default, tiny = input_card(InputSettings()), input_card(InputSettings(height=32, width=48))
    with tempfile.TemporaryDirectory() as folder:
        work = given.work or Path(folder)
        result = Path(__file__).with_suffix(".json")
        tables: dict[str, dict[str, Row]] = json.loads(result.read_text()) if result.exists() else {}
        for recordings in given.folder:
            print(recordings.name)
            tables[recordings.name] = study(recordings, work, pattern=given.patient, every=given.every)
        print("phantom")
        tables["phantom"] = {
            "320 x 400": phantom(work, "ph_default", PhantomSettings(), default),
            "160 x 200": phantom(work, "ph_small", small, default),
            "160 x 200 as 32 x 48": phantom(work, "ph_tiny", small, tiny),
        }
        result.write_text(json.dumps(tables, indent=2) + "\n")


if __name__ == "__main__":
    main()
