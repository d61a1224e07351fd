"""The optimizers of a recipe and their schedules."""

from typing import Any

import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

from training.networks.embedder import Embedder
from training.optim.muon import Muon
from training.recipes.recipe import Recipe


class Optimization:
    """Every optimizer of one run with its learning-rate schedule, stepped as one.

    `steps` is the number of steps of the whole run.
    """

    def __init__(self, embedder: Embedder, recipe: Recipe, steps: int) -> None:
        self.optimizers = make_optimizers(embedder, recipe)
        self.schedules = [_schedule(each, recipe, steps) for each in self.optimizers]

    @property
    def learning_rate(self) -> float:
        """The rate of the next step, of the first optimizer's first group."""
        return float(self.optimizers[0].param_groups[0]["lr"])

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for optimizer in self.optimizers:
            optimizer.zero_grad()

    def step(self) -> None:
        """Move all parameters once, and the learning rates with them."""
        for optimizer in self.optimizers:
            optimizer.step()
        for schedule in self.schedules:
            schedule.step()

    def state_dict(self) -> dict[str, Any]:
        """Tensors and plain values, for `torch.save`."""
        return {
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "schedules": [schedule.state_dict() for schedule in self.schedules],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` returned."""
        for optimizer, kept in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(kept)
        for schedule, kept in zip(self.schedules, state["schedules"], strict=True):
            schedule.load_state_dict(kept)


def make_optimizers(embedder: Embedder, recipe: Recipe) -> list[Optimizer]:
    """AdamW for everything, or for all but the backbone's convolutions, which are Muon's.

    Only the backbone's weight matrices decay, never biases or the loss's parameters.
    """
    trained = [p for p in embedder.backbone.parameters() if p.requires_grad]
    filters = [p for p in trained if p.ndim == 4] if recipe.optimizer == "muon" else []
    rest = [p for p in trained if p.ndim != 4] if filters else trained
    groups = [
        {"params": [p for p in rest if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in rest if p.ndim <= 1], "weight_decay": 0.0},
        {"params": list(embedder.loss.parameters()), "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    adamw: Optimizer = torch.optim.AdamW(groups, lr=recipe.learning_rate)
    return [adamw, Muon(filters, recipe.filter_learning_rate)] if filters else [adamw]


def _schedule(optimizer: Optimizer, recipe: Recipe, steps: int) -> LRScheduler:
    if recipe.schedule == "one-cycle":
        return OneCycleLR(
            optimizer,
            max_lr=[group["lr"] for group in optimizer.param_groups],
            total_steps=steps,
            # A warm-up of one step would be one of no length, by which PyTorch divides.
            pct_start=recipe.warmup if recipe.warmup * steps > 1 else 0.0,
            cycle_momentum=False,
        )
    rising = max(1, round(recipe.warmup * steps))
    falling = 1 - recipe.final_rate
    return LambdaLR(
        optimizer, lambda step: min((step + 1) / rising, 1.0) * (1 - falling * step / steps)
    )
