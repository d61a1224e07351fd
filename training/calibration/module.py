"""The network as it is served: everything after decoding, in one module that exports to ONNX."""

import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from models.evidence.confidence import ConfidenceMap
from training.calibration.confidence_map import ConfidenceLayer
from training.losses.base import Loss
from training.networks.embedder import Embedder


class ServedModel(nn.Module):
    """uint8 images [b, h, w, 3] to the embedding [b, d] and calibrated probabilities [b, c].

    The embedding has unit length where the loss's metric is cosine. Probabilities are
    softmax(logits / temperature), whose highest goes through the confidence map if there is one.
    """

    backbone: nn.Module
    loss: Loss
    temperature: Tensor

    def __init__(
        self,
        embedder: "Embedder | ServedModel",
        temperature: float = 1.0,
        confidence_map: ConfidenceMap | None = None,
    ) -> None:
        super().__init__()
        self.backbone = embedder.backbone
        self.loss = embedder.loss
        self.register_buffer("temperature", torch.tensor(temperature))
        self.confidence_layer = ConfidenceLayer(confidence_map) if confidence_map else nn.Identity()

    def uncalibrated(self) -> "ServedModel":
        """The same network at temperature 1, without a confidence map; it shares the weights."""
        return ServedModel(self).eval()

    @property
    def parameter_count(self) -> int:
        """Trainable numbers in backbone and head."""
        return sum(parameter.numel() for parameter in self.parameters())

    @property
    def class_weights(self) -> Float32[np.ndarray, "c d"] | None:
        """The head's own weight vector for each class; None where it has none."""
        found = self.loss.class_weights()
        return None if found is None else found.detach().numpy()

    def forward(
        self, images: UInt8[Tensor, "b h w 3"]
    ) -> tuple[Float[Tensor, "b d"], Float[Tensor, "b c"]]:
        """The graph's two outputs, `embedding` and `probabilities`."""
        features = self.backbone(images)
        logits = self.loss.compute_logits(features)
        embedding = F.normalize(features) if self.loss.metric == "cosine" else features
        return embedding, self.confidence_layer(torch.softmax(logits / self.temperature, dim=1))
