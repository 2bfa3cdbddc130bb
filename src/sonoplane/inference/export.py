"""A bundle's network as a model that other programs run, kept in the bundle when it is proven to answer the same."""

from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from math import isfinite
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, TypeAlias

from sonoplane.errors import BundleError, MissingExtra, UsageError
from sonoplane.inference.export_models import write_model
from sonoplane.inference.export_page import with_exports
from sonoplane.inference.export_proof import Evidence, Prepared, prove
from sonoplane.inference.export_settings import ExportSettings
from sonoplane.inference.exports import Exported, Form, Proof, Runtime, exports_of
from sonoplane.inference.graph import piece_frames
from sonoplane.inference.layers import is_chain, layers_of, lost
from sonoplane.inference.openvino_runtime import has_bf16
from sonoplane.inference.ways import Way, run_of, way_of
from sonoplane.models.bundle import Bundle, add_files
from sonoplane.models.bundle_folder import MODEL_CARD
from sonoplane.models.ensemble import change_members
from sonoplane.models.reach import frames_ahead
from sonoplane.models.spec import CAUSAL

__all__ = ["Source", "export"]

Source: TypeAlias = Callable[[Bundle, Exported], Evidence]
"""Gives frames for a bundle and a model to be made of it."""

#: Largest difference of a logit from PyTorch's, as a share of the largest logit, in float32.
_TOLERANCE = 1e-3
#: Least share of frames with PyTorch's label, and how much accuracy may be lost, where arithmetic is coarser.
_SAME, _LOSS = 0.99, 0.01
#: What is to be done about a model that answers otherwise.
_ADVICE = {
    "float32": "It was not kept; run the bundle with `--backend torch` and report this.",
    "bf16": "It was not kept. Stay with float32; frames of your own (`--verify`) may agree better.",
    "int8": "It was not kept. Stay with float32 or bf16, or calibrate on an archive with more patients.",
}


