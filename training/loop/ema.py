"""The weights that a run keeps: those of its end, their moving average, or its best epoch's."""

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from training.checkpoints.state import Progress
from training.networks.embedder import Embedder
from training.recipes.recipe import Recipe

_WARMUP = 10


class EmaAndBest:
    """The weights that are evaluated, exported and published of the embedder in training.

    `embedder` is the trained one itself, or with `ema` its exponential moving average. With
    `patience`, the best epoch's state is remembered, and a run ends with it.
    """

    def __init__(self, trained: Embedder, recipe: Recipe) -> None:
        self._trained = trained
        self._decay = recipe.ema
        self._remembers = recipe.patience > 0
        self._best: dict[str, Tensor] | None = None
        self.embedder = copy.deepcopy(trained).requires_grad_(False) if recipe.ema else trained

    @torch.no_grad()
    def after_step(self, done: int) -> None:
        """Take the weights after `done` steps into the average.

        The decay grows to the recipe's as (1 + done) / (10 + done), so that the random start is
        soon forgotten. Buffers are averaged, too: running statistics, centers; counts and flags
        are copied.
        """
        if self.embedder is self._trained:
            return
        decay = min(self._decay, (1 + done) / (_WARMUP + done))
        ours, theirs = self.embedder.state_dict(), self._trained.state_dict()
        for name, tensor in ours.items():
            if tensor.is_floating_point():
                tensor.lerp_(theirs[name], 1 - decay)
            else:
                tensor.copy_(theirs[name])

    def after_epoch(self, progress: Progress) -> None:
        """Remember the weights if the epoch that ended last is the best so far."""
        if self._remembers and progress.best_epoch == len(progress.history):
            self._best = {
                name: tensor.detach().clone() for name, tensor in self.embedder.state_dict().items()
            }

    def state(self) -> dict[str, Any]:
        """Tensors for `torch.save`: `average` and `best`, None where there is none."""
        averages = self.embedder is not self._trained
        return {"average": self.embedder.state_dict() if averages else None, "best": self._best}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned."""
        if self.embedder is not self._trained:
            self.embedder.load_state_dict(state["average"])
        self._best = state.get("best")
