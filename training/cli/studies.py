"""Many runs with one question: the best parameters of a loss, the best loss."""

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import ValidationError

from models.comparison import DEFAULT, ComparisonReport
from models.manifest import Preprocess
from models.store import Store
from training import data
from training.checkpoints.run import RunFolder
from training.checkpoints.weights import RANDOM
from training.cli.datasets import DataSets
from training.cli.options import losses, say, seen, settled, stated, tracking
from training.common.machine import Machine, machine
from training.comparison.other_sets import OtherImages
from training.comparison.protocol import START_SEED, ComparisonProtocol
from training.comparison.revise import revised
from training.comparison.runs import ComparisonFolder
from training.comparison.summary import summarize
from training.data.dataset import Dataset
from training.errors import InvalidRecipe, InvalidRun, StillTraining
from training.evaluation.evaluation import FIGURES
from training.evaluation.figures.bundle import draw_comparison
from training.loop.teachers import check_teachers
from training.losses import ALL_LOSSES, LOSSES
from training.recipes.recipe import Recipe
from training.tuning.space import starting_values
from training.tuning.tune import Budget, Tuning

_HEAD = ("loss", "trials", "epochs", "tuning accuracy", "first trial", "chosen (recipe's own)")


def tune_losses(options: Namespace) -> None:
    """Spend the same budget on each loss that was asked for, and write its recipe."""
    budget = Budget(
        trials=options.trials,
        trials_per_value=options.trials_per_value,
        epochs=options.epochs,
        prune=options.prune,
    )
    done, classes, sets = [], 0, DataSets(options.cache, drop_leaks=options.drop_leaks)
    for loss in losses(options):
        start = settled(stated(options, loss, epochs=None), options)
        path = options.runs / "tuning" / loss
        whole = seen(sets.load(options.data, start.preprocess), start, RunFolder(path), options)
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
    with machine(options.device, compiled=options.compile, precision=options.precision) as here:
        protocol = _protocol(options, here)
        sets = DataSets(options.cache, drop_leaks=options.drop_leaks)
        whole = sets.load(options.data, protocol.common.preprocess)
        others = _others(options, whole, protocol.common.preprocess)
        protocol = protocol.model_copy(update={"others": others.record})
        runs = options.runs or Path("runs") / _folder(options.name)
        comparison = ComparisonFolder(runs, protocol, options.data, whole, here, others)
        comparison.begin()
        say(_size_of(comparison))
        if not comparison.train():
            raise StillTraining(
                f"another process is still training in {runs}; it will finish the "
                "comparison, or run this command again when it is done"
            )
    _publish(summarize(comparison, options.name), runs / FIGURES, Store(options.registry))


def _folder(name: str) -> str:
    return "comparison" if name == DEFAULT else name


def _others(options: Namespace, own: Dataset, spec: Preprocess) -> OtherImages:
    far, transfer = (
        [data.load(str(folder), spec, options.cache) for folder in folders or ()]
        for folders in (options.far, options.transfer)
    )
    return OtherImages.of(own, spec, far, transfer)


def _protocol(options: Namespace, here: Machine) -> ComparisonProtocol:
    recipes = tuple(_start(options, loss) for loss in _compared(options))
    epochs = recipes[0].epochs
    try:
        return ComparisonProtocol(
            recipes=recipes,
            precision=here.computed,
            budget=Budget(
                trials=options.trials,
                trials_per_value=options.trials_per_value,
                epochs=options.tuning_epochs or epochs,
            ),
            seeds=options.seeds,
            unknown_epochs=options.unknown_epochs or epochs,
        )
    except ValidationError as error:
        said = "; ".join(fault["msg"].removeprefix("Value error, ") for fault in error.errors())
        raise InvalidRecipe(said) from error


def _compared(options: Namespace) -> tuple[str, ...]:
    named = tuple(name for text in options.losses or () for name in text.split(",") if name)
    if unknown := [name for name in named if name not in ALL_LOSSES]:
        raise InvalidRecipe(f"no loss {unknown[0]!r}; available: {', '.join(ALL_LOSSES)}")
    if len(named) == 1:
        raise InvalidRecipe("--losses must name two losses at least")
    return named or tuple(LOSSES)


def _start(options: Namespace, loss: str) -> Recipe:
    """The first trial of a loss, from random weights: others may have seen what is left out."""
    chosen = stated(options, loss, seed=START_SEED)
    if chosen.weights != RANDOM or chosen.teachers or chosen.leave_out:
        raise InvalidRecipe(
            "a comparison trains from random weights, without teachers, on all classes; the recipe "
            f"for {loss} must leave weights, teachers and leave_out alone"
        )
    return settled(chosen, options)


def _size_of(comparison: ComparisonFolder) -> str:
    protocol = comparison.protocol
    return (
        f"{', '.join(protocol.losses)}: tuning, {protocol.seeds} final runs each and as many "
        f"without some classes come to {comparison.epochs():,} epochs in all"
    )


def restate_comparison(options: Namespace) -> None:
    """Publish the comparison again with today's statistics of the same measurements."""
    store = Store(options.registry)
    report = store.comparison(options.name)
    if report is None:
        raise InvalidRun(
            f"{options.registry} must hold the comparison {options.name!r} (it holds "
            f"{', '.join(store.comparison_names()) or 'none'}); make it: python -m training compare"
        )
    if any(one.image_variance == "paired resamples" for one in report.measures):
        raise InvalidRun(
            f"the statistics of {options.name!r} know the outcomes of single images, which its "
            "file does not hold; run python -m training compare again where its runs are"
        )
    with TemporaryDirectory() as folder:
        _publish(revised(report), Path(folder), store)


def _publish(report: ComparisonReport, figures: Path, store: Store) -> None:
    drawn = draw_comparison(report, figures)
    whole = report.model_copy(update={"figures": drawn})
    store.put_comparison(whole, figures)
    for verdict in whole.verdicts:
        say(f"{verdict.goal}: {verdict.sentence}")


def tuning_table(studies: Sequence[Tuning], classes: int) -> list[str]:
    """A line for each study under a head, columns aligned; budgets show as epochs.

    A chosen value in the outer tenth of its range is marked with !: the range may be too narrow.
    """
    rows = [_HEAD, *(_row(study, classes) for study in studies)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def _row(study: Tuning, classes: int) -> tuple[str, ...]:
    tried, start = study.tried(classes), starting_values(study.start)
    accuracies = [trial.tuning_accuracy for trial in tried.trials]
    best = max(accuracy for accuracy in accuracies if accuracy is not None)
    chosen = (
        f"{name} {value:.3g}{'!' if name in tried.at_edge else ''} ({start[name]:.3g})"
        for name, value in tried.chosen.items()
    )
    return (
        tried.loss,
        str(len(tried.trials)),
        str(study.epochs_spent()),
        f"{best:.2%}",
        "diverged" if accuracies[0] is None else f"{accuracies[0]:.2%}",
        ", ".join(chosen),
    )