def export(
    bundle: Bundle,
    to: Runtime = "openvino",
    settings: ExportSettings | None = None,
    *,
    evidence: Source | None = None,
    calibration: Source | None = None,
    on_run: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[Bundle, tuple[Exported, ...]]:
    """Add the network to its bundle as a model; gives what was added, of every member of an ensemble, with its proof.

    `evidence` gives frames for the proof beside noise, `calibration` those that int8 is fitted to. Batches of frames
    and clips may have any length. bf16 is an arithmetic for the float32 model, so both are proven. Of an ensemble every
    member is exported, or none.

    Raises:
        MissingExtra: PyTorch, or what else the export needs, is not installed.
        UsageError: the network has no such form, its clips are too short, or int8 lacks calibration.
        BundleError: the model does not answer as PyTorch does; the bundle is left as it was.
    """
    settings = settings or ExportSettings()
    if bundle.spec.options.get("features_only"):
        raise UsageError(
            f"The network of '{bundle.name}' has no classes, so it answers nothing.",
            advice="Train one that starts from it, and export that.",
        )
    _check_installed(bundle, to, settings)
    if settings.precision == "int8" and calibration is None:
        raise UsageError(
            "An int8 model is fitted to frames of an archive.", advice="Name one: `--calibrate ARCHIVE`."
        )
    added: list[Exported] = []

    def one(member: Bundle) -> Bundle:
        what = _exported_as(member, to, settings)
        fitted = calibration(member, what).runs if calibration and settings.precision == "int8" else ()
        shown = evidence(member, what) if evidence else None
        done, proven = _export_one(member, what, shown, fitted, on_run)
        added.extend(proven)
        return done

    exported = change_members(bundle, one) if bundle.members else one(bundle)
    return exported, tuple(added)


def _check_installed(bundle: Bundle, to: Runtime, settings: ExportSettings) -> None:
    needed = {
        "torch": ("train", True),
        "onnxscript": ("train", not is_chain(bundle.spec)),
        "onnxruntime": ("onnx", to == "onnx"),
        "nncf": ("int8", settings.precision == "int8"),
    }
    for name, (extra, is_needed) in needed.items():
        if is_needed and not find_spec(name):
            raise MissingExtra(
                f"This export needs {name}, which is not installed.",
                advice=f"Run `pip install 'sonoplane[{extra}]'`.",
            )


def _exported_as(bundle: Bundle, to: Runtime, settings: ExportSettings) -> Exported:
    """What an export of this bundle would be, its lengths filled in.

    Raises:
        UsageError: the network has no such form, or the runtime or this processor no such precision; clips are too
            short for the network.
    """
    spec = bundle.spec
    form: Form = ("clip" if spec.takes_clips else "frame") if settings.form == "auto" else settings.form
    _check_form(bundle, form)
    _check_precision(to, settings)
    if settings.piece and form != "dense":
        raise UsageError(
            f"A model of form '{form}' has no pieces.",
            advice="Leave --piece out; `--form dense` has them."
            if spec.takes_clips and spec.dense
            else "Leave --piece out.",
        )
    if settings.color and settings.values == "outside":
        raise UsageError(
            "The card's values have no color: only a model that makes them itself takes RGB frames.",
            advice="Say `--values inside`, or leave --color out.",
        )
    coarse = settings.precision == "int8"
    if settings.any_size and (form in ("dense", "stream") or coarse or not is_chain(spec)):
        raise UsageError(
            "Only models of frames or clips of a SonoNet or SmallNet take any size, and none in int8.",
            advice="Leave --any-size out.",
        )
    return Exported(
        runtime=to,
        form=form,
        precision=settings.precision,
        values=settings.values,
        color=settings.color,
        any_size=settings.any_size,
        n_frames=_length(bundle, form, settings.piece),
        delay=frames_ahead(spec) if form == "dense" else 0,
    )


def _way_through(bundle: Bundle, what: Exported) -> Way:
    """The way in which PyTorch gives the same answers."""
    mode: Literal["clip", "dense"] = "clip" if what.form == "clip" else "dense"
    return way_of(bundle.spec, run_of(bundle).model_copy(update={"mode": mode}))


def _export_one(
    bundle: Bundle,
    what: Exported,
    evidence: Evidence | None,
    fitted: tuple[Prepared, ...],
    on_run: Callable[[int, int], None],
) -> tuple[Bundle, list[Exported]]:
    way = _way_through(bundle, what)
    wanted = [replace(what, precision="float32"), what] if what.precision == "bf16" else [what]
    proven = []
    with TemporaryDirectory() as temporary:
        model = Path(temporary) / what.files[0]
        write_model(bundle, what, way, model, fitted)
        for one in wanted:
            proof = prove(bundle, one, way, model, evidence, on_run)
            if problem := _problem(one, proof):
                raise BundleError(
                    f"The {one.runtime} model in {one.precision} does not answer as PyTorch does: {problem}.",
                    advice=_ADVICE[one.precision],
                )
            proven.append(replace(one, proof=proof))
        files: dict[str, Path | bytes] = {name: Path(temporary) / name for name in what.files}
        before = {one.key: one for one in exports_of(bundle)}
        stale = {  # proofs of a model whose place is taken by one with pieces, or clips, of another length
            key for key, one in before.items() if one.files == what.files and one.n_frames != what.n_frames
        }
        listed = {key: one for key, one in before.items() if key not in stale} | {
            one.key: one for one in proven
        }
        page = (bundle.folder / MODEL_CARD).read_text(encoding="utf-8")
        files[MODEL_CARD] = with_exports(page, listed.values()).encode()
        exports = {one.key: one.to_dict() for one in proven}
        return add_files(bundle, files, exports=exports, gone=stale), proven


def _problem(one: Exported, proof: Proof) -> str | None:
    """Why the model is not kept; None where it answers well enough."""
    if one.precision == "float32":
        if proof.largest_difference <= _TOLERANCE:  # NaN is no proof
            return None
        return f"logits differ by {proof.largest_difference:.1e} of the largest, {_TOLERANCE:.0e} is allowed"
    if not isfinite(proof.largest_difference):
        return "some of its logits are no numbers"
    if not proof.same_labels >= _SAME:
        return (
            f"{100 * proof.same_labels:.1f} % of {proof.n_frames} frames {proof.frames} have the same label, "
            f"{100 * _SAME:.0f} % are asked for"
        )
    if (
        proof.accuracy is not None
        and proof.accuracy_torch is not None
        and proof.accuracy < proof.accuracy_torch - _LOSS
    ):
        return (
            f"accuracy is {proof.accuracy:.3f} instead of {proof.accuracy_torch:.3f} on {proof.n_frames} frames "
            f"{proof.frames}, a loss of {_LOSS} is allowed"
        )
    return None


def _check_form(bundle: Bundle, form: Form) -> None:
    spec = bundle.spec
    if spec.takes_clips == (form == "frame"):
        sees = "clips" if spec.takes_clips else "each frame by itself"
        right = "clip" if spec.takes_clips else "frame"
        raise UsageError(
            f"'{spec.name}' answers {sees}; it has no form '{form}'.",
            advice=f"Say `--form {right}`, or leave --form out.",
        )
    if form in ("dense", "stream") and not spec.dense:
        raise UsageError(
            f"'{spec.name}' answers clips as a whole; it has no form '{form}'.",
            advice="Say `--form clip`, or train a SonoNet, which has more.",
        )
    if form == "stream" and not spec.streams:
        raise UsageError(
            f"'{spec.name}' looks ahead, so no frame can be answered when it comes.",
            advice=f"Train '{spec.name}{CAUSAL}' for a stream, or say `--form dense`: it answers a few frames later.",
        )


def _check_precision(to: Runtime, settings: ExportSettings) -> None:
    precision = settings.precision
    if precision == "float32":
        return
    if to != "openvino":
        raise UsageError(
            f"ONNX models compute in float32 here, not in {precision}.", advice="Say `--to openvino`."
        )
    if precision == "bf16" and not has_bf16():
        raise UsageError(
            "This processor does not compute in bf16, so nothing can be proven.",
            advice="Export on one that does, or say `--precision int8 --calibrate ARCHIVE`.",
        )
    if precision == "int8" and settings.values == "inside":
        raise UsageError(
            "The card's values need float32, so no int8 model makes them itself.",
            advice="Say `--values outside`.",
        )


def _length(bundle: Bundle, form: Form, piece: int) -> int:
    """Frames of a clip, or of a piece."""
    run = run_of(bundle)
    if form == "dense":
        layers = layers_of(bundle.spec, bundle.weights())
        return piece or run.piece or piece_frames(layers, bundle.card.size)
    if form == "clip" and is_chain(bundle.spec):
        least = lost(layers_of(bundle.spec, bundle.weights())) + 1
        if run.clip_length < least:
            raise UsageError(
                f"'{bundle.spec.name}' cannot answer clips of {run.clip_length} frames.",
                advice=f"Its recipe needs a run.clip-length of {least} or more.",
            )
    return run.clip_length if form == "clip" else 1
