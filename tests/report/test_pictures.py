"""Pictures inside a page are what they say they are."""

import pytest

from sonoplane.errors import UsageError
from sonoplane.report.pictures import Picture


def test_the_kind_is_read_from_the_bytes():
    assert Picture(title="", caption="", data=b"\x89PNG\r\n").address.startswith("data:image/png;base64,")
    assert Picture(title="", caption="", data=b"<?xml?>").address.startswith("data:image/svg+xml;base64,")


def test_what_is_no_picture_is_refused():
    with pytest.raises(UsageError, match="neither PNG"):
        Picture(title="", caption="", data=b"GIF89a")
