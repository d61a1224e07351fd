"""Scale and margin: the numbers of the bounds, that they are tight, and the refusals."""

import math

import pytest
import torch
from torch.nn import functional as F

from training.errors import InvalidRecipe
from training.losses import make_loss
from training.losses.bounds import largest_separation_rad, smallest_scale

HEADS = ["cosface", "arcface"]


@pytest.mark.parametrize(("probability", "scale"), [(0.99, 6.1), (0.999, 8.2), (0.9999, 10.3)])
def test_smallest_scales_for_ten_classes(probability: float, scale: float) -> None:
    assert smallest_scale(10, probability) == pytest.approx(scale, abs=0.05)


@pytest.mark.parametrize("classes", [2, 10, 100])
@pytest.mark.parametrize("probability", [0.9, 0.99, 0.9999])
def test_the_smallest_scale_just_reaches_its_probability(classes: int, probability: float) -> None:
    scale = smallest_scale(classes, probability)
    best = [scale, *[-scale / (classes - 1)] * (classes - 1)]  # a simplex: the best of all heads
    assert torch.softmax(torch.tensor(best), 0)[0].item() == pytest.approx(probability, rel=1e-4)


@pytest.mark.parametrize("name", HEADS)
def test_a_scale_that_cannot_reach_99_percent_is_refused(name: str) -> None:
    least = smallest_scale(10, 0.99)
    with pytest.raises(InvalidRecipe, match=r"scale 6 .* at least 6\.11"):
        make_loss(name, 10, 64, {"scale": 6.0})
    make_loss(name, 10, 64, {"scale": least})


@pytest.mark.parametrize(
    ("name", "classes", "dimension", "largest"),
    [
        ("cosface", 10, 2, 1 - math.cos(math.radians(36))),  # 0.19
        ("arcface", 10, 2, math.radians(36)),
        ("cosface", 10, 64, 1 + 1 / 9),
        ("arcface", 10, 64, math.acos(-1 / 9)),
        ("cosface", 100, 64, 1.0),
        ("arcface", 100, 64, math.pi / 2),
        ("arcface", 100, 3, math.radians(22.957)),  # 100 caps, each a hundredth of the sphere
    ],
)
def test_a_margin_that_does_not_fit_is_refused(
    name: str, classes: int, dimension: int, largest: float
) -> None:
    make_loss(name, classes, dimension, {"margin": largest - 1e-3})
    for margin in (largest + 1e-3, -1e-3, math.nan):
        with pytest.raises(InvalidRecipe, match=f"margin .* allow 0 to {largest:.3f}"):
            make_loss(name, classes, dimension, {"margin": margin})


def test_cosface_on_the_plane_holds_a_margin_of_019() -> None:
    assert 1 - math.cos(largest_separation_rad(10, 2)) == pytest.approx(0.19, abs=0.005)
    with pytest.raises(InvalidRecipe):
        make_loss("cosface", 10, 2)  # its default of 0.2 is already too large


def smallest_angle_rad(directions: torch.Tensor) -> float:
    cosines = F.normalize(directions) @ F.normalize(directions).T
    others = ~torch.eye(len(directions), dtype=torch.bool)
    return math.acos(cosines[others].max().clamp(-1, 1).item())


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_equal_steps_on_the_circle_attain_the_bound(classes: int) -> None:
    angles = torch.arange(classes, dtype=torch.float64) * 2 * math.pi / classes
    circle = torch.stack([angles.cos(), angles.sin()], dim=1)
    bound = largest_separation_rad(classes, 2)
    assert smallest_angle_rad(circle) == pytest.approx(bound, abs=1e-6)


@pytest.mark.parametrize("classes", [3, 4, 10])
def test_a_simplex_attains_the_bound(classes: int) -> None:
    simplex = torch.eye(classes, dtype=torch.float64) - 1 / classes
    bound = largest_separation_rad(classes, classes - 1)
    assert smallest_angle_rad(simplex) == pytest.approx(bound, abs=1e-6)


@pytest.mark.parametrize("dimension", [3, 5])
def test_the_axes_and_their_opposites_attain_the_bound(dimension: int) -> None:
    axes = torch.eye(dimension, dtype=torch.float64)
    bound = largest_separation_rad(2 * dimension, dimension)
    assert smallest_angle_rad(torch.cat([axes, -axes])) == pytest.approx(bound, abs=1e-6)


def test_the_icosahedron_comes_near_the_bound() -> None:
    golden = (1 + math.sqrt(5)) / 2
    corners = [(0.0, one, two * golden) for one in (1, -1) for two in (1, -1)]
    turned = [row[-turn:] + row[:-turn] for row in corners for turn in range(3)]
    angle = smallest_angle_rad(torch.tensor(turned, dtype=torch.float64))
    assert angle == pytest.approx(math.radians(63.435), abs=1e-4)
    assert angle < largest_separation_rad(12, 3) == pytest.approx(2 * math.acos(5 / 6))


@pytest.mark.parametrize(
    ("classes", "dimension"), [(3, 2), (4, 3), (5, 3), (7, 3), (12, 3), (10, 64)]
)
def test_no_arrangement_exceeds_the_bound(classes: int, dimension: int) -> None:
    generator = torch.Generator().manual_seed(0)
    bound = largest_separation_rad(classes, dimension)
    for _ in range(200):
        directions = torch.randn(classes, dimension, generator=generator, dtype=torch.float64)
        assert smallest_angle_rad(directions) <= bound + 1e-9
