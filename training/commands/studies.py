"""Many runs with one question: the best parameters of a loss, the best loss."""

from argparse import Namespace
from pathlib import Path
from tempfile import TemporaryDirectory

from models.comparison import ComparisonReport
from models.store import Store
from training import data
from training.commands.options import backbone, dataset, losses, say, seen, settled, tracking
from training.commands.tables import tuning_table
from training.comparison.protocol import Protocol
from training.comparison.revise import revised
from training.comparison.runs import Comparison
from training.comparison.summary import summarize
from training.config import load_recipe, preprocess_at
from training.errors import InvalidRun, StillTraining
from training.evaluate.evaluation import FIGURES
from training.evaluate.figures.bundle import draw_comparison
from training.run import RunFolder
from training.teachers import check_teachers
from training.tune import Budget, Tuning


def tune_losses(options: Namespace) -> None:
    """Spend the same budget on each loss that was asked for, and write its recipe."""
    budget = Budget(
        trials=options.trials,
        trials_per_value=options.trials_per_value,
        epochs=options.epochs,
        prune=options.prune,
    )
    done, classes = [], 0
    for loss in losses(options):
        changes = {"seed": options.seed, "size_px": options.size_px, **backbone(options)}
        start = settled(load_recipe(loss, options.recipe, **changes), options)
        path = options.runs / "tuning" / loss
        whole = seen(dataset(options, start.preprocess), start, RunFolder(path), options)
        known, splits = data.prepare(whole, start)
        check_teachers(start, known)
        tuning = Tuning(path, start, budget, tracking(options))
        say(f"budget of {loss}: {tuning.trials} trials of {budget.epochs} epochs")
        tuning.run(options.data, known, splits)
        recipe_path = tuning.recipe_path
        if options.write_recipe is not None:
            recipe_path = options.write_recipe / f"{loss}.toml"
            tuning.write_recipe(recipe_path)
        say(f"{loss}: the best of {tuning.trials} trials is in {recipe_path}")
        done.append(tuning)
        classes = len(known.class_names)
    for line in tuning_table(done, classes):
        say(line)


def compare_losses(options: Namespace) -> None:
    """Tune all losses alike, train each with every seed, and compare what came out."""
    protocol = Protocol(
        budget=Budget(
            trials=options.trials,
            trials_per_value=options.trials_per_value,
            epochs=options.tuning_epochs,
        ),
        seeds=options.seeds,
        epochs=options.epochs,
        unknown_epochs=options.unknown_epochs,
        size_px=data.choose_size_px(options.data, Protocol().backbone),
    )
    whole = dataset(options, preprocess_at(protocol.size_px))
    comparison = Comparison(options.runs, protocol, options.data, whole)
    comparison.begin()
    if not comparison.train():
        raise StillTraining(
            f"another process is still training in {options.runs}; it will finish the comparison, "
            "or run this command again when it is done"
        )
    _publish(summarize(comparison), options.runs / FIGURES, Store(options.registry))


def restate_comparison(options: Namespace) -> None:
    """Publish the comparison again with today's statistics of the same measurements."""
    store = Store(options.registry)
    report = store.comparison()
    if report is None:
        raise InvalidRun(
            f"{options.registry} holds no comparison; make one: python -m training compare"
        )
    with TemporaryDirectory() as folder:
        _publish(revised(report), Path(folder), store)


def _publish(report: ComparisonReport, figures: Path, store: Store) -> None:
    drawn = draw_comparison(report, figures)
    whole = report.model_copy(update={"figures": drawn})
    store.put_comparison(whole, figures)
    for verdict in whole.verdicts:
        say(f"{verdict.goal}: {verdict.sentence}")
