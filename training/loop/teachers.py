"""Earlier runs whose answers a new run learns in place of labels."""

from pathlib import Path

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from models.files import sha256_of
from training.checkpoints.networks import trained
from training.checkpoints.run import RunFolder
from training.data.dataset import Dataset, TrainingSplits
from training.errors import InvalidRecipe, InvalidRun
from training.losses import ALL_LOSSES
from training.networks.embedder import Embedder
from training.recipes.recipe import Recipe


class Teachers:
    """The networks of the runs that a recipe names as its teachers, in the form that is served.

    What they say of an image is the mean of their class probabilities. Every other one looks at
    the image's mirror image, and at the next step the others do: so the mean is taken over mirror
    images, too, at no cost.
    Source: Hinton et al., Distilling the knowledge in a neural network (arXiv 1503.02531, section
    2), at temperature 1 and without labels; teachers and student see the same pixels, as in Beyer
    et al. (arXiv 2106.05237, "consistent" teaching).
    """

    def __init__(self, recipe: Recipe, splits: TrainingSplits, device: torch.device) -> None:
        _check_unchanged(recipe)
        self._embedders = [
            _placed(trained(RunFolder(Path(path)), splits), device) for path in recipe.teachers
        ]

    def __bool__(self) -> bool:
        """Return whether any teacher is named."""
        return bool(self._embedders)

    @torch.no_grad()
    def probabilities(self, images: UInt8[Tensor, "p h w 3"], step: int) -> Float[Tensor, "p c"]:
        """Class probabilities of `images`, for their use in step number `step`."""
        said = [
            embedder.loss.logits(
                embedder.backbone(images.flip(2) if (place + step) % 2 else images)
            ).softmax(dim=1)
            for place, embedder in enumerate(self._embedders)
        ]
        return torch.stack(said).mean(dim=0)


def _placed(embedder: Embedder, device: torch.device) -> Embedder:
    embedder.backbone.to(memory_format=torch.channels_last)
    return embedder.to(device).requires_grad_(False)


def with_pinned_teachers(recipe: Recipe) -> Recipe:
    """The recipe with the sha256 of its teachers' checkpoints.

    Raises InvalidRun where a teacher is missing, InvalidRecipe where it is another than the recipe
    was made with.
    """
    _check_unchanged(recipe)
    return recipe.varied(teachers_sha256=_digests(recipe)) if recipe.teachers else recipe


def _check_unchanged(recipe: Recipe) -> None:
    if not recipe.teachers_sha256:
        return
    for path, now, then in zip(
        recipe.teachers, _digests(recipe), recipe.teachers_sha256, strict=True
    ):
        if now != then:
            raise InvalidRecipe(
                f"the teacher {path} has changed: its checkpoint's sha256 is {now}, the recipe was "
                f"made with {then}"
            )


def _digests(recipe: Recipe) -> tuple[str, ...]:
    return tuple(_digest(RunFolder(Path(path))) for path in recipe.teachers)


def _digest(run: RunFolder) -> str:
    if not run.checkpoint_path.is_file():
        raise InvalidRun(f"{run.path} holds no trained run to be a teacher")
    return sha256_of(run.checkpoint_path)


def check_teachers(recipe: Recipe, known: Dataset) -> None:
    """Raise InvalidRecipe where a teacher answers otherwise than asked, or has seen other images.

    One that was trained on the same data set with another split has learned images that this run
    holds out, and would make its tuning split and its calibration look better than they are.
    """
    for path in recipe.teachers:
        record = RunFolder(Path(path)).record()
        theirs = record.recipe
        if ALL_LOSSES[theirs.loss].fits_prototypes:
            raise InvalidRecipe(
                f"the teacher {path} was trained with {theirs.loss}, whose class scores are no "
                "probabilities; name a run of another loss"
            )
        if record.class_names != known.class_names:
            raise InvalidRecipe(
                f"the teacher {path} knows other classes: {', '.join(record.class_names)}"
            )
        if theirs.size_px != recipe.size_px:
            raise InvalidRecipe(
                f"the teacher {path} takes images of {theirs.size_px} px, this recipe has "
                f"{recipe.size_px}; give both one size: --size-px {theirs.size_px}"
            )
        same_split = (theirs.seed, theirs.holdout) == (recipe.seed, recipe.holdout)
        if record.dataset.sha256 == known.sha256 and not same_split:
            raise InvalidRecipe(
                f"the teacher {path} was trained on images that this run holds out; train both "
                f"with one seed and one holdout (it has {theirs.seed} and {theirs.holdout:g})"
            )
