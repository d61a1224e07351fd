"""Where tuning looks: the optimiser's settings and the loss's own parameters."""

from collections.abc import Mapping

from training.config import Recipe
from training.losses import ALL_LOSSES, default_parameters
from training.losses.base import Range

OPTIMIZERS: Mapping[str, Mapping[str, Range]] = {
    "adamw": {
        "learning_rate": Range(5e-4, 5e-3, log=True),
        "weight_decay": Range(2e-2, 1.0, log=True),
    },
    "muon": {
        "learning_rate": Range(5e-4, 1e-2, log=True),
        "filter_learning_rate": Range(5e-2, 0.5, log=True),
        "weight_decay": Range(5e-3, 1.0, log=True),
    },
}


def starting_values(recipe: Recipe) -> dict[str, float]:
    """What the recipe itself says of every value that its search would change.

    A value of 0 switches something off, and stays: it has no place on a logarithmic scale.
    """
    own = default_parameters(recipe.loss) | recipe.parameters
    values = {name: float(getattr(recipe, name)) for name in OPTIMIZERS[recipe.optimizer]}
    values |= {name: own[name] for name in ALL_LOSSES[recipe.loss].search}
    return {name: value for name, value in values.items() if value > 0}


def search_space(recipe: Recipe, classes: int) -> dict[str, Range]:
    """Every value that is searched and its range, which always holds the recipe's own value."""
    own = ALL_LOSSES[recipe.loss].search_within(classes, recipe.embedding_size)
    ranges = {**OPTIMIZERS[recipe.optimizer], **own}
    return {
        name: Range(min(ranges[name].low, value), max(ranges[name].high, value), ranges[name].log)
        for name, value in starting_values(recipe).items()
    }


def with_values(recipe: Recipe, values: Mapping[str, float]) -> Recipe:
    """The recipe with values that a search chose."""
    settings = OPTIMIZERS[recipe.optimizer]
    parameters = {name: value for name, value in values.items() if name not in settings}
    return recipe.varied(
        **{name: value for name, value in values.items() if name in settings},
        parameters=recipe.parameters | parameters,
    )
