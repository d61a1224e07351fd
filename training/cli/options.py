"""From parsed options to recipes, data sets and machines."""

import os
import unicodedata
from argparse import Namespace
from collections.abc import Sequence
from functools import cache

from rich.console import Console

from training import data
from training.checkpoints.frozen import on_features
from training.checkpoints.run import RunFolder
from training.checkpoints.weights import frozen_trunk, pinned
from training.data.dataset import Dataset
from training.loop.teachers import with_pinned_teachers
from training.loop.tracking.run_tracker import Tracking
from training.losses import LOSSES
from training.recipes.recipe import Recipe, load_recipe

_STATED = ("epochs", "batch_size", "embedding_size", "size_px", "seed")
_BACKBONE = ("backbone", "weights", "views")


def losses(options: Namespace) -> tuple[str, ...]:
    """The losses that were asked for."""
    return tuple(LOSSES) if options.loss == "all" else (options.loss,)


def folder(options: Namespace, loss: str) -> RunFolder:
    """The loss's run folder."""
    return RunFolder(options.runs / loss)


def recipe(options: Namespace, loss: str) -> Recipe:
    """The loss's recipe with what the command line says instead, settled."""
    return settled(
        stated(options, loss, learning_rate=options.learning_rate, teachers=options.teacher),
        options,
    )


def stated(options: Namespace, loss: str, **others: object) -> Recipe:
    """The loss's recipe with what the command line says instead, and `others`.

    A step without one of the options leaves the recipe's own.
    """
    said = {name: getattr(options, name, None) for name in _STATED}
    return load_recipe(loss, options.recipe, **{**said, **backbone(options), **others})


def settled(chosen: Recipe, options: Namespace) -> Recipe:
    """The recipe with its weights and teachers pinned, and an input size.

    Where it states none, that is the size of the weights, or chosen from the images.
    """
    return with_pinned_teachers(_sized(pinned(chosen), options))


def _sized(chosen: Recipe, options: Namespace) -> Recipe:
    """Images of early training and the square of cutout keep their share of the input size."""
    if "size_px" in chosen.model_fields_set:
        return chosen
    side = data.choose_size_px(options.data, chosen.backbone)
    say_once(f"data: images become {side} x {side} px, by their sizes; --size-px N to choose")
    early_px = chosen.early_px and max(8, chosen.early_px * side // chosen.size_px)
    cutout_px = chosen.cutout_px * side // chosen.size_px
    return chosen.varied(size_px=side, early_px=early_px, cutout_px=cutout_px)


def backbone(options: Namespace) -> dict[str, object]:
    """Read the backbone from the command line; None where it names none."""
    said: dict[str, object] = {name: getattr(options, name, None) for name in _BACKBONE}
    said["frozen"] = getattr(options, "frozen", None) or None
    trunk = getattr(options, "trunk", None)
    return said if trunk is None else said | frozen_trunk(trunk)


def tracking(options: Namespace) -> Tracking:
    """The trackers that were asked for; MLflow in a file beside the runs where no URI is given."""
    beside = f"sqlite:///{options.runs / 'mlflow.db'}"
    uri = os.environ.get("MLFLOW_TRACKING_URI", beside) if options.mlflow == "" else options.mlflow
    return Tracking(csv=options.csv, tensorboard=options.tensorboard, mlflow=uri)


def seen(whole: Dataset, chosen: Recipe, run: RunFolder, options: Namespace) -> Dataset:
    """Load the input of training: the images, or their features by a frozen trunk."""
    return on_features(chosen, whole, run, options.cache) if chosen.frozen else whole


def named_classes(given: Sequence[str], class_names: tuple[str, ...]) -> tuple[str, ...]:
    """The classes that these texts name: each text is one class, or several with commas between.

    A text that is a class's whole name is that class, whatever commas it has.
    """
    found: dict[str, None] = {}
    for text in (unicodedata.normalize("NFC", one) for one in given):
        parts = [text] if text in class_names else text.split(",")
        found |= dict.fromkeys(part if part in class_names else part.strip() for part in parts)
    return tuple(found)


def say(message: str) -> None:
    """One line of result on the terminal."""
    Console(soft_wrap=True).print(message, highlight=False, markup=False)


@cache
def say_once(message: str) -> None:
    """Print what holds for every loss of a command, at the first one."""
    say(message)
