"""An evaluation and a comparison to show, with awkward names, gaps and reasons."""

import numpy as np

from sonoplane.report.cells import Cell
from sonoplane.report.comparison import Comparison
from sonoplane.report.comparison_tables import Agreement, Differences
from sonoplane.report.evaluation import Counted, Evaluation
from sonoplane.report.measured import ALL_PLANES, LevelScores, RecordingScores
from sonoplane.report.mistakes import Mistake
from sonoplane.report.pictures import Picture
from sonoplane.report.scope import Confound, Scope
from sonoplane.report.scoreboard import ClassScores, Contender, Scoreboard

CLASSES = ("background", "liver <b>", "kidney | left")
SCOPE = Scope(
    archive="sweeps",
    task="plane",
    part="test",
    classes=CLASSES,
    n_patients=9,
    n_recordings=12,
    n_frames=1000,
    n_labelled=900,
    n_centres=1,
    unseen=True,
    patients_of={"background": 9, "liver <b>": 3, "kidney | left": 0},
)
NO_LABEL = "The class has no label here."


def sure(value: float, width: float = 0.05) -> Cell:
    return Cell(value=value, low=value - width, high=value + width)


def scores(accuracy: float) -> dict[str, Cell]:
    return {
        "accuracy": sure(accuracy),
        "macro_f1": Cell(value=None, why="A class is missing."),
        "recording_accuracy": Cell(value=accuracy, spread=0.124),
        "parameters": Cell(value=930334),
        "ms_per_frame": Cell(value=4.131, low=4.0, high=4.3),
    }


def class_scores(network: str) -> tuple[ClassScores, ...]:
    missing = {"recall": Cell(value=None, why=NO_LABEL), "support": Cell(value=0)}
    return (
        *(
            ClassScores(name=name, network=network, cells={"recall": sure(0.8), "support": Cell(value=450)})
            for name in CLASSES[:2]
        ),
        ClassScores(name=CLASSES[2], network=network, cells=missing),
    )


FLOOR = Contender(name="commonest class", cells={"accuracy": sure(0.4)})
CONFOUND = Confound(
    flagged=True, verdict="The files alone nearly tell.", telling=("codec alone reaches 0.7.",)
)
DRAWN = Picture(title="Reliability", caption="On the line is right.", data=b"<svg/>")
IMAGE = np.full((30, 40), 90, dtype=np.uint8)
MISTAKES = tuple(
    Mistake(
        recording=f"exam <{place}>",
        network="2D",
        start=place,
        stop=place + 4,
        start_s=place / 20,
        stop_s=(place + 4) / 20,
        target="liver <b>",
        answer="kidney | left",
        probability=0.9 - place / 100,
        image=IMAGE if place else None,
    )
    for place in range(5)
)
RECORDINGS = tuple(
    RecordingScores(recording=f"exam-{n:02d}", patient="p1", n_frames=75, networks={"2D": Cell(value=n / 30)})
    for n in range(25)
)
BY_RECORDING = Counted(
    unit="recording", scores={"accuracy": sure(0.75)}, classes=class_scores("2D"), confusion=np.diag([5, 4, 0])
)  # fmt: skip
BY_FRAME = Counted(
    unit="frame",
    scores=scores(0.83),
    floors=(FLOOR,),
    classes=class_scores("2D"),
    confusion=np.array([[400, 30, 20], [50, 380, 20], [0, 0, 0]]),
)
EVENTS = {
    "liver <b>": {"found": sure(0.9), "first_hit_s": Cell(value=0.42)},
    ALL_PLANES: {"exams": Cell(value=12), "found": sure(0.9), "keyframe_precision": sure(0.7)},
}
EVALUATION = Evaluation(
    network="2D",
    scope=SCOPE,
    counted=(BY_FRAME,),
    cautions=("A caution of the caller.",),
    confound=CONFOUND,
    levels=tuple(
        LevelScores(level=level, network="2D", cells={"n": Cell(value=n), "accuracy": sure(0.8)})
        for level, n in (("frame", 900), ("recording", 12))
    ),
    events=EVENTS,
    belief=(DRAWN,),
    recordings=RECORDINGS,
    mistakes=MISTAKES,
    shown_mistakes=MISTAKES[:3],
    timelines=(DRAWN,),
    n_timelines=12,
    provenance={"Model": "sononet2d-16 1"},
    settings={"run": {"mode": "dense"}},
    measured={"belief": {"own": {"ece": 0.2}, "calibrated": {"ece": 0.1}}},
)
BOARD = Scoreboard(
    contenders=(
        Contender(name="2D", cells=scores(0.83)),
        Contender(name="3D", cells={**scores(0.86), "difference": sure(0.03), "p": Cell(value=0.21)}),
        Contender(name="(2+1)D", cells={**scores(0.7), "difference": sure(-0.13), "p": Cell(value=0.0004)}),
        FLOOR,
    ),
    classes=(*class_scores("2D"), *class_scores("3D")),
    facts={"archive": "sweeps"},
)
COMPARISON = Comparison(
    scope=SCOPE,
    boards=(BOARD,),
    n_networks=3,
    differences=(
        Differences(
            unit="frame",
            first="2D",
            rows=tuple(
                {
                    "network": Cell(value="3D"),
                    "number": Cell(value=number),
                    "own": Cell(value=0.86),
                    "first": Cell(value=0.83),
                    "difference": Cell(value=0.03, why="One patient."),
                    "p": Cell(value=0.11),
                    "p_corrected": Cell(value=0.21),
                    "test": Cell(value="exact"),
                }
                for number in ("Accuracy", "AUROC")
            ),
        ),
    ),
    events={"2D": EVENTS, "3D": {}, "(2+1)D": EVENTS},
    confound=CONFOUND,
    levels=tuple(
        LevelScores(level=level, network=name, cells={"accuracy": sure(0.8)})
        for name in ("2D", "3D")
        for level in ("frame", "recording")
    ),
    agreement=(
        Agreement(first="2D", second="3D", cells={"agreement": sure(0.9), "both_wrong": Cell(value=0.05)}),
    ),
    belief=(DRAWN,),
    recordings=RECORDINGS,
    mistakes=MISTAKES,
    shown_mistakes=MISTAKES[:3],
    timelines=(DRAWN,),
    provenance={"2D": {"Model": "sononet2d-16 1"}, "3D": {"Model": "sononet3d-16 1"}},
)
