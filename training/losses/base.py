"""The protocol of a loss; the trainer, the evaluation and the export know nothing more."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from itertools import chain
from typing import ClassVar, Literal, NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from models.manifest import Metric
from training.diagnostics.detector import Detector, TrainingSnapshot
from training.errors import InvalidRecipe

Sampling = Literal["shuffled", "balanced"]


class Range(NamedTuple):
    """The search range of a parameter; `log` where its magnitude matters."""

    low: float
    high: float
    log: bool = False


class Loss(nn.Module, ABC):
    """A training objective over embeddings, and how it classifies afterwards.

    Subclasses implement `compute_loss` and `compute_logits` on float32 (or float64) embeddings;
    callers use `forward` and `logits`, which lift half precision and switch autocast off.

    >>> from training.losses import make_loss
    >>> loss = make_loss("cosface", classes=3, dimension=2)
    >>> embeddings = torch.tensor([[1.0, 0.0], [0.0, 2.0]], requires_grad=True)
    >>> loss(embeddings, torch.tensor([0, 1])).backward()
    >>> embeddings.grad.shape, loss.logits(embeddings).shape
    (torch.Size([2, 2]), torch.Size([2, 3]))
    >>> loss.metric, loss.sampling
    ('cosine', 'shuffled')
    """

    metric: ClassVar[Metric]
    """The distance that the embedding space is trained for."""
    sampling: ClassVar[Sampling] = "shuffled"
    """`balanced` asks for P x K batches: P classes, K images of each."""
    fits_prototypes: ClassVar[bool] = False
    """Whether `logits` compares with class means that must be fitted after training."""

    mixable: ClassVar[bool] = False
    """Whether it is a mean over images, each by itself, so that an image may count for two classes
    in shares."""

    search: ClassVar[Mapping[str, Range]] = {}
    """Where tuning looks for the loss's own parameters."""

    importance: Tensor | None
    """How much an image of each class counts, [c]; None where all count alike."""

    @classmethod
    def largest_margin(cls, classes: int, dimension: int) -> float | None:
        """The margin that so many classes and dimensions can hold, in the loss's own unit.

        None where nothing bounds it.
        """
        return None

    @classmethod
    def fitted_to(
        cls, parameters: Mapping[str, float], classes: int, dimension: int
    ) -> dict[str, float]:
        """`parameters`, with those reduced that this many classes and dimensions cannot hold."""
        return dict(parameters)

    @classmethod
    def search_within(cls, classes: int, dimension: int) -> Mapping[str, Range]:
        """`search`, less what this many classes and dimensions make useless or impossible."""
        return cls.search

    def __init__(self, classes: int, dimension: int) -> None:
        super().__init__()
        self.classes = classes
        self.dimension = dimension
        # Not saved: the trainer derives it from the training labels, and inference has no use of it
        self.register_buffer("importance", None, persistent=False)

    def forward(self, embeddings: Float[Tensor, "b d"], labels: Int64[Tensor, " b"]) -> Tensor:
        """The batch's mean loss, a scalar in float32 whatever the embeddings' precision."""
        with torch.autocast(embeddings.device.type, enabled=False):
            return self.compute_loss(_lift(embeddings), labels)

    def logits(self, embeddings: Float[Tensor, "b d"]) -> Float[Tensor, "b c"]:
        """Class scores at inference, without any margin; softmax of them is uncalibrated."""
        with torch.autocast(embeddings.device.type, enabled=False):
            return self.compute_logits(_lift(embeddings))

    @abstractmethod
    def compute_loss(self, embeddings: Float[Tensor, "b d"], labels: Int64[Tensor, " b"]) -> Tensor:
        """The mean loss over the batch, from embeddings as the backbone gives them."""

    @abstractmethod
    def compute_logits(self, embeddings: Float[Tensor, "b d"]) -> Float[Tensor, "b c"]:
        """Class scores, from embeddings as the backbone gives them; exported to ONNX."""

    def weigh_classes(self, importance: Float[Tensor, " c"] | None) -> None:
        """Let images of class j count `importance[j]` times; None lets all count alike again.

        Only the ratios matter. Raises InvalidRecipe for other than one positive number a class.
        """
        if importance is None:
            self.importance = None
            return
        positive = bool((importance.isfinite() & (importance > 0)).all())
        if importance.shape != (self.classes,) or not positive:
            raise InvalidRecipe(
                f"class weights must be {self.classes} positive numbers, one for each class"
            )
        like = next(chain(self.parameters(), self.buffers()), importance)
        self.importance = importance.detach().to(like.device, torch.get_default_dtype())

    def mean(self, values: Float[Tensor, " b"], labels: Int64[Tensor, " b"]) -> Tensor:
        """The mean over images: sum(w_y * value) / sum(w_y) where the classes are weighted."""
        if self.importance is None:
            return values.mean()
        weights = self.importance[labels].to(values.dtype)
        return (weights * values).sum() / weights.sum()

    def cross_entropy(self, logits: Float[Tensor, "b c"], labels: Int64[Tensor, " b"]) -> Tensor:
        """Of the labels, in nats, weighted as `mean` weighs, in the logits' own precision."""
        weights = None if self.importance is None else self.importance.to(logits.dtype)
        return F.cross_entropy(logits, labels, weight=weights)

    def class_weights(self) -> Tensor | None:
        """The head's own weight vector for each class, [c, d]; None where it has none.

        Directions in space; how much a class counts is `importance`.
        """
        return None

    def fit_prototypes(self, embeddings: Float[Tensor, "n d"], labels: Int64[Tensor, " n"]) -> None:
        """Fit what `logits` compares with, where `fits_prototypes`; otherwise nothing to do."""

    def ramp(self, progress: float) -> None:
        """Told the share of training that is done, in 0..1; for margins that grow."""

    def diagnostics(
        self, embeddings: Float[Tensor, "b d"], labels: Int64[Tensor, " b"]
    ) -> Mapping[str, float]:
        """Named numbers for the training log that show whether this loss is healthy."""
        return {}

    def detectors(self) -> tuple[Detector[TrainingSnapshot], ...]:
        """Return the detectors of the ways in which only this loss goes wrong."""
        return ()

    def logit_scale(self) -> float | None:
        """The parameter that multiplies bounded scores; None where training alone sets it."""
        return None


def _lift(embeddings: Tensor) -> Tensor:
    return embeddings.to(torch.promote_types(embeddings.dtype, torch.float32))
