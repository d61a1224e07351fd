"""Runs beside a run: the same recipe without some classes, or with a true 2-D embedding."""

from training.config import Recipe
from training.errors import InvalidDataset
from training.losses import ALL_LOSSES

PLANE_DIMENSIONS = 2
_GROUPS = 5
FEWEST_KNOWN = 2


def left_out(class_names: tuple[str, ...], number: int) -> tuple[str, ...]:
    """The classes that round `number` does not see: a fifth of them, others each round.

    Five rounds leave out each class once. Raises InvalidDataset where two would not remain.
    """
    groups = min(_GROUPS, len(class_names))
    names = class_names[number % groups :: groups]
    if len(class_names) - len(names) < FEWEST_KNOWN:
        raise InvalidDataset(
            f"{len(class_names)} classes are too few to leave one out and keep {FEWEST_KNOWN}"
        )
    return names


def plane(recipe: Recipe, classes: int) -> Recipe:
    """The recipe with 2-D embeddings, and no larger a margin than 2-D holds."""
    fitted = ALL_LOSSES[recipe.loss].fitted_to(recipe.parameters, classes, PLANE_DIMENSIONS)
    return recipe.varied(embedding_size=PLANE_DIMENSIONS, parameters=fitted)
