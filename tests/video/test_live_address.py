"""What may be followed, and with which rights."""

import sys

import pytest

from sonoplane.errors import RecordingError, UsageError
from sonoplane.video.live import LiveSettings, open_live
from sonoplane.video.live_address import PROTOCOLS, address_of

SETTINGS = LiveSettings()


@pytest.mark.parametrize("scheme", PROTOCOLS)
def test_no_address_may_open_files_or_playlists(scheme):
    address = address_of(f"{scheme}://127.0.0.1/x", SETTINGS)
    assert address is not None
    assert address.options["protocol_whitelist"].split(",")[0] == scheme.removesuffix(
        "s" if scheme == "rtsps" else ""
    )
    for option, never in (
        ("protocol_whitelist", "file"),
        ("format_whitelist", "hls"),
        ("format_whitelist", "concat"),
    ):
        assert never not in address.options[option].split(",")


@pytest.mark.parametrize(
    "source", ["sweep.mp4", "./5", "a folder/x.dcm", "C:\\scans\\x.mp4", "phantom:1.mp4"]
)
def test_anything_else_is_a_path(source):
    assert address_of(source, SETTINGS) is None


@pytest.mark.parametrize(
    "source",
    [
        "srt://user:secret@h/x",
        "file:///etc/secret",
        "rtsp:/user:secret@h",
        "rtsp://",
        "user:secret@h",
        "http://a secret",
        "http;//10.0.0.7/live?token=secret",
        "http//10.0.0.7/secret",
        "10.0.0.7:554/secret",
        "10.0.0.7/live?password=secret",
        "host=secret",
        "secret:554",
    ],
)
def test_a_wrong_address_is_refused_and_not_repeated(source):
    with pytest.raises(UsageError) as caught:
        open_live(source)
    assert "secret" not in str(caught.value)
    assert caught.value.advice


def test_nothing_of_an_address_is_in_its_name_or_repr():
    address = address_of("rtsp://user:secret@hospital.example:554/room?token=secret", SETTINGS)
    assert address is not None
    assert address.url.startswith("rtsp://user:secret@")
    assert not any(word in repr(address) for word in ("secret", "user:", "hospital", "room"))


def test_certificates_are_checked_unless_told_otherwise(tmp_path):
    def options(**how) -> dict[str, str]:
        address = address_of("https://127.0.0.1/x", LiveSettings(**how))
        assert address is not None
        return address.options

    assert options()["tls_verify"] == "1"
    assert options(certificates=tmp_path / "own.pem")["ca_file"] == str(tmp_path / "own.pem")
    assert options(verify=False)["tls_verify"] == "0"
    assert "ca_file" not in options(verify=False)


@pytest.mark.skipif(sys.platform != "linux", reason="devices are files on Linux only")
class TestDevicesOfLinux:
    def test_a_number_is_a_video_device(self):
        by_number, by_path = address_of("3", SETTINGS), address_of("/dev/video3", SETTINGS)
        assert by_number == by_path
        assert by_number is not None
        assert (by_number.kind, by_number.format, by_number.url) == ("device", "v4l2", "/dev/video3")
        assert by_number.name == "The capture device video3"

    def test_what_is_asked_of_a_device_reaches_it(self):
        wishes = LiveSettings(device_height=720, device_width=1280, device_fps=60, device_format="mjpeg")
        address = address_of("0", wishes)
        assert address is not None
        assert address.options == {
            "video_size": "1280x720",
            "framerate": "60",
            "input_format": "mjpeg",
        }
        with pytest.raises(UsageError, match="height and width"):
            address_of("0", LiveSettings(device_height=720))

    @pytest.mark.parametrize("source", ["4321", "/dev/video4321", "/dev/shm"])
    def test_an_absent_device_is_named_with_what_there_is(self, source):
        with pytest.raises(RecordingError, match="There is no capture device") as caught:
            open_live(source)
        assert "plug" in caught.value.advice or "video" in caught.value.advice

    def test_a_file_that_is_no_video_device_cannot_be_followed(self):
        with pytest.raises(RecordingError, match="The capture device null cannot be followed"):
            open_live("/dev/null")
