import numpy as np

from sonoplane.metrics.answers import answers_of
from sonoplane.metrics.levels import to_recordings
from sonoplane.steps.drawn import risk_curve


def test_recordings_are_ordered_by_the_probability_of_what_they_were_named() -> None:
    """Not by that of the background, which no recording is named."""
    names = ["a", "b", "c", "d"]
    frames = answers_of(
        level="frame",
        classes=("background", "liver", "kidney"),
        targets=[1, 1, 2, 2],
        probabilities=[[0.15, 0.8, 0.05], [0.2, 0.75, 0.05], [0.9, 0.06, 0.04], [0.85, 0.08, 0.07]],
        recordings=names,
        patients=names,
    )
    curve = risk_curve("recordings", to_recordings(frames, leave_out="background"))
    np.testing.assert_allclose(curve.risk, [0, 0, 1 / 3, 0.5])
