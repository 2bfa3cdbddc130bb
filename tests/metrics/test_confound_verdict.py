"""The verdict warns where a network does no better than the files, and only there."""

import numpy as np
import numpy.typing as npt
import pytest

from sonoplane.errors import UsageError
from sonoplane.metrics.answers import Answers, Level, answers_of
from sonoplane.metrics.confound_verdict import judge_confounds, verdict_words
from sonoplane.metrics.confounds import ConfoundAudit, audit_confounds
from tests.metrics.test_confounds import CLASSES, study


def network(
    accuracy: float, *, seed: int = 1, level: Level = "recording", order: npt.ArrayLike = ()
) -> Answers:
    """Right so often, on the recordings of `study`."""
    given = study(confounded=True)
    rng = np.random.default_rng(seed)
    targets = given["targets"]
    said = np.where(rng.random(90) < accuracy, targets, (targets + rng.integers(1, 3, 90)) % 3)
    places = np.asarray(order, dtype=int) if len(np.asarray(order)) else np.arange(90)
    return answers_of(
        level=level,
        classes=CLASSES,
        targets=targets[places],
        probabilities=(np.eye(3)[said] * 0.7 + 0.1)[places],
        recordings=[given["recordings"][place] for place in places],
        patients=[given["patients"][place] for place in places],
    )


@pytest.fixture(scope="module")
def telling() -> ConfoundAudit:
    return audit_confounds(**study(confounded=True))


@pytest.fixture(scope="module")
def silent() -> ConfoundAudit:
    return audit_confounds(**study(confounded=False))


def test_a_network_no_better_than_the_files_is_flagged(telling: ConfoundAudit) -> None:
    verdict = judge_confounds(telling, network(0.85), name="SonoNet2D-16", draws=200)
    assert verdict.flagged
    assert verdict.lead is not None
    assert verdict.lead.low is not None
    assert verdict.lead.low <= 0
    assert verdict.words.startswith(
        "From facts of the files alone (scanner, width and frames), without an image,"
    )
    assert "SonoNet2D-16 reaches 0.8" in verdict.words
    assert "The facts come close to that." in verdict.words
    assert "Test on recordings" in verdict.words


def test_a_network_far_better_than_the_files_is_not_flagged(silent: ConfoundAudit) -> None:
    verdict = judge_confounds(silent, network(0.95), draws=200)
    assert not verdict.flagged
    assert "nothing suggests that they are what is read" in verdict.words


def test_two_that_guess_are_alike_without_a_warning(silent: ConfoundAudit) -> None:
    verdict = judge_confounds(silent, network(0.34), draws=200)
    assert not verdict.flagged
    assert "neither tells much" in verdict.words


def test_a_far_better_network_beside_telling_files_is_told(telling: ConfoundAudit) -> None:
    worse = audit_confounds(**{**study(confounded=True, seed=3), "facts": _half_known()})
    verdict = judge_confounds(worse, network(1.0), draws=200)
    assert not verdict.flagged
    assert "part of what is reached with them may come from the facts" in verdict.words


def test_verdicts_on_several_networks_say_what_is_common_once(telling: ConfoundAudit) -> None:
    verdicts = [judge_confounds(telling, network(0.85), name=name, draws=50) for name in ("2D", "3D")]
    words = verdict_words(verdicts)
    assert words.count("From facts of the files alone") == words.count("Test on recordings") == 1
    assert words.count("The facts come close to that.") == 1
    assert words.index("2D reaches") < words.index("3D reaches") < words.index("The facts come close")


def test_names_of_networks_stand_as_they_are(telling: ConfoundAudit) -> None:
    words = judge_confounds(telling, network(0.85), name="blines-2d", draws=50).words
    assert "blines-2d reaches" in words


def test_the_data_alone_are_judged_without_a_network(telling: ConfoundAudit, silent: ConfoundAudit) -> None:
    assert judge_confounds(telling, draws=200).flagged
    assert not judge_confounds(silent, draws=200).flagged


def test_rows_are_matched_by_recording(telling: ConfoundAudit) -> None:
    order = np.random.default_rng(0).permutation(90)[:70]
    shuffled, sorted_ = (
        judge_confounds(telling, network(0.8, order=o), draws=50) for o in (order, np.sort(order))
    )
    assert shuffled.network is not None
    assert sorted_.network is not None
    assert shuffled.network.value == sorted_.network.value
    assert shuffled.facts.value == sorted_.facts.value


def test_what_does_not_match_is_refused(telling: ConfoundAudit) -> None:
    with pytest.raises(UsageError, match="answer by recording, the network by patient"):
        judge_confounds(telling, network(0.8, level="patient"))
    with pytest.raises(UsageError, match="no row in common"):
        judge_confounds(telling, network(0.8).only(np.zeros(90, bool)))


def _half_known() -> dict[str, list[str]]:
    """The scanner, and that of two classes is the same."""
    return {
        "scanner": ["maker 0" if target == 0 else "maker 1" for target in study(confounded=True)["targets"]]
    }
