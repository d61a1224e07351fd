"""Two epochs of one network by our trainer, by a hand-written loop, by pytorch-metric-learning."""

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from itertools import pairwise
from pathlib import Path
from statistics import fmean

import torch
from pytorch_metric_learning.trainers import MetricLossOnly
from torch import Tensor, nn
from torch.utils.data import DataLoader

from benchmarks.training.images import CLASSES, SIZE_PX, Images
from benchmarks.training.peers import MARGIN, SCALE, cosface
from benchmarks.training.pixels import dataset
from benchmarks.training.results import EpochJob, EpochRun, Way
from training.loop.trainer import Trainer
from training.networks.embedder import Embedder
from training.optim.optimizer import Optimization
from training.recipes.recipe import Recipe

EPOCHS = 2


def measure(job: EpochJob, folder: Path) -> EpochRun:
    """In this process."""
    torch.set_num_threads(job.threads)
    images = Images(folder, job.images)
    trainer = Trainer(recipe_of(job), images.splits(), CLASSES)
    return _WAYS[job.way](job, images, trainer)


def recipe_of(job: EpochJob) -> Recipe:
    """CosFace by AdamW at a one-cycle rate; shifts by 4 pixels and mirrors, as each way does."""
    return Recipe(
        loss="cosface",
        parameters={"scale": SCALE, "margin": MARGIN},
        backbone=job.backbone,
        size_px=SIZE_PX,
        epochs=EPOCHS,
        batch_size=job.batch,
    )


def _ours(job: EpochJob, _: Images, trainer: Trainer) -> EpochRun:
    """Time between steps; the last of an epoch comes with its evaluation and is taken as others."""
    losses: list[float] = []
    seconds: list[float] = []
    start = time.perf_counter()
    for step in trainer.steps():
        losses.append(step.loss)
        seconds.append(time.perf_counter() - start)
        start = time.perf_counter()
    steps = len(losses) // EPOCHS
    usual = [sum(each[:-1]) * steps / (steps - 1) for each in (seconds[:steps], seconds[steps:])]
    evaluation = max(0.0, seconds[-1] - fmean(seconds[steps:-1]))
    return _epoch_run(job, losses, usual, _accuracy(trainer), evaluation)


def _loop(job: EpochJob, images: Images, trainer: Trainer) -> EpochRun:
    """As one would write it; the network, the loss, the optimizer and the precision are ours."""
    embedder = trainer.embedder
    network = embedder.backbone[1]  # type: ignore[index]
    steps = job.images // job.batch
    optimization = Optimization(embedder, trainer.recipe, EPOCHS * steps)
    loader = DataLoader(
        dataset(images, job.source, embedder),
        job.batch,
        shuffle=True,
        drop_last=True,
        num_workers=job.workers,
        persistent_workers=job.workers > 0,
    )
    embedder.train()
    losses: list[float] = []
    seconds: list[float] = []
    for _ in range(EPOCHS):
        start = time.perf_counter()
        for pixels, labels in loader:
            with trainer.autocast():
                embeddings = network(pixels.to(memory_format=torch.channels_last))
            value = embedder.loss(embeddings, labels)
            optimization.zero_grad()
            value.backward()
            optimization.step()
            losses.append(value.item())
        seconds.append(time.perf_counter() - start)
    return _epoch_run(job, losses, seconds, _accuracy(trainer))


class _Trunk(nn.Module):
    """The network with our precision: MetricLossOnly knows no autocast."""

    def __init__(self, network: nn.Module, autocast: Callable[[], AbstractContextManager[object]]):
        super().__init__()
        self.network = network
        self.autocast = autocast

    def forward(self, pixels: Tensor) -> Tensor:
        with self.autocast():
            embeddings: Tensor = self.network(pixels.to(memory_format=torch.channels_last))
        return embeddings.float()


def _metric_learning(job: EpochJob, images: Images, trainer: Trainer) -> EpochRun:
    """MetricLossOnly with its own CosFaceLoss, from the same weights."""
    embedder, steps = trainer.embedder, job.images // job.batch
    logging.getLogger("PML").setLevel(logging.ERROR)
    loss = cosface(CLASSES, trainer.recipe.embedding_size)
    weights = embedder.loss.class_weights()
    assert weights is not None
    loss.W = nn.Parameter(weights.detach().T.clone())
    losses: list[float] = []
    marks = [time.perf_counter()]
    optimizers = _optimizers(embedder, loss, trainer.recipe)
    schedules = {
        f"{name.removesuffix('_optimizer')}_scheduler_by_iteration": (
            torch.optim.lr_scheduler.OneCycleLR(
                each,
                trainer.recipe.learning_rate,
                EPOCHS * steps,
                pct_start=trainer.recipe.warmup,
                cycle_momentum=False,
            )
        )
        for name, each in optimizers.items()
    }
    peer = MetricLossOnly(
        models={"trunk": _Trunk(embedder.backbone[1], trainer.autocast)},  # type: ignore[index]
        optimizers=optimizers,
        batch_size=job.batch,
        loss_funcs={"metric_loss": loss},
        dataset=dataset(images, job.source, embedder),
        lr_schedulers=schedules,
        dataloader_num_workers=job.workers,
        end_of_iteration_hook=lambda one: losses.append(one.losses["metric_loss"].item()),
        end_of_epoch_hook=lambda _: marks.append(time.perf_counter()),
    )
    peer.train(num_epochs=EPOCHS)
    embedder.loss.weight.data.copy_(loss.W.detach().T)  # type: ignore[operator]
    seconds = [late - early for early, late in pairwise(marks)]
    return _epoch_run(job, losses, seconds, _accuracy(trainer))


def _optimizers(
    embedder: Embedder, loss: nn.Module, recipe: Recipe
) -> dict[str, torch.optim.Optimizer]:
    trained = [p for p in embedder.backbone.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    own = list(loss.parameters())
    return {
        "trunk_optimizer": torch.optim.AdamW(groups, recipe.learning_rate),
        "metric_loss_optimizer": torch.optim.AdamW(own, recipe.learning_rate, weight_decay=0.0),
    }


def _accuracy(trainer: Trainer) -> float:
    labels = trainer.splits.tuning.labels
    return (trainer.tuning_logits().argmax(dim=1) == labels).double().mean().item()


def _epoch_run(
    job: EpochJob,
    losses: list[float],
    seconds: list[float],
    accuracy: float,
    evaluation_s: float | None = None,
) -> EpochRun:
    steps = len(losses) // EPOCHS
    first, second = seconds
    return EpochRun(
        job=job,
        steps=steps,
        first_s=first,
        epoch_s=second,
        evaluation_s=evaluation_s,
        loss=fmean(losses[steps:]),
        accuracy=accuracy,
    )


_WAYS: Mapping[Way, Callable[[EpochJob, Images, Trainer], EpochRun]] = {
    "ours": _ours,
    "loop": _loop,
    "metric-learning": _metric_learning,
}
