"""One run of each loss, from fit to publish, and the runs beside it that its report draws on."""

from argparse import Namespace
from functools import partial

from models.bundle import MODEL
from models.evidence.classification import Classification
from models.store import Store
from training import data
from training.calibration.calibrate import calibrate
from training.checkpoints import networks
from training.checkpoints.run import RunFolder, describe
from training.checkpoints.weights import classes_seen, pinned
from training.cli.datasets import DataSets
from training.cli.options import (
    folder,
    losses,
    named_classes,
    recipe,
    say,
    seen,
    tracking,
)
from training.common.machine import is_first, machine
from training.data.dataset import Dataset
from training.evaluation.evaluation import evaluate
from training.evaluation.paired_models import BASELINE
from training.export.onnx import export
from training.loop.fit import fit
from training.loop.teachers import check_teachers
from training.loop.tracking.run_tracker import track_result
from training.loop.trainer import Trainer
from training.publishing.publish import publish
from training.recipes.recipe import Recipe
from training.recipes.variants import left_out, plane


def fit_runs(options: Namespace) -> None:
    """Train each loss that was asked for, with all processes that torchrun started."""
    _fit(options, DataSets(options.cache, drop_leaks=options.drop_leaks))


def _fit(options: Namespace, sets: DataSets) -> None:
    with machine(options.device, compiled=options.compile, precision=options.precision) as here:
        for loss in losses(options):
            chosen, run = recipe(options, loss), folder(options, loss)
            whole = here.ranks.main_process_first(partial(_dataset, chosen, run, options, sets))
            known, splits = data.prepare(whole, chosen)
            check_teachers(chosen, known)
            trainer = Trainer(chosen, splits, len(known.class_names), here)
            record = describe(chosen, options.data, known, splits, trainer.precision)
            fit(trainer, run, record, options.resume, tracking(options))


def _dataset(chosen: Recipe, run: RunFolder, options: Namespace, sets: DataSets) -> Dataset:
    return seen(sets.load(options.data, chosen.preprocess), chosen, run, options)


def fit_unknown_rounds(options: Namespace) -> None:
    """Train each run again without some classes, to score how they are rejected."""
    sets = DataSets(options.cache)
    for loss in losses(options):
        run = folder(options, loss)
        record, whole = run.record(), sets.of(run)
        for number, names in enumerate(_left_out(options, whole)):
            varied = _started(record.recipe, options).varied(
                leave_out=names,
                epochs=options.epochs or record.recipe.epochs,
                teachers=(),  # they know the classes that are left out
                teachers_sha256=(),
            )
            _warn_of_seen(varied)
            beside = run.unknown_round(number)
            shown = seen(whole, varied, beside, options)
            train(varied, record.source, shown, beside, resume=True)


def _started(of_run: Recipe, options: Namespace) -> Recipe:
    """The run's recipe, from other weights where the command line names some."""
    if options.weights is None:
        return of_run
    return pinned(of_run.varied(weights=options.weights, weights_sha256=""))


def _warn_of_seen(varied: Recipe) -> None:
    """Classes that the first weights were trained on are easier to notice than new ones."""
    if known := sorted(classes_seen(varied)):
        say(
            f"warning: {varied.weights} was trained on {', '.join(known)}, so this round says less "
            "of classes that nobody has seen; start from others: --weights random, or a run "
            "without them"
        )


def _left_out(options: Namespace, whole: Dataset) -> list[tuple[str, ...]]:
    if options.leave_out:
        return [named_classes(options.leave_out, whole.class_names)]
    return [left_out(whole.class_names, number) for number in range(options.rounds)]


def fit_planes(options: Namespace) -> None:
    """Train each run again with a true 2-D embedding."""
    sets = DataSets(options.cache)
    for loss in losses(options):
        run = folder(options, loss)
        record, whole = run.record(), sets.of(run)
        flat = plane(record.recipe, len(whole.class_names))
        varied = flat.varied(epochs=options.epochs or record.recipe.epochs)
        shown = seen(whole, varied, run.plane, options)
        train(varied, record.source, shown, run.plane, resume=True)


def train(chosen: Recipe, source: str, whole: Dataset, run: RunFolder, *, resume: bool) -> None:
    """Fit one recipe in one folder."""
    known, splits = data.prepare(whole, chosen)
    check_teachers(chosen, known)
    trainer = Trainer(chosen, splits, len(known.class_names))
    fit(trainer, run, describe(chosen, source, known, splits, trainer.precision), resume)


def export_runs(options: Namespace) -> None:
    """Calibrate each trained run, and write its ONNX file."""
    _export(options, DataSets(options.cache))


def _export(options: Namespace, sets: DataSets) -> None:
    for loss in losses(options):
        run = folder(options, loss)
        splits = sets.splits_of(run)
        model, calibration = calibrate(networks.trained(run, splits), splits)
        networks.save_served(model, calibration, run)
        export(model, splits.tuning.images, run.path / MODEL)
        say(f"{loss}: exported to {run.path / MODEL}, and it answers as PyTorch does")


def evaluate_runs(options: Namespace) -> None:
    """Write each run's report; errors are counted against the softmax run beside it."""
    _evaluate(options, DataSets(options.cache))


def _evaluate(options: Namespace, sets: DataSets) -> None:
    baseline = folder(options, BASELINE)
    for loss in losses(options):
        run = folder(options, loss)
        found = evaluate(run, sets.of(run), baseline, options.cache).classification
        track_result(run, "test_accuracy", found.accuracy.value)
        say(f"{loss}: test accuracy {found.accuracy.value:.2%} (n = {found.n:,}){_beside(found)}")


def _beside(found: Classification) -> str:
    if found.majority is None:
        return ""
    return f"; always naming {found.majority.label!r} would have {found.majority.accuracy:.2%}"


def publish_runs(options: Namespace) -> None:
    """Add each evaluated run to the registry."""
    _publish(options, DataSets(options.cache))


def _publish(options: Namespace, sets: DataSets) -> None:
    for loss in losses(options):
        run = folder(options, loss)
        published = publish(run, sets.splits_of(run), Store(options.registry))
        say(f"{loss}: published as {published.bundle.path}; {published.int8}")


def run_all(options: Namespace) -> None:
    """Fit, export, evaluate and publish; all but the first in one process, on one data set."""
    sets = DataSets(options.cache, drop_leaks=options.drop_leaks)
    _fit(options, sets)
    if is_first():
        for step in (_export, _evaluate, _publish):
            step(options, sets)
