"""What every network here can do: answer a batch, say how it sees time, and be trained in part."""

from abc import ABC, abstractmethod
from typing import Literal, TypeAlias

from jaxtyping import Float
from torch import Tensor, nn

from sonoplane.errors import UsageError

__all__ = ["Part", "PlaneNetwork", "Statistics"]

Part: TypeAlias = Literal["all", "head"] | int
"""What is trained: everything, the head alone, or the head and the last n blocks."""
Statistics: TypeAlias = Literal["keep", "adapt"]
"""Whether batch norm in frozen blocks keeps its statistics, or goes on adapting them to what it sees in training."""


class PlaneNetwork(nn.Module, ABC):
    """Blocks that can be frozen from the first on, and a head that answers the classes.

    `forward` takes frames (`batch channel height width`) or, where `takes_clips`, clips (`batch channel time height
    width`) and answers logits, without softmax.
    """

    blocks: nn.Sequential
    head: nn.Module | None

    def __init__(self) -> None:
        super().__init__()
        self._resting: tuple[nn.Module, ...] = ()

    @property
    @abstractmethod
    def takes_clips(self) -> bool:
        """Whether the input has time."""

    @property
    @abstractmethod
    def receptive_field(self) -> int:
        """How many frames, in a row, one answer can depend on."""

    @property
    def streams(self) -> bool:
        """Whether it answers each frame as it comes, from the past alone."""
        return False

    @property
    def delay(self) -> int:
        """How many frames after a frame must have come before `dense` can answer it."""
        return 0

    @property
    def min_frames(self) -> int:
        """The shortest clip that it can answer."""
        return 1

    def dense(
        self, x: Float[Tensor, "batch channel time height width"]
    ) -> Float[Tensor, "batch time classes"]:
        """Logits for each frame of a run, in one pass."""
        raise UsageError(
            "This network answers clips as a whole; it has no dense form.",
            advice="Predict with `--mode clip`, or take a SonoNet.",
        )

    def trainable(self, part: Part = "all", *, statistics: Statistics = "keep") -> None:
        """Choose what is trained; frozen blocks also keep their batch norm statistics, unless told to adapt them."""
        n_blocks = len(self.blocks)
        n_last = n_blocks if part == "all" else 0 if part == "head" else part
        if not 0 <= n_last <= n_blocks:
            raise UsageError(
                f"The network has {n_blocks} blocks; the last {n_last} cannot be trained.",
                advice=f"Give all, head, or a number from 0 to {n_blocks}.",
            )
        n_frozen = n_blocks - n_last
        for index, block in enumerate(self.blocks):
            block.requires_grad_(index >= n_frozen)
        self._resting = tuple(list(self.blocks)[:n_frozen]) if statistics == "keep" else ()
        self.train(self.training)

    def train(self, mode: bool = True) -> "PlaneNetwork":
        """As in torch, but blocks that keep their statistics stay in evaluation mode."""
        super().train(mode)
        for block in self._resting:
            block.eval()
        return self
