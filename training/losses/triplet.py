"""Triplet loss with semi-hard negatives, mined inside P x K batches."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn import functional as F

from training.diagnostics.collapse import TripletCollapse
from training.diagnostics.detector import Detector, TrainingSnapshot
from training.losses.base import Range
from training.losses.bounds import check_range
from training.losses.direction import direction
from training.losses.prototypes import PrototypeLoss

_SMALLEST_SQUARED = 1e-14  # less is the rounding of a float32 vector, or of the product
_LARGEST_DISTANCE = 2.0  # between two unit-length embeddings


@dataclass(frozen=True)
class Pairs:
    """Every ordered positive pair of a batch, with its mined negative's distance; [p] each."""

    anchor: Tensor
    positive: Tensor
    negative: Tensor


class TripletLoss(PrototypeLoss):
    """mean over positive pairs of max(d_ap - d_an + m, 0), on unit-length embeddings.

    Distances are Euclidean. The negative of a pair is the nearest one with d_an > d_ap, else the
    farthest negative: what TensorFlow Addons calls semi-hard. (FaceNet means the band
    d_ap < d_an < d_ap + m; pytorch-metric-learning takes every negative in it.)
    Source: Schroff et al., FaceNet, arXiv 1503.03832, equation 3.
    Classifies by minus the squared distance to class means fitted on training embeddings.
    Where classes are weighted, a pair counts as its anchor's class does. The trainer weighs none:
    P x K batches hold as many images, and so pairs, of every class.
    Raises InvalidRecipe for a margin outside 0..2.
    """

    search: ClassVar[Mapping[str, Range]] = {"margin": Range(0.05, 0.8, log=True)}
    margin: Tensor

    def __init__(self, classes: int, dimension: int, *, margin: float = 0.2) -> None:
        super().__init__(classes, dimension)
        check_range("margin", margin, 0.0, _LARGEST_DISTANCE)
        self.register_buffer("margin", torch.tensor(margin))

    def compute_loss(self, embeddings: Float[Tensor, "b d"], labels: Int64[Tensor, " b"]) -> Tensor:
        """The mean hinge; 0 where the batch holds no positive pair or no negative."""
        pairs = mine(direction(embeddings), labels)
        if pairs.positive.numel() == 0:
            return embeddings.sum() * 0
        hinges = F.relu(pairs.positive - pairs.negative + self.margin)
        return self.mean(hinges, labels[pairs.anchor])

    @torch.no_grad()
    def diagnostics(
        self, embeddings: Float[Tensor, "b d"], labels: Int64[Tensor, " b"]
    ) -> Mapping[str, float]:
        """Active fraction, mean distances and spread; a collapse shows as spread near 0."""
        unit = F.normalize(embeddings.float())
        pairs = mine(unit, labels)
        active = pairs.positive - pairs.negative + self.margin > 0
        return {
            "active_fraction": active.float().mean().item(),
            "mean_positive_distance": pairs.positive.mean().item(),
            "mean_negative_distance": pairs.negative.mean().item(),
            "spread": (unit - unit.mean(dim=0)).norm(dim=1).mean().item(),
        }

    def detectors(self) -> tuple[Detector[TrainingSnapshot], ...]:
        """Of a collapse to one point."""
        return (TripletCollapse(self.margin.item()),)


def mine(unit: Float[Tensor, "b d"], labels: Int64[Tensor, " b"]) -> Pairs:
    """Distances of every ordered positive pair and of its semi-hard negative.

    One binary search per negative, and one sort of each row's positives: O(b^2 log k) time for
    classes of k, O(b^2) memory.
    """
    distances: Tensor = _Distances.apply(unit)
    same = labels.unsqueeze(1) == labels
    members, real = _members(labels)
    itself = members == torch.arange(len(labels), device=labels.device).unsqueeze(1)
    pairs = real & ~itself & ~same.all(dim=1, keepdim=True)
    anchors, places = pairs.nonzero(as_tuple=True)
    positives = members[anchors, places]
    negatives = _semi_hard(distances.detach(), members, same)[anchors, places]
    return Pairs(anchors, distances[anchors, positives], distances[anchors, negatives])


class _Distances(torch.autograd.Function):
    """Between all rows, by products of matrices; the gradient at distance 0 is 0.

    In float64, where |x|^2 + |y|^2 - 2 xy of near neighbors loses less than float32 does in x - y.
    """

    @staticmethod
    def forward(ctx: FunctionCtx, rows: Float[Tensor, "b d"]) -> Float[Tensor, "b b"]:
        exact = rows.double()
        squares = exact.square().sum(dim=1)
        squared = torch.addmm(squares + squares.unsqueeze(1), exact, exact.T, alpha=-2)
        distances = squared.masked_fill_(squared < _SMALLEST_SQUARED, 0).sqrt_().to(rows.dtype)
        ctx.save_for_backward(rows, distances)
        return distances

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Float[Tensor, "b b"]) -> Float[Tensor, "b d"]:
        rows, distances = ctx.saved_tensors
        pulls = torch.where(distances > 0, gradient / distances, 0)
        pulls = (pulls + pulls.T).double()
        exact = rows.double()
        found: Tensor = pulls.sum(dim=1, keepdim=True) * exact - pulls @ exact
        return found.to(rows.dtype)


def _members(labels: Int64[Tensor, " b"]) -> tuple[Int64[Tensor, "b k"], Bool[Tensor, "b k"]]:
    """At [a, :]: the rows of a's class, rising, and which of them are no padding."""
    _, classes, counts = torch.unique(labels, return_inverse=True, return_counts=True)
    ordered = classes.argsort(stable=True)
    ranks = torch.arange(int(counts.max()), device=labels.device)
    places = (counts.cumsum(0) - counts).unsqueeze(1) + ranks
    rows = ordered[places.clamp(max=len(labels) - 1)]
    return rows[classes], (ranks < counts.unsqueeze(1))[classes]


def _semi_hard(
    distances: Float[Tensor, "b b"], members: Int64[Tensor, "b k"], same: Bool[Tensor, "b b"]
) -> Int64[Tensor, "b k"]:
    """The column of the nearest negative farther than each member, else of the farthest."""
    nearer, order = distances.gather(1, members).sort(dim=1)
    negatives = distances.masked_fill(same, torch.inf)
    above = torch.searchsorted(nearer, negatives)  # how many members are nearer
    nearest, columns = _nearest(negatives, above, nearer.shape[1] + 1)
    # What is farther than more members is farther than fewer: the least from the right.
    nearest, place = nearest.flip(1).cummin(dim=1)
    nearest, columns = nearest.flip(1)[:, 1:], columns.flip(1).gather(1, place).flip(1)[:, 1:]
    farthest = distances.masked_fill(same, -1).argmax(dim=1, keepdim=True)
    found = torch.where(nearest.isinf(), farthest, columns)
    return torch.empty_like(found).scatter_(1, order, found)


def _nearest(
    values: Float[Tensor, "b b"], groups: Int64[Tensor, "b b"], count: int
) -> tuple[Float[Tensor, "b g"], Int64[Tensor, "b g"]]:
    """The least value of each of `count` groups in each row, and its first column.

    inf and 0 where a group is empty, or NaN is in the row: an index whatever the embeddings are.
    """
    least = values.new_full((len(values), count), torch.inf)
    least.scatter_reduce_(1, groups, values, "amin")
    rows, columns = (values == least.gather(1, groups)).nonzero(as_tuple=True)
    first = groups.new_zeros(len(values) * count)
    places = rows * count + groups[rows, columns]
    first.scatter_reduce_(0, places, columns, "amin", include_self=False)
    return least, first.view_as(least)
