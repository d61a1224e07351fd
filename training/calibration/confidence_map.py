"""A monotone map of the top probability, inside the graph, after the temperature."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int64
from scipy.optimize import minimize
from scipy.special import expit
from torch import Tensor, nn

from models.evidence.confidence import ConfidenceMap, MapCheck
from training.calibration.temperature import FOLDS

_LEAST = 1e-6  # of the distance of a probability to 0 and to 1
_LEAST_OTHER = 1e-30  # a normal float32
_AHEAD = 1e-5
_KNOTS = (3, 4, 6, 8, 12)
_PER_KNOT = 100  # images
_PARTITIONS = 3  # into folds: the luck of one decides too often
_STEPS = (0.5, 1.0)  # of the way from the probability as it is to the fitted one


class ConfidenceLayer(nn.Module):
    """Probabilities [b, c] to probabilities [b, c], of which the same class is the highest.

    The log-odds of the highest go through a rising, piecewise linear function; the others keep
    their proportions and share what remains. Where that would put another class first, the
    highest stays just ahead of it.
    """

    log_odds: Tensor
    calibrated: Tensor

    def __init__(self, knots: ConfidenceMap) -> None:
        super().__init__()
        self.register_buffer("log_odds", torch.tensor(knots.log_odds))
        self.register_buffer("calibrated", torch.tensor(knots.calibrated_log_odds))

    def forward(self, probabilities: Float[Tensor, "b c"]) -> Float[Tensor, "b c"]:
        """Map each row's highest probability, and share the rest."""
        two, columns = probabilities.topk(2, dim=1)
        highest, second = two[:, :1], two[:, 1:]
        first = torch.zeros_like(probabilities).scatter(1, columns[:, :1], 1.0)
        others = probabilities.clamp(min=_LEAST_OTHER) * (1 - first)
        rest = others.sum(dim=1, keepdim=True)  # 1 - highest, without its rounding
        doubtful = highest.clamp(_LEAST, 1 - _LEAST)
        mapped = torch.sigmoid(self._line(torch.log(doubtful) - torch.log1p(-doubtful)))
        level = second.clamp(min=_LEAST_OTHER) / (rest + second)  # the two would be equal
        mapped = torch.maximum(mapped, level + _AHEAD).clamp(max=1 - _LEAST)
        return first * mapped + others * ((1 - mapped) / rest)

    def _line(self, x: Float[Tensor, "b 1"]) -> Float[Tensor, "b 1"]:
        """Straight between the knots, and on beyond the first and the last."""
        slopes = self.calibrated.diff() / self.log_odds.diff()
        bends = slopes.diff() * torch.relu(x - self.log_odds[1:-1])
        start = self.calibrated[0] + slopes[0] * (x - self.log_odds[0])
        return start + bends.sum(dim=1, keepdim=True)


@dataclass(frozen=True)
class FittedMap:
    """The map that a split asks for, None where it asks for none, and the check that decided."""

    knots: ConfidenceMap | None
    check: MapCheck | None


def fit_confidence_map(
    probabilities: Float[Tensor, "n c"], labels: Int64[Tensor, " n"]
) -> FittedMap:
    """The mean of the maps under which right and wrong answers are most likely, knots by knots.

    Served is the log-odds' way to it that held-out images favor: none, half or all of it. Over 3
    partitions into 5 folds, half the way has to gain more than one standard error of likelihood
    over none, and all of it as much again over half. No map comes of a split that is too small
    for the fewest knots, or has mostly equal confidences: then there is no check either.
    """
    highest, predicted = probabilities.double().max(dim=1)
    odds = torch.logit(highest.clamp(_LEAST, 1 - _LEAST)).numpy()
    right = (predicted == labels).numpy()
    counts = [knots for knots in _KNOTS if len(right) >= knots * _PER_KNOT]
    line = _mean_line(odds, right, counts)
    if line is None:
        return FittedMap(None, None)
    check = _check(_gains(odds, right, counts))
    return FittedMap(line.toward(check.share) if check.share else None, check)


