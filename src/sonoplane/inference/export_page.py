"""The part of a bundle's model card that lists its exported models: how close they are to PyTorch, and how fast."""

from collections.abc import Iterable

from sonoplane.inference.exports import Exported, Proof

__all__ = ["with_exports"]

_HEADING = "## Exported models"
_HEAD = (
    "| file | form | precision | takes | largest difference of a logit | same labels | accuracy (PyTorch's) "
    "| ms (PyTorch's) |",
    "|---|---|---|---|---|---|---|---|",
)


def with_exports(page: str, exports: Iterable[Exported]) -> str:
    """The model card with the table of exported models at its end, in place of an older one.

    >>> print(with_exports("# liver 1", [Exported(runtime="onnx", form="frame")]).splitlines()[-1])
    | `model.onnx` | frame | float32 | network input, float32 | | | | |
    """
    before, _, rest = page.partition(f"{_HEADING}\n")
    _, mark, after = rest.partition("\n## ")
    exports = list(exports)
    proofs = [one.proof for one in exports if one.proof]
    lines = [
        _HEADING,
        "",
        "Each was compared with this network in PyTorch, in float32, on the same prepared frames. Differences are",
        "shares of the largest logit. Milliseconds are medians, from prepared pixels to logits, of a frame or of a",
        "whole clip.",
        "",
        *_HEAD,
        *map(_row, exports),
        *(_notes(proofs) if proofs else []),
    ]
    return before.rstrip("\n") + "\n\n" + "\n".join(lines) + "\n" + mark + after


def _row(one: Exported) -> str:
    takes = "network input, float32"
    if one.values == "inside":
        takes = f"{'RGB' if one.color else 'gray'} frames, uint8"
    if one.any_size:
        takes += ", of any size"
    lengths = {"clip": f", {one.n_frames} frames", "dense": f", pieces of {one.n_frames} frames"}
    form = one.form + lengths.get(one.form, "")
    cells = [f"`{one.files[0]}`", form, one.precision, takes, *_figures(one.proof)]
    return "|" + "".join(f" {cell} |" if cell else " |" for cell in cells)


def _figures(proof: Proof | None) -> list[str]:
    if proof is None:
        return [""] * 4
    accuracy = ""
    if proof.accuracy is not None and proof.accuracy_torch is not None:
        accuracy = f"{proof.accuracy:.3f} ({proof.accuracy_torch:.3f})"
    return [
        f"{proof.largest_difference:.1e}",
        f"{100 * proof.same_labels:.1f} % of {proof.n_frames} frames {proof.frames}",
        accuracy,
        f"{proof.ms:.3g} ({proof.ms_torch:.3g})",
    ]


def _notes(proofs: list[Proof]) -> list[str]:
    """Where they were timed."""
    places = dict.fromkeys(f"{proof.machine}, {_threads(proof.threads)}" for proof in proofs)
    return ["", f"Timed on: {'; '.join(places)}."]


def _threads(n: int) -> str:
    return f"{n} thread" if n == 1 else f"{n} threads"
