"""Sweeps made up for these tests: speckle in a sector, planes that come and go, with their findings."""

from dataclasses import replace
from functools import cache
from itertools import groupby
from typing import Any

import numpy as np

from sonoplane.records import Box, BundleName, Facts, Findings, KeyFrame, Region, Segment, Timeline

LIVER = ("background", "left lobe", "hepatic veins", "portal vein", "gallbladder", "right kidney", "dome")


@cache
def sector(seed: int, *, height: int = 480, width: int = 640, color: bool = False) -> np.ndarray:
    """Speckle in a sector with a dark vessel and a bright wall."""
    draw = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width].astype(np.float64)
    x, y = x - width / 2, y + 0.08 * height
    radius, angle = np.hypot(x, y), np.arctan2(x, y)
    coarse = draw.rayleigh(1.0, (height // 3 + 1, width // 4 + 1)).repeat(3, 0).repeat(4, 1)[:height, :width]
    fine = draw.rayleigh(1.0, (height, width))
    amplitude = (coarse * 0.7 + fine * 0.3) * np.exp(-radius / height * 0.9)
    across, down, size = draw.uniform(-0.15, 0.15), draw.uniform(0.4, 0.65), draw.uniform(0.07, 0.14)
    ellipse = np.hypot((x / width - across) / 1.4, y / height - down) / size
    amplitude *= np.where(ellipse < 1, 0.06, 1) + 1.6 * np.exp(-(((ellipse - 1) / 0.08) ** 2))
    gray = np.clip(20 * np.log10(amplitude + 1e-3) * 4.2 + 150, 0, 255)
    gray[(np.abs(angle) > 0.62) | (radius < 0.12 * height) | (radius > 1.04 * height)] = 0
    image = gray.astype(np.uint8)
    if not color:
        return image
    rgb = np.repeat(image[..., None], 3, axis=2)
    flow = ellipse < 0.7
    rgb[flow] = np.array([200, 40, 30], np.uint8)
    return rgb


def timeline(
    n_frames: int = 240,
    classes: tuple[str, ...] = LIVER,
    *,
    fps: float | None = 30.0,
    recording: str = "sweep-07",
    shown: tuple[int, ...] | None = None,
    seed: int = 0,
) -> Timeline:
    """Every class of `shown` (default: all but the last) comes and goes once, background between them."""
    draw = np.random.default_rng(seed)
    shown = tuple(range(1, len(classes) - 1)) if shown is None else shown
    when = np.arange(n_frames) / max(n_frames, 1)
    logits = draw.normal(0, 0.5, (n_frames, len(classes)))
    logits[:, 0] += 2.0
    for turn, place in enumerate(shown):
        center = (turn + 0.6) / (len(shown) + 0.2)
        logits[:, place] += 7 * np.exp(-(((when - center) / (0.33 / len(shown))) ** 2))
    smooth = logits.astype(np.float32)
    shares = np.exp(smooth - smooth.max(axis=1, keepdims=True))
    return Timeline(
        recording=recording,
        classes=classes,
        times_s=None if fps is None else np.arange(n_frames) / fps,
        fps=fps,
        logits=smooth,
        probabilities=(shares / shares.sum(axis=1, keepdims=True)).astype(np.float32),
    )


def findings(seen: Timeline, *, color: bool = False, per_plane: int = 3, **changed: Any) -> Findings:
    """What the timeline says, with up to `per_plane` key frames of each plane."""
    runs, start = [], 0
    for label, run in groupby(seen.labels):
        stop = start + len(list(run))
        mean = float(seen.probabilities[start:stop, seen.classes.index(label)].mean())
        runs.append(Segment(start=start, stop=stop, label=label, probability=mean))
        start = stop
    background = seen.classes[0] if len(seen.classes) > 1 else None
    planes = [label for label in seen.classes if label != background]
    longest = {label: max(runs, key=lambda s: (s.label == label) * (s.stop - s.start)) for label in planes}
    found = [label for label in planes if longest[label].label == label]
    keyframes = [
        _keyframe(seen, frame, label, color)
        for label in found
        for frame in sorted(
            {
                int(longest[label].start + (longest[label].stop - longest[label].start) * share)
                for share in (0.5, 0.3, 0.7)[:per_plane]
            }
        )
    ]
    means = seen.probabilities.mean(axis=0)
    best = max(range(len(seen.classes)), key=lambda i: means[i] if seen.classes[i] != background else -1.0)
    settings = {"keyframes": {"per_plane": per_plane, "min_probability": 0.5}, "predict": {"batch": 8}}
    whole = Findings(
        recording=seen.recording,
        n_frames=seen.n_frames,
        fps=seen.fps,
        classes=seen.classes,
        background=background,
        label=seen.classes[best],
        probability=float(means[best]),
        segments=tuple(runs),
        keyframes=tuple(keyframes),
        found=tuple(found),
        missing=tuple(label for label in planes if label not in found),
        height=480,
        width=640,
        region=Region(box=Box(left=40, top=12, right=600, bottom=462), origin="pixels", confidence=0.94),
        facts=Facts(patient="pseudonym-4711", study="study-0815", container="dicom", codec="JPEG Baseline"),
        warnings=(),
        bundle=BundleName(name="liver-sononet2d-16", version="1.2.0", sha256="9f" * 32),
        backend="openvino",
        precision="float32",
        settings=settings,
    )
    return replace(whole, **changed)


def _keyframe(seen: Timeline, frame: int, label: str, color: bool) -> KeyFrame:
    probability = float(seen.probabilities[frame, seen.classes.index(label)])
    return KeyFrame(
        frame=frame,
        time_s=None if seen.times_s is None else float(seen.times_s[frame]),
        label=label,
        probability=probability,
        sharpness=0.83,
        reason=f"Probability {probability:.2f}; at least as sharp as 83% of the recording.",
        image=sector(frame, color=color),
    )
