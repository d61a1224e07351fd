"""The images of a training where it runs, and which of them each step sees."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Int64, Real
from torch import Tensor

from training.common.machine import Machine
from training.common.seeds import generator
from training.data.augment import augmented, cut_mixed, shrunk
from training.data.batches import epoch_batches
from training.data.dataset import TrainingSplits
from training.data.features import LabeledFeatures, drawn
from training.losses.base import Sampling
from training.recipes.recipe import Recipe

_SAMPLE = 5000
_MIXING = 1  # sets what mixes a batch's images apart from what augments them


@dataclass(frozen=True)
class StepInput:
    """The input of a step: this process's part of the batch's images, or of their features.

    Where the images are mixed, image i of the whole batch is itself to the share `kept`, and else
    image `partners[i]`; where not, `partners` is None and `kept` is 1. `whole` are the images as
    they were before they were shrunk for early training.
    """

    images: Real[Tensor, "p ..."]
    whole: Real[Tensor, "p ..."]
    partners: Int64[Tensor, " b"] | None = None
    kept: float = 1.0


class ResidentData:
    """Training and tuning images on the device, copied there once; every step gathers from them.

    What a step sees depends on the seed and its place in the run alone.
    """

    def __init__(
        self, recipe: Recipe, splits: TrainingSplits, sampling: Sampling, machine: Machine
    ) -> None:
        self._recipe = recipe
        self._sampling = sampling
        self._train = splits.train
        self._machine = machine
        self.images = splits.train.images.to(machine.device)
        self.labels = splits.train.labels.to(machine.device)
        self.tuning_images = splits.tuning.images.to(machine.device)

    def batches(self, epoch: int) -> list[Int64[Tensor, " b"]]:
        """The rows of every joined batch of the epoch, counted from 0."""
        random = generator(self._recipe.seed, epoch)
        labels = self._train.labels
        return epoch_batches(labels, self._sampling, self._recipe.batch_size, random)

    def shown(self, rows: Int64[Tensor, " b"], epoch: int, step: int, share: float) -> StepInput:
        """This process's part of the images at `rows` as this step shows them, [p, h, w, 3].

        Or of their features, [p, 1, f]. `share` of the training's steps are done.
        """
        recipe = self._recipe
        random = generator(recipe.seed, epoch, step)
        part = self._machine.ranks.part(len(rows))
        if isinstance(self._train, LabeledFeatures):
            features = drawn(self.images, rows, random)[part]
            return StepInput(features, features)
        images = augmented(self.images, rows, recipe, epoch, random, part)
        shown = self._mixed(images, rows, epoch, step, part)
        if recipe.early_px is None or share >= recipe.early_share:
            return shown
        return replace(shown, images=shrunk(shown.images, recipe.early_px))

    def _mixed(
        self, images: Tensor, rows: Int64[Tensor, " b"], epoch: int, step: int, part: slice
    ) -> StepInput:
        """The batch with CutMix, where this step is one of those that have it.

        `images` are this process's part of those at `rows`.
        """
        recipe = self._recipe
        random = generator(recipe.seed, epoch, step, _MIXING)
        if torch.rand(1, generator=random) >= recipe.cutmix:
            return StepInput(images, images)
        partners = torch.randperm(len(rows), generator=random)
        others = augmented(self.images, rows[partners], recipe, epoch, random, part)
        mixed, kept = cut_mixed(images, others, random)
        return StepInput(mixed, mixed, partners.to(images.device), kept)

    def sample(self) -> Int64[Tensor, " m"]:
        """Rows for what is fitted after an epoch (prototypes, statistics), on the device."""
        order = torch.randperm(len(self._train), generator=generator(self._recipe.seed))
        labels = self._train.labels[order]
        absent = ~torch.isin(labels, labels[:_SAMPLE])  # a rare class, missed by chance
        return torch.cat([order[:_SAMPLE], order[absent]]).to(self._machine.device)