@dataclass(frozen=True)
class _PiecewiseLinear:
    places: Float64[np.ndarray, " k"]
    heights: Float64[np.ndarray, " k"]

    def at(self, odds: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
        """Straight on beyond the ends, as in the graph."""
        slopes = np.diff(self.heights) / np.diff(self.places)
        piece = np.clip(np.searchsorted(self.places, odds) - 1, 0, len(slopes) - 1)
        line: Float64[np.ndarray, " n"] = self.heights[piece] + slopes[piece] * (
            odds - self.places[piece]
        )
        return line

    def toward(self, share: float) -> ConfidenceMap:
        """The map that goes so far of the way from log-odds as they are to the line."""
        heights = self.places + share * (self.heights - self.places)
        return ConfidenceMap(
            log_odds=tuple(self.places.tolist()), calibrated_log_odds=tuple(heights.tolist())
        )


def _mean_line(
    odds: Float64[np.ndarray, " n"], right: Bool[np.ndarray, " n"], counts: list[int]
) -> _PiecewiseLinear | None:
    lines = [_fit(odds, right, knots) for knots in counts]
    found = [line for line in lines if line is not None]
    if not found:
        return None
    places = np.unique(np.concatenate([line.places for line in found]))
    heights = np.mean([np.interp(places, line.places, line.heights) for line in found], axis=0)
    return _PiecewiseLinear(places, heights)


def _check(gains: Float64[np.ndarray, "steps n"]) -> MapCheck:
    """Choose the last step: each taken gains more than one standard error over the one before."""
    share, before = 0.0, np.zeros(gains.shape[1])
    for step, gained in zip(_STEPS, gains, strict=True):
        if not _mean(gained - before) > _standard_error(gained - before):
            break
        share, before = step, gained
    half = gains[0]
    return MapCheck(
        folds=FOLDS,
        partitions=_PARTITIONS,
        gain_half=_mean(half),
        standard_error_half=_standard_error(half),
        gain_whole=_mean(gains[1]),
        standard_error_whole=_standard_error(gains[1] - half),
        share=share,
    )


def _mean(values: Float64[np.ndarray, " n"]) -> float:
    return float(values.mean())


def _standard_error(values: Float64[np.ndarray, " n"]) -> float:
    return float(values.std(ddof=1)) / math.sqrt(len(values))


def _gains(
    odds: Float64[np.ndarray, " n"], right: Bool[np.ndarray, " n"], counts: list[int]
) -> Float64[np.ndarray, "steps n"]:
    """Measure each step's gain on images that the map was not fitted on, mean over partitions."""
    n, gains = len(odds), np.zeros((len(_STEPS), len(odds)))
    for seed in range(_PARTITIONS):
        for held in np.array_split(np.random.default_rng(seed).permutation(n), FOLDS):
            seen = np.setdiff1d(np.arange(n), held)
            line = _mean_line(odds[seen], right[seen], counts)
            if line is None:
                continue
            plain, way = _loss(odds[held], right[held]), line.at(odds[held]) - odds[held]
            for step, row in zip(_STEPS, gains, strict=True):
                row[held] += plain - _loss(odds[held] + step * way, right[held])
    return gains / _PARTITIONS


def _loss(
    odds: Float64[np.ndarray, " n"], right: Bool[np.ndarray, " n"]
) -> Float64[np.ndarray, " n"]:
    """Of right and wrong, in nats, for each image."""
    losses: Float64[np.ndarray, " n"] = np.logaddexp(0, odds) - right * odds
    return losses


def _fit(
    odds: Float64[np.ndarray, " n"], right: Bool[np.ndarray, " n"], knots: int
) -> _PiecewiseLinear | None:
    """Knots at quantiles, targets a little inside 0 and 1 (Platt 1999).

    So a split without an error asks for no certainty.
    """
    places = np.quantile(odds, np.linspace(0, 1, knots))
    if np.diff(places).min() <= _LEAST:
        return None
    hits, misses = right.sum(), (~right).sum()
    targets = np.where(right, (hits + 1) / (hits + 2), 1 / (misses + 2))

    hats = np.stack([np.interp(odds, places, row) for row in np.eye(knots)], axis=1)

    def loss(values: Float64[np.ndarray, " k"]) -> tuple[float, Float64[np.ndarray, " k"]]:
        """With its gradient: a height is the sum of the steps up to it."""
        scores = hats @ _heights(values)
        by_height = (expit(scores) - targets) @ hats / len(odds)
        by_step = np.cumsum(by_height[::-1])[::-1] * np.append(1.0, np.exp(values[1:]))
        return float(np.mean(np.logaddexp(0, scores) - targets * scores)), by_step

    start = np.append(places[0], np.log(np.diff(places)))
    return _PiecewiseLinear(places, _heights(minimize(loss, start, jac=True, method="BFGS").x))


def _heights(values: Float64[np.ndarray, " k"]) -> Float64[np.ndarray, " k"]:
    rising: Float64[np.ndarray, " k"] = np.cumsum(np.append(values[0], np.exp(values[1:])))
    return rising
