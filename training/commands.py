"""The steps behind the command line: each takes the parsed options and works through the losses."""

from argparse import Namespace

from training import data
from training.config import Recipe, load_recipe
from training.data.dataset import Dataset, Splits, split
from training.fit import fit
from training.losses import LOSSES
from training.run import RunFolder, describe
from training.trainer import Trainer


def fit_runs(options: Namespace) -> None:
    """Train each loss that was asked for."""
    for loss in _losses(options):
        recipe = _recipe(options, loss)
        dataset, splits = _data(options.data, recipe, options)
        trainer = Trainer(recipe, splits, len(dataset.class_names))
        record = describe(recipe, options.data, dataset, splits)
        fit(trainer, _folder(options, loss), record, options.resume)


def evaluate_runs(options: Namespace) -> None: ...


def export_runs(options: Namespace) -> None: ...


def publish_runs(options: Namespace) -> None: ...


def run_all(options: Namespace) -> None:
    """Fit, evaluate, export and publish."""
    for step in (fit_runs, evaluate_runs, export_runs, publish_runs):
        step(options)


def _losses(options: Namespace) -> tuple[str, ...]:
    return tuple(LOSSES) if options.loss == "all" else (options.loss,)


def _folder(options: Namespace, loss: str) -> RunFolder:
    return RunFolder(options.runs / loss)


def _recipe(options: Namespace, loss: str) -> Recipe:
    return load_recipe(
        loss,
        options.recipe,
        epochs=options.epochs,
        batch_size=options.batch_size,
        learning_rate=options.learning_rate,
        embedding_size=options.embedding_size,
        size_px=options.size_px,
        seed=options.seed,
    )


def _data(source: str, recipe: Recipe, options: Namespace) -> tuple[Dataset, Splits]:
    dataset = data.load(source, recipe.preprocess, options.cache)
    return dataset, split(dataset, recipe.holdout, recipe.seed)
