"""Findings become one JSON document that programs read, checked against the schema beside this file."""

import json
import math
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
from jsonschema import Draft202012Validator

from sonoplane import __version__
from sonoplane.errors import UsageError
from sonoplane.records import Box, Findings, KeyFrame

__all__ = ["read", "schema", "to_json", "validate", "write"]

#: Where key frames lie beside `findings.json`.
KEYFRAMES = "keyframes"


def to_json(findings: Findings, image_names: Sequence[str]) -> dict[str, Any]:
    """The findings as plain JSON values; `image_names` are the key frames' files, in their order.

    No pseudonym, absolute path or NaN goes in: a number that is not finite is null, which the schema allows
    for frame rates and times alone.
    """
    region = findings.region
    return {
        "recording": findings.recording,
        "sonoplane": __version__,
        "frames": findings.n_frames,
        "fps": _number(findings.fps),
        "size": {"height": findings.height, "width": findings.width},
        "classes": list(findings.classes),
        "background": findings.background,
        "recording_label": {"label": findings.label, "probability": _number(findings.probability)},
        "planes": {"found": list(findings.found), "missing": list(findings.missing)},
        "keyframes": [
            _key_frame(keyframe, name) for keyframe, name in zip(findings.keyframes, image_names, strict=True)
        ],
        "boxes": [{"frame": b.frame, "label": b.label, "box": _box(b.box)} for b in findings.boxes],
        "segments": [
            {"start": s.start, "stop": s.stop, "label": s.label, "probability": _number(s.probability)}
            for s in findings.segments
        ],
        "region": {
            **_box(region.box),
            "origin": region.origin,
            "confidence": _number(region.confidence),
        },
        "bundle": {
            "name": findings.bundle.name,
            "version": findings.bundle.version,
            "sha256": findings.bundle.sha256,
        },
        "backend": findings.backend,
        "precision": findings.precision,
        "container": findings.facts.container,
        "codec": findings.facts.codec,
        "source_sha256": findings.source_sha256,
        "warnings": list(findings.warnings),
        "settings": _plain(findings.settings),
    }


def validate(document: Mapping[str, Any]) -> None:
    """Raise `UsageError` where a document departs from the schema, with the place and the reason."""
    error = next(iter(sorted(_validator().iter_errors(document), key=lambda e: list(e.path))), None)
    if error is not None:
        place = ".".join(str(step) for step in error.path) or "the document"
        raise UsageError(
            f"These are no findings: {place}: {error.message[:200]}.",
            advice="Write them anew with `sonoplane predict`, or compare them with findings.schema.json.",
        )


def schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of `findings.json`.

    >>> schema()["title"]
    'Findings of one ultrasound recording'
    """
    text = files("sonoplane.report").joinpath("findings.schema.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def write(path: Path, document: Mapping[str, Any]) -> None:
    """Check the document, then save it as UTF-8 text, indented."""
    validate(document)
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def read(path: Path) -> dict[str, Any]:
    """The findings saved in a file; `UsageError` where it holds anything else."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{path.name} cannot be read as findings.",
            advice="Name a folder that `sonoplane predict` wrote, or run it again.",
        ) from error
    validate(document)
    return dict(document)


def _refuse(constant: str) -> None:
    """NaN and infinity are no JSON."""
    raise ValueError(f"{constant} is no JSON.")


@cache
def _validator() -> Any:
    return Draft202012Validator(schema())


def _key_frame(keyframe: KeyFrame, name: str) -> dict[str, Any]:
    return {
        "frame": keyframe.frame,
        "time_s": _number(keyframe.time_s),
        "label": keyframe.label,
        "probability": _number(keyframe.probability),
        "image": f"{KEYFRAMES}/{name}",
        "reason": keyframe.reason,
        "sharpness": _number(keyframe.sharpness),
        "box": keyframe.box and _box(keyframe.box),
    }


def _box(box: Box) -> dict[str, int]:
    return {"left": box.left, "top": box.top, "right": box.right, "bottom": box.bottom}


def _number(number: float | None) -> float | None:
    """Six digits after the point, beyond which float32 says nothing; None where it is not finite."""
    return None if number is None or not math.isfinite(number) else round(float(number), 6)


def _plain(value: Any) -> Any:
    """A setting as JSON holds it; of an absolute path only its last part remains."""
    match value:
        case Mapping():
            return {str(key): _plain(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_plain(item) for item in value]
        case np.ndarray() | np.generic():
            return _plain(value.tolist())
        case None | bool() | int():
            return value
        case float():
            return value if math.isfinite(value) else None
        case PurePath():
            return value.name if value.is_absolute() else value.as_posix()
        case _:
            return _no_absolute_path(str(value))


def _no_absolute_path(text: str) -> str:
    for kind in (PurePosixPath, PureWindowsPath):
        if kind(text).is_absolute():
            return kind(text).name
    return text
