"""From a trained embedder to the network that is served: prototypes, then one temperature."""

import torch

from models.evidence.confidence import Calibration
from training.data.dataset import Splits
from training.embedder import Embedder
from training.evaluate.calibration import fit_temperature
from training.served import ServedModel

CALIBRATION = "calibration.json"


@torch.no_grad()
def calibrate(embedder: Embedder, splits: Splits) -> tuple[ServedModel, Calibration]:
    """Fit prototypes on the training split where the loss has them; then the temperature.

    The temperature is fitted on the calibration split, which nothing else has used.
    """
    loss = embedder.loss
    if loss.fits_prototypes:
        loss.fit_prototypes(embedder.embed(splits.train.images), splits.train.labels)
    logits = loss.logits(embedder.embed(splits.calibration.images))
    calibration = fit_temperature(logits, splits.calibration.labels)
    return ServedModel(embedder, calibration.temperature).eval(), calibration
