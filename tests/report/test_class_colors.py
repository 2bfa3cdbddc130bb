"""Colors of classes: different ones, also for color-blind eyes, and stable."""

import itertools

import numpy as np

from sonoplane.report.class_colors import class_colors

#: Linear RGB as eyes without L or M cones see it (Machado 2009, severity 1).
_BLIND = {
    "protan": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deutan": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
}


def rgb(face):
    return np.array([int(face[at : at + 2], 16) / 255 for at in (1, 3, 5)])


def test_eight_planes_stay_apart_for_color_blind_eyes():
    faces = [rgb(color.face) for color in class_colors([f"plane {n}" for n in range(8)])]
    for matrix in _BLIND.values():
        seen = [np.clip(np.array(matrix) @ face**2.2, 0, 1) ** (1 / 2.2) for face in faces]
        assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) > 0.1


def test_many_planes_differ_in_color_or_hatch():
    colors = class_colors([f"plane {n}" for n in range(32)])
    assert len({(color.face, color.hatch) for color in colors}) == 32


def test_background_takes_no_color_from_the_planes():
    with_it = class_colors(["a", "background", "b"], "background")
    assert [color.face for color in class_colors(["a", "b"])] == [with_it[0].face, with_it[2].face]
