"""Everything that can go wrong, as one tree.

SonoplaneError
├── UsageError            the call itself is wrong: a setting, a missing file, a typo
├── RecordingError        this recording cannot be read; a batch goes on without it
│   ├── NotUltrasound     it is a readable file, but no ultrasound image
│   └── DamagedRecording  it is empty, cut short or cannot be decoded
├── LabelError            the label table contradicts itself or the recordings
├── SplitError            patients would leak between the parts of a split
├── BundleError           a bundle is incomplete, altered or of another kind than asked for
│   └── WeightsError      weights do not fit the network, or their layout is unknown
├── DownloadError         something could not be fetched
└── MissingExtra          the call needs an optional part of the install

Every message says what is wrong, and `advice` says what to do about it; neither ever holds a patient's name,
id, date or an absolute path.
"""

__all__ = [
    "BundleError",
    "DamagedRecording",
    "DownloadError",
    "LabelError",
    "MissingExtra",
    "NotUltrasound",
    "RecordingError",
    "SonoplaneError",
    "SplitError",
    "UsageError",
    "WeightsError",
]


class SonoplaneError(Exception):
    """The root of everything that sonoplane raises on purpose.

    >>> print(RecordingError("The file is empty.", advice="Copy it again from the scanner."))
    The file is empty. Copy it again from the scanner.
    """

    def __init__(self, message: str, *, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.message} {self.advice}".rstrip()


class UsageError(SonoplaneError):
    """The call itself is wrong: a setting, a missing file, a typo."""


class RecordingError(SonoplaneError):
    """This recording cannot be read; a batch lists it and goes on."""


class NotUltrasound(RecordingError):
    """A readable file, but not an ultrasound image."""


class DamagedRecording(RecordingError):
    """Empty, cut short, or impossible to decode."""


class LabelError(SonoplaneError):
    """The label table contradicts itself or the recordings."""


class SplitError(SonoplaneError):
    """Patients would leak between the parts of a split."""


class BundleError(SonoplaneError):
    """A bundle is incomplete, altered, or of another kind than asked for."""


class WeightsError(BundleError):
    """Weights do not fit the network, or their layout is unknown."""


class DownloadError(SonoplaneError):
    """Something could not be fetched."""


class MissingExtra(SonoplaneError):
    """The call needs an optional part of the install, such as `sonoplane[train]`."""
