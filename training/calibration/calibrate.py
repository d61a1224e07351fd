"""From a trained embedder to the network that is served, whose confidence can be believed."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from models.evidence.confidence import Calibration
from training.calibration.confidence_map import fit_confidence_map
from training.calibration.module import ServedModel
from training.calibration.temperature import fit_temperature
from training.data.dataset import Splits
from training.networks.embedder import Embedder


@torch.no_grad()
def calibrate(embedder: Embedder, splits: Splits) -> tuple[ServedModel, Calibration]:
    """Fit prototypes on the training split where the loss has them; then temperature and map.

    Both are fitted on the calibration split, which nothing else has read: the weights are final.
    """
    loss = embedder.loss
    if loss.fits_prototypes:
        loss.fit_prototypes(embedder.embed(splits.train.images), splits.train.labels)
    held = splits.calibration.read_to_calibrate()
    calibration = fit_calibration(loss.logits(embedder.embed(held.images)), held.labels)
    served = ServedModel(embedder, calibration.temperature, calibration.confidence_map)
    return served.eval(), calibration


def fit_calibration(logits: Float[Tensor, "n c"], labels: Int64[Tensor, " n"]) -> Calibration:
    """The temperature, and the map of the highest probability, that a calibration split favors."""
    fitted = fit_temperature(logits, labels)
    map_ = fit_confidence_map(torch.softmax(logits / fitted.temperature, dim=1), labels)
    return fitted.model_copy(update={"confidence_map": map_.knots, "map_check": map_.check})
