"""From a trained embedder to the network that is served, whose confidence can be believed."""

import torch

from models.evidence.confidence import Calibration
from training.confidence_map import fit_confidence_map
from training.data.dataset import Splits
from training.embedder import Embedder
from training.evaluate.calibration import fit_temperature
from training.served import ServedModel


@torch.no_grad()
def calibrate(embedder: Embedder, splits: Splits) -> tuple[ServedModel, Calibration]:
    """Fit prototypes on the training split where the loss has them; then temperature and map.

    Both are fitted on the calibration split, which nothing else has read: the weights are final.
    """
    loss = embedder.loss
    if loss.fits_prototypes:
        loss.fit_prototypes(embedder.embed(splits.train.images), splits.train.labels)
    held = splits.calibration.read_to_calibrate()
    labels = held.labels
    logits = loss.logits(embedder.embed(held.images))
    fitted = fit_temperature(logits, labels)
    knots = fit_confidence_map(torch.softmax(logits / fitted.temperature, dim=1), labels)
    calibration = fitted.model_copy(update={"confidence_map": knots})
    return ServedModel(embedder, fitted.temperature, knots).eval(), calibration
