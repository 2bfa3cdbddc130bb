"""Frames unlike those of validation have low scores; the share that is accepted is the one that was asked for."""

import numpy as np
import pytest
from scipy.special import logsumexp

from sonoplane.errors import UsageError
from sonoplane.metrics.ood import LikenessScore, fit_likeness, likeness

SCORES: tuple[LikenessScore, ...] = ("energy", "max-logit", "margin")


def known(n: int = 1000, *, strength: float = 6.0, seed: int = 0) -> np.ndarray:
    """Logits with one class standing out so far."""
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(n, 5)) + strength * np.eye(5)[rng.integers(0, 5, n)]).astype(np.float32)


PATIENTS = [f"p{i % 20}" for i in range(1000)]


def test_the_energy_is_the_log_of_the_sum_of_exponentials() -> None:
    logits = known() * 200
    assert likeness(logits, "energy") == pytest.approx(logsumexp(logits.astype(np.float64), axis=1))


@pytest.mark.parametrize("score", SCORES)
def test_the_share_asked_for_is_accepted(score: LikenessScore) -> None:
    fitted = fit_likeness(known(), PATIENTS, score=score, accepted=0.9)
    assert 1 - fitted.unlike(known()).mean() == pytest.approx(0.9, abs=0.002)
    assert 1 - fitted.unlike(known(seed=1)).mean() == pytest.approx(0.9, abs=0.03)
    assert (fitted.n_frames, fitted.n_patients) == (1000, 20)


@pytest.mark.parametrize("score", SCORES)
def test_recordings_without_a_clear_answer_are_rejected(score: LikenessScore) -> None:
    fitted = fit_likeness(known(), PATIENTS, score=score)
    assert fitted.rejects(known(60, strength=0))
    assert not fitted.rejects(known(60, seed=2))
    assert not fitted.rejects(np.concatenate([known(40, strength=0), known(60)]))


def test_every_patient_counts_alike() -> None:
    low, high = known(900, strength=3), known(100, strength=9)
    patients = ["one"] * 900 + [f"p{i % 19}" for i in range(100)]
    fitted = fit_likeness(np.concatenate([low, high]), patients, accepted=0.9)
    assert fitted.unlike(low).mean() > 0.9


def test_few_patients_are_refused() -> None:
    with pytest.raises(UsageError, match="4 validation patients"):
        fit_likeness(known(8), list("aabbccdd"))


def test_nan_is_refused() -> None:
    with pytest.raises(UsageError, match="NaN"):
        likeness(np.array([[np.nan, 1.0]]))
