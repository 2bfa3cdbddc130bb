"""Explainers for every network, by every method: torch and captum tell how much each pixel counted."""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from sonoplane.errors import MissingExtra
from sonoplane.inference.attribution_settings import AttributionSettings
from sonoplane.inference.explaining import (
    Clip,
    Explainer,
    Maps,
    Method,
    Sight,
    check_asked,
    of_members,
    sight_of,
)
from sonoplane.inference.settings import RunSettings
from sonoplane.inference.ways import refuse_short, way_of
from sonoplane.models.bundle import Bundle

if TYPE_CHECKING:
    from sonoplane.inference.attribution_network import Relevance
    from sonoplane.models.network import PlaneNetwork
else:  # the clinic's install has no torch: there the types are not looked at
    Relevance: TypeAlias = Any
    PlaneNetwork: TypeAlias = Any

__all__ = ["open_explainer"]


def open_explainer(
    bundle: Bundle, method: Method, run: RunSettings, settings: AttributionSettings | None = None
) -> Explainer:
    """Make a bundle's network ready to be explained by a method, on a GPU where there is one.

    What is explained is the logit of the class, of the clip as a whole, also where the bundle is run densely; guided
    back-propagation starts from the class score map where there is one. Guided back-propagation and both forms of
    Grad-CAM are never below zero; integrated gradients and occlusion are below zero where a pixel spoke against the
    class. Of an ensemble, the members' maps are averaged, each with the same total relevance.

    Raises:
        MissingExtra: torch or captum is not installed.
        UsageError: the network answers no class, or no clips so short.
    """
    _need_extra(method)
    settings = settings or AttributionSettings()
    if bundle.members:
        return _Together([open_explainer(member, method, run, settings) for member in bundle.members])
    from sonoplane.inference.attribution_network import open_network

    way = way_of(bundle.spec, run)
    sight = sight_of(bundle.spec, way)
    network = open_network(bundle, run)
    refuse_short(bundle.spec.name, way, network.min_frames)
    batch = max(1, run.batch // sight.length)
    missing: list[float] = []
    relevance = _relevance(network, method, settings, batch, missing)
    return _Alone(
        network=network, relevance=relevance, method=method, sight=sight, bundle=bundle, missing=missing
    )


class _Alone:
    """One network."""

    def __init__(
        self,
        *,
        network: PlaneNetwork,
        relevance: Relevance,
        method: Method,
        sight: Sight,
        bundle: Bundle,
        missing: list[float],
    ) -> None:
        self.method: str = method
        self.sight = sight
        self._network = network
        self._relevance = relevance
        self._n_classes = len(bundle.card.classes)
        self._size = bundle.card.size
        self._missing = missing

    def __call__(self, clip: Clip, target: int) -> Maps:
        """Maps of all frames of a clip; raises as `check_asked`."""
        import torch

        check_asked(clip, target, sight=self.sight, size=self._size, n_classes=self._n_classes)
        frames = np.moveaxis(clip, 0, 1)[None] if self._network.takes_clips else clip
        device = next(self._network.parameters()).device
        x = torch.from_numpy(np.array(frames, order="C")).to(device)
        maps = self._relevance(x, target).cpu().numpy()
        return np.asarray(maps, np.float32).reshape(len(clip), *clip.shape[2:])

    def notes(self) -> tuple[str, ...]:
        """Of maps that do not add up."""
        missing = self._missing.copy()
        self._missing.clear()
        if not missing:
            return ()
        maps = "1 map does" if len(missing) == 1 else f"{len(missing)} maps do"
        return (
            f"{maps} not add up to the change of the logit: up to {max(missing):.0%} of it is missing. A larger"
            " --attribution.most-steps brings them closer.",
        )


class _Together:
    """The members of an ensemble."""

    def __init__(self, members: Sequence[Explainer]) -> None:
        self.method = members[0].method
        self.sight = members[0].sight
        self._members = tuple(members)

    def __call__(self, clip: Clip, target: int) -> Maps:
        """What the members tell together."""
        return of_members(np.stack([member(clip, target) for member in self._members]))

    def notes(self) -> tuple[str, ...]:
        """Those of all members."""
        return tuple(dict.fromkeys(note for member in self._members for note in member.notes()))


def _relevance(
    network: PlaneNetwork, method: Method, settings: AttributionSettings, batch: int, missing: list[float]
) -> Relevance:
    """The method made ready; shares of the logit's change that it leaves out go into `missing`."""
    from sonoplane.inference.attribution_grad_cam import grad_cam, grad_cam_plus_plus
    from sonoplane.inference.attribution_gray import integrated_gradients, occlusion
    from sonoplane.inference.attribution_guided import guided_backprop

    ways = {
        "guided-backprop": lambda: guided_backprop(network),
        "grad-cam": lambda: grad_cam(network),
        "grad-cam++": lambda: grad_cam_plus_plus(network),
        "integrated-gradients": lambda: integrated_gradients(network, settings, batch, missing.append),
        "occlusion": lambda: occlusion(network, settings, batch),
    }
    return ways[method]()


def _need_extra(method: str) -> None:
    for needed in ("torch", "captum"):
        if find_spec(needed) is None:
            raise MissingExtra(
                f"Explaining a network by {method} needs {needed}, which is not installed.",
                advice="Run `pip install sonoplane[train]`.",
            )
