"""The compact network of the paper: two convolutions and two fully connected layers."""

from collections.abc import Mapping

from jaxtyping import Float
from torch import Tensor, nn

from training.errors import InvalidRecipe

WIDTHS = (32, 64)
HIDDEN = 256


class Compact(nn.Module):
    """conv 3x3, ReLU, max-pool, twice; flatten; fully connected, ReLU; fully connected.

    Takes normalized float images [b, 3, size_px, size_px] and gives embeddings [b, d] of any
    length. About 1.1 M parameters at 32 pixels and 64 dimensions. Pooling stands before ReLU:
    the two commute, and a quarter of the activations remain.
    """

    def __init__(self, dimension: int, size_px: int, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        if len(widths) != len(WIDTHS):
            raise InvalidRecipe(f"compact has {len(WIDTHS)} convolutions; widths are {widths}")
        first, second = widths
        cells = (size_px // 4) ** 2
        self.layers = nn.Sequential(
            nn.Conv2d(3, first, 3, padding=1),
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Conv2d(first, second, 3, padding=1),
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(second * cells, HIDDEN),
            nn.ReLU(),
            nn.Linear(HIDDEN, dimension),
        )

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
        """Embed a batch."""
        embeddings: Tensor = self.layers(images)
        return embeddings


def shape_of(state: Mapping[str, Tensor]) -> dict[str, object]:
    """Read `widths` of the Compact from its state."""
    return {"widths": tuple(len(tensor) for tensor in state.values() if tensor.ndim == 4)}
