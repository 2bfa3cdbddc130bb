"""Weights from elsewhere: read without running any code in them, checked, and renamed to our layout."""

import warnings
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sonoplane.errors import MissingExtra, UsageError, WeightsError
from sonoplane.models.card import Card, builtin_card
from sonoplane.models.fit import weight_shapes
from sonoplane.models.resnext_weights import gray_resnext, is_resnext
from sonoplane.models.spec import CAUSAL, NetworkSpec
from sonoplane.models.weights_known import KNOWN, KnownWeights, list_known
from sonoplane.models.weights_layouts import KNOWN_FAMILIES, own_numbers, translate, without_prefix

__all__ = ["KNOWN", "ImportedWeights", "KnownWeights", "import_weights", "list_known", "read_start"]


class ImportedWeights(NamedTuple):
    """All that a bundle needs of foreign weights."""

    spec: NetworkSpec
    weights: dict[str, np.ndarray]
    card: Card


def import_weights(
    path: Path,
    *,
    card: Card | None = None,
    classes: Sequence[str] | None = None,
    name: str | None = None,
) -> ImportedWeights:
    """Read `.npz` (Lasagne), `.pth`, `.pt`, `.ckpt` (PyTorch, Lightning; needs torch) or `.safetensors`.

    The network is told by the shapes; `name`, if given, is the registry's name that it must have; that a network is
    causal is told by `name` alone. A 3D ResNeXt of color becomes one of gray, its input channels summed. A Lasagne
    file with 14 outputs is taken for the published weights and gets the `fetal` card; any other head needs
    `card` and its classes. Raises WeightsError with what is missing, surplus or misshapen.
    """
    causal = name is not None and name.endswith(CAUSAL)
    arrays = _read(path)
    title = ""
    if is_resnext(arrays.keys()):
        spec, weights = gray_resnext(arrays)
    else:
        spec, weights, layout = translate(arrays, causal=causal)
        title = layout.title
    if name is not None and name != spec.name:
        raise WeightsError(
            f"These are the weights of {spec.name}, not of {name}.", advice="Leave out the name."
        )
    if spec.in_channels != 1:
        raise WeightsError(
            f"The network takes {spec.in_channels} channels.",
            advice="A card gives gray images; import a network with one input channel.",
        )
    published = "Lasagne" in title and spec.n_classes == len(builtin_card("fetal").classes)
    return ImportedWeights(spec, weights, _choose_card(spec, card, classes, published=published))


def read_start(path: Path, like: NetworkSpec) -> tuple[NetworkSpec, dict[str, np.ndarray]]:
    """What of a weights file can start the network `like`: the body, and the head where there is one as ours are.

    Files are read and told apart as by `import_weights`, but nothing need be known of the classes. What no shape tells
    is taken to be as in `like`: whether kernels over time look into the past only, and the options of a file that
    names its arrays as `like` does. Without a head, the spec that is given back is one of features only.

    Raises:
        UsageError: there is no such file.
        WeightsError: the weights are of no known layout, damaged, or lack a part of the body.
    """
    arrays = _read(path)
    if is_resnext(arrays.keys()):
        return gray_resnext(arrays, whole=False)
    shapes = weight_shapes(like)
    own = without_prefix(arrays)
    if like.family in KNOWN_FAMILIES or not all(
        name in own for name in shapes if not name.startswith("head")
    ):
        spec, weights, _ = translate(arrays, causal=like.causal, whole=False)
        return spec, weights
    return like, {name: own_numbers(name, own[name]) for name in shapes if name in own}


def _read(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a file under the names that they have there."""
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise WeightsError(
            f"{path.name!r} is of no known kind of weights.", advice=f"Known are {', '.join(_READERS)}."
        )
    if not path.is_file():
        raise UsageError(f"There is no file {path.name!r}.", advice="Check the path of the weights.")
    return reader(path)


def _choose_card(
    spec: NetworkSpec, card: Card | None, classes: Sequence[str] | None, *, published: bool
) -> Card:
    """The card for a head, never guessed for a head that is not known."""
    if card is None and published:
        card = builtin_card("fetal")
    if card is None:
        raise WeightsError(
            f"The weights answer {spec.n_classes} classes, and nothing says which, or of what input.",
            advice="Give --classes with their names in order, and --card with the preprocessing they need.",
        )
    if classes is not None and tuple(classes) != card.classes:
        card = card.with_classes(
            tuple(classes), background=card.background if card.background in classes else None
        )
    if len(card.classes) != spec.n_classes:
        raise WeightsError(
            f"The weights answer {spec.n_classes} classes, but {len(card.classes)} are named.",
            advice="Give --classes with one name for each output, in order.",
        )
    return card


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError, TypeError) as error:
        raise WeightsError(
            f"{path.name!r} cannot be read as .npz: it is damaged, or it holds Python objects.",
            advice="Download it again; objects are never unpickled.",
        ) from error


def _read_safetensors(path: Path) -> dict[str, np.ndarray]:
    import safetensors.numpy

    try:
        return dict(safetensors.numpy.load_file(path))
    except (safetensors.SafetensorError, OSError, KeyError, TypeError) as error:
        raise WeightsError(
            f"{path.name!r} cannot be read as .safetensors.",
            advice="Copy or download it again; save it in float32.",
        ) from error


def _read_torch(path: Path) -> dict[str, np.ndarray]:
    """A state dict, bare or inside a checkpoint, by torch's reader that builds nothing but tensors."""
    try:
        import torch
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"Reading {path.name!r} needs torch, which is not installed.",
            advice="Install sonoplane[train]; the bundle made with it works without.",
        ) from error
    try:
        with warnings.catch_warnings(action="ignore"):
            saved = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle can raise anything
        raise WeightsError(
            f"{path.name!r} cannot be read safely: it is damaged, or holds more than weights.",
            advice="Where it was made, save the weights alone: torch.save(network.state_dict(), 'w.pth').",
        ) from error
    state = _state(saved)
    return {
        key: value.detach().float().numpy() if value.is_floating_point() else value.detach().numpy()
        for key, value in state.items()
        if isinstance(value, torch.Tensor)
    }


def _state(saved: Any) -> Mapping[str, Any]:
    """The state dict inside what was saved."""
    for key in ("state_dict", "model_state_dict", "model"):
        if isinstance(saved, Mapping) and isinstance(saved.get(key), Mapping):
            saved = saved[key]
    if not isinstance(saved, Mapping) or not all(isinstance(key, str) for key in saved):
        raise WeightsError(
            "The file holds no table of named weights.",
            advice="Save it with torch.save(network.state_dict(), 'w.pth').",
        )
    return saved


_READERS = {
    ".npz": _read_npz,
    ".pth": _read_torch,
    ".pt": _read_torch,
    ".ckpt": _read_torch,
    ".safetensors": _read_safetensors,
}
