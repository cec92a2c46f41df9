"""Minibatches of several members of a stack, each from shuffles of its own."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from boundlab.data.splits import Split


class Batches:
    """`splits`: the training images of each member as they are fed, all of one size; images that are the same tensor are kept
    once. `seeds`: of the members' shuffles. Raises ValueError for different sizes."""

    def __init__(self, splits: Sequence[Split], seeds: Sequence[int]) -> None:
        sizes = sorted({len(split.labels) for split in splits})
        if len(sizes) > 1:
            raise ValueError(f"networks trained together need equally many images, got {sizes}; train them apart")
        self.size, self.seeds = sizes[0], seeds
        different = list({id(split.images): split.images for split in splits}.values())
        places = {id(images): place for place, images in enumerate(different)}
        self.images = different[0] if len(different) == 1 else torch.cat(different)
        self.labels = torch.stack([split.labels for split in splits])
        starts = [places[id(split.images)] * self.size for split in splits]
        self.starts = torch.tensor(starts, device=self.labels.device)

    def order(self, epoch: int) -> Tensor:
        """(images, members): in which order each member sees its images in this epoch."""
        return torch.stack([_shuffled(self.size, seed, epoch) for seed in self.seeds], dim=1).to(self.labels.device)

    def take(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Rows of an order -> (batch, members * channels, height, width) images and (members, batch) labels."""
        images = self.images.index_select(0, (rows + self.starts).flatten())
        return images.view(len(rows), -1, *images.shape[2:]), self.labels.gather(1, rows.T)


def _shuffled(size: int, seed: int, epoch: int) -> Tensor:
    return torch.randperm(size, generator=torch.Generator().manual_seed(seed * 100_003 + epoch))
