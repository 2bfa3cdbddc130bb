"""A network whose answer is the mean of its class score maps: what SonoNet and SmallNet share.

Over time it runs in three ways: a clip (one answer), a run of frames (an answer for each), and, where it is causal, a
stream. A run may come in pieces of any length: the answers are those of one pass, later by `delay` frames, and memory
does not grow.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sonoplane.errors import UsageError
from sonoplane.models.blocks import Unit
from sonoplane.models.causal import Memory, TimeConv3d, TimeLayer, TimePool3d, go_on
from sonoplane.models.network import PlaneNetwork

__all__ = ["DenseState", "ScoreMapNetwork"]

Run: TypeAlias = Float[Tensor, "batch channel time height width"]
RunLogits: TypeAlias = Float[Tensor, "batch time classes"]
StreamState: TypeAlias = tuple[Memory, ...]
"""What the layers remember, in network order."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class DenseState:
    """What is carried from one piece of a run to the next."""

    memory: StreamState
    latest: Float[Tensor, "_ 1 _"] | None = None
    """The logits of the latest score map; None before the first."""


class ScoreMapNetwork(PlaneNetwork):
    """Blocks with a pool between them, then a head of 1x1 convolutions that answers one map a class."""

    def __init__(self, *, blocks: nn.Sequential, pool: nn.Module, head: nn.Sequential | None) -> None:
        super().__init__()
        self.blocks = blocks
        self.pool = pool
        self.head = head

    @property
    def takes_clips(self) -> bool:
        """Whether the input has time."""
        return isinstance(self.pool, TimePool3d)

    @property
    def receptive_field(self) -> int:
        """How many frames, in a row, one answer can depend on."""
        return 1 + sum(layer.reach for layer in self._time_layers())

    @property
    def min_frames(self) -> int:
        """The shortest clip that leaves a score map."""
        return 1 + self._lost

    @property
    def streams(self) -> bool:
        """Whether it answers each frame as it comes: no layer looks ahead, and none is lost at the start."""
        return self.delay == 0

    @property
    def delay(self) -> int:
        """How many frames after a frame must have come before `dense` can answer it."""
        return sum(layer.future for layer in self._time_layers()) + self._edges[1]

    def features(self, x: Float[Tensor, "batch channel *space"]) -> Float[Tensor, "batch feature *cells"]:
        """What the last block sees: 16 times smaller than the image in SonoNet."""
        self._check(x)
        for index, block in enumerate(self.blocks):
            x = block(self.pool(x) if index else x)
        return x

    def class_score_maps(
        self, x: Float[Tensor, "batch channel *space"]
    ) -> Float[Tensor, "batch classes *cells"]:
        """Where each class is seen; their mean over space (and time) is the logit.

        Of T frames without causality, SonoNet's four pools leave T - 4 maps; map j belongs to frame j + 2.
        """
        scores: Tensor = self._need_head()(self.features(x))
        return scores

    def forward(
        self, x: Float[Tensor, "batch channel *space"]
    ) -> Float[Tensor, "batch classes"] | Float[Tensor, "batch feature *cells"]:
        """Logits, without softmax; the features where the network was built for them only."""
        if self.head is None:
            return self.features(x)
        return self.class_score_maps(x).flatten(2).mean(dim=2)

    def dense(self, x: Run) -> RunLogits:
        """Logits for each frame of a run, in one pass; where score maps lack at the ends, the outermost repeat."""
        if self.takes_clips:
            return _framed(_by_frame(self.class_score_maps(x)), *self._edges)
        if not x.shape[2]:
            return x.new_zeros(x.shape[0], 0, self._n_classes)
        maps = self.class_score_maps(x.transpose(1, 2).flatten(0, 1))
        return maps.flatten(2).mean(dim=2).reshape(x.shape[0], x.shape[2], -1)

    def dense_chunk(
        self, x: Run, state: DenseState | None = None, *, last: bool = False
    ) -> tuple[Float[Tensor, "batch answered classes"], DenseState | None]:
        """The next piece of a run: logits for the frames that can be answered by now, and the state to go on with.

        All pieces together, the last of them with `last`, answer what `dense` answers for the whole; a piece may hold
        no frame. Frames come back `delay` frames late, so the first pieces may answer none. After the last piece the
        state is None, as before the first. Use it in evaluation mode.
        """
        if not self.takes_clips:
            return self.dense(x), None if last else DenseState(memory=())
        batch, _, _, height, width = x.shape
        if state is None:
            state = DenseState(memory=self._first_memory(batch, height, width))
        maps, memory = self._go_on(x, state.memory, last=last)
        logits = x.new_zeros(batch, 0, self._n_classes) if maps is None else _by_frame(maps)
        known = logits if state.latest is None else torch.cat([state.latest, logits], dim=1)
        latest = known[:, -1:] if known.shape[1] else None
        if last and latest is None:
            raise self._too_short()
        before, after = self._edges
        if latest is not None:
            logits = torch.cat(
                [
                    *([known[:, :1]] * before if state.latest is None else []),
                    logits,
                    *([latest] * after if last else []),
                ],
                dim=1,
            )
        return logits, None if last else DenseState(memory=memory, latest=latest)

    def stream_state(self, *, height: int, width: int, batch: int = 1) -> StreamState:
        """What a stream of images of this size begins with: the zeros before its first frame."""
        self._check_streams()
        return self._first_memory(batch, height, width) if self.takes_clips else ()

    def step(
        self, frame: Float[Tensor, "batch channel height width"], state: StreamState
    ) -> tuple[Float[Tensor, "batch classes"], StreamState]:
        """Logits of the next frame of a stream, and the state after it; nothing is remembered elsewhere.

        Use it in evaluation mode.
        """
        self._check_streams()
        if not self.takes_clips:
            return self.class_score_maps(frame).flatten(2).mean(dim=2), ()
        maps, state = self._go_on(frame.unsqueeze(2), state, last=False)
        assert maps is not None, "a causal layer answers every frame"
        return maps.flatten(2).mean(dim=2), state

    @property
    def _lost(self) -> int:
        """How many frames fewer there are score maps than frames."""
        return sum(layer.reach - layer.past - layer.future for layer in self._time_layers())

    @property
    def _edges(self) -> tuple[int, int]:
        """How many frames have no score map of their own, at the start and at the end."""
        return self._lost // 2, self._lost - self._lost // 2

    @property
    def _n_classes(self) -> int:
        return int([p for p in self._need_head().parameters() if p.ndim > 1][-1].shape[0])

    def _chain(self) -> Iterator[Unit | nn.Module]:
        """Every unit and pool in the order in which a frame meets them."""
        for index, block in enumerate(self.blocks):
            if index:
                yield self.pool
            yield from (module for module in block.modules() if isinstance(module, Unit))
        if self.head is not None:
            yield from (module for module in self.head.modules() if isinstance(module, Unit))

    def _time_layers(self) -> Iterator[TimeLayer]:
        for module in self._chain():
            layer = _time_layer(module)
            if layer is not None:
                yield layer

    def _go_on(self, x: Run, memory: StreamState, *, last: bool) -> tuple[Tensor | None, StreamState]:
        """Score maps of what can be answered by now, and what the layers remember then."""
        self._need_head()
        kept = list(memory)
        index = 0
        for module in self._chain():
            layer = _time_layer(module)
            if layer is None:
                x = module(x) if x.shape[2] else _nothing(module, x)
                continue
            answer, kept[index] = go_on(layer, x, kept[index], last=last)
            if answer is None:
                return None, tuple(kept)
            x = module.finish(answer) if isinstance(module, Unit) else answer
            index += 1
        return x, tuple(kept)

    def _first_memory(self, batch: int, height: int, width: int) -> StreamState:
        weight = next(self.parameters())
        n_channels, memory = 0, []
        for module in self._chain():
            layer = _time_layer(module)
            conv = module.conv if isinstance(module, Unit) else None
            n_in = conv.in_channels if isinstance(conv, nn.Conv3d) else n_channels
            if layer is not None:
                memory.append(weight.new_zeros(batch, n_in, layer.past, height, width))
            if isinstance(conv, nn.Conv3d):
                n_channels = conv.out_channels
            else:
                height, width = height // 2, width // 2
        return tuple(memory)

    def _need_head(self) -> nn.Module:
        if self.head is None:
            raise UsageError(
                "A network built with features_only has no classes.",
                advice="Build it without that option to get class scores.",
            )
        return self.head

    def _check_streams(self) -> None:
        if not self.streams:
            raise UsageError(
                f"This network looks {self.delay} frames ahead, so it cannot answer a frame as it comes.",
                advice="Take its causal form (`-causal` after its name), or `dense_chunk`, which answers later.",
            )

    def _check(self, x: Tensor) -> None:
        if x.ndim != (5 if self.takes_clips else 4):
            wanted = "batch channel time height width" if self.takes_clips else "batch channel height width"
            raise UsageError(
                f"The network takes {wanted}, not {x.ndim} dimensions.",
                advice="Cut clips for a network that sees time; give frames to one that does not, or use `dense`.",
            )
        if self.takes_clips and x.shape[2] < self.min_frames:
            raise self._too_short(x.shape[2])

    def _too_short(self, n_frames: int | None = None) -> UsageError:
        found = "too few frames" if n_frames is None else f"{n_frames} frame{'s' * (n_frames != 1)}"
        return UsageError(
            f"A clip of {found} is too short: the network's pools need {self.min_frames}.",
            advice=f"Give at least {self.min_frames} frames; repeat the first at the start where there are fewer.",
        )


def _time_layer(module: nn.Module) -> TimeLayer | None:
    layer = module.conv if isinstance(module, Unit) else module
    return layer if isinstance(layer, TimeConv3d | TimePool3d) else None


def _nothing(module: nn.Module, x: Run) -> Float[Tensor, "batch n_out time height width"]:
    """What a convolution within frames answers for no frame; torch computes none."""
    assert isinstance(module, Unit)
    assert isinstance(module.conv, nn.Conv3d)
    return x.new_zeros(x.shape[0], module.conv.out_channels, 0, *x.shape[3:])


def _by_frame(maps: Float[Tensor, "batch classes time height width"]) -> RunLogits:
    return maps.mean(dim=(3, 4)).transpose(1, 2)


def _framed(logits: Float[Tensor, "batch maps classes"], before: int, after: int) -> RunLogits:
    """The outermost logits repeated."""
    if not before and not after:
        return logits
    return torch.cat([*[logits[:, :1]] * before, logits, *[logits[:, -1:]] * after], dim=1)
