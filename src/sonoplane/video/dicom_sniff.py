"""Whether a file is DICOM, by its content alone."""

from pathlib import Path
from typing import Literal

from pydicom.datadict import dictionary_has_tag
from pydicom.valuerep import EXPLICIT_VR_LENGTH_32, STANDARD_VR

__all__ = ["looks_like_dicom"]

VRS = {str(vr).encode() for vr in STANDARD_VR}
LONG_VRS = {str(vr).encode() for vr in EXPLICIT_VR_LENGTH_32}

#: A data set begins with group 0008, file meta information (its preamble lost) with group 0002.
FIRST_GROUPS = (0x0002, 0x0008)

#: So many well-formed elements in a row are no accident.
ENOUGH = 4

UNDEFINED = 0xFFFFFFFF


def looks_like_dicom(path: Path) -> bool:
    """Whether the file has DICOM's prefix, or begins with well-formed elements of a known group.

    False for what is empty, missing or no file at all.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError:
        return False
    if head[128:132] == b"DICM":
        return True
    return (
        _elements(head, size, explicit=True, order="little")
        or _elements(head, size, explicit=False, order="little")
        or _elements(head, size, explicit=True, order="big")
    )


def _elements(head: bytes, size: int, *, explicit: bool, order: Literal["little", "big"]) -> bool:
    """Whether the file begins with elements in ascending order whose lengths lead from one to the next."""
    at, seen, last = 0, 0, -1
    while seen < ENOUGH and at < size:
        start = head[at : at + 12].ljust(12, b"\0")
        group, element = int.from_bytes(start[:2], order), int.from_bytes(start[2:4], order)
        tag = group << 16 | element
        if at + 8 > len(head) or tag <= last or (seen == 0 and group not in FIRST_GROUPS):
            break
        if explicit:
            long = start[4:6] in LONG_VRS
            length = int.from_bytes(start[8:12] if long else start[6:8], order)
            known, value = start[4:6] in VRS, at + (12 if long else 8)
        else:
            length, value = int.from_bytes(start[4:8], order), at + 8
            known = element == 0 or group % 2 == 1 or dictionary_has_tag(tag)
        if not known or (length != UNDEFINED and value + length > size):
            break
        seen, last = seen + 1, tag
        if length == UNDEFINED:
            break
        at = value + length
    return seen >= ENOUGH or (seen > 1 and at >= size) or (explicit and seen > 1)
