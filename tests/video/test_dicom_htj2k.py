"""High-throughput JPEG 2000, which no encoder at hand writes: streams of 16 x 16 pixels by OpenJPH."""

from base64 import b64decode
from pathlib import Path

import numpy as np
import pytest
from pydicom import uid

from tests.video.dicom_files import first, opened, save_streams

ROWS, COLUMNS = np.mgrid[:16, :16]
GRAY = (ROWS // 4 * 60 + COLUMNS // 8 * 9).astype(np.uint8)
COLOR = np.stack([GRAY, 255 - GRAY, GRAY // 2], axis=-1)

#: `GRAY`, lossless.
GRAY_STREAM = b64decode(
    "/0//UQApQAAAAAAQAAAAEAAAAAAAAAAAAAAAEAAAABAAAAAAAAAAAAABBwEB/1AACAACAAAAAv9SAAwAAgABAAUEBEAB/1wAEyBI"
    "UFBQUFBQUFBQUFBQSEhI/2QAFwABT3BlbkpQSCBWZXIgMC4yNi4zLv+QAAoAAAAAAIYAAf+TwCWZAQd0AADAEsASgPAAx3QABgGH"
    "dADAEkAVAF8JkwAHxAHiAIa0AMAVMAWmCQnwAuTponYAwR7swR7sm9lss83+AHdn5NC3AMAqoBdA/3++FOU5TiJ4APvee++9933f"
    "933f933f933fAA6aem3pp6bSSmkkp18A/9k="
)

#: `COLOR`, lossless, by the reversible color transform.
COLOR_STREAM = b64decode(
    "/0//UQAvQAAAAAAQAAAAEAAAAAAAAAAAAAAAEAAAABAAAAAAAAAAAAADBwEBBwEBBwEB/1AACAACAAAAA/9SAAwAAgABAQUEBEAB"
    "/1wAEyBQWFhYWFhYWFhYWFhYUFBQ/2QAFwABT3BlbkpQSCBWZXIgMC4yNi4zLv+QAAoAAAAAAXgAAf+TwBKA+wBHdADAEoBlAYd0"
    "AMASgDMBh3QAAAAAwAjgBKAXcwDhAAd0AMAJYASg+ADHdACOAYd0AMAJYATA4AAHdAAQ/gIHdADACSAEsAJA/AETANLiMJMA/AET"
    "AMAJYAVAXekRkwAL54LzAIa0AMAJoAVIMcz+MZMADxQPKP4AxrQAwAlgBVj4AApEANrCsDGzXdnS0bYAwAqYAWoALS3wAuTponYA"
    "Y3acjdmYZZSMyqiM+gB3Z+QxtwDACqgBawAzzAD8AuT5onYAhXvhXrgX7jfn5m7u5v4Ad2cAANC4AMATwBawAL4UKFHmAFZVbdu2"
    "bdu2YA6aem3pp6bappqnXgDAFXAF0YDbtm2+U5TlOEJ4ANksy7Isy7LZbDabzWaz2Ww2m81mAA6aem3pp6beSmnkp18AwBWQBdGA"
    "EREREb5TlOU4wngA9/u+7/u+7/f7/X6/3+/3+/1+v98ADpp6bemnpt5KaeSnXwD/2Q=="
)


@pytest.mark.parametrize(
    "syntax", [uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K], ids=lambda syntax: syntax.name
)
def test_gray_comes_back(tmp_path: Path, syntax: uid.UID) -> None:
    path = save_streams([GRAY_STREAM] * 2, tmp_path / "a", syntax, (16, 16))
    assert np.array_equal(first(path), GRAY)
    assert opened(path).n_frames == 2


@pytest.mark.parametrize("kind", ["YBR_RCT", "RGB"])
def test_color_comes_back(tmp_path: Path, kind: str) -> None:
    path = save_streams(
        [COLOR_STREAM], tmp_path / "a", uid.HTJ2KLossless, (16, 16, 3), PhotometricInterpretation=kind
    )
    assert np.array_equal(first(path), COLOR)
