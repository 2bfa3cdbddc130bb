"""What ultrasound does to a picture happens inside the ultrasound area."""

import torch

from sonoplane.training.augment_ultrasound import ultrasound_area


def test_a_shadow_to_the_lower_edge_is_inside_the_area() -> None:
    clips = torch.zeros(1, 1, 1, 20, 30)
    clips[..., 2:18, 5:25] = 90
    clips[..., 8:18, 12:16] = 0
    area = ultrasound_area(clips)[0]
    assert area[2:18, 5:25].all()
    assert area.sum() == 16 * 20
