"""From a trained embedder to the network that is served, whose confidence can be believed."""

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from models.evidence.confidence import Calibration, ConfidenceMap, TriedMap
from training.confidence_map import ConfidenceLayer, fit_confidence_map
from training.data.dataset import Splits
from training.embedder import Embedder
from training.evaluate.calibration import fit_temperature
from training.evaluate.confidence import calibration_error, equal_width
from training.served import ServedModel

_KNOTS = (3, 4, 6, 8, 12)
_IMAGES_PER_KNOT = 100


@torch.no_grad()
def calibrate(embedder: Embedder, splits: Splits) -> tuple[ServedModel, Calibration]:
    """Fit prototypes on the training split where the loss has them; then temperature and map.

    Both are fitted on the calibration split, which nothing else has used. Whether the temperature
    needs a map, and with how many knots, is what gives the tuning split the least ECE.
    """
    loss = embedder.loss
    if loss.fits_prototypes:
        loss.fit_prototypes(embedder.embed(splits.train.images), splits.train.labels)
    fits, chooses = splits.calibration.labels, splits.tuning.labels
    logits = loss.logits(embedder.embed(splits.calibration.images))
    fitted = fit_temperature(logits, fits)
    tempered, others = (
        torch.softmax(scores / fitted.temperature, dim=1)
        for scores in (logits, loss.logits(embedder.embed(splits.tuning.images)))
    )
    chosen, tried = _choose_map((tempered, fits), (others, chooses))
    calibration = fitted.model_copy(update={"confidence_map": chosen, "tried": tried})
    return ServedModel(embedder, fitted.temperature, chosen).eval(), calibration


_Told = tuple[Float[Tensor, "n c"], Int64[Tensor, " n"]]


def _choose_map(fits: _Told, chooses: _Told) -> tuple[ConfidenceMap | None, tuple[TriedMap, ...]]:
    """Fit a map with each number of knots to the one, and take the best for the other."""
    candidates: dict[int, ConfidenceMap | None] = {0: None}
    for knots in _KNOTS:
        if len(fits[1]) >= knots * _IMAGES_PER_KNOT and (found := _fit(fits, knots)):
            candidates[knots] = found
    errors = {knots: _error(chooses, found) for knots, found in candidates.items()}
    best = min(errors, key=lambda knots: errors[knots])  # the first of equals
    tried = tuple(TriedMap(knots=knots, tuning_ece=error) for knots, error in errors.items())
    return candidates[best], tried


def _fit(told: _Told, knots: int) -> ConfidenceMap | None:
    probabilities, labels = told
    right = (probabilities.argmax(dim=1) == labels).double().numpy()
    return fit_confidence_map(probabilities, right, knots)


def _error(told: _Told, knots: ConfidenceMap | None) -> float:
    probabilities, labels = told
    mapped = probabilities if knots is None else ConfidenceLayer(knots)(probabilities)
    highest, predicted = mapped.double().max(dim=1)
    order = highest.argsort(stable=True)
    right = (predicted == labels).double()
    confidence = np.minimum(highest[order].numpy(), 1)
    return calibration_error(confidence, right[order].numpy(), equal_width)
