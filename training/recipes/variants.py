"""Runs beside a run: the same recipe without some classes, or with a true 2-D embedding."""

from hashlib import sha256

from training.errors import InvalidDataset
from training.losses import ALL_LOSSES
from training.recipes.recipe import Recipe

PLANE_DIMENSIONS = 2
_GROUPS, _GROUPS_LEFT_OUT = 5, 2
_MANY = 200
FEWEST_KNOWN = 2


def left_out(class_names: tuple[str, ...], number: int) -> tuple[str, ...]:
    """The classes that round `number` does not see: two fifths of them, others each round.

    Four of ten, as in OpenOOD's six known and four unknown classes of CIFAR-10; of 200 or more,
    half, as in metric learning's splits. Five rounds of two fifths leave out each class twice; two
    rounds of half (0 and 1, 2 and 3, ...) each class once. Two classes at least remain, and of four
    or more two at least are left out, so that they can be distinguished. Raises InvalidDataset for
    fewer than three classes.
    """
    if len(class_names) <= FEWEST_KNOWN:
        raise InvalidDataset(
            f"{len(class_names)} classes are too few to leave one out and keep {FEWEST_KNOWN}"
        )
    if len(class_names) >= _MANY:
        return _half(class_names, number)
    groups = min(_GROUPS, len(class_names))
    away = min(_GROUPS_LEFT_OUT, len(class_names) - FEWEST_KNOWN)
    gone = {(number + each) % groups for each in range(away)}
    return tuple(name for row, name in enumerate(class_names) if row % groups in gone)


def _half(class_names: tuple[str, ...], number: int) -> tuple[str, ...]:
    """Drawn by the digests of the names, so that no library's random numbers decide it."""
    split, side = divmod(number, 2)
    drawn = sorted(class_names, key=lambda name: sha256(f"{split} {name}".encode()).digest())
    half = len(drawn) // 2
    gone = set(drawn[:half] if side == 0 else drawn[half : 2 * half])
    return tuple(name for name in class_names if name in gone)


def plane(recipe: Recipe, classes: int) -> Recipe:
    """The recipe with 2-D embeddings, and no larger a margin than 2-D holds."""
    fitted = ALL_LOSSES[recipe.loss].fitted_to(recipe.parameters, classes, PLANE_DIMENSIONS)
    return recipe.varied(embedding_size=PLANE_DIMENSIONS, parameters=fitted)
