"""A network whose answer is the mean of its class score maps: what SonoNet and SmallNet share."""

from typing import Literal, TypeAlias

from jaxtyping import Float
from torch import Tensor, nn

from sonoplane.errors import UsageError

__all__ = ["Part", "PlaneNetwork"]

Part: TypeAlias = Literal["all", "head"] | int
"""What is trained: everything, the head alone, or the head and the last n blocks."""


class PlaneNetwork(nn.Module):
    """Blocks with a pool between them, then a head of 1x1 convolutions that answers one map a class."""

    def __init__(self, *, blocks: nn.Sequential, pool: nn.Module, head: nn.Sequential | None) -> None:
        super().__init__()
        self.blocks = blocks
        self.pool = pool
        self.head = head
        self._n_frozen = 0

    def features(self, x: Float[Tensor, "batch channel *space"]) -> Float[Tensor, "batch feature *cells"]:
        """What the last block sees: 16 times smaller than the image in SonoNet."""
        for index, block in enumerate(self.blocks):
            x = block(self.pool(x) if index else x)
        return x

    def class_score_maps(
        self, x: Float[Tensor, "batch channel *space"]
    ) -> Float[Tensor, "batch classes *cells"]:
        """Where each class is seen; their mean over space is the logit."""
        if self.head is None:
            raise UsageError(
                "A network built with features_only has no classes.",
                advice="Build it without that option to get class scores.",
            )
        scores: Tensor = self.head(self.features(x))
        return scores

    def forward(
        self, x: Float[Tensor, "batch channel *space"]
    ) -> Float[Tensor, "batch classes"] | Float[Tensor, "batch feature *cells"]:
        """Logits, without softmax; the features where the network was built for them only."""
        if self.head is None:
            return self.features(x)
        return self.class_score_maps(x).flatten(2).mean(dim=2)

    def trainable(self, part: Part = "all") -> None:
        """Choose what is trained; frozen blocks also keep their batch norm statistics, in `train()` too."""
        n_blocks = len(self.blocks)
        n_last = n_blocks if part == "all" else 0 if part == "head" else part
        if not 0 <= n_last <= n_blocks:
            raise UsageError(
                f"The network has {n_blocks} blocks; the last {n_last} cannot be trained.",
                advice=f"Give all, head, or a number from 0 to {n_blocks}.",
            )
        self._n_frozen = n_blocks - n_last
        for index, block in enumerate(self.blocks):
            block.requires_grad_(index >= self._n_frozen)
        self.train(self.training)

    def train(self, mode: bool = True) -> "PlaneNetwork":
        """As in torch, but frozen blocks stay in evaluation mode."""
        super().train(mode)
        for block in list(self.blocks)[: self._n_frozen]:
            block.eval()
        return self
