"""What a bundle keeps besides its weights: models in forms that other programs run, each with its proof."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, TypeAlias, get_args

from sonoplane.inference.ways import Way
from sonoplane.models.bundle import Bundle

__all__ = [
    "Exported",
    "Form",
    "Precision",
    "Proof",
    "Runtime",
    "Values",
    "exports_of",
    "int8_pieces",
    "is_proven_in_bf16",
    "usable",
    "whole_model",
]

Runtime: TypeAlias = Literal["openvino", "onnx"]
Form: TypeAlias = Literal["frame", "clip", "dense", "stream"]
"""Each frame by itself; a clip as a whole; a run in pieces; a run frame by frame, each answered at once."""
Precision: TypeAlias = Literal["float32", "bf16", "int8"]
Values: TypeAlias = Literal["outside", "inside"]
"""Whether the model takes the card's values, or makes them itself of frames of the card's geometry."""

#: The files of each runtime's models, by what comes behind the stem.
_ENDINGS: dict[Runtime, tuple[str, ...]] = {"openvino": (".xml", ".bin"), "onnx": (".onnx",)}


#: Coarser arithmetic is taken by itself only where so many real frames have shown what it changes.
_ENOUGH = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Proof:
    """How an exported model compares with PyTorch's float32, and how long both take."""

    largest_difference: float
    """Of a logit, as a share of the largest."""
    same_labels: float
    """Share of frames with the same label."""
    n_frames: int
    """How many were compared."""
    frames: str
    """Which: `of the archive's part validation`, ..."""
    are_real: bool = False
    """Whether patients were recorded, not a phantom or noise; older versions did not say."""
    ms: float
    """Median milliseconds from prepared pixels to logits: of a frame, or of a clip."""
    ms_torch: float
    threads: int
    machine: str
    accuracy: float | None = None
    """Share of right labels; None where the frames have none."""
    accuracy_torch: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Exported:
    """One exported model of a bundle.

    >>> Exported(runtime="openvino", form="dense", precision="int8", n_frames=32).files
    ('model-dense-int8.xml', 'model-dense-int8.bin')
    """

    runtime: Runtime
    form: Form
    precision: Precision = "float32"
    values: Values = "outside"
    color: bool = False
    """With values inside: whether it takes RGB frames, else gray ones."""
    any_size: bool = False
    """Whether it takes frames of any height and width."""
    n_frames: int = 1
    """Of a clip, or of a piece of a run."""
    delay: int = 0
    """A row of a piece's logits belongs to the frame that came so many frames before that of this row."""
    proof: Proof | None = None
    """None where an older version made it."""

    @property
    def key(self) -> str:
        """Its name among the bundle's exports."""
        return f"{self.runtime}{self._suffix}" + "-bf16" * (self.precision == "bf16")

    @property
    def files(self) -> tuple[str, ...]:
        """The names of its files, the one that is opened first. Of bf16 they are those of float32."""
        return tuple(f"model{self._suffix}{ending}" for ending in _ENDINGS[self.runtime])

    @property
    def is_well_proven(self) -> bool:
        """Whether its proof is of enough real frames for it to be taken without being asked for."""
        return self.proof is not None and self.proof.are_real and self.proof.n_frames >= _ENOUGH

    @property
    def _suffix(self) -> str:
        said = {
            f"-{self.form}": self.form in ("dense", "stream"),
            "-values": self.values == "inside",
            "-color": self.color,
            "-any-size": self.any_size,
            "-int8": self.precision == "int8",
        }
        return "".join(word for word, is_so in said.items() if is_so)

    def to_dict(self) -> dict[str, Any]:
        """For the bundle's index."""
        table = asdict(self)
        proof = table.pop("proof") or {}
        length = {"clip": "clip_length", "dense": "piece", "stream": "piece"}.get(self.form)
        n_frames = table.pop("n_frames")
        return table | ({length: n_frames} if length else {}) | {"files": list(self.files)} | proof

    @classmethod
    def from_dict(cls, key: str, table: Mapping[str, Any]) -> "Exported":
        """Read it back, also as older versions wrote it: they said no form."""
        length = table.get("clip_length")
        known = {field.name for field in fields(cls)} - {"proof", "n_frames"}
        proof = {field.name: table[field.name] for field in fields(Proof) if field.name in table}
        told = {
            "runtime": key.split("-")[0],
            "form": "clip" if length else "frame",
            **{name: value for name, value in table.items() if name in known},
        }
        return cls(
            **told,
            n_frames=length or table.get("piece", 1),
            proof=Proof(**proof) if {"ms", "same_labels"} <= set(proof) else None,
        )


def exports_of(bundle: Bundle) -> tuple[Exported, ...]:
    """All exported models of a bundle that this version knows."""
    return tuple(
        Exported.from_dict(key, table)
        for key, table in bundle.exports.items()
        if isinstance(table, Mapping) and key.split("-")[0] in get_args(Runtime)
    )


def whole_model(bundle: Bundle, runtime: Runtime, way: Way, *, int8: bool = False) -> Exported | None:
    """The exported model that answers frames, or clips of that length, from the card's values; None: there is none."""
    for one in _best_proven_first(bundle, runtime):
        fits = one.form == way.mode and (way.mode == "frame" or one.n_frames == way.length)
        if fits and one.precision == ("int8" if int8 else "float32"):
            return one
    return None


def int8_pieces(bundle: Bundle, n_frames: int) -> Exported | None:
    """The int8 model of pieces of so many frames (0: as many as it has, of a dense one); None where there is none."""
    for one in _best_proven_first(bundle, "openvino"):
        fits = one.n_frames == n_frames or (one.form == "dense" and not n_frames)
        if fits and one.form in ("dense", "stream") and one.precision == "int8":
            return one
    return None


def is_proven_in_bf16(bundle: Bundle, way: Way) -> bool:
    """Whether an export has shown, on enough real frames, that bf16 gives the same labels in this way."""
    forms = ("dense", "stream") if way.mode == "dense" else (way.mode,)
    return any(
        one.form in forms
        and one.precision == "bf16"
        and (way.mode != "clip" or one.n_frames == way.length)
        and one.is_well_proven
        for one in usable(bundle, "openvino")
    )


def _best_proven_first(bundle: Bundle, runtime: Runtime) -> list[Exported]:
    return sorted(usable(bundle, runtime), key=lambda one: not one.is_well_proven)


def usable(bundle: Bundle, runtime: Runtime) -> Iterator[Exported]:
    """Those models of a runtime that take what our own program gives: the card's values, in the card's size."""
    for one in exports_of(bundle):
        ours = (one.runtime, one.values, one.any_size) == (runtime, "outside", False)
        if ours and bundle.file(one.files[0]):
            yield one
