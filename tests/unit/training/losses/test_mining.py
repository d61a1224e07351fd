"""The negative of each pair: against a triple loop, and beside what others call semi-hard."""

import math

import pytest
import torch
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.miners import TripletMarginMiner
from torch import Tensor
from torch.nn import functional as F

from tests.support.loss_batches import random_batch
from tests.support.naive_losses import semi_hard_triplets
from training.losses.triplet import TripletLoss, mine

MARGIN = 0.2


def assert_mined_as_naively(rows: Tensor, labels: Tensor) -> None:
    pairs, points = mine(rows, labels), rows.tolist()
    triplets = semi_hard_triplets(points, labels.tolist())
    positive = [math.dist(points[a], points[p]) for a, p, _ in triplets]
    negative = [math.dist(points[a], points[n]) for a, _, n in triplets]
    torch.testing.assert_close(pairs.positive, torch.tensor(positive, dtype=torch.float64))
    torch.testing.assert_close(pairs.negative, torch.tensor(negative, dtype=torch.float64))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("size", "classes"), [(2, 2), (9, 2), (30, 3), (40, 25)])
def test_random_batches(size: int, classes: int, seed: int) -> None:
    embeddings, labels = random_batch(size, classes, 3, seed)
    assert_mined_as_naively(F.normalize(embeddings), labels)


@pytest.mark.parametrize("seed", range(5))
def test_ties_and_duplicates(seed: int) -> None:
    """On a 3 x 3 grid distances are exact, and most of them occur many times."""
    generator = torch.Generator().manual_seed(seed)
    grid = torch.randint(0, 3, (30, 2), generator=generator).double()
    assert_mined_as_naively(grid, torch.randint(0, 3, (30,), generator=generator))


def test_a_negative_as_far_as_the_positive_is_not_farther() -> None:
    line = torch.tensor([[0.0], [1.0], [-1.0], [3.0]], dtype=torch.float64)
    pairs = mine(line, torch.tensor([0, 0, 1, 1]))
    assert pairs.negative[0].item() == 3.0  # not the one at distance 1


@pytest.mark.parametrize("apart", [1e-4, 1e-2, 1.0])
def test_near_neighbors_lose_nothing_to_the_product(apart: float) -> None:
    """In float32 |x|^2 + |y|^2 - 2 xy is off by 1e-7: more than the square of 1e-4."""
    generator = torch.Generator().manual_seed(0)
    rows = F.normalize(torch.randn(20, 64, generator=generator))
    near = F.normalize(rows + apart * F.normalize(torch.randn(20, 64, generator=generator)))
    points = torch.cat([rows, near]).requires_grad_()
    labels = torch.arange(20).repeat(2)
    found = mine(points, labels).positive
    exact = (points - points.roll(20, 0)).norm(dim=1)
    torch.testing.assert_close(found, exact, rtol=1e-4, atol=0)
    pulls = [torch.autograd.grad(one.sum(), points)[0] for one in (found, exact)]
    torch.testing.assert_close(*pulls, rtol=0, atol=2e-3)


def test_copies_lie_at_distance_0() -> None:
    rows = F.normalize(torch.randn(33, 64, generator=torch.Generator().manual_seed(0)))
    assert not mine(rows.repeat(2, 1), torch.arange(33).repeat(2)).positive.any()


def chords(*distances: float) -> Tensor:
    """Points on the unit circle at these distances from the first point, at angle 0."""
    angles = [2 * math.asin(distance / 2) for distance in (0.0, *distances)]
    return torch.tensor([[math.cos(a), math.sin(a)] for a in angles], dtype=torch.float64)


def face_net_band(rows: Tensor, labels: list[int]) -> set[float]:
    """FaceNet draws one of d_ap < d_an < d_ap + m for the pair (0, 1); here all candidates."""
    d_ap = math.dist(rows[0].tolist(), rows[1].tolist())
    reach = [math.dist(rows[0].tolist(), row.tolist()) for row in rows]
    candidates = [d for d, label in zip(reach, labels, strict=True) if label != labels[0]]
    return {round(d, 6) for d in candidates if d_ap < d < d_ap + MARGIN}


def metric_learning_semi_hard(rows: Tensor, labels: list[int]) -> list[float]:
    """Return the triplet that pytorch-metric-learning makes of the pair (0, 1)."""
    miner = TripletMarginMiner(MARGIN, type_of_triplets="semihard", distance=LpDistance())
    columns = [column.tolist() for column in miner(rows, torch.tensor(labels))]
    negatives = [n for a, p, n in zip(*columns, strict=True) if (a, p) == (0, 1)]
    return sorted(round(math.dist(rows[0].tolist(), rows[n].tolist()), 6) for n in negatives)


@pytest.mark.parametrize(
    ("negatives", "ours", "band"),
    [
        pytest.param((0.3, 0.55, 0.65, 0.9), 0.55, [0.55, 0.65], id="two in the band"),
        pytest.param((0.3, 0.9), 0.9, [], id="none in the band, one beyond"),
        pytest.param((0.3, 0.4), 0.4, [], id="all nearer than the positive"),
    ],
)
def test_three_things_are_called_semi_hard(
    negatives: tuple[float, ...], ours: float, band: list[float]
) -> None:
    """For one pair at distance 0.5: the table in docs/losses.md."""
    rows, labels = chords(0.5, *negatives), [0, 0, *[1] * len(negatives)]
    assert mine(rows, torch.tensor(labels)).negative[0].item() == pytest.approx(ours)
    assert face_net_band(rows, labels) == set(band)
    assert metric_learning_semi_hard(rows, labels) == band


def test_satisfied_pairs_count_in_the_mean() -> None:
    """Four ordered pairs, of which two cost nothing: the mean is over all four."""
    angles = torch.tensor([0.0, 20.0, 35.0, 180.0], dtype=torch.float64).deg2rad()
    circle = torch.stack([angles.cos(), angles.sin()], dim=1)
    chord = {degrees: 2 * math.sin(math.radians(degrees) / 2) for degrees in (35, 145, 160)}
    hinges = [0, 0, chord[145] - chord[35] + MARGIN, chord[145] - chord[160] + MARGIN]
    value = TripletLoss(2, 2, margin=MARGIN).double()(circle, torch.tensor([0, 0, 1, 1]))
    assert value.item() == pytest.approx(sum(hinges) / 4)
