"""From an exported run to its report: ask the graph that will be served, and say what it knows."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int64

from models.atomic import replacing
from models.bundle import MAP, MODEL
from models.evidence.feature_space import FeatureSpace
from models.evidence.finding import Finding
from models.files import sha256_of
from models.image_map import read_map, write_map
from models.manifest import Metric
from models.report import Epoch, Provenance, Report
from models.test_images import write_test_images
from training import data
from training.calibration.module import ServedModel
from training.checkpoints import networks
from training.checkpoints.run import RunFolder, RunRecord
from training.data.copies import find_copies
from training.data.dataset import Dataset, Splits
from training.data.gallery import gallery_rows
from training.errors import InvalidRun
from training.evaluation.answers import Answers
from training.evaluation.classification import classification_section
from training.evaluation.confidence import confidence_section
from training.evaluation.cost import cost
from training.evaluation.elsewhere import OtherFolders, ServedAnswers, transfer, unknown_sets
from training.evaluation.feature_spaces import FeatureSpaces
from training.evaluation.figures.bundle import FigureData, draw_report
from training.evaluation.figures.confused import example_ids
from training.evaluation.geometry import geometry
from training.evaluation.graph import Graph
from training.evaluation.image_map import MapContents, make_map, shown_rows
from training.evaluation.leaks import leaks
from training.evaluation.leave_out_rounds import leave_out_round
from training.evaluation.pair_section import pairs_section
from training.evaluation.paired_models import BASELINE
from training.evaluation.retrieval import retrieval
from training.evaluation.robustness import robustness
from training.evaluation.sprite_sheets import draw_sheets
from training.evaluation.unknowns import unknowns
from training.evaluation.verification import verification

REPORT = "report.json"
FIGURES = "figures"
TEST_IMAGES = "test-images.npz"
_PREDICTIONS = "test_predictions.pt"


@dataclass(frozen=True)
class RunEvaluation:
    """A run's exported graph, asked about every split."""

    record: RunRecord
    graph: Graph
    model: ServedModel
    splits: Splits
    train: Answers
    gallery: Answers
    calibration: Answers
    test: Answers
    uncalibrated: Answers  # of the test images, at temperature 1 and without a confidence map

    @classmethod
    def of(cls, folder: RunFolder, splits: Splits, cache: Path | None = None) -> "RunEvaluation":
        """Ask the run's exported graph. Raises InvalidRun where it was not exported.

        What a frozen trunk gives is kept in `cache`, for the other models on it.
        """
        path = folder.path / MODEL
        if not path.is_file():
            raise InvalidRun(f"{path} is missing: python -m training export")
        record, model = folder.record(), networks.served(folder, splits)
        graph = Graph(path, model.temperature.item(), cache)
        train = graph.answers(splits.train)
        rows = gallery_rows(splits.train.labels, len(record.class_names))
        test, uncalibrated = graph.both(splits.test)
        return cls(
            record=record,
            graph=graph,
            model=model,
            splits=splits,
            train=train,
            gallery=train.take(rows.numpy()),
            calibration=graph.answers(splits.calibration.read_to_calibrate()),
            test=test,
            uncalibrated=uncalibrated,
        )

    @property
    def metric(self) -> Metric:
        """The distance that the embedding space was trained for."""
        return self.model.loss.metric


def evaluate(
    folder: RunFolder, dataset: Dataset, baseline: RunFolder | None, cache: Path | None = None
) -> Report:
    """Read the test set, write the report and its figures.

    `baseline` is the softmax run to count errors against; None, or not yet evaluated on the same
    data, leaves that part of the report out. So do runs beside it that were not trained: those
    without some classes and the one in a plane. Raises InvalidRun where the run was not exported.
    """
    (folder.path / REPORT).unlink(missing_ok=True)  # from here on an earlier one would be stale
    splits = data.prepare(dataset, folder.record().recipe)[1]
    run = RunEvaluation.of(folder, splits, cache)
    predicted = torch.from_numpy(run.test.predicted)
    folder.save(folder.path / _PREDICTIONS, {"predicted": predicted})
    spaces = FeatureSpaces.of(folder, dataset, splits, run.test)
    report = _report(run, folder, dataset, baseline, spaces.section)
    shown = example_ids(report.classification)
    material = FigureData(splits.test.named(shown), (spaces.before, spaces.after), spaces.points)
    figures = draw_report(report, material, folder.path / FIGURES)
    report = report.model_copy(update={"figures": figures})
    _write_map(run, report, folder, baseline)
    folder.write_text(REPORT, report.model_dump_json(indent=2) + "\n")
    return report


