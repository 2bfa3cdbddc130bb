"""One way to follow anything that gives frames now: a recording, a device, an address, a pipe."""

import sys
from io import BufferedIOBase
from pathlib import Path
from typing import BinaryIO

from sonoplane.errors import UsageError
from sonoplane.video.live_line import Arrived, Newest
from sonoplane.video.live_settings import LiveSettings, RawFormat
from sonoplane.video.live_source import LiveFacts, LiveKind, LiveSource

__all__ = [
    "Arrived",
    "LiveFacts",
    "LiveKind",
    "LiveSettings",
    "LiveSource",
    "Newest",
    "RawFormat",
    "open_live",
]


def open_live(
    source: str,
    settings: LiveSettings | None = None,
    *,
    raw: RawFormat | None = None,
    stdin: BinaryIO | BufferedIOBase | None = None,
) -> LiveSource:
    """Begin to follow a source; it returns with the first picture, or an error where none comes in time.

    `source`: the path of any recording, given at its own pace; the number of a capture device or its path below
    `/dev`; an `rtsp://`, `rtsps://`, `http://`, `https://`, `udp://` or `tcp://` address; or `-` for raw frames, as
    `raw` describes them, from `stdin` (default: that of the process). A device or an address that drops is reached
    again. Errors: `UsageError` where the source is written wrongly, `RecordingError` where it gives nothing. No
    message holds an address, for addresses hold passwords.
    """
    settings = settings or LiveSettings()
    if source == "-":
        if raw is None:
            raise UsageError(
                "Raw frames do not say what they are.", advice="Give their height, width and pixels."
            )
        from sonoplane.video.live_raw import RawSource

        return RawSource(stdin or sys.stdin.buffer, raw, settings.pace)
    if raw is not None:
        raise UsageError(
            "Only raw frames on stdin need a raw format.", advice="Give - as the source, or no format."
        )
    from sonoplane.video.live_address import address_of

    address = address_of(source, settings)
    if address is not None:
        from sonoplane.video.live_feed import FeedSource

        return FeedSource(address, settings)
    from sonoplane.video.live_file import FileSource

    return FileSource(Path(source), settings)
