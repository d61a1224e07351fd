"""Directions in which the training images hardly vary, and that the first layer blows up."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from training.diagnostics.detector import Detector, Diagnosis

NOISE_SD = 8.0  # of 255, milder than most cameras in a dim room
WORST_RATIO = 2.0
IMAGES = 64


@dataclass(frozen=True)
class FilterResponses:
    """The response of each filter of the first convolution, as variances over places.

    `signal` by the training images, `noise` by Gaussian noise of sd `NOISE_SD` added to them.
    """

    layer: str
    signal: Float[Tensor, " f"]
    noise: Float[Tensor, " f"]


class FaintDirections(Detector[FilterResponses]):
    """Warns where faint noise moves a filter of the first layer more than images move any.

    A layer that divides by the deviation of what it saw (a whitening) does so where that is next to
    nothing, such as fine color in images that were all stored as JPEG at half the color
    resolution; images from elsewhere then drown in noise that no one can see. On CIFAR-10's JPEG
    edition, noise moves a filter of airbench's whitening 26 times as much at a floor of 5e-4, and
    the model lost 50 points of accuracy; at a floor of 0.02, at most 0.82 times.
    """

    name: ClassVar[str] = "faint-directions"

    def examine(self, seen: FilterResponses) -> Diagnosis | None:
        """Find filters that noise moves `WORST_RATIO` times as much as images move the loudest."""
        loudest = seen.signal.max().clamp(min=torch.finfo(seen.signal.dtype).tiny)
        ratios = seen.noise / loudest
        faint = ratios > WORST_RATIO
        if not faint.any():
            return None
        worst = float(ratios.max())
        return Diagnosis(
            f"noise of sd {NOISE_SD:g} (of 255) moves {int(faint.sum())} of {len(ratios)} filters "
            f"of {seen.layer} more than the training images move any, the worst {worst:.3g} "
            "times as much in variance: images with a little noise will be answered wrongly; "
            "average color with smooth_chroma = true, raise whitening_floor to 0.02 or more, or "
            "train on noise with noise_sd",
            degree=worst,
        )


class _FirstLayerReached(Exception):
    """The first convolution has answered; what follows is of no interest."""


@torch.no_grad()
def first_responses(
    backbone: nn.Module, images: UInt8[Tensor, "n h w 3"]
) -> FilterResponses | None:
    """Ask the backbone's first convolution about images, plain and with noise; None without one.

    Draws from a generator of its own, and leaves the backbone as it was.
    """
    found = [(name, one) for name, one in backbone.named_modules() if isinstance(one, nn.Conv2d)]
    if not found or not len(images):
        return None
    name, layer = found[0]
    device = layer.weight.device
    plain = images[:: max(1, len(images) // IMAGES)][:IMAGES].float().cpu()
    random = torch.randn(plain.shape, generator=torch.Generator().manual_seed(0))
    before, after = (
        _answers(backbone, layer, shown.to(device)) for shown in (plain, plain + NOISE_SD * random)
    )
    return FilterResponses(name, _variances(before), _variances(after - before))


def _answers(backbone: nn.Module, layer: nn.Module, images: Tensor) -> Tensor:
    kept: list[Tensor] = []

    def keep(_layer: nn.Module, _given: object, answer: Tensor) -> None:
        kept.append(answer.double())
        raise _FirstLayerReached

    training, handle = backbone.training, layer.register_forward_hook(keep)
    try:
        backbone.eval()(images)
    except _FirstLayerReached:
        pass
    finally:
        handle.remove()
        backbone.train(training)
    return kept[0]


def _variances(answers: Float[Tensor, "n f h w"]) -> Float[Tensor, " f"]:
    return answers.var(dim=(0, 2, 3), correction=0).cpu()
