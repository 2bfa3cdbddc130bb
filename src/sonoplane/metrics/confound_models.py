"""Plain models that answer from facts of the files: all facts together, or one of them alone."""

import warnings
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from jaxtyping import Float64, Int64, Shaped
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sonoplane.metrics.rates import rates
from sonoplane.metrics.scores import confusion

__all__ = ["Column", "Round", "answered", "told_by_one"]

Column: TypeAlias = Shaped[np.ndarray, "_"]
"""A fact of every row: floats with NaN, or words as objects."""

Round: TypeAlias = tuple[Int64[np.ndarray, "_"], Int64[np.ndarray, "_"]]
"""Rows to learn from, and rows to answer."""


def answered(
    columns: Sequence[Column],
    targets: Int64[np.ndarray, "n"],
    rounds: Sequence[Round],
    n_classes: int,
    seed: int,
) -> Float64[np.ndarray, "n classes"]:
    """Probabilities of the tested rows, the mean of both models; zeros elsewhere."""
    chances = np.zeros((len(targets), n_classes))
    for train, test in rounds:
        seen = np.unique(targets[train])
        if not columns or len(seen) < 2:  # nothing to tell by: how common each class is
            chances[test] = np.bincount(targets[train], minlength=n_classes) / len(train)
            continue
        table = np.empty((len(targets), len(columns)), dtype=object)
        for place, column in enumerate(columns):
            table[:, place] = column
        for model in _models(columns, seed):
            with warnings.catch_warnings():
                # an audit need not be exact to the last digit
                warnings.simplefilter("ignore", ConvergenceWarning)
                model.fit(table[train], targets[train])
            chances[np.ix_(test, model.classes_)] += model.predict_proba(table[test]) / 2
    return chances


def told_by_one(
    column: Column,
    targets: Int64[np.ndarray, "n"],
    rounds: Sequence[Round],
    test: Int64[np.ndarray, "test"],
    n_classes: int,
) -> float:
    """Balanced accuracy of a tree of at most 8 leaves that sees one fact."""
    said = np.zeros(len(targets), dtype=np.int64)
    for train, tested in rounds:
        tree = DecisionTreeClassifier(
            max_leaf_nodes=8, min_samples_leaf=2, class_weight="balanced", random_state=0
        )
        model = make_pipeline(_encoder([column]), tree)
        said[tested] = model.fit(column[train, None], targets[train]).predict(column[tested, None])
    counts = confusion(targets[test], said[test], n_classes)
    return float(rates(counts.astype(np.float64)).whole["balanced_accuracy"])


def _models(columns: Sequence[Column], seed: int) -> list[Pipeline]:
    logistic = LogisticRegression(C=1.0, class_weight="balanced", max_iter=2000)
    forest = RandomForestClassifier(
        60, max_depth=6, min_samples_leaf=2, class_weight="balanced", random_state=seed, n_jobs=1
    )
    return [make_pipeline(_encoder(columns), model) for model in (logistic, forest)]


def _encoder(columns: Sequence[Column]) -> ColumnTransformer:
    """Words become columns of 0 and 1, numbers are standardized; what is missing is told apart from the median."""
    is_word = [column.dtype == object for column in columns]
    numeric = make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True), StandardScaler()
    )
    return ColumnTransformer(
        [
            ("words", OneHotEncoder(handle_unknown="ignore"), [i for i, word in enumerate(is_word) if word]),
            ("numbers", numeric, [i for i, word in enumerate(is_word) if not word]),
        ],
        sparse_threshold=0,
    )
