"""Simulated ultrasound recordings, seeded: every frame's class and every structure's box are known.

A map of scatterers is convolved with a pulse that widens away from the focus, attenuated, log-compressed and
scan-converted to a sector on a scanner's screen, while the probe moves and organs drift in and out. No example and no
test needs a patient.

The difficulty is fixed: figures on the phantom are only worth something while nobody tunes it to them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from sonoplane.errors import UsageError
from sonoplane.records import Box, Facts, Frame, Label, Recording, UltrasoundRegion
from sonoplane.video.phantom_heart import VIEWS, HeartPatient, HeartView
from sonoplane.video.phantom_liver import LiverPatient, LiverSweep
from sonoplane.video.phantom_plans import LIVER_SWEEP, MOTION_PAIR, VESSELS, SweepPlan
from sonoplane.video.phantom_probe import Sector
from sonoplane.video.phantom_scene import Scene
from sonoplane.video.phantom_screen import CENTRES, Banner, Centre, screen, sector_area
from sonoplane.video.phantom_settings import PhantomSettings, Preset
from sonoplane.video.phantom_shapes import Canvas
from sonoplane.video.phantom_tissue import Scanner, Scatterers

__all__ = ["MOTION_PAIR", "PhantomExam", "PhantomSettings", "Preset", "classes_of", "simulate"]


@dataclass(frozen=True, kw_only=True)
class PhantomExam:
    """One simulated recording with everything that is true of it; nothing is rendered before it is read.

    >>> exam = next(simulate("liver-sweep", patients=1, seed=3))
    >>> exam.id, exam.patient, exam.recording.n_frames
    ('p00-e0', 'p00', 120)
    >>> frame = next(exam.recording.frames())
    >>> frame.image.shape, frame.time_s
    ((320, 400), 0.0)
    """

    id: str
    patient: str
    centre: str
    date: str
    """Of the examination, YYYYMMDD; made up."""
    banner: Banner
    """The fake patient whose name is burned into the frames."""
    preset: Preset
    labels: tuple[Label, ...]
    """Every frame's class as runs (`liver-sweep`, `vessels`), or one view of the whole recording (`echo-views`)."""
    recording: Recording
    source: "PhantomSource" = field(repr=False)

    @property
    def mask(self) -> Bool[np.ndarray, "height width"]:
        """The pixels of the ultrasound sector."""
        return self.source.stage.mask

    def label(self, frame: int) -> str:
        """The class of one frame."""
        for label in self.labels:
            if label.start is None or label.stop is None or label.start <= frame < label.stop:
                return label.label
        raise UsageError(
            f"Recording '{self.id}' has no frame {frame}.",
            advice=f"Ask for one of frames 0 to {self.recording.n_frames or 0} (exclusive).",
        )

    def structures(self, frame: int) -> dict[str, Box]:
        """The box of every structure that this frame's sector shows, by name.

        The structure that makes a frame a standard plane of a sweep has the plane's name; in `echo-views`, `heart` is
        all of it.
        """
        return self.source.stage.structures(frame)

    def target(self, frame: int) -> Box | None:
        """The box of the structure that gives this frame its class; None in background."""
        name = "heart" if self.preset == "echo-views" else self.label(frame)
        return self.structures(frame).get(name)


def classes_of(preset: Preset) -> tuple[str, ...]:
    """Names of a preset's classes, in order.

    >>> classes_of("echo-views")
    ('apex', 'papillary', 'mitral', '2CH', '3CH', '4CH')
    """
    return _SWEEPS[preset].classes if preset in _SWEEPS else VIEWS


def simulate(
    preset: Preset = "liver-sweep",
    *,
    patients: int = 24,
    exams: tuple[int, int] = (1, 3),
    seed: int = 0,
    settings: PhantomSettings | None = None,
) -> Iterator[PhantomExam]:
    """The exams of so many patients, one after the other; each patient has between `exams[0]` and `exams[1]`.

    The same seed gives the same frames, whichever of them are read and in whatever order. A patient does not depend
    on how many others there are.

    >>> [exam.id for exam in simulate("echo-views", patients=2, exams=(2, 2))]
    ['p00-e0', 'p00-e1', 'p01-e0', 'p01-e1']
    """
    if patients < 1 or not 1 <= exams[0] <= exams[1]:
        raise UsageError(
            f"{patients} patients with {exams[0]} to {exams[1]} exams cannot be simulated.",
            advice="Give at least one patient, and a range of exams that starts at 1 or above.",
        )
    settings = settings or PhantomSettings()
    for patient in range(patients):
        rng = np.random.default_rng([seed, patient, _CODES[preset]])
        centre = _centre(seed, patient, settings.centres)
        banner = _banner(rng)
        views = rng.permutation(len(VIEWS))
        for exam in range(int(rng.integers(exams[0], exams[1] + 1))):
            yield _exam(
                PhantomSource(
                    preset=preset,
                    seed=seed,
                    patient=patient,
                    exam=exam,
                    view=VIEWS[(views[exam % len(VIEWS)])],
                    centre=centre,
                    banner=Banner(
                        name=banner.name, patient_id=banner.patient_id, date=str(int(banner.date) + exam)
                    ),
                    settings=settings,
                )
            )


