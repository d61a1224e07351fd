"""Each loss again, from its definition: float64, one number at a time, in Python loops.

Written from the equations in docs/losses.md, with acos and nested loops where the code avoids both.
"""

import math
from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

Rows = list[list[float]]


def softmax(loss: Any, rows: Rows, labels: list[int]) -> float:
    return _mean(
        _cross_entropy(_linear(loss, row), label) for row, label in zip(rows, labels, strict=True)
    )


def center(loss: Any, rows: Rows, labels: list[int]) -> float:
    centers = loss.centers.tolist()
    pull = _mean(
        sum((value - place) ** 2 for value, place in zip(row, centers[label], strict=True))
        for row, label in zip(rows, labels, strict=True)
    )
    weight: float = loss.weight
    return softmax(loss, rows, labels) + weight / 2 * pull


def cosface(loss: Any, rows: Rows, labels: list[int]) -> float:
    return _margin_softmax(loss, rows, labels, lambda theta, m: math.cos(theta) - m)


def arcface(loss: Any, rows: Rows, labels: list[int]) -> float:
    def widened(theta: float, m: float) -> float:
        past_pi = theta + m > math.pi
        return math.cos(theta) - m * math.sin(m) if past_pi else math.cos(theta + m)

    return _margin_softmax(loss, rows, labels, widened)


def triplet(loss: Any, rows: Rows, labels: list[int]) -> float:
    unit = [_unit(row) for row in rows]
    hinges = [
        max(math.dist(unit[a], unit[p]) - math.dist(unit[a], unit[n]) + loss.margin.item(), 0.0)
        for a, p, n in semi_hard_triplets(unit, labels)
    ]
    return _mean(hinges) if hinges else 0.0


def semi_hard_triplets(rows: Rows, labels: list[int]) -> list[tuple[int, int, int]]:
    """(anchor, positive, negative): the nearest negative with d_an > d_ap, else the farthest."""
    triplets = []
    for a, p in product(range(len(rows)), repeat=2):
        negatives = [n for n in range(len(rows)) if labels[n] != labels[a]]
        if a == p or labels[a] != labels[p] or not negatives:
            continue
        reach = {n: math.dist(rows[a], rows[n]) for n in negatives}
        farther = [n for n in negatives if reach[n] > math.dist(rows[a], rows[p])]
        chosen = min(farther, key=reach.__getitem__) if farther else max(reach, key=reach.get)  # type: ignore[arg-type]
        triplets.append((a, p, chosen))
    return triplets


NAIVE: dict[str, Callable[[Any, Rows, list[int]], float]] = {
    "softmax": softmax,
    "center": center,
    "cosface": cosface,
    "arcface": arcface,
    "triplet": triplet,
}


def finite_differences(value: Callable[[Rows], float], rows: Rows, step: float = 1e-6) -> Rows:
    """d value / d rows, by central differences."""

    def moved(i: int, k: int, by: float) -> Rows:
        copy = [list(row) for row in rows]
        copy[i][k] += by
        return copy

    return [
        [
            (value(moved(i, k, step)) - value(moved(i, k, -step))) / (2 * step)
            for k in range(len(row))
        ]
        for i, row in enumerate(rows)
    ]


def _margin_softmax(
    loss: Any, rows: Rows, labels: list[int], with_margin: Callable[[float, float], float]
) -> float:
    scale, margin, weight = loss.scale.item(), loss.margin.item(), loss.weight.tolist()
    entropies = []
    for row, label in zip(rows, labels, strict=True):
        thetas = [math.acos(max(-1.0, min(1.0, _dot(_unit(row), _unit(w))))) for w in weight]
        scores = [scale * math.cos(theta) for theta in thetas]
        scores[label] = scale * with_margin(thetas[label], margin)
        entropies.append(_cross_entropy(scores, label))
    return _mean(entropies)


def _linear(loss: Any, row: list[float]) -> list[float]:
    weight, bias = loss.linear.weight.tolist(), loss.linear.bias.tolist()
    return [_dot(w, row) + b for w, b in zip(weight, bias, strict=True)]


def _cross_entropy(scores: list[float], label: int) -> float:
    top = max(scores)
    return top + math.log(sum(math.exp(score - top) for score in scores)) - scores[label]


def _unit(row: list[float]) -> list[float]:
    length = math.sqrt(_dot(row, row))
    return [value / length for value in row]


def _dot(left: Sequence[float], right: Sequence[float]) -> float:
    return math.fsum(a * b for a, b in zip(left, right, strict=True))


def _mean(values: Any) -> float:
    listed = list(values)
    return math.fsum(listed) / len(listed)
