"""One bad recording is a row among the failures, never the end of a batch."""

import logging

from sonoplane.errors import SonoplaneError
from sonoplane.report.folder import Failure
from sonoplane.steps.progress import say

__all__ = ["Failures", "failure_of"]


def failure_of(recording: str, error: Exception) -> Failure:
    """What the list of failures says of an error: nothing of it but its own words, and none of a stranger's.

    >>> failure_of("sweep", ValueError("/home/anna/scan")).reason
    'An error that sonoplane has no word for (ValueError).'
    """
    if isinstance(error, SonoplaneError):  # bytes of a file's name that are no letters fit into no text file
        reason = error.message.encode(errors="backslashreplace").decode()
        return Failure(recording=recording, reason=reason, what_to_do=error.advice)
    logging.getLogger("sonoplane").debug("%s failed", recording, exc_info=error)
    return Failure(
        recording=recording,
        reason=f"An error that sonoplane has no word for ({type(error).__name__}).",
        what_to_do="Run it alone with --debug, and report what that shows.",
    )


class Failures:
    """What went wrong so far, told at once and listed at the end."""

    def __init__(self) -> None:
        self.errors: list[tuple[str, Exception]] = []
        """Each with the name of its recording."""

    @property
    def listed(self) -> list[Failure]:
        """As they are written into a list."""
        return [failure_of(recording, error) for recording, error in self.errors]

    def add(self, recording: str, error: Exception) -> None:
        """Tell one, and keep it."""
        self.errors.append((recording, error))
        failure = failure_of(recording, error)
        say(f"{recording}: {failure.reason} {failure.what_to_do}")
