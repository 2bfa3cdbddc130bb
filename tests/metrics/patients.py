"""Simulated patients: frames of one are alike, they differ in number, and not all of them show every class."""

import numpy as np

from sonoplane.metrics.answers import Answers, answers_of

CLASSES = ("a", "b", "c", "d", "e")
#: How many patients show each class, and how easy it is.
SHOWN = np.array([1, 1, 0.8, 0.5, 0.15])
EASE = np.array([0, 0.3, 0, -0.3, -0.6])


def simulated(
    rng: np.random.Generator, n_patients: int, *, skill: float = 2.2, spread: float = 0.8
) -> Answers:
    """A network's answers for patients of whom some are harder, with errors that last for frames and for patients."""
    targets, probabilities, patients = [], [], []
    for patient in range(n_patients):
        n = int(np.clip(rng.lognormal(4, 0.6), 15, 400))
        here = np.flatnonzero(rng.random(5) < SHOWN)
        target = np.sort(rng.choice(here, size=n, p=rng.dirichlet(np.full(len(here), 2.0))))
        told = rng.normal(skill, spread) + EASE[target]
        logits = rng.normal(0, 0.6, 5) + rng.normal(0, 0.5, (n // 8 + 1, 5))[np.arange(n) // 8]
        logits = logits + rng.normal(0, 1, (n, 5)) + told[:, None] * np.eye(5)[target]
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        targets.append(target)
        probabilities.append(odds / odds.sum(axis=1, keepdims=True))
        patients += [f"p{patient:03}"] * n
    return answers_of(
        level="frame",
        classes=CLASSES,
        targets=np.concatenate(targets),
        probabilities=np.concatenate(probabilities),
        recordings=patients,
        patients=patients,
    )


def alike(answers: Answers, seed: int, noise: float = 0.5) -> Answers:
    """Another network's answers for the same rows: the same, blurred."""
    rng = np.random.default_rng(seed)
    logits = np.log(answers.probabilities + 1e-9) + rng.normal(0, noise, answers.probabilities.shape)
    odds = np.exp(logits)
    return answers_of(
        level=answers.level,
        classes=answers.classes,
        targets=answers.targets,
        probabilities=odds / odds.sum(axis=1, keepdims=True),
        recordings=answers.recordings,
        patients=answers.patients,
    )
