"""The label of a clip from the labels of its frames, with every clip that gets none counted by reason."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, get_args

import numpy as np
from jaxtyping import Int, Int8, Int64

from sonoplane.clips.labels import UNLABELLED
from sonoplane.clips.windows import Windows, frames_needed, place
from sonoplane.clips.windows_settings import Policy, WindowSettings
from sonoplane.errors import LabelError

__all__ = ["Cut", "Dropped", "Reason", "cut", "cut_table", "cut_text"]

Reason: TypeAlias = Literal["mixed", "unlabelled", "tie", "short"]
"""Why a clip is left out: its frames have several labels; the frames that count have none; no label is the
commonest; the recording has too few frames."""
REASONS: tuple[Reason, ...] = get_args(Reason)
KEPT = -1
MIXED, NO_LABEL, TIE, SHORT = range(len(REASONS))

ClipLabels: TypeAlias = Int64[np.ndarray, "clips length"]
Targets: TypeAlias = Int64[np.ndarray, "clips"] | Int64[np.ndarray, "clips length"]
Verdicts: TypeAlias = Int8[np.ndarray, "clips"]
"""For each clip -1, or the place among `REASONS` of why it is left out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Dropped:
    """How many clips of a class were left out for one reason."""

    reason: Reason
    label: int
    """The class of the clips' last frame; -1 where that has none."""
    n_clips: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Cut:
    """The labelled clips of one recording, and an account of those left out.

    `len(cut) + cut.n_dropped` is the number of clips that were placed, those of a recording that was skipped
    as too short among them (as many as padding would have given).
    """

    windows: Windows
    """The clips that were kept: `windows[i]` or `windows.indices()` are frames to read, `windows.centres` the
    frames of a 2D network that is to see the same samples."""
    targets: Targets
    """The class of each kept clip; with `per-frame` that of each of its frames, -1 where it has none."""
    policy: Policy
    dropped: tuple[Dropped, ...]
    """By reason and class; empty if nothing was left out."""
    n_unused: int
    """Frames that no clip was made of: after the last n-step clip, between strides wider than a clip, all of a
    recording that was skipped."""
    note: str | None = None
    """That the recording was too short, and what became of it."""

    def __len__(self) -> int:
        return len(self.windows)

    @property
    def n_dropped(self) -> int:
        """How many clips were left out."""
        return sum(row.n_clips for row in self.dropped)

    @property
    def labels(self) -> Int64[np.ndarray, "clips"]:
        """One class for each kept clip: its target, with `per-frame` its last frame's (which may be -1)."""
        return self.targets if self.targets.ndim == 1 else self.targets[:, -1]


def cut(labels: Int[np.ndarray, "time"], *, windows: WindowSettings, policy: Policy | None = None) -> Cut:
    """Cut a recording into clips and label them; `policy` is that of the settings if None.

    `labels` is the class number of every frame, -1 where it has none (`labels.frame_labels`).

    - `one-label-only`: the label that all frames share; else `mixed` (several labels) or `unlabelled`.
    - `centre`, `last`: that frame's label; else `unlabelled`.
    - `majority`: the commonest label; else `tie`, or `unlabelled` where most frames have none.
    - `per-frame`: a target for each frame; `unlabelled` where no frame has one.

    >>> made = cut(np.array([0, 0, 0, 0, 1, 1, -1]), windows=WindowSettings(length=2, stride=2))
    >>> made.windows.indices().tolist(), made.targets.tolist()
    ([[0, 1], [2, 3], [4, 5]], [0, 0, 1])
    >>> made.dropped
    (Dropped(reason='unlabelled', label=-1, n_clips=1),)

    Raises:
        LabelError: a class number below -1.
    """
    n_frames, needed = len(labels), frames_needed(windows)
    if n_frames and labels.min() < UNLABELLED:
        raise LabelError(
            f"{labels.min()} is no class number.", advice=f"Give 0 and up, {UNLABELLED} for no label."
        )
    policy = policy or windows.policy
    skipped = n_frames < needed and (windows.short == "skip" or n_frames == 0)
    shown = labels.astype(np.int64) if n_frames else np.array([UNLABELLED])
    placed = place(len(shown), windows.model_copy(update={"short": "repeat"}) if skipped else windows)
    judged = [JUDGES[policy](shown[placed.indices(block)]) for block in placed.blocks()]
    targets, verdicts = (np.concatenate(parts) for parts in zip(*judged, strict=True))
    if skipped:
        verdicts = np.full_like(verdicts, SHORT)
    kept = verdicts == KEPT
    return Cut(
        windows=replace(placed, n_frames=n_frames, starts=placed.starts[kept]),
        targets=targets[kept],
        policy=policy,
        dropped=_dropped(verdicts[~kept], shown[placed.lasts[~kept]]),
        n_unused=n_frames if skipped else placed.n_unused,
        note=_note(n_frames, needed, "skip" if skipped else windows.short),
    )


