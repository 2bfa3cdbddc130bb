"""Regions lie inside the frame, or are dropped with a warning."""

import pytest
from pydicom import Dataset, Sequence

from sonoplane.records import Box
from sonoplane.video.dicom_regions import read_regions


def header(left: int, top: int, right: int, bottom: int, *, axes: int = 1, data: int = 1) -> Dataset:
    region, header = Dataset(), Dataset()
    region.RegionSpatialFormat, region.RegionDataType = axes, data
    region.RegionLocationMinX0, region.RegionLocationMinY0 = left, top
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = right, bottom
    header.SequenceOfUltrasoundRegions = Sequence([region])
    return header


def test_the_largest_row_and_column_belong_to_the_region() -> None:
    (region,), notes = read_regions(header(10, 20, 99, 79), height=80, width=100)
    assert region.box == Box(left=10, top=20, right=100, bottom=80)
    assert not notes


@pytest.mark.parametrize(
    ("axes", "data", "kind"),
    [(1, 1, "tissue"), (1, 2, "color-flow"), (2, 1, "m-mode"), (2, 2, "m-mode"), (3, 3, "spectral"), (3, 4, "spectral"),
     (4, 10, "other"), (5, 13, "other"), (1, 14, "other"), (0, 0, "other")],
)  # fmt: skip
def test_axes_and_data_make_the_kind(axes: int, data: int, kind: str) -> None:
    (region,), _ = read_regions(header(0, 0, 5, 5, axes=axes, data=data), height=80, width=100)
    assert region.kind == kind


@pytest.mark.parametrize(
    "box", [(0, 0, 101, 50), (0, 0, 50, 90), (50, 0, 50, 9), (200, 100, 300, 200), (9, 9, 2, 2)]
)
def test_a_region_outside_the_frame_is_dropped(box: tuple[int, int, int, int]) -> None:
    regions, notes = read_regions(header(*box), height=80, width=100)
    assert not regions
    assert len(notes) == 1


def test_the_size_in_place_of_the_last_pixel_is_trimmed() -> None:
    (region,), notes = read_regions(header(0, 0, 100, 80), height=80, width=100)
    assert region.box == Box(left=0, top=0, right=100, bottom=80)
    assert len(notes) == 1


def test_a_region_without_corners_is_dropped() -> None:
    incomplete = Dataset()
    incomplete.SequenceOfUltrasoundRegions = Sequence([Dataset()])
    assert read_regions(incomplete, height=80, width=100)[0] == ()
    assert read_regions(Dataset(), height=80, width=100) == ((), [])
