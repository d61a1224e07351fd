"""Logistic regression with few features: Newton's method, in NumPy alone."""

import numpy as np
from numpy.typing import NDArray

_STEPS, _ENOUGH, _LEAST = 50, 1e-10, 1e-9

Values = NDArray[np.float64]


def fit_logistic(features: Values, targets: Values, weights: Values, ridge: float = 1e-9) -> Values:
    """The slopes and, last, the intercept that have the least weighted NLL.

    `features` [n, f], `targets` [n] in 0..1, `weights` [n] that sum to 1. `ridge` keeps slopes,
    in standard deviations of their feature, finite where the targets are separable by them.

    >>> line = fit_logistic(np.array([[0.0], [1.0]]), np.array([0.2, 0.8]), np.array([0.5, 0.5]))
    >>> (line * 1000).round().tolist()
    [2773.0, -1386.0]
    """
    center = features.mean(axis=0)
    spread = np.maximum(features.std(axis=0), _LEAST)
    rows = np.column_stack([(features - center) / spread, np.ones(len(features))])
    penalty = ridge * np.append(np.ones(features.shape[1]), 0.0)

    def loss(found: Values) -> float:
        odds = rows @ found
        losses = np.logaddexp(0, odds) - targets * odds
        return float(weights @ losses + penalty @ np.square(found) / 2)

    found = np.zeros(rows.shape[1])
    for _ in range(_STEPS):
        predicted = sigmoid(rows @ found)
        gradient = rows.T @ (weights * (predicted - targets)) + penalty * found
        curvature = (rows * (weights * predicted * (1 - predicted))[:, None]).T @ rows
        step = np.linalg.solve(curvature + np.diag(penalty + 1e-12), gradient)
        while loss(found - step) > loss(found) and np.abs(step).max() > _ENOUGH:
            step = step / 2
        found = found - step
        if np.abs(step).max() <= _ENOUGH:
            break
    slopes = found[:-1] / spread
    return np.append(slopes, found[-1] - slopes @ center)


def sigmoid(odds: Values) -> Values:
    """The probabilities of log-odds, without overflow."""
    found: Values = 0.5 * (1 + np.tanh(odds / 2))
    return found
