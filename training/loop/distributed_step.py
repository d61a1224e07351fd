"""The computation of a step, on one process or several: the loss of the joined batch."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from jaxtyping import Float, Int64, Real
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from training.common.distributed import DistributedContext
from training.networks.embedder import Embedder


class DistributedStep(nn.Module):
    """From this process's part of the images to the loss of the whole batch.

    Embeddings are gathered with their gradient, and each process computes the same loss of all of
    them: class weights, centers and mined triplets are those of one process with the whole batch.
    """

    def __init__(
        self,
        embedder: Embedder,
        ranks: DistributedContext,
        autocast: Callable[[], AbstractContextManager[object]],
        *,
        compiled: bool = False,
    ) -> None:
        super().__init__()
        self.embedder = embedder
        self._ranks = ranks
        self._autocast = autocast
        # In a list, or its parameters would be registered a second time.
        self._embed = [
            torch.compile(embedder.backbone, dynamic=False) if compiled else embedder.backbone
        ]

    def forward(
        self,
        images: Real[Tensor, "p ..."],
        labels: Int64[Tensor, " b"],
        partners: Int64[Tensor, " b"] | None = None,
        kept: float = 1.0,
        taught: Float[Tensor, "p c"] | None = None,
    ) -> Float[Tensor, ""]:
        """The mean loss over the joined batch, whose labels are `labels`.

        With `partners`, image i counts to the share `kept` for its own class and else for that of
        image `partners[i]` (CutMix, arXiv 1905.04899, equation 1, for any loss that is a mean over
        images). With `taught`, what teachers say of this process's images, neither labels nor
        partners count: the loss is the cross-entropy to the teachers' probabilities, in nats.
        """
        with self._autocast(), _statistics_of(self._ranks, len(labels)):
            embeddings = self._embed[0](images)
        wide = embeddings.to(torch.promote_types(embeddings.dtype, torch.float32))
        joined = self._ranks.joined(wide, len(labels))
        if taught is not None:
            logits = self.embedder.loss.logits(joined)
            return F.cross_entropy(logits, self._ranks.joined(taught, len(labels)))
        loss: Tensor = self.embedder.loss(joined, labels)
        if partners is None:
            return loss
        others: Tensor = self.embedder.loss(joined, labels[partners])
        return kept * loss + (1 - kept) * others


def _statistics_of(ranks: DistributedContext, total: int) -> AbstractContextManager[object]:
    return JoinedBatchNorm(ranks, total) if ranks.size > 1 else nullcontext()


class JoinedBatchNorm(TorchFunctionMode):
    """Inside it, every batch norm in training takes its statistics from the joined batch.

    Works for whichever module calls `F.batch_norm`, on every device (PyTorch's SyncBatchNorm
    needs a GPU, and modules of its own). Each process tells its mean and variance, and the joined
    ones are made of them with their gradient.
    """

    def __init__(self, ranks: DistributedContext, total: int) -> None:
        super().__init__()
        self._ranks = ranks
        self._total = total

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Replace `F.batch_norm` where it would take a batch's statistics."""
        if func is F.batch_norm:
            return self._batch_norm(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))

    def _batch_norm(
        self,
        images: Tensor,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        *rest: Any,
        **options: Any,
    ) -> Tensor:
        given = dict(zip(("weight", "bias", "training", "momentum", "eps"), rest, strict=False))
        options = {
            "weight": None,
            "bias": None,
            "training": False,
            "momentum": 0.1,
            "eps": 1e-5,
        } | (given | options)
        if not options["training"]:
            usual: Tensor = F.batch_norm(images, running_mean, running_var, **options)
            return usual
        values = images.to(torch.promote_types(images.dtype, torch.float32))
        mean, var = self._joined_moments(values)
        count = values.numel() // (values.shape[1] * len(values)) * self._total
        if running_mean is not None and running_var is not None:
            with torch.no_grad():
                running_mean.lerp_(mean.to(running_mean.dtype), options["momentum"])
                unbiased = var * (count / max(1, count - 1))
                running_var.lerp_(unbiased.to(running_var.dtype), options["momentum"])
        scale = (var + options["eps"]).rsqrt()
        if options["weight"] is not None:
            scale = scale * options["weight"]
        shape = (1, -1) + (1,) * (values.ndim - 2)
        shifted = (values - mean.view(shape)) * scale.view(shape)
        if options["bias"] is not None:
            shifted = shifted + options["bias"].view(shape)
        normalized: Tensor = shifted.to(images.dtype)
        return normalized

    def _joined_moments(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and biased variance of each channel over all processes, [c] each."""
        ranks = self._ranks
        over = [0, *range(2, values.ndim)]
        var, mean = torch.var_mean(values, over, correction=0)
        moments = ranks.joined(torch.stack([mean, var]).unsqueeze(0), ranks.size)
        counts = torch.tensor(ranks.parts(self._total), device=values.device, dtype=values.dtype)
        shares = (counts / self._total).unsqueeze(1)
        means, variances = moments.unbind(dim=1)
        joined = (shares * means).sum(dim=0)
        return joined, (shares * (variances + (means - joined).square())).sum(dim=0)
