"""Where in a frame a network saw a class: guided back-propagation from its class score map, and a box around the most
of it. No training framework is needed.

After Baumgartner et al., IEEE TMI 36(11), 2017, section III-D.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Literal

import cv2
import numpy as np

from sonoplane.errors import UsageError
from sonoplane.inference.explaining import Clip, Map, Maps, check_asked, of_members, sight_of
from sonoplane.inference.guided import guided_graph
from sonoplane.inference.layers import is_chain, layers_of
from sonoplane.inference.openvino_runtime import called, has_bf16
from sonoplane.inference.settings import RunSettings
from sonoplane.inference.ways import way_of
from sonoplane.models.bundle import Bundle
from sonoplane.models.spec import NetworkSpec
from sonoplane.records import Box

__all__ = ["Localizer", "box_of", "can_localize", "near"]

#: A region beside that of the frame before is only left for one that counts so many times more.
_LOYAL = 1.5
#: Frames of a clip before a frame, and as many after it, whose maps tell where its box is as well.
_NEAR = 2


def can_localize(bundle: Bundle) -> bool:
    """Whether a bundle's network, or each of an ensemble, has class score maps: SonoNets and SmallNet do."""
    return all(is_chain(member.spec) for member in bundle.networks)


class Localizer:
    """Guided back-propagation of a bundle's network; of an ensemble, the mean of what each member says.

    `precision` is the arithmetic; `auto` is bf16 where the processor has it.

    Raises:
        UsageError: the network has no class score maps.
    """

    method = "guided-backprop"

    def __init__(
        self, bundle: Bundle, run: RunSettings, precision: Literal["auto", "float32", "bf16"] = "auto"
    ) -> None:
        spec: NetworkSpec = bundle.spec
        if not can_localize(bundle):
            raise UsageError(
                f"'{spec.name}' has no class score maps.",
                advice="Explain it by grad-cam, where sonoplane[train] is installed.",
            )
        self.sight = sight_of(spec, way_of(spec, run))
        self.precision = ("bf16" if has_bf16() else "float32") if precision == "auto" else precision
        """Of its arithmetic."""
        self._bundle = bundle
        self._n_classes = len(bundle.card.classes)
        self._run = run.model_copy(update={"precision": self.precision})

    def __call__(self, clip: Clip, target: int) -> Maps:
        """Absolute guided gradients of the class's score map, of all frames of a clip; raises as `check_asked`."""
        check_asked(clip, target, sight=self.sight, size=self._bundle.card.size, n_classes=self._n_classes)
        given = {"clip": np.ascontiguousarray(clip), "target": np.array([target])}
        if len(self._graphs) == 1:
            return self._graphs[0](given)
        return of_members(np.stack([graph(given) for graph in self._graphs]))

    def notes(self) -> tuple[str, ...]:
        """There is nothing to say."""
        return ()

    @cached_property
    def _graphs(self) -> list[Callable[[dict[str, np.ndarray]], np.ndarray]]:
        size = self._bundle.card.size
        return [
            called(
                guided_graph(
                    layers_of(member.spec, member.weights()), size, self.sight.length
                ).SerializeToString(),
                self._run,
            )
            for member in self._bundle.networks
        ]


def box_of(counted: Map, blur: float, before: Box | None = None) -> Box | None:
    """The box around the region that counted most; None where nothing did.

    Neighboring pixels are joined by a Gaussian whose standard deviation is `blur` times the shorter side; then Otsu's
    threshold keeps the regions that stand out. Of several, the one that counts most in sum is taken, or, where `before`
    tells the box of the frame before, the one that overlaps it most, unless another counts far more.

    >>> image = np.zeros((40, 60), np.float32)
    >>> image[10:20, 30:50] = 1
    >>> box_of(image, blur=0)
    Box(left=30, top=10, right=50, bottom=20)
    >>> box_of(np.zeros((40, 60), np.float32), blur=0) is None
    True
    """
    image = np.maximum(counted, 0)
    if blur:
        image = cv2.GaussianBlur(image, (0, 0), blur * min(image.shape))
    if not image.max() > image.min():
        return None
    levels = (255 * ((image - image.min()) / (image.max() - image.min()))).astype(np.uint8)
    _, kept = cv2.threshold(levels, 0, 1, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    n, regions, found, _ = cv2.connectedComponentsWithStats(kept)
    counts = np.bincount(regions.ravel(), image.ravel(), minlength=n)[1:]
    best = int(counts.argmax())
    boxes = [
        Box(left=int(x), top=int(y), right=int(x + width), bottom=int(y + height))
        for x, y, width, height, _ in found[1:]
    ]
    if before is not None:
        near = max(range(len(boxes)), key=lambda i: boxes[i].overlap(before))
        if boxes[near].overlap(before) > 0 and counts[best] < _LOYAL * counts[near]:
            best = near
    return boxes[best]


def near(maps: Sequence[Map] | Maps, place: int) -> Map:
    """What counted in a frame and in those next to it, at most two places away: steadier than one frame's map alone.

    >>> near([np.full((1, 1), value, np.float32) for value in (0, 1, 2, 30)], place=1).item()
    8.25
    >>> near([np.full((1, 1), value, np.float32) for value in (0, 9, 1, 2, 30)], place=4).item()
    11.0
    """
    return np.asarray(np.mean(maps[max(0, place - _NEAR) : place + _NEAR + 1], axis=0, dtype=np.float32))
