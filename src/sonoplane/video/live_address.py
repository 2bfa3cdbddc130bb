"""What is asked for as a live source, in FFmpeg's terms: addresses on the network, capture devices."""

import os
import re
import ssl
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from sonoplane.errors import RecordingError, UsageError
from sonoplane.video.live_settings import LiveSettings

__all__ = ["Address", "address_of"]

#: Addresses that are followed, and the protocols that each may use: no files, no playlists that name others.
PROTOCOLS = {
    "rtsp": "rtsp,rtp,tcp,udp",
    "rtsps": "rtsp,rtsps,rtp,tcp,udp,tls",
    "http": "http,httpproxy,https,tls,tcp",
    "https": "https,httpproxy,tls,tcp",
    "tcp": "tcp",
    "udp": "udp",
}
ENCRYPTED = ("rtsps", "https", "http")

#: What an address may send: streams, and files that explain themselves from their beginning.
DEMUXERS = "mpegts,mpjpeg,mjpeg,h264,hevc,m4v,flv,matroska,webm,mov,mp4,mpeg,avi,nut,ogg"

#: How long, in microseconds, how many bytes and frames FFmpeg may look at before it says what an address sends: all
#: that it looks at is given late.
LOOK = {"analyzeduration": "1000000", "probesize": "2000000", "fpsprobesize": "2"}

#: What a path seldom has and an address that is typed wrongly may have: name@host, //, ?token=, host:port/.
LIKE_AN_ADDRESS = re.compile(r"@|//|\?|=|:[0-9]+(/|$)")

#: FFmpeg's name for capture devices on each system.
DEVICE_FORMATS = {"linux": "v4l2", "darwin": "avfoundation", "win32": "dshow"}

#: Packets of 188 bytes that wait for us, about 12 MB, and bytes that wait in the system: a pause of a second loses
#: nothing.
UDP_PACKETS, UDP_BYTES = 65536, 4_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """Where a live source is, and how FFmpeg is to open it."""

    kind: Literal["device", "network"]
    name: str
    """What messages call it: it tells neither a host nor a password."""
    advice: str
    """What to look at where it gives nothing."""
    url: str = field(repr=False)
    format: str | None = None
    options: dict[str, str] = field(default_factory=dict, repr=False)

    def check(self) -> None:
        """A clear error where a device is not there or not allowed."""
        if self.kind == "device" and self.format == "v4l2":
            _check_device(Path(self.url))


def address_of(source: str, settings: LiveSettings) -> Address | None:
    """The address or device that is meant; None for anything else, which must be a path.

    >>> address_of("rtsp://user:secret@10.0.0.7/probe", LiveSettings())  # doctest: +ELLIPSIS
    Address(kind='network', name='The rtsp source', ...)
    >>> address_of("sweep.mp4", LiveSettings()) is None
    True
    """
    scheme = re.match(r"([a-z][a-z0-9+.-]+):", source, re.IGNORECASE)
    if scheme and (scheme[1].lower() in PROTOCOLS or "://" in source):
        return _network(source, scheme[1].lower(), settings)
    if source.isascii() and source.isdigit():
        return _device(_numbered(int(source)), settings)
    if source.startswith("/dev/") or (source.startswith("video=") and sys.platform == "win32"):
        return _device(source, settings)
    if LIKE_AN_ADDRESS.search(source) and not os.path.lexists(source):
        # It may hold a password: no message repeats any of it.
        raise UsageError("There is no such file.", advice="An address begins with rtsp:// or http://.")
    return None


def _network(source: str, scheme: str, settings: LiveSettings) -> Address:
    if scheme not in PROTOCOLS:
        known = ", ".join(f"{name}://" for name in PROTOCOLS)
        raise UsageError(
            f"Addresses that begin with {scheme}:// cannot be followed.", advice=f"Give {known}."
        )
    if not re.fullmatch(r"[a-z]+://[^/\s]\S*", source, re.IGNORECASE):
        raise UsageError(f"This is no {scheme} address.", advice=f"Write {scheme}://HOST... without blanks.")
    options = {**LOOK, "format_whitelist": DEMUXERS, "protocol_whitelist": PROTOCOLS[scheme]}
    if scheme.startswith("rtsp"):
        options |= {
            "format_whitelist": f"rtsp,{DEMUXERS}",
            "rtsp_transport": settings.rtsp_transport,
            "allowed_media_types": "video",
        }
    elif scheme == "udp":
        options |= {
            "fifo_size": str(UDP_PACKETS),
            "buffer_size": str(UDP_BYTES),
            "overrun_nonfatal": "1",
        }
    if scheme in ENCRYPTED:
        options |= _trust(settings)
    return Address(
        kind="network",
        name=f"The {scheme} source",
        advice=_network_advice(scheme, settings),
        url=scheme + source[len(scheme) :],
        options=options,
    )


def _trust(settings: LiveSettings) -> dict[str, str]:
    """Whose certificates are believed: FFmpeg by itself believes anyone's."""
    known = settings.certificates or ssl.get_default_verify_paths().cafile
    options = {"tls_verify": str(int(settings.verify))}
    return options | ({"ca_file": str(known)} if settings.verify and known else {})


def _network_advice(scheme: str, settings: LiveSettings) -> str:
    if scheme == "udp":
        return "Check the port, and that the sender sends MPEG-TS to this machine."
    advice = "Check the address, the name and password, and that the sender runs."
    if scheme in ("https", "rtsps") and settings.verify:
        advice += (
            " If its certificate is one of your own, name the authority that signed it in `certificates`."
        )
    return advice


def _numbered(number: int) -> str:
    """Capture device n of this system."""
    if sys.platform == "win32":
        raise UsageError(
            "Capture devices have no numbers on Windows.",
            advice='Give "video=NAME"; `ffmpeg -list_devices true -f dshow -i dummy` lists the names.',
        )
    return str(number) if sys.platform == "darwin" else f"/dev/video{number}"


def _device(url: str, settings: LiveSettings) -> Address:
    wished: dict[str, str | None] = {
        "framerate": f"{settings.device_fps:g}" if settings.device_fps else None,
        "input_format": settings.device_format,
        "video_size": _size(settings),
    }
    return Address(
        kind="device",
        name=f"The capture device {Path(url).name}",
        advice="Check that it is plugged in, that no other program uses it, and that it has the size and rate asked.",
        url=url,
        format=DEVICE_FORMATS.get(sys.platform, "v4l2"),
        options={key: value for key, value in wished.items() if value},
    )


def _size(settings: LiveSettings) -> str | None:
    height, width = settings.device_height, settings.device_width
    if (height is None) != (width is None):
        raise UsageError("Only one side of the device's picture is given.", advice="Give height and width.")
    return f"{width}x{height}" if height else None


def _check_device(path: Path) -> None:
    if not path.is_char_device():
        here = sorted(device.name for device in Path("/dev").glob("video*"))
        raise RecordingError(
            f"There is no capture device {path.name}.",
            advice=f"Those here are {', '.join(here)}." if here else "This machine has none: plug one in.",
        )
    if not os.access(path, os.R_OK | os.W_OK):
        raise RecordingError(
            f"The capture device {path.name} may not be opened by this user.",
            advice="Add the user to the group `video`, and log in again.",
        )