_CODES: dict[Preset, int] = {"liver-sweep": 1, "echo-views": 2, "vessels": 3}
_SWEEPS: dict[Preset, SweepPlan] = {"liver-sweep": LIVER_SWEEP, "vessels": VESSELS}


def _centre(seed: int, patient: int, centres: int) -> Centre:
    """Consecutive patients come from different centres, in an order drawn anew for each round."""
    order = np.random.default_rng([seed, 77, patient // centres]).permutation(centres)
    return CENTRES[int(order[patient % centres])]


_FAMILIES = ("TESTER", "PHANTOM", "SAMPLE", "NOBODY", "MOCKUP", "DUMMY", "FICTIVE", "EXAMPLE")
_GIVEN = ("ANNA", "BRUNO", "CLARA", "DARIO", "ELENA", "FELIX", "GRETA", "HUGO", "INES", "JONAS")


def _banner(rng: np.random.Generator) -> Banner:
    family, given = _FAMILIES[rng.integers(0, len(_FAMILIES))], _GIVEN[rng.integers(0, len(_GIVEN))]
    return Banner(
        name=f"{family}^{given}",
        patient_id=f"SIM{rng.integers(0, 10**6):06d}",
        date=f"{rng.integers(2015, 2025)}{rng.integers(1, 13):02d}{rng.integers(1, 20):02d}",
    )


@dataclass(frozen=True, kw_only=True)
class PhantomSource:
    """Renders the frames of one simulated recording as they are asked for."""

    preset: Preset
    seed: int
    patient: int
    exam: int
    view: str
    centre: Centre
    banner: Banner
    settings: PhantomSettings

    def rng(self, *purpose: int) -> np.random.Generator:
        """A generator of its own for each purpose."""
        return np.random.default_rng([self.seed, self.patient, _CODES[self.preset], self.exam + 1, *purpose])

    @property
    def stage(self) -> "Stage":
        """The simulation, set up; the last few are kept."""
        return _stage(self)

    def read(self, start: int = 0, stop: int | None = None) -> Iterator[Frame]:
        """Render frames `start` to `stop` (exclusive; None: to the end)."""
        last = self.settings.frames if stop is None else min(stop, self.settings.frames)
        stage = self.stage
        for index in range(start, last):
            yield Frame(index=index, time_s=index / self.settings.fps, image=stage.frame(index))


class Stage:
    """Everything that the frames of one recording share, ready to render any of them."""

    def __init__(self, source: PhantomSource) -> None:
        self._source = source
        self.sector = _sector(source)
        self.scene = _scene(source, self.sector)

    @cached_property
    def mask(self) -> Bool[np.ndarray, "height width"]:
        """The pixels of the ultrasound sector."""
        return self.sector.mask()

    @cached_property
    def _canvas(self) -> Canvas:
        x, z = self.sector.grid()
        return Canvas(
            half_width_mm=float(x.max()) + 3, top_mm=float(z.min()) - 3, bottom_mm=float(z.max()) + 3
        )

    @cached_property
    def _beam_map(self) -> tuple[np.ndarray, np.ndarray]:
        x, z = self.sector.grid()
        canvas = self._canvas
        columns = (x + canvas.half_width_mm) / canvas.mm_per_pixel
        rows = (z - canvas.top_mm) / canvas.mm_per_pixel
        return cv2.convertMaps(columns.astype(np.float32), rows.astype(np.float32), cv2.CV_16SC2)

    @cached_property
    def _scan_map(self) -> tuple[np.ndarray, np.ndarray]:
        return cv2.convertMaps(*self.sector.scan_map(), cv2.CV_16SC2)

    @cached_property
    def _scanner(self) -> Scanner:
        return Scanner(self.sector, self._source.centre.look, self._source.rng(3))

    @cached_property
    def _scatterers(self) -> Scatterers:
        return Scatterers.drawn(self._source.rng(4), self.sector)

    @cached_property
    def _screen(self) -> UInt8[np.ndarray, "height width"]:
        return screen(self.sector, self._source.centre, self._source.banner)

    @cached_property
    def _knob_db(self) -> float:
        """How the gain knob was set for this exam."""
        return float(self._source.rng(5).uniform(-4, 4))

    def frame(self, index: int) -> UInt8[np.ndarray, "height width"]:
        """One frame of the scanner's screen."""
        motion = self.scene.motion(index)
        sector = self.sector
        tissue = cv2.remap(
            self._drawn(index), *self._beam_map, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        scatterers = self._scatterers.seen(
            motion.tilt, beams=motion.turn / sector.beam_angle, samples=motion.push_mm / sector.sample_mm
        )
        noise = self._source.rng(6, index)
        beams = self._scanner.scan(tissue, scatterers, noise, gain_db=self._knob_db + motion.gain_db)
        image = cv2.remap(beams, *self._scan_map, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        return np.where(self.mask, image, self._screen)

    def structures(self, index: int) -> dict[str, Box]:
        """Boxes of what the sector shows of each named structure."""
        outlines: dict[str, list[np.ndarray]] = {}
        motion = self.scene.motion(index)
        for shape in self.scene.shapes(index):
            if shape.name is not None:
                moved = self.sector.move(shape.points, turn=motion.turn, push_mm=motion.push_mm)
                outlines.setdefault(shape.name, []).append(moved)
        boxes = {name: self.sector.visible(parts, self.mask) for name, parts in outlines.items()}
        return {name: box for name, box in boxes.items() if box is not None}

    def _drawn(self, index: int) -> UInt8[np.ndarray, "rows columns 3"]:
        motion = self.scene.motion(index)
        shapes = [
            shape.at(self.sector.move(shape.points, turn=motion.turn, push_mm=motion.push_mm))
            for shape in self.scene.shapes(index)
        ]
        return self._canvas.draw(self.scene.ground, shapes)


@lru_cache(maxsize=4)
def _stage(source: PhantomSource) -> Stage:
    return Stage(source)


def _sector(source: PhantomSource) -> Sector:
    settings, centre = source.settings, source.centre
    cardiac = source.preset == "echo-views"
    return Sector(
        radius_mm=4.0 if cardiac else centre.radius_mm,
        half_angle=centre.half_angle + 0.12 if cardiac else centre.half_angle,
        depth_mm=float(source.rng(1).choice(centre.depths_mm)),
        beams=settings.beams,
        samples=settings.samples,
        height=settings.height,
        width=settings.width,
        area=sector_area(settings.height, settings.width),
    )


def _scene(source: PhantomSource, sector: Sector) -> Scene:
    """The patient's anatomy (the same in all exams) in this exam's motion."""
    anatomy = np.random.default_rng([source.seed, source.patient, _CODES[source.preset], 0])
    settings, rng = source.settings, source.rng(2)
    if source.preset in _SWEEPS:
        plan, liver = _SWEEPS[source.preset], LiverPatient.drawn(anatomy)
        return LiverSweep(plan, liver, sector, frames=settings.frames, fps=settings.fps, rng=rng)
    heart = HeartPatient.drawn(anatomy)
    return HeartView(heart, source.view, sector, frames=settings.frames, fps=settings.fps, rng=rng)


def _exam(source: PhantomSource) -> PhantomExam:
    stage = Stage(source)
    name = f"p{source.patient:02d}-e{source.exam}"
    patient = f"p{source.patient:02d}"
    settings = source.settings
    whole = source.preset == "echo-views"
    labels = tuple(
        Label(
            recording=name,
            label=run.label,
            start=None if whole else run.start,
            stop=None if whole else run.stop,
            patient=patient,
            centre=source.centre.name,
        )
        for run in stage.scene.runs
    )
    facts = Facts(
        patient=patient,
        study=name,
        centre=source.centre.name,
        scanner=f"{source.centre.maker} {source.centre.model}",
        regions=(UltrasoundRegion(box=stage.sector.box(), kind="tissue"),),
        container="phantom",
        codec="rendered",
    )
    recording = Recording(
        id=name,
        height=settings.height,
        width=settings.width,
        color=False,
        fps=settings.fps,
        n_frames=settings.frames,
        facts=facts,
        source=source,
    )
    return PhantomExam(
        id=name,
        patient=patient,
        centre=source.centre.name,
        date=source.banner.date,
        banner=source.banner,
        preset=source.preset,
        labels=labels,
        recording=recording,
        source=source,
    )
