"""Estimates as `metrics.json` keeps them."""

from typing import Any

from sonoplane.metrics.intervals import Estimate

__all__ = ["figure"]


def figure(estimate: Estimate) -> dict[str, Any]:
    """Plain values, with the words that a reader is told (`text`)."""
    return {
        "value": estimate.value,
        "low": estimate.low,
        "high": estimate.high,
        "patients": estimate.n_patients,
        "method": estimate.method,
        "text": str(estimate),
    }