def cut_table(cuts: Iterable[Cut], classes: Sequence[str]) -> list[dict[str, str | int]]:
    """Clips kept and dropped for each reason: a row for each class, for no class where there are, for all.

    A kept clip stands with its label, a dropped one with the label of its last frame.

    >>> made = cut(np.array([0, 0, 0, 1, 1]), windows=WindowSettings(length=2, stride=1))
    >>> cut_table([made], ["liver", "kidney"])[1]
    {'class': 'kidney', 'kept': 1, 'mixed': 1, 'unlabelled': 0, 'tie': 0, 'short': 0}

    Raises:
        LabelError: a class number that `classes` does not name.
    """
    counts: Counter[tuple[int, str]] = Counter()
    for made in cuts:
        counts.update((int(label), "kept") for label in made.labels)
        for row in made.dropped:
            counts[row.label, row.reason] += row.n_clips
    names = {**dict(enumerate(classes)), UNLABELLED: "(no label)"}
    if unknown := {label for label, _ in counts} - names.keys():
        raise LabelError(
            f"Class number {min(unknown)} occurs, but {len(classes)} classes are named.",
            advice="Give the classes that the frames were numbered by.",
        )
    columns = ("kept", *REASONS)
    rows: list[dict[str, str | int]] = [
        {"class": name, **{column: counts[label, column] for column in columns}}
        for label, name in names.items()
        if label != UNLABELLED or any(key == UNLABELLED for key, _ in counts)
    ]
    total = {column: sum(n for (_, key), n in counts.items() if key == column) for column in columns}
    return [*rows, {"class": "all", **total}]


def cut_text(cuts: Mapping[str, Cut], classes: Sequence[str]) -> str:
    """The table as text, then the frames in no clip, then a line for each recording that was too short, and what to do.

    >>> made = cut(np.array([0, 0, 0, 1, 1]), windows=WindowSettings(length=2, stride=1))
    >>> print(cut_text({"sweep": made}, ["liver", "kidney"]))
    class   kept  mixed  unlabelled  tie  short
    liver      2      0           0    0      0
    kidney     1      1           0    0      0
    all        3      1           0    0      0
    """
    rows = cut_table(cuts.values(), classes)
    lines = [list(rows[0]), *([str(cell) for cell in row.values()] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    text = [
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip()
        for line in lines
    ]
    if n_unused := sum(made.n_unused for made in cuts.values()):
        text.append(f"Frames in no clip: {n_unused}.")
    text += [f"{name}: {made.note}" for name, made in cuts.items() if made.note]
    if any(row.reason == "short" for made in cuts.values() for row in made.dropped):
        text.append(
            "To keep short recordings, give a smaller length or step, or set `short` to repeat or reflect."
        )
    return "\n".join(text)


def _one_label_only(shown: ClipLabels) -> tuple[Targets, Verdicts]:
    highest = shown.max(axis=1)
    lowest = np.where(shown == UNLABELLED, highest[:, None], shown).min(axis=1)
    holes = (shown == UNLABELLED).any(axis=1)
    return highest, _verdicts((lowest != highest, MIXED), (holes, NO_LABEL))


def _centre(shown: ClipLabels) -> tuple[Targets, Verdicts]:
    return _one_frame(shown[:, shown.shape[1] // 2])


def _last(shown: ClipLabels) -> tuple[Targets, Verdicts]:
    return _one_frame(shown[:, -1])


def _one_frame(label: Int64[np.ndarray, "clips"]) -> tuple[Targets, Verdicts]:
    return label, _verdicts((label == UNLABELLED, NO_LABEL))


def _majority(shown: ClipLabels) -> tuple[Targets, Verdicts]:
    n_clips, length = shown.shape
    n_classes = int(shown.max(initial=0)) + 1
    clip, frame = np.nonzero(shown != UNLABELLED)
    flat = np.bincount(clip * n_classes + shown[clip, frame], minlength=n_clips * n_classes)
    votes = flat.reshape(n_clips, n_classes)
    most = votes.max(axis=1, keepdims=True)
    tie = (votes == most).sum(axis=1) > 1
    return votes.argmax(axis=1), _verdicts((2 * votes.sum(axis=1) < length, NO_LABEL), (tie, TIE))


def _per_frame(shown: ClipLabels) -> tuple[Targets, Verdicts]:
    return shown, _verdicts(((shown == UNLABELLED).all(axis=1), NO_LABEL))


#: How each policy judges clips from the labels of their frames: what they are, and why they are left out.
JUDGES: dict[Policy, Callable[[ClipLabels], tuple[Targets, Verdicts]]] = {
    "one-label-only": _one_label_only,
    "centre": _centre,
    "last": _last,
    "majority": _majority,
    "per-frame": _per_frame,
}


def _verdicts(*faults: tuple[np.ndarray, int]) -> Verdicts:
    """The first fault that each clip has."""
    return np.select([found for found, _ in faults], [np.int8(why) for _, why in faults], np.int8(KEPT))


def _dropped(verdicts: Verdicts, labels: Int64[np.ndarray, "clips"]) -> tuple[Dropped, ...]:
    counts = Counter(zip(verdicts.tolist(), labels.tolist(), strict=True))
    return tuple(
        Dropped(reason=REASONS[why], label=label, n_clips=n) for (why, label), n in sorted(counts.items())
    )


def _note(n_frames: int, needed: int, done: str) -> str | None:
    """What became of a recording that is too short."""
    if n_frames >= needed:
        return None
    if n_frames == 0:
        return "It has no frames: skipped."
    told = {
        "skip": "skipped",
        "repeat": "its last frame is repeated",
        "reflect": "it runs to and fro",
    }
    return f"Too short for a clip ({n_frames} of {needed} frames): {told[done]}."