def _write_map(
    run: RunEvaluation, report: Report, folder: RunFolder, baseline: RunFolder | None
) -> None:
    """Write the map, which begins with the baseline's plane, and the test images on it."""
    rows = shown_rows(len(run.test))
    shown = MapContents(
        test=run.test.take(rows),
        gallery=run.gallery,
        metric=run.metric,
        rule=report.unknowns.measured_rule,
        model_sha256=sha256_of(folder.path / MODEL),
    )
    before = None if baseline is None else baseline.path / MAP
    reference = read_map(before) if before is not None and before.is_file() else None
    with replacing(folder.path / MAP) as path:
        write_map(path, make_map(shown, reference))
    with replacing(folder.path / TEST_IMAGES) as path:
        write_test_images(path, draw_sheets(run.splits.test.take(torch.from_numpy(rows))))


def _report(
    run: RunEvaluation,
    folder: RunFolder,
    dataset: Dataset,
    baseline: RunFolder | None,
    feature_space: FeatureSpace,
) -> Report:
    record, metric, names = run.record, run.metric, run.record.class_names
    rounds = tuple(leave_out_round(each, dataset) for each in folder.unknown_rounds())
    progress = folder.load(folder.checkpoint_path)["progress"]
    images, spec = run.splits.test.images.numpy(), record.recipe.preprocess
    served = ServedAnswers(metric, run.gallery, run.calibration, run.test)
    return Report(
        name=record.recipe.loss,
        loss=record.recipe.loss,
        classification=classification_section(run.test, names, _predictions(baseline, record)),
        confidence=confidence_section(
            run.test, run.uncalibrated, run.calibration, networks.calibration(folder)
        ),
        unknowns=unknowns(rounds, metric, run.gallery, run.calibration, run.test).model_copy(
            update={"sets": unknown_sets(run.graph.answers, spec, served, OtherFolders())}
        ),
        geometry=geometry(run.train, run.test, names, metric, run.model.class_weights),
        retrieval=retrieval(run.test, run.gallery, metric),
        verification=verification(run.test, metric),
        pairs=pairs_section(run.calibration, run.test, metric),
        robustness=robustness(run.graph.ask, images, run.test.labels),
        leaks=leaks(run.test, find_copies(run.splits)),
        transfer=transfer(run.graph.answers, spec, OtherFolders()),
        feature_space=feature_space,
        cost=cost(folder.path / MODEL, run.model.parameter_count, run.splits.tuning.images.numpy()),
        learning_curve=tuple(Epoch.model_validate(epoch) for epoch in progress["history"]),
        findings=tuple(Finding.model_validate(one) for one in progress.get("findings", ())),
        figures=(),
        provenance=_provenance(record, float(progress["seconds"])),
    )


def _predictions(baseline: RunFolder | None, record: RunRecord) -> Int64[np.ndarray, " n"] | None:
    if baseline is None or record.recipe.loss == BASELINE:
        return None
    path = baseline.path / _PREDICTIONS
    if not path.is_file() or baseline.record().dataset != record.dataset:
        return None
    predicted: Int64[np.ndarray, " n"] = baseline.load(path)["predicted"].numpy()
    return predicted


def _provenance(record: RunRecord, seconds: float) -> Provenance:
    return Provenance(
        dataset=record.dataset,
        recipe=record.recipe.model_dump(mode="json"),
        seed=record.recipe.seed,
        command=record.command,
        commit=record.commit,
        versions=record.versions,
        hardware=record.hardware,
        training_seconds=seconds,
        evaluated=datetime.now(UTC),
    )
