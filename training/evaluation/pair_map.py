"""From a pair's score to the chance that both images show one class: three kinds of map."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.special import logit
from sklearn.isotonic import IsotonicRegression

from models.evidence.pairs import Method, PairMap
from models.logistic import fit_logistic
from models.manifest import Metric

_LEAST = 1e-9
_KNOTS = 48
_CLOSER = 1e-9  # scores nearer than this are one knot

Values = Float64[np.ndarray, " b"]
Features = Float64[np.ndarray, "b f"]


@dataclass(frozen=True)
class Binned:
    """Pairs by score: each bin's score, and its share of all genuine and of all impostor pairs."""

    scores: Values
    genuine: Values
    impostor: Values
    most: float  # of the log-odds, either way: what so many images can show

    @property
    def weight(self) -> Values:
        """Each bin's weight where both kinds weigh the same; the sum is 1."""
        weight: Values = (self.genuine + self.impostor) / 2
        return weight

    @property
    def share(self) -> Values:
        """The share of genuine pairs in each bin at a balanced prior; 1/2 where it is empty."""
        whole = self.genuine + self.impostor
        share: Values = np.where(whole > 0, self.genuine / np.where(whole > 0, whole, 1), 0.5)
        return share

    def nll(self, map_: PairMap) -> float:
        """The mean negative log-likelihood of the pairs, balanced, in nats."""
        odds = np.interp(self.scores, map_.scores, map_.log_odds)
        losses = self.genuine * np.logaddexp(0, -odds) + self.impostor * np.logaddexp(0, odds)
        return float(losses.sum() / 2)


def fit_map(method: Method, pairs: Binned, metric: Metric) -> PairMap:
    """The map of that kind with the least NLL of the pairs."""
    return _FITS[method](pairs, metric)


def _logistic(pairs: Binned, metric: Metric) -> PairMap:
    """Platt 1999: log-odds that are straight in the score."""
    del metric
    return _parametric(pairs, pairs.scores[:, None])


def _beta(pairs: Binned, metric: Metric) -> PairMap:
    """Kull et al. 2017: a ln u - b ln(1 - u) + c of a score u in 0..1, a and b not below 0."""
    if metric == "cosine":
        shares = (pairs.scores + 1) / 2
    else:
        middle = np.interp(0.5, np.cumsum(pairs.weight), -pairs.scores)
        shares = np.exp(pairs.scores / max(middle, _LEAST))
    shares = np.clip(shares, _LEAST, 1 - _LEAST)
    features = np.stack([np.log(shares), -np.log1p(-shares)], axis=1)
    return _parametric(pairs, features)


def _isotonic(pairs: Binned, metric: Metric) -> PairMap:
    """Log-odds straight between the middles of the steps that never fall."""
    del metric
    weight = pairs.weight
    full = weight > 0
    scores, weight = pairs.scores[full], weight[full]
    fitted = IsotonicRegression().fit(scores, pairs.share[full], weight).predict(scores)
    steps = np.unique(fitted, return_inverse=True)[1]
    total = np.bincount(steps, weight)
    middles = np.bincount(steps, weight * scores) / total
    return _knots(middles, logit(np.unique(fitted)), pairs.most)


_FITS: Mapping[Method, Callable[[Binned, Metric], PairMap]] = {
    "logistic": _logistic,
    "beta": _beta,
    "isotonic": _isotonic,
}
METHODS: Sequence[Method] = tuple(_FITS)


def _parametric(pairs: Binned, features: Features) -> PairMap:
    """A logistic regression whose coefficients are not below 0; those that would be are 0."""
    kept = np.ones(features.shape[1], np.bool_)
    while True:
        coefficients = np.zeros(features.shape[1] + 1)
        coefficients[np.append(kept, True)] = fit_logistic(
            features[:, kept], pairs.share, pairs.weight
        )
        negative = kept & (coefficients[:-1] < 0)
        if not negative.any():
            break
        kept &= ~negative
    odds = features @ coefficients[:-1] + coefficients[-1]
    places = np.unique(np.linspace(0, len(odds) - 1, _KNOTS).round().astype(np.int64))
    return _knots(pairs.scores[places], odds[places], pairs.most)


def _knots(scores: Values, odds: Values, most: float) -> PairMap:
    """Rising scores, log-odds that do not fall, neither beyond what the images can show."""
    apart = np.append(True, np.diff(scores) > _CLOSER)
    scores, odds = scores[apart], np.maximum.accumulate(np.clip(odds[apart], -most, most))
    if len(scores) == 1:
        scores, odds = np.append(scores, scores[0] + _CLOSER * 2), np.repeat(odds, 2)
    return PairMap(scores=tuple(scores.tolist()), log_odds=tuple(odds.tolist()))
