"""No cleaned frame holds anything outside the ultrasound region or any burned-in text; inside nothing is changed."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonoplane.frames.cleaning import clean
from sonoplane.frames.region_settings import RegionSettings
from sonoplane.records import Box, UltrasoundRegion
from sonoplane.video.phantom import simulate
from tests.frames.scenes import linear_mask, overlap, paint, recording_of, scene, sector_mask


@given(
    height=st.integers(60, 300),
    width=st.integers(60, 300),
    probe=st.sampled_from(["sector", "convex", "linear"]),
    origin=st.sampled_from(["card", "dicom", "pixels"]),
    color=st.booleans(),
    n_frames=st.integers(1, 4),
)
@settings(max_examples=40, deadline=None)
def test_outside_is_blank_and_inside_untouched(
    height: int, width: int, probe: str, origin: str, color: bool, n_frames: int
):
    mask = (
        linear_mask(height, width)
        if probe == "linear"
        else sector_mask(height, width, convex=probe == "convex")
    )
    images = scene(mask, n_frames=n_frames)
    if color:
        images = np.repeat(images[..., None], 3, axis=-1)
    box = Box(left=width // 8, top=height // 6, right=width - 5, bottom=height - 3)
    declared = (UltrasoundRegion(box=box, kind="tissue"),) if origin == "dicom" else ()
    frames = clean(recording_of(images, regions=declared), card_box=box if origin == "card" else None)
    region = frames.region
    inside = np.zeros((height, width), bool)
    inside[region.box.slices] = True
    if region.mask is not None:
        assert not (region.mask & ~inside).any()
        inside = region.mask
    for frame, image in zip(frames, images, strict=True):
        assert not frame.image[~inside].any()
        assert (frame.image[inside] == image[inside]).all()


@pytest.mark.parametrize("declared", [True, False], ids=["region declared", "pixels only"])
@pytest.mark.parametrize("preset", ["liver-sweep", "echo-views"])
def test_nothing_burned_into_a_phantom_is_left(preset: str, declared: bool):
    exam = next(simulate(preset, patients=1, seed=11))
    recording = exam.recording
    if not declared:
        recording = replace(recording, facts=replace(recording.facts, regions=()))
    frames = clean(recording, settings=RegionSettings(first_frames=12))
    (before,), (after,) = recording.frames(0, 1), frames.read(0, 1)
    burned_in = (before.image > 30) & ~exam.mask
    assert burned_in.sum() > 500
    assert not after.image[burned_in].any()
    assert overlap(after.image > 0, exam.mask & (before.image > 0)) > 0.95


@given(
    text=st.sampled_from(["DOE JANE", "MUELLER, ANNA", "12.03.1974", "LIVER RT", "ID 4711-08"]),
    height=st.integers(9, 24),
    style=st.sampled_from(["plain", "outlined", "panel", "glass"]),
    probe=st.sampled_from(["sector", "linear"]),
    seed=st.integers(0, 9),
)
@settings(max_examples=20, deadline=None)
def test_text_painted_over_the_moving_image_is_blanked(
    text: str, height: int, style: str, probe: str, seed: int
):
    mask = linear_mask(360, 600) if probe == "linear" else sector_mask(360, 600, convex=False)
    images = scene(mask, n_frames=6, seed=seed)
    images, letters = paint(images, text, (180, 190), height=height, style=style)
    for frame in clean(recording_of(images)):
        assert not frame.image[letters & mask].any()
