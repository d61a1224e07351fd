"""The steps behind the command line: each takes the parsed options and works through the losses."""

from argparse import Namespace

from rich.console import Console

from models.bundle import MODEL
from models.manifest import Preprocess
from models.store import Store
from training import data
from training.comparison.protocol import Protocol
from training.comparison.runs import Comparison
from training.config import Recipe, load_recipe
from training.data.dataset import Dataset, Splits
from training.errors import InvalidRun, StillTraining
from training.evaluate import weights
from training.evaluate.evaluation import BASELINE, evaluate
from training.export import export
from training.fit import fit
from training.losses import LOSSES
from training.publish import publish
from training.run import RunFolder, describe
from training.trainer import Trainer
from training.tune import Budget, Tuning


def fit_runs(options: Namespace) -> None:
    """Train each loss that was asked for."""
    for loss in _losses(options):
        recipe = _recipe(options, loss)
        dataset, splits = _data(options.data, recipe, options)
        trainer = Trainer(recipe, splits, len(dataset.class_names))
        record = describe(recipe, options.data, dataset, splits)
        fit(trainer, _folder(options, loss), record, options.resume)


def evaluate_runs(options: Namespace) -> None:
    """Write each run's report; errors are counted against the softmax run beside it."""
    baseline = _folder(options, BASELINE)
    for loss in _losses(options):
        folder = _folder(options, loss)
        report = evaluate(folder, _splits(folder, options), baseline)
        say(f"{loss}: test accuracy {report.accuracy:.2%} (n = {report.test_images:,})")


def export_runs(options: Namespace) -> None:
    """Write each evaluated run's ONNX file."""
    for loss in _losses(options):
        folder = _folder(options, loss)
        splits = _splits(folder, options)
        export(weights.served(folder, splits), splits.tuning.images, folder.path / MODEL)
        say(f"{loss}: exported to {folder.path / MODEL}, and it answers as PyTorch does")


def publish_runs(options: Namespace) -> None:
    """Add each exported run to the registry."""
    for loss in _losses(options):
        folder = _folder(options, loss)
        bundle = publish(folder, _splits(folder, options), Store(options.registry))
        say(f"{loss}: published as {bundle.path}")


def tune_losses(options: Namespace) -> None:
    """Spend the same budget on each loss that was asked for, and write its recipe."""
    budget = Budget(trials=options.trials, epochs=options.epochs)
    for loss in _losses(options):
        start = Recipe(loss=loss, seed=options.seed)
        dataset, splits = _data(options.data, start, options)
        tuning = Tuning(options.runs / "tuning" / loss, start, budget)
        tuning.run(options.data, dataset, splits)
        say(f"{loss}: the best of {budget.trials} trials is in {tuning.recipe_path}")


def compare_losses(options: Namespace) -> None:
    """Tune all losses alike, train each with every seed, and compare what came out."""
    protocol = Protocol(
        budget=Budget(trials=options.trials, epochs=options.tuning_epochs),
        seeds=options.seeds,
        epochs=options.epochs,
        unknown_epochs=options.unknown_epochs,
    )
    dataset = data.load(options.data, Preprocess(size_px=protocol.size_px), options.cache)
    comparison = Comparison(options.runs, protocol, options.data, dataset)
    comparison.begin()
    if not comparison.train():
        raise StillTraining(
            f"another process is still training in {options.runs}; it will finish the comparison, "
            "or run this command again when it is done"
        )


def run_all(options: Namespace) -> None:
    """Fit, evaluate, export and publish."""
    for step in (fit_runs, evaluate_runs, export_runs, publish_runs):
        step(options)


def say(message: str) -> None:
    """One line of result on the terminal."""
    Console(soft_wrap=True).print(message, highlight=False)


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
    return data.prepare(dataset, recipe)


def _splits(folder: RunFolder, options: Namespace) -> Splits:
    """The splits that the run was trained with. Raises InvalidRun where the data changed."""
    record = folder.record()
    dataset, splits = _data(record.source, record.recipe, options)
    if dataset.sha256 != record.dataset.sha256:
        raise InvalidRun(f"{record.source} has changed since {folder.path} was trained on it")
    return splits
