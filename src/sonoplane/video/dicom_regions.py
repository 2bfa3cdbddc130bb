"""The ultrasound regions that a scanner declares in a DICOM header, checked against the frame."""

from pydicom import Dataset

from sonoplane.records import Box, RegionKind, UltrasoundRegion

__all__ = ["read_regions"]

#: RegionSpatialFormat (DICOM PS3.3 C.8.5.5.1.1): M-mode and spectra are told by their axes.
KIND_OF_FORMAT: dict[int, RegionKind] = {2: "m-mode", 3: "spectral"}

#: RegionDataType (C.8.5.5.1.2) of a region with two axes of space (format 1).
KIND_OF_DATA: dict[int, RegionKind] = {1: "tissue", 2: "color-flow", 3: "spectral", 4: "spectral"}

CORNERS = ("RegionLocationMinX0", "RegionLocationMinY0", "RegionLocationMaxX1", "RegionLocationMaxY1")


def read_regions(
    header: Dataset, *, height: int, width: int
) -> tuple[tuple[UltrasoundRegion, ...], list[str]]:
    """The regions inside a frame of this size, and a sentence for each one that is dropped or trimmed.

    DICOM's largest row and column belong to the region. Some scanners write the frame's size there, one too
    many: such a region is trimmed. One that lies further outside is dropped, since its place is not known.
    """
    regions: list[UltrasoundRegion] = []
    notes: list[str] = []
    for number, item in enumerate(header.get("SequenceOfUltrasoundRegions") or (), start=1):
        try:
            left, top, right, bottom = (int(item[name].value) for name in CORNERS)
        except (KeyError, TypeError, ValueError):
            notes.append(f"Ultrasound region {number} has no corners: dropped.")
            continue
        if not (0 <= left < right <= width and 0 <= top < bottom <= height):
            notes.append(f"Ultrasound region {number} does not lie inside the frame: dropped.")
            continue
        if right == width or bottom == height:
            notes.append(f"Ultrasound region {number} ends one pixel outside the frame: trimmed.")
        box = Box(left=left, top=top, right=min(right + 1, width), bottom=min(bottom + 1, height))
        regions.append(UltrasoundRegion(box=box, kind=_kind(item)))
    return tuple(regions), notes


def _kind(item: Dataset) -> RegionKind:
    axes, data = item.get("RegionSpatialFormat"), item.get("RegionDataType")
    if axes == 1:
        return KIND_OF_DATA.get(data, "other") if isinstance(data, int) else "other"
    return KIND_OF_FORMAT.get(axes, "other") if isinstance(axes, int) else "other"
