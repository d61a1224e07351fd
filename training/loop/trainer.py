"""One training loop for every loss, resumable at any step to the same result."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from models.report import Epoch
from training.checkpoints.state import Progress
from training.checkpoints.weights import opened_for
from training.common.machine import Machine
from training.common.seeds import seeded
from training.data.dataset import TrainingSplits
from training.errors import Diverged, InvalidRecipe
from training.loop.distributed_step import DistributedStep
from training.loop.doctor import Doctor
from training.loop.ema import EmaAndBest
from training.loop.in_memory import ResidentData
from training.loop.precise_batchnorm import recompute_batchnorm_statistics
from training.loop.teachers import Teachers
from training.losses.balance import weigh
from training.networks.embedder import Embedder
from training.optim.optimizer import Optimization
from training.recipes.recipe import Recipe


@dataclass(frozen=True)
class Step:
    """The report of one optimizer step."""

    step: int
    steps: int
    loss: float
    images_per_second: float


class Trainer:
    """Fits one recipe to one split; iterate `steps()` until it ends, saving `state()` at will.

    >>> from training.data.dataset import LabeledImages
    >>> labels = torch.arange(32) % 2
    >>> images = (100 * labels.view(-1, 1, 1, 1)).expand(-1, 8, 8, 3).to(torch.uint8)
    >>> part = LabeledImages(images, labels, tuple(map(str, range(32))))
    >>> recipe = Recipe(loss="softmax", epochs=1, batch_size=16, size_px=8, embedding_size=4)
    >>> trainer = Trainer(recipe, TrainingSplits(train=part, tuning=part), classes=2)
    >>> [step.step for step in trainer.steps()]
    [1, 2]
    >>> trainer.finished, trainer.state()["progress"]["epoch"]
    (True, 1)
    """

    def __init__(
        self, recipe: Recipe, splits: TrainingSplits, classes: int, machine: Machine | None = None
    ) -> None:
        machine = machine or Machine.here()
        self.recipe = recipe
        self.splits = splits = TrainingSplits(splits.train, splits.tuning)
        self.device, self.ranks = machine.device, machine.ranks
        self.precision = machine.computed
        self.progress = Progress()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            pretrained = opened_for(recipe, splits.train.images)
            embedder = Embedder(recipe, classes, splits.train.images, pretrained)
            self.embedder = embedder.to(self.device)
        weigh(self.embedder.loss, splits.train.labels, recipe.balance)
        self.embedder.backbone.to(memory_format=torch.channels_last)
        self.kept = EmaAndBest(self.embedder, recipe)
        self.teachers = Teachers(recipe, splits, self.device)
        self.data = ResidentData(recipe, splits, self.embedder.loss.sampling, machine)
        self.steps_per_epoch = len(self.data.batches(epoch=0))
        self.optimization = Optimization(
            self.embedder, recipe, recipe.epochs * self.steps_per_epoch
        )
        self.doctor = Doctor(recipe, self.embedder, splits)
        self._loss_of = self._joined_step(machine)

    def _joined_step(self, machine: Machine) -> nn.Module:
        step = DistributedStep(self.embedder, self.ranks, self.autocast, compiled=machine.compiled)
        smallest = min(len(rows) for rows in self.data.batches(epoch=0))
        if smallest < self.ranks.size:
            raise InvalidRecipe(
                f"batches of {smallest} images are too small for {self.ranks.size} processes"
            )
        if self.ranks.size == 1:
            return step
        return DistributedDataParallel(step, forward_sync_buffers=False)

    @property
    def finished(self) -> bool:
        """Return whether every epoch is done, or the wait for a better one is over."""
        return self.progress.is_finished(self.recipe.epochs, self.recipe.patience)

    @property
    def kept_epoch(self) -> Epoch:
        """The finished epoch whose weights the run keeps: the best so far, or the last."""
        history = self.progress.history
        return history[self.progress.best_epoch - 1 if self.recipe.patience else -1]

    def steps(self) -> Iterator[Step]:
        """Train, one yielded step at a time; the caller may stop between any two."""
        if not self.finished:
            self.doctor.before_training(self.progress)
        while not self.finished:
            yield from self._epoch()

    def _epoch(self) -> Iterator[Step]:
        self.embedder.train()
        progress = self.progress
        for rows in self.data.batches(progress.epoch)[progress.step :]:
            started = time.perf_counter()
            loss = self._step(rows)
            seconds = time.perf_counter() - started
            progress.loss_sum += loss
            progress.step += 1
            progress.seconds += seconds
            step = Step(progress.step, self.steps_per_epoch, loss, len(rows) / seconds)
            if progress.step == self.steps_per_epoch:
                self._end_epoch()
            yield step

    def _step(self, rows: Int64[Tensor, " b"]) -> float:
        progress = self.progress
        done = progress.epoch * self.steps_per_epoch + progress.step
        share = done / (self.recipe.epochs * self.steps_per_epoch)
        self.embedder.loss.ramp(share)
        shown = self.data.shown(rows, progress.epoch, progress.step, share)
        labels = self.data.labels[rows.to(self.device)]
        place = (self.recipe.seed, progress.epoch, progress.step, self.ranks.rank)
        self.optimization.zero_grad()
        taught = self._taught(shown.whole, done)
        with seeded(self.device, *place):
            loss = self._loss_of(shown.images, labels, shown.partners, shown.kept, taught)
            loss.backward()
        value = float(loss.item())  # waits for the device, so as late as can be
        if not np.isfinite(value):
            raise Diverged(
                f"the loss became {value} at epoch {progress.epoch + 1}, step {progress.step + 1}; "
                "lower the learning rate or the loss's scale"
            )
        self.doctor.after_backward(progress)
        self.optimization.step()
        self.kept.after_step(done + 1)
        return value

    def _taught(self, images: Tensor, step: int) -> Float[Tensor, "p c"] | None:
        if not self.teachers:
            return None
        with self.autocast():
            return self.teachers.probabilities(images, step)

    def _end_epoch(self) -> None:
        assessed = self.ranks.broadcast_from_main(self._assessed)
        if not self.ranks.first:
            self.progress = Progress.restored(assessed)
        self.kept.after_epoch(self.progress)

    def _assessed(self) -> dict[str, Any]:
        """Add the epoch's line to the history; where the run stands then."""
        progress = self.progress
        started = time.perf_counter()
        if self.recipe.fresh_statistics:
            self._take_statistics()
        logits = self.tuning_logits()
        accuracy = (logits.argmax(dim=1) == self.splits.tuning.labels).double().mean().item()
        diagnostics = self._diagnostics()
        progress.seconds += time.perf_counter() - started
        progress.history.append(
            Epoch(
                epoch=progress.epoch + 1,
                loss=progress.loss_sum / self.steps_per_epoch,
                tuning_accuracy=accuracy,
                seconds=progress.seconds - sum(epoch.seconds for epoch in progress.history),
                diagnostics=diagnostics,
            )
        )
        self.doctor.after_epoch(progress, logits)
        progress.epoch, progress.step, progress.loss_sum = progress.epoch + 1, 0, 0.0
        return progress.state()

    def _take_statistics(self) -> None:
        with self.autocast():
            sample = self.data.images[self.data.sample()]
            recompute_batchnorm_statistics(self.kept.embedder.backbone, sample)

    @torch.no_grad()
    def tuning_logits(self) -> Float[Tensor, "n c"]:
        """Class scores of the tuning split, by the loss's own way to classify."""
        embedder = self.kept.embedder.eval()
        loss = embedder.loss
        with self.autocast():
            if loss.fits_prototypes:
                sample = self.data.sample()
                embeddings = embedder.embed(self.data.images[sample])
                loss.fit_prototypes(embeddings, self.data.labels[sample])
            embeddings = embedder.embed(self.data.tuning_images)
        return loss.logits(embeddings).cpu()

    @torch.no_grad()
    def _diagnostics(self) -> dict[str, float]:
        rows = self.data.batches(self.progress.epoch)[0].to(self.device)
        embedder = self.kept.embedder.eval()
        with self.autocast():
            embeddings = embedder.embed(self.data.images[rows])
        return dict(embedder.loss.diagnostics(embeddings, self.data.labels[rows]))

    def autocast(self) -> contextlib.AbstractContextManager[object]:
        """bfloat16 autocast where the machine computes in it, float32 otherwise."""
        return torch.autocast(
            self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16"
        )

    def state(self) -> dict[str, Any]:
        """Everything needed to go on: tensors and plain values, for `torch.save`."""
        return {
            "embedder": self.embedder.state_dict(),
            "optimization": self.optimization.state_dict(),
            "kept": self.kept.state(),
            "progress": self.progress.state(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned."""
        self.embedder.load_state_dict(state["embedder"])
        self.optimization.load_state_dict(state["optimization"])
        self.kept.load_state(state.get("kept", {}))
        self.progress = Progress.restored(state["progress"])
